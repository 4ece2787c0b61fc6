"""What a journal tells of the runs of a crew, as text."""

from __future__ import annotations

from typing import Any

__all__ = ["story"]


def story(told: dict[str, Any]) -> str:
    """What `Journal.explain` told, with what was seen of each run while it ran."""
    lines = str(told["text"]).split("\n")
    if told["none_because"] is not None:
        return "\n".join(lines)
    out = lines[:1]
    for line, run in zip(lines[1:], told["runs"], strict=False):
        out.append(line)
        for attempt, notes in run["notes"]:
            several = f" (attempt {attempt})" if run["attempts"] > 1 else ""
            out += [f"    {_line(note)}{several}" for note in notes]
    return "\n".join(out)


def _line(note: dict[str, Any]) -> str:
    about = ", ".join(f"{name} {value}" for name, value in note.items() if name != "what")
    return f"{note['what']}: {about}" if about else str(note["what"])
