"""Speed on NATS JetStream, printed: live-crew and its peers on one server, rounds in turn, medians.

python benches/python/jetstream.py               # everything (`make bench-python`)
python benches/python/jetstream.py --quick       # a tenth of the events, one round
python benches/python/jetstream.py --part beat --beat 600   # ten minutes of the beat alone
python benches/python/jetstream.py --pipe PATH   # the peer in Rust, if cargo is not to build it
"""

import argparse
import importlib.util
import json
import statistics
import subprocess
import sys
from pathlib import Path

from jetstream_server import begin_anew, fill, lay_out, server
from run import held_against

HERE = Path(__file__).parent
HOME = HERE.parents[1]

# The goals in events a second are figures of one machine, on which the same pipe in Rust made this
# many: what is compared with them is scaled by what it makes in the same run.
REFERENCE = 139_000
ALONE = 1
MANY = 16
PARTS = ("throughput", "contexts", "latency", "beat", "streams")


def build_pipe():
    cargo = ["cargo", "bench", "--quiet", "--features", "nats", "--bench", "nats_pipe"]
    told = subprocess.run(cargo, cwd=HOME, capture_output=True, text=True, check=False)
    if told.returncode != 0:
        raise SystemExit(f"nats_pipe cannot be built:\n{told.stderr}")
    return told.stdout.split()[-1]


def measure(pipe, program, url, count):
    """What a program took. Those in Rust have a name with a colon."""
    language, _, form = program.rpartition(":")
    command = [pipe, form] if language else [sys.executable, HERE / "jetstream_programs.py", form]
    told = subprocess.run(
        [*command, url, str(count)], capture_output=True, text=True, check=False, timeout=600
    )
    if told.returncode != 0:
        raise SystemExit(f"{program} failed:\n{told.stderr}")
    return json.loads(told.stdout.splitlines()[-1])


def rounds(pipe, url, plan, times):
    """Each program once a round, so that a slow minute of the machine slows all of them."""
    figures = {name: [] for name, _ in plan}
    for _ in range(times):
        for name, count in plan:
            begin_anew(url)
            told = measure(pipe, name, url, count)
            figures[name].append((count / told["seconds"], told["peak_mb"]))
    median = statistics.median
    return {
        name: (median(rate for rate, _ in told), median(peak for _, peak in told))
        for name, told in figures.items()
    }


def line(label, figure, slower, ratios=(), goal=None):
    """A program, and what its rate is held against: others, or a rate."""
    rate, peak_mb = figure
    met = [held_against(goal, rate * slower)] if goal else []
    shown = []
    for name, (other, _), at_least in ratios:
        shown.append(f"{rate / other:6.2f} x {name}")
        met.append(held_against((">=", at_least, "x"), rate / other) if at_least else "")
    print(
        f"  {label:<44}{rate:>9,.0f} /s | scaled{rate * slower:>9,.0f} /s {peak_mb:>5.0f} MB "
        f"{', '.join(shown)}  {', '.join(filter(None, met))}"
    )


def calibrate(raw):
    """How many times slower this machine is than the one the goals were set on."""
    slower = REFERENCE / raw[0]
    print(
        f"calibrated by the pipe in Rust: {raw[0]:,.0f} /s here, {REFERENCE:,} /s where the goals "
        f"were set; this machine is {slower:.2f} x slower now"
    )
    return slower


def throughput(pipe, url, scale, times):
    """A backlog: read, handled, its actions stored."""
    n, few = 60_000 // scale, 10_000 // scale
    fill(url, n, ALONE)
    plan = [("rust:stream", n), ("rust:fetch", n), ("live_crew", n), ("live_crew_arrival", n)]
    plan.append(("nats_py", n // 3))
    if importlib.util.find_spec("faststream"):
        plan.append(("faststream", few))
    got = rounds(pipe, url, plan, times)
    raw = got["rust:stream"]
    slower = calibrate(raw)
    print(
        f"a backlog of {n:,} events in one stream: read, handled, actions stored and acknowledged"
    )
    line("async-nats in Rust, stream of pulls", raw, slower)
    line("async-nats in Rust, fetches of 256", got["rust:fetch"], slower, [("raw", raw, None)])
    peers = [("raw", raw, 0.7), ("nats-py", got["nats_py"], 3)]
    if "faststream" in got:
        peers.append(("FastStream", got["faststream"], 13))
    line("live-crew, slices of 500 ms, journaled", got["live_crew"], slower, peers)
    line("live-crew, `start: arrival`", got["live_crew_arrival"], slower, [("raw", raw, None)])
    line("nats-py by hand", got["nats_py"], slower, [("raw", raw, None)])
    if "faststream" in got:
        line("FastStream", got["faststream"], slower, [("raw", raw, None)])
    else:
        print("  FastStream is not installed")
    lay_out(url)
    fill(url, n, MANY)
    got = rounds(pipe, url, [("rust:stream", n), ("live_crew", n)], times)
    print(f"the same in {MANY} streams of 8 shards")
    line("async-nats in Rust, stream of pulls", got["rust:stream"], slower)
    line("live-crew", got["live_crew"], slower, [("raw", got["rust:stream"], 0.7)])
    return slower


def pace(pipe, url, times):
    """The calibration alone."""
    fill(url, 30_000, ALONE)
    return calibrate(rounds(pipe, url, [("rust:stream", 30_000)], times)["rust:stream"])


def contexts(pipe, url, scale, times, slower):
    """Contexts of 256 streams, written in parallel, each only if nobody wrote it meanwhile."""
    n = 76_800 // scale
    got = rounds(pipe, url, [("rust:contexts", n), ("rust:contexts_together", n)], times)
    print("contexts kept in JetStream, 256 streams in parallel, compare and set")
    line("as live-crew writes them", got["rust:contexts"], slower, goal=(">=", 80_000, "/s"))
    line("in atomic batches", got["rust:contexts_together"], slower)


def watch(url, program, *args):
    """What a program of `jetstream_live.py` saw, on a server with nothing in it."""
    lay_out(url)
    command = [sys.executable, HERE / "jetstream_live.py", program, url, *map(str, args)]
    told = subprocess.run(command, capture_output=True, text=True, check=False, timeout=3_600)
    if told.returncode != 0:
        raise SystemExit(f"{program} failed:\n{told.stderr}")
    return json.loads(told.stdout.splitlines()[-1])


def delay_line(label, told, slower, goals=()):
    """Milliseconds; `goals` are held against what the other machine would take, ratios aside."""
    met = [held_against(("<=", goal, unit), got) for goal, unit, got in goals]
    print(
        f"  {label:<44} p50{told['p50']:>8.2f} p99{told['p99']:>8.2f} max{told['max']:>8.2f} ms | "
        f"scaled p50{told['p50'] / slower:>8.2f} p99{told['p99'] / slower:>8.2f} ms  "
        f"{', '.join(met)}"
    )


def latency(url, scale, times, slower):
    """Events at a steady rate: how long after one its action is stored."""
    names = ("latency_nats_py", "latency_arrival", "latency_slices")
    seconds = 3 if scale > 1 else 6
    got = {name: [] for name in names}
    for _ in range(times):
        for name in names:
            got[name].append(watch(url, name, seconds))
    got = {
        name: {key: statistics.median(one[key] for one in told) for key in told[0]}
        for name, told in got.items()
    }
    assert not any(told["missing"] for told in got.values()), got
    print("1 000 events/s in one stream: from an event stored to its action stored")
    by_hand, arrival, slices = (got[name] for name in names)
    delay_line("nats-py by hand", by_hand, slower)
    ratio, p99 = arrival["p50"] / by_hand["p50"], arrival["p99"] / slower
    goals = [(0.8, f"x nats-py ({ratio:.2f} x)", ratio), (5, "ms p99", p99)]
    delay_line("live-crew, `start: arrival`, journaled", arrival, slower, goals)
    # Waiting for the end of a slice takes as long on every machine.
    over = (slices["p99"] - 50) / slower
    delay_line("live-crew, slices of 50 ms", slices, slower, [(10, "ms over the slice, p99", over)])


def beat(url, seconds, slower):
    told = watch(url, "beat", seconds)
    print(
        f"1 000 events/s in slices of 500 ms for {seconds} s: from when a slice may close to its "
        f"actions stored; {told['late']} events late, {told['errors']} errors, "
        f"{told['peak_mb']:.0f} MB"
    )
    delay_line("lag of an action", told, slower, [(50, "ms p99", told["p99"] / slower)])


def streams(url, count):
    told = watch(url, "streams", count)
    print(
        f"an event for each of {count:,} live streams, sent within {told['sent_s']:.1f} s: "
        f"done {told['new_s']:.1f} s after the last when they are new, {told['again_s']:.1f} s "
        f"when not; {told['mb']:.0f} MB more, {told['kb_each']:.1f} KB each"
    )


def main():
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--quick", action="store_true")
    asked.add_argument("--pipe")
    asked.add_argument("--part", choices=PARTS)
    asked.add_argument("--beat", type=int, metavar="SECONDS", help="600 is the long form")
    asked = asked.parse_args()
    scale, times = (10, 1) if asked.quick else (1, 3)
    pipe = asked.pipe or build_pipe()
    with server() as (url, _):
        is_asked = lambda part: asked.part in (None, part)  # noqa: E731
        whole = is_asked("throughput")
        slower = throughput(pipe, url, scale, times) if whole else pace(pipe, url, times)
        if is_asked("contexts"):
            contexts(pipe, url, scale, times, slower)
        if is_asked("latency"):
            latency(url, scale, times, slower)
        if is_asked("beat"):
            beat(url, asked.beat or (5 if asked.quick else 20), slower)
        if is_asked("streams"):
            streams(url, 10_000 // scale)


if __name__ == "__main__":
    main()
