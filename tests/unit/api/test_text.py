"""The texts of the scheduler's API: whatever a name holds, it is one line, and read whole."""

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libra.api.text.clouds import render_clouds, render_cluster, render_clusters, render_config
from libra.api.text.developer import HOW, render_memory
from libra.api.text.failures import render_boot, render_image
from libra.api.text.jobs import NUMBERS, WORDS, render_jobs, render_page
from libra.api.text.layout import Column, lay_out, one_line, shorten
from libra.api.text.loops import render_beats, render_stores, state_of
from libra.api.text.vms import (
    find_public,
    render_counts,
    render_munin,
    render_startups,
    render_vms,
    user_of,
)
from libra.daemon.memory import measure_memory
from libra.model.controller import LIVE, Controller, LoopState
from libra.model.device import DeviceState
from libra.model.devicepool import DevicePool
from libra.model.job import JobState
from libra.model.overview import STATUSES
from libra.usecases.admin.failures import BootFailures, Failure, ImageFailures
from libra.usecases.admin.overview import Cloud, Vm
from tests.support.storages import NOW, at, build_device, build_job

EDGE = DevicePool(id="1", name="edge", provider="local", max_devices=3, priority=2, created_at=NOW)


def vm(name: str = "web1", **fields: object) -> Vm:
    return Vm(device=build_device(name, **fields), pool="edge")


def cloud(*vms: Vm, **fields: object) -> Cloud:
    return Cloud(pool=replace(EDGE, **fields), vms=vms)  # type: ignore[arg-type]


@given(st.lists(st.tuples(st.text(), st.text()), max_size=5))
def test_a_line_a_row_with_all_of_each_cell(rows: list[tuple[str, str]]) -> None:
    lines = lay_out([Column("A", 5), Column("B", 5, "^")], rows)
    assert len(lines) == len(rows) + 1
    for line, row in zip(lines[1:], rows, strict=True):
        assert all(one_line(cell) in line for cell in row)
        assert line.splitlines() in ([line], [])


def test_columns_are_as_wide_as_what_is_in_them() -> None:
    lines = lay_out([Column("A", 3), Column("B", 1, ">")], [("wide enough", 1), (None, 22)])
    assert lines == ["A            B", "wide enough  1", "-           22"]


@pytest.mark.parametrize("text", ["a\nb", "a\x1b[31mb", "a\u2028b", "a\u202eb", "a\x00\x00b"])
def test_nothing_ends_a_line(text: str) -> None:
    assert one_line(text).startswith("a ")
    assert one_line(text).isprintable()


def test_pages_of_a_proxy_are_cut() -> None:
    assert shorten("a\n" * 1000) == "a " * 150 + "..."


def test_clouds() -> None:
    two = (vm(address="10.0.0.2"), vm("web2", address="10.0.0.1"))
    assert render_clouds([cloud(*two), cloud(provider="", disabled=True, name="x" * 20)]) == (
        "Resource pool libra:\n"
        "NAME                 CLOUD TYPE  NETWORK ADDRESS                ENABLED\n"
        "edge                 local       10.0.0.1 +1                    True\n"
        "xxxxxxxxxxxxxxxxxxxx manual                                     False"
    )
    assert render_clouds([]) == "Resource pool libra has no clouds."


def test_a_cluster_with_all_that_is_wrong_with_it() -> None:
    text = render_cluster(
        cloud(vm(), disabled=True, disabled_reason="disk\nswap", brake_since=NOW, brake_reason="x")
    )
    lines = text.splitlines()
    assert lines[0] == "Cluster: edge"
    assert lines[1].split() == [
        "ADDRESS",
        "CLOUD",
        "TYPE",
        "VMS/MAX",
        "SPARE",
        "PRIORITY",
        "ENABLED",
    ]
    assert lines[2].split() == ["local", "1", "/", "3", "0", "2", "False"]
    assert lines[3:] == ["Disabled: disk swap", "Brake: x"]
    assert render_clusters([cloud(), cloud()]).count("Cluster: edge\n") == 2


def test_settings() -> None:
    shown = {"a": {"x": 1, "y": None, "z": ["b", 2]}, "b.1": {}, "c": {"o": {"k": "v"}}}
    assert render_config(shown) == "a [x,1] [y,] [z,b;2]\nb.1\nc [o,k=v]"


def test_vms_in_every_state() -> None:
    vms = [vm(state.value, state=state) for state in DeviceState]
    text = render_vms([cloud(*vms)], {"edge": "local"})
    assert text.endswith("\n\nTotal VMs: 7. Total Clouds: 1")
    assert " ".join(text.splitlines()[0].split()) == "ID HOSTNAME VMTYPE USER STATUS CLUSTER"
    for state, line in zip(DeviceState, text.splitlines()[1:], strict=False):
        wanted = "Retiring" if state is DeviceState.DRAINING else STATUSES[state]
        assert line.split()[1:] == [state.value, "local", wanted, "edge"]
    assert render_counts(vms) == (
        "2 Running, 1 Starting, 1 Error, 1 Retiring, 1 Announced, 1 Shutdown"
    )
    assert render_counts([]) == "0 Running"
    assert render_counts([vm(stopped=True), vm(shutting_down=True)]) == "1 Retiring, 1 Shutdown"


def test_not_too_many_users() -> None:
    assert user_of(replace(vm(), projects=("a", "b"))) == "a,b"
    assert user_of(replace(vm(), projects=tuple("abcde"))) == "a,b,c,+2"


def test_startup_times() -> None:
    vms = [vm(first_seen=at(1)), vm(first_seen=at(4)), vm(), vm(first_seen=at(-9))]
    assert render_startups([cloud(*vms)]) == "Cluster: edge 1.0, 4.0, 0.0, Avg: 2"
    assert render_startups([cloud()]) == "Cluster: edge Avg: -"


PRIVATE = ("", "web1.example", "10.1.2.3", "127.0.0.1", "192.168.0.1", "fe80::1%eth0", "fc00::1")


def test_stanzas_for_public_addresses() -> None:
    vms = [vm(address=address) for address in PRIVATE]
    public = [vm("a", address="206.110.1.1"), vm("b", address="2a00::1")]
    assert find_public(vms) == []
    assert render_munin(find_public([*vms, *public])) == (
        "[a]\n\taddress 206.110.1.1\n\n[b]\n\taddress 2a00::1\n\n"
    )
    assert render_munin([("a]\n[b", "1.1.1.1")]) == "[a b]\n\taddress 1.1.1.1\n\n"


def test_jobs_in_every_state() -> None:
    device = build_device("web1")
    jobs = [build_job(device, state=state, project_id="p1") for state in JobState]
    lines = render_jobs(jobs, {device.id: "edge"}).splitlines()
    for job, line in zip(jobs, lines[1:], strict=True):
        word = WORDS[NUMBERS[job.state]]
        assert line.split()[:4] == [job.id, "p1", "UPDATE", word]
        assert line.split()[5:] == ["edge", "web1"]
    page = render_page(jobs[:1], {}, 7, "/jobs?state=new")
    assert page.endswith("\n\nJobs: 1 of 7\nMore: /jobs?state=new")


def loop(**fields: object) -> LoopState:
    given = LoopState(name="jobs", interval=0.5, limit=30, beat=NOW, stores=("database",))
    return replace(given, **fields)  # type: ignore[arg-type]


def controller(*loops: LoopState, **fields: object) -> Controller:
    given = Controller(id="1", host="a", pid=7, release="1.0", started_at=NOW, seen_at=NOW)
    return replace(given, loops=loops, **fields)  # type: ignore[arg-type]


def test_heart_beats() -> None:
    loops = (
        loop(),
        loop(beat=None),
        loop(hung=40.0, beat=at(-40)),
        loop(failures=2, error="it\nfell", failed_at=at(1)),
    )
    assert render_beats([controller(*loops, manages=True)], at(3)) == (
        "Thread Heart Beat Times (seconds):\n"
        "a, process 7, 1.0, manages\n"
        "   jobs Thread(0.5): 3\n"
        "   jobs Thread(0.5): never turned here\n"
        "   jobs Thread(0.5): 43, hangs\n"
        "   jobs Thread(0.5): 3, failed 2 times: it fell"
    )
    states = [state_of(controller(), item, at(3)) for item in loops]
    assert states == ["turns", "waits", "hangs", "fails"]


def test_a_controller_that_is_gone() -> None:
    later = NOW + LIVE + timedelta(seconds=1)
    assert ", stands by, silent for 13 s" in render_beats([controller(loop())], later)
    assert state_of(controller(), loop(), later) == "gone"


def test_what_loops_share() -> None:
    text = render_stores([controller(loop(), loop(name="api", stores=()))], NOW)
    assert text.endswith("   jobs Thread:\n      database\n   api Thread:\n      none")


def test_failures() -> None:
    failure = Failure(subject="p1", reason="no\nroom", at=NOW)
    pool = Failure(subject="edge", reason="lost", at=NOW, device="web1")
    assert render_boot(BootFailures(placements=[failure, failure], pools=[pool])) == (
        "Job failure reasons:\n"
        "   User: p1\n      2026-11-26 12:00:00 no room\n      2026-11-26 12:00:00 no room\n"
        "   Cloud: edge\n      web1: 2026-11-26 12:00:00 lost"
    )
    found = ImageFailures(never_online=[pool], refused=[(pool, "1.0 HAProxy 2.6")])
    assert render_image(found) == (
        "Image failures:\n   Cloud: edge\n      web1: 2026-11-26 12:00:00 lost\n"
        "   Cloud: edge\n      Image: 1.0 HAProxy 2.6, on web1\n      2026-11-26 12:00:00 lost"
    )


def test_memory() -> None:
    import tracemalloc

    found = measure_memory()
    assert found.sizes["VmRSS"] > 1_000_000
    assert render_memory(found).endswith(HOW)
    was_tracing = tracemalloc.is_tracing()
    tracemalloc.start()
    try:
        kept = [bytes(1000) for _ in range(100)]
        traced = measure_memory().traced
    finally:
        if not was_tracing:
            tracemalloc.stop()
    assert kept
    assert traced is not None
    assert any("test_text.py" in place for place, _, _ in traced.largest)
    assert "test_text.py" in render_memory(replace(found, traced=traced))
