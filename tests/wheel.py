"""Tests the built wheel on every Python it promises and this machine has, each in an empty venv."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

VERSIONS = ("3.10", "3.11", "3.12", "3.13")


def find(version: str) -> str | None:
    """A Python of this version: on the path, or one that pyenv keeps."""
    roots = sorted(
        Path(os.environ.get("PYENV_ROOT", "~/.pyenv")).expanduser().glob(f"versions/{version}.*")
    )
    candidates = [shutil.which(f"python{version}"), *(str(root / "bin/python") for root in roots)]
    for candidate in filter(None, candidates):
        told = subprocess.run([candidate, "--version"], capture_output=True, text=True, check=False)
        if told.returncode == 0 and told.stdout.startswith(f"Python {version}."):
            return candidate
    return None


def check(python: str, wheel: Path, tests: Path) -> bool:
    """Whether the tests pass with nothing but the wheel and what it asks for, CrewAI with it."""
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([python, "-m", "venv", folder], check=True)
        own = str(Path(folder) / "bin/python")
        install = [own, "-m", "pip", "install", "--quiet"]
        subprocess.run([*install, "--upgrade", "pip>=25.1"], check=True)
        settings = tests.parents[1] / "pyproject.toml"
        needed = ["--group", f"{settings}:test", f"{wheel}[crewai]"]
        subprocess.run([*install, *needed], check=True)
        subprocess.run([str(Path(folder) / "bin/live-crew"), "version"], check=True, cwd=folder)
        # From an empty folder, so that the sources of the package are not what is imported.
        command = [
            own,
            "-m",
            "pytest",
            "--quiet",
            "-c",
            str(settings),
            str(tests),
        ]
        return subprocess.run(command, check=False, cwd=folder).returncode == 0


def main() -> int:
    """Test the newest wheel in a folder."""
    wheel = max(
        Path(sys.argv[1]).glob("live_crew-*.whl"), key=lambda path: path.stat().st_mtime
    ).resolve()
    tests = Path(__file__).resolve().parent / "python"
    failed = []
    for version in VERSIONS:
        python = find(version)
        print(f"Python {version}: {python or 'not on this machine'}", flush=True)
        if python is not None and not check(python, wheel, tests):
            failed.append(version)
    print(f"failed on: {', '.join(failed)}" if failed else f"{wheel.name} passes", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
