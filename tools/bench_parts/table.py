"""The figures that an UPDATE is measured by, each beside its aim, on both HAProxy versions."""

from rich.console import Console

from tests.support.haproxy import BINARIES
from tools.bench_parts import jobs, loss, render, update
from tools.bench_parts.figures import Figure, print_figures


def run(console: Console, *, quick: bool) -> None:
    """One table."""
    found: list[Figure] = []
    for kind in BINARIES:
        found += update.figures(kind, quick=quick)
        found += loss.figures(kind, quick=quick)
    print_figures(console, [*found, *render.figures(quick=quick), *jobs.figures(quick=quick)])
