"""Tests for crews: a stream of events in virtual time, and what must come of it as text.

```python
stream = TestStream(greet)
stream.at(0).event("user_signup", {"name": "Ada"})
stream.crash()
stream.at("0.6s").event("user_signup", {"name": "Bob"})
assert_timeline(
    stream,
    '''
    0  greet  user_signup {"name":"Ada"}  → greeting "Welcome Ada!"  ctx users=1
    1  greet  user_signup {"name":"Bob"}  → greeting "Welcome Bob!"  ctx users=2
    ''',
)
```

`ScriptedLLM` is a model for real CrewAI crews whose answers are written down:

```python
crew = Crew(agents=[Agent(role="Host", …, llm=ScriptedLLM("Welcome!"))], tasks=[…])
```
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from live_crew.testing._script import Call, ProviderError, Reply, Request, ScriptError, ToolCall
    from live_crew.testing.llm import ScriptedLLM
    from live_crew.testing.recorder import RecordedCall, Recorder
    from live_crew.testing.stream import Moment, StreamResult, TestStream
    from live_crew.testing.timeline import assert_timeline

_HOME = {
    "Call": "_script",
    "Moment": "stream",
    "ProviderError": "_script",
    "RecordedCall": "recorder",
    "Recorder": "recorder",
    "Reply": "_script",
    "Request": "_script",
    "ScriptError": "_script",
    "ScriptedLLM": "llm",
    "StreamResult": "stream",
    "TestStream": "stream",
    "ToolCall": "_script",
    "assert_timeline": "timeline",
}

__all__ = [
    "Call",
    "Moment",
    "ProviderError",
    "RecordedCall",
    "Recorder",
    "Reply",
    "Request",
    "ScriptError",
    "ScriptedLLM",
    "StreamResult",
    "TestStream",
    "ToolCall",
    "assert_timeline",
]


def __getattr__(name: str) -> Any:
    home = _HOME.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"live_crew.testing.{home}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
