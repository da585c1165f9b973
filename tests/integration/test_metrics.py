"""What Prometheus is told: true, well formed, and cheap."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from libra.api.metrics import MOST_DEVICES
from libra.daemon.beats import Beats
from libra.meters import FailoverOutcome, Meters
from libra.model.device import DeviceState
from libra.model.job import JobAction, JobState
from libra.storage.sql import SqlStorage
from tests.support.control import LBAAS, ControlLab, control_lab
from tests.support.followers import Follower
from tests.support.programs import find_program
from tests.support.storages import at, build_device, build_job, lay_out, migrated, new_id

Scrape = dict[str, float]


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlLab]:
    with control_lab(tmp_path_factory.mktemp("metrics")) as lab:
        lab.worker()
        lab.create()
        yield lab


def text_of(lab: ControlLab) -> str:
    answer = lab.client.get("/metrics")
    assert answer.status_code == 200
    return answer.text


def scrape(lab: ControlLab) -> Scrape:
    lines = [line for line in text_of(lab).splitlines() if not line.startswith("#")]
    return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines)}


def test_everything_that_is_there_is_counted(lab: ControlLab) -> None:
    lab.wait(
        lambda: scrape(lab).get('libra_probe_seconds_count{action="STATS"}', 0) > 1, "two probes"
    )
    lab.wait(lambda: scrape(lab)["libra_manager_active"] == 1, "a manager")
    found = scrape(lab)
    state = lab.get("/v1/devices/web1")["device"]["state"]
    assert found[f'libra_devices{{state="{state}"}}'] == 1
    assert sum(found[f'libra_devices{{state="{other.value}"}}'] for other in DeviceState) == 1
    age = found[f'libra_probe_age_seconds{{device="web1",state="{state}"}}']
    assert 0 <= age <= found[f'libra_probe_age_max_seconds{{state="{state}"}}'] + 1 < 10
    balancers = {name: value for name, value in found.items() if "libra_loadbalancers{" in name}
    assert sum(balancers.values()) == 1
    assert all('provisioning_status="ACTIVE"' in name for name in balancers)
    assert found['libra_jobs_finished_total{action="UPDATE",state="complete"}'] >= 1
    assert found['libra_jobs_finished_total{action="UPDATE",state="failed"}'] == 0
    assert found['libra_job_seconds_count{action="UPDATE"}'] >= 1
    assert 0 < found['libra_job_seconds_sum{action="UPDATE"}'] < 10
    assert found['libra_probes_total{action="STATS",state="complete"}'] > 1
    assert found['libra_failovers_total{outcome="moved"}'] == 0
    assert found["libra_database_up"] == 1
    assert 0 <= found["libra_database_connections"] <= found["libra_database_connections_limit"]
    assert found["libra_manager_beat_age_seconds"] < 5
    assert found["process_resident_memory_bytes"] > 1e6


def test_jobs_that_wait(lab: ControlLab) -> None:
    """For a device without a worker."""
    lab.post("/v1/devices", {"name": "nobody", "address": "127.0.0.2"})
    lab.client.post("/v1/devices/nobody/discover")
    lab.wait(lambda: scrape(lab)["libra_jobs_waiting"] == 1, "the job")
    lab.wait(
        lambda: scrape(lab).get('libra_jobs_open{action="DISCOVER",state="idle"}') == 1, "idle"
    )
    assert 0 < scrape(lab)["libra_jobs_waiting_oldest_seconds"] < 20
    (job,) = lab.get("/v1/jobs", device="nobody", action="DISCOVER", state="idle")["jobs"]
    lab.post(f"/v1/jobs/{job['id']}/cancel", {}, 200)
    found = scrape(lab)
    assert (found["libra_jobs_waiting"], found["libra_jobs_waiting_oldest_seconds"]) == (0, 0)


def test_requests_are_counted_by_route(lab: ControlLab) -> None:
    """A client that makes up paths and methods makes no new series."""
    with Follower(str(lab.client.base_url), {"X-Auth-Token": lab.secret}):
        assert scrape(lab)["libra_api_event_streams"] == 1
    for _ in range(3):
        lab.client.get(f"{LBAAS}/loadbalancers/{new_id()}")
        lab.client.get(f"/{new_id()}")
        lab.client.request("BREW", f"/v1/{new_id()}")
        lab.client.request(f"X{new_id()}"[:8], "/v1/devices")
        lab.client.get(f"/ui/devices/{new_id()}")
    found = scrape(lab)
    ending = 'loadbalancers/{loadbalancer_id}",status="404"}'
    assert [value for name, value in found.items() if name.endswith(ending)] == [3]
    assert found['libra_api_requests_total{method="GET",route="unknown",status="404"}'] == 3
    assert (
        found['libra_api_requests_total{method="GET",route="/ui/devices/{key}",status="303"}'] == 3
    )
    strange = [name for name in found if 'requests_total{method="other"' in name]
    assert 1 <= len(strange) <= 2
    assert not any("BREW" in name for name in found)


def test_promtool_has_nothing_to_say(lab: ControlLab) -> None:
    promtool = find_program("promtool", package="prometheus")
    run = subprocess.run(
        [promtool, "check", "metrics"],
        input=text_of(lab),
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (run.returncode, run.stdout + run.stderr) == (0, "")


def test_the_database_is_away(lab: ControlLab, monkeypatch: pytest.MonkeyPatch) -> None:
    """What this process knows is told all the same."""
    from libra.errors import StorageUnavailable

    def refuse(_: SqlStorage) -> None:
        raise StorageUnavailable("cannot use the database: a test says so")

    monkeypatch.setattr(SqlStorage, "reading", refuse)
    found = scrape(lab)
    assert found["libra_database_up"] == 0
    assert not any(name.startswith("libra_devices") for name in found)
    assert found["libra_database_connections_limit"] > 0


@pytest.fixture
def storage(tmp_path: Path) -> Iterator[SqlStorage]:
    with migrated(lay_out(tmp_path)) as storage:
        yield storage


def test_what_is_over_and_what_is_many_is_no_series(storage: SqlStorage, tmp_path: Path) -> None:
    from libra.api.app import ApiParts, create_app
    from libra.api.metrics import Metrics
    from libra.usecases.services import Services
    from libra.vault import open_vault

    devices = [build_device(f"d{n}", last_seen=at(-n)) for n in range(MOST_DEVICES)]
    jobs = [build_job(devices[0], n, state=JobState.COMPLETE) for n in range(50)]
    jobs += [build_job(devices[0], 7), build_job(devices[1], 9, state=JobState.RUNNING)]
    with storage.writing() as unit:
        unit.devices.add_all(devices)
        unit.jobs.add_all(jobs)
    services = Services(storage=storage, sealer=open_vault(tmp_path / "key"), clock=lambda: at(10))
    streams = create_app(ApiParts(services=services)).state.streams
    metrics = Metrics(services, streams, Beats(), lambda: None)
    text = metrics.render().decode()
    assert text.count("libra_probe_age_seconds{") == MOST_DEVICES
    assert text.count("libra_jobs_open{") == 2
    assert "libra_jobs_waiting_oldest_seconds 3.0" in text
    with storage.writing() as unit:
        unit.devices.add(build_device("never", created_at=at(-9990)))
    text = metrics.render().decode()
    assert "libra_probe_age_seconds{" not in text
    assert f'libra_probe_age_max_seconds{{state="{devices[0].state.value}"}} 10000.0' in text


def test_failovers_have_their_counter() -> None:
    meters = Meters()
    meters.count_failover(FailoverOutcome.NO_SPARE)
    meters.failover_brakes.set(2)
    sample = meters.registry.get_sample_value
    assert sample("libra_failovers_total", {"outcome": "no_spare"}) == 1
    assert sample("libra_failovers_total", {"outcome": "moved"}) == 0
    assert sample("libra_failover_brakes") == 2
    meters.count_job(JobAction.UPDATE, JobState.EXPIRED)
    assert sample("libra_jobs_finished_total", {"action": "UPDATE", "state": "expired"}) == 1
