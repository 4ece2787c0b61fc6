"""What a crew in a process of its own may be told to do, and what comes of it."""

import json
import time
from pathlib import Path

__all__ = ["MODULE", "events", "facts", "is_gone", "one_error", "pids"]

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
