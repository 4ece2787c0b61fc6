"""Tests of real crews on the oldest, a middle and the newest CrewAI, each in its environment.

Those of the older ones are made once and kept; the newest is in that of whoever runs this. The
package itself is the present build in `python/`: the same extension for all of them.
"""

from __future__ import annotations

import os
import subprocess
import sys
from importlib import metadata
from pathlib import Path

OLDER = ("1.15.3", "1.15.15")
NEEDED = ["pydantic>=2.10", "PyYAML>=6", "rich>=13", "typer>=0.15"]
ROOT = Path(__file__).resolve().parents[1]


def made(version: str) -> Path:
    """The Python of an environment with one version of CrewAI; making it takes minutes."""
    folder = ROOT / f".venv-crewai-{version}"
    ready, python = folder / "ready", folder / "bin/python"
    if not ready.exists():
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        install = [python, "-m", "pip", "install", "--quiet"]
        subprocess.run([*install, "--upgrade", "pip>=25.1"], check=True)
        tests = ["--group", f"{ROOT / 'pyproject.toml'}:test"]
        subprocess.run([*install, f"crewai=={version}", *NEEDED, *tests], check=True)
        ready.touch()
    return python


def passes(python: str | Path, arguments: list[str]) -> bool:
    """Whether the tests of crews pass there."""
    command = [python, "-m", "pytest", "--quiet", "-p", "no:cacheprovider", "--timeout", "300"]
    if python != sys.executable:
        # Where the package is not installed, nobody knows of its plugin.
        command += ["-p", "live_crew.testing.plugin"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "python")}
    told = subprocess.run(
        [*command, *(arguments or ["tests/python/crews"])], check=False, cwd=ROOT, env=environment
    )
    return told.returncode == 0


def main() -> int:
    """Test on each version; arguments go to pytest."""
    failed = []
    for version in (*OLDER, metadata.version("crewai")):
        print(f"CrewAI {version}", flush=True)
        python = made(version) if version in OLDER else sys.executable
        if not passes(python, sys.argv[1:]):
            failed.append(version)
    print(f"failed on: {', '.join(failed)}" if failed else "all pass", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
