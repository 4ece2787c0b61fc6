"""The keys that agents, tasks and crews of CrewAI have, and what may stand under each.

Kept here so that a crew is checked without importing CrewAI, which takes seconds;
`tests/python/crews/test_crews_known_keys.py` compares them with the installed release.
"""

from __future__ import annotations

__all__ = ["AGENT", "CREW", "MODELS", "REFUSED", "REMARKS", "TASK", "TEXTS"]

# What may stand under a key: the first word of each line below.
_AGENT = """
text:       role goal backstory system_template prompt_template response_template date_format
            from_repository
truth:      verbose allow_delegation cache use_system_prompt respect_context_window multimodal
            use_better_compaction inject_date planning reasoning allow_code_execution
number:     max_iter max_rpm max_execution_time max_retry_limit max_tokens guardrail_max_retries
            max_reasoning_attempts
model:      llm function_calling_llm
tools:      tools
list:       apps mcps skills knowledge_sources
reference:  step_callback
references: callbacks
guardrail:  guardrail
mapping:    settings planning_config knowledge_config embedder
one of:     tool_failure_policy=ignore|warn|raise code_execution_mode=safe|unsafe
any:        type memory a2a executor_class security_config
"""
_TASK = """
text:       name description expected_output agent output_file prompt_context
truth:      async_execution human_input markdown create_directory allow_crewai_trigger_context
number:     guardrail_max_retries max_retries
names:      context
tools:      tools
schema:     output_json output_pydantic response_model
guardrail:  guardrail
list:       guardrails
reference:  callback condition converter_cls
mapping:    input_files
one of:     tool_failure_policy=ignore|warn|raise
any:        type security_config
"""
_CREW = """
text:       name prompt_file trained_agents_file
truth:      verbose cache planning tracing share_crew
number:     max_rpm
model:      manager_llm planning_llm chat_llm function_calling_llm
mapping:    inputs embedder
list:       skills knowledge_sources
reference:  step_callback task_callback
references: before_kickoff_callbacks after_kickoff_callbacks
one of:     process=sequential|hierarchical tool_failure_policy=ignore|warn|raise
any:        manager_agent memory knowledge output_log_file security_config
"""


def _table(lines: str) -> dict[str, str]:
    """Each key with what may stand there; keys that are one of some words with these."""
    table: dict[str, str] = {}
    kind = ""
    for line in lines.strip().splitlines():
        if ":" in line:
            kind, _, line = line.partition(":")  # noqa: PLW2901 - the rest of it
        for key in line.split():
            name, _, words = key.partition("=")
            table[name] = words or kind
    return table


AGENT = _table(_AGENT)
TASK = _table(_TASK)
CREW = _table(_CREW)

TEXTS = {"agents": ("role", "goal", "backstory"), "tasks": ("description", "expected_output")}
"""What has to be said of each agent and of each task."""

MODELS = frozenset(("llm", "function_calling_llm", "manager_llm", "planning_llm", "chat_llm"))
"""Keys that name a model."""

REFUSED = {
    "checkpoint": "makes a later run answer what an earlier one said, and writes API keys into a "
    "file; remove it, the journal keeps what runs did",
    "stream": "hands over an answer in pieces, and a run needs it whole; remove it",
    "config": "is merged without being checked; write its keys here instead",
    "agent_executor": "belongs to a run; remove it, or name a class in `executor_class`",
    "i18n": "is an object of Python; name a file in `prompt_file` of the crew instead",
}
"""Keys that CrewAI takes and a live crew cannot have."""

_DIFFER = "runs of this crew may differ: "
_PLANS = _DIFFER + "a model plans each of them"
_EMBEDS = _DIFFER + "what is found depends on an embedder that is asked each time"
_LISTS = _DIFFER + "servers elsewhere say which tools there are"

REMARKS = {
    "memory": _DIFFER + "what one remembers depends on which ran before it, and on an embedder",
    "knowledge_sources": _EMBEDS,
    "knowledge": _EMBEDS,
    "planning": _PLANS,
    "planning_config": _PLANS,
    "reasoning": _PLANS,
    "async_execution": _DIFFER + "tasks that run at once finish in any order",
    "inject_date": _DIFFER + "each prompt says the date of the day",
    "mcps": _LISTS,
    "apps": _LISTS,
    "a2a": _DIFFER + "agents elsewhere answer",
    "from_repository": "the agent is fetched from CrewAI each time the crew is built",
    "max_rpm": "a run beyond the limit sleeps up to a minute; limit runs in the runtime file",
    "human_input": "no human can answer here; remove it, or let an action ask",
    "tracing": "each run is sent to CrewAI, which takes seconds; remove it unless that is wanted",
    "share_crew": "has no effect, since telemetry is off here; remove it",
    "output_log_file": "runs that happen at once write into one file; the journal keeps them apart",
}
"""Keys that somebody should look at: what is different about them in a live crew."""
