"""Puts whoever records or serves answers between a crew and its models and tools."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from live_crew.crews.packing import pack
from live_crew.crews.redact import Redactor
from live_crew.crews.tape import Place
from live_crew.crews.traffic import Answered, Answers, Question, current, is_asking

if TYPE_CHECKING:
    from live_crew.crews.notes import Notes
    from live_crew.crews.seams import BaseLLM, Crew

__all__ = ["tap", "tap_prompt"]

_ARGUMENTS = (
    *("messages", "tools", "callbacks", "available_functions"),
    *("from_task", "from_agent", "response_model"),
)
# What CrewAI calls a tool call for which the model has no name: where it is in memory.
_ADDRESS = re.compile(r"call_\d{9,}")
_IDS = ("id", "tool_call_id")


def tap(crew: Crew, notes: Notes) -> None:
    """Tap the copy of a crew for the run that this is called in, if anybody listens."""
    from live_crew.crews import tapped

    models = tapped.owned_models(crew)
    notes.redactor.keep_out(*tapped.keys_of(*(model for model, _ in models)))
    answers = current.get()
    if answers is None:
        return
    tasks = {task.id: at for at, task in enumerate(crew.tasks)}
    for model, owner in models:
        tapped.tap_model(model, functools.partial(_ask_model, _Asker(answers, model, owner, tasks)))
    tapped.tap_tools(functools.partial(_ask_tool, answers, tasks))


def tap_prompt(model: BaseLLM, notes: Notes) -> None:
    """Tap the model of a crew that is a prompt."""
    from live_crew.crews import tapped

    notes.redactor.keep_out(*tapped.keys_of(model))
    answers = current.get()
    if answers is not None:
        asker = _Asker(answers, model, "prompt", {})
        tapped.tap_model(model, functools.partial(_ask_model, asker))


@dataclass(frozen=True)
class _Asker:
    """Who a model works for."""

    answers: Answers
    model: BaseLLM
    owner: str
    tasks: Mapping[Any, int]


def _ask_model(
    asker: _Asker, method: str, args: tuple[Any, ...], kwargs: Mapping[str, Any]
) -> Answered:
    from live_crew.crews import tapped

    if is_asking.get():
        return Answered()
    given = {**dict(zip(_ARGUMENTS, args, strict=False)), **kwargs}
    task = given.get("from_task")
    agent = getattr(given.get("from_agent"), "role", None) or asker.owner
    if method == "get_input_tokens_count":
        # The same messages are asked about next, and then they are seen.
        place = Place(str(agent).strip(), None, "count")
        return asker.answers.begin(Question(place, None, lambda _: []))
    schema = given.get("response_model")
    model = asker.model
    return asker.answers.begin(
        Question(
            Place(str(agent).strip(), asker.tasks.get(getattr(task, "id", None)), "llm"),
            getattr(task, "name", None),
            lambda redactor: _request(given, redactor),
            response_model=schema,
            model=getattr(model, "model", None),
            tokens=functools.partial(tapped.tokens_of, model),
            count=functools.partial(tapped.add_tokens, model),
        )
    )


def _ask_tool(
    answers: Answers, tasks: Mapping[Any, int], agent: Any, task: Any, tool: Any
) -> Callable[[tuple[Any, ...], dict[str, Any]], Answered]:
    place = Place(
        str(agent.role).strip(), tasks.get(getattr(task, "id", None)), "tool", str(tool.name)
    )

    def begin(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Answered:
        if is_asking.get():
            return Answered()
        given = {"arguments": kwargs, "positional": list(args)} if args else {"arguments": kwargs}
        return answers.begin(
            Question(
                place,
                getattr(task, "name", None),
                lambda redactor: [redactor.data(pack(given))],
            )
        )

    return begin


def _request(given: Mapping[str, Any], redactor: Redactor) -> list[Any]:
    """The messages, and beside them what else shapes the answer."""
    messages = given.get("messages")
    if isinstance(messages, str):
        messages = [{"role": "user", "content": messages}]
    pieces = [redactor.data(_nameless(pack(message))) for message in messages or ()]
    if given.get("tools"):
        pieces.append({"tools": redactor.texts(pack(given["tools"]))})
    schema = given.get("response_model")
    if schema is not None:
        pieces.append({"response_model": redactor.texts(_schema(schema))})
    return pieces


def _schema(model: Any) -> Any:
    try:
        return model.model_json_schema()
    except Exception:  # noqa: BLE001 (not every model has one)
        return str(model)


def _nameless(value: Any) -> Any:
    """Without addresses, which are others each time."""
    if isinstance(value, list):
        return [_nameless(one) for one in value]
    if not isinstance(value, dict):
        return value
    return {
        name: "call"
        if name in _IDS and isinstance(one, str) and _ADDRESS.fullmatch(one)
        else _nameless(one)
        for name, one in value.items()
    }
