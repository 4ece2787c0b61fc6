"""Speed of real crews, printed: live-crew and plain CrewAI, each in a process of its own.

python benches/python/crews.py            # everything (`make bench-python` runs it too)
python benches/python/crews.py --quick    # fewer kickoffs, one round
"""

import asyncio
import json
import os
import statistics
import subprocess
import sys
import time

KICKOFFS = 200
IN_FLIGHT = 8
CREWS = 20
WAIT = 0.2

SILENT = {
    "CREWAI_DISABLE_TELEMETRY": "true",
    "CREWAI_TRACING_ENABLED": "false",
    "CREWAI_DISABLE_VERSION_CHECK": "true",
}


def make(delay):
    """A crew of one agent and one task on a model that answers after a while."""
    from crewai import Agent, BaseLLM, Crew, Task

    class Quick(BaseLLM):
        def call(self, *_, **__):
            if delay:
                time.sleep(delay)
            return "Thought: done\nFinal Answer: hello"

        def get_context_window_size(self):
            return 100_000

    agent = Agent(role="host", goal="greet", backstory="kind", llm=Quick(model="quick"))
    task = Task(description="Greet {name}.", expected_output="a greeting", agent=agent)
    return Crew(agents=[agent], tasks=[task])


def slow_crew():
    """For workers in processes of their own, which load it by its name."""
    return make(WAIT)


# -- plain CrewAI ------------------------------------------------------------------------------


async def plain_rate(count):
    crew = make(0)
    await crew.copy().akickoff(inputs={"name": "a"})
    free = asyncio.Semaphore(IN_FLIGHT)

    async def one(at):
        async with free:
            await crew.copy().akickoff(inputs={"name": str(at)})

    began = time.perf_counter()
    await asyncio.gather(*(one(at) for at in range(count)))
    return count / (time.perf_counter() - began)


async def plain_many(_):
    crews = [make(WAIT) for _ in range(CREWS)]
    await crews[0].copy().akickoff(inputs={"name": "a"})
    began = time.perf_counter()
    await asyncio.gather(*(crew.akickoff(inputs={"name": "a"}) for crew in crews))
    return time.perf_counter() - began


async def plain_processor_time(_):
    """What as many kickoffs compute while their models compute nothing."""
    crews = [make(0) for _ in range(CREWS)]
    await crews[0].copy().akickoff(inputs={"name": "a"})
    began = time.process_time()
    await asyncio.gather(*(crew.akickoff(inputs={"name": "a"}) for crew in crews))
    return time.process_time() - began


# -- live-crew ---------------------------------------------------------------------------------


def events(count, gap_ms=0):
    for at in range(count):
        second, ms = divmod(at * gap_ms, 1000)
        ts = f"2026-01-01T{second // 3600:02}:{second // 60 % 60:02}:{second % 60:02}.{ms:03}Z"
        yield {"ts": ts, "kind": "ask", "stream_id": "s", "payload": {"name": str(at)}}


async def timed(orchestrator, source):
    began = time.perf_counter()
    result = await orchestrator.run(source)
    took = time.perf_counter() - began
    assert result.ok, result.errors
    return took


def orchestrated(*crews, **runtime):
    from live_crew import CrewOrchestrator

    orchestrator = CrewOrchestrator()
    for at, crew in enumerate(crews):
        orchestrator.register_crew(f"crew{at}", crew, triggers=["ask"], **runtime)
    return orchestrator


async def live_rate(count):
    crew = make(0)
    await timed(orchestrated(crew), events(1))
    orchestrator = orchestrated(crew, concurrency=IN_FLIGHT)
    await orchestrator.load()
    return count / await timed(orchestrator, events(count))


async def live_many(_, **runtime):
    crews = [runtime.pop("crew", None) or make(WAIT) for _ in range(CREWS)]
    await timed(orchestrated(crews[0]), events(1))
    orchestrator = orchestrated(*crews, **runtime)
    await orchestrator.load()
    return await timed(orchestrator, events(1))


async def live_many_in_processes(_):
    # One run warms the workers up, the second one is measured.
    orchestrator = orchestrated(*[slow_crew] * CREWS, isolation="process")
    await timed(orchestrator, events(1))
    return await timed(orchestrator, events(1))


async def live_overhead(count):
    """What a slice costs beyond the run in it, in milliseconds."""
    crew = make(0)
    await timed(orchestrated(crew), events(1))
    orchestrator = orchestrated(crew)
    await orchestrator.load()
    took = await timed(orchestrator, events(count, 500))
    stories = [orchestrator.journal.explain("s", "crew0", at)["runs"] for at in range(count)]
    notes = [note for runs in stories for run in runs for _, told in run["notes"] for note in told]
    runs = sum(note["ms"] for note in notes if note["what"] == "took")
    return (took * 1000 - runs) / count


async def live_ready(_):
    """Three crews of YAML, from the import of CrewAI on until they can run."""
    from pathlib import Path

    import live_crew.crews.seams  # noqa: F401
    from live_crew import CrewOrchestrator

    began = time.perf_counter()
    crews = Path(__file__).parents[2] / "crews"
    await CrewOrchestrator.from_config(crews / "live_crew_config.yaml").load()
    return time.perf_counter() - began


PROGRAMS = {
    one.__name__: one
    for one in (
        plain_rate,
        plain_many,
        plain_processor_time,
        live_rate,
        live_many,
        live_many_in_processes,
        live_overhead,
        live_ready,
    )
}


def measure(program, count):
    told = subprocess.run(
        [sys.executable, __file__, program, str(count)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **SILENT},
    )
    if told.returncode != 0:
        raise SystemExit(f"{program} failed:\n{told.stderr}")
    return json.loads(told.stdout.splitlines()[-1])


def main():
    quick = "--quick" in sys.argv
    times, count = (1, KICKOFFS // 4) if quick else (3, KICKOFFS)
    got = {name: [] for name in PROGRAMS}
    for _ in range(times):
        for name in PROGRAMS:
            got[name].append(measure(name, count))
    figure = {name: statistics.median(told) for name, told in got.items()}
    rate, plain = figure["live_rate"], figure["plain_rate"]
    print(f"real crews, one agent and one task; medians of {times} interleaved rounds")
    print(f"  kickoffs, instant model, {IN_FLIGHT} in flight")
    print(f"    {'plain gather of akickoff':<40}{plain:>8.1f} /s")
    print(f"    {'live-crew':<40}{rate:>8.1f} /s {rate / plain:>7.2f} x  goal: >= 1.4 x")
    many = figure["plain_many"]
    print(f"  {CREWS} crews on a model that takes {WAIT * 1000:.0f} ms")
    print(f"    {'plain gather of akickoff':<40}{many:>8.3f} s")
    computing = figure["plain_processor_time"]
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    print(f"    {f'what they compute, on one of {cores} cores':<40}{computing:>8.3f} s")
    # One interpreter computes for all; processes share the cores. Beyond that nothing waits.
    for name, label, goal, share in (
        ("live_many", "live-crew", 0.36, 1),
        ("live_many_in_processes", "live-crew, isolation: process, warm", 0.30, cores),
    ):
        took, ideal = figure[name], WAIT + computing / share
        print(
            f"    {label:<40}{took:>8.3f} s {took / many:>8.2f} x  goal: <= {goal / 0.99:.2f} x, "
            f"ideal here: {ideal:.3f} s = {ideal / many:.2f} x"
        )
    print(
        f"  three crews of YAML ready after the import {figure['live_ready']:>7.2f} s   goal: < 2 s"
    )
    print(f"  a slice adds to the run in it {figure['live_overhead']:>18.2f} ms  goal: <= 2 ms")


if __name__ == "__main__":
    if len(sys.argv) > 2:
        print(json.dumps(asyncio.run(PROGRAMS[sys.argv[1]](int(sys.argv[2])))))
    else:
        main()
