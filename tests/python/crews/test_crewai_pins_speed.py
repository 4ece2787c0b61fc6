"""What live-crew takes for granted of CrewAI to make runs faster; see `test_crewai_pins.py`."""

import asyncio
import threading
from collections import Counter

import pytest
from crew_parts import storage  # noqa: F401 (an autouse fixture)
from crewai.events import crewai_event_bus as bus
from crewai.events.event_listener import event_listener
from crewai.events.types.crew_events import CrewKickoffStartedEvent
from crewai.flow import runtime
from pin_parts import kickoff, within

from live_crew import CrewOrchestrator
from live_crew.crews import seams, staying, tuning

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


def run(crew, events):
    orchestrator = CrewOrchestrator()
    orchestrator.register_crew("crew", crew, triggers=["ask"])
    result = orchestrator.run_sync(events({}))
    assert result.ok, result.errors


@pytest.fixture
def sent(monkeypatch):
    """What is sent to threads, and how often."""
    sent = Counter()
    original = asyncio.to_thread

    async def to_thread(function, /, *args, **named):
        step = args[0] if getattr(function, "__name__", "") == "run" and args else function
        sent[getattr(step, "__name__", str(step))] += 1
        return await original(function, *args, **named)

    monkeypatch.setattr(asyncio, "to_thread", to_thread)
    return sent


def test_steps_that_take_no_time_stay_and_calls_of_models_go_to_threads(sent, model, crew, events):
    threads = []
    run(crew(model(lambda _: threads.append(threading.current_thread().name) or "fine")), events)
    assert threads == ["live-crew crew step"]
    assert sent["call_llm_and_parse"] > 0
    assert not {*staying.QUICK, "_persist_method_completion"} & set(sent)


def test_steps_that_stay_are_steps_of_the_loop():
    for name in staying.QUICK:
        assert callable(getattr(seams.AgentExecutor, name)._meth), name
    assert isinstance(runtime.asyncio, staying.Asyncio)


async def test_elsewhere_every_step_goes_to_a_thread(sent, model, crew):
    await crew(model("fine")).akickoff()
    assert sent["check_max_iterations"] > 0
    assert sent["_persist_method_completion"] > 0


def test_events_that_only_crewai_hears_are_not_handed_to_its_threads(
    model, crew, events, monkeypatch
):
    handlers = bus._sync_handlers[CrewKickoffStartedEvent]
    assert {one.__module__ for one in handlers} == {
        "crewai.events.event_listener",
        "crewai.events.listeners.tracing.trace_listener",
    }
    assert event_listener._telemetry.ready is False
    handed = []
    monkeypatch.setattr(bus, "_call_handlers", lambda *told: handed.append(told))
    run(crew(model("fine")), events)
    assert handed == []


def test_events_that_somebody_else_hears_are_handed_over(model, crew, events):
    heard = []

    def hear(source, event):
        heard.append(event.crew_name)

    bus.on(CrewKickoffStartedEvent)(hear)
    try:
        run(crew(model("fine")), events)
    finally:
        bus.off(CrewKickoffStartedEvent, hear)
    assert heard == ["crew"]


def test_the_bus_starts_its_loop_by_a_method_that_may_be_called_before():
    assert bus._ensure_executor_initialized() is None
    assert bus._loop.is_running() or bus._loop_thread.is_alive()


def test_a_step_that_is_bound_is_the_step_that_crewai_binds():
    step = seams.AgentExecutor.check_max_iterations
    executor = object()
    ours = step.__get__(executor, seams.AgentExecutor)
    theirs = type(step)(step._meth, executor)
    assert type(ours) is type(theirs)
    # What the decorators say of it is copied from the step too.
    assert vars(theirs).items() <= {**vars(ours)}.items()
    assert (ours.__self__, ours._instance) == (executor, executor)


def test_private_attributes_of_the_loop_are_no_descriptors(model, crew):
    attributes = seams.AgentExecutor.__private_attributes__
    assert not [name for name, one in attributes.items() if hasattr(one, "__get__")]
    with pytest.raises(AttributeError, match="no_such_thing"):
        _ = seams.AgentExecutor.model_construct().no_such_thing


def test_a_copy_opens_no_store_and_a_crew_of_somebody_else_does(model, crew, monkeypatch):
    from crewai.utilities import task_output_storage_handler as handler

    opened = []
    monkeypatch.setattr(handler, "KickoffTaskOutputsSQLiteStorage", lambda: opened.append(1))
    mine = crew(model("fine"))
    assert len(opened) == 1
    copied = within(lambda: seams.fresh_copy(mine))
    assert type(copied._task_output_handler).__name__ == "_NoStore"
    assert len(opened) == 1
    mine.copy()
    assert len(opened) == 2


def test_without_a_cache_the_file_store_finds_nothing(model, crew, monkeypatch):
    import crewai.utilities.file_store as files

    assert hasattr(files, "_file_store")
    asked = []

    def run_sync(coroutine):
        asked.append(coroutine.__name__)
        coroutine.close()

    monkeypatch.setattr(files, "_run_sync", run_sync)
    kickoff(crew(model("fine")))
    assert asked, "nothing is looked up: `_skip_absent_files` is of no use any more"


def test_locks_are_those_of_the_back_end_that_was_set():
    from crewai_core import lock_store

    assert lock_store._backend is tuning.in_process
    with lock_store.lock("a"), lock_store.lock("a", timeout=1):
        pass
    held = threading.Thread(target=lambda: taken.append(_try_lock(lock_store)))
    taken = []
    with lock_store.lock("a"):
        held.start()
        held.join()
    assert taken == ["TimeoutError"]


def _try_lock(lock_store):
    try:
        with lock_store.lock("a", timeout=0.01):
            return "taken"
    except TimeoutError as error:
        return type(error).__name__
