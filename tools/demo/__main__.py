"""Runs libra on this machine and shows what it does, with real requests.

Job server, controller, REST API, a worker and its HAProxy, all by `libra up`; every command that is shown was run.
"""

import argparse
import signal
import subprocess
import sys
import threading
import time
from contextlib import ExitStack
from pathlib import Path

from tools.demo.acts import Play
from tools.demo.servers import LOOPBACK, choose_port
from tools.demo.stage import DEVICE, DemoFailed, Stage, console


def show_all(play: Play, *, whole: bool) -> None:
    """The first half is common to both ways of running."""
    play.create()
    play.grow()
    play.look()
    if whole:
        play.suspend()
        play.archive()
        play.wreck()
        play.delete()


def stay(stage: Stage, play: Play) -> None:
    """Until Ctrl-C, from the moment on when that is offered."""
    stopped = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopped.set())
    server = f"--device {DEVICE} --job-server {LOOPBACK}:{stage.job_port}"
    exports = "\n".join(f"export {name}={value}" for name, value in stage.environ().items())
    kept = "its state stays there" if stage.is_kept else "and removes it"
    console.rule("libra is up. Try, in another terminal")
    console.print(  # to be copied: neither in a box nor cut to the width of the terminal
        f"{exports}\n"
        f"curl {play.url}\n"
        f".venv/bin/libra lb status demo\n"
        f".venv/bin/libra member list --pool web\n"
        f".venv/bin/libra event list\n"
        f".venv/bin/libra job send SUSPEND {server}\n"
        f".venv/bin/libra job send ENABLE  {server}\n"
        f"xdg-open {stage.api}/docs   [dim]# the API's reference[/]\n"
        f"less {stage.directory}/worker/haproxy.cfg",
        soft_wrap=True,
    )
    console.rule(f"Ctrl-C stops everything, {kept}")
    stopped.wait()
    console.print("\nstopping ...")


def parse_options() -> argparse.Namespace:
    """Of the command line."""
    parser = argparse.ArgumentParser(prog="tools/run", description=__doc__)
    parser.add_argument(
        "--demo", action="store_true", help="go through all seven actions, then stop"
    )
    parser.add_argument(
        "--state-dir",
        type=Path,
        help="keep everything here, and come back with it (default: a directory that is removed)",
    )
    parser.add_argument(
        "--port", type=int, help="where the load balancer listens (default 8080, or a free one)"
    )
    parser.add_argument(
        "--api-port", type=int, help="where the REST API listens (default 8111, or a free one)"
    )
    parser.add_argument(
        "--job-port", type=int, help="where the job server listens (default 4730, or a free one)"
    )
    return parser.parse_args()


def main() -> int:
    """Exit status 0, or 1 with the reason."""
    options = parse_options()
    started = time.monotonic()
    try:
        with ExitStack() as stack:
            stage = Stage(stack, options.state_dir, (options.api_port, options.job_port))
            stage.start()
            console.print(f"everything is up after {time.monotonic() - started:.1f} s\n")
            # Addresses of 127.0.1.0/24: whoever listens on all addresses is in the way, too.
            play = Play(stage, choose_port(options.port, 8080, host=""))
            show_all(play, whole=options.demo)
            if not options.demo:
                stay(stage, play)
    except (DemoFailed, subprocess.SubprocessError, OSError) as error:
        console.print("[bold red]failed:[/]", end=" ")
        console.print(str(error), markup=False)
        return 1
    except KeyboardInterrupt:
        return 130
    console.print(
        f"[bold green]done[/] in {time.monotonic() - started:.1f} s, nothing left running"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
