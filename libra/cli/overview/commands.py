"""The commands of `libra status`. Clouds are device pools, clusters too, and vms are devices: the words of its URLs."""

from typing import Annotated

import typer

from libra.cli.exits import errors_as_exits
from libra.cli.overview import tables
from libra.cli.overview.asking import (
    Question,
    Render,
    View,
    ViewOption,
    add_question,
    ask,
    show,
    show_text,
)
from libra.cli.segments import segment
from libra.cli.verbs import TokenOption, UrlOption, open_api

app = typer.Typer(
    name="status",
    help="The fleet at a glance: pools (clouds), devices (vms), jobs, loops. Alone: the pools.",
    invoke_without_command=True,
)
CloudArgument = Annotated[str, typer.Argument(metavar="CLOUD", help="A device pool's name or id.")]
VmArgument = Annotated[str, typer.Argument(metavar="VM", help="A device's name or id.")]
CloudOption = Annotated[
    str | None, typer.Option("--cloud", "-c", metavar="CLOUD", help="Only of this device pool.")
]


@app.callback()
def main(
    context: typer.Context,
    output: ViewOption = View.TABLE,
    api_url: UrlOption = None,
    token_file: TokenOption = None,
) -> None:
    """The fleet at a glance: pools (clouds), devices (vms), jobs, loops. Alone: the pools."""
    if context.invoked_subcommand is None:
        ask(context, "/cloud", tables.show_clouds, output, api_url, token_file)


QUESTIONS = (
    Question("clouds", "/cloud", tables.show_clouds, "Device pools."),
    Question("clusters", "/clusters", tables.show_clusters, "Device pools, with their devices."),
    Question(
        "config",
        "/cloud/config",
        tables.show_sections,
        "The settings of the controller and of pools, without secrets.",
    ),
    Question("ips", "/ips", tables.show_hosts, "Devices with public addresses, for Munin."),
    Question(
        "missing",
        "/vms?metric=missing",
        tables.show_missing,
        "Workers at the job server that are no device's.",
    ),
    Question(
        "diff-types",
        "/diff-types",
        tables.show_shares,
        "Each project's share of the devices, wanted and actual.",
    ),
    Question(
        "boot-failures",
        "/failures?type=boot",
        tables.show_boot_failures,
        "Why projects got no device, and pools no host.",
    ),
    Question(
        "image-failures",
        "/failures?type=image",
        tables.show_image_failures,
        "Devices that never came online, and what refuses to work.",
    ),
    Question(
        "heart-beats",
        "/thread-heart-beats",
        tables.show_loops,
        "Every loop of every controller: when it turned last, and how it does.",
    ),
    Question("shared-objs", "/shared-objs", tables.show_stores, "What each loop works on."),
    Question("developer-info", "/developer_info", tables.show_pairs, "The controller's memory."),
    Question(
        "job-pools",
        "/job_pools",
        tables.show_pools,
        "Jobs that are new, and those whose turn is to come.",
    ),
)
for question in QUESTIONS:
    add_question(app, question)


@app.command("cluster")
def show_one_cluster(
    context: typer.Context,
    cloud: CloudArgument,
    output: ViewOption = View.TABLE,
    api_url: UrlOption = None,
    token_file: TokenOption = None,
) -> None:
    """A device pool with its devices."""
    with errors_as_exits():
        path = f"/clusters/{segment(cloud)}"
    ask(context, path, tables.show_cluster, output, api_url, token_file)


@app.command("vm")
def show_one_vm(
    context: typer.Context,
    cloud: CloudArgument,
    vm: VmArgument,
    output: ViewOption = View.TABLE,
    api_url: UrlOption = None,
    token_file: TokenOption = None,
) -> None:
    """A device."""
    with errors_as_exits():
        path = f"/clusters/{segment(cloud)}/vms/{segment(vm)}"
    ask(context, path, tables.show_vm, output, api_url, token_file)


@app.command("vms")
def list_vms(
    context: typer.Context,
    cloud: CloudOption = None,
    output: ViewOption = View.TABLE,
    api_url: UrlOption = None,
    token_file: TokenOption = None,
) -> None:
    """Devices."""
    ask(context, _vms_of(cloud), tables.show_vms, output, api_url, token_file)


def _vms_of(cloud: str | None) -> str:
    if cloud is None:
        return "/vms"
    with errors_as_exits():
        return f"/clusters/{segment(cloud)}/vms"


def _add_metric(verb: str, metric: str, render: Render, text: str) -> None:
    @app.command(verb, help=text)
    def run(
        context: typer.Context,
        cloud: CloudOption = None,
        output: ViewOption = View.TABLE,
        api_url: UrlOption = None,
        token_file: TokenOption = None,
    ) -> None:
        ask(context, _vms_of(cloud), render, output, api_url, token_file, metric=metric)


_add_metric("counts", "all", tables.show_pairs, "How many devices are in which state.")
_add_metric("total", "total", tables.show_pairs, "How many devices there are.")
_add_metric(
    "boot-times", "startup_time", tables.show_startups, "How long devices took to answer first."
)
_add_metric("run-times", "job_run_times", tables.show_runs, "How long the jobs of each take.")


@app.command("jobs")
def list_jobs(
    context: typer.Context,
    state: Annotated[
        str,
        typer.Argument(
            metavar="[STATE]",
            help="new, sched, high, idle, running, complete, held, failed, expired, cancelled, superseded or all.",
        ),
    ] = "all",
    limit: Annotated[int | None, typer.Option("--limit", min=1, help="At most so many.")] = None,
    output: ViewOption = View.TABLE,
    api_url: UrlOption = None,
    token_file: TokenOption = None,
) -> None:
    """Jobs of a state, the newest first."""
    params = {"state": state} | ({} if limit is None else {"limit": str(limit)})
    ask(context, "/jobs", tables.show_jobs, output, api_url, token_file, **params)


@app.command("job")
def show_job(
    context: typer.Context,
    job: Annotated[str, typer.Argument(metavar="ID", help="A job's id.")],
    output: ViewOption = View.TABLE,
    api_url: UrlOption = None,
    token_file: TokenOption = None,
) -> None:
    """A job."""
    with errors_as_exits():
        path = f"/jobs/{segment(job)}"
    ask(context, path, tables.show_vm, output, api_url, token_file)


@app.command("version")
def show_version(
    context: typer.Context,
    output: ViewOption = View.TABLE,
    api_url: UrlOption = None,
    token_file: TokenOption = None,
) -> None:
    """The controller's release, and this program's."""
    from libra import __version__

    with errors_as_exits():
        text = open_api(context, api_url, token_file).read_text("/").strip()
        if output is View.TEXT:
            show_text(text)
            return
        found = {"controller": text.rpartition(" ")[2], "libra": __version__}
        show(found, tables.show_pairs, output)
