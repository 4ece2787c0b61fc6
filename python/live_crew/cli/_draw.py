"""Draws the crews of a plan: as Mermaid text, and as SVG."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from html import escape
from typing import Any

__all__ = ["mermaid", "svg"]

_Node = tuple[str, str]
_Point = tuple[float, float]

_ROW, _GAP, _HEIGHT, _CHAR, _EDGE = 56, 96, 34, 7.3, 24
_STYLE = """
  text { font: 12px ui-monospace, Menlo, Consolas, monospace; fill: #1f2933; }
  .head { fill: #7b8794; }
  .crew { fill: #e6f0ff; stroke: #2f6fde; }
  .event { fill: #fff6e0; stroke: #c98a00; }
  path { fill: none; stroke: #7b8794; marker-end: url(#tip); }
  .need { stroke: #2f6fde; }
  .wait { stroke-dasharray: 5 4; }
  .label { fill: #2f6fde; font-size: 11px; text-anchor: middle; }
  .label { paint-order: stroke; stroke: #fff; stroke-width: 4px; }
  @media (prefers-color-scheme: dark) {
    text { fill: #e4e7eb; } .label { stroke: #111; }
    .crew { fill: #16294a; } .event { fill: #3d2f0b; }
  }"""


@dataclass(frozen=True)
class _Edge:
    """`sort` is `trigger`, `need` or `wait` (for an event)."""

    start: _Node
    end: _Node
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
    columns: list[tuple[str, list[_Node]]] = []
    columns.append(("events", [("event", kind) for kind in _kinds(crews)]))
    for level, names in _levels(crews).items():
        columns.append((f"level {level}", [("crew", name) for name in names]))
    boxes: dict[_Node, tuple[float, float, float]] = {}
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
    curves = [(edge, _curve(edge, boxes)) for edge in _edges(crews)]
    lines = [_line(edge, curve) for edge, curve in curves]
    labels = [_label(edge, curve) for edge, curve in curves if edge.label]
    return "\n".join([_head(*size), *lines, *shapes, *labels, "</svg>"])


def _head(width: float, height: float) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height:.0f}" '
        f'viewBox="0 0 {width:.0f} {height:.0f}" role="img" aria-label="crews of the plan">\n'
        f"<style>{_STYLE}\n</style>\n"
        '<defs><marker id="tip" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="7" '
        'markerHeight="7" orient="auto"><path d="M0,0 L8,4 L0,8 z" '
        'style="fill:#7b8794;stroke:none;marker-end:none"/></marker></defs>'
    )


def _box(node: _Node, x: float, y: float, width: float) -> str:
    sort, name = node
    round_by = _HEIGHT / 2 if sort == "event" else 6
    middle = f'x="{x + width / 2:.0f}" y="{y + _HEIGHT / 2 + 4:.0f}" text-anchor="middle"'
    return (
        f'<rect class="{sort}" x="{x:.0f}" y="{y:.0f}" width="{width:.0f}" height="{_HEIGHT}" '
        f'rx="{round_by:.0f}"/><text {middle}>{escape(name)}</text>'
    )


def _curve(edge: _Edge, boxes: dict[_Node, tuple[float, float, float]]) -> list[_Point]:
    """Four points: from the right of a box to the left of another, or in a bow to its right."""
    (x1, y1, w1), (x2, y2, w2) = boxes[edge.start], boxes[edge.end]
    x1, y1, y2 = x1 + w1, y1 + _HEIGHT / 2, y2 + _HEIGHT / 2
    if x2 > x1:
        return [(x1, y1), (x1 + _GAP / 2, y1), (x2 - _GAP / 2, y2), (x2, y2)]
    shift = 8 if edge.start == edge.end else 0
    far = max(x1, x2 + w2) + _GAP / 2
    return [(x1, y1 - shift), (far, y1 - shift), (far, y2 + shift), (x2 + w2, y2 + shift)]


def _line(edge: _Edge, curve: list[_Point]) -> str:
    start, *others = (f"{x:.0f},{y:.0f}" for x, y in curve)
    style = {"trigger": "", "need": ' class="need"', "wait": ' class="need wait"'}[edge.sort]
    return f'<path{style} d="M{start} C{" ".join(others)}"/>'


def _label(edge: _Edge, curve: list[_Point]) -> str:
    """Beyond the middle, where lines to one box are still apart and no box is in the way."""
    t = 0.65 if curve[3][0] > curve[0][0] else 0.5
    weights = ((1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t * t * (1 - t), t**3)
    x = sum(weight * point[0] for weight, point in zip(weights, curve, strict=True))
    y = sum(weight * point[1] for weight, point in zip(weights, curve, strict=True))
    return f'<text class="label" x="{x:.0f}" y="{y + 4:.0f}">{escape(edge.label)}</text>'


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
