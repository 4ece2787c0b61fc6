"""Reads configuration: keywords over environment over YAML over defaults."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from live_crew.errors import ConfigError, Problem

from ._crews import CrewReader, runtime_of
from ._env import read_env
from ._origins import Origin, Origins, Source, merge
from ._problems import check, validate
from ._suggest import shown
from ._yaml import Document, Where, load
from .live import LiveConfig
from .runtime import CrewRuntime

__all__ = ["load_config", "load_runtime", "make_config", "make_runtime", "read_config"]

_FOUND_BY_THEMSELVES = ("live_crew_config.yaml", "live-config.yaml")
_SUFFIX = ".runtime.yaml"
_PATHS: tuple[tuple[str, ...], ...] = (
    ("journal", "path"),
    ("audit", "path"),
    ("transport", "path"),
    ("transport", "actions"),
    ("transport", "errors"),
    ("transport", "creds"),
    ("transport", "nkey"),
    ("transport", "tls", "ca"),
    ("transport", "tls", "cert"),
    ("transport", "tls", "key"),
)


def load_config(
    path: str | Path | None = None,
    *,
    env: Mapping[str, str] | None = None,
    **overrides: object,
) -> LiveConfig:
    """Reads a configuration and says everything that is wrong with it at once.

    Without `path`, `live_crew_config.yaml` or `live-config.yaml` of the working directory is
    read if it is there. Keywords go over variables `LIVE_CREW_*`, these over the file, that over
    the defaults; mappings are merged, and a keyword that is `None` counts as not given.
    Relative paths start at the folder of the file that says them.
    """
    return _checked(read_config(path, env=env, **overrides))


def read_config(
    path: str | Path | None = None,
    *,
    env: Mapping[str, str] | None = None,
    **overrides: object,
) -> tuple[LiveConfig | None, list[Problem]]:
    """`load_config` that raises nothing: with the problems, a configuration of all that is right.

    Without the crews that are wrong, for whoever asks what else there is to mend.
    """
    return _load(_find(path), os.environ if env is None else env, overrides)


def make_config(**keywords: object) -> LiveConfig:
    """A configuration out of keywords and the environment, without any file."""
    return _checked(_load(None, os.environ, keywords))


def _checked(read: tuple[LiveConfig | None, list[Problem]]) -> LiveConfig:
    config, problems = read
    check(problems)
    if config is None:
        raise ConfigError("the configuration is not valid; run `live-crew validate`")
    return config


def _load(
    file: str | None, env: Mapping[str, str], overrides: Mapping[str, object]
) -> tuple[LiveConfig | None, list[Problem]]:
    problems: list[Problem] = []
    by_path: dict[Where, Origin] = {}
    data: dict[str, Any] = {}
    folder = Path.cwd()
    if file is not None:
        document = load(file)
        folder = Path(file).resolve().parent
        problems.extend(document.problems)
        by_path[()] = origin = Origin("file", document.file, Source(document))
        data = merge({}, _expand(_mapping(document, problems), folder), origin, by_path)
    for name, at, value in read_env(env, problems):
        origin = Origin("env", name)
        data = merge(data, _expand(value, Path.cwd()), origin, by_path)
        by_path[at] = origin
    if given := {name: _plain(one) for name, one in overrides.items() if one is not None}:
        data = merge(data, _expand(given, Path.cwd()), Origin("keyword"), by_path)
    origins = Origins(by_path)
    if data.get("kv_backend") == "sqlite":
        _give_journal(data, folder, by_path)
    crews_folder = folder if origins.of(("crews",)).kind == "file" else Path.cwd()
    if "crews" in data:
        data["crews"] = CrewReader(origins, crews_folder, problems).read(data["crews"])
    config = validate(LiveConfig, data, origins, problems)
    if config is not None:
        config._origins = origins  # noqa: SLF001
    return config, problems


def load_runtime(path: str | Path, *, crew: str | None = None) -> CrewRuntime:
    """Reads one `<crew>.runtime.yaml`; `crew` is its name if the file says none."""
    problems: list[Problem] = []
    file = Path(path)
    name = crew or file.name.removesuffix(_SUFFIX).removesuffix(".yaml")
    runtime = runtime_of(file, name, problems)
    check(problems)
    if runtime is None:
        raise ConfigError(f"{path} is not valid; run `live-crew validate`")
    return runtime


def make_runtime(crew: str, **keywords: object) -> CrewRuntime:
    """A crew's runtime out of the keywords of `register_crew`; `None` counts as not given."""
    problems: list[Problem] = []
    given = {name: _plain(one) for name, one in keywords.items() if one is not None}
    runtime = validate(CrewRuntime, {**given, "crew": crew}, Origins(), problems)
    check(Problem(p.message, p.field, crew=crew) for p in problems)
    if runtime is None:
        raise ConfigError(f"crew {shown(crew)} is not valid")
    return runtime


def _find(path: str | Path | None) -> str | None:
    if isinstance(path, str | os.PathLike):
        return os.fspath(path)
    if path is not None:
        raise ConfigError(
            f"{shown(path)} is no configuration; give the path of a file, "
            "and settings as keywords such as `slice_ms=500`"
        )
    return next((name for name in _FOUND_BY_THEMSELVES if os.path.lexists(name)), None)


def _mapping(document: Document, problems: list[Problem]) -> dict[str, Any]:
    data = document.data
    if data is None or isinstance(data, dict):
        return data or {}
    wrong = f"{shown(data)} is no configuration; write `key: value` lines such as `slice_ms: 500`"
    problems.append(Problem(wrong, None, document.file, *document.locate(())))
    return {}


def _expand(layer: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """Writes short forms out and makes paths absolute, so that layers can be merged."""
    out = dict(layer)
    for name, key in (("transport", "kind"), ("journal", "path"), ("audit", "path")):
        if isinstance(out.get(name), str):
            out[name] = {key: out[name]}
    for path in _PATHS:
        _make_absolute(out, path, folder)
    return out


def _make_absolute(data: dict[str, Any], path: tuple[str, ...], folder: Path) -> None:
    *above, last = path
    for name in above:
        if not isinstance(data.get(name), dict):
            return
        data[name] = data = dict(data[name])
    value = data.get(last)
    if isinstance(value, str) and value not in ("", "-"):
        data[last] = str(folder / value)


def _give_journal(data: dict[str, Any], folder: Path, by_path: dict[Where, Origin]) -> None:
    """`kv_backend: sqlite` keeps the context in the journal, so there has to be one."""
    journal = data.get("journal", {})
    if isinstance(journal, dict) and journal.get("path") is None:
        data["journal"] = {**journal, "path": str(folder / ".live_crew" / "journal.db")}
        by_path["journal", "path"] = Origin("default")


def _plain(value: object) -> object:
    """What a keyword gives, as files would say it."""
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    if isinstance(value, Mapping):
        return {key: _plain(one) for key, one in value.items()}
    return value
