"""Crews of a configuration: where they are, what they are called, what runs them."""

# ruff: noqa: E501 - a message is one line

from collections.abc import Callable
from pathlib import Path

import pytest

from live_crew.config import load_config

Mistakes = Callable[..., list[str]]
Write = Callable[..., Path]


def test_runtime_files_are_found_and_read(write: Write, folder: Path) -> None:
    write("triggers: [a]\n", "crews/one/one.runtime.yaml")
    write("crew: second\ntriggers: [b]\n", "crews/two/run.yaml")
    write("triggers: [c]\n", "beside.runtime.yaml")
    write(
        "crews:\n"
        "  - path: crews/one\n"
        "  - {path: crews/two, runtime: run.yaml}\n"
        "  - {python: 'pkg.crews:analytics', runtime: beside.runtime.yaml}\n"
        "  - {python: 'pkg.crews:inline', runtime: {triggers: [d]}}\n"
        "  - {python: 'pkg.crews:bare'}\n"
        "  - {path: crews/one, name: again}\n"
    )
    config = load_config(env={})
    found = {entry.name: entry.runtime.triggers for entry in config.crews}
    assert found == {
        "one": ("a",),
        "second": ("b",),
        "analytics": ("c",),
        "inline": ("d",),
        "bare": (),
        "again": ("a",),
    }
    assert config.crews[0].path == folder / "crews/one"
    assert config.crews[1].runtime_file == folder / "crews/two/run.yaml"
    assert config.crews[2].python == "pkg.crews:analytics"
    assert config.crews[5].runtime.core() == {"crew": "again", "triggers": ["a"]}


def test_paths_start_at_the_folder_of_the_configuration(write: Write, folder: Path) -> None:
    write("triggers: [a]\n", "conf/crews/one/one.runtime.yaml")
    path = write("crews: [{path: crews/one}]\njournal: j/x.db\n", "conf/live.yaml")
    config = load_config(path, env={})
    assert config.crews[0].path == folder / "conf/crews/one"
    assert config.journal.path == str(folder / "conf/j/x.db")
    assert load_config(path, env={"LIVE_CREW_JOURNAL__PATH": "y.db"}).journal.path == str(
        folder / "y.db"
    )


def test_a_mistake_in_a_runtime_file_is_told_with_those_of_the_configuration(
    write: Write, mistakes: Mistakes
) -> None:
    write("triggers: [on]\ntriggers: [a]\n", "crews/one/one.runtime.yaml")
    assert mistakes("crews: [{path: crews/one}]\nslice_ms: 0\n") == [
        'crews/one/one.runtime.yaml:1:12: triggers[0]: `on` is read by YAML as true; put it in quotes: "on"',
        "crews/one/one.runtime.yaml:2:1: triggers: is there twice, first in line 1; remove one",
        "live_crew_config.yaml:2:11: slice_ms: 0 is less than 1; use 1 to 10000 (milliseconds)",
    ]


@pytest.mark.parametrize(
    ("crews", "message"),
    [
        ("{a: 1}", "1:8: crews: a mapping is no list; write `- path: …` lines"),
        ("[one]", "1:9: crews[0]: `one` is no crew; write `- path: …` or `- python: …`"),
        ("[{}]", "1:9: crews[0]: names no crew; add `path: …`, `python: package.module:name`, or `runtime: …` with a `user_template`"),
        ("[{path: one, python: 'a:b'}]", "1:29: crews[0].python: is a second place of the crew beside `path`; remove one"),
        ("[{python: a.b}]", "1:18: crews[0].python: `a.b` is no place of a crew in Python; use `package.module:name`"),
        ("[{path: onn}]", "1:16: crews[0].path: `onn` is not there; did you mean `one`?"),
        ("[{path: file.yaml}]", "1:16: crews[0].path: `file.yaml` is a file; give the folder of the crew"),
        ("[{path: empty}]", "1:16: crews[0].path: `empty` has no `empty.runtime.yaml`; create it or add `runtime:`"),
        ("[{path: one, runtime: one.yaml}]", "1:30: crews[0].runtime: `one.yaml` is not there; did you mean `one.runtime.yaml`?"),
        ("[{path: one, runtime: 5}]", "1:30: crews[0].runtime: 5 is no runtime; give a file or a mapping"),
        ("[{path: ..}]", "1:16: crews[0].path: `..` leads out of the folder of the configuration; move it there, or give an absolute path"),
        ("[{path: link}]", "1:16: crews[0].path: `link` leads out of the folder of the configuration; move it there, or give an absolute path"),
        ("[{python: 'a:b', runtime: ../x.yaml}]", "1:34: crews[0].runtime: `../x.yaml` leads out of the folder of the configuration; move it there, or give an absolute path"),
        ("[{path: one}, {path: one}]", "1:22: crews[1]: crew `one` is there already as `crews[0]`; give one another `name`"),
        ("[{python: 'a:b', runtime: {timing: let:0}}]", "1:43: crews[0].runtime.timing.let: 0 is less than 1; use 1 or more (slices)"),
        ("[{runtime: one/one.runtime.yaml}]", "1:19: crews[0].runtime: is no crew, it has no `user_template`; add one, or to the configuration `path: …` or `python: package.module:name`"),
        ("[{name: a, runtime: {triggers: [a]}}]", "1:28: crews[0].runtime: is no crew, it has no `user_template`; add one, or to the configuration `path: …` or `python: package.module:name`"),
        ("[{runtime: {user_template: hi}}]", "1:9: crews[0]: has no name; add `name: …`"),
        ("[{path: one, nam: x}]", "1:21: crews[0].nam: is no setting; did you mean `name`?"),
    ],
)  # fmt: skip
def test_a_mistake_in_a_crew_is_named(
    write: Write, mistakes: Mistakes, folder: Path, crews: str, message: str
) -> None:
    write("triggers: [a]\n", "conf/one/one.runtime.yaml")
    write("", "conf/file.yaml")
    (folder / "conf/empty").mkdir()
    (folder / "outside").mkdir()
    (folder / "conf/link").symlink_to(folder / "outside")
    write(f"crews: {crews}\n", "conf/c.yaml")
    assert mistakes(path="conf/c.yaml") == [f"conf/c.yaml:{message}"]


def test_an_absolute_path_may_lead_anywhere(write: Write, folder: Path) -> None:
    write("triggers: [a]\n", "elsewhere/one/one.runtime.yaml")
    write(f"crews: [{{path: '{folder}/elsewhere/one'}}]\n", "conf/c.yaml")
    assert load_config("conf/c.yaml", env={}).crews[0].name == "one"


def test_a_prompt_may_stand_in_the_configuration(write: Write) -> None:
    write("crews: [{name: a, runtime: {triggers: [a], user_template: hi}}]\n", "c.yaml")
    (crew,) = load_config("c.yaml", env={}).crews
    assert (crew.name, crew.path, crew.python) == ("a", None, None)
    write("crews: [{runtime: {crew: b, triggers: [a], user_template: hi}}]\n", "c.yaml")
    assert load_config("c.yaml", env={}).crews[0].name == "b"
