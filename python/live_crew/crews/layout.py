"""Finds and reads the files of a crew folder; none of them may lead out of it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from live_crew.config._file import read_text, shown_file
from live_crew.config._suggest import closest, closest_file, shown
from live_crew.config._yaml import Document, Where
from live_crew.config._yaml import parse as parse_yaml
from live_crew.errors import ConfigError, Problem

from .jsonc import parse as parse_jsonc
from .parts import Part, Parts

__all__ = ["has_crew_files", "read_again", "read_parts"]

_YAML = {what: (f"{what}.yaml", f"{what}.yml") for what in ("agents", "tasks", "crew")}
_JSON = ("crew.jsonc", "crew.json")


def has_crew_files(path: str | Path) -> bool:
    """Whether there is a crew in the folder: `agents.yaml`, `tasks.yaml` or `crew.json[c]`."""
    names = (*_YAML["agents"], *_YAML["tasks"], *_JSON)
    return bool(_there(Path(path), names))


def read_parts(path: str | Path) -> Parts:
    """The parts of the crew in a folder; raises if there is none."""
    root = _folder(path)
    name = Path(os.path.abspath(path)).name  # noqa: PTH100 - keeps symlinks
    parts = Parts(crew=name, root=root)
    found = {what: _there(root, names) for what, names in _YAML.items()}
    json_files = _there(root, _JSON)
    yaml_files = [file for files in found.values() for file in files]
    for files in (*found.values(), json_files):
        for file in files[1:]:
            _report(parts, file, f"is there beside `{_named(files[0], root)}`; remove one")
    if json_files and yaml_files:
        names = " and ".join(f"`{_named(file, root)}`" for file in yaml_files)
        both = f"describes the crew, as {names} also do; remove `{json_files[0].name}`, or {names}"
        _report(parts, json_files[0], both)
    elif json_files:
        _read_json(parts, json_files[0])
    elif found["agents"] or found["tasks"]:
        _read_yaml(parts, {what: files[0] for what, files in found.items() if files})
    else:
        _report(parts, root, f"holds no crew; {_meant(root)}")
    return parts


def read_again(parts: Parts, file: Path) -> str | None:
    """The text of another file of the crew, if it is inside the folder and can be read."""
    try:
        inside = file.resolve().is_relative_to(parts.root)
    except (OSError, RuntimeError, ValueError):
        inside = False
    if not inside:
        _report(parts, file, "leads out of the folder of the crew; move it there")
        return None
    try:
        text = read_text(file)
    except ConfigError as error:
        parts.problems.extend(error.problems)
        return None
    parts.read[file] = text
    return text


def _folder(path: str | Path) -> Path:
    try:
        root = Path(path).resolve()
        sort = "is a file" if root.is_file() else None if root.is_dir() else "is not there"
    except (OSError, RuntimeError, ValueError):
        sort = "is no path"
    if sort is None:
        return root
    problem = Problem(f"{sort}; give the folder of a crew", None, str(path))
    raise ConfigError(problems=[problem])


def _read_yaml(parts: Parts, files: dict[str, Path]) -> None:
    for what, other in (("agents", "tasks"), ("tasks", "agents")):
        if what not in files:
            alone = f"stands without `{what}.yaml`; {_meant(parts.root, f'{what}.yaml')}"
            _report(parts, files[other], alone)
    crew = _mapping(parts, files.get("crew"), "settings such as `process: sequential`")
    if crew:
        for what in ("agents", "tasks"):
            if what in crew.data:
                stray = f"stands in `{what}.yaml`; move it there"
                whole = Part(parts.crew, "", crew.data, crew)
                parts.problems.append(whole.problem((what,), stray, key=True))
        data = {key: one for key, one in crew.data.items() if key not in ("agents", "tasks")}
        parts.rest = Part(parts.crew, "", data, crew)
    agents = _mapping(parts, files.get("agents"), "agents, each under its name")
    for name, data in (agents.data if agents else {}).items():
        _add_agent(parts, agents, (name,), name, data)
    tasks = _document(parts, files.get("tasks"))
    if tasks is not None:
        _add_tasks(parts, tasks, (), tasks.data, _found(tasks, "tasks, each under its name"))


def _read_json(parts: Parts, file: Path) -> None:
    document = _mapping(parts, file, 'a mapping of `"agents"`, `"tasks"` and settings')
    if document is None:
        return
    rest = {key: one for key, one in document.data.items() if key not in ("agents", "tasks")}
    parts.rest = Part(parts.crew, "", rest, document)
    whole = Part(parts.crew, "", document.data, document)
    names = document.data.get("agents")
    manager = rest.get("manager_agent")
    if not isinstance(names, list) or not names:
        wrong = 'is no list of agents; write `"agents": ["name"]`, and each in `agents/<name>.json`'
        parts.problems.append(whole.problem(("agents",), wrong))
        names = []
    listed: list[tuple[Any, Where]] = [(name, ("agents", at)) for at, name in enumerate(names)]
    if isinstance(manager, str) and manager not in names:
        listed.append((manager, ("manager_agent",)))
    for name, at in listed:
        if not isinstance(name, str) or not name or set(name) & set("/\\\0"):
            wrong = f"{shown(name)} is no name of an agent; name a file of `agents/`"
            parts.problems.append(whole.problem(at, wrong))
        elif name in parts.agents:
            parts.problems.append(whole.problem(at, f"{shown(name)} is there already; remove one"))
        else:
            found, missing = _agent_file(parts, file.parent, name)
            agent = _mapping(parts, found, "a mapping of `role`, `goal` and `backstory`")
            if found is None:
                parts.problems.append(whole.problem(at, missing))
            data = agent.data if agent else {}
            place = agent or document
            parts.agents[name] = Part(
                parts.crew, f"agents.{name}", data, place, is_broken=agent is None
            )
    no_tasks = 'is no list of tasks; write `"tasks": [{"description": …}]`'
    _add_tasks(parts, document, ("tasks",), document.data.get("tasks"), no_tasks)


def _agent_file(parts: Parts, base: Path, name: str) -> tuple[Path | None, str]:
    """The file of an agent, or what to say if there is none."""
    folders = dict.fromkeys((base / "agents", parts.root / "agents"))
    files = [folder / f"{name}{end}" for folder in folders for end in (".jsonc", ".json")]
    file = next((file for file in files if _is_there(file)), None)
    there = [one.stem for folder in folders if folder.is_dir() for one in folder.iterdir()]
    meant = closest(name, there)
    fix = f"did you mean `{meant}`?" if meant else f"create {shown(f'agents/{name}.json')}"
    return file, f"{shown(name)} is no file of `agents/`; {fix}"


def _add_agent(parts: Parts, document: Document, at: Where, name: str, data: Any) -> None:
    is_broken = not isinstance(data, dict)
    found = {} if is_broken else data
    part = Part(parts.crew, f"agents.{name}", found, document, at, is_broken)
    parts.agents[name] = part
    if is_broken:
        wrong = f"{shown(data)} is no agent; write `role`, `goal` and `backstory` below its name"
        parts.problems.append(part.problem((), wrong))


def _add_tasks(parts: Parts, document: Document, at: Where, tasks: Any, empty: str) -> None:
    """Tasks out of a mapping by name or, one after the other, out of a list."""
    listed: list[tuple[str | int, Any]]
    if isinstance(tasks, dict) and not at:
        listed = list(tasks.items())
    else:
        listed = list(enumerate(tasks)) if isinstance(tasks, list) else []
    if not listed:
        whole = Part(parts.crew, "", {"tasks": tasks} if at else {}, document)
        parts.problems.append(whole.problem(at, empty))
    for key, data in listed:
        name = f"tasks[{key}]" if isinstance(key, int) else f"tasks.{key}"
        found = data if isinstance(data, dict) else {}
        named = {"name": key, **found} if isinstance(key, str) else found
        part = Part(parts.crew, name, named, document, (*at, key), not isinstance(data, dict))
        if not isinstance(data, dict):
            wrong = f"{shown(data)} is no task; write `description: …`, `expected_output: …`"
            parts.problems.append(part.problem((), wrong))
        elif isinstance(key, str) and named["name"] != key:
            wrong = f"{shown(named['name'])} is another name than `{key}` above; remove one"
            parts.problems.append(part.problem(("name",), wrong))
        parts.tasks.append(part)


def _mapping(parts: Parts, file: Path | None, what: str) -> Any:
    """The document of a file that holds a mapping."""
    document = _document(parts, file)
    if document is None or (isinstance(document.data, dict) and document.data):
        return document
    parts.problems.append(Part(parts.crew, "", {}, document).problem((), _found(document, what)))
    return None


def _document(parts: Parts, file: Path | None) -> Document | None:
    text = read_again(parts, file) if file else None
    if file is None or text is None:
        return None
    parse = parse_jsonc if file.suffix in (".json", ".jsonc") else parse_yaml
    try:
        document = parse(text, shown_file(file))
    except ConfigError as error:
        parts.problems.extend(error.problems)
        return None
    parts.problems.extend(document.problems)
    return document


def _found(document: Document, what: str) -> str:
    return f"is {shown(document.data) if document.data else 'empty'}; write {what}"


def _report(parts: Parts, file: Path, message: str) -> None:
    parts.problems.append(Problem(message, None, shown_file(file), crew=parts.crew))


def _there(root: Path, names: tuple[str, ...]) -> list[Path]:
    files = [folder / name for folder in (root, root / "config") for name in names]
    return [file for file in files if _is_there(file)]


def _is_there(file: Path) -> bool:
    """Whether there is such a name; a link that leads nowhere is a mistake, not nothing."""
    try:
        return file.is_symlink() or file.exists()
    except (OSError, ValueError):
        return False


def _named(file: Path, root: Path) -> str:
    return file.relative_to(root).as_posix()


def _meant(root: Path, *names: str) -> str:
    """A file that was probably meant to be one of a crew."""
    known = {one for names in _YAML.values() for one in names} | set(_JSON)
    there = [
        one.name
        for folder in (root, root / "config")
        if folder.is_dir()
        for one in folder.iterdir()
        if one.suffix in (".yaml", ".yml", ".json", ".jsonc")
    ]
    for name in names or ("agents.yaml", "tasks.yaml", "crew.jsonc"):
        if meant := closest_file(name, (one for one in there if one not in known)):
            return f"rename `{meant}` to `{name}`"
    return f"create {' and '.join(f'`{name}`' for name in names or ('agents.yaml', 'tasks.yaml'))}"
