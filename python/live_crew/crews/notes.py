"""What crew, tasks, agents, models and tools did in a run: journal facts and log records."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from live_crew.crews.redact import Redactor

if TYPE_CHECKING:
    from live_crew._core import Run

__all__ = ["Notes", "log"]

log = logging.getLogger("live_crew.crews")

_MOST_NOTES = 500
_MOST_TEXT = 500
# What is worth a fact; the rest of what CrewAI emits is about itself.
_WORDS = {
    "crew_kickoff_started": "crew started",
    "crew_kickoff_completed": "crew completed",
    "crew_kickoff_failed": "crew failed",
    "task_started": "task started",
    "task_completed": "task completed",
    "task_failed": "task failed",
    "agent_execution_started": "agent started",
    "agent_execution_completed": "agent completed",
    "agent_execution_error": "agent failed",
    "llm_call_started": "model called",
    "llm_call_completed": "model answered",
    "llm_call_failed": "model failed",
    "tool_usage_started": "tool called",
    "tool_usage_finished": "tool answered",
    "tool_usage_error": "tool failed",
    "tool_failure_detected": "tool failed",
    "llm_guardrail_started": "guardrail started",
    "llm_guardrail_completed": "guardrail completed",
    "memory_retrieval_completed": "memory read",
    "memory_save_completed": "memory written",
    "knowledge_search_query_completed": "knowledge read",
}


class Notes:
    """The facts of one run, in the order in which they happened."""

    def __init__(self, run: Run) -> None:
        self._facts: list[dict[str, Any]] = []
        self._left_out = 0
        self.usage: dict[str, int] = {}
        # Models may say their key when it is wrong, and tools theirs.
        self.redactor = Redactor()
        self._extra = {
            "stream_id": run.stream_id,
            "slice": run.slice,
            "crew": run.crew,
            "run": run.run,
            "attempt": run.attempt,
        }

    def see(self, _source: Any, event: Any) -> None:
        """Take an event of CrewAI. It is called within the run and must not fail."""
        try:
            word = _WORDS.get(event.type)
            if word is not None:
                self.add(word, **_about(event))
        except Exception:  # What is told about a run must not end it.
            log.debug("an event of CrewAI could not be noted", extra=self._extra, exc_info=True)

    def add(self, what: str, **about: Any) -> None:
        """Note something."""
        told = {name: self._told(value) for name, value in about.items() if value is not None}
        if log.isEnabledFor(logging.DEBUG):
            details = ", ".join(f"{name}={value}" for name, value in told.items())
            crew, run = self._extra["crew"], self._extra["run"]
            log.debug("%s/%s: %s %s", crew, run, what, details, extra=self._extra)
        if len(self._facts) >= _MOST_NOTES:
            self._left_out += 1
            return
        self._facts.append({"what": what, **told})

    def use(self, tokens: dict[str, int]) -> None:
        """Note the tokens that the run used."""
        self.usage = tokens
        self.add("usage", **tokens)

    def warn(self, message: str) -> None:
        """Note something that somebody should look at."""
        message = self.redactor.text(message)
        self.add("warning", message=message)
        crew, run = self._extra["crew"], self._extra["run"]
        log.warning("%s/%s: %s", crew, run, message, extra=self._extra)

    def _told(self, value: Any) -> Any:
        if isinstance(value, (int, float, bool)):
            return value
        # Before it is cut: half a key is a key too.
        text = self.redactor.text(str(value).strip())
        return text if len(text) <= _MOST_TEXT else text[:_MOST_TEXT] + "…"

    def all(self) -> list[dict[str, Any]]:
        """Everything so far, as JSON."""
        if not self._left_out:
            return list(self._facts)
        return [*self._facts, {"what": "left out", "count": self._left_out}]


def _about(event: Any) -> dict[str, Any]:
    """What an event says, without what is large or differs from run to run for no reason."""
    about: dict[str, Any] = {
        "task": getattr(event, "task_name", None),
        "agent": getattr(event, "agent_role", None),
        "model": getattr(event, "model", None),
        "tool": getattr(event, "tool_name", None),
    }
    error = getattr(event, "error", None) or getattr(event, "failure", None)
    if error is not None:
        about["error"] = str(error)
    usage = getattr(event, "usage", None)
    if isinstance(usage, dict):
        about["tokens"] = usage.get("total_tokens")
    if getattr(event, "from_cache", False):
        about["cached"] = True
    return about
