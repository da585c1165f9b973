"""What holds for every test."""

import gc
import os
import signal
import sys
from pathlib import Path
from zlib import crc32

import pytest
from hypothesis import settings

import libra.logs
import libra.storage.engines

import structlog  # isort: skip

from tests.support.haproxy import BINARIES
from tests.support.ordering import deal
from tests.support.statements import create_alike

# One Swift for the whole run, whichever modules ask for it.
from tests.support.swift import container, swift, swift_cluster  # noqa: F401

# No deadlines: the machine is shared. In CI the same examples in every run.
settings.register_profile("local", deadline=None, max_examples=100)
# Fewer there, for they are never others: new ones are found by the runs of those who write code.
settings.register_profile("ci", deadline=None, max_examples=10, derandomize=True, print_blob=True)
settings.load_profile("ci" if os.environ.get("CI") else "local")

# Where nothing else is said events are printed, by threads too: not on a stream that the test of a command has put in
# the place of standard output, and takes away under them.
structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.__stderr__))

libra.storage.engines.create_engine = create_alike

# A shell that starts them beside it lets them ignore Ctrl-C, and with them each process that they start.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# Thousands of tests, and all that they import, stay until the end: whoever collects garbage need not look at them.
gc.disable()


def pytest_collection_finish() -> None:
    gc.enable()
    gc.freeze()


@pytest.fixture
def started_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Programs are no forks of one that has all loaded (`tests.support.forking`), but started as anybody would."""
    monkeypatch.setenv("LIBRA_FORKS", "no")


LONGEST_FIRST = ("acceptance", "integration", "contract")
# Half a minute a test, and more: whoever begins with one last keeps all others waiting.
LONGEST_OF_ALL = ("test_worker_crashes", "test_up", "test_demo", "test_several_controllers")


# About what is libra's own, with every HAProxy, and dear: in a whole run each of their tests has one HAProxy or the
# other, by its name, but for those under load. LIBRA_HAPROXY=both runs them on both, as does one process without -n.
DEALT = (
    *("test_haproxy_reload", "test_haproxy_storm", "test_haproxy_counters", "test_haproxy_clients"),
    *("test_haproxy_full_disk", "test_haproxy_preview", "test_haproxy_renewals"),
    *("test_haproxy_pings", "test_haproxy_faults", "test_worker_haproxy", "test_web_services"),
)


def _is_dealt_out(item: pytest.Item) -> bool:
    callspec = getattr(item, "callspec", None)
    binary = callspec.params.get("haproxy_binary") if callspec else None
    if binary is None or item.path.stem not in DEALT or item.get_closest_marker("load"):
        return False
    name = item.nodeid.replace(binary, "")
    return list(BINARIES)[crc32(name.encode()) % len(BINARIES)] != binary


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Where several processes share the tests; `--dist worksteal` begins with pieces of equal length."""
    hands = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    if hands == 1:
        return
    if os.environ.get("LIBRA_HAPROXY") != "both":
        dealt_out = {item for item in items if _is_dealt_out(item)}
        config.hook.pytest_deselected(items=list(dealt_out))
        items[:] = [item for item in items if item not in dealt_out]
    by_length = sorted(items, key=lambda item: item.path.stem not in LONGEST_OF_ALL)
    groups: dict[object, list[pytest.Item]] = {}
    for item in by_length:
        groups.setdefault(_shared(item), []).append(item)
    modules = list(groups.values())
    long = [module for level in LONGEST_FIRST for module in modules if _is_of(module[0], level)]
    short = [item for item in items if not any(_is_of(item, level) for level in LONGEST_FIRST)]
    items[:] = deal(long, short, hands)


def _shared(item: pytest.Item) -> object:
    """What its group has in common: a Swift, which takes five seconds of a processor to start, or the module."""
    uses_swift = "swift_cluster" in getattr(item, "fixturenames", ())
    return "swift" if uses_swift else item.path


def _is_of(item: pytest.Item, level: str) -> bool:
    return Path(__file__).parent / level in item.path.parents
