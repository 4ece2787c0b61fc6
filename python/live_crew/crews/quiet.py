"""Undoes what CrewAI does to a program that imports it: signal handlers, an exporter, its exit."""

from __future__ import annotations

import contextlib
import signal
import sys
import threading

__all__ = ["take_back"]

_TELEMETRY = "crewai.telemetry.telemetry"


def take_back() -> None:
    """Give back the signals that CrewAI has taken, and shut its telemetry, if it was imported.

    It was not by us: `seams` switches all of that off before. To be called wherever a crew comes
    to us, since only the main thread may set handlers, and CrewAI is imported there or nowhere.
    """
    telemetry = getattr(getattr(sys.modules.get(_TELEMETRY), "Telemetry", None), "_instance", None)
    if telemetry is None:
        return
    if threading.current_thread() is threading.main_thread():
        for number, handler in getattr(telemetry, "_original_handlers", {}).items():
            # Whoever came after CrewAI stays.
            current = getattr(signal.getsignal(number), "__module__", None)
            if current == _TELEMETRY and handler is not None:
                signal.signal(number, handler)
    if getattr(telemetry, "ready", False):
        telemetry.ready = False
        # The exporter first, so that nothing is left to be sent when the program ends.
        with contextlib.suppress(Exception):
            telemetry._exporter.shutdown()  # noqa: SLF001
        with contextlib.suppress(Exception):
            telemetry.provider.shutdown()
