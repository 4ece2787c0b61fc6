"""JSON with comments: what is read, and where it stands."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from live_crew.crews.jsonc import parse
from live_crew.errors import ConfigError

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda below: st.lists(below) | st.dictionaries(st.text(), below),
    max_leaves=20,
)


@given(value=VALUES, indent=st.sampled_from([None, 0, 2, "\t"]), ascii_only=st.booleans())
def test_json_is_read_as_it_is(value: Any, indent: str | int | None, *, ascii_only: bool) -> None:
    text = json.dumps(value, indent=indent, ensure_ascii=ascii_only)
    document = parse(text, "crew.json")
    assert document.data == json.loads(text)
    assert not document.problems


@given(st.text(st.sampled_from('{}[]",:/*\\ \n1etrufalsn-.u0')))
def test_what_is_no_json_is_told_with_its_place(text: str) -> None:
    try:
        document = parse(text, "crew.jsonc")
    except ConfigError as error:
        (problem,) = error.problems
        lines = text.split("\n")
        assert problem.line is not None
        assert problem.column is not None
        assert 1 <= problem.line <= len(lines)
        assert 1 <= problem.column <= len(lines[problem.line - 1]) + 1
    else:
        json.dumps(document.data)


def test_comments_and_commas_move_nothing() -> None:
    text = '// one\n{"a": [1, /* two\n */ {"b": "x // y",},],}\n// end'
    document = parse(text, "crew.jsonc")
    assert document.data == {"a": [1, {"b": "x // y"}]}
    assert document.locate(("a", 0)) == (2, 8)
    assert document.locate_key(("a", 1, "b")) == (3, 6)
    assert document.locate(("a", 1, "b")) == (3, 11)


@pytest.mark.parametrize("text", ["[,]", "{,}", "[1,,2]", "01", "+1", "1.", "'a'", "NaN", "[1 2]"])
def test_what_json_does_not_have_is_refused(text: str) -> None:
    with pytest.raises(ConfigError):
        parse(text, "crew.jsonc")
