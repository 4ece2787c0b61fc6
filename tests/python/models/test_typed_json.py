"""`Event[T]` whose `T` is not read as it is written: told when the event is made."""

from typing import Any

import pytest
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SecretBytes,
    SecretStr,
    computed_field,
    field_serializer,
)

from live_crew import Event
from live_crew.errors import ModelError

TS = "2026-05-01T12:00:00Z"


class Raw(BaseModel):
    name: str
    data: bytes = b""


def test_bytes_that_are_no_text_are_named() -> None:
    with pytest.raises(
        ModelError, match=r"^payload\.data: bytes that are no UTF-8 text; add `ser_"
    ):
        Event[Raw](TS, "k", "s", {"name": "Ada", "data": b"\xff"})
    assert Event[Raw](TS, "k", "s", {"name": "Ada", "data": b"ok"}).payload.data == b"ok"


class Computed(BaseModel):
    model_config = ConfigDict(extra="forbid")
    first: str

    @computed_field  # type: ignore[prop-decorator]
    @property
    def length(self) -> int:
        return len(self.first)


class TwoNames(BaseModel):
    name: str = Field(validation_alias="in", serialization_alias="out")


class Excluded(BaseModel):
    name: str = Field(exclude=True)


class Masked(BaseModel):
    age: int

    @field_serializer("age")
    def mask(self, _age):  # says nothing of what it gives
        return "*"


@pytest.mark.parametrize(
    ("of", "payload", "place"),
    [
        (Computed, {"first": "Ada"}, "payload.length"),
        (TwoNames, {"in": "Ada"}, "payload.in"),
        (Excluded, {"name": "Ada"}, "payload.name"),
        (Masked, {"age": 3}, "payload.age"),
        (list[Excluded], [{"name": "Ada"}], "payload[0].name"),
    ],
)
def test_what_cannot_be_read_back_is_told_when_it_is_made(
    of: Any, payload: Any, place: str
) -> None:
    with pytest.raises(ModelError, match="cannot be read back from the JSON") as raised:
        Event[of](TS, "k", "s", payload)
    assert str(raised.value).startswith(f"{place}: ")
    assert "(one `alias`, no `exclude`)" in str(raised.value)


class Counted(BaseModel):
    first: str

    @computed_field  # type: ignore[prop-decorator]
    @property
    def length(self) -> int:
        return len(self.first)


class Optional(BaseModel):
    name: str = Field(default="nobody", exclude=True)


def test_what_reads_back_otherwise_is_no_mistake() -> None:
    assert Event[Counted](TS, "k", "s", {"first": "Ada"}).payload.length == 3
    assert Event[Optional](TS, "k", "s", {"name": "Ada"}).payload.name == "Ada"


class Login(BaseModel):
    user: str
    password: SecretStr | None = None


class Revealed(BaseModel):
    password: SecretStr

    @field_serializer("password", when_used="json")
    def reveal(self, password: SecretStr) -> str:
        return password.get_secret_value()


@pytest.mark.parametrize(
    ("of", "payload", "place"),
    [
        (Login, {"user": "Ada", "password": "x"}, "Login.password"),
        (list[Login], [{"user": "Ada", "password": "x"}], "Login.password"),
        (SecretBytes, b"x", "payload"),
    ],
)
def test_a_secret_is_refused_since_nobody_would_get_it(of: Any, payload: Any, place: str) -> None:
    with pytest.raises(ModelError, match="all its handler would get is asterisks; send") as raised:
        Event[of](TS, "k", "s", payload)
    assert str(raised.value).startswith(f"{place}: ")


def test_a_secret_that_is_written_openly_comes_back() -> None:
    made = Event[Revealed](TS, "k", "s", {"password": "x"})
    again = Event[Revealed].model_validate_json(made.model_dump_json())
    assert again.payload.password.get_secret_value() == "x"


def test_a_secret_can_be_read_out_of_an_event_that_says_it() -> None:
    raw = Event(TS, "k", "s", {"user": "Ada", "password": "x"})
    assert Event[Login](TS, "k", "s", {"user": "Ada"}).payload.password is None
    assert Event[Login].model_validate(raw).payload.password.get_secret_value() == "x"
