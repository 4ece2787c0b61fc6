"""Many runs in one process need no more than a few."""

import gc
import os
import threading
from collections import Counter
from pathlib import Path

import pytest

from live_crew import Orchestrator
from live_crew.crews.job import Job
from live_crew.crews.notes import Notes
from live_crew.crews.reactor import CrewReactor
from live_crew.crews.seams import Agent, BaseLLM, Crew, Task

# Whatever a run has one of.
COUNTED = (Agent, BaseLLM, Crew, CrewReactor, Job, Notes, Orchestrator, Task)
# The last runs may still be held by threads that wait for the next ones.
SLACK = 3


def alive():
    gc.collect()
    return Counter(type(one).__name__ for one in gc.get_objects() if isinstance(one, COUNTED))


def grown(before):
    return {name: more for name, more in (alive() - before).items() if more > SLACK}


def footprint():
    """Memory in MB, threads and descriptors."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    rss = pages * os.sysconf("SC_PAGE_SIZE") / 2**20
    return rss, threading.active_count(), len(list(Path("/proc/self/fd").iterdir()))


def of(mine, **runtime):
    made = Orchestrator()
    made.register_crew("crew", mine, triggers=["ask"], **runtime)
    return made


@pytest.mark.timeout(300)
def test_two_hundred_runs_leave_nothing_behind(model, crew, events):
    made = of(crew(model("fine"), "Say {word}."))

    def do(runs):
        result = made.run_sync(events(*[{"word": "x" * 1_000}] * runs))
        assert result.ok, result.errors[:1]

    do(20)
    before, (rss, threads, descriptors) = alive(), footprint()
    for _ in range(4):
        do(45)
    assert grown(before) == {}
    more_rss, more_threads, more_descriptors = footprint()
    assert more_rss - rss < 25
    assert more_threads - threads <= SLACK
    assert more_descriptors - descriptors <= SLACK


def test_orchestrators_that_are_gone_are_gone_with_their_crews(model, crew, events):
    llm = model("fine")
    of(crew(llm)).run_sync(events({}))
    before = alive()
    for _ in range(10):
        assert of(crew(llm)).run_sync(events({})).ok
    assert grown(before) == {}


def test_runs_that_were_given_up_are_gone_once_their_models_answer(model, crew, events, gate):
    llm = model(lambda _: gate.wait(60) and "too late")
    made = of(crew(llm), timeout_ms=50, max_errors=100)
    before = alive()
    result = made.run_sync(events(*[{}] * 12))
    assert {error.reason for error in result.errors} == {"timeout"}
    gate.set()
    # Another crew on the same lane comes after what the others still do.
    for _ in range(3):
        assert of(crew(model("fine"))).run_sync(events(*[{}] * 5)).ok
    assert grown(before) == {}
