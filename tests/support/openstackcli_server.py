"""Runs `openstack` again and again: to start it takes seconds, most of which it reads its own modules.

Reads a line of JSON, {"arguments": [...], "environment": {...}}, and writes one: {"status", "stdout", "stderr"}. Each
command is run by a copy of this process, which has read them already: clients keep what they log in with in globals.
Its clock is faster: --wait sleeps three seconds between two looks, which would be most of what a test does.
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


def read_modules() -> None:
    """What nearly every command reads."""
    import importlib.metadata

    import keystoneauth1.extras  # noqa: F401
    import openstack.load_balancer.v2._proxy
    import openstack.network.v2._proxy  # noqa: F401
    from openstackclient import shell  # noqa: F401

    for group in ("openstack.load_balancer.v2", "openstack.cli.extension", "openstack.cli.base"):
        for found in importlib.metadata.entry_points(group=group):
            found.load()
    run(["loadbalancer", "list"], {"OS_AUTH_TYPE": "none", "OS_ENDPOINT": "http://127.0.0.1:1"})
    _forget_clients()


def _forget_clients() -> None:
    """Of nobody yet, but made already."""
    from openstackclient.common import clientmanager
    from osc_lib.clientmanager import ClientCache

    for kind in clientmanager.ClientManager.__mro__:
        for cache in vars(kind).values():
            if isinstance(cache, ClientCache):
                cache._handle = None


def run(arguments: list[str], environment: dict[str, str]) -> dict[str, object]:
    """What it says."""
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
    read_modules()
    time.sleep = lambda seconds: _sleep(min(seconds, LONGEST_SLEEP))  # type: ignore[assignment]
    for line in sys.stdin:
        asked = json.loads(line)
        child = os.fork()
        if child:
            os.waitpid(child, 0)
            continue
        text = json.dumps(run(asked["arguments"], asked["environment"])) + "\n"
        os.write(1, text.encode())
        os._exit(0)


if __name__ == "__main__":
    main()
