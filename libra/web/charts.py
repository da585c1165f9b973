"""Small line charts as SVG paths. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

WIDTH, HEIGHT = 240, 48
_FLOOR = 1e-9


@dataclass(frozen=True, slots=True)
class Chart:
    """`line` and `area` are paths in a box of WIDTH x HEIGHT; `top` is the value at its upper edge."""

    line: str
    area: str
    top: float
    last: float | None


def draw(values: Sequence[float | None], top: float = 0.0) -> Chart:
    """Evenly spaced, the newest at the right edge. None is a gap. `top` is the least value of the upper edge."""
    known = [value for value in values if value is not None]
    high = max([top, *known], default=0.0)
    step = WIDTH / max(1, len(values) - 1)
    runs = _runs(values)
    scale = HEIGHT / high if high > _FLOOR else 0.0
    lines, areas = [], []
    for start, run in runs:
        points = [
            (round((start + index) * step, 1), round(HEIGHT - value * scale, 1))
            for index, value in enumerate(run)
        ]
        path = "L".join(f"{x} {y}" for x, y in points)
        lines.append(f"M{path}")
        areas.append(f"M{points[0][0]} {HEIGHT}L{path}L{points[-1][0]} {HEIGHT}Z")
    last = values[-1] if values else None
    return Chart("".join(lines), "".join(areas), high, last)


def _runs(values: Sequence[float | None]) -> list[tuple[int, list[float]]]:
    """Pieces without gaps, and where each begins."""
    runs: list[tuple[int, list[float]]] = []
    open_run = False
    for index, value in enumerate(values):
        if value is None:
            open_run = False
            continue
        if not open_run:
            runs.append((index, []))
            open_run = True
        runs[-1][1].append(value)
    return runs
