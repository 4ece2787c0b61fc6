"""What is kept of answers and of secrets in them, piece by piece."""

import json
import threading
from types import SimpleNamespace

import pytest
from pydantic import BaseModel
from traffic_parts import Report

from live_crew.crews.packing import pack, pack_error, unpack, unpack_error
from live_crew.crews.redact import REDACTED, Redactor, is_secret


class OddError(Exception):
    def __init__(self, a, b):
        super().__init__(a)
        self.b = b


@pytest.mark.parametrize(
    "value",
    [
        "text",
        None,
        {"a": [1, 2.5, True, None]},
        {"$type": "mine", 3: "x"},
        ("a", {"b"}, b"\0\xff"),
        Report(title="x", key_points=[]),
        SimpleNamespace(id="1", function=SimpleNamespace(name="f")),
        [Report(title="x", key_points=["y"])],
    ],
)
def test_answers_come_back_as_they_were(value):
    assert unpack(json.loads(json.dumps(pack(value)))) == value


def test_answers_that_are_no_data_come_back_as_text():
    local = type("Local", (BaseModel,), {"__annotations__": {"x": int}})
    assert unpack(pack(threading)) == str(threading)
    assert unpack(pack(local(x=1))).x == 1
    assert unpack(pack(local(x=1), local), local) == local(x=1)


def test_exceptions_come_back_as_they_were():
    same = unpack_error(pack_error(OddError("what", 5)))
    assert (type(same), str(same), same.b) == (OddError, "what", 5)
    gone = pack_error(KeyError("k")) | {"class": "nowhere:Outer.GoneError"}
    other = unpack_error(gone)
    assert isinstance(other, RuntimeError)
    assert (type(other).__qualname__, str(other)) == ("Outer.GoneError", "'k'")


@pytest.mark.parametrize(
    ("name", "is_one"),
    [
        *((name, True) for name in ("api_key", "apiKey", "X-Api-Key", "KEY", "key", "secret")),
        *((name, True) for name in ("Authorization", "dbPassword", "auth_token", "client_secret")),
        *((name, False) for name in ("key_points", "keywords", "monkey", "keyboard", "author")),
    ],
)
def test_names_of_secrets_are_words(name, is_one):
    assert is_secret(name) is is_one


def test_counts_of_tokens_are_no_secrets():
    counts = {"total_tokens": 5, "max_tokens": 7, "tokens": 3, "details": {"cached_tokens": 2}}
    assert Redactor().data(counts) == counts
    told = {"tokens": ["abc"], "token": 12345, "keys": {"one": "x", "many_tokens": 2}}
    assert Redactor().data(told) == {
        "tokens": [REDACTED],
        "token": REDACTED,
        "keys": {"one": REDACTED, "many_tokens": 2},
    }


def test_arguments_of_tool_calls_are_data_too():
    call = {"function": {"name": "f", "arguments": '{"api_key": "abc", "word": "ö"}'}}
    told = Redactor().data(call)["function"]["arguments"]
    assert json.loads(told) == {"api_key": REDACTED, "word": "ö"}
    plain = {"arguments": '{"word":   "x"}'}
    assert Redactor().data(plain) == plain
    assert Redactor("longsecret").data({"arguments": "no json longsecret"}) == {
        "arguments": f"no json {REDACTED}"
    }
