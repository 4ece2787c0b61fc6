"""What the signature of a handler says: whether it takes `ctx`, and what its event holds."""

from __future__ import annotations

import functools
import inspect
import re
import typing
from importlib import import_module
from types import SimpleNamespace
from typing import Annotated, Any

from live_crew.errors import HandlerError
from live_crew.models import Event

__all__ = ["event_type_of", "takes_context"]

_CTX = ("ctx", "context")
_TYPED_EVENT = re.compile(r"""['"]?(\w+\.)*Event\s*\[""")


def takes_context(function: Any) -> bool:
    """Whether the function takes `ctx` too; an error if it cannot be called as a handler is."""
    name = getattr(function, "__qualname__", repr(function))
    if inspect.isclass(function) or not callable(function):
        raise HandlerError(f"`{name}` is no function; a handler is called with each event")
    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        raise HandlerError(f"handler `{name}` yields; return a list of actions instead")
    try:
        parameters = _parameters(function)
    except (TypeError, ValueError):
        return False
    positional = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    is_variadic = any(p.kind is p.VAR_POSITIONAL for p in parameters)
    keywords = [p for p in parameters if p.kind is p.KEYWORD_ONLY]
    _check(name, positional, keywords, is_variadic=is_variadic)
    if len(positional) < 2:  # noqa: PLR2004 (the event, and `ctx`)
        return is_variadic
    # Where a default stands, such as `n=n` of a lambda in a loop, nobody waits for the context.
    return positional[1].default is inspect.Parameter.empty or positional[1].name in _CTX


def _check(
    name: str,
    positional: list[inspect.Parameter],
    keywords: list[inspect.Parameter],
    *,
    is_variadic: bool,
) -> None:
    short = name.rpartition(".")[2]
    fitting = f"write `def {short}(event)` or `def {short}(event, ctx)`"
    if not positional and not is_variadic:
        raise HandlerError(f"handler `{name}` takes no event; {fitting}")
    names = [p.name for p in positional]
    if names[:1] == ["self"]:
        raise HandlerError(
            f"handler `{name}` takes `self`, which nobody gives it; do not decorate the method, "
            f'register that of an object: `orchestrator.register_handler(obj.{short}, "kind")`'
        )
    if len(names) > 1 and names[0] in _CTX:
        raise HandlerError(
            f"handler `{name}` takes `{names[0]}` first, and it is called with the event first; "
            f"write `def {short}(event, ctx)`"
        )
    if found := [p.name for p in keywords if p.name in _CTX]:
        raise HandlerError(
            f"handler `{name}` takes `{found[0]}` by its name, and it is called by position; "
            f"write `def {short}(event, ctx)`"
        )
    wanted = [p.name for p in (*positional[2:], *keywords) if p.default is p.empty]
    if wanted:
        unknown = ", ".join(f"`{one}`" for one in wanted)
        raise HandlerError(
            f"handler `{name}` wants {unknown}, which nobody gives it; "
            "it is called with the event and, if it takes two, with ctx"
        )


def event_type_of(function: Any) -> Any:
    """`Event[Model]` if the function declares one, else nothing.

    Only the hint of the event is looked up: what the others say is nobody's business here.
    """
    try:
        hint = next(iter(_parameters(function))).annotation
    except (TypeError, ValueError, StopIteration):
        return None
    carrier = SimpleNamespace(__annotations__={"event": hint})
    try:
        hint = typing.get_type_hints(carrier, _names_of(function), include_extras=True)["event"]
    except Exception as error:
        is_ours = _TYPED_EVENT.match(hint) if isinstance(hint, str) else _is_typed(hint)
        if is_ours:
            raise _unknown(function, hint, error) from error
        return None
    while typing.get_origin(hint) is Annotated:
        hint = hint.__origin__
    return hint if _is_typed(hint) else None


def _is_typed(hint: Any) -> bool:
    return typing.get_origin(hint) is Event and hint != Event[Any]


def _unknown(function: Any, hint: Any, error: Exception) -> HandlerError:
    name = getattr(function, "__qualname__", repr(function))
    why = f"{type(error).__name__}: {error}"
    if isinstance(error, NameError) and error.name:
        why = f"`{error.name}` is not defined there"
    return HandlerError(
        f"handler `{name}` takes `{hint}`, and {why}; define the model at the top of the module, "
        "not in a function or below `if TYPE_CHECKING`"
    )


def _parameters(function: Any) -> list[inspect.Parameter]:
    try:
        return list(inspect.signature(function).parameters.values())
    except NameError:
        # From Python 3.14 on hints are looked up here, unless one asks for their text.
        as_text: Any = {"annotation_format": import_module("annotationlib").Format.STRING}
        return list(inspect.signature(function, **as_text).parameters.values())


def _names_of(function: Any) -> dict[str, Any]:
    """What the hints of a function may name: ours, its module's, and those it encloses."""
    while isinstance(function, functools.partial) or hasattr(function, "__wrapped__"):
        function = getattr(function, "__wrapped__", None) or function.func
    function = getattr(function, "__func__", function)
    if not hasattr(function, "__code__"):
        function = getattr(type(function), "__call__", function)  # noqa: B004 (not whether)
    names = {"Event": Event, "Any": Any, **getattr(function, "__globals__", {})}
    code = getattr(function, "__code__", None)
    for name, cell in zip(
        getattr(code, "co_freevars", ()), getattr(function, "__closure__", None) or (), strict=False
    ):
        try:
            names[name] = cell.cell_contents
        except ValueError:  # noqa: PERF203 (it is not assigned yet)
            continue
    return names
