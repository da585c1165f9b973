"""Runs `openstack` again and again in one process: to start it takes seconds.

Reads a line of JSON, {"arguments": [...], "environment": {...}}, and writes one: {"status", "stdout", "stderr"}. Its
own clock is faster: --wait sleeps three seconds between two looks, which would be most of what a test does.
"""

import io
import json
import os
import sys
import time
import traceback
import warnings
from contextlib import redirect_stderr, redirect_stdout

LONGEST_SLEEP = 0.1
_sleep = time.sleep


def run(arguments: list[str], environment: dict[str, str]) -> dict[str, object]:
    """As a process of its own would: with nothing of the last one's in its environment."""
    from openstackclient.shell import OpenStackShell

    for name in [name for name in os.environ if name.startswith("OS_")]:
        del os.environ[name]
    os.environ.update(environment)
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        try:
            status = OpenStackShell().run(arguments)
        except SystemExit as error:
            status = error.code
        except BaseException:  # noqa: BLE001 - whatever it is, it is the command's
            traceback.print_exc()
            status = 1
    return {"status": status or 0, "stdout": out.getvalue(), "stderr": err.getvalue()}


def main() -> None:
    """Until there is nothing to read any more."""
    warnings.simplefilter("ignore")
    time.sleep = lambda seconds: _sleep(min(seconds, LONGEST_SLEEP))  # type: ignore[assignment]
    answers = sys.stdout
    for line in sys.stdin:
        asked = json.loads(line)
        answers.write(json.dumps(run(asked["arguments"], asked["environment"])) + "\n")
        answers.flush()


if __name__ == "__main__":
    main()
