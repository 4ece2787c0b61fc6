"""NKEYs and the JWTs of an operator, an account and a user, made for a test.

The format: https://github.com/nats-io/nkeys and https://github.com/nats-io/jwt, version 2.
"""

import base64
import hashlib
import json
import time
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

_SEED = 18 << 3
_PREFIXES = {"O": 14 << 3, "A": 0, "U": 20 << 3}


class Key:
    """A key of an operator `O`, an account `A` or a user `U`."""

    def __init__(self, kind: str) -> None:
        self._private = Ed25519PrivateKey.generate()
        prefix = _PREFIXES[kind]
        raw = serialization.Encoding.Raw
        public = self._private.public_key().public_bytes(raw, serialization.PublicFormat.Raw)
        seed = self._private.private_bytes(
            raw, serialization.PrivateFormat.Raw, serialization.NoEncryption()
        )
        self.public = _coded(bytes([prefix]) + public)
        self.seed = _coded(bytes([_SEED | prefix >> 5, (prefix & 31) << 3]) + seed)

    def jwt(self, subject: "Key", name: str, claims: dict[str, Any], *, seconds: int = 0) -> str:
        """What this key says of a subject; `seconds` from now it ends, if not 0."""
        now = int(time.time())
        body: dict[str, Any] = {
            "iat": now,
            "iss": self.public,
            "name": name,
            "sub": subject.public,
            "nats": {**claims, "version": 2},
        }
        if seconds:
            body["exp"] = now + seconds
        body["jti"] = base64.b32encode(hashlib.sha256(_json(body)).digest()).decode().strip("=")
        head = {"typ": "JWT", "alg": "ed25519-nkey"}
        text = f"{_part(_json(head))}.{_part(_json(body))}"
        return f"{text}.{_part(self._private.sign(text.encode()))}"


def creds(jwt: str, key: Key) -> str:
    """What a file of credentials holds."""
    return (
        f"-----BEGIN NATS USER JWT-----\n{jwt}\n------END NATS USER JWT------\n\n"
        "************************* IMPORTANT *************************\n\n"
        f"-----BEGIN USER NKEY SEED-----\n{key.seed}\n------END USER NKEY SEED------\n"
    )


def _json(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def _part(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().strip("=")


def _coded(raw: bytes) -> str:
    """Base 32, with a CRC-16 of XMODEM at the end."""
    crc = 0
    for byte in raw:
        crc ^= byte << 8
        for _ in range(8):
            crc = (crc << 1) ^ 0x1021 if crc & 0x8000 else crc << 1
            crc &= 0xFFFF
    return base64.b32encode(raw + crc.to_bytes(2, "little")).decode().strip("=")
