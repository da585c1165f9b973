"""Rendering 10,000 nodes, beside Octavia's Jinja template rendering the same.

Octavia is installed into an environment of its own, .venv-octavia, when this part first runs.
"""

import json
import statistics
import subprocess
import sys
import time
from pathlib import Path

from rich.console import Console

from libra.config.settings import HAProxySettings
from libra.drivers.haproxy.binary import Version
from libra.drivers.haproxy.build import build
from libra.drivers.haproxy.options import build_options
from libra.drivers.haproxy.render import render
from libra.model.listener import Listener, Protocol
from libra.model.loadbalancer import Desired, LoadBalancer
from libra.model.pool import Member, Pool
from tools.bench_parts.figures import Figure, print_figures

NODES = 10_000
ROOT = Path(__file__).parents[2]
ENVIRONMENT = ROOT / ".venv-octavia"
OCTAVIA = "octavia==19.0.0"
AIM = 10


def run(console: Console, *, quick: bool) -> None:
    """One line."""
    print_figures(console, figures(quick=quick))


def figures(*, quick: bool) -> list[Figure]:
    """The table's. Both render the desired state as they hold it, from nothing remembered."""
    times = 2 if quick else 5
    name = f"rendering {NODES:,} nodes beside Octavia's Jinja rendering"
    ours = statistics.median(_libra() for _ in range(times * 3))
    try:
        theirs = statistics.median(_octavia(times))
    except (OSError, subprocess.SubprocessError) as error:
        said = (getattr(error, "stderr", None) or b"").decode(errors="replace").splitlines()
        why = said[-1] if said else str(error)
        return [Figure(name, f">= {AIM} x", f"octavia does not run here: {why}", None)]
    ratio = theirs / ours
    shown = f"{ratio:.0f} x ({ours * 1000:.0f} ms, {theirs * 1000:.0f} ms)"
    return [Figure(name, f">= {AIM} x", shown, ratio >= AIM)]


def _libra() -> float:
    """Seconds from the desired state to the text."""
    members = tuple(
        Member(id=f"n{n}", address=f"10.{n >> 16}.{n >> 8 & 255}.{n & 255}", port=80)
        for n in range(NODES)
    )
    listener = Listener(
        id="15", protocol=Protocol.HTTP, port=80, pool=Pool(id="15", members=members)
    )
    desired = Desired(loadbalancers=(LoadBalancer(id="15", listeners=(listener,)),))
    options = build_options(HAProxySettings(), Version(2, 6, 12))
    started = time.perf_counter()
    text = render(build(desired, options))
    seconds = time.perf_counter() - started
    assert text.count("\n    server ") == NODES
    return seconds


def _octavia(times: int) -> list[float]:
    ensure_octavia()
    # -P: beside that file is one of the name octavia, too.
    python = str(ENVIRONMENT / "bin" / "python")
    program = [python, "-P", str(Path(__file__).parent / "octavia_render.py")]
    done = subprocess.run(
        [*program, str(NODES), str(times)], check=True, capture_output=True, timeout=300
    )
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["server_lines"] == NODES, found
    return list(found["seconds"])


def ensure_octavia() -> None:
    """Raises `OSError` and `subprocess.SubprocessError` where it cannot be installed."""
    mark = ENVIRONMENT / "installed"
    if not mark.exists():
        subprocess.run([sys.executable, "-m", "venv", str(ENVIRONMENT)], check=True, timeout=120)
        pip = [str(ENVIRONMENT / "bin" / "pip"), "install", "-q", "--no-input", OCTAVIA]
        subprocess.run(pip, check=True, capture_output=True, timeout=900)
        mark.touch()
