"""YAML files as such: places, syntax, and files that would do harm."""

# ruff: noqa: E501 - a message is one line

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from live_crew.config import load_config
from live_crew.config._yaml import parse
from live_crew.errors import ConfigError, LiveCrewWarning

Mistakes = Callable[..., list[str]]
Write = Callable[..., Path]


def test_a_place_is_the_value_from_one() -> None:
    document = parse("a: 1\nb:\n  - x\n  - {c: é, d: [1, 2]}\n", "f.yaml")
    assert document.data == {"a": 1, "b": ["x", {"c": "é", "d": [1, 2]}]}
    assert document.locate(("a",)) == (1, 4)
    assert document.locate(("b", 1, "d", 1)) == (4, 19)
    assert document.locate_key(("b", 1, "d")) == (4, 12)
    assert document.locate(("b", 1, "no", "such")) == (4, 5), "what comes closest"
    assert parse("", "f.yaml").locate(("a",)) == (1, 1)


def test_values_are_what_other_loaders_make_of_them() -> None:
    text = (
        "[1, -2, 0x1f, 0b11, 1_000, 1.5, .5, 1.0e+3, .inf, yes, No, on, ~, null, '1', a, '', x: y]"
    )
    assert parse(text, "f").data == yaml.safe_load(text)


def test_dates_and_numbers_with_leading_zeros_stay_texts() -> None:
    assert parse("[2026-01-01, 1:30, 0500]", "f").data == ["2026-01-01", "1:30", "0500"]


def test_anchors_and_merge_keys_work_and_keep_their_places() -> None:
    text = "base: &b {x: 1, y: 2}\nboth:\n  <<: [*b, {z: 3}]\n  y: 4\nsame: *b\n"
    document = parse(text, "f")
    assert document.data == yaml.safe_load(text)
    assert document.locate(("both", "x")) == (1, 14)
    assert document.locate(("both", "y")) == (4, 6)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("slice_ms: 1\nslice_ms: 2\n", "2:1: slice_ms: is there twice, first in line 1; remove one"),
        ("\tslice_ms: 1\n", "1:1: a tab; YAML is indented with spaces, replace it"),
        ("context:\n\tmax_bytes: 1\n", "2:1: a tab; YAML is indented with spaces, replace it"),
        (
            "epoch: a: b\n",
            "1:9: a `:` where no mapping can begin; check the indent, or put the value in quotes",
        ),
        ("slice_ms: 1\n---\nslice_ms: 2\n", "2:1: a second document begins; keep one in a file"),
        (
            "kinds: *goal\n",
            "1:8: an alias of nothing; define it above with `&`, or put the value in quotes",
        ),
        (
            "kinds: !!python/name:os.system x\n",
            "1:8: kinds: tag `!!python/name:os.system` is not allowed; remove it, or put the value in quotes",
        ),
        ("- a\n", "1:1: a list is no configuration; write `key: value` lines such as `slice_ms: 500`"),
        ("on: 1\n", '1:1: on: `on` is read by YAML as true; put it in quotes: "on"'),
        ("? [a]\n: 1\n", "1:3: a key is a mapping or a list; use a text"),
        ("<<: 5\n", "1:5: `<<` merges mappings only; give it an alias of one"),
        ("kinds: &k [*k]\n", "1:8: an alias stands inside of what it names; remove it"),
        ("context: &c\n  <<: *c\n", "1:10: an alias stands inside of what it names; remove it"),
        ("kinds: [goal\n", "2:1: a list that was opened goes on; add `]`, or `,` before the next entry"),
        (b"slice_ms: \xff\n", "1:11: byte 0xff is not UTF-8; save the file as UTF-8"),
        ("slice_ms: 1\n\x01\n", "2:1: a character that YAML does not allow; remove it"),
        ("slice_ms: " + "9" * 5_000, "1:11: slice_ms: a number too long to read; put it in quotes"),
        ("kinds: " + "[" * 60, "1:57: nests deeper than 50 levels; flatten it"),
    ],
)  # fmt: skip
def test_a_mistake_of_syntax_is_named(mistakes: Mistakes, text: str | bytes, message: str) -> None:
    assert mistakes(text)[0] == f"live_crew_config.yaml:{message}"


def test_a_byte_order_mark_is_no_mistake(write: Write) -> None:
    write(b"\xef\xbb\xbfslice_ms: 100\n")
    assert load_config(env={}).slice_ms == 100


def test_a_bomb_of_aliases_is_refused_soon(mistakes: Mistakes) -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 30)]
    start = time.monotonic()
    (message,) = mistakes("\n".join(lines))
    assert "holds more than 200000 values" in message
    assert time.monotonic() - start < 20


def test_a_bomb_of_merge_keys_is_read_soon() -> None:
    lines = ["a0: &a0 {x: 1}"]
    lines += [f"a{i}: &a{i} {{<<: [{', '.join([f'*a{i - 1}'] * 9)}]}}" for i in range(1, 30)]
    data = parse("\n".join(lines), "f").data
    assert isinstance(data, dict)
    assert data["a29"] == {"x": 1}


def test_a_file_over_one_mebibyte_is_refused(mistakes: Mistakes) -> None:
    assert mistakes("#" * (1 << 20) + "\n") == [
        "live_crew_config.yaml: is larger than 1 MiB; split it"
    ]


@pytest.mark.skipif(os.name != "posix", reason="needs POSIX files")
def test_what_is_no_regular_file_is_refused_without_a_wait(folder: Path) -> None:
    os.mkfifo(folder / "pipe.yaml")
    for name, sort in (("pipe.yaml", "a pipe"), ("/dev/zero", "a device"), (".", "a folder")):
        with pytest.raises(ConfigError, match=f"is {sort}; give the path of a YAML file"):
            load_config(name, env={})


def test_a_file_that_is_not_there_is_named_with_what_was_meant(write: Write) -> None:
    write("", "config.yaml")
    with pytest.raises(ConfigError) as caught:
        load_config("confg.yaml", env={})
    assert str(caught.value) == "confg.yaml: is not there; did you mean `config.yaml`?"
    for odd in ("", "a\0b", "x" * 5_000):
        with pytest.raises(ConfigError):
            load_config(odd, env={})


@pytest.mark.skipif(os.name != "posix", reason="needs POSIX modes")
def test_a_file_that_everybody_can_change_is_a_warning(write: Write) -> None:
    write("slice_ms: 5\n").chmod(0o666)
    with pytest.warns(LiveCrewWarning, match="everybody on this machine can change it"):
        assert load_config(env={}).slice_ms == 5
