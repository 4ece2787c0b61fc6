"""What only shows in a process of its own: signals, forks, the end of the interpreter."""

import os
import signal
import subprocess
import sys
import textwrap

import pytest

PREPARED = """
import asyncio, os, sys, threading
from datetime import datetime, timezone
from live_crew import Event, Orchestrator, event_handler

def tick(number=0):
    ts = datetime.now(timezone.utc)
    return Event(ts=ts, kind="tick", stream_id="s", payload=number)

def say(word):
    print(word, flush=True)
"""


def program(text: str) -> subprocess.Popen[str]:
    code = PREPARED + textwrap.dedent(text)
    command = [sys.executable, "-X", "faulthandler", "-W", "error", "-c", code]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True)


def told(text: str) -> tuple[int, str, str]:
    """Exit code, output and errors of a program that ends by itself."""
    with program(text) as process:
        return ended(process)


def interrupted(text: str) -> tuple[int, str, str]:
    """The same of one that is interrupted once it has said a line."""
    with program(text) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        process.send_signal(signal.SIGINT)
        code, out, error = ended(process)
        return code, line + out, error


def ended(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    try:
        out, error = process.communicate(timeout=40)
    finally:
        process.kill()
    return process.returncode, out, error


HANDLERS = {
    "plain": """
        @event_handler("tick")
        def wait(event):
            say("here")
            while True:
                pass
    """,
    "thread": """
        @event_handler("tick", timeout_ms=3_600_000)
        def wait(event):
            say("here")
            threading.Event().wait()
    """,
    "async": """
        @event_handler("tick")
        async def wait(event):
            say("here")
            await asyncio.Event().wait()
    """,
}


@pytest.mark.parametrize("handler", HANDLERS)
def test_an_interrupt_ends_run_sync_with_keyboard_interrupt(handler):
    code, out, error = interrupted(
        textwrap.dedent(HANDLERS[handler])
        + textwrap.dedent("""
        orchestrator = Orchestrator()
        orchestrator.register_handler(wait)
        try:
            orchestrator.run_sync([tick()])
        except KeyboardInterrupt:
            say("interrupted")
        """)
    )
    assert (code, out) == (0, "here\ninterrupted\n"), error
    assert error == ""


def test_an_interrupt_that_comes_as_the_loop_falls_asleep_is_not_lost():
    # One that another thread takes is like it: nothing the main thread does ends early.
    code, out, error = told("""
        import signal, time

        def interrupt():
            time.sleep(0.1)
            signal.pthread_kill(threading.get_ident(), signal.SIGINT)

        @event_handler("tick")
        async def wait(event):
            threading.Thread(target=interrupt).start()
            await asyncio.Event().wait()

        signal.signal(signal.SIGALRM, lambda *_: os._exit(3))
        signal.alarm(10)
        orchestrator = Orchestrator()
        orchestrator.register_handler(wait)
        try:
            orchestrator.run_sync([tick()])
        except KeyboardInterrupt:
            say("interrupted")
        say(signal.set_wakeup_fd(-1))
    """)
    assert (code, out) == (0, "interrupted\n-1\n"), error
    assert error == ""


def test_a_wake_up_that_the_program_set_stays_as_it_is():
    code, out, error = told("""
        import signal, socket
        ear, bell = socket.socketpair()
        bell.setblocking(False)
        signal.set_wakeup_fd(bell.fileno())
        seen = []

        @event_handler("tick")
        async def wait(event):
            seen.append(signal.set_wakeup_fd(bell.fileno()))

        orchestrator = Orchestrator()
        orchestrator.register_handler(wait)
        orchestrator.run_sync([tick()])
        seen.append(signal.set_wakeup_fd(-1))
        say(seen == [bell.fileno()] * 2)
        ear.close(), bell.close()
    """)
    assert (code, out) == (0, "True\n"), error
    assert error == ""


def test_an_interrupt_ends_a_live_run_with_keyboard_interrupt():
    code, _, error = interrupted("""
        async def main():
            async with Orchestrator() as orchestrator:
                say("live")
                async for action in orchestrator.actions():
                    pass
        asyncio.run(main())
    """)
    assert code in (-signal.SIGINT, 130, 1)
    assert error.rstrip().endswith("KeyboardInterrupt")


def test_the_interpreter_ends_while_a_run_is_live():
    code, out, error = told("""
        begun = threading.Event()

        @event_handler("tick", start="arrival")
        def stuck(event):
            say("stuck")
            begun.set()
            threading.Event().wait()

        async def main():
            orchestrator = Orchestrator()
            orchestrator.register_handler(stuck)
            await orchestrator.start()
            await orchestrator.publish(tick())
            while not begun.is_set():
                await asyncio.sleep(0)
        asyncio.run(main())
        say("over")
    """)
    assert code == 0, error
    assert out == "stuck\nover\n"


def test_the_interpreter_ends_with_an_orchestrator_nobody_closed():
    code, out, error = told("""
        loop = asyncio.new_event_loop()
        orchestrator = Orchestrator()
        loop.run_until_complete(orchestrator.start())
        loop.run_until_complete(orchestrator.publish(tick()))
        say("over")
        loop.close()
    """)
    assert (code, out) == (0, "over\n"), error


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_a_fork_after_the_start_is_told_what_to_do():
    code, out, error = told("""
        import warnings
        warnings.simplefilter("ignore", DeprecationWarning)

        @event_handler("tick")
        def echo(event):
            return event.payload

        def run():
            orchestrator = Orchestrator()
            orchestrator.register_handler(echo)
            return orchestrator.run_sync([tick(7)]).actions[0].payload

        say(run())
        child = os.fork()
        if child == 0:
            try:
                run()
            except Exception as error:
                say(f"{type(error).__name__}: {error}")
            os._exit(0)
        os.waitpid(child, 0)
        say(run())
    """)
    assert code == 0, error
    first, refused, again = out.splitlines()
    assert (first, again) == ("7", "7")
    assert "after the fork" in refused


def test_an_orchestrator_made_before_a_fork_runs_after_it():
    code, out, error = told("""
        import warnings
        warnings.simplefilter("ignore", DeprecationWarning)
        orchestrator = Orchestrator()
        orchestrator.register_crew("echo", lambda event: event.payload)
        child = os.fork()
        if child == 0:
            say(orchestrator.run_sync([tick(7)]).actions[0].payload)
            os._exit(0)
        os.waitpid(child, 0)
    """)
    assert (code, out) == (0, "7\n"), error


def test_handlers_alone_bring_no_crewai():
    code, out, error = told("""
        import live_crew.orchestrator, live_crew.testing.stream
        say("crewai" in sys.modules)

        @event_handler("tick")
        def echo(event):
            return event.payload

        orchestrator = Orchestrator()
        orchestrator.register_handler(echo)
        say(orchestrator.run_sync([tick(7)]).actions[0].payload)
        say("crewai" in sys.modules)
    """)
    assert (code, out) == (0, "False\n7\nFalse\n"), error


def test_an_interrupt_at_any_line_that_makes_or_ends_a_task_is_one():
    """A task that is half made would never end, and asyncio wait for it for ever."""
    code, out, error = told("""
        import inspect, signal
        from live_crew import _tasks

        @event_handler("tick")
        async def wait(event):
            await asyncio.sleep(0)

        seen, at = 0, 0

        def look(frame, what, about):
            global seen
            if what == "line":
                seen += 1
                if seen == at:
                    signal.raise_signal(signal.SIGINT)
            return look

        def begin(frame, what, about):
            ours = frame.f_code.co_filename == _tasks.__file__
            return look if ours and not frame.f_code.co_flags & inspect.CO_GENERATOR else None

        def tell(*_):
            say(f"hangs, interrupted at line {at}")
            os._exit(3)

        signal.signal(signal.SIGALRM, tell)
        interrupted = 0
        while True:
            at, seen = at + 1, 0
            orchestrator = Orchestrator()
            orchestrator.register_handler(wait)
            signal.alarm(10)
            sys.settrace(begin)
            try:
                orchestrator.run_sync([tick()])
            except KeyboardInterrupt:
                interrupted += 1
            else:
                break
            finally:
                sys.settrace(None)
                signal.alarm(0)
        say(seen < at)
        say(interrupted > 20)
    """)
    assert (code, out) == (0, "True\nTrue\n"), (out, error)
    # Before 3.11 asyncio makes each task, and Python may warn of a coroutine that has none yet.
    assert error == "" or sys.version_info < (3, 11)
