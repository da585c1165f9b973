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
        operator.lab.put(f"/v1/device-pools/{POOL}", {"min_spare": 1})
        progress = operator.watch("admin", "vms", "shutdown", POOL, "--all", "--wait", "--yes")
        assert f"the device pool '{POOL}' is enabled and keeps 1 spare: it boots others" in progress
        left = [
            int(number) for number in re.findall(r"^(\d+) of \d+ left$", progress, re.MULTILINE)
        ]
        assert left == sorted(left, reverse=True)
        assert (left[0], left[-1]) == (MANY, 0)
        operator.run("admin", "disable", POOL)
        operator.run("admin", "vms", "shutdown", POOL, "--all", "--wait", "--yes")
        assert operator.vms() == []
        assert operator.processes() == []
