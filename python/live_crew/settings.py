"""What an orchestrator was told: configuration, and the objects that stand in for parts of it."""

from __future__ import annotations

from collections.abc import AsyncIterable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from live_crew._core import Journal, Nats
from live_crew.errors import ConfigError
from live_crew.transports import ActionTransport, ContextBackend, EventTransport

if TYPE_CHECKING:
    from live_crew.config import LiveConfig, Pace
    from live_crew.crews.traffic import Traffic

__all__ = ["Settings"]

# A journal in memory keeps this much for `explain` and `context_at`; older slices go.
_MEMORY_BYTES = 16 << 20


@dataclass(frozen=True)
class Settings:
    """Configuration and objects of one orchestrator."""

    config: LiveConfig
    events: EventTransport | None = None
    actions: ActionTransport | None = None
    backend: ContextBackend | None = None
    model: object = None
    recorder: Traffic | None = None

    @classmethod
    def of(cls, config: LiveConfig | str | Path | None, given: dict[str, Any]) -> Settings:
        """Settings out of a configuration, or a path to one, and keywords."""
        from live_crew.config import LiveConfig, load_config, make_config

        given = dict(given)
        events = actions = backend = None
        transport = given.get("transport")
        if isinstance(transport, (EventTransport, ActionTransport)):
            given.pop("transport")
            events = transport if isinstance(transport, EventTransport) else None
            actions = transport if isinstance(transport, ActionTransport) else None
        if isinstance(given.get("context"), ContextBackend):
            backend = given.pop("context")
        elif isinstance(given.get("context"), str):
            given.update(_kept_in(given.pop("context")))
        model = given.get("llm")
        if model is not None and not isinstance(model, (str, Mapping)):
            given.pop("llm")
        else:
            model = None
        recorder = given.pop("recorder", None)
        if recorder is not None and not hasattr(recorder, "around"):
            raise ConfigError(f"`recorder` is {recorder!r}; give a `live_crew.testing.Recorder`")
        journal = given.get("journal")
        if isinstance(journal, (str, Path)):
            given["journal"] = {"path": str(journal)}
        if isinstance(config, LiveConfig):
            if given:
                names = ", ".join(f"`{name}`" for name in given)
                raise ConfigError(
                    f"{names} cannot be given beside a loaded config; give them to `load_config`"
                )
            return cls(config, events, actions, backend, model, recorder)
        loaded = make_config(**given) if config is None else load_config(config, **given)
        return cls(loaded, events, actions, backend, model, recorder)

    @property
    def context_place(self) -> str | None:
        """Where the core keeps contexts beside the journal, if it does."""
        config = self.config
        if config.kv_backend == "redis":
            return config.kv_url or "redis://127.0.0.1:6379"
        if config.kv_backend == "jetstream":
            return "jetstream"
        if config.kv_backend == "sqlite" and config.journal.path is not None:
            journal = Path(config.journal.path)
            return f"sqlite:{journal.with_name(f'{journal.stem}.context{journal.suffix}')}"
        return None

    @property
    def is_on_nats(self) -> bool:
        """Whether events come from NATS, and journals are kept there."""
        return self.config.transport.kind == "nats"

    @property
    def relays(self) -> bool:
        """Whether objects in Python publish what a run says."""
        return self.actions is not None or self.backend is not None

    def core(self, pace: Pace) -> dict[str, Any]:
        """What the core is told about every stream."""
        core = self.config.core(pace)
        del core["pace"]
        return core

    def pace_for(self, source: object) -> Pace:
        """What moves time: the clock when events are published live, else the events themselves."""
        if self.config.pace is not None:
            return self.config.pace
        is_live = source is None and (self.is_on_nats or self.default_source() is None)
        is_live = is_live or isinstance(source, (EventTransport, AsyncIterable, Nats))
        return "realtime" if is_live else "virtual"

    def default_source(self, stream: str | None = None) -> str | EventTransport | Nats | None:
        """Where events come from when a run does not say."""
        if self.events is not None:
            return self.events
        transport = self.config.transport
        if transport.kind == "nats":
            return self.place(stream)
        return str(transport.path) if transport.kind == "file" and transport.path else None

    def place(
        self, stream: str | None = None, crews: set[str] | None = None, *, waits: bool = False
    ) -> Nats:
        """The streams on NATS, or one of them; `crews` are those that run in this process.

        Who `waits` begins when a server that is away has come; others fail at once.
        """
        transport = self.config.transport
        assert transport.kind == "nats"  # noqa: S101 (whoever calls this has looked)
        return Nats(
            transport.address(),
            stream=stream,
            crews=crews,
            shards=transport.shards,
            replicas=transport.replicas,
            role=transport.role,
            lease_s=transport.lease_s,
            waits=waits,
        )

    def open_journal(self) -> Journal:
        """The journal, which is made when it is first written."""
        path = self.config.journal.path
        if self.is_on_nats:
            return Journal.nats(self.place())
        return Journal.memory() if path is None else Journal.file(str(path))

    def open_traffic(self, journal: Journal) -> Traffic | None:
        """What hears, or says, what crews ask models and tools and are answered."""
        section = self.config.journal
        if self.recorder is not None:
            return self.recorder
        if section.traffic is False or (section.traffic is None and section.path is None):
            return None
        from live_crew.crews.tape import Tape, tape_beside
        from live_crew.crews.traffic import Recording

        bounds = section.retention.max_age_s, section.retention.max_bytes
        path = None if section.path is None else tape_beside(section.path)
        prunes = path is None or any(bounds)
        return Recording(Tape(path), journal, prunes=prunes)

    def session(self, pace: str) -> dict[str, Any]:
        """What a session is told beside its plan."""
        config = self.config
        journal = config.journal
        in_memory = journal.path is None and not self.is_on_nats
        rates = (config.ingress, config.ingress.source)
        # Files and replays may be as old as they like.
        window = None if pace == "virtual" or config.acceptance == "off" else config.acceptance
        return {
            "grace_s": config.drain_grace_s,
            "snapshot_every": journal.snapshot_every,
            "max_age_s": journal.retention.max_age_s,
            "max_bytes": journal.retention.max_bytes or (_MEMORY_BYTES if in_memory else None),
            "heartbeat_s": config.heartbeat_s if self.is_on_nats else None,
            "past_s": window.past_s if window else None,
            "future_s": window.future_s if window else None,
            "any_ts": window is None,
            "rates": [(rate.events_per_s, rate.burst, rate.bytes_per_s) for rate in rates],
            "audit": config.audit.path,
            "crewai": None,
        }

    @staticmethod
    def is_events(source: object) -> bool:
        """Whether a source is ready-made events."""
        return isinstance(source, Iterable) and not isinstance(source, (str, bytes, Path))


def _kept_in(context: str) -> dict[str, str]:
    """What `context=` stands for in a configuration."""
    if context.startswith(("redis://", "rediss://")):
        return {"kv_backend": "redis", "kv_url": context}
    if context in ("memory", "sqlite", "jetstream", "redis"):
        return {"kv_backend": context}
    # Not what was given: it may hold a password.
    raise ConfigError(
        "`context` is a text that names no place; give `redis://host:6379`, `sqlite` or "
        "`jetstream`, settings such as `{'max_bytes': 8192}`, or an object with `save`"
    )
