"""The table of commands, and how one is found and run."""

import sys
from collections.abc import Sequence
from importlib import import_module
from io import TextIOWrapper
from typing import Any

import typer
from typer.core import TyperGroup

from live_crew._words import did_you_mean
from live_crew.cli._exit import exit_code

__all__ = ["COMMANDS", "app"]

# Each command is a function of the same name in a module of the same name, unless the module is
# given. Modules are imported when their command is used, so that none pays for another.
COMMANDS: dict[str, dict[str, str]] = {
    "Begin": {
        "new": "make a folder of crews that runs at once",
        "validate": "find everything that is wrong with a configuration and its crews",
        "config": "show what is configured and where each value comes from",
        "schema": "print the JSON Schema of a configuration file, for editors",
        "graph": "draw crews, what triggers them and what they need",
        "doctor": "check this machine and say what is promised on it",
        "version": "print versions",
    },
    "Run": {
        "process": "run crews over a file of events, as fast as possible",
        "run": "run crews live, in real time",
        "publish": "write events",
        "dlq": "list, show and send again what could not be an event, on NATS",
    },
    "Ask": {
        "replay": "verify a journal: fold it again and compare every digest",
        "diff": "find where two journals part",
        "explain": "say why a crew ran, waits, or did not run in a slice",
        "context": "show the shared context after a slice, or who wrote what is in it",
    },
}

_HEAD = "Usage: live-crew COMMAND [OPTIONS]\n\nRuns many crews over live event streams, in order."
_TAIL = "`live-crew COMMAND --help` says more. Exit codes: 0 ok, 1 failed, 2 wrong usage."


class _Commands(TyperGroup):
    """The table above as a group of commands."""

    def main(self, args: Sequence[str] | None = None, *_: Any, **__: Any) -> Any:
        given = list(sys.argv[1:] if args is None else args)
        if isinstance(sys.stdout, TextIOWrapper):
            # A terminal that cannot show an arrow is no reason to fail.
            sys.stdout.reconfigure(errors="backslashreplace")
        sys.exit(exit_code(lambda: self._do(given), as_json="--json" in given))

    def _do(self, args: list[str]) -> None:
        if not args:
            sys.stderr.write(self.get_help(None) + "\n")
            raise typer.Exit(2)
        if args[0] == "--version":
            raise typer.BadParameter("there is no option `--version`; run `live-crew version`")
        with self.make_context("live-crew", args) as context:
            self.invoke(context)

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002 (the signature of the base)
        return [name for group in COMMANDS.values() for name in group]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        if cmd_name not in self.list_commands(ctx):
            return None
        module = import_module(f"live_crew.cli.{cmd_name}")
        one = typer.Typer(add_completion=False, rich_markup_mode=None)
        one.command(cmd_name)(getattr(module, cmd_name))
        return typer.main.get_command(one)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        known = self.list_commands(ctx)
        if args[0] not in known:
            hint = did_you_mean(args[0], known) or "; see `live-crew --help`"
            raise typer.BadParameter(f"there is no command `{args[0]}`{hint}")
        return super().resolve_command(ctx, args)

    def get_help(self, ctx: Any) -> str:  # noqa: ARG002 (the signature of the base)
        lines = [_HEAD]
        for title, commands in COMMANDS.items():
            lines += ["", title, *(f"  {name:<10}{told}" for name, told in commands.items())]
        return "\n".join([*lines, "", _TAIL])


app = typer.Typer(cls=_Commands, add_completion=False, rich_markup_mode=None)


@app.callback()
def _live_crew() -> None:
    """Run many crews over live event streams, in order."""
