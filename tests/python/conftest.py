"""What holds for all tests of the package."""

import signal

# Whoever starts the tests in the background may have had interrupts ignored, and programs that
# tests start inherit that.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
