"""The crews a command is about: those of the configuration, and handlers named beside it."""

import asyncio
import os
import re
import sys
import traceback
from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

from live_crew._core import Plan
from live_crew._words import did_you_mean
from live_crew.cli._journal import DEFAULT, goes_on, set_aside, tell_if_unused
from live_crew.config import CrewNeed, LiveConfig, load_config, locate_problems
from live_crew.errors import ConfigError, LiveCrewError, PlanError, Problem
from live_crew.handlers import Handler
from live_crew.orchestrator import Orchestrator
from live_crew.participants import participants_of

__all__ = [
    "SELECTOR",
    "config_for_run",
    "crews_here",
    "folder_of",
    "handlers_named",
    "import_from",
    "load_problems",
    "make_orchestrator",
    "plan_of",
    "problems_of_crews",
    "read_config",
]

SELECTOR = "LIVE_CREW_SELECTOR"


def read_config(path: Path | None, **settings: Any) -> LiveConfig:
    """The configuration, with its folder made ready to import from."""
    config = load_config(path, **settings)
    import_from(folder_of(config))
    return config


def config_for_run(
    path: Path | None, journal: Path | None, pace: str
) -> tuple[LiveConfig, Callable[[], bool]]:
    """The configuration of a run, and what makes room for its journal once all else is right.

    A journal that has a name is gone on with: then that gives true, and has said so. Without one
    there is the default journal, which every run makes anew.
    """
    named = None if journal is None else {"path": journal.absolute()}
    config = read_config(path, pace=pace, journal=named)
    if config.transport.kind == "nats":
        if journal is not None:
            raise ConfigError("journals of streams on NATS are kept there; leave out `-j`")
        return config, partial(_anew, partial(tell_if_unused, config))
    if config.journal.path is not None:
        return config, partial(goes_on, Path(config.journal.path))
    config = read_config(path, pace=pace, journal={"path": DEFAULT.absolute()})
    return config, partial(_anew, partial(set_aside, DEFAULT))


def _anew(prepare: Callable[[], object]) -> bool:
    """Prepare a run that goes on with nothing."""
    prepare()
    return False


def folder_of(config: LiveConfig) -> Path:
    """Where a configuration stands, or the working directory."""
    source = config.origins.source
    return Path(source.document.file).resolve().parent if source else Path.cwd()


def make_orchestrator(
    config: LiveConfig, handlers: Sequence[str] | None, *, actions: Any = None
) -> Orchestrator:
    """An orchestrator with the crews that are configured, named and selected."""
    named = handlers_named(handlers or ())
    whole = config
    if config.transport.kind != "nats":
        config, named = _select(whole, named)
    given = {} if actions is None else {"transport": actions}
    try:
        orchestrator = Orchestrator(config=config, **given)
    except Exception as error:
        if problems := list(problems_of_crews(whole, {crew.name for crew in config.crews})):
            raise ConfigError(problems=problems) from error
        raise
    for handler in named:
        orchestrator.register_handler(handler)
    if not config.crews and not named:
        raise ConfigError(
            "there are no crews; list some under `crews:` in live_crew_config.yaml, name handlers "
            "with `--handlers module`, or begin with `live-crew new my_crews`"
        )
    plan_of(orchestrator, config)
    return orchestrator


def crews_here(config: LiveConfig, handlers: Sequence[str] | None) -> set[str] | None:
    """The crews that run in this process, where others may run elsewhere; all if none is chosen."""
    if not os.environ.get(SELECTOR):
        return None
    named = handlers_named(handlers or ())
    chosen, kept = _select(config, named, alone=False)
    return {crew.name for crew in chosen.crews} | {handler.name for handler in kept}


def plan_of(orchestrator: Orchestrator, config: LiveConfig) -> Plan:
    """The plan; what is wrong with it is told by its place in the files."""
    try:
        return orchestrator.plan()
    except PlanError as error:
        raise locate_problems(error, config.sources, config) from None


def problems_of_crews(config: LiveConfig, names: Container[str]) -> Iterator[Problem]:
    """What is wrong with the Python side of each crew of these names."""
    for entry in config.crews:
        if entry.name not in names:
            continue
        try:
            list(participants_of(config.model_copy(update={"crews": (entry,)})))
        except LiveCrewError as error:
            found = error.problems if isinstance(error, ConfigError) else ()
            yield from found or [config.origins.problem(entry.where, str(error))]
        except Exception as error:  # noqa: BLE001 (the user's module may raise anything)
            yield config.origins.problem(entry.where, _import_error(error, folder_of(config)))


async def load_problems(orchestrator: Orchestrator, config: LiveConfig) -> list[Problem]:
    """What is wrong with crews that only building them shows."""
    loading = [_load(orchestrator, entry.name) for entry in config.crews]
    problems: list[Problem] = []
    loaded = await asyncio.gather(*loading, return_exceptions=True)
    for entry, error in zip(config.crews, loaded, strict=True):
        if isinstance(error, ConfigError) and error.problems:
            problems += error.problems
        elif error is not None:
            said = str(error)
            if not isinstance(error, ConfigError):
                said = f"cannot be built: {type(error).__name__}: {error}"
            problems.append(config.origins.problem(entry.where, said))
    # Crews may share what is wrong.
    return list(dict.fromkeys(problems))


async def _load(orchestrator: Orchestrator, name: str) -> None:
    await orchestrator.load(name)
    if (crew := orchestrator._participants[name].crew) is not None:  # noqa: SLF001
        await crew.connect()


def handlers_named(names: Iterable[str], *, option: str = "--handlers") -> list[Handler[..., Any]]:
    """The handlers of `module:name`, or all that a `module` defines."""
    import_from(Path.cwd())
    return [handler for name in names for handler in _handlers_in(name, option)]


def import_from(folder: Path) -> None:
    """Find modules of a folder, also those that a crew imports as it runs."""
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))


def _handlers_in(name: str, option: str) -> list[Handler[..., Any]]:
    module_name, _, attribute = name.partition(":")
    if not module_name or module_name.startswith(".") or re.search(r"[/\\]|\.py$", module_name):
        path = Path(module_name.removesuffix(".py"))
        is_below = not path.is_absolute() and ".." not in path.parts
        meant = ".".join(path.parts) if is_below else path.name.strip(".")
        rest = f":{attribute}" if attribute else ""
        raise ConfigError(
            f"`{option} {name}` names no module; give its name: `{option} {meant or 'crews'}{rest}`"
        )
    try:
        module = import_module(module_name)
    except ImportError as error:
        raise ConfigError(
            f"`{option} {name}`: cannot import `{module_name}`: {error}; "
            "name a module of this folder, or one that is installed"
        ) from error
    found = {key: one for key, one in vars(module).items() if isinstance(one, Handler)}
    if not attribute:
        own = [one for one in found.values() if one.function.__module__ == module.__name__]
        if own:
            return own
        raise ConfigError(f"`{module_name}` has no handlers; decorate one with `@event_handler`")
    if not hasattr(module, attribute):
        hint = did_you_mean(attribute, found) or "; name a function of it"
        raise ConfigError(f"`{option} {name}`: `{module_name}` has no `{attribute}`{hint}")
    if attribute not in found:
        raise ConfigError(f"`{name}` is no handler; decorate it with `@event_handler`")
    return [found[attribute]]


def _select(
    config: LiveConfig, handlers: list[Handler[..., Any]], *, alone: bool = True
) -> tuple[LiveConfig, list[Handler[..., Any]]]:
    """Only the crews that `LIVE_CREW_SELECTOR` matches; `alone` they must need no other."""
    pattern = os.environ.get(SELECTOR)
    if not pattern:
        return config, handlers
    try:
        wanted = re.compile(pattern)
    except re.error as error:
        raise ConfigError(
            f"{SELECTOR}: `{pattern}` is no pattern: {error}; write `(a|b)`"
        ) from None
    crews = tuple(crew for crew in config.crews if wanted.fullmatch(crew.name))
    chosen = [handler for handler in handlers if wanted.fullmatch(handler.name)]
    names = {crew.name for crew in config.crews} | {handler.name for handler in handlers}
    kept = {crew.name for crew in crews} | {handler.name for handler in chosen}
    if names and not kept:
        known = ", ".join(f"`{name}`" for name in sorted(names))
        raise ConfigError(f"{SELECTOR}: `{pattern}` matches no crew; there are {known}")
    for crew in crews if alone else ():
        for need in crew.runtime.needs:
            if isinstance(need, CrewNeed) and need.crew in names - kept:
                both = "|".join(sorted({*kept, need.crew}))
                raise ConfigError(
                    f"{SELECTOR} leaves out `{need.crew}`, which `{crew.name}` needs; "
                    f"select both: {SELECTOR}='({both})'"
                )
    return config.model_copy(update={"crews": crews}), chosen


def _import_error(error: Exception, folder: Path) -> str:
    """What a module raised as it was imported, and where."""
    place = ""
    for frame in traceback.extract_tb(error.__traceback__):
        if Path(frame.filename).is_relative_to(folder):
            place = f" ({Path(frame.filename).relative_to(folder)}:{frame.lineno})"
    return f"cannot be imported: {type(error).__name__}: {error}{place}"
