"""Every URL of the scheduler's page, line by line, against one controller with three devices of its own and real jobs.

A line without an expectation in tests/support/scheduler fails. What destroys comes last: the order there is the order
of the requests.
"""

import logging
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from libra.cmd.renewing import Renewer
from libra.config.controller import AdminSettings
from libra.providers.local import create_provider
from tests.support.control import control_lab
from tests.support.scheduler import orders, statuses
from tests.support.scheduler.urls import every_request, expand, read_lines
from tests.support.scheduler.walk import POOL, STEPS, Walk, concrete, prepare

IN_ORDER = (statuses, orders)
OTHER_FORMS = (
    "GET /vms?metric=all",
    "GET /clusters/CLUSTER/vms?metric=all",
    "GET /clusters/CLUSTER/vms?metric=total",
    "GET /job-pool.json",
    "GET /developer-info",
    "GET /failures/boot",
    "GET /failures/image",
    "GET /diff_types",
    "PUT /clouds/CLOUD/vms?action=remove&count=all",
    "PUT /clouds/CLOUD/vms/VMID?action=remove",
    "PUT /clouds/CLOUD/vms?action=force_retire&count=NUMBER",
    "PUT /clouds/CLOUD/vms/VMID?action=force_retire",
)
"""As the scheduler's code spells some of them."""


@pytest.fixture(scope="module")
def log() -> Iterator[None]:
    """Orders change it, and the test runner has handlers of its own."""
    root, own = logging.getLogger(), logging.getLogger("libra")
    before = (list(root.handlers), root.level, own.level)
    root.handlers = []
    yield
    for handler in root.handlers:
        handler.close()
    root.handlers, root.level, own.level = before
    structlog.reset_defaults()


@pytest.fixture(scope="module")
def walk(log: None) -> Iterator[Walk]:
    with tempfile.TemporaryDirectory(prefix="lb") as name:  # short: there will be sockets in it
        directory = Path(name)
        files = AdminSettings(
            aliases_file=directory / "aliases.json", limits_file=directory / "limits.json"
        )
        # A held job, too, is over when its time is.
        with control_lab(
            directory, admin=files, probe_seconds=0.3, job_deadline_seconds=600
        ) as lab:
            walk = Walk(lab, directory)
            walk.write_settings()
            settings = walk.load_settings()
            lab.controller.steering.renew = Renewer(
                walk.load_settings, settings, lab.controller
            ).renew
            try:
                prepare(walk)
                yield walk
            finally:
                lab.stop_controller()
                provider = create_provider(lab.settings, POOL)
                for host in provider.list():
                    provider.shutdown(host.name)


def test_no_line_is_forgotten() -> None:
    assert len(read_lines()) == 37
    assert set(STEPS) == {*every_request(), *OTHER_FORMS}


def test_every_line(walk: Walk) -> None:
    for module in IN_ORDER:
        for request, step in STEPS.items():
            if step.__module__ == module.__name__:
                step(walk, concrete(walk, request).removeprefix("GET "))


@pytest.mark.parametrize(
    ("line", "wanted"),
    [
        ("GET /a", ["GET /a"]),
        ("GET /a?x=1|2", ["GET /a?x=1", "GET /a?x=2"]),
        ("GET /a[?x=1|2]", ["GET /a", "GET /a?x=1", "GET /a?x=2"]),
        ("PUT /a?x=(b|c)&y=d", ["PUT /a?x=b&y=d", "PUT /a?x=c&y=d"]),
    ],
)
def test_alternatives(line: str, wanted: list[str]) -> None:
    assert expand(line) == wanted


def test_what_is_no_line() -> None:
    with pytest.raises(ValueError, match="no URL"):
        expand("get_version")
