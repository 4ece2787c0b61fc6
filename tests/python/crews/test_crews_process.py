"""`isolation: process`: what a run does to its process harms nobody else."""

import contextlib
import json
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from live_crew import CrewOrchestrator, event_handler
from live_crew.config import load_config
from live_crew.errors import ConfigError

# Importing CrewAI takes long on a busy machine, and each program does it anew.
pytestmark = pytest.mark.timeout(240)

# Imported here without CrewAI: only the processes need it.
MODULE = """
import ctypes, json, logging, os, signal, subprocess, sys, threading, time

def hang(where):
    # With the interpreter's lock held and every signal blocked: nothing within could end it.
    signal.pthread_sigmask(signal.SIG_BLOCK, range(1, signal.NSIG))
    child = subprocess.Popen(["sleep", "1000"])
    note(where, child.pid)
    ctypes.PyDLL(None).sleep(1000)

def note(where, *more):
    with open(where + ".new", "w") as file:
        file.write(" ".join(map(str, [os.getpid(), *more])))
    os.rename(where + ".new", where)

def think(where):
    note(where)
    time.sleep(1000)

def crash(number):
    os.kill(os.getpid(), int(number))
    time.sleep(1000)

def eat():
    held = []
    while True:
        held.append(b"x" * 10_000_000)
        time.sleep(0.005)

def gulp():
    return len(b"x" * 4_000_000_000)

def burn():
    while True:
        pass

def flood():
    line = b"y" * 999 + b"\\n"
    for _ in range(200_000):
        os.write(1, line)

def say(text):
    print("printed", text)
    print("complained", text, file=sys.stderr)
    ctypes.CDLL(None).puts(b"from C")
    os.write(2, b"half a line")

def log():
    logging.getLogger("my.tools").warning("look at %s", "this")
    logging.getLogger("my.tools").debug("unseen")

def boom():
    raise LookupError("nothing there")

def wait(where):
    while not os.path.exists(where):
        time.sleep(0.01)

class Odd(Exception):
    def __init__(self, one, two):
        super().__init__(f"{one} and {two}")

def odd():
    raise Odd("this", "that")

ACTS = {
    "pid": lambda: None, "hang": hang, "think": think, "crash": crash, "eat": eat, "gulp": gulp,
    "burn": burn, "flood": flood, "say": say, "log": log, "boom": boom, "odd": odd,
    "exit": lambda code: sys.exit(int(code)), "die": lambda code: os._exit(int(code)),
    "write": lambda path, value: writes(path, value), "nap": lambda: time.sleep(0.2),
}

def writes(path, value):
    from live_crew.crews.tools import read, write
    print(read(""))
    write(path, value)

def crew():
    from crewai import Agent, BaseLLM, Crew, Task

    class Acts(BaseLLM):
        def call(self, messages, *_, **about):
            self._track_token_usage_internal(
                {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15}
            )
            text = messages if isinstance(messages, str) else messages[-1]["content"]
            act, *args = text.split("<")[1].split(">")[0].split()
            ACTS[act](*args)
            return f'{{"pid": {os.getpid()}, "text": "{act}"}}'

    agent = Agent(role="actor", goal="act", backstory="You act.", llm=Acts(model="acts"))
    task = Task(name="act", description="Do <{act}>.", expected_output="it", agent=agent)
    return Crew(name="acts", agents=[agent], tasks=[task])

def model():
    from crewai import BaseLLM

    class Asked(BaseLLM):
        def call(self, messages, *_, **about):
            return json.dumps([os.getpid(), messages[-1]["content"]])

    return Asked(model="asked")

def not_a_crew():
    return 7

def needs_what_is_not_there():
    import no_such_module
"""


@pytest.fixture(scope="module")
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


def events(*acts, apart_s=1):
    return [
        {
            "ts": f"2026-01-01T00:00:{at * apart_s:02}Z",
            "kind": "ask",
            "stream_id": "s",
            "payload": {"act": act},
        }
        for at, act in enumerate(acts)
    ]


def pids(result):
    return [action.payload["pid"] for action in result.actions]


def one_error(result):
    assert len(result.errors) == 1, result.errors
    return result.errors[0]


def is_gone(pid):
    """Whether a process ends soon; one that ended and waits to be taken away counts."""
    until = time.monotonic() + 10
    while time.monotonic() < until:
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            return True
        if state == "Z":
            return True
        time.sleep(0.01)
    return False


def facts(orchestrator, at=0):
    (story,) = orchestrator.journal.explain("s", "crew", at)["runs"]
    return [
        fact
        for _, told in story["notes"]
        for fact in (json.loads(told) if isinstance(told, str) else told)
    ]


def test_runs_share_a_warm_process_that_is_not_this_one(run):
    orchestrator, result = run("pid", "pid", "pid")
    assert result.errors == []
    (pid,) = set(pids(result))
    assert pid != os.getpid()
    assert pids(orchestrator.run_sync(events("pid"))) == [pid]


def test_notes_and_usage_come_back(run):
    orchestrator, _ = run("pid")
    told = facts(orchestrator)
    assert [fact["what"] for fact in told][:3] == ["crew started", "task started", "agent started"]
    (usage,) = [fact for fact in told if fact["what"] == "usage"]
    assert usage["total_tokens"] == 15


def test_context_goes_over_and_changes_come_back(run):
    orchestrator, result = run("write score.home 2", "write score.away 1", "write name x")
    assert result.errors == []
    assert orchestrator.context_at("s", 4) == {"score": {"home": "2", "away": "1"}, "name": "x"}


def test_runs_of_a_slice_are_done_side_by_side(apart):
    orchestrator = CrewOrchestrator()
    orchestrator.register_crew(
        "crew", apart.crew, triggers=["ask"], isolation="process", concurrency=6
    )
    result = orchestrator.run_sync(events(*["nap"] * 6, apart_s=0))
    assert result.errors == []
    assert len(set(pids(result))) == 6


async def test_what_a_process_asks_is_recorded_and_served_again(apart, tmp_path):
    orchestrator = CrewOrchestrator(journal=tmp_path / "journal.db")
    orchestrator.register_crew("crew", apart.crew, triggers=["ask"], isolation="process")
    result = await orchestrator.run(events("pid", "pid"))
    assert result.errors == []
    replayed = await orchestrator.replay(tmp_path / "journal.db", mode="reexecute")
    # The answers are the recorded ones: they name the process of then, and this is another one.
    assert (replayed.ok, len(replayed.runs)) == (True, 2)


def test_what_hangs_is_killed_at_its_deadline_with_all_it_started(run, tmp_path):
    where = tmp_path / "pids"
    run("pid")
    began = time.monotonic()
    _, result = run(f"hang {where}", "pid", timeout_ms=2000)
    error = one_error(result)
    assert error.reason == "timeout"
    assert time.monotonic() - began < 10
    assert [action.payload["text"] for action in result.actions] == ["pid"]
    hung, started = where.read_text().split()
    assert is_gone(hung)
    assert is_gone(started)
    assert str(pids(result)[0]) != hung


def test_a_run_that_was_ended_says_how_far_it_came(run):
    orchestrator, _ = run("die 7")
    assert "agent started" in [fact["what"] for fact in facts(orchestrator)]


@pytest.mark.parametrize(
    ("act", "said"),
    [
        ("die 7", "exit code 7"),
        ("die 0", "exit code 0"),
        ("exit 3", "sys.exit(3)"),
        (f"crash {int(signal.SIGSEGV)}", "SIGSEGV"),
        (f"crash {int(signal.SIGKILL)}", "SIGKILL"),
        ("odd", "this and that"),
    ],
)
def test_what_ends_a_process_is_the_error_of_its_run_alone(act, said, run):
    _, result = run(act, "pid")
    assert said in one_error(result).message
    assert [action.payload["text"] for action in result.actions] == ["pid"]


def test_an_exception_comes_back_as_itself_and_the_process_goes_on(run):
    _, result = run("pid", "boom", "pid")
    error = one_error(result)
    assert "nothing there" in error.message
    assert isinstance(error.__cause__, LookupError)
    assert "ACTS[act]" in str(error.__cause__.__cause__)
    assert len(set(pids(result))) == 1


@pytest.mark.skipif(sys.platform != "linux", reason="macOS does not tell what a process uses")
@pytest.mark.parametrize("act", ["eat", "gulp"])
def test_memory_is_bounded(act, run):
    _, result = run(act, "pid", memory_mb=100)
    assert "memory_mb: 100" in one_error(result).message
    assert len(result.actions) == 1


def test_processor_time_is_bounded(run):
    began = time.monotonic()
    _, result = run("burn", "pid", cpu_s=1)
    assert "cpu_s: 1" in one_error(result).message
    assert len(result.actions) == 1
    assert time.monotonic() - began < 20


def test_what_is_printed_is_logged_with_its_run(run, caplog):
    caplog.set_level(logging.INFO, logger="live_crew.crews")
    run("say hello")
    lines = [(one.getMessage(), one) for one in caplog.records if one.name == "live_crew.crews"]
    told = {text.partition(": ")[2]: record for text, record in lines}
    for text in ("printed hello", "complained hello", "from C", "half a line"):
        record = told[text]
        assert (record.stream_id, record.slice, record.crew) == ("s", 0, "crew")


def test_a_flood_is_cut_and_holds_nobody_up(run, caplog):
    caplog.set_level(logging.INFO, logger="live_crew.crews")
    _, result = run("flood", "say hello")
    assert result.errors == []
    texts = [one.getMessage() for one in caplog.records]
    assert sum(map(len, texts)) < 400_000
    assert any("KB more" in text for text in texts)
    assert any("printed hello" in text for text in texts)


def test_log_records_are_handled_here(run, caplog):
    run("log")
    (record,) = [one for one in caplog.records if one.name == "my.tools"]
    assert (record.getMessage(), record.levelname) == ("look at this", "WARNING")
    assert (record.crew, record.stream_id) == ("crew", "s")


def test_a_prompt_without_agents_is_asked_in_a_process(apart):
    orchestrator = CrewOrchestrator()
    orchestrator.register_crew(
        "crew",
        None,
        triggers=["ask"],
        isolation="process",
        user_template="Say {{ event.payload.act }}.",
        llm={"python": "apart:model"},
        outputs={"kind": "said", "payload": "{{ generated }}"},
    )
    result = orchestrator.run_sync(events("hello"))
    assert result.errors == []
    assert result.actions[0].kind == "said"
    pid, said = result.actions[0].payload
    assert (pid != os.getpid(), said) == (True, "Say hello.")


def test_there_are_only_so_many_processes_and_idle_ones_make_room(apart, run, monkeypatch):
    from live_crew.crews.process import pool

    run("pid")
    monkeypatch.setattr(pool, "MOST_PROCESSES", 2)
    orchestrator = CrewOrchestrator()
    orchestrator.register_crew(
        "crew", apart.crew, triggers=["ask"], isolation="process", concurrency=6
    )
    result = orchestrator.run_sync(events(*["nap"] * 6, apart_s=0))
    assert result.errors == []
    assert len(set(pids(result))) == 2
    monkeypatch.setattr(pool, "IDLE_S", 0)
    looked = threading.Event()
    pool.process_lane().call_soon(lambda: (pool.the_pool()._look(), looked.set()))
    assert looked.wait(10)
    left = pids(orchestrator.run_sync(events("pid")))
    assert len(pool.the_pool()._workers) == 1
    assert left[0] in pids(result)


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


# -- the end of the program ----------------------------------------------------------------------

PROGRAM = """
import os, sys, time
sys.path.insert(0, sys.argv[1])
import apart
from live_crew import CrewOrchestrator

def crew():
    return apart.crew()

if __name__ == "__main__":
    orchestrator = CrewOrchestrator()
    orchestrator.register_crew("crew", crew, triggers=["ask"], isolation="process")

    def ask(act):
        event = {"ts": "2026-01-01T00:00:00Z", "kind": "ask", "stream_id": "s"}
        return orchestrator.run_sync([{**event, "payload": {"act": act}}]).actions[0].payload["pid"]

    pid = ask("pid")
    apart.note(sys.argv[2], pid)
    if os.fork() == 0:
        # It has what we have, and must neither keep our processes alive nor end them.
        apart.note(sys.argv[2] + ".forked")
        time.sleep(60)
    apart.wait(sys.argv[2] + ".forked")
    assert ask("pid") == pid
    if len(sys.argv) > 3:
        ask(f"think {sys.argv[3]}")
"""


@pytest.fixture
def program(folder, tmp_path):
    """Starts a program in a session of its own; gives it and the processes it has."""
    script = tmp_path / "program.py"
    script.write_text(PROGRAM)
    started = []

    def start(*args):
        where = tmp_path / "pids"
        process = subprocess.Popen(
            [sys.executable, str(script), str(folder), str(where), *map(str, args)],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        started.append(process)
        for path in (where, *args):
            until = time.monotonic() + 200
            while not path.exists():
                assert process.poll() is None, process.stdout.read()
                assert time.monotonic() < until
                time.sleep(0.01)
        child = int(where.read_text().split()[1])
        server = int(Path(f"/proc/{child}/stat").read_text().rpartition(")")[2].split()[1])
        return process, child, server

    yield start
    for process in started:
        # With what it has forked.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


needs_proc = pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")


@needs_proc
def test_a_program_that_is_killed_leaves_no_process(program, tmp_path):
    process, child, server = program(tmp_path / "thinks")
    assert server != process.pid
    os.kill(process.pid, signal.SIGKILL)
    assert is_gone(child)
    assert is_gone(server)


@needs_proc
def test_an_interrupt_is_for_the_program_and_it_ends_at_once(program, tmp_path):
    process, child, server = program(tmp_path / "thinks")
    assert os.getpgid(server) not in (process.pid, os.getpgid(child))
    os.kill(process.pid, signal.SIGINT)
    process.wait(5)
    assert is_gone(child)
    assert is_gone(server)
