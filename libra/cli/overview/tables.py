"""Answers about the fleet as tables."""

import json
from collections.abc import Mapping

import typer

from libra.cli.rows import Format, Json, show_one, show_rows

TABLE = Format.TABLE
_CLOUD = ("name", "cloud_type", "network_address", "enabled", "used", "spare", "priority")
_NOTES = ("disabled_reason", "brake_reason")
_VM = ("name", "address", "pool", "state", "user", "parts", "last_seen", "reason")
_JOB = ("id", "action", "state", "device_name", "pool", "user", "created_at", "error")
_LOOP = ("controller", "loop", "interval", "age", "state", "failures", "error")


def show_clouds(answer: Json) -> None:
    """A row each."""
    _show([_cloud(item) for item in _objects(answer, "resources")], (*_CLOUD, *_NOTES))


def show_clusters(answer: Json) -> None:
    """Each with its devices below it."""
    for item in _objects(answer, "resources"):
        show_cluster(item)
        typer.echo()


def show_cluster(answer: Json) -> None:
    """A row, and one for each device."""
    _show([_cloud(answer)], (*_CLOUD, *_NOTES))
    if found := _objects(answer, "vms"):
        _show(found, _VM)


def _cloud(item: Json) -> Json:
    most = item.get("max_slots")
    used = f"{item.get('used_slots')}/{'unlimited' if most is None else most}"
    return {**item, "used": used, "spare": item.get("min_spare")}


def show_vms(answer: Json) -> None:
    """A row each, and how many there are."""
    found = _objects(answer, "vms")
    _show(found, _VM)
    pools = len({item.get("pool") for item in found})
    typer.echo(f"devices: {len(found)}, in pools: {pools}")


def show_vm(answer: Json) -> None:
    """A line a field; what says nothing is left out."""
    show_one({name: value for name, value in answer.items() if value not in (None, "", [])}, TABLE)


def show_pairs(answer: Json) -> None:
    """Names and numbers."""
    show_one(answer, TABLE)


def show_missing(answer: Json) -> None:
    """Workers that are no device's."""
    rows = [
        {**item, "addresses": ", ".join(map(str, item.get("addresses") or ()))}
        for item in _objects(answer, "missing")
    ]
    _show(rows, ("name", "addresses"), "every worker is a device's")


def show_startups(answer: Json) -> None:
    """In seconds, by pool."""
    rows = [
        {"pool": pool, "device": name, "seconds": seconds}
        for pool, devices in _object(answer, "startup_times").items()
        for name, seconds in devices.items()
    ]
    _show(rows, ("pool", "device", "seconds"), "no device has answered yet")


def show_runs(answer: Json) -> None:
    """In seconds, by device."""
    rows = [
        {"device": name, "average": f"{item['average']:.3f}", "jobs": len(item["seconds"])}
        for name, item in _object(answer, "job_run_times").items()
    ]
    _show(rows, ("device", "average", "jobs"), "no job has ended")


def show_jobs(answer: Json) -> None:
    """The newest first."""
    found = _objects(answer, "jobs")
    _show(found, _JOB, "no job")
    if answer.get("more"):
        typer.echo(f"{len(found)} of {answer.get('total')}; --limit shows more")


def show_pools(answer: Json) -> None:
    """Both."""
    for name in ("new", "sched"):
        found = _objects(answer, f"{name}_jobs")
        typer.echo(f"{name}: {answer.get(f'{name}_total', len(found))}")
        if found:
            _show(found, _JOB)


def show_hosts(answer: Json) -> None:
    """For Munin."""
    _show(_objects(answer, "hosts"), ("hostname", "address"), "no device has a public address")


def show_shares(answer: Json) -> None:
    """Of the devices: what a project has, and what it should have."""
    current, desired = _object(answer, "current_types"), _object(answer, "desired_types")
    differences = _object(answer, "diff_types")
    rows = [
        {
            "project and pool": name,
            "has": _share(current.get(name)),
            "should have": _share(desired.get(name)),
            "difference": _share(differences.get(name)),
        }
        for name in sorted({*current, *desired, *differences})
    ]
    heads = ("project and pool", "has", "should have", "difference")
    _show(rows, heads, "no project has anything, or waits for anything")


def _share(value: object) -> str:
    return f"{value:.3f}" if isinstance(value, int | float) else ""


def show_boot_failures(answer: Json) -> None:
    """Of projects, and of pools."""
    rows = [_failure("project", "user", item) for item in _objects(answer, "users")]
    rows += [_failure("pool", "cloud", item) for item in _objects(answer, "clouds")]
    _show(rows, _FAILURE, "nothing failed")


def show_image_failures(answer: Json) -> None:
    """What never came, and what refuses."""
    rows = [_failure("never online", "cloud", item) for item in _objects(answer, "never_online")]
    rows += [_failure("refused", "cloud", item) for item in _objects(answer, "refused")]
    _show(rows, (*_FAILURE[:-1], "image", "reason"), "nothing failed")


_FAILURE = ("what", "name", "device", "at", "reason")


def _failure(what: str, name: str, item: Json) -> Json:
    return {**item, "what": what, "name": item.get(name), "device": item.get("vm")}


def show_loops(answer: Json) -> None:
    """Of every controller."""
    rows = [
        {
            **loop,
            "controller": f"{item.get('host')} {item.get('pid')}",
            "loop": loop.get("name"),
            "age": "never" if loop.get("age") is None else f"{loop['age']:.1f}",
        }
        for item in _objects(answer, "controllers")
        for loop in item.get("threads") or ()
    ]
    _show(rows, _LOOP, "no controller has told of itself")


def show_stores(answer: Json) -> None:
    """What each loop works on."""
    rows = [
        {"controller": item.get("controller"), "loop": name, "uses": ", ".join(stores) or "nothing"}
        for item in _objects(answer, "controllers")
        for name, stores in _object(item, "threads").items()
    ]
    _show(rows, ("controller", "loop", "uses"), "no controller has told of itself")


def show_sections(answer: Json) -> None:
    """Key and value, by section."""
    rows = [
        {"section": section, "key": key, "value": _text(value)}
        for section, values in answer.items()
        for key, value in values.items()
    ]
    _show(rows, ("section", "key", "value"))


def _text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _show(rows: list[Json], columns: tuple[str, ...], nothing: str = "nothing") -> None:
    if rows:
        show_rows(rows, columns, TABLE)
    else:
        typer.echo(nothing)


def _objects(answer: Mapping[str, object], name: str) -> list[Json]:
    found = answer.get(name)
    return found if isinstance(found, list) else []


def _object(answer: Mapping[str, object], name: str) -> Json:
    found = answer.get(name)
    return found if isinstance(found, dict) else {}
