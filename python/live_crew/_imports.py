"""Objects that a configuration names: `module:attribute`, found in its folder first."""

from __future__ import annotations

import hashlib
import importlib
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.machinery import ModuleSpec, PathFinder
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from pkgutil import iter_modules
from types import ModuleType
from typing import Any

from live_crew.errors import ConfigError

__all__ = ["load_object"]

# The table of modules is one for the process.
_LOCK = threading.RLock()
# These stay what they are, whatever is beside a configuration.
_SHARED = {"live_crew", *sys.stdlib_module_names}


def load_object(spec: str, folder: Path) -> Any:
    """`module:attribute`; a module in the folder comes before any other of that name.

    When another one of that name is loaded already, as when two configurations have a `crews.py`
    beside them, it gets a name of its own, under which it can be pickled and imported.
    """
    name, _, attribute = spec.partition(":")
    if not name or not attribute:
        raise ConfigError(f"`python: {spec}` names no object; write `module:attribute`")
    try:
        with _LOCK:
            module = _module(name, folder)
    except ImportError as error:
        raise ConfigError(f"`python: {spec}`: cannot import `{name}`: {error}") from error
    try:
        return getattr(module, attribute)
    except AttributeError:
        from live_crew._words import did_you_mean

        hint = did_you_mean(attribute, vars(module))
        raise ConfigError(f"`python: {spec}`: `{name}` has no `{attribute}`{hint}") from None


def _module(name: str, folder: Path) -> ModuleType:
    top, dot, rest = name.partition(".")
    found = PathFinder.find_spec(top, [str(folder)])
    own = top
    if found is not None and _is_of_another(top, found):
        mark = hashlib.blake2b(str(folder.resolve()).encode(), digest_size=4).hexdigest()
        own = f"{top}_{mark}"
    with _first(folder):
        if found is not None and own not in {top, *sys.modules}:
            _execute(own, found)
        return importlib.import_module(f"{own}{dot}{rest}")


def _is_of_another(name: str, found: ModuleSpec) -> bool:
    """Whether a module of this name is loaded, and not the one that was found."""
    loaded = sys.modules.get(name)
    if loaded is None or found.origin is None:
        return False
    file = getattr(loaded, "__file__", None)
    return file is None or Path(file).resolve() != Path(found.origin).resolve()


def _execute(own: str, found: ModuleSpec) -> None:
    """Load what was found under a name of its own."""
    places = found.submodule_search_locations
    spec = spec_from_file_location(own, found.origin, submodule_search_locations=places)
    if spec is None or spec.loader is None:
        raise ImportError(f"`{found.origin}` is no module")
    module = sys.modules[own] = module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[own]
        raise


@contextmanager
def _first(folder: Path) -> Iterator[None]:
    """Let the folder come first, also for what its modules import beside them.

    What another folder calls the same is set aside for so long.
    """
    path = str(folder)
    there = {name for _, name, _ in iter_modules([path])} - _SHARED
    found = {name: PathFinder.find_spec(name, [path]) for name in there & set(sys.modules)}
    others = {name for name, spec in found.items() if spec and _is_of_another(name, spec)}
    aside = _take(others)
    sys.path.insert(0, path)
    try:
        yield
    finally:
        sys.path.remove(path)
        _take(others)
        sys.modules.update(aside)


def _take(tops: set[str]) -> dict[str, ModuleType]:
    """Take modules, and those below them, out of the table."""
    names = [name for name in sys.modules if name.partition(".")[0] in tops]
    return {name: sys.modules.pop(name) for name in names}
