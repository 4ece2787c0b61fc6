"""What a command ends with: an exit code, and one message if it went wrong."""

import os
import re
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import typer

from live_crew._words import did_you_mean
from live_crew.cli._out import OWES_DOCUMENT, document, fail, flush, note
from live_crew.errors import LiveCrewError, TransportError

__all__ = ["exit_code", "wants_traceback"]

OK, FAILED, USAGE = 0, 1, 2
INTERRUPTED, PIPE = 130, 141  # as shells count a signal: 128 and its number

_UsageError = typer.BadParameter.__bases__[0]


def exit_code(work: Callable[[], object], *, as_json: bool = False) -> int:
    """Do the work of a command; says what went wrong and gives the code to exit with.

    With `as_json` it is said in a document too, unless the command has printed one.
    """
    OWES_DOCUMENT.set(as_json)
    try:
        try:
            work()
        except typer.Exit as asked:
            return asked.exit_code
        except Exception as error:  # noqa: BLE001 (each is told in its way)
            return _tell(error)
        except KeyboardInterrupt:
            return _interrupted()
        finally:
            flush()
    except BrokenPipeError:
        _leave_output()
        return PIPE
    except TransportError as error:
        # Nobody has told it yet: to tell anything, standard output is flushed first.
        _leave_output()
        fail(str(error))
        return FAILED
    return OK


def wants_traceback() -> bool:
    """Whether errors are to come with where they were raised."""
    return os.environ.get("LIVE_CREW_TRACEBACK", "") not in ("", "0")


def _tell(error: Exception) -> int:
    """Say one thing about an error."""
    if isinstance(error, BrokenPipeError):
        raise error
    if isinstance(error, typer.Abort):
        return _interrupted()
    code, hint = FAILED, ""
    if isinstance(error, _UsageError):
        code, message = USAGE, _usage(error)
    elif isinstance(error, LiveCrewError):
        message = str(error)
    elif isinstance(error, OSError) and error.filename is not None:
        message = f"`{error.filename}`: {(error.strerror or str(error)).lower()}"
    else:
        message = f"{type(error).__name__}: {error}{_place(error)}"
        hint = "\nLIVE_CREW_TRACEBACK=1 shows the traceback"
    if wants_traceback() and code != USAGE:
        traceback.print_exception(error)
    else:
        fail(f"{message}{hint}")
    _print_owed(message)
    return code


def _interrupted() -> int:
    note("interrupted")
    _print_owed("interrupted")
    return INTERRUPTED


def _print_owed(message: str) -> None:
    if OWES_DOCUMENT.get():
        document({"error": message})


def _usage(error: Any) -> str:
    """A usage error in our words: lower case, backticks, and what to do."""
    context = getattr(error, "ctx", None)
    option = getattr(error, "option_name", None)
    if option is not None and type(error).__name__ == "NoSuchOption":
        known = [name for one in context.command.params for name in one.opts] if context else []
        said = f"there is no option `{option}`{did_you_mean(option, [*known, '--help'])}"
    elif isinstance(error, typer.BadParameter) and error.param is None:
        said = error.message
    else:
        said = _reworded(error.format_message())
    if context is None or "; " in said:
        return said
    return f"{said}; see `{context.command_path} --help`"


def _reworded(message: str) -> str:
    """What Typer says, as the rest of us says it."""
    said = re.sub(r"\.?\s+Choose from:\s+", "; choose ", message).replace("Value error, ", "")
    said = " ".join(re.sub(r"'([^']*)'", r"`\1`", said).split()).rstrip(".")
    return said[:1].lower() + said[1:]


def _place(error: Exception) -> str:
    """The last line of code that an error came through."""
    frames = traceback.extract_tb(error.__traceback__)
    if isinstance(error, SyntaxError) or not frames:
        return ""
    return f" ({Path(frames[-1].filename).name}:{frames[-1].lineno})"


def _leave_output() -> None:
    """Nothing can be written any more; what is still buffered goes nowhere, without a word."""
    try:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
    except (OSError, ValueError):
        pass
