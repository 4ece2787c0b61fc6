"""Crews that are a prompt in a runtime file: no agents, one question to a model for each run."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from live_crew._core import Text
from live_crew.crews.given import as_text, names_of, template_of
from live_crew.crews.tap import tap_prompt
from live_crew.errors import ConfigError

if TYPE_CHECKING:
    from live_crew._core import Run
    from live_crew.config import CrewRuntime
    from live_crew.crews.notes import Notes
    from live_crew.crews.seams import BaseLLM

__all__ = ["PromptWork"]


class PromptWork:
    """Asks a model, and makes actions and context changes of what it generates."""

    def __init__(self, runtime: CrewRuntime, model: object) -> None:
        self._runtime = runtime
        self._model_given = model
        self._model: BaseLLM | None = None
        if runtime.user_template is None:
            raise ConfigError(
                problems=[
                    runtime.origins.problem(
                        ("user_template",), "is missing; add it: what the model is asked"
                    )
                ]
            )
        fields = ("system_prompt", "user_template", "outputs", "patch")
        made = {field: template_of(runtime, field) for field in fields}
        self._prompts = {field: one for field, one in made.items() if one is not None}

    @property
    def fingerprint(self) -> str:
        """A hash of everything it is made of."""
        runtime = self._runtime
        said = [runtime.system_prompt, runtime.user_template, runtime.outputs, runtime.patch]
        text = json.dumps([*said, repr(self._model_given)], sort_keys=True)
        return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()

    async def load(self) -> None:
        """Make the model."""
        self._model = await asyncio.to_thread(self._make)

    async def connect(self) -> None:
        """Its model is the one that stands in, which the first call connects."""

    async def __call__(self, run: Run, notes: Notes, is_over: Callable[[], bool]) -> Any:
        """Do one run."""
        from live_crew.crews import seams

        if self._model is None:
            raise RuntimeError("its model is not made yet")
        model = seams.fresh_model(self._model)
        tap_prompt(model, notes)
        names = names_of(run)
        names["ctx"] = names["context"]
        messages: list[Any] = [
            {"role": role, "content": self._text(field, names)}
            for role, field in (("system", "system_prompt"), ("user", "user_template"))
            if field in self._prompts
        ]

        def before_call() -> None:
            if is_over():
                raise seams.HookAborted("the run is over", "live-crew")

        name = f"{run.stream_id}/{run.crew}/{run.run}#{run.attempt}"
        try:
            with seams.scope(name, sink=notes.see, before_call=before_call, note=None):
                generated = await asyncio.to_thread(model.call, messages)
        finally:
            notes.use(seams.usage(model))
        return self._answer(generated, names)

    def _make(self) -> BaseLLM:
        from live_crew.crews.models import make_model

        if self._model_given is None:
            raise ConfigError(
                problems=[
                    self._runtime.origins.problem(
                        ("user_template",),
                        "has no model to ask; add `llm: openai/gpt-4o-mini` here or in the "
                        "configuration",
                    )
                ]
            )
        return make_model(self._model_given)

    def _text(self, field: str, names: dict[str, Any]) -> str:
        return as_text(self._prompts[field].render(**names))

    def _answer(self, said: Any, names: dict[str, Any]) -> Any:
        text = Text(as_text(said))
        if "outputs" not in self._prompts and "patch" not in self._prompts:
            return text
        found = text.json()
        names = {**names, "generated": str(said) if found is None else found}
        answer: dict[str, Any] = {}
        if "outputs" in self._prompts:
            actions = self._prompts["outputs"].render(**names)
            answer["actions"] = actions if isinstance(actions, list) else [actions]
        else:
            kind = self._runtime.emits.kind or f"{self._runtime.crew}_result"
            answer["actions"] = [{"kind": kind, "payload": names["generated"]}]
        if "patch" in self._prompts:
            answer["context"] = self._prompts["patch"].render(**names)
        return answer
