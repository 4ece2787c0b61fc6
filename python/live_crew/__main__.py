"""`python -m live_crew` is `live-crew`."""

from live_crew.cli import main

if __name__ == "__main__":
    main()
