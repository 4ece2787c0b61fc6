"""What must never be written down: keys, tokens, passwords (rule J7)."""

from __future__ import annotations

import json
import os
import re
from typing import Any

from live_crew.errors import LiveCrewError

__all__ = ["REDACTED", "Redactor", "is_secret"]

REDACTED = "[redacted]"

_SHORTEST = 8
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
_ANYWHERE = {
    *("secret", "secrets", "authorization", "password", "passwords", "passwd", "passphrase"),
    *("credential", "credentials", "token", "apikey", "apikeys"),
}
# Words, not letters: `key_points` and `keywords` are what crews answer with.
_AT_THE_END = {"key", "keys", "tokens"}
_COUNTS = re.compile(r"tokens|token.?(count|usage|limit|budget|size)", re.IGNORECASE)
_OF_ENVIRONMENT = re.compile(r"key|token|secret|authorization|passw|credential", re.IGNORECASE)


def is_secret(name: str) -> bool:
    """Whether what stands under a name is nobody's business: `api_key`, `X-Auth-Token`, `secret`.

    >>> [is_secret(name) for name in ("apiKey", "KEY", "token", "key_points", "monkey")]
    [True, True, True, False, False]
    """
    words = [word.lower() for word in _WORD.findall(name)]
    return bool(words) and (not _ANYWHERE.isdisjoint(words) or words[-1] in _AT_THE_END)


class Redactor:
    """Takes secrets out of texts and data.

    Gone is what stands under the name of a secret, and wherever it stands the value of an
    environment variable with such a name, and what it was told to keep out.
    """

    def __init__(self, *secrets: str) -> None:
        found = [value for name, value in os.environ.items() if _OF_ENVIRONMENT.search(name)]
        self._secrets: set[str] = set()
        self._pattern: re.Pattern[str] | None = None
        self.keep_out(*found, *secrets)

    def keep_out(self, *secrets: str) -> None:
        """Take out these too; a short one could be any word."""
        known = len(self._secrets)
        self._secrets.update(secret for secret in secrets if len(secret) >= _SHORTEST)
        if len(self._secrets) > known:
            # The longest first: one secret may begin with another.
            longest = sorted(self._secrets, key=len, reverse=True)
            self._pattern = re.compile("|".join(map(re.escape, longest)))

    def text(self, text: str) -> str:
        """A text without secrets."""
        return text if self._pattern is None else self._pattern.sub(REDACTED, text)

    def error(self, error: BaseException) -> BaseException:
        """An exception that says no secret: itself, or what it said without."""
        said = str(error)
        without = self.text(said)
        if without == said:
            return error
        return LiveCrewError(f"{type(error).__name__}: {without}")

    def texts(self, value: Any) -> Any:
        """JSON without secrets, whatever the names are: a schema only tells of them."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, dict):
            return {self.text(str(name)): self.texts(one) for name, one in value.items()}
        return [self.texts(one) for one in value] if isinstance(value, list) else value

    def data(self, value: Any) -> Any:
        """JSON without secrets."""
        if isinstance(value, dict):
            return {
                self.text(str(name)): self._under(str(name), one) for name, one in value.items()
            }
        if isinstance(value, list):
            return [self.data(one) for one in value]
        return self.text(value) if isinstance(value, str) else value

    def _under(self, name: str, value: Any) -> Any:
        if is_secret(name):
            return _blank(name, value)
        if name == "arguments" and isinstance(value, str):
            return self._arguments(value)
        return self.data(value)

    def _arguments(self, text: str) -> str:
        """What a model wants to call a tool with is JSON in a string."""
        try:
            data = json.loads(text)
        except ValueError:
            return self.text(text)
        without = self.data(data)
        return text if without == data else json.dumps(without, ensure_ascii=False)


def _blank(name: str, value: Any) -> Any:
    """Nothing is left but how many tokens it were."""
    if isinstance(value, dict):
        return {one: _blank(str(one), inner) for one, inner in value.items()}
    if isinstance(value, list):
        return [_blank(name, one) for one in value]
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, (int, float)) and _COUNTS.search(name):
        return value
    return REDACTED
