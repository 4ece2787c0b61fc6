"""What a person sees while they wait; nothing when nobody reads along."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from live_crew.cli._out import has_colors, is_terminal

__all__ = ["waiting"]


@contextmanager
def waiting(text: str, told: Callable[[], str] = str, *, is_busy: bool = False) -> Iterator[None]:
    """A moving line on a terminal with the time that went by, and what `told` says.

    Nothing if the terminal `is_busy` with results.
    """
    if not is_terminal(sys.stderr) or is_busy:
        yield
        return
    from rich.console import Console
    from rich.progress import Progress, ProgressColumn, SpinnerColumn, TextColumn, TimeElapsedColumn
    from rich.text import Text

    class Told(ProgressColumn):
        def render(self, task: object) -> Text:  # noqa: ARG002 (the signature of the base)
            return Text(told())

    console = Console(stderr=True, no_color=not has_colors(sys.stderr))
    columns = (SpinnerColumn(), TextColumn(text, markup=False), TimeElapsedColumn(), Told())
    with Progress(*columns, console=console, transient=True) as progress:
        progress.add_task("")
        yield
