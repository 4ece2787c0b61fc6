"""Where the crews go that are made of handlers, and what the configuration says of them."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.machinery import PathFinder
from pathlib import Path
from typing import Any

from live_crew.cli._crews import handlers_named
from live_crew.cli._migrate.texts import CrewTexts, runtime_of
from live_crew.config import CrewNeed, load_config
from live_crew.errors import ConfigError
from live_crew.handlers import Handler

__all__ = ["Migration", "migration_of"]

_CONFIGS = ("live_crew_config.yaml", "live-config.yaml")


@dataclass(frozen=True)
class Migration:
    """Everything that is to be written, and what is to be said."""

    crews: list[CrewTexts]
    files: dict[str, str]  # under their paths in the folder
    config: str | None  # one that is there already
    lines: list[str]  # of `crews:` in the configuration

    @property
    def todos(self) -> int:
        """How many lines say what the code does not."""
        return sum(text.count("# TODO: ") for text in self.files.values())


def migration_of(names: Iterable[str], folder: Path) -> Migration:
    """The crews that handlers become, `module:name` or all of a `module`."""
    chosen: dict[str, tuple[str, Handler[..., Any]]] = {}
    others: dict[str, tuple[str, Handler[..., Any]]] = {}
    for name in names:
        module = name.partition(":")[0]
        for handler in handlers_named([name], option="--from-handlers"):
            chosen[handler.name] = (module, handler)
        there = vars(sys.modules[module]).values()
        others |= {one.name: (module, one) for one in there if isinstance(one, Handler)}
    config = next((one for one in _CONFIGS if (folder / one).exists()), None)
    configured = set() if config is None else _names_in(folder / config)
    others = {
        name: one
        for name, one in others.items()
        if name not in {*chosen, *configured} and _is_found(one[0], folder)
    }
    stay = _needed(chosen, others)
    known = {*chosen, *configured, *stay}
    crews = [
        CrewTexts(handler, f"{module}:{_attribute(handler)}", frozenset(_needs(handler)) - known)
        for module, handler in chosen.values()
    ]
    files = {
        f"crews/{crew.name}/{name}": text for crew in crews for name, text in crew.files().items()
    }
    lines = [f"  - python: {module}:{_attribute(handler)}" for module, handler in stay.values()]
    lines += [f"  - path: crews/{crew.name}" for crew in crews]
    if config is None:
        text = "# Everything that can stand here: live-crew schema config\nslice_ms: 500\ncrews:\n"
        files["live_crew_config.yaml"] = text + "".join(f"{line}\n" for line in lines)
    return Migration(crews, files, config, lines)


def _names_in(config: Path) -> set[str]:
    return {crew.name for crew in load_config(config).crews}


def _needed(
    chosen: dict[str, tuple[str, Handler[..., Any]]],
    others: dict[str, tuple[str, Handler[..., Any]]],
) -> dict[str, tuple[str, Handler[..., Any]]]:
    """The handlers that stay what they are, since a crew needs them."""
    found: dict[str, tuple[str, Handler[..., Any]]] = {}
    open_ = [handler for _, handler in chosen.values()]
    while open_:
        for name in _needs(open_.pop()):
            if name in others and name not in found:
                found[name] = others[name]
                open_.append(others[name][1])
    return found


def _needs(handler: Handler[..., Any]) -> list[str]:
    return [need.crew for need in runtime_of(handler).needs if isinstance(need, CrewNeed)]


def _attribute(handler: Handler[..., Any]) -> str:
    """The name under which its module has it."""
    module = sys.modules[handler.function.__module__]
    names = [name for name, one in vars(module).items() if one is handler]
    if not names:
        raise ConfigError(f"`{handler.name}` has no name in `{module.__name__}`; give it one")
    return names[0]


def _is_found(module: str, folder: Path) -> bool:
    """Whether a configuration in the folder finds a module."""
    here = Path.cwd().resolve()
    rest = [path for path in sys.path if path and Path(path).resolve() != here]
    return PathFinder.find_spec(module.partition(".")[0], [str(folder), *rest]) is not None
