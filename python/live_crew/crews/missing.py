"""CrewAI that is not installed: how that is recognized, and what helps."""

from __future__ import annotations

__all__ = ["NOT_INSTALLED", "is_not_installed"]

NOT_INSTALLED = "crews need CrewAI, which is not installed; `pip install 'live-crew[crewai]'`"


def is_not_installed(error: BaseException) -> bool:
    """Whether it is for CrewAI that an import failed, not for something that CrewAI imports."""
    return isinstance(error, ImportError) and (error.name or "").partition(".")[0] == "crewai"
