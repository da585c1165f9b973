"""`libra admin vms`: orders about one device of a pool, some, the first so many, or all."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated
from urllib.parse import unquote

import typer

from libra.cli.admin.asking import (
    CommentOption,
    DryRunOption,
    YesOption,
    confirm,
    name_some,
    order,
)
from libra.cli.admin.countdown import Wanted, wait_until_gone
from libra.cli.exits import BAD_INPUT, FAILED, complain, errors_as_exits, fail
from libra.cli.overview.asking import JSON
from libra.cli.rows import Format, Json, dump, show_rows
from libra.cli.segments import segment
from libra.cli.verbs import FormatOption, TimeoutOption, TokenOption, UrlOption, open_api
from libra.errors import NotFound

if TYPE_CHECKING:
    from libra.cli.rest import Rest

app = typer.Typer(
    name="vms", help="Devices of a pool: shut down, retired, removed, reset.", no_args_is_help=True
)
COLUMNS = ("name", "state", "told")


@dataclass(frozen=True, slots=True, kw_only=True)
class Verb:
    """`ends`: the device goes, so that there is something to wait for and to ask about."""

    name: str
    method: str
    action: str | None
    ends: bool
    asks: str
    help: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """Which devices: `vms`, or the first `count`, or without both all. Names are as they stand in paths."""

    cloud: str
    vms: tuple[str, ...] = ()
    count: int | None = None


VERBS = (
    Verb(
        name="shutdown",
        method="PUT",
        action="shutdown",
        ends=True,
        asks="shut down (what they serve is moved, their hosts are destroyed)",
        help="Destroy their hosts at once; what they have is moved to others.",
    ),
    Verb(
        name="force-retire",
        method="POST",
        action="force_retire",
        ends=True,
        asks="retire (drain, and then destroy)",
        help="Drain them: no new load balancers, sessions end, then their hosts are destroyed.",
    ),
    Verb(
        name="remove",
        method="DELETE",
        action=None,
        ends=False,
        asks="forget (they run on, and nobody looks after them)",
        help="Forget them; their hosts and workers run on.",
    ),
    Verb(
        name="reset-override-state",
        method="PUT",
        action="reset_override_state",
        ends=False,
        asks="",
        help="Use them again: take back what was imposed on them.",
    ),
)
CloudArgument = Annotated[str, typer.Argument(metavar="CLOUD", help="A device pool's name or id.")]
VmsArgument = Annotated[
    list[str] | None, typer.Argument(metavar="VM", help="Names or ids of devices.")
]
AllOption = Annotated[bool, typer.Option("--all", "-a", help="All of the pool.")]
CountOption = Annotated[
    int | None,
    typer.Option("--count", "-n", "-b", min=1, metavar="N", help="The first N, the oldest first."),
]


def add_verb(verb: Verb) -> None:
    """A command."""

    @app.command(verb.name, help=verb.help)
    def run(
        context: typer.Context,
        cloud: CloudArgument,
        vms: VmsArgument = None,
        every: AllOption = False,
        count: CountOption = None,
        dry_run: DryRunOption = False,
        wait: Annotated[
            bool,
            typer.Option(
                "--wait",
                "-w",
                help="Return when they are gone, and show how many are left.",
                hidden=not verb.ends,
            ),
        ] = False,
        timeout: TimeoutOption = 600.0,
        comment: CommentOption = None,
        yes: YesOption = False,
        output: FormatOption = Format.TABLE,
        api_url: UrlOption = None,
        token_file: TokenOption = None,
    ) -> None:
        with errors_as_exits():
            choice = _parse_choice(cloud, vms or (), count, every=every)
            if wait and not verb.ends:
                fail(f"cannot wait: {verb.name} is done when it returns", BAD_INPUT)
            rest = open_api(context, api_url, token_file)
            chosen = _choose(rest, choice)
            if dry_run or not chosen:
                _show(chosen, output, ("name", "address", "state", "parts"))
                return
            if verb.asks:
                confirm(_question(verb, cloud, chosen), yes=yes)
            told = _order(rest, verb, choice, comment)
            left = _wait(rest, cloud, told, timeout) if wait else []
            _show(told, output, COLUMNS)
            _end(told, left)


def _parse_choice(cloud: str, vms: Sequence[str], count: int | None, *, every: bool) -> Choice:
    if sum((bool(vms), every, count is not None)) != 1:
        fail("cannot tell which devices: name them, or give --all or --count N", BAD_INPUT)
    return Choice(cloud=segment(cloud), vms=tuple(map(segment, vms)), count=count)


def _question(verb: Verb, cloud: str, chosen: Sequence[Json]) -> str:
    names = name_some([item["name"] for item in chosen])
    return f"{verb.asks}: {len(chosen)} of the pool {cloud}: {names}?"


def _choose(rest: "Rest", choice: Choice) -> list[Json]:
    """As they are now; raises `NotFound`."""
    path = f"/clusters/{choice.cloud}"
    if choice.vms:
        return [rest.call_with(JSON, "GET", f"{path}/vms/{vm}") for vm in choice.vms]
    found: list[Json] = rest.call_with(JSON, "GET", path)["vms"]
    return found[: choice.count]


def _order(rest: "Rest", verb: Verb, choice: Choice, comment: str | None) -> list[Json]:
    """What became of each. One that refuses does not keep the others."""
    path = f"/clouds/{choice.cloud}/vms"
    params = {} if verb.action is None else {"action": verb.action}
    if choice.vms:
        return [_order_one(rest, verb, f"{path}/{vm}", params, comment) for vm in choice.vms]
    if choice.count is not None:
        params["count"] = str(choice.count)
    answer = _order_many(rest, verb, path, params, comment)
    if answer.get("hint"):
        complain(answer["hint"])
    found: list[Json] = answer["vms"]
    return found


def _order_many(
    rest: "Rest", verb: Verb, path: str, params: dict[str, str], comment: str | None
) -> Json:
    """Where all refuse, that is what became of them."""
    from libra.cli.rest import Refused

    try:
        return order(rest, verb.method, path, comment, **params)
    except Refused as error:
        if "vms" not in error.answer:
            raise
        return error.answer


def _order_one(
    rest: "Rest", verb: Verb, path: str, params: dict[str, str], comment: str | None
) -> Json:
    """It was there a moment ago, and may have gone or changed since."""
    from libra.cli.rest import NotNow, Refused

    try:
        return order(rest, verb.method, path, comment, **params)
    except NotNow:
        raise
    except (Refused, NotFound) as error:
        name = unquote(path.rpartition("/")[2])
        return {"name": name, "accepted": False, "state": "", "told": str(error)}


def _wait(rest: "Rest", cloud: str, told: Sequence[Json], timeout: float) -> Sequence[str]:
    accepted = [item for item in told if item["accepted"]]
    wanted = Wanted(
        cloud=cloud,
        names={item["id"]: item["name"] for item in accepted},
        destroys=any(item["destroys"] for item in accepted),
    )
    return wait_until_gone(rest, wanted, timeout)


def _show(rows: list[Json], output: Format, columns: tuple[str, ...]) -> None:
    if output is not Format.TABLE:
        dump(rows, output)
    elif rows:
        show_rows(rows, columns, output)
    else:
        typer.echo("no device")


def _end(told: Sequence[Json], left: Sequence[str]) -> None:
    refused = sum(not item["accepted"] for item in told)
    if refused:
        fail(f"{refused} of {len(told)} refused", FAILED)
    if left:
        fail(f"{len(left)} of {len(told)} are still there: {name_some(left)}", FAILED)


for one in VERBS:
    add_verb(one)
