"""A server on this machine that talks like OpenAI, and fails in every way a server can.

```python
with OpenAIServer() as server:
    server.will(Answer("hello"), Answer(status=429), Answer(hang=True))
    LLM(model="openai/gpt-4o-mini", base_url=server.url, api_key="test-key")
```

Each request takes the next answer; the last one repeats. What was asked is in `server.requests`.
"""

import json
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from typing_extensions import Self

__all__ = ["Answer", "OpenAIServer", "Received", "openai_server"]


@dataclass(frozen=True)
class Answer:
    """What a request gets: a completion, or the failure that one of the fields tells of."""

    text: str = ""
    tools: tuple[tuple[str, dict[str, Any]], ...] = ()
    usage: tuple[int, int] = (11, 7)
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    raw: str | None = None  # the body, as it is
    delay: float = 0.0  # seconds before the first byte
    pause: float = 0.0  # seconds between pieces of the body
    drop: bool = False  # the connection breaks in the middle of the body
    hang: bool = False  # nothing comes, ever


@dataclass(frozen=True)
class Received:
    """A request as it came."""

    path: str
    headers: dict[str, str]
    body: dict[str, Any]

    @property
    def key(self) -> str | None:
        return self.headers.get("authorization")

    @property
    def roles(self) -> list[str]:
        return [message["role"] for message in self.body["messages"]]


class OpenAIServer:
    """`/v1/chat/completions` and `/v1/responses` on a free port, as long as it is entered."""

    def __init__(self) -> None:
        self.requests: list[Received] = []
        self.closing = threading.Event()
        self._answers = [Answer("hello")]
        self._lock = threading.Lock()

    def will(self, *answers: Answer) -> None:
        """Answers so from now on."""
        with self._lock:
            self._answers = list(answers)

    def take(self, received: Received) -> Answer:
        with self._lock:
            self.requests.append(received)
            return self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]

    def __enter__(self) -> Self:
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
        self._http.daemon_threads = True
        self._http.openai = self
        self.url = f"http://127.0.0.1:{self._http.server_port}/v1"
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.02,))
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self.closing.set()
        self._http.shutdown()
        self._thread.join()
        self._http.server_close()


@pytest.fixture
def openai_server() -> Iterator[OpenAIServer]:
    with OpenAIServer() as server:
        yield server


class _Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        owner: OpenAIServer = self.server.openai  # type: ignore[attr-defined]
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        headers = {name.lower(): value for name, value in self.headers.items()}
        answer = owner.take(Received(self.path, headers, body))
        self.close_connection = True
        if owner.closing.wait(3600 if answer.hang else answer.delay):
            return
        with suppress(OSError):  # whoever asked is gone
            self._send(
                answer, list(_pieces(answer, self.path, body)), stream=_streams(answer, body)
            )

    def _send(self, answer: Answer, pieces: list[str], *, stream: bool) -> None:
        raw = [piece.encode() for piece in pieces]
        self.send_response(answer.status)
        self.send_header("content-type", "text/event-stream" if stream else "application/json")
        self.send_header("connection", "close")
        if not stream or answer.drop:
            self.send_header("content-length", str(sum(map(len, raw))))
        for name, value in answer.headers.items():
            self.send_header(name, value)
        self.end_headers()
        for at, piece in enumerate(raw):
            if answer.drop and at >= len(raw) // 2:
                self._break()
                return
            self.wfile.write(piece)
            self.wfile.flush()
            if self.server.openai.closing.wait(answer.pause):  # type: ignore[attr-defined]
                return

    def _break(self) -> None:
        """A reset instead of an end."""
        linger = struct.pack("ii", 1, 0)
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)

    def log_message(self, *_args: object) -> None:
        pass


def _streams(answer: Answer, body: dict[str, Any]) -> bool:
    return bool(body.get("stream")) and answer.status == 200


def _pieces(answer: Answer, path: str, body: dict[str, Any]) -> Iterator[str]:
    """The body, in the pieces it is sent in."""
    if answer.raw is not None:
        yield answer.raw
    elif answer.status != 200:
        error = {"message": f"status {answer.status}", "type": "error", "code": str(answer.status)}
        yield json.dumps({"error": error})
    elif path == "/v1/responses":
        yield from _quarters(json.dumps(_response(answer, body)))
    elif body.get("stream"):
        for chunk in _chunks(answer, body):
            yield f"data: {json.dumps(chunk)}\n\n"
        yield "data: [DONE]\n\n"
    else:
        yield from _quarters(json.dumps(_completion(answer, body)))


def _quarters(text: str) -> Iterator[str]:
    size = -(-len(text) // 4)
    return (text[at : at + size] for at in range(0, len(text), size))


def _completion(answer: Answer, body: dict[str, Any]) -> dict[str, Any]:
    message = {"role": "assistant", "content": answer.text or None}
    if answer.tools:
        message["tool_calls"] = _tool_calls(answer)
    choice = {"index": 0, "message": message, "finish_reason": _reason(answer)}
    head = {"id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": body["model"]}
    return {**head, "choices": [choice], "usage": _usage(answer)}


def _chunks(answer: Answer, body: dict[str, Any]) -> Iterator[dict[str, Any]]:
    head = {"id": "chatcmpl-1", "created": 1, "model": body["model"]}
    head["object"] = "chat.completion.chunk"
    deltas: list[dict[str, Any]] = [{"role": "assistant", "content": ""}]
    deltas += [{"content": f"{word} "} for word in answer.text.split()[:-1]]
    deltas += [{"content": word} for word in answer.text.split()[-1:]]
    for at, call in enumerate(_tool_calls(answer)):
        args = call["function"]["arguments"]
        begun = {**call, "index": at, "function": {**call["function"], "arguments": ""}}
        deltas.append({"tool_calls": [begun]})
        deltas += [{"tool_calls": [{"index": at, "function": {"arguments": part}}]}
                   for part in (args[:5], args[5:])]  # fmt: skip
    for delta in deltas:
        yield {**head, "choices": [{"index": 0, "delta": delta, "finish_reason": None}]}
    yield {**head, "choices": [{"index": 0, "delta": {}, "finish_reason": _reason(answer)}]}
    if (body.get("stream_options") or {}).get("include_usage"):
        yield {**head, "choices": [], "usage": _usage(answer)}


def _response(answer: Answer, body: dict[str, Any]) -> dict[str, Any]:
    """What `/v1/responses` says, which CrewAI asks with `api="responses"`."""
    part = {"type": "output_text", "text": answer.text, "annotations": []}
    output: list[dict[str, Any]] = [
        {"type": "function_call", "id": f"fc_{at}", "call_id": call["id"], "status": "completed",
         **call["function"]}
        for at, call in enumerate(_tool_calls(answer))
    ]  # fmt: skip
    if answer.text:
        output.append({"type": "message", "id": "msg_1", "role": "assistant",
                       "status": "completed", "content": [part]})  # fmt: skip
    asked, said = answer.usage
    usage = {
        "input_tokens": asked,
        "output_tokens": said,
        "total_tokens": asked + said,
        "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
        "output_tokens_details": {"reasoning_tokens": 0},
    }
    head = {"id": "resp_1", "object": "response", "created_at": 1, "model": body["model"]}
    rest = {"parallel_tool_calls": True, "tool_choice": "auto", "tools": [], "status": "completed"}
    return {**head, **rest, "output": output, "usage": usage}


def _tool_calls(answer: Answer) -> list[dict[str, Any]]:
    return [
        {"id": f"call_{at}", "type": "function",
         "function": {"name": name, "arguments": json.dumps(args)}}
        for at, (name, args) in enumerate(answer.tools)
    ]  # fmt: skip


def _reason(answer: Answer) -> str:
    return "tool_calls" if answer.tools else "stop"


def _usage(answer: Answer) -> dict[str, int]:
    asked, said = answer.usage
    return {"prompt_tokens": asked, "completion_tokens": said, "total_tokens": asked + said}
