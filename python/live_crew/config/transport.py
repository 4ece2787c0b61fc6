"""Where events come from and actions go to."""

import re
from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Discriminator, Field, SecretStr, Tag, model_validator

from live_crew._files import is_same_file

from ._fields import Choice, Section, Text, Whole, refuse, refuse_parts
from ._suggest import closest, one_of, shown
from ._yaml import Where

__all__ = ["FileTransport", "MemoryTransport", "NatsTls", "NatsTransport", "Transport"]

_KINDS = ("memory", "file", "nats")
_WAYS = ("user", "token", "creds", "nkey")
_URL = re.compile(r"(?:(?:nats|tls)://)?(?:[^\s/]*@)?[^\s/@]+/?", re.ASCII)
_Path = Annotated[str, Text("the path of a file")]
_Secret = Annotated[SecretStr, Text("a text", secret=True)]
_SecretPath = Annotated[SecretStr, Text("the path of a file", secret=True)]


class MemoryTransport(Section):
    """Events are published in this process, and actions read in it."""

    kind: Annotated[Literal["memory"], Choice()] = "memory"


class FileTransport(Section):
    """Events out of a file or standard input, actions into a file."""

    kind: Annotated[Literal["file"], Choice()] = "file"
    path: _Path = Field(description="events as a JSON array or JSON Lines; `-` is standard input")
    actions: _Path | None = Field(default=None, description="file that actions are appended to")
    errors: _Path | None = Field(default=None, description="file that errors are appended to")

    @model_validator(mode="after")
    def _are_apart(self) -> "FileTransport":
        written = (("actions", self.actions), ("errors", self.errors))
        refuse_parts(
            ((name,), "is where the events are read; name another file")
            for name, place in written
            if place is not None and is_same_file(self.path, place)
        )
        return self


class NatsTls(Section):
    """Files for connections with TLS."""

    ca: _Path | None = Field(
        default=None, description="certificates of those who sign for the server"
    )
    cert: _Path | None = Field(default=None, description="own certificate, with `key`")
    key: _SecretPath | None = Field(default=None, description="file of the key of `cert`")

    @model_validator(mode="after")
    def _go_together(self) -> "NatsTls":
        if (self.cert is None) != (self.key is None):
            missing = "key" if self.key is None else "cert"
            refuse_parts([((), f"`cert` and `key` go together; add `{missing}`")])
        return self


def _read_urls(value: Any) -> Any:
    if value in ([], ()):
        refuse("without a server", "write `nats://host:4222`")
    if not isinstance(value, str | list | tuple):
        refuse("is no address of a server", "write `nats://host:4222`, or a list of them")
    return [value] if isinstance(value, str) else value


class _Url(Text):
    """The address of a server."""

    def check(self, value: Any) -> str | SecretStr:
        text = super().check(value)
        if isinstance(text, str) and not _URL.fullmatch(text):
            refuse("is no address of a server", "write `nats://host:4222`")
        return text

    def json(self) -> dict[str, Any]:
        return {"type": "string", "pattern": f"^{_URL.pattern}$"}


class NatsTransport(Section):
    """Events and actions over NATS JetStream."""

    kind: Annotated[Literal["nats"], Choice()] = "nats"
    url: Annotated[
        tuple[Annotated[str, _Url("the address of a server")], ...], BeforeValidator(_read_urls)
    ] = Field(
        default=("nats://127.0.0.1:4222",),
        description="address of a server, or a list of them",
        repr=False,
    )
    user: Annotated[str, Text("a user name")] | None = Field(default=None, description="user name")
    password: _Secret | None = Field(default=None, description="password of `user`")
    token: _Secret | None = Field(default=None, description="token to sign in with")
    creds: _SecretPath | None = Field(default=None, description="credentials file to sign in with")
    nkey: _SecretPath | None = Field(default=None, description="file of the seed to sign in with")
    tls: NatsTls | None = Field(default=None, description="files for connections with TLS")
    role: Annotated[Literal["both", "scheduler", "runner"], Choice()] = Field(
        default="both", description="what this host does: decide, run crews, or both"
    )
    shards: Annotated[int, Whole(1, 64)] = Field(
        default=8, description="parts that streams are divided into, the same on every host"
    )
    replicas: Annotated[int, Whole(1, 5, "copies")] = Field(
        default=1, description="copies the servers keep; 3 outlive the loss of one server"
    )
    lease_s: Annotated[int, Whole(1, 60, "seconds")] = Field(
        default=3, description="how long a scheduler that is gone keeps its shards"
    )

    @model_validator(mode="after")
    def _go_together(self) -> "NatsTransport":
        refuse_parts(self._contradictions())
        return self

    def _contradictions(self) -> Iterator[tuple[Where, str]]:
        if self.user is not None and self.password is None:
            yield ("user",), "has no password; add `password`"
        if self.password is not None and self.user is None:
            yield ("password",), "has no user; add `user`"
        ways = [way for way in _WAYS if getattr(self, way) is not None]
        with_credentials = [at for at, url in enumerate(self.url) if "@" in url]
        for at in with_credentials[: 1 if ways else 0]:
            yield ("url", at), f"has credentials in it, beside `{ways[0]}`; remove one"
        for way in ways[1:]:
            yield (way,), f"is a second way to sign in beside `{ways[0]}`; remove one"

    def address(self) -> dict[str, Any]:
        """Where to connect and how to sign in, for the core; secrets as they are."""
        fields = ("url", "password", "tls", *_WAYS)
        given = ((name, getattr(self, name)) for name in fields)
        return {name: _open(value) for name, value in given if value is not None}


def _open(value: Any) -> Any:
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    if isinstance(value, NatsTls):
        files = ((name, getattr(value, name)) for name in ("ca", "cert", "key"))
        return {name: _open(path) for name, path in files if path is not None}
    return value


def _read_transport(value: Any) -> Any:
    """A kind alone stands for a transport with every default."""
    if isinstance(value, MemoryTransport | FileTransport | NatsTransport):
        return value
    if isinstance(value, str):
        value = {"kind": value}
    elif not isinstance(value, dict):
        refuse(
            "is no transport", f"write `transport: {{kind: …}}` with {one_of(_KINDS)}", text=True
        )
    if "kind" not in value:
        refuse_parts([((), f"`kind` is missing; add `kind: …` with {one_of(_KINDS)}")])
    kind = value["kind"]
    if kind not in _KINDS:
        if isinstance(kind, str) and "://" in kind:
            fix = f"write `{{kind: nats, url: {shown(kind).strip('`')}}}`"
        else:
            meant = closest(str(kind), _KINDS)
            fix = f"did you mean `{meant}`?" if meant else f"use {one_of(_KINDS)}"
        refuse_parts([(("kind",), f"{shown(kind)} is no transport; {fix}")])
    return value


def _tag(value: Any) -> str:
    return f"<{value['kind'] if isinstance(value, dict) else value.kind}>"


Transport = Annotated[
    Annotated[MemoryTransport, Tag("<memory>")]
    | Annotated[FileTransport, Tag("<file>")]
    | Annotated[NatsTransport, Tag("<nats>")],
    Discriminator(_tag),
    BeforeValidator(_read_transport),
]
