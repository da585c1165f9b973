"""`libra admin enable`, `disable`, `allocations`: orders about whole device pools."""

from typing import Annotated

import typer

from libra.cli.admin.asking import (
    CommentOption,
    DryRunOption,
    YesOption,
    confirm,
    name_some,
    order,
)
from libra.cli.exits import BAD_INPUT, errors_as_exits, fail
from libra.cli.rows import Format, Json, show_one
from libra.cli.segments import segment
from libra.cli.verbs import FormatOption, TokenOption, UrlOption, open_api

CloudArgument = Annotated[str, typer.Argument(metavar="CLOUD", help="A device pool's name or id.")]
NO_LIMIT = "none"
SWITCHES = {
    "enable": "Let new load balancers be placed in a pool, and keep its spares.",
    "disable": "Place nothing new in a pool; what runs there runs on.",
}


def add_pool_orders(group: typer.Typer) -> None:
    """enable, disable, allocations."""
    for verb, text in SWITCHES.items():
        _add_switch(group, verb, text)
    group.command("allocations")(allocate)


def _add_switch(group: typer.Typer, verb: str, text: str) -> None:
    @group.command(verb, help=text)
    def run(
        context: typer.Context,
        cloud: CloudArgument,
        comment: CommentOption = None,
        output: FormatOption = Format.TABLE,
        api_url: UrlOption = None,
        token_file: TokenOption = None,
    ) -> None:
        with errors_as_exits():
            rest = open_api(context, api_url, token_file)
            answer = order(rest, "PUT", f"/clouds/{segment(cloud)}", comment, action=verb)
            show_one(answer, output)


def allocate(
    context: typer.Context,
    cloud: CloudArgument,
    number: Annotated[
        str, typer.Argument(metavar="N", help="How many devices it may have; none: no limit.")
    ],
    dry_run: DryRunOption = False,
    comment: CommentOption = None,
    yes: YesOption = False,
    output: FormatOption = Format.TABLE,
    api_url: UrlOption = None,
    token_file: TokenOption = None,
) -> None:
    """How many devices a pool may have. Where it has more, the excess is drained and retired."""
    with errors_as_exits():
        path = f"/clouds/{segment(cloud)}"
        _ensure_number(number)
        rest = open_api(context, api_url, token_file)
        preview = order(rest, "PUT", path, None, allocations=number, dry_run="true")
        if dry_run:
            show_one(_told(preview, output), output)
            return
        if going := [item["name"] for item in preview["drained"]]:
            what = f"drain and retire {len(going)} devices of the pool {cloud}"
            confirm(f"{what}: {name_some(going)}?", yes=yes)
        show_one(_told(order(rest, "PUT", path, comment, allocations=number), output), output)


def _ensure_number(text: str) -> None:
    if text != NO_LIMIT and not (text.isascii() and text.isdecimal() and len(text) < 10):
        fail(f"cannot allocate {text!a} devices: it must be a whole number, or none", BAD_INPUT)


def _told(answer: Json, output: Format) -> Json:
    """For people the names of those that go."""
    if output is not Format.TABLE:
        return answer
    return {**answer, "drained": ", ".join(item["name"] for item in answer["drained"])}
