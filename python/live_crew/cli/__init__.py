"""The command line: `live-crew`, also `python -m live_crew`."""

import sys

__all__ = ["main"]

_INTERRUPTED = 130


def main() -> None:
    """Do what the command line asks for, and exit."""
    try:
        from live_crew.cli.app import app

        app(prog_name="live-crew")
    except KeyboardInterrupt:
        # Before there is a command to tell it: what commands are made of takes a while to import.
        sys.stderr.write("interrupted\n")
        sys.exit(_INTERRUPTED)
