"""What helps when a run has failed, by the reason the journal gives (true ones only)."""

from __future__ import annotations

__all__ = ["suggestions_for"]


def suggestions_for(reason: str, crew: str, slice_index: int, missing: list[str]) -> list[str]:
    """What a person can do about a failed run."""
    explain = f"live-crew explain {crew}@{slice_index}"
    needs = ", ".join(f"`{need}`" for need in missing)
    by_reason = {
        "error": [
            "read the traceback: `raise result.errors[0]` shows the exception as its cause",
            "if it fails now and then, try again: `retry: {attempts: 3, backoff_ms: 500}`",
        ],
        "timeout": [
            "give it longer with `timeout_ms`, or let it land later with `timing: {let: n}`"
        ],
        "output": [
            (
                "return a dict with `kind` and `payload`, a list of them, `None`, "
                "or a value for `emits.kind`"
            )
        ],
        "limit": ["answer with less, or raise the limit that the message names under `limits`"],
        "missed": ["give `timing` more slices, or use `on_miss: late`"],
        "ctx_size": ["keep less in the context, or raise `context.max_bytes`"],
        "ctx_conflict": [
            (
                "write under a path of its own, or use `ctx.incr` and `ctx.append`, "
                "which never conflict"
            )
        ],
        "ctx_access": [f"write elsewhere, or add the path to `context.access.{crew}.write`"],
        "ctx_type": ["look at what is there: `live-crew context` shows it, `--blame` who wrote it"],
        "expired": [f"it waited for {needs or 'its needs'}: {explain}"],
        "unsatisfied": [
            f"the input ended before {needs or 'its needs'} came: {explain}",
            "run with what there is: `wait_policy: any`, `none` or `timeout:<ms>`",
        ],
        "overflow": ["let the newest win with `backlog_policy: latest`, or raise `max_backlog`"],
        "disabled": [
            "mend what its last runs failed with; `cooldown_slices` lets it try again by itself"
        ],
    }
    return by_reason.get(reason, [explain])
