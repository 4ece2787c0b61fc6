"""Draws the crews of a plan: as Mermaid text, and as SVG."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from html import escape
from typing import Any

__all__ = ["mermaid", "svg"]

_ROW, _GAP, _HEIGHT, _CHAR, _EDGE = 56, 96, 34, 7.3, 24
_STYLE = """
  text { font: 12px ui-monospace, Menlo, Consolas, monospace; fill: #1f2933; }
  .head { fill: #7b8794; }
  .crew { fill: #e6f0ff; stroke: #2f6fde; }
  .event { fill: #fff6e0; stroke: #c98a00; }
  path { fill: none; stroke: #7b8794; marker-end: url(#tip); }
  .need { stroke: #2f6fde; }
  .wait { stroke-dasharray: 5 4; }
  .label { fill: #2f6fde; font-size: 11px; }
  @media (prefers-color-scheme: dark) {
    text { fill: #e4e7eb; } .crew { fill: #16294a; } .event { fill: #3d2f0b; }
  }"""


@dataclass(frozen=True)
class _Edge:
    """`sort` is `trigger`, `need` or `wait` (for an event)."""

    start: tuple[str, str]
    end: tuple[str, str]
    sort: str
    label: str = ""


def mermaid(crews: Iterable[dict[str, Any]]) -> str:
    """A Mermaid flow chart."""
    crews = list(crews)
    lines = ["flowchart LR"]
    lines += [f'  event{at}(["{kind}"])' for at, kind in enumerate(_kinds(crews))]
    names = {("event", kind): f"event{at}" for at, kind in enumerate(_kinds(crews))}
    names |= {("crew", crew["crew"]): f"crew{at}" for at, crew in enumerate(crews)}
    for level, members in _levels(crews).items():
        is_alone = len(_levels(crews)) == 1
        if not is_alone:
            lines.append(f"  subgraph level{level}[level {level}]")
        for name in members:
            lines.append(f'  {"" if is_alone else "  "}{names["crew", name]}["{name}"]')
        if not is_alone:
            lines.append("  end")
    for edge in _edges(crews):
        arrow = "-.->" if edge.sort == "wait" else "-->"
        label = f"|{edge.label}|" if edge.label else ""
        lines.append(f"  {names[edge.start]} {arrow}{label} {names[edge.end]}")
    return "\n".join(lines)


def svg(crews: Iterable[dict[str, Any]]) -> str:
    """A drawing with a column for events and one for each level of crews."""
    crews = list(crews)
    columns: list[tuple[str, list[tuple[str, str]]]] = []
    columns.append(("events", [("event", kind) for kind in _kinds(crews)]))
    for level, names in _levels(crews).items():
        columns.append((f"level {level}", [("crew", name) for name in names]))
    boxes: dict[tuple[str, str], tuple[float, float, float]] = {}
    shapes: list[str] = []
    rows = max(len(members) for _, members in columns)
    x: float = _EDGE
    for head, members in columns:
        width = max(_CHAR * max([len(name) for _, name in members] + [len(head)]) + 28, 70)
        shapes.append(f'<text class="head" x="{x:.0f}" y="{_EDGE + 4}">{head}</text>')
        top = _EDGE + 20 + (rows - len(members)) * _ROW / 2
        for row, node in enumerate(members):
            y = top + row * _ROW
            boxes[node] = (x, y, width)
            shapes.append(_box(node, x, y, width))
        x += width + _GAP
    size = (x - _GAP + _EDGE + 40, _EDGE + 20 + rows * _ROW)
    edges = [_curve(edge, boxes) for edge in _edges(crews)]
    return "\n".join([_head(*size), *edges, *shapes, "</svg>"])


def _head(width: float, height: float) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height:.0f}" '
        f'viewBox="0 0 {width:.0f} {height:.0f}" role="img" aria-label="crews of the plan">\n'
        f"<style>{_STYLE}\n</style>\n"
        '<defs><marker id="tip" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="7" '
        'markerHeight="7" orient="auto"><path d="M0,0 L8,4 L0,8 z" '
        'style="fill:#7b8794;stroke:none;marker-end:none"/></marker></defs>'
    )


def _box(node: tuple[str, str], x: float, y: float, width: float) -> str:
    sort, name = node
    round_by = _HEIGHT / 2 if sort == "event" else 6
    middle = f'x="{x + width / 2:.0f}" y="{y + _HEIGHT / 2 + 4:.0f}" text-anchor="middle"'
    return (
        f'<rect class="{sort}" x="{x:.0f}" y="{y:.0f}" width="{width:.0f}" height="{_HEIGHT}" '
        f'rx="{round_by:.0f}"/><text {middle}>{escape(name)}</text>'
    )


def _curve(edge: _Edge, boxes: dict[tuple[str, str], tuple[float, float, float]]) -> str:
    """A line from the right of a box to the left of another; a bow if that is not further right."""
    (x1, y1, w1), (x2, y2, w2) = boxes[edge.start], boxes[edge.end]
    x1, y1, y2 = x1 + w1, y1 + _HEIGHT / 2, y2 + _HEIGHT / 2
    if x2 > x1:
        bend = min(_GAP / 2, (x2 - x1) / 2)
        ends = (x2, y2)
        controls = ((x1 + bend, y1), (x2 - bend, y2))
    else:
        shift = 8 if y1 == y2 else 0
        far = max(x1, x2 + w2) + _GAP / 2
        ends = (x2 + w2, y2 + shift)
        controls = ((far, y1 - shift), (far, y2 + shift))
        y1 -= shift
    (ax, ay), (bx, by) = controls
    line = f"M{x1:.0f},{y1:.0f} C{ax:.0f},{ay:.0f} {bx:.0f},{by:.0f} {ends[0]:.0f},{ends[1]:.0f}"
    sort = {"trigger": "trigger", "need": "need", "wait": "need wait"}[edge.sort]
    drawn = f'<path class="{sort}" d="{line}"/>'
    if edge.label:
        at_x = (x1 + 3 * ax + 3 * bx + ends[0]) / 8
        at_y = (y1 + 3 * ay + 3 * by + ends[1]) / 8 - 5
        label = f'x="{at_x:.0f}" y="{at_y:.0f}" text-anchor="middle"'
        drawn += f'<text class="label" {label}>{escape(edge.label)}</text>'
    return drawn


def _kinds(crews: Iterable[dict[str, Any]]) -> list[str]:
    """Every kind of event that triggers a crew or is waited for, once."""
    found: dict[str, None] = {}
    for crew in crews:
        found |= dict.fromkeys(crew["triggers"])
        found |= {name: None for sort, name, _ in crew["needs"] if sort == "event"}
    return list(found)


def _levels(crews: Iterable[dict[str, Any]]) -> dict[int, list[str]]:
    levels: dict[int, list[str]] = {}
    for crew in crews:
        levels.setdefault(crew["level"], []).append(crew["crew"])
    return dict(sorted(levels.items()))


def _edges(crews: Iterable[dict[str, Any]]) -> Iterator[_Edge]:
    for crew in crews:
        end = ("crew", crew["crew"])
        for kind in crew["triggers"]:
            yield _Edge(("event", kind), end, "trigger")
        for sort, name, offset in crew["needs"]:
            label = f"@{offset:+d}" if offset else "@0"
            yield _Edge((sort, name), end, "need" if sort == "crew" else "wait", label)
