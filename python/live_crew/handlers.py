"""`@event_handler`: a function that reacts to events."""

from __future__ import annotations

import functools
import hashlib
import inspect
import types
import weakref
from collections.abc import Callable, Iterable
from typing import Any, Generic, ParamSpec, TypeVar, overload

from live_crew._signatures import event_type_of, takes_context
from live_crew.errors import HandlerError

__all__ = ["Handler", "event_handler"]

P = ParamSpec("P")
R = TypeVar("R")


class Handler(Generic[P, R]):
    """A function with the kinds of events it reacts to. Calling it calls the function."""

    def __init__(
        self, function: Callable[P, R], kinds: tuple[str, ...], options: dict[str, Any]
    ) -> None:
        functools.update_wrapper(self, function)
        self.function = function
        self.kinds = kinds
        self.options = options
        self.takes_context = takes_context(function)

    @property
    def name(self) -> str:
        """The name of its crew."""
        return str(self.options.get("crew") or _name(self.function))

    @property
    def is_async(self) -> bool:
        """Whether its answer has to be awaited."""
        call = getattr(self.function, "__call__", None)  # noqa: B004 (an object's own is asked)
        return inspect.iscoroutinefunction(self.function) or inspect.iscoroutinefunction(call)

    @property
    def event_type(self) -> Any:
        """`Event[Model]` if the function declares one, else nothing."""
        return event_type_of(self.function)

    @property
    def fingerprint(self) -> str:
        """A hash of its code, so that a journal tells when it was another (rule J6)."""
        return _fingerprint(self.function)

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Call the function itself, as if it were not decorated."""
        return self.function(*args, **kwargs)

    def __reduce__(self) -> str:
        """Pickled by its name, as the function it stands in for."""
        return str(getattr(self, "__qualname__", self.name))

    def __repr__(self) -> str:
        return f"<handler {self.name} for {', '.join(self.kinds)}>"


@overload
def event_handler(kinds: Callable[P, R], /) -> Handler[P, R]: ...
@overload
def event_handler(
    kinds: str | Iterable[str] = ..., /, **options: Any
) -> Callable[[Callable[P, R]], Handler[P, R]]: ...
def event_handler(kinds: Any = "*", /, **options: Any) -> Any:
    """Make a function react to events of some kinds: a name, a glob, a list; without, to all.

    The function takes the event, and if it wants the shared context: `def greet(event, ctx)`.
    It may be `async`. Keywords are the keys of `runtime.yaml`: `timeout_ms`, `needs`, `batch` …
    """
    if callable(kinds) and not options:
        return Handler(kinds, ("*",), {})
    wanted = kinds_of(kinds)
    return lambda function: Handler(function, wanted, options)


def kinds_of(kinds: object) -> tuple[str, ...]:
    """One kind, glob or several, as a tuple."""
    if isinstance(kinds, str):
        return (kinds,)
    if isinstance(kinds, Iterable):
        wanted = tuple(kinds)
        if wanted and all(isinstance(kind, str) for kind in wanted):
            return wanted
    raise HandlerError(
        f"a handler reacts to kinds of events, not to {kinds!r}; "
        'give a name, a glob such as "goal_*", or a list of them'
    )


def as_handler(
    handler: Any, kinds: object = None, options: dict[str, Any] | None = None
) -> Handler[..., Any]:
    """A handler out of a function or a handler; kinds and options given here come first."""
    if isinstance(handler, Handler):
        wanted = handler.kinds if kinds is None else kinds_of(kinds)
        made = Handler(handler.function, wanted, {**handler.options, **(options or {})})
    elif callable(handler):
        made = Handler(handler, ("*",) if kinds is None else kinds_of(kinds), options or {})
    else:
        raise HandlerError(
            f"a handler is a function, not {handler!r}; decorate one with `@event_handler`"
        )
    # By now its module is whole: a hint that names nothing never will.
    _ = made.event_type
    return made


def _name(function: Any) -> str:
    name = getattr(function, "__name__", None) or type(function).__name__
    cleaned = "".join(
        char if char.isascii() and (char.isalnum() or char in "_-") else "_" for char in name
    )
    return cleaned.strip("_")[:64] or "handler"


# Finding the source of a function takes longer than all the rest of its registration.
_fingerprints: weakref.WeakKeyDictionary[types.FunctionType, str] = weakref.WeakKeyDictionary()


def _fingerprint(function: Any) -> str:
    if not isinstance(function, types.FunctionType):
        return _hash_of_code(function)
    known = _fingerprints.get(function)
    if known is None:
        known = _fingerprints[function] = _hash_of_code(function)
    return known


def _hash_of_code(function: Any) -> str:
    try:
        text = inspect.getsource(function)
    except (OSError, TypeError):
        code = getattr(function, "__code__", None)
        text = repr((code.co_code, code.co_consts, code.co_names) if code else function)
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()
