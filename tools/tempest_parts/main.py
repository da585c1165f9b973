"""Runs modules of Octavia's suite, some at once, and prints what came of them."""

import json
import os
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tools.tempest_parts.expected import explain
from tools.tempest_parts.host import Tested, tested

ROOT = Path(__file__).resolve().parents[2]
PYTHON = ROOT / ".venv-tempest/bin/python"
INSIDE = Path(__file__).with_name("inside.py")
LONGEST_SECONDS = 3600.0
AT_ONCE = 4
# The longest first; amphorae are looked for where there is a device, and here there is none.
MODULES = (
    *("healthmonitor", "pool", "member", "listener", "load_balancer", "l7policy", "l7rule"),
    *("provider", "flavor", "flavor_profile", "flavor_capabilities"),
    *("availability_zone", "availability_zone_profile", "availability_zone_capabilities"),
)


@dataclass(frozen=True)
class Outcome:
    """Of one test; `words` are the last that it said."""

    module: str
    test: str
    outcome: str
    words: str

    @property
    def kind(self) -> str:
        """What it counts as."""
        if self.outcome in ("success", "skip"):
            return self.outcome
        return "expected" if explain(self.test) else "failed"


def main() -> int:
    """Exit status 1 where something failed that should not."""
    modules = sys.argv[1:] or list(MODULES)
    console = Console()
    if unknown := sorted(set(modules) - {*MODULES, "amphora"}):
        console.print(f"no such module: {', '.join(unknown)}; there are {', '.join(MODULES)}")
        return 2
    with tempfile.TemporaryDirectory() as name, tested(Path(name)) as host:
        with ThreadPoolExecutor(AT_ONCE) as threads:
            runs = [threads.submit(lambda one: [*run(host, one)], module) for module in modules]
        outcomes = [outcome for finished in runs for outcome in finished.result()]
    console.print(as_table(outcomes))
    failed = [one for one in outcomes if one.kind == "failed"]
    for one in failed:
        console.print(f"{one.module}: {one.test}\n{one.words}\n", markup=False, highlight=False)
    return 1 if failed or not outcomes else 0


def run(host: Tested, module: str) -> Iterator[Outcome]:
    """Each of its tests."""
    place = host.lay_out(module)
    environment = {**os.environ, "TEMPEST_CONFIG_DIR": str(place), "TEMPEST_CONFIG": "tempest.conf"}
    with (place / "errors").open("wb") as errors:
        done = subprocess.run(
            [PYTHON, INSIDE, module, host.network],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=errors,
            timeout=LONGEST_SECONDS,
            check=False,
        )
    for line in done.stdout.decode().splitlines():
        if line.startswith("{"):
            yield Outcome(module=module, **json.loads(line))
    if done.returncode:
        said = (place / "errors").read_text(errors="replace")[-400:]
        yield Outcome(module, "its run", "error", said)


def as_table(outcomes: list[Outcome]) -> Table:
    """A row a module."""
    kinds = ("success", "skip", "expected", "failed")
    table = Table("module", "passed", "skipped", "not done here", "failed")
    for module in dict.fromkeys(one.module for one in outcomes):
        counts = Counter(one.kind for one in outcomes if one.module == module)
        table.add_row(module, *(str(counts[kind]) for kind in kinds))
    every = Counter(one.kind for one in outcomes)
    table.add_section()
    table.add_row("all", *(str(every[kind]) for kind in kinds))
    return table


if __name__ == "__main__":
    sys.exit(main())
