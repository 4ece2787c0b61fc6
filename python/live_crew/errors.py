"""What goes wrong, as exceptions: each names the place, the value and what would be right."""

from __future__ import annotations

__all__ = ["ConfigError", "LiveCrewError", "ModelError", "PlanError"]


class LiveCrewError(Exception):
    """Everything live-crew raises on purpose."""


class ConfigError(LiveCrewError, ValueError):
    """A configuration file, an environment variable or a keyword says what cannot be."""


class ModelError(LiveCrewError, ValueError):
    """A value that is no event, no action or no JSON: names the field and what would be right."""


class PlanError(ConfigError):
    """Crews that do not fit together: unknown needs, cycles, settings out of range."""
