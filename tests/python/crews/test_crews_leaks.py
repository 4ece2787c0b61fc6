"""Many runs in one process need no more than a few."""

import asyncio
import ctypes
import gc
import os
import subprocess
import sys
import threading
import time
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
RUNS = 1_000
# Less than what any crew needs that was kicked off, whose prompts have the text of its event.
BYTES_OF_A_RUN, TEXT = 25_000, "x" * 10_000


class Forgetful(BaseLLM):
    """It keeps nothing of what it is asked, and has CrewAI say nothing of its size."""

    def call(self, *_, **__):
        return "fine"

    def get_context_window_size(self):
        return 100_000

    def get_input_tokens_count(self, *_, **__):
        return 10


def alive():
    gc.collect()
    return Counter(type(one).__name__ for one in gc.get_objects() if isinstance(one, COUNTED))


def left_behind(before, within=30):
    """What there is more of than before, once threads have had time to end what they do."""
    end = time.monotonic() + within
    while (more := dict(alive() - before)) and time.monotonic() < end:
        time.sleep(0.05)
    return more


def footprint():
    """Memory in bytes, threads and descriptors."""
    # What was given back to the allocator and is kept by it for later is no leak.
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    rss = pages * os.sysconf("SC_PAGE_SIZE")
    return rss, threading.active_count(), len(list(Path("/proc/self/fd").iterdir()))


def of(mine, journal=None, **runtime):
    made = Orchestrator(journal=journal)
    made.register_crew("crew", mine, triggers=["ask"], **runtime)
    return made


@pytest.mark.timeout(300)
def test_a_thousand_runs_leave_nothing_behind(crew, events, tmp_path):
    # What a journal holds is no leak: it is in a file.
    made = of(crew(Forgetful(model="forgetful"), "Say {word}."), tmp_path / "journal.db")

    def do(runs, stream):
        result = made.run_sync(events(*[{"word": TEXT}] * runs, stream=stream))
        assert result.ok, result.errors[:1]

    do(RUNS // 5, "warm")
    before, (rss, threads, descriptors) = alive(), footprint()
    for at in range(5):
        do(RUNS // 5, f"s{at}")
    assert left_behind(before) == {}
    more_rss, more_threads, more_descriptors = footprint()
    # Pools may still grow to what they need; if each run left one there were a thousand more.
    assert more_threads - threads < RUNS / 10
    assert more_descriptors - descriptors < RUNS / 10
    assert more_rss - rss < RUNS * BYTES_OF_A_RUN


def test_orchestrators_that_are_gone_are_gone_with_their_crews(model, crew, events):
    llm = model("fine")
    before = alive()
    for _ in range(10):
        assert of(crew(llm)).run_sync(events({})).ok
    assert left_behind(before) == {}


def test_runs_that_were_given_up_are_gone_once_their_models_answer(model, crew, events, gate):
    llm = model(lambda _: gate.wait(60) and "too late")
    made = of(crew(llm), timeout_ms=100, max_errors=100)
    asyncio.run(made.load())
    before = alive()
    result = made.run_sync(events(*[{}] * 12))
    assert {error.reason for error in result.errors} == {"timeout"}
    del result
    # On a slow machine some are given up before they come so far.
    assert llm._asked
    gate.set()
    assert left_behind(before) == {}


# CrewAI's bus starts with the first event, in whatever context that is emitted in.
FIRST_RUN = """
import gc, weakref
from live_crew import Orchestrator
from live_crew.crews.job import Job
from live_crew.crews.seams import Agent, Crew, Task
from live_crew.testing import ScriptedLLM

agent = Agent(role="r", goal="g", backstory="b", llm=ScriptedLLM("fine"))
made = Orchestrator()
crew = Crew(agents=[agent], tasks=[Task(description="d", expected_output="e", agent=agent)])
made.register_crew("crew", crew, triggers=["ask"])
event = {"ts": "2026-01-01T00:00:00Z", "kind": "ask", "stream_id": "s", "payload": {}}
for _ in range(2):
    assert made.run_sync([event]).ok
# The second run came after all that the first one did.
gc.collect()
print(sum(isinstance(one, Job) for one in gc.get_objects()))
"""


def test_the_first_run_of_a_process_is_held_no_longer_than_others():
    told = subprocess.run(
        [sys.executable, "-c", FIRST_RUN], capture_output=True, text=True, check=False
    )
    assert told.stdout.split() == ["0"], told.stderr
