"""The crews a configuration lists, each with its runtime file read."""

import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, model_validator

from live_crew.errors import ConfigError, Problem

from ._fields import JsonValue, Name, Section, Text, refuse_parts
from ._file import shown_file
from ._origins import Origin, Origins, Source
from ._problems import validate
from ._suggest import closest_file, shown
from ._yaml import Where, load
from .live import CrewEntry
from .needs import CrewName
from .runtime import CrewRuntime

__all__ = ["CrewLine", "CrewReader", "runtime_of"]

_Python = Annotated[
    str,
    Name(
        "place of a crew in Python",
        r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*(\.[A-Za-z_]\w*)*",
        "`package.module:name`",
    ),
]


class CrewLine(Section):
    """A crew: `path` of a folder of CrewAI files, or `python` for one defined there."""

    path: Annotated[str, Text("the path of a folder")] | None = Field(
        default=None, description="folder of the crew, with agents.yaml and tasks.yaml"
    )
    python: _Python | None = Field(
        default=None, description="`package.module:name` of a crew or handler"
    )
    runtime: Annotated[Any, JsonValue()] = Field(
        default=None, description="runtime file, or what it would say; else `<folder>.runtime.yaml`"
    )
    name: CrewName | None = Field(
        default=None, description="another name than that in the runtime file"
    )

    @model_validator(mode="after")
    def _is_one_of_both(self) -> "CrewLine":
        if self.path is None and self.python is None and self.runtime is None:
            ways = (
                "`path: …`, `python: package.module:name`, or `runtime: …` with a `user_template`"
            )
            refuse_parts([((), f"names no crew; add {ways}")])
        if self.path is not None and self.python is not None:
            refuse_parts([(("python",), "is a second place of the crew beside `path`; remove one")])
        return self

    @property
    def default_name(self) -> str:
        """The name of a crew that says none."""
        if self.python is not None:
            return self.python.rpartition(":")[2].rpartition(".")[2]
        if self.path is None:
            return str(self.runtime).rpartition("/")[2].partition(".")[0]
        return Path(os.path.abspath(self.path or "")).name  # noqa: PTH100 - keeps symlinks


class CrewReader:
    """Reads the crews of a configuration and notes every problem on the way."""

    def __init__(self, origins: Origins, folder: Path, problems: list[Problem]) -> None:
        self.origins = origins
        self.folder = folder.resolve()
        self.problems = problems

    def read(self, listed: Any) -> list[CrewEntry]:
        """The crews of a list; what is wrong is left out."""
        if not isinstance(listed, list | tuple):
            self._report(("crews",), f"{shown(listed)} is no list; write `- path: …` lines")
            return []
        entries: list[CrewEntry] = []
        first: dict[str, int] = {}
        for at, item in enumerate(listed):
            entry = item if isinstance(item, CrewEntry) else self._entry(item, ("crews", at))
            if entry is None:
                continue
            if entry.name in first:
                twice = f"crew {shown(entry.name)} is there already as `crews[{first[entry.name]}]`"
                self._report(("crews", at), f"{twice}; give one another `name`")
                continue
            first[entry.name] = at
            entry._at = at  # noqa: SLF001
            entries.append(entry)
        return entries

    def _entry(self, item: Any, at: Where) -> CrewEntry | None:
        if not isinstance(item, Mapping):
            self._report(at, f"{shown(item)} is no crew; write `- path: …` or `- python: …`")
            return None
        inline = item.get("runtime")
        is_inline = isinstance(inline, Mapping | CrewRuntime)
        rest = {**item, "runtime": {}} if is_inline else item
        line = validate(CrewLine, rest, self.origins, self.problems, at)
        if line is None:
            return None
        is_prompt = line.path is None and line.python is None
        if is_prompt and isinstance(inline, Mapping) and not (line.name or "crew" in inline):
            self._report(at, "has no name; add `name: …`")
            return None
        home = self._home(line, at)
        name = line.name or line.default_name
        file: Path | None = None
        runtime: CrewRuntime | None
        if isinstance(inline, CrewRuntime):
            runtime = inline
        elif isinstance(inline, Mapping):
            given = {} if "crew" in inline else {"crew": name}
            runtime = self._here({**given, **inline}, (*at, "runtime"))
        elif line.runtime is None and line.python is not None:
            runtime = self._here({"crew": name}, at)
        else:
            file = self._runtime_file(line, home, at)
            runtime = runtime_of(file, name, self.problems) if file else None
        if runtime is None:
            return None
        if is_prompt and runtime.user_template is None:
            ways = "one, or to the configuration `path: …` or `python: package.module:name`"
            self._report((*at, "runtime"), f"is no crew, it has no `user_template`; add {ways}")
            return None
        if line.name is not None and runtime.crew != line.name:
            runtime = runtime.model_copy(update={"crew": line.name})
        return CrewEntry(
            name=runtime.crew, path=home, python=line.python, runtime=runtime, runtime_file=file
        )

    def _here(self, data: Mapping[str, Any], at: Where) -> CrewRuntime | None:
        """A runtime that the configuration itself says."""
        runtime = validate(CrewRuntime, data, self.origins, self.problems, at)
        source = self.origins.of(at).source
        if runtime is not None and source is not None:
            runtime._origins = _written(Source(source.document, (*source.at, *at)))  # noqa: SLF001
        return runtime

    def _home(self, line: CrewLine, at: Where) -> Path | None:
        """The folder of a crew, resolved."""
        if line.path is None:
            return None
        place = (*at, "path")
        found = self._inside(line.path, (self.folder,), place)
        if found is None:
            return None
        if not found.is_dir():
            if found.exists():
                wrong = f"{shown(line.path)} is a file; give the folder of the crew"
            else:
                wrong = f"{shown(line.path)} is not there; {_near(found)}"
            self._report(place, wrong)
            return None
        return found

    def _runtime_file(self, line: CrewLine, home: Path | None, at: Where) -> Path | None:
        """The runtime file: in the folder of the crew, else beside the configuration."""
        if line.path is not None and home is None:
            return None
        if line.runtime is None and home is not None:
            file = home / f"{line.default_name}.runtime.yaml"
            if file.exists():
                return self._inside(str(file), (home, self.folder), (*at, "path"), asked=file.name)
            self._report(
                (*at, "path"),
                f"{shown(line.path)} has no `{file.name}`; create it or add `runtime:`",
            )
            return None
        place = (*at, "runtime")
        if not isinstance(line.runtime, str) or not line.runtime or "\0" in line.runtime:
            wrong = f"{shown(line.runtime)} is no runtime; give a file or a mapping"
            self._report(place, wrong)
            return None
        folders = (self.folder,) if home is None else (home, self.folder)
        found = self._inside(line.runtime, folders, place)
        if found is not None and not found.exists():
            self._report(place, f"{shown(line.runtime)} is not there; {_near(found, *folders)}")
            return None
        return found

    def _inside(
        self, name: str, folders: tuple[Path, ...], at: Where, asked: str | None = None
    ) -> Path | None:
        """The first of `folders` that has `name`, which may not lead out of all of them."""
        try:
            found = [(folder / name).resolve() for folder in folders]
            there = next((one for one in found if one.exists()), found[-1])
        except (OSError, RuntimeError, ValueError):
            self._report(at, f"{shown(name)} is no path; check its length and its links")
            return None
        free = asked is None and Path(name).is_absolute()
        if not free and not any(there.is_relative_to(folder) for folder in folders):
            self._report(
                at,
                f"{shown(asked or name)} leads out of the folder of the configuration; "
                "move it there, or give an absolute path",
            )
            return None
        return there

    def _report(self, at: Where, message: str) -> None:
        self.problems.append(self.origins.problem(at, message))


def runtime_of(file: Path, name: str, problems: list[Problem]) -> CrewRuntime | None:
    """The crew of a runtime file, called `name` if the file does not say."""
    try:
        document = load(shown_file(file))
    except ConfigError as error:
        problems.extend(error.problems)
        return None
    problems.extend(document.problems)
    data = {} if document.data is None else document.data
    if not isinstance(data, dict):
        wrong = f"{shown(data)} is no runtime; write `key: value` lines such as `triggers: [goal]`"
        problems.append(Problem(wrong, None, document.file, *document.locate(())))
        return None
    origins = _written(Source(document))
    runtime = validate(CrewRuntime, {"crew": name, **data}, origins, problems)
    if runtime is not None:
        runtime._origins = origins  # noqa: SLF001
    return runtime


def _written(source: Source) -> Origins:
    return Origins({(): Origin("file", source.document.file, source)})


def _near(path: Path, *folders: Path) -> str:
    """What was probably meant: a file in one of `folders`, or else a folder beside `path`."""
    there: list[str] = []
    for folder in folders or (path.parent,):
        with suppress(OSError):
            there.extend(one.name for one in folder.iterdir() if one.is_file() == bool(folders))
    meant = closest_file(path.name, there)
    return f"did you mean `{meant}`?" if meant else "create it or correct the path"
