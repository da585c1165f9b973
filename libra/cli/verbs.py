"""`libra lb`, `listener`, `pool` and what else Octavia has, `device`, `event`, `token`, and the jobs on record.

A field is given as NAME=VALUE, as the API names it.
"""

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from libra.cli.exits import FAILED, errors_as_exits, fail
from libra.cli.resources import (
    DEVICE,
    DEVICE_POOL,
    JOB,
    LOADBALANCER,
    POOL,
    RESOURCES,
    Resource,
)
from libra.cli.rows import Format, Json, show_one, show_rows
from libra.cli.wiring import Wiring
from libra.errors import Invalid, NotFound

if TYPE_CHECKING:  # a command that asks nobody does not pay for it
    from libra.cli.rest import Rest

POLL_SECONDS = 0.2

UrlOption = Annotated[
    str | None,
    typer.Option("--api-url", metavar="URL", help="Default: $LIBRA_API_URL, else port 8111 here."),
]
TokenOption = Annotated[
    Path | None,
    typer.Option(
        "--token-file",
        metavar="FILE",
        help="Default: $LIBRA_API_TOKEN_FILE, else what `libra up` leaves behind.",
    ),
]
FormatOption = Annotated[Format, typer.Option("--output", "-o", case_sensitive=False)]
FieldsArgument = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="NAME=VALUE...", help="Fields as the API names them; a value may be JSON."
    ),
]
FiltersArgument = Annotated[
    list[str] | None, typer.Argument(metavar="NAME=VALUE...", help="Only those with these values.")
]
WaitOption = Annotated[
    bool,
    typer.Option("--wait", "-w", help="Return once it is ACTIVE; exit status 1 where it is not."),
]
TimeoutOption = Annotated[float, typer.Option("--timeout", min=0.1, help="Seconds to wait.")]


def build_groups() -> list[typer.Typer]:
    """One a resource that has no group of its own."""
    return [build_group(resource) for resource in RESOURCES]


def build_group(resource: Resource) -> typer.Typer:
    """Its verbs."""
    group = typer.Typer(name=resource.command, help=resource.help, no_args_is_help=True)
    add_verbs(group, resource)
    return group


def add_verbs(group: typer.Typer, resource: Resource) -> None:
    """To a group that may have others."""
    build = {"list": _list, "show": _show, "create": _create, "set": _set, "delete": _delete}
    for verb in resource.verbs:
        build[verb](group, resource)
    if resource is LOADBALANCER:
        _add_reading(group, "status", "Both statuses of everything.", "statuses")
        _add_reading(group, "stats", "What it has served so far.", "stats")


def open_api(context: typer.Context, url: str | None, token: Path | None) -> "Rest":
    """The API that options or the environment name, until the command ends. Raises `Invalid`."""
    from libra.cli.rest import open_rest

    wiring: Wiring = context.obj
    rest = open_rest(url, token, wiring.environ)
    context.call_on_close(rest.close)
    return rest


def _base(rest: "Rest", resource: Resource, owner: str | None) -> str:
    if resource.owner is None:
        return resource.path
    if not owner:
        raise Invalid(
            f"cannot go on: --{resource.owner.command} says which {resource.owner.command}"
        )
    found = rest.find(resource.owner.path, resource.owner.plural, owner)
    return resource.path.replace("{owner}", str(found["id"]))


def _owner_option(resource: Resource) -> Any:
    """Which one it is below; hidden where it is below none."""
    owner = resource.owner or POOL
    return typer.Option(f"--{owner.command}", hidden=resource.owner is None)


def _list(group: typer.Typer, resource: Resource) -> None:
    @group.command("list", help=f"The {resource.plural}.")
    def run(
        context: typer.Context,
        filters: FiltersArgument = None,
        owner: Annotated[str | None, _owner_option(resource)] = None,
        output: FormatOption = Format.TABLE,
        api_url: UrlOption = None,
        token_file: TokenOption = None,
    ) -> None:
        with errors_as_exits():
            rest = open_api(context, api_url, token_file)
            answer = rest.call(
                "GET", _base(rest, resource, owner), **parse_fields(filters, raw=True)
            )
        show_rows(answer[resource.plural], resource.columns, output)


def _show(group: typer.Typer, resource: Resource) -> None:
    @group.command("show", help=f"One {resource.singular}.")
    def run(
        context: typer.Context,
        name: Annotated[str, typer.Argument(help="Its id or name.")],
        owner: Annotated[str | None, _owner_option(resource)] = None,
        output: FormatOption = Format.TABLE,
        api_url: UrlOption = None,
        token_file: TokenOption = None,
    ) -> None:
        with errors_as_exits():
            rest = open_api(context, api_url, token_file)
            base = _base(rest, resource, owner)
            key = find_key(rest, resource, base, name)
            answer = rest.call("GET", f"{base}/{key}")
        show_one(answer[resource.singular], output)


def find_key(rest: "Rest", resource: Resource, base: str, name: str) -> str:
    """What stands for it in paths. Raises `NotFound`, and `Invalid` where several have the name."""
    if resource in (DEVICE, DEVICE_POOL, JOB):
        return name
    return str(rest.find(base, resource.plural, name)["id"])


def _create(group: typer.Typer, resource: Resource) -> None:
    @group.command("create", help=f"A new {resource.singular}.")
    def run(
        context: typer.Context,
        fields: FieldsArgument = None,
        owner: Annotated[str | None, _owner_option(resource)] = None,
        wait: WaitOption = False,
        timeout: TimeoutOption = 120.0,
        output: FormatOption = Format.TABLE,
        api_url: UrlOption = None,
        token_file: TokenOption = None,
    ) -> None:
        given = parse_fields(fields)
        with errors_as_exits():
            rest = open_api(context, api_url, token_file)
            base = _base(rest, resource, owner)
            body = given if resource.is_ours else {resource.singular: given}
            made: Json = rest.call("POST", base, body)[resource.singular]
            if wait:
                made = _await(rest, resource, base, made, timeout)
        show_one(made, output)


def _set(group: typer.Typer, resource: Resource) -> None:
    @group.command("set", help=f"Change fields of a {resource.singular}; null means the default.")
    def run(
        context: typer.Context,
        name: Annotated[str, typer.Argument(help="Its id or name.")],
        fields: FieldsArgument = None,
        owner: Annotated[str | None, _owner_option(resource)] = None,
        wait: WaitOption = False,
        timeout: TimeoutOption = 120.0,
        output: FormatOption = Format.TABLE,
        api_url: UrlOption = None,
        token_file: TokenOption = None,
    ) -> None:
        given = parse_fields(fields)
        with errors_as_exits():
            rest = open_api(context, api_url, token_file)
            base = _base(rest, resource, owner)
            path = f"{base}/{find_key(rest, resource, base, name)}"
            body = given if resource.is_ours else {resource.singular: given}
            made: Json = rest.call("PUT", path, body)[resource.singular]
            if wait:
                made = _await(rest, resource, base, made, timeout)
        show_one(made, output)


def _delete(group: typer.Typer, resource: Resource) -> None:
    @group.command("delete", help=f"Delete a {resource.singular}.")
    def run(
        context: typer.Context,
        name: Annotated[str, typer.Argument(help="Its id or name.")],
        owner: Annotated[str | None, _owner_option(resource)] = None,
        cascade: Annotated[
            bool,
            typer.Option("--cascade", help="With its parts.", hidden=resource is not LOADBALANCER),
        ] = False,
        wait: WaitOption = False,
        timeout: TimeoutOption = 120.0,
        api_url: UrlOption = None,
        token_file: TokenOption = None,
    ) -> None:
        with errors_as_exits():
            rest = open_api(context, api_url, token_file)
            base = _base(rest, resource, owner)
            path = f"{base}/{find_key(rest, resource, base, name)}"
            rest.call("DELETE", path, **({"cascade": "true"} if cascade else {}))
            if wait:
                _await_end(rest, path, timeout)


def _add_reading(group: typer.Typer, verb: str, text: str, field: str) -> None:
    @group.command(verb, help=text)
    def run(
        context: typer.Context,
        name: Annotated[str, typer.Argument(help="Its id or name.")],
        output: FormatOption = Format.TABLE,
        api_url: UrlOption = None,
        token_file: TokenOption = None,
    ) -> None:
        with errors_as_exits():
            rest = open_api(context, api_url, token_file)
            key = find_key(rest, LOADBALANCER, LOADBALANCER.path, name)
            answer = rest.call("GET", f"{LOADBALANCER.path}/{key}/{verb}")
        if field == "statuses" and output is Format.TABLE:
            from libra.cli.status import show_statuses

            show_statuses(answer[field])
        else:
            show_one(answer[field], output)


def _await(rest: "Rest", resource: Resource, base: str, made: Json, timeout: float) -> Json:
    """Until it is ACTIVE, with a sign of life for people; a device until it can be used."""
    is_device = resource is DEVICE
    field = "state" if is_device else "provisioning_status"
    good = ("SPARE", "ASSIGNED") if is_device else ("ACTIVE",)
    deadline = time.monotonic() + timeout
    from rich.console import Console

    with Console(stderr=True).status(f"waiting for {made.get('name') or made['id']}"):
        while made.get(field) not in good:
            if made.get(field) == "ERROR":
                fail(
                    f"{resource.singular} {made['id']} is in ERROR; `libra event list` says why",
                    FAILED,
                )
            if time.monotonic() > deadline:
                fail(f"{resource.singular} {made['id']} is still {made.get(field)}", FAILED)
            time.sleep(POLL_SECONDS)
            made = rest.call("GET", f"{base}/{made['id']}")[resource.singular]
    return made


def _await_end(rest: "Rest", path: str, timeout: float) -> None:
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        try:
            rest.call("GET", path)
        except NotFound:
            return
        time.sleep(POLL_SECONDS)
    fail("it is still there", FAILED)


def parse_fields(texts: list[str] | None, *, raw: bool = False) -> Json:
    """NAME=VALUE; what is JSON is taken as that, all else as a text."""
    fields: Json = {}
    for text in texts or ():
        name, separator, value = text.partition("=")
        if not separator or not name:
            fail(f"cannot read {text!a}: it must be NAME=VALUE", 2)
        fields[name] = value if raw else _value(value)
    return fields


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text
