"""What a person sees while they wait; nothing when nobody reads along."""

import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager

from live_crew.cli._out import has_colors, is_terminal
from live_crew.orchestrator import Orchestrator

__all__ = ["waiting", "watching"]

# How much is done, of a whole that is known, and what there is to say about it.
Told = tuple[int, str]


@contextmanager
def waiting(
    text: str, told: Callable[[], Told] = lambda: (0, ""), *, total: int | None = None
) -> Iterator[None]:
    """A moving line on a terminal with the time that went by, and what `told` says.

    With a bar that grows to a `total`, if there is one.
    """
    if not is_terminal(sys.stderr):
        yield
        return
    from rich.console import Console, RenderableType
    from rich.progress import (
        BarColumn,
        Progress,
        SpinnerColumn,
        TaskProgressColumn,
        TextColumn,
        TimeElapsedColumn,
    )

    class Line(Progress):
        def get_renderables(self) -> Iterable[RenderableType]:
            done, said = told()
            for task in self.tasks:
                self.update(task.id, completed=min(done, total or done), said=said)
            yield from super().get_renderables()

    console = Console(stderr=True, no_color=not has_colors(sys.stderr))
    bar = () if total is None else (BarColumn(), TaskProgressColumn())
    said = TextColumn("{task.fields[said]}", markup=False)
    columns = (SpinnerColumn(), TextColumn(text, markup=False), *bar, TimeElapsedColumn(), said)
    with Line(*columns, console=console, transient=True) as line:
        line.add_task("", total=total, said="")
        yield


def watching(orchestrator: Orchestrator, size: int | None) -> AbstractContextManager[None]:
    """How far a run over a file of some size is."""
    began = time.monotonic()

    def told() -> Told:
        run = orchestrator.progress
        if run is None:
            return 0, ""
        rate = run.events / max(time.monotonic() - began, 0.001)
        said = f"{run.events:,} events ({rate:,.0f}/s), {run.actions:,} actions"
        return run.position, said

    return waiting("processing", told, total=size or None)
