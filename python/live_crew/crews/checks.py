"""What can be told of a crew without CrewAI: each mistake, where it is, and the fix."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from live_crew.config._suggest import closest, did_you_mean, is_secret, one_of, shown
from live_crew.config._yaml import Where
from live_crew.errors import Problem

from .known_keys import AGENT, CREW, REFUSED, REMARKS, TASK, TEXTS
from .parts import Part, Parts
from .references import reference_problem, tool_problem
from .values import wrong_value

__all__ = ["check", "is_true"]

_AGENT_TYPES = ("agent", "Agent", "crewai.Agent", "crewai.agent.core.Agent")
_CONDITIONAL = (
    "conditional",
    "conditional_task",
    "ConditionalTask",
    "crewai.tasks.conditional_task.ConditionalTask",
)
_TASK_TYPES = ("task", "Task", "crewai.Task", "crewai.task.Task", *_CONDITIONAL)


def check(parts: Parts) -> None:
    """Adds every problem and every remark about `parts` to them."""
    for agent in parts.agents.values():
        if agent.is_broken:
            continue
        _check_keys(parts, agent, AGENT)
        _add(parts, _missing(agent, "agents"))
        _check_type(parts, agent, _AGENT_TYPES)
    _add(parts, _doubled(parts.agents.values(), ("role",), "role"))
    for at, task in enumerate(parts.tasks):
        if task.is_broken:
            continue
        _check_keys(parts, task, TASK)
        _add(parts, _missing(task, "tasks"))
        _check_type(parts, task, _TASK_TYPES)
        _add(parts, _agent_of(parts, task))
        _add(parts, _context_of(parts, at))
        _add(parts, _condition_of(parts, at))
    _add(parts, _doubled(parts.tasks, ("name",), "name"))
    _add(parts, _doubled(parts.tasks, TEXTS["tasks"], "description and expected output"))
    if parts.rest:
        _check_keys(parts, parts.rest, CREW)
        _add(parts, _manager(parts, parts.rest))
    if not parts.problems:
        parts.remarks += _unused(parts)


def is_true(value: object) -> bool:
    """Whether a setting is on: not missing, not empty, not false."""
    return value is not None and value is not False and value not in ([], {}, "")


def _add(parts: Parts, problems: Iterator[Problem]) -> None:
    parts.problems += problems


def _check_keys(parts: Parts, part: Part, known: dict[str, str], at: Where = ()) -> None:
    """Unknown keys, values of a wrong sort, and what is not for live crews."""
    data: dict[str, Any] = part.value(at)
    own_class = isinstance(part.data.get("type"), dict)  # which may have fields of its own
    for key, value in data.items():
        path = (*at, key)
        if key in REFUSED:
            if is_true(value):
                parts.problems.append(part.problem(path, REFUSED[key], key=True))
        elif key not in known:
            if not own_class:
                meant = closest(key, known)
                fix = f"did you mean `{meant}`?" if meant else "remove it"
                wrong = f"is no key of CrewAI here; {fix}"
                parts.problems.append(part.problem(path, wrong, key=True))
        elif value is not None:
            _check_value(parts, part, path, known[key])
            if key in REMARKS and is_true(value):
                parts.remarks.append(part.problem(path, REMARKS[key], key=True))
    settings = data.get("settings") if known is AGENT and not at else None
    if isinstance(settings, dict):
        inner = {key: kind for key, kind in AGENT.items() if key not in ("settings", "type")}
        _check_keys(parts, part, inner, ("settings",))


def _check_value(parts: Parts, part: Part, path: Where, kind: str) -> None:
    value = part.value(path)
    if kind == "tools" and isinstance(value, list):
        for at, tool in enumerate(value):
            if wrong := tool_problem(tool, parts):
                parts.problems.append(part.problem((*path, at), wrong))
        return
    wrong = wrong_value(kind, value)
    if wrong is not None:
        hides = any(isinstance(step, str) and is_secret(step) for step in path)
        trap = None if hides or not isinstance(value, bool | int | float) else part.misread(path)
        wrong = trap if trap and kind in ("text", "guardrail", "model") else wrong
        parts.problems.append(part.problem(path, wrong))
    for below, reference in _references(value, kind):
        if found := reference_problem(reference, parts):
            parts.problems.append(part.problem((*path, *below), found))


def _references(value: Any, kind: str) -> Iterator[tuple[Where, Any]]:
    """Each `{python: module.name}` in `value`."""
    if isinstance(value, dict):
        if "python" in value and kind != "mapping":
            yield (), value
    elif isinstance(value, list):
        for at, one in enumerate(value):
            if isinstance(one, dict) and "python" in one:
                yield (at,), one


def _missing(part: Part, what: str) -> Iterator[Problem]:
    if part.data.get("from_repository"):
        return
    settings = part.data.get("settings") if what == "agents" else None
    for key in TEXTS[what]:
        value = part.data.get(key)
        if value is None:
            inside = isinstance(settings, dict) and settings.get(key) is not None
            fix = "move it out of `settings`" if inside else f"add `{key}: …`"
            yield part.problem((key,), f"is missing; {fix}")
        elif isinstance(value, str) and not value.strip():
            yield part.problem((key,), "is empty; write what it is")


def _check_type(parts: Parts, part: Part, known: tuple[str, ...]) -> None:
    value = part.data.get("type")
    is_reference = isinstance(value, dict) and "python" in value
    if is_reference or value is None or value in known:
        return
    wrong = f"{shown(value)} is no type; use `{known[1]}`, or write `{{python: module.Class}}`"
    parts.problems.append(part.problem(("type",), wrong))


def _doubled(parts: Any, keys: tuple[str, ...], what: str) -> Iterator[Problem]:
    """Parts that say the same where CrewAI takes two such for one when a crew is copied."""
    first: dict[tuple[str, ...], Part] = {}
    for part in parts:
        values = [part.data.get(key) for key in keys]
        texts = tuple(value.strip() for value in values if isinstance(value, str))
        if len(texts) < len(keys) or not all(texts):
            continue
        if texts in first:
            same = (
                f"is the {what} of `{first[texts].shown}` too, and CrewAI takes one for the other"
            )
            yield part.problem((keys[0],), f"{same}; change one")
        first.setdefault(texts, part)


def _agent_of(parts: Parts, task: Part) -> Iterator[Problem]:
    name = task.data.get("agent")
    if name is None:
        if parts.settings.get("process") != "hierarchical":
            fix = f"add `agent: …` with {one_of(parts.agents)}" if parts.agents else "add one"
            yield task.problem(("agent",), f"is missing; {fix}")
    elif isinstance(name, str) and name not in parts.agents and parts.agents:
        where = _where_agents_are(parts)
        wrong = f"{shown(name)} is no agent of {where}; {did_you_mean(name, parts.agents)}"
        yield task.problem(("agent",), wrong)


def _context_of(parts: Parts, at: int) -> Iterator[Problem]:
    """Tasks are named before they are used."""
    task = parts.tasks[at]
    names = task.data.get("context")
    earlier = [one.data.get("name") for one in parts.tasks[:at]]
    later = [one.data.get("name") for one in parts.tasks[at:]]
    for place, name in enumerate(names if isinstance(names, list) else []):
        known = [one for one in earlier if isinstance(one, str)]
        if name == later[0] and name is not None:
            wrong = "is this task; remove it"
        elif name in later:
            wrong = f"{shown(name)} comes later; move it above `{task.shown}`"
        elif isinstance(name, str) and name not in known:
            wrong = f"{shown(name)} is no task above this one; {did_you_mean(name, known)}"
        else:
            continue
        yield task.problem(("context", place), wrong)


def _condition_of(parts: Parts, at: int) -> Iterator[Problem]:
    """What CrewAI asks of tasks that may not run, and of those that run beside others."""
    task = parts.tasks[at]
    is_conditional = task.data.get("type") in _CONDITIONAL
    has_condition = task.data.get("condition") is not None
    if is_conditional and not has_condition:
        yield task.problem(("condition",), "is missing; add `condition: {python: module.function}`")
    if has_condition and not is_conditional and not isinstance(task.data.get("type"), dict):
        wrong = "has no effect on a task of this type; add `type: ConditionalTask`"
        yield task.problem(("condition",), wrong, key=True)
    if is_conditional and at == 0:
        yield task.problem(("type",), "the first task has no answer to go by; make it a `Task`")
    asynchronous = [is_true(one.data.get("async_execution")) for one in parts.tasks]
    if is_conditional and asynchronous[at]:
        yield task.problem(("async_execution",), "a task with a condition has to wait; remove it")
    elif asynchronous[at] and at + 2 == len(parts.tasks) and asynchronous[at + 1]:
        wrong = "one task at most may go on at the end; remove it here or below"
        yield task.problem(("async_execution",), wrong, key=True)


def _manager(parts: Parts, crew: Part) -> Iterator[Problem]:
    manager = crew.data.get("manager_agent")
    process = crew.data.get("process")
    if process == "hierarchical" and not manager and not crew.data.get("manager_llm"):
        yield crew.problem(
            ("process",), "`hierarchical` needs a manager; add `manager_llm` or `manager_agent`"
        )
    if isinstance(manager, str) and manager and manager not in parts.agents:
        where = _where_agents_are(parts)
        wrong = f"{shown(manager)} is no agent of {where}; {did_you_mean(manager, parts.agents)}"
        yield crew.problem(("manager_agent",), wrong)
    elif isinstance(manager, str) and manager in parts.agents:
        if parts.agents[manager].data.get("tools"):
            wrong = "a manager cannot have tools; give them to the agents it manages"
            yield parts.agents[manager].problem(("tools",), wrong, key=True)
        if len(parts.agents) == 1:
            yield crew.problem(
                ("manager_agent",), f"{shown(manager)} manages no agent; add another one"
            )
    elif manager is not None and not (isinstance(manager, dict) and "python" in manager):
        wrong = f"{shown(manager)} is no agent; name one, or write `{{python: module.agent}}`"
        yield crew.problem(("manager_agent",), wrong)


def _unused(parts: Parts) -> Iterator[Problem]:
    """Agents that no task names, where nobody can delegate to them either."""
    if parts.settings.get("process") == "hierarchical":
        return
    if any(is_true(agent.data.get("allow_delegation")) for agent in parts.agents.values()):
        return
    used = {task.data.get("agent") for task in parts.tasks}
    for name, agent in parts.agents.items():
        if name not in used:
            yield agent.problem((), "is the agent of no task; give it one, or remove it", key=True)


def _where_agents_are(parts: Parts) -> str:
    files = [agent.document.file for agent in parts.agents.values()]
    return "`agents/`" if files and files[0].endswith((".json", ".jsonc")) else "agents.yaml"
