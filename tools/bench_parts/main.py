"""Runs the parts of tools/bench and prints their tables.

Machines are shared and noisy: every figure is a median, and what counts is the ratio to the bare thing measured
in the same run.
"""

import argparse
import importlib
import platform
import sys
import time

from rich.console import Console

from libra.logs import configure_logging

PARTS = {
    "jobs": "round trip of a job over gearmand, beside a bare echo through gear",
    "daemon": "start-up to READY and memory of libra-worker",
    "update": "UPDATE by size, beside the bare check and reload of the same file",
    "loss": "what fails while UPDATEs of all kinds meet a full load (wants wrk)",
    "render": "rendering 10,000 nodes, beside Octavia's Jinja template",
    "archive": "ARCHIVE of a big log into a real Swift, beside shell and loop",
    "storage": "pages and single load balancers of 10,000 in both databases, beside the bare driver",
    "rest": "lists and single load balancers of 10,000 over HTTP, beside a bare application (wants wrk)",
    "api": "creates and added members by API until HAProxy does them, beside the same by hand",
    "octavia": "Octavia's requests, beside its own API with its noop driver, and from a request to traffic",
    "fleet": "200 load balancers at once on 200 simulated workers, in both databases",
    "sweep": "one STATS sweep over 100 to 10,000 simulated devices, beside the same number of bare gear echoes",
    "failover": "kill -9 of a worker and its HAProxy until traffic flows on a spare, one and 50 at once",
    "takeover": "the managing controller is killed or frozen until another one manages",
    "webcluster": "one change of a web cluster on 3 to 50 simulated nodes, and a standby's promotion",
    "health": "health checks of 10,000 nodes, and from offline to drained beside sleep(20) (wants wrk)",
    "table": "the figures of UPDATE beside their aims, on both HAProxy versions",
}
DEFAULT = [name for name in PARTS if name != "table"]  # its figures are the other parts' own


def main() -> int:
    """Exit status 0 when every chosen part ran."""
    listing = "\n".join(f"  {name:10} {text}" for name, text in PARTS.items())
    parser = argparse.ArgumentParser(
        prog="tools/bench",
        description=__doc__,
        epilog=f"parts:\n{listing}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("parts", nargs="*", metavar="PART", help="default: all but table")
    parser.add_argument("--quick", action="store_true", help="small counts, to see that it runs")
    options = parser.parse_args()
    unknown = sorted(set(options.parts) - set(PARTS))
    if unknown:
        parser.error(f"there is no part {', '.join(unknown)}; parts are {', '.join(PARTS)}")
    configure_logging(level="error", as_json=False)
    console = Console()
    console.print(f"[dim]{platform.platform()}, Python {platform.python_version()}[/]")
    for name in options.parts or DEFAULT:
        started = time.monotonic()
        console.rule(f"[bold]{name}[/]: {PARTS[name]}")
        importlib.import_module(f"tools.bench_parts.{name}").run(console, quick=options.quick)
        console.print(f"[dim]{name} took {time.monotonic() - started:.0f} s[/]\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
