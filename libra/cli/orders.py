"""What is asked of the controller beyond records: orders about jobs, questions to devices, logs to archive."""

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from libra.cli.exits import FAILED, errors_as_exits, fail
from libra.cli.resources import DEVICE, JOB, LOADBALANCER, TOKEN
from libra.cli.rows import Format, Json, show_one
from libra.cli.verbs import (
    POLL_SECONDS,
    FormatOption,
    TimeoutOption,
    TokenOption,
    UrlOption,
    find_key,
    open_api,
)
from libra.errors import Invalid

if TYPE_CHECKING:
    from libra.cli.rest import Rest

ORDERS = {
    "hold": "Keep a job that waits from being sent.",
    "release": "Let a job go on that is held.",
    "cancel": "End a job that waits; what it was to change stays wanted, and the next one carries it.",
    "retry": "Send a job again that has failed, expired or was cancelled.",
}
QUESTIONS = {
    "discover": "Ask a worker who it is, by a job that is kept.",
    "stats": "Ask a worker for its statistics, by a job that is kept.",
}
DEVICE_ORDERS = {
    "approve": (
        "Use a device: one that announced itself, or one that was evacuated or retired.",
        (),
    ),
    "evacuate": ("Move everything away from a device, and nothing there.", ("DRAINING",)),
    "retire": ("Move everything away from a device, and ask it no more.", ("RETIRED",)),
}
ENDED = {"complete", "held", "failed", "expired", "cancelled", "superseded"}
SWIFT_TOKEN = "OS_TOKEN"  # noqa: S105 - a name
WaitForJob = Annotated[
    bool,
    typer.Option("--wait", "-w", help="Return when it has ended; exit status 1 unless complete."),
]


def add_job_orders(group: typer.Typer) -> None:
    """hold, release, cancel, retry."""
    for order, text in ORDERS.items():
        _add_posting(group, order, text, JOB.path, "ID", "A job's id.")


def add_questions(group: typer.Typer) -> None:
    """discover, stats."""
    for question, text in QUESTIONS.items():
        _add_posting(group, question, text, DEVICE.path, "NAME", "A device's name or id.")


def _add_posting(
    group: typer.Typer, verb: str, text: str, path: str, metavar: str, which: str
) -> None:
    @group.command(verb, help=text)
    def run(
        context: typer.Context,
        name: Annotated[str, typer.Argument(metavar=metavar, help=which)],
        wait: WaitForJob = False,
        timeout: TimeoutOption = 120.0,
        output: FormatOption = Format.TABLE,
        api_url: UrlOption = None,
        token_file: TokenOption = None,
    ) -> None:
        with errors_as_exits():
            rest = open_api(context, api_url, token_file)
            job = rest.call("POST", f"{path}/{name}/{verb}")["job"]
            _finish(rest, job, output, timeout if wait else None)


def add_device_orders(group: typer.Typer) -> None:
    """approve, evacuate, retire."""
    for order, (text, ends) in DEVICE_ORDERS.items():
        _add_device_order(group, order, text, ends or ("SPARE", "ASSIGNED"))


def _add_device_order(group: typer.Typer, order: str, text: str, ends: tuple[str, ...]) -> None:
    @group.command(order, help=text)
    def run(
        context: typer.Context,
        name: Annotated[str, typer.Argument(metavar="NAME", help="A device's name or id.")],
        wait: Annotated[
            bool,
            typer.Option("--wait", "-w", help="Return when it is done, and show how far it is."),
        ] = False,
        timeout: TimeoutOption = 600.0,
        output: FormatOption = Format.TABLE,
        api_url: UrlOption = None,
        token_file: TokenOption = None,
    ) -> None:
        with errors_as_exits():
            rest = open_api(context, api_url, token_file)
            device = rest.call("POST", f"{DEVICE.path}/{name}/{order}")["device"]
            if wait:
                device = _await_device(rest, device, order != "approve", ends, timeout)
            show_one(device, output)


def _await_device(
    rest: "Rest", device: Json, empty: bool, ends: tuple[str, ...], timeout: float
) -> Json:
    """With what it has left, for people."""
    from rich.console import Console

    deadline = time.monotonic() + timeout
    with Console(stderr=True).status("") as status:
        while device["state"] not in ends or (empty and device["loadbalancers"]):
            left = f"{device['state']}, {device['loadbalancers']} load balancers"
            status.update(f"{device['name']}: {left}")
            if time.monotonic() > deadline:
                fail(
                    f"the device {device['name']} is still {left}; `libra event list "
                    f"subject_id={device['id']}` says what happened",
                    FAILED,
                )
            time.sleep(POLL_SECONDS)
            device = rest.call("GET", f"{DEVICE.path}/{device['id']}")["device"]
    return device


def add_failover(group: typer.Typer) -> None:
    """Of a load balancer."""

    @group.command("failover", help="Move it to another device, or send it to its own anew.")
    def run(
        context: typer.Context,
        name: Annotated[str, typer.Argument(help="Its id or name.")],
        api_url: UrlOption = None,
        token_file: TokenOption = None,
    ) -> None:
        with errors_as_exits():
            rest = open_api(context, api_url, token_file)
            key = find_key(rest, LOADBALANCER, LOADBALANCER.path, name)
            rest.call("PUT", f"{LOADBALANCER.path}/{key}/failover")


def add_revocation(group: typer.Typer) -> None:
    """Of a token; `delete` does the same, as with every other resource."""

    @group.command("delete", help="The same as revoke.")
    @group.command("revoke", help="Refuse it from now on; it stays in the list.")
    def run(
        context: typer.Context,
        name: Annotated[str, typer.Argument(help="Its id or name.")],
        api_url: UrlOption = None,
        token_file: TokenOption = None,
    ) -> None:
        with errors_as_exits():
            rest = open_api(context, api_url, token_file)
            rest.call("DELETE", f"{TOKEN.path}/{find_key(rest, TOKEN, TOKEN.path, name)}")


def add_archive(group: typer.Typer) -> None:
    """The access log of a load balancer into an object store."""

    @group.command("archive")
    def run(
        context: typer.Context,
        name: Annotated[str, typer.Argument(help="Its id or name.")],
        container: Annotated[str, typer.Option("--container", help="Made where it is missing.")],
        endpoint: Annotated[
            str | None,
            typer.Option(
                "--endpoint",
                metavar="URL",
                help="The account's storage URL. Default: the project's account; see `libra objectstore`.",
            ),
        ] = None,
        store_token: Annotated[
            Path | None,
            typer.Option(
                "--store-token",
                metavar="FILE",
                help="Holds the object store's token. Default: $OS_TOKEN.",
            ),
        ] = None,
        store: Annotated[
            str | None, typer.Option("--store", help="The kind of object store. Default: swift.")
        ] = None,
        wait: WaitForJob = False,
        timeout: TimeoutOption = 3600.0,
        output: FormatOption = Format.TABLE,
        api_url: UrlOption = None,
        token_file: TokenOption = None,
    ) -> None:
        """Send its access log, compressed, into an object store.

        The token is kept encrypted, and only until the job has ended.
        """
        with errors_as_exits():
            given = {"object_store_type": store, "object_store_endpoint": endpoint}
            if endpoint or store_token:
                given["auth_token"] = _read_store_token(store_token)
            body = {name: value for name, value in given.items() if value is not None}
            body["object_store_basepath"] = container
            rest = open_api(context, api_url, token_file)
            key = find_key(rest, LOADBALANCER, LOADBALANCER.path, name)
            job = rest.call("POST", f"/v1/loadbalancers/{key}/logs", body)["job"]
            _finish(rest, job, output, timeout if wait else None)


def _read_store_token(path: Path | None) -> str:
    if path is None:
        token = os.environ.get(SWIFT_TOKEN, "")
        if not token:
            raise Invalid(
                f"cannot archive without the object store's token: give --store-token FILE, or set {SWIFT_TOKEN}"
            )
        return token
    try:
        return path.read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is no text"
        raise Invalid(f"cannot read the object store's token in {path}: {reason}") from error


def _finish(rest: "Rest", job: Json, output: Format, timeout: float | None) -> None:
    """Shows the job; after the wait with its reply."""
    if timeout is None:
        show_one(job, output)
        return
    ended = _await_job(rest, job, timeout)
    show_one(ended, output)
    if ended["state"] != "complete":
        fail(
            f"the job {ended['id']} is {ended['state']}: {ended['error'] or 'it says no more'}",
            FAILED,
        )


def _await_job(rest: "Rest", job: Json, timeout: float) -> Json:
    from rich.console import Console

    deadline = time.monotonic() + timeout
    with Console(stderr=True).status(f"waiting for {job['action']} on {job['device_name']}"):
        while job["state"] not in ENDED:
            if time.monotonic() > deadline:
                fail(f"the job {job['id']} is still {job['state']}", FAILED)
            time.sleep(POLL_SECONDS)
            job = rest.call("GET", f"{JOB.path}/{job['id']}")["job"]
    return rest.call("GET", f"{JOB.path}/{job['id']}")["job"]  # type: ignore[no-any-return]
