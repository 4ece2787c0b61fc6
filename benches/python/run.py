"""Speed, printed: live-crew and its peers in the same run, medians of interleaved rounds, ratios.

python benches/python/run.py            # everything that is installed (`make bench-python`)
python benches/python/run.py --quick    # a tenth of the events, one round
"""

import importlib.util
import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import events

HERE = Path(__file__).parent
PEERS = {"bytewax": "bytewax", "faststream": "faststream"}

# The goals are figures of one machine, on which bytewax took this long for an event. Machines
# differ, and so do the minutes of one: what is compared with a goal is scaled by what bytewax
# takes in the same run.
REFERENCE_US = 1e6 / 179_000


def measure(program, file, count):
    told = subprocess.run(
        [sys.executable, HERE / "programs.py", program, file, str(count)],
        capture_output=True,
        text=True,
        check=False,
    )
    if told.returncode != 0:
        raise SystemExit(f"{program} failed:\n{told.stderr}")
    return json.loads(told.stdout.splitlines()[-1])


def rounds(plan, times):
    """Each program once a round, so that a slow minute of the machine slows all of them."""
    figures = {name: [] for name, *_ in plan}
    for _ in range(times):
        for name, file, count in plan:
            figures[name].append({**measure(name, file, count), "count": count})
    return {
        name: {
            "per_event_us": statistics.median(f["seconds"] / f["count"] for f in told) * 1e6,
            "peak_mb": statistics.median(f["peak_mb"] for f in told),
        }
        for name, told in figures.items()
    }


def held_against(goal, got):
    """A goal such as `(">=", 450_000, "/s")`, and whether what we got meets it."""
    if goal is None:
        return ""
    sign, wanted, unit = goal
    is_met = got >= wanted if sign == ">=" else got <= wanted
    return f"goal {sign} {wanted:,} {unit}: {'met' if is_met else 'NOT MET'}"


def line(label, figure, slower, against=None, goal=None):
    us = figure["per_event_us"]
    scaled = us / slower
    ratio = against["per_event_us"] / us if against else None
    got = {"/s": 1e6 / scaled, "us": scaled, "x": ratio}[goal[2]] if goal else None
    times = f"{ratio:8.2f} x" if ratio else " " * 10
    print(
        f"  {label:<42}{1e6 / us:>11,.0f} /s {us:>8.3f} us | scaled{1e6 / scaled:>11,.0f} /s "
        f"{scaled:>7.3f} us {times}  {figure['peak_mb']:>5.0f} MB"
        f"  {held_against(goal, got)}"
    )


def calibrate(figures):
    """How many times slower this machine is than the one the goals were set on."""
    if "bytewax" not in figures:
        print("not calibrated: bytewax is not installed; scaled is raw")
        return 1.0
    us = figures["bytewax"]["per_event_us"]
    slower = us / REFERENCE_US
    print(
        f"calibrated by bytewax, which does the same job: {1e6 / us:,.0f} /s here, "
        f"{1e6 / REFERENCE_US:,.0f} /s where the goals were set; this machine is {slower:.2f} x "
        f"slower now\nscaled = what is measured x {slower:.2f}: what the other machine would do, "
        "and what goals are held against (ratios need no scale)"
    )
    return slower


def cold_start(slower):
    code = (
        "import resource, sys, time; b = time.perf_counter(); import live_crew; live_crew.Event;"
        "t = time.perf_counter() - b; assert 'crewai' not in sys.modules;"
        "print(t * 1e3, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)"
    )
    told = [
        subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True
        ).stdout.split()
        for _ in range(7)
    ]
    ms, mb = (statistics.median(float(one[n]) for one in told) for n in (0, 1))
    print(
        f"  import live_crew and its models{'':<22}{ms:>8.1f} ms | scaled{ms / slower:>19.1f} ms "
        f"{mb:>16.0f} MB  {held_against(('<=', 60, 'ms'), ms / slower)}, "
        f"{held_against(('<=', 20, 'MB'), mb)}"
    )


def main():
    quick = "--quick" in sys.argv
    scale, times = (10, 1) if quick else (1, 5)
    with tempfile.TemporaryDirectory() as folder:
        files = {}
        for full in (1_000, 10_000, 16_000, 100_000, 1_000_000):
            count = full // scale
            files[count] = Path(folder) / f"{count}.jsonl"
            events.write(files[count], count)
        n = 100_000 // scale
        small = 10_000 // scale
        main_plan = [
            (name, files[n], n)
            for name in (
                "live_crew",
                "live_crew_async",
                "live_crew_events",
                "live_crew_100_handlers",
            )
        ]
        peers = [peer for peer, module in PEERS.items() if importlib.util.find_spec(module)]
        main_plan += [
            (
                peer,
                files[small if peer == "faststream" else n],
                small if peer == "faststream" else n,
            )
            for peer in peers
        ]
        got = rounds(main_plan, times)
        mine, slower = got["live_crew"], calibrate(got)
        print(
            "JSON Lines file, 500 ms slices, one handler that reads its payload, JSON actions; "
            f"{n:,} events"
        )
        line("live-crew, def", mine, slower, goal=(">=", 450_000, "/s"))
        line("live-crew, async def", got["live_crew_async"], slower, goal=(">=", 350_000, "/s"))
        line(
            "live-crew, ready-made events",
            got["live_crew_events"],
            slower,
            goal=(">=", 1_000_000, "/s"),
        )
        line(
            "live-crew, 100 handlers, one interested",
            got["live_crew_100_handlers"],
            slower,
            mine,
            (">=", 0.91, "x"),
        )
        for peer, goal in (("bytewax", 0.40), ("faststream", 0.02)):
            if peer in got:
                line(peer, got[peer], slower, mine, ("<=", goal, "x"))
            else:
                print(f"  {peer} is not installed")
        grow = 16_000 // scale
        got = rounds(
            [
                ("live_crew_context_1000", files[grow], grow),
                ("live_crew_context_16000", files[grow], grow),
            ],
            times,
        )
        print(f"{grow:,} events of a slice write distinct context keys")
        line("1 000 keys", got["live_crew_context_1000"], slower)
        line(
            "16 000 keys",
            got["live_crew_context_16000"],
            slower,
            got["live_crew_context_1000"],
            (">=", 0.83, "x"),
        )
        few = 1_000 // scale
        got = rounds(
            [("live_crew_chain", files[few], few), ("live_crew_fan_in", files[few], few)], times
        )
        print("100 crews in one slice (a node is one run of a crew)")
        for name, label in (("live_crew_chain", "chain"), ("live_crew_fan_in", "fan-in")):
            figure = {**got[name], "per_event_us": got[name]["per_event_us"] / 100}
            line(f"{label}, per node", figure, slower, goal=("<=", 2, "us"))
        most = 1_000_000 // scale
        got = rounds([("live_crew", files[most], most)], 1)
        small_mb, most_mb = mine["peak_mb"], got["live_crew"]["peak_mb"]
        print(
            f"memory: {n:,} events {small_mb:.0f} MB, {most:,} events {most_mb:.0f} MB  "
            f"{held_against(('<=', 80, 'MB'), small_mb)}, "
            f"{held_against(('<=', 1.2, 'x'), most_mb / small_mb)}"
        )
    cold_start(slower)


if __name__ == "__main__":
    main()
