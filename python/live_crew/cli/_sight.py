"""What a person sees of streams on NATS: whether the server is there, and what is decided here."""

import time

from live_crew._core import Nats
from live_crew.cli._out import note
from live_crew.config.transport import NatsTransport

__all__ = ["Sight"]


class Sight:
    """Looks at the place of a run now and then, and says what has changed."""

    def __init__(self, place: Nats, transport: NatsTransport, stream: str | None) -> None:
        self._place = place
        self._transport = transport
        self._stream = stream
        self._live_since: float | None = None
        self._seen = self._told = ""

    def look(self) -> None:
        """Say what is new."""
        for why in self._place.take_waits():
            note(f"waiting: {why}; Ctrl-C ends")
        where = self._place.live_on
        if where is None:
            self._live_since = None
            return
        decides = self._transport.role != "runner"
        if self._live_since is None:
            self._live_since = time.monotonic()
            note(f"live on {where}{'' if decides else ' as a runner'}; Ctrl-C ends")
        if decides:
            self._tell(self._part(self._live_since))

    def _tell(self, part: str) -> None:
        # While hosts share the shards out anew it changes with every look.
        if part and part == self._seen != self._told:
            note(part)
            self._told = part
        self._seen = part

    def _part(self, since: float) -> str:
        """What this host decides for; nothing while it may just not have been given it yet."""
        count = self._place.decides_for
        if not count and time.monotonic() - since <= self._transport.lease_s + 1:
            return ""
        if self._stream is not None:
            what = f"stream `{self._stream}`"
            return f"deciding for {what}" if count else f"standing by: another host has {what}"
        shards = self._transport.shards
        if not count:
            return f"standing by: other hosts have all {shards} shards"
        return f"deciding for {count} of {shards} shards"
