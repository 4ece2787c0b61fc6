"""Modules beside a configuration: each configuration has its own."""

import pickle
import sys
import textwrap
from pathlib import Path

import pytest

from live_crew import LiveCrewError, Orchestrator

CONFIG = "crews: [{python: %s, runtime: {crew: echo, triggers: ['*']}}]"
EVENTS = [{"ts": "2026-01-01T00:00:00Z", "kind": "tick", "stream_id": "s", "payload": None}]


@pytest.fixture(autouse=True)
def _no_modules_of_other_tests(tmp_path):
    yield
    for name, module in list(sys.modules.items()):
        if str(getattr(module, "__file__", None)).startswith(str(tmp_path)):
            del sys.modules[name]


def config(folder: Path, python: str, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    path = folder / "live_crew_config.yaml"
    path.write_text(CONFIG % python)
    return path


def answer(path: Path) -> object:
    return Orchestrator.from_config(path).run_sync(EVENTS).actions[0].payload


def test_two_configurations_have_each_their_own_module_of_one_name(tmp_path):
    text = "def echo(event):\n    return '{}'"
    one = config(tmp_path / "one", "crews:echo", {"crews.py": text.format("one")})
    two = config(tmp_path / "two", "crews:echo", {"crews.py": text.format("two")})
    assert [answer(path) for path in (one, two, one, two)] == ["one", "two", "one", "two"]


def test_what_such_a_module_imports_beside_it_is_its_own_too(tmp_path):
    crews = "import helpers\ndef echo(event):\n    return helpers.NAME"
    one, two = (
        config(tmp_path / name, "crews:echo", {"crews.py": crews, "helpers.py": f"NAME = '{name}'"})
        for name in ("one", "two")
    )
    assert [answer(one), answer(two)] == ["one", "two"]
    assert sys.modules["helpers"].NAME == "one"


def test_packages_may_import_their_parts(tmp_path):
    files = {
        "pack/__init__.py": "",
        "pack/part.py": "NAME = '{}'",
        "pack/crews.py": "from .part import NAME\ndef echo(event):\n    return NAME",
    }
    one, two = (
        config(
            tmp_path / name,
            "pack.crews:echo",
            {path: text.format(name) for path, text in files.items()},
        )
        for name in ("one", "two")
    )
    assert [answer(one), answer(two)] == ["one", "two"]


def test_what_such_a_module_defines_can_be_pickled(tmp_path):
    text = "class Note:\n    pass\ndef echo(event):\n    return Note.__module__"
    one = config(tmp_path / "one", "crews:echo", {"crews.py": text})
    two = config(tmp_path / "two", "crews:echo", {"crews.py": text})
    names = [answer(one), answer(two)]
    assert names[0] == "crews"
    assert names[1].startswith("crews_")
    for name in names:
        note = sys.modules[name].Note
        assert pickle.loads(pickle.dumps(note)) is note


def test_a_module_is_run_once_however_many_orchestrators_there_are(tmp_path):
    text = textwrap.dedent("""
        from pathlib import Path
        with Path(__file__).with_name("log").open("a") as log:
            log.write("x")
        def echo(event):
            return 1
    """)
    one = config(tmp_path / "one", "crews:echo", {"crews.py": text})
    two = config(tmp_path / "two", "crews:echo", {"crews.py": text})
    for path in (one, two, two, one):
        answer(path)
    assert [(path.with_name("log")).read_text() for path in (one, two)] == ["x", "x"]


def test_one_that_fails_to_load_is_told_and_leaves_nothing_behind(tmp_path):
    one = config(tmp_path / "one", "crews:echo", {"crews.py": "def echo(event):\n    return 1"})
    two = config(tmp_path / "two", "crews:echo", {"crews.py": "import nowhere_to_be_found"})
    answer(one)
    path = list(sys.path)
    for _ in range(2):
        with pytest.raises(LiveCrewError, match="cannot import `crews`: No module named"):
            answer(two)
    assert sys.path == path
    assert answer(one) == 1
