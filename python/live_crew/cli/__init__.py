"""The command line: `live-crew`, also `python -m live_crew`."""

__all__ = ["main"]


def main() -> None:
    """Do what the command line asks for, and exit."""
    from live_crew.cli.app import app

    app(prog_name="live-crew")
