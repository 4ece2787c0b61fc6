"""`isolation: process`: which crews can go to a process, and what is said of the others."""

import threading

import pytest
from acts import MODULE, events, one_error

from live_crew import CrewOrchestrator, event_handler
from live_crew.config import load_config
from live_crew.errors import ConfigError

# Importing CrewAI takes long on a busy machine, and each program does it anew.
pytestmark = pytest.mark.timeout(240)


def test_a_configuration_names_a_crew_of_a_module(folder, tmp_path):
    (tmp_path / "apart_too.py").write_text(MODULE + "\nfinished = None\n")
    file = tmp_path / "live_crew_config.yaml"
    file.write_text(
        "crews:\n  - python: apart_too:crew\n"
        "    runtime: {triggers: [ask], isolation: process, inputs: {act: 'pid {{ slice }}'}}\n"
    )
    orchestrator = CrewOrchestrator.from_config(file)
    result = orchestrator.run_sync(events("ignored"))
    assert "takes 0 positional arguments but 1 was given" in one_error(result).message
    assert load_config(file).crews[0].runtime.isolation == "process"


def test_a_crew_that_cannot_be_loaded_ends_the_run_with_why(apart, run):
    with pytest.raises(ConfigError, match=r"gives int, not a `crewai.Crew`"):
        run("pid", crew=apart.not_a_crew)
    with pytest.raises(ImportError, match="no_such_module"):
        run("pid", crew=apart.needs_what_is_not_there)


def test_what_cannot_go_to_another_process_is_refused_at_once(apart, run):
    with pytest.raises(ConfigError, match=r"cannot import .* define it at the top of a module"):
        run("pid", crew=lambda: None)

    class Crew:
        __module__ = "crewai.crew"

    with pytest.raises(ConfigError, match=r"`Crew` object cannot go .* give a folder"):
        run("pid", crew=Crew())

    class Model:
        model = "mine"

    with pytest.raises(ConfigError, match=r"model `mine` cannot go .* give its name"):
        run("pid", llm=Model())


def test_handlers_have_threads_and_no_processes():
    seen = []

    @event_handler("ask", isolation="thread")
    def here(event):
        seen.append(threading.current_thread())

    orchestrator = CrewOrchestrator()
    orchestrator.register_handler(here)
    assert orchestrator.run_sync(events("x")).ok
    assert seen[0].name == "live-crew handler"

    @event_handler("ask", isolation="process")
    def there(event):
        pass

    with pytest.raises(ConfigError, match=r"isolation: `process` is for crews"):
        orchestrator.register_handler(there)

    @event_handler("ask", isolation="thread")
    async def nowhere(event):
        pass

    with pytest.raises(ConfigError, match=r"isolation: `thread` is for plain functions"):
        orchestrator.register_handler(nowhere)


def test_limits_are_for_processes():
    from live_crew.config import make_runtime

    with pytest.raises(ConfigError, match=r"memory_mb: limits a process; add `isolation: process`"):
        make_runtime("a", triggers=["ask"], memory_mb=100)
    assert make_runtime("a", triggers=["ask"], cpu_s=1, isolation="process").cpu_s == 1


@pytest.mark.parametrize(
    ("llm", "said"),
    [
        ("{python: 'apart:not_a_crew'}", "`python: apart:not_a_crew` gives 7, no model"),
        ("{script: nope.yaml}", "nope.yaml` is not there"),
        ("{model: nope/thing}", "no provider that is installed has `nope/thing`"),
    ],
)
def test_a_model_that_cannot_be_made_is_told_where_it_is_said(llm, said, apart, tmp_path):
    (tmp_path / "a.runtime.yaml").write_text(
        f"triggers: [ask]\nuser_template: hi\nisolation: process\nllm: {llm}\n"
    )
    file = tmp_path / "live_crew_config.yaml"
    file.write_text("crews:\n  - runtime: a.runtime.yaml\n")
    with pytest.raises(ConfigError) as caught:
        CrewOrchestrator.from_config(file).run_sync(events("pid"))
    (problem,) = caught.value.problems
    assert (problem.line, problem.column, problem.field) == (4, 6, "llm")
    assert said in problem.message
