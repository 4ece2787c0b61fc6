"""The events every program of these benches reads: 196 bytes of JSON, one each millisecond."""

import json
from datetime import datetime, timedelta, timezone
from pathlib import Path

START = datetime(2025, 7, 1, tzinfo=timezone.utc)


def event(at: int, stream: str = "s0", kind: str = "signup") -> dict:
    ts = START + timedelta(milliseconds=at)
    return {
        "ts": ts.strftime("%Y-%m-%dT%H:%M:%S.") + f"{ts.microsecond // 1000:03}Z",
        "kind": kind,
        "stream_id": stream,
        "payload": {
            "id": at,
            "name": "Alice",
            "email": "alice@example.org",
            "plan": "pro",
            "score": 1.5,
            "city": "Berlin",
            "tags": ["a", "b"],
        },
    }


def write(path: Path, count: int) -> None:
    with path.open("w") as out:
        for at in range(count):
            out.write(json.dumps(event(at)) + "\n")
