"""A crew of a module that processes can load, and runs of it."""

import pytest
from acts import MODULE, events

from live_crew import CrewOrchestrator


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("apart")
    (folder / "apart.py").write_text(MODULE)
    return folder


@pytest.fixture
def apart(folder, monkeypatch):
    """The module, importable here and so in the processes."""
    monkeypatch.syspath_prepend(str(folder))
    import apart

    return apart


@pytest.fixture
def run(apart):
    """Does acts one after another, in a process."""

    def run(*acts, crew=apart.crew, **runtime):
        orchestrator = CrewOrchestrator()
        keys = {"triggers": ["ask"], "max_errors": 100, "isolation": "process", **runtime}
        orchestrator.register_crew("crew", crew, **keys)
        return orchestrator, orchestrator.run_sync(events(*acts))

    return run
