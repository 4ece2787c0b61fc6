"""Crews that do what no crew should: each harms its own run, and nothing beside it."""

import asyncio
import signal
import subprocess
import sys
import textwrap
import threading
import time

import pytest

from live_crew import Orchestrator, event_handler
from live_crew.crews.seams import BaseTool, Crew
from live_crew.testing import ProviderError, ScriptedLLM

ACT = 'Thought: t\nAction: act\nAction Input: {"what": "it"}'


def orchestrator(mine, *, name="crew", **runtime):
    settings = {key: runtime.pop(key) for key in ("journal", "slice_ms") if key in runtime}
    made = Orchestrator(**settings)
    made.register_crew(name, mine, **{"triggers": ["ask"], **runtime})
    return made


def run(mine, events, **runtime):
    return orchestrator(mine, **runtime).run_sync(events)


def payloads(result):
    return [action.payload for action in result.actions]


def reasons(result):
    return [error.reason for error in result.errors]


def tool(does):
    class Act(BaseTool):
        name: str = "act"
        description: str = "acts"

        def _run(self, what: str = "") -> str:
            return does(what)

    return Act()


@pytest.fixture
def acting(model, crew):
    """A crew that calls a tool once, then says what came of it, or `went on`."""

    def make(does, **keys):
        steps = iter([ACT])

        def say(text):
            return next(steps, "Final Answer: went on")

        llm = model(say)
        return crew(llm, tools=[tool(does)], **keys), llm

    return make


# -- models --------------------------------------------------------------------------------------


@pytest.mark.usefixtures("newer")
def test_a_provider_that_is_never_ready_is_bounded_by_the_deadline(crew, events):
    busy = crew(ScriptedLLM(ProviderError(429, retry_after=20)))
    began = time.monotonic()
    assert reasons(run(busy, events({}), timeout_ms=400)) == ["timeout"]
    assert time.monotonic() - began < 15


@pytest.mark.parametrize(
    "said",
    [
        '{"kind": "a", "payload": NaN}',
        '{"kind": "a", "payload": -Infinity}',
        '{"kind": "a", "payload": 1e999}',
        '{"kind": "a", "payload": ' + "9" * 5000 + "}",
        '{"kind": "a", "payload": ' + "[" * 5000 + "]" * 5000 + "}",
        "{" * 100_000,
        '{"kind": "a", "payload": "\\ud800"}',
        "half a pair \ud800 as it is",
        "\x00",
        "x" * 5_000_000,
    ],
    ids=["nan", "infinity", "1e999", "digits", "deep", "open", "escape", "half", "null", "long"],
)
def test_whatever_a_model_says_the_run_ends_and_the_next_one_is_fine(
    said, model, crew, events, tmp_path
):
    asked = []

    def say(_):
        asked.append(1)
        return said if len(asked) == 1 else "fine"

    made = orchestrator(crew(model(say)), journal={"path": str(tmp_path / "journal.db")})
    result = made.run_sync(events({}, {}))
    assert result.ending == "finished"
    assert payloads(result)[-1] == {"text": "fine"}
    assert len(result.actions) + len(result.errors) == 2
    assert set(reasons(result)) <= {"output", "error"}
    assert made.journal.verify("s")["divergence"] is None


# -- code of the user ----------------------------------------------------------------------------


def fail(*_):
    raise RuntimeError("by design")


@pytest.mark.parametrize(
    "where", ["step_callback", "task_callback", "after_kickoff_callbacks", "callback", "guardrail"]
)
def test_a_callback_that_raises_fails_the_run(where, model, crew, events):
    # A step is a call of a tool; CrewAI asks its agent again when that fails.
    is_step = where == "step_callback"
    mine = crew(model(ACT if is_step else "fine"), tools=[tool(str)] if is_step else [])
    of = mine.tasks[0] if where in {"callback", "guardrail"} else mine
    setattr(of, where, [fail] if where.endswith("s") else fail)
    result = run(mine, events({}))
    assert len(result.errors) == 1, result
    assert "by design" in str(result.errors[0])


def test_a_tool_that_exits_ends_its_run_only(acting, events):
    mine, _ = acting(lambda _: sys.exit(4))
    result = run(mine, events({}, {}))
    assert "called sys.exit(4)" in str(result.errors[0])
    assert payloads(result) == [{"text": "went on"}]


def test_an_interrupt_raised_in_a_tool_reaches_the_program_and_the_lane_goes_on(
    acting, model, crew, events
):
    def interrupt(_):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(acting(interrupt)[0], events({}))
    assert run(crew(model("fine")), events({})).ok


def test_a_copy_that_fails_is_a_failed_run(model, crew, events):
    copies = []

    class Brittle(Crew):
        def copy(self):
            copies.append(1)
            if len(copies) == 2:
                raise RuntimeError("no copy today")
            made = super().copy()
            # A copy of the class, as CrewAI makes none.
            return Brittle(agents=made.agents, tasks=made.tasks)

    plain = crew(model("fine"))
    mine = Brittle(agents=plain.agents, tasks=plain.tasks)
    result = run(mine, events({}, {}))
    assert "no copy today" in str(result.errors[0])
    assert payloads(result) == [{"text": "fine"}]


def test_a_tool_may_give_five_megabytes(acting, events):
    mine, llm = acting(lambda _: "x" * 5_000_000)
    result = run(mine, events({}))
    assert result.ok, result.errors
    assert len(str(llm._talks[-1])) > 5_000_000


# -- scheduling ----------------------------------------------------------------------------------


def test_two_streams_run_the_same_crew_at_once(model, crew, events):
    both = threading.Barrier(2, timeout=30)

    def say(text):
        both.wait()
        return "north" if "north" in text else "south"

    given = [one for name in ("north", "south") for one in events({}, stream=name)]
    result = run(crew(model(say), "You are in {stream_id}."), given)
    assert result.ok, result.errors
    assert {one.stream_id: one.payload["text"] for one in result.actions} == {
        "north": "north",
        "south": "south",
    }


def test_c2_a_batch_is_one_run_with_all_events_of_the_slice(model, crew, events):
    llm = model("fine")
    three = [{**one, "ts": "2026-01-01T00:00:00Z"} for one in events(1, 2, 3)]
    result = run(crew(llm, "All: {events}"), three, batch="slice")
    assert result.ok, result.errors
    assert len(llm._asked) == 1
    assert [f'"payload": {n}' in llm._asked[0] for n in (1, 2, 3)] == [True] * 3


def test_c7_a_crew_that_fails_once_is_run_again(model, crew, events):
    attempts = []

    @event_handler("ask")
    def before(event):
        return None

    class Once(Crew):
        def copy(self):
            attempts.append(1)
            if len(attempts) == 2:
                raise RuntimeError("only once")
            made = super().copy()
            return Once(agents=made.agents, tasks=made.tasks)

    plain = crew(model("fine"))
    mine = Once(agents=plain.agents, tasks=plain.tasks)
    result = run(mine, events({}), retry={"attempts": 2})
    assert result.ok, result.errors
    assert payloads(result) == [{"text": "fine"}]
    assert len(attempts) == 3  # the template, and two attempts


def test_c8_a_crew_that_always_fails_is_disabled(model, crew, events):
    llm = model("")
    result = run(crew(llm), events(*[{}] * 5), max_errors=2)
    assert reasons(result)[:2] == ["error", "error"]
    assert set(reasons(result)[2:]) == {"disabled"}


async def test_stopping_without_draining_leaves_runs_in_flight_behind(model, crew, gate):
    begun = asyncio.Event()
    loop = asyncio.get_running_loop()

    def say(_):
        loop.call_soon_threadsafe(begun.set)
        gate.wait(60)
        return "too late"

    made = orchestrator(crew(model(say)), slice_ms=20)
    await made.start()
    for _ in range(3):
        await made.publish({"kind": "ask", "stream_id": "s", "payload": {}})
    await begun.wait()
    began = time.monotonic()
    result = await made.stop(drain=False)
    assert time.monotonic() - began < 5
    assert (result.ending, payloads(result)) == ("aborted", [])


def test_an_orchestrator_runs_twice(model, crew, events):
    made = orchestrator(crew(model("fine")))
    results = [made.run_sync(events({}, {})) for _ in range(2)]
    assert [payloads(one) for one in results] == [[{"text": "fine"}] * 2] * 2
    assert [one.usage["crew"]["total_tokens"] for one in results] == [30, 30]
    assert results[0].digests == results[1].digests


def test_two_orchestrators_run_at_once(model, crew, events):
    both = threading.Barrier(2, timeout=30)
    mine = crew(model(lambda _: f"fine{both.wait() * 0}"[:4]))
    results = []

    def do():
        results.append(run(mine, events({}, {})))

    threads = [threading.Thread(target=do) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [payloads(one) for one in results] == [[{"text": "fine"}] * 2] * 2


# -- processes -----------------------------------------------------------------------------------

PREPARED = """
import os, sys, threading, time
from live_crew import Orchestrator
from live_crew.crews import quiet

def crew(say):
    from crewai import Agent, Crew, Task
    from live_crew.testing import ScriptedLLM
    llm = ScriptedLLM(default=say)
    agent = Agent(role="r", goal="g", backstory="b", llm=llm)
    return Crew(agents=[agent], tasks=[Task(description="d", expected_output="e", agent=agent)])

EVENT = {"ts": "2026-01-01T00:00:00Z", "kind": "ask", "stream_id": "s", "payload": {}}

def run(say):
    made = Orchestrator()
    made.register_crew("crew", lambda: crew(say), triggers=["ask"])
    return made.run_sync([EVENT])

def say(word):
    print(word, flush=True)
"""


def program(text):
    command = [sys.executable, "-X", "faulthandler", "-c", PREPARED + textwrap.dedent(text)]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=pipe, stderr=pipe, text=True)


@pytest.mark.timeout(120)
def test_an_interrupt_during_a_run_ends_the_program_at_once():
    with program("""
        def hang(request):
            say("asked")
            threading.Event().wait(600)

        try:
            run(hang)
        except KeyboardInterrupt:
            say("interrupted")
    """) as process:
        assert process.stdout.readline() == "asked\n"
        process.send_signal(signal.SIGINT)
        began = time.monotonic()
        out, errors = process.communicate(timeout=60)
    assert (out, errors, process.returncode) == ("interrupted\n", "", 0)
    assert time.monotonic() - began < 8


@pytest.mark.timeout(120)
def test_a_fork_after_a_run_is_told_that_it_cannot_run_crews():
    with program("""
        import warnings

        assert run(lambda _: "fine").ok
        # From 3.12 on Python itself warns of such a fork.
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
        if child == 0:
            try:
                run(lambda _: "fine in the child")
            except Exception as error:
                say(f"{type(error).__name__}: {error}")
            os._exit(0)
        _, status = os.waitpid(child, 0)
        say(status)
        say(run(lambda _: "fine again").ok)
    """) as process:
        out, errors = process.communicate(timeout=100)
    assert errors == ""
    told, *after = out.splitlines()
    assert "start the orchestrator after the fork, or use the `spawn` start method" in told
    assert after == ["0", "True"]
