"""A figure beside its aim."""

from collections.abc import Sequence
from dataclasses import dataclass

from rich.console import Console
from rich.table import Table


@dataclass(frozen=True, slots=True)
class Figure:
    """`measured` and `aim` as they are read; `holds` None where nothing could be measured."""

    name: str
    aim: str
    measured: str
    holds: bool | None


def print_figures(console: Console, figures: Sequence[Figure]) -> None:
    """One line a figure."""
    table = Table("figure", "aim", "measured", "holds")
    words = {True: "yes", False: "NO", None: "not measured"}
    for figure in figures:
        table.add_row(figure.name, figure.aim, figure.measured, words[figure.holds])
    console.print(table)
