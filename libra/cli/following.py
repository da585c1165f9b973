"""`libra event follow`: what happens, while it happens."""

import json
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from libra.cli.exits import complain, errors_as_exits
from libra.cli.resources import EVENT
from libra.cli.rows import Format, Json
from libra.cli.serverevents import parse_stream
from libra.cli.verbs import (
    FiltersArgument,
    FormatOption,
    TokenOption,
    UrlOption,
    open_api,
    parse_fields,
)
from libra.errors import JobServerUnavailable

if TYPE_CHECKING:  # a command that asks nobody does not pay for it
    from libra.cli.rest import Rest

PAUSE_SECONDS = 2.0
_COLUMNS = ("at", "kind", "subject_id", "actor", "remote", "reason", "comment")


def add_following(group: typer.Typer) -> None:
    """follow."""

    @group.command("follow")
    def run(
        context: typer.Context,
        filters: FiltersArgument = None,
        since: Annotated[
            int | None,
            typer.Option("--since", min=0, metavar="ID", help="Begin with what came after it."),
        ] = None,
        output: FormatOption = Format.TABLE,
        api_url: UrlOption = None,
        token_file: TokenOption = None,
    ) -> None:
        """Show what happens until Ctrl-C, a line an event.

        A connection that breaks is made again, and goes on where it was: nothing is missed, nothing comes twice.
        """
        with errors_as_exits():
            rest = open_api(context, api_url, token_file)
            params = parse_fields(filters, raw=True)
            for event in follow(rest, params, "" if since is None else str(since)):
                typer.echo(write_line(event, output))


def follow(
    rest: "Rest", params: Json, last_id: str = "", pause: float = PAUSE_SECONDS
) -> Iterator[Json]:
    """Never ends by itself. Raises as `Rest.call`, but only where it has not been connected yet or is refused."""
    from libra.cli.rest import NotNow

    was_connected = told = False
    while True:
        headers = {"Last-Event-ID": last_id} if last_id else {}
        try:
            with rest.stream(f"{EVENT.path}/stream", headers, **params) as lines:
                was_connected, told = True, False
                for message in parse_stream(lines):
                    last_id = message.id or last_id
                    if message.data:
                        yield json.loads(message.data)
        except (JobServerUnavailable, NotNow) as error:
            if not was_connected:
                raise
            if not told:
                complain(f"libra: {error}; it is tried again")
            told = True
        time.sleep(pause)


def write_line(event: Json, output: Format) -> str:
    """What came from elsewhere moves no cursor."""
    from libra.logs.lines import escape

    if output is Format.JSON:
        return json.dumps(event)
    if output is Format.YAML:
        import yaml

        return "---\n" + str(yaml.safe_dump(event, sort_keys=False)).rstrip()
    return escape("  ".join(str(event.get(name) or "-") for name in _COLUMNS))
