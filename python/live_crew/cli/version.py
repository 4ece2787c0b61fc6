"""`live-crew version`."""

import platform

from live_crew import __version__
from live_crew.cli._options import AsJson
from live_crew.cli._out import document, say

__all__ = ["version"]


def version(as_json: AsJson = False) -> None:
    """Print the versions of live-crew and of Python."""
    if as_json:
        document({"live_crew": __version__, "python": platform.python_version()})
    else:
        say(f"live-crew {__version__} (Python {platform.python_version()})")
