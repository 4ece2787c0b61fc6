"""Processes whose wall clock is wrong, as that of a host may be. Other clocks of theirs are not.

Servers cannot be misled like that: they ask the kernel without libc. But what they say of time can
be changed on its way.
"""

import os
import re
import subprocess
from datetime import datetime, timedelta
from pathlib import Path

# Any program is shown another time of day by a library that is loaded before libc. Waits, leases
# and timeouts are measured by clocks that count from the start of the machine, and these are right
# on a host whose date is wrong.
_SOURCE = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <sys/time.h>
#include <time.h>

static long off(void) {
    const char *text = getenv("CLOCK_OFF_S");
    return text ? atol(text) : 0;
}

int clock_gettime(clockid_t clock, struct timespec *now) {
    static int (*real)(clockid_t, struct timespec *);
    if (!real) real = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
    int told = real(clock, now);
    if (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE) now->tv_sec += off();
    return told;
}

int gettimeofday(struct timeval *now, void *zone) {
    struct timespec exact;
    (void)zone;
    clock_gettime(CLOCK_REALTIME, &exact);
    now->tv_sec = exact.tv_sec;
    now->tv_usec = exact.tv_nsec / 1000;
    return 0;
}

time_t time(time_t *out) {
    struct timespec exact;
    clock_gettime(CLOCK_REALTIME, &exact);
    if (out) *out = exact.tv_sec;
    return exact.tv_sec;
}
"""


def wrong_clock(folder: Path, seconds: int) -> dict[str, str]:
    """The environment of a process whose date is off by so many seconds; Linux, with a compiler."""
    library = folder / "wrong_clock.so"
    if not library.exists():
        folder.mkdir(parents=True, exist_ok=True)
        source = folder / "wrong_clock.c"
        source.write_text(_SOURCE)
        command = ["cc", "-shared", "-fPIC", "-O1", "-o", library, source, "-ldl"]
        subprocess.run(command, check=True)
    return {**os.environ, "LD_PRELOAD": str(library), "CLOCK_OFF_S": str(seconds)}


# When a message was stored, as it is delivered; and when a server was asked about a stream.
_STORED = re.compile(rb"(\$JS\.ACK\.[^ \r\n]+\.)(\d{19})(?=\.\d+)")
_ASKED = re.compile(rb'(stream_info_response".*"ts":")(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)')


def by_another_clock(said: bytes, seconds: int) -> bytes:
    """What a server says, in whole lines, as one would whose clock is off by so many seconds."""
    said = _STORED.sub(lambda m: m[1] + b"%d" % (int(m[2]) + seconds * 10**9), said)

    def asked(found: "re.Match[bytes]") -> bytes:
        then = datetime.fromisoformat(found[2].decode()) + timedelta(seconds=seconds)
        return found[1] + then.isoformat().encode()

    return _ASKED.sub(asked, said)
