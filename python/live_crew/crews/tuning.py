"""What CrewAI does again for each task although it comes out the same: done once here.

It changes how long a kickoff takes and nothing else. Each part is left out where a release of
CrewAI does not have what it stands in for.
"""

from __future__ import annotations

import contextlib
import inspect
import threading
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from crewai.flow.flow_wrappers import FlowMethod
from crewai.flow.runtime import FlowState
from crewai_core.lock_store import set_lock_backend

__all__ = ["in_process", "tune"]


_locks: dict[str, threading.RLock] = {}
_guard = threading.Lock()


@contextlib.contextmanager
def in_process(name: str, timeout: float | None = None) -> Iterator[None]:
    """A lock among threads, in place of a lock file that is polled four times a second."""
    with _guard:
        lock = _locks.setdefault(name, threading.RLock())
    if not lock.acquire(timeout=timeout or -1):
        raise TimeoutError(f"lock `{name}` of CrewAI was not free within {timeout} s")
    try:
        yield
    finally:
        lock.release()


def tune(executor: Any) -> None:
    """Tune the class of the loop of agents; called when crewai has been imported."""
    set_lock_backend(in_process)
    _make_state_class_once(executor)
    _look_up_listeners(executor)
    _bind_steps()
    _read_private_at_once(executor)


def _make_state_class_once(executor: Any) -> None:
    """Each task makes a pydantic class for the state of its loop: a third of what it costs."""
    declared = getattr(executor, "_initial_state_t", None)
    if not isinstance(declared, type) or issubclass(declared, FlowState):
        return
    named = {"__module__": declared.__module__, "__qualname__": declared.__qualname__}
    made = type("StateWithId", (FlowState, declared), named)
    executor._initial_state_t = made  # noqa: SLF001


def _bind_steps() -> None:
    """Each loop looks up the signature of each of its steps, which all loops share."""
    bind = getattr(FlowMethod, "__get__", None)
    if bind is None or "_instance" not in inspect.getsource(FlowMethod.__init__):
        return

    def get(self: Any, instance: Any, owner: Any = None) -> Any:  # noqa: ARG001
        if instance is None:
            return self
        bound = object.__new__(type(self))
        vars(bound).update(vars(self), _instance=instance, __self__=instance)
        return bound

    FlowMethod.__get__ = get  # type: ignore[method-assign]


def _read_private_at_once(model: Any) -> None:
    """Pydantic asks each private attribute, each time, whether it is a descriptor: none is."""
    original = model.__getattr__

    def read(self: Any, name: str) -> Any:
        try:
            return object.__getattribute__(self, "__pydantic_private__")[name]
        except (AttributeError, KeyError, TypeError):
            return original(self, name)

    if not any(hasattr(one, "__get__") for one in model.__private_attributes__.values()):
        model.__getattr__ = read


def _look_up_listeners(executor: Any) -> None:
    """Each step asks every step of the loop whether it comes next: a fifth of what it costs.

    Steps that wait for one of several others are looked up by name; those with other conditions,
    which remember what they have seen, are asked as before.
    """
    original = getattr(executor, "_find_triggered_methods", None)
    definition = getattr(executor, "flow_definition", None)
    known = getattr(executor, "__private_attributes__", {})
    if original is None or definition is None or "_fired_or_listeners" not in known:
        return
    methods = definition().methods
    plain = _by_trigger(methods)
    if plain is None:
        # A condition that is not understood: CrewAI knows best.
        return

    def find(self: Any, trigger_method: Any, router_only: bool) -> list[Any]:  # noqa: FBT001
        if self._definition.methods is not methods:
            # A loop of somebody's own.
            found: list[Any] = original(self, trigger_method, router_only)
            return found
        triggered: list[Any] = []
        for name, is_router, is_one_of_several in plain.get(str(trigger_method), ()):
            if is_router != router_only:
                continue
            # A step that waits for any of several runs once until the loop comes round.
            if is_one_of_several and not is_router:
                if name in self._fired_or_listeners:
                    continue
                self._fired_or_listeners.add(name)
            triggered.append(name)
        return triggered

    executor._find_triggered_methods = find  # noqa: SLF001


def _by_trigger(methods: dict[str, Any]) -> dict[str, list[tuple[str, bool, bool]]] | None:
    """By trigger, the steps that come next: whether each is a router, and one of several."""
    plain: dict[str, list[tuple[str, bool, bool]]] = defaultdict(list)
    for name, method in methods.items():
        names = _names(method.listen)
        if names is None:
            return None
        for trigger in names:
            plain[trigger].append((name, bool(method.router), len(names) > 1))
    return plain


def _names(condition: Any) -> tuple[str, ...] | None:
    """The steps of a condition that any one of them meets; nothing if it is another one."""
    if condition is None:
        return ()
    if isinstance(condition, str):
        return (condition,)
    branches = condition.get("or") if isinstance(condition, dict) else None
    if branches is None or not all(isinstance(branch, str) for branch in branches):
        return None
    return tuple(branches)
