"""Hosts and a server that are killed while events flow: the short form of `make chaos`."""

import asyncio
import re
import signal
import subprocess
import sys

import pytest
from nats_parts import HOME

pytestmark = pytest.mark.timeout(120)

# Each is killed once, at a moment and in an order that the seed says.
WHAT = ["--once", "--only", "kill host,kill server", "--pairs", "1", "--minutes", "0.07"]
FLOW = ["--rate", "150", "--lateness-ms", "2000", "--seed", "1"]


async def test_hosts_and_the_server_are_killed_while_events_flow(tmp_path):
    # In a process of its own: its modules have the names of those that other tests make.
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, str(HOME / "tests" / "chaos"), *WHAT, *FLOW),
        *("--folder", tmp_path),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    try:
        said = (await process.communicate())[0].decode()
    finally:
        if process.returncode is None:
            # It ends what it started.
            process.send_signal(signal.SIGINT)
            await process.wait()
    assert process.returncode == 0, said
    rows = re.findall(r"^([^\d\n]+?) +(\d+)$", said, re.MULTILINE)
    told = {what: int(count) for what, count in rows}
    # The verdict is that none is lost, none done twice, and no digest another one than without
    # faults; here that there was something to judge.
    assert (told["kill host"], told["kill server"]) == (2, 1), said
    assert told["events"] > 300, said
    assert told["slices compared"] > 20, said
