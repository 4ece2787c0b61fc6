"""What live-crew takes for granted of a kickoff of CrewAI; see `test_crewai_pins.py`."""

import importlib
import inspect
import pkgutil
import threading
from weakref import WeakKeyDictionary

import pytest
from crew_parts import crew_of, storage  # noqa: F401 (an autouse fixture)
from pin_parts import kickoff, within

from live_crew.crews import notes
from live_crew.crews.seams import (
    BaseLLM,
    HookAborted,
    InterceptionPoint,
    LLMCallType,
    add_stream_sink,
    llm_call_context,
    scoped_hooks,
    set_execution_uuid,
    set_provider,
    set_suppress_console_output,
    triggered_by_scope,
)

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


# -- events --------------------------------------------------------------------------------------


def test_a_sink_sees_the_events_of_its_context_in_order_and_before_the_next_step(model, crew):
    seen = []
    llm = model(lambda _: seen.append("asked") or "fine")
    kickoff(crew(llm), lambda: add_stream_sink(lambda _, event: seen.append(event.type)))
    order = ["crew_kickoff_started", "task_started", "agent_execution_started", "asked"]
    order += ["agent_execution_completed", "task_completed", "crew_kickoff_completed"]
    assert [one for one in seen if one in order] == order


def test_a_sink_sees_no_events_of_other_contexts(model, crew):
    both = {"one": [], "two": []}

    def one_of(name):
        def see(_, event):
            both[name].append(event.task_name)

        kickoff(crew(model("fine"), name), lambda: add_stream_sink(see))

    threads = [threading.Thread(target=one_of, args=(name,)) for name in both]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    outside = []
    within(lambda: add_stream_sink(lambda _, event: outside.append(event)))
    assert len(both["one"]) == len(both["two"]) > 5
    assert outside == []


def test_a_sink_that_raises_breaks_the_run_which_is_why_ours_does_not(model, crew):
    def see(_source, _event):
        raise RuntimeError("from the sink")

    with pytest.raises(RuntimeError, match="from the sink"):
        kickoff(crew(model("fine")), lambda: add_stream_sink(see))


def test_events_say_what_triggered_them(model, crew):
    seen = []

    def do():
        set_suppress_console_output(True)
        set_execution_uuid("a run")
        add_stream_sink(lambda _, event: seen.append(event.triggered_by_event_id))
        with triggered_by_scope("our run"):
            crew(model("fine")).kickoff()

    within(do)
    assert set(seen) == {"our run"}


def test_every_event_that_notes_tell_of_exists():
    from crewai.events import types

    modules = [one.name for one in pkgutil.iter_modules(types.__path__)]
    known = set().union(*(_event_types(f"{types.__name__}.{name}") for name in modules))
    # It came later than the oldest release that is supported.
    assert set(notes._WORDS) - known <= {"tool_failure_detected"}


def _event_types(module):
    found = set()
    for one in vars(importlib.import_module(module)).values():
        field = getattr(one, "model_fields", {}).get("type") if inspect.isclass(one) else None
        if field is not None and isinstance(field.default, str):
            found.add(field.default)
    return found


def test_a_model_tells_of_its_calls_by_events_with_a_name_for_each_call(model, crew):
    seen = []
    said = {"from_task": None, "from_agent": None}

    class Telling(BaseLLM):
        def call(self, messages, *_, **about):
            with llm_call_context() as call:
                assert call
                self._emit_call_started_event(messages, None, None, None, **said)
                self._invoke_before_llm_call_hooks(self._format_messages(messages), None)
                self._emit_call_completed_event(
                    response="fine", call_type=LLMCallType.LLM_CALL, messages=[], **said
                )
            return self._invoke_after_llm_call_hooks([], "fine", None)

    kickoff(
        crew(Telling(model="telling", provider="telling")),
        lambda: add_stream_sink(lambda _, event: seen.append(event.type)),
    )
    assert [one for one in seen if "llm" in one] == ["llm_call_started", "llm_call_completed"]
    assert {one.name for one in LLMCallType} >= {"LLM_CALL", "TOOL_CALL"}


def test_tasks_that_never_end_are_listed_by_one_object_and_not_kept():
    from crewai.events.event_listener import EventListener, event_listener

    assert event_listener is EventListener()
    source = inspect.getsource(EventListener)
    assert "self.execution_spans[source]" in source
    assert "self.execution_spans.pop(source, None)" in source
    assert isinstance(event_listener.execution_spans, WeakKeyDictionary)


# -- hooks ---------------------------------------------------------------------------------------


def hooked(crew, point, hook, **inputs):
    def do():
        set_suppress_console_output(True)
        set_execution_uuid("a run")
        with scoped_hooks({point: [hook]}):
            return crew.kickoff(inputs=inputs)

    return within(do)


def test_a_hook_before_each_call_of_a_model_may_stop_the_run_at_once(model, crew):
    llm = model("fine")

    def stop(_):
        raise HookAborted("enough", "us")

    # Older releases say so in words of their own.
    with pytest.raises((HookAborted, ValueError), match=r"enough|blocked by before_llm"):
        hooked(crew(llm), InterceptionPoint.PRE_MODEL_CALL, stop)
    assert llm._asked == []


def test_anything_else_that_a_hook_raises_is_swallowed(model, crew):
    def fail(_):
        raise RuntimeError("not heard")

    output = hooked(crew(model("fine")), InterceptionPoint.PRE_MODEL_CALL, fail)
    assert output.raw == "fine"


def test_hooks_hold_within_their_scope_only(model, crew):
    seen = []
    hooked(crew(model("fine")), InterceptionPoint.PRE_MODEL_CALL, seen.append)
    assert len(seen) == 1
    kickoff(crew(model("fine")))
    assert len(seen) == 1


def test_a_hook_before_a_call_of_a_tool_stops_that_call_and_not_the_run(model, crew):
    from live_crew.tools import read_context

    steps = iter(['Action: read_context\nAction Input: {"path": "a"}', "Final Answer: went on"])

    def stop(_):
        raise HookAborted("enough", "us")

    mine = crew(model(lambda _: next(steps)), tools=[read_context])
    assert hooked(mine, InterceptionPoint.PRE_TOOL_CALL, stop).raw == "went on"


def test_what_a_hook_before_a_step_returns_is_the_context_of_the_task(model, crew):
    llm, steps = model("fine"), []

    def tell(step):
        steps.append((step.kind, step.payload))
        return "Told by the hook."

    hooked(crew(llm, "One.", "Two."), InterceptionPoint.PRE_STEP, tell)
    tasks = [payload for kind, payload in steps if kind == "task"]
    assert len(tasks) == 2
    assert not tasks[0]
    assert "fine" in tasks[1]
    assert all("Told by the hook." in text for text in llm._asked)


# -- whoever is asked, and what is printed ---------------------------------------------------


def test_a_provider_of_human_input_is_one_of_its_context(model, crew):
    from crewai.core.providers.human_input import SyncHumanInputProvider, get_provider

    class Refuses(SyncHumanInputProvider):
        def handle_feedback(self, *_, **__):
            raise HookAborted("nobody is there", "us")

        async def handle_feedback_async(self, *_, **__):
            self.handle_feedback()

    with pytest.raises(HookAborted, match="nobody"):
        kickoff(crew(model("fine"), human_input=True), lambda: set_provider(Refuses()))
    assert type(within(get_provider)) is SyncHumanInputProvider


def test_a_named_run_starts_no_tracing(model, crew, monkeypatch):
    monkeypatch.setenv("CREWAI_TRACING_ENABLED", "true")
    begun = []
    try:
        from crewai import execution

        monkeypatch.setattr(execution, "_start_tracing", lambda *_: begun.append(1))
    except (ImportError, AttributeError):
        pytest.skip("this CrewAI traces in another way")
    kickoff(crew(model("fine")))
    assert not begun
    within(lambda: (set_suppress_console_output(True), crew(model("fine")).kickoff()))
    assert begun, "a run without a name starts it: the pin is one"


def test_nothing_is_printed_where_it_is_suppressed(model, crew, capsys):
    mine = crew(model("fine"))
    mine.verbose = True
    # Whatever runs of other tests that were given up still had to say.
    capsys.readouterr()
    kickoff(mine)
    assert capsys.readouterr() == ("", "")
