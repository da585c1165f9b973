"""All of twenty local devices are shut down at once: what is left is told, and no process stays."""

import re

from tests.support.operating import POOL, operating
from tests.support.ports import wait_until

MANY = 20


def test_a_shutdown_of_all_shows_progress_and_leaves_no_process() -> None:
    with operating() as operator:
        operator.lab.put(f"/v1/device-pools/{POOL}", {"min_spare": MANY})
        wait_until(
            lambda: operator.states() == ["SPARE"] * MANY, timeout=180, what=f"{MANY} devices"
        )
        assert len(operator.processes()) >= MANY
        told = operator.run(
            "admin", "vms", "shutdown", POOL, "--all", "--wait", "--timeout", "1", "--yes", status=1
        )
        assert f"the device pool '{POOL}' is enabled and keeps {MANY} spare" in told
        assert f"{MANY} of {MANY} left" in told
        operator.run("admin", "disable", POOL)
        progress = operator.watch("admin", "vms", "shutdown", POOL, "--all", "--wait", "--yes")
        left = [
            int(number) for number in re.findall(r"^(\d+) of \d+ left$", progress, re.MULTILINE)
        ]
        assert left == sorted(left, reverse=True)
        assert left[-1] == 0
        assert operator.vms() == []
        assert operator.processes() == []
