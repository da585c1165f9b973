"""What is only looked at: what each URL answers."""

import httpx

from libra import __version__
from tests.support.control import WAIT, ThreadWorker
from tests.support.scheduler.walk import Walk, asks
from tests.support.web import NOBODY


@asks("GET /")
def version(walk: Walk, url: str) -> None:
    assert (
        httpx.get(f"{walk.lab.client.base_url}", verify=NOBODY, timeout=WAIT).text
        == f"libra version: {__version__}\n"
    )
    assert walk.get(url) == f"libra version: {__version__}\n"
    shown = walk.reader.get(url, headers={"Accept": "application/json"}).json()
    assert {item["status"] for item in shown["versions"]} == {"SUPPORTED", "CURRENT"}


@asks("GET /cloud")
def cloud(walk: Walk, url: str) -> None:
    lines = walk.get(url).splitlines()
    assert lines[0] == "Resource pool libra:"
    assert lines[1].split() == ["NAME", "CLOUD", "TYPE", "NETWORK", "ADDRESS", "ENABLED"]
    assert ["edge", "local", "127.0.0.1", "True"] in [line.split() for line in lines]
    assert [item["name"] for item in walk.json(url)["resources"]] == ["default", "edge"]


@asks("GET /cloud/config")
def config(walk: Walk, url: str) -> None:
    text = walk.get(url)
    assert f"job_servers.1 [host,127.0.0.1] [port,{walk.lab.server.port}]" in text
    assert "device_pool.edge [provider,local]" in text
    assert walk.json(url)["manager"]["probe_seconds"] == 0.3
    secrets = [walk.lab.secret, (walk.directory / "secrets.key").read_text().strip()]
    assert not any(secret in text for secret in secrets)


@asks("GET /clusters")
def clusters(walk: Walk, url: str) -> None:
    text = walk.get(url)
    assert "Cluster: default\n" in text
    assert "Cluster: edge\n" in text
    assert "VMS/MAX" in text


@asks("GET /clusters.json")
def clusters_json(walk: Walk, url: str) -> None:
    default, edge = walk.json(url)["resources"]
    assert (default["name"], default["cloud_type"]) == ("default", "manual")
    assert (edge["name"], edge["cloud_type"], edge["enabled"]) == ("edge", "local", True)
    assert (edge["vm_slots"], edge["max_slots"], len(edge["vms"])) == (None, None, 3)


@asks("GET /clusters/CLUSTER")
def cluster(walk: Walk, url: str) -> None:
    text = walk.get(url)
    assert text.startswith("Cluster Info: edge\nCluster: edge\nADDRESS")
    assert " 3 / - " in text
    walk.get("/clusters/other", 404)


@asks("GET /clusters/CLUSTER.json")
def cluster_json(walk: Walk, url: str) -> None:
    assert walk.json(url)["id"] == walk.pool()["id"]
    assert walk.reader.get("/clusters/other.json").status_code == 404


@asks("GET /clusters/CLUSTER/vms")
def vms_of_a_cluster(walk: Walk, url: str) -> None:
    text = walk.get(url)
    assert text.splitlines()[0].split() == ["ID", "HOSTNAME", "VMTYPE", "USER", "STATUS", "CLUSTER"]
    assert "ghost" not in text
    assert text.endswith("\n\nTotal VMs: 3. Total Clouds: 1\n")
    assert sorted(vm["name"] for vm in walk.json(url)["vms"]) == ["edge-1", "edge-2", "edge-3"]


@asks("GET /clusters/CLUSTER/vms?metric=all")
def counts_of_a_cluster(walk: Walk, url: str) -> None:
    assert walk.get(url) == "3 Running\n"
    assert walk.json(url) == {"Running": 3}


@asks("GET /clusters/CLUSTER/vms?metric=total")
def total_of_a_cluster(walk: Walk, url: str) -> None:
    assert walk.get(url) == "3\n"
    assert walk.json(url) == {"total": 3}


@asks("GET /clusters/CLUSTER/vms/VMID")
def vm(walk: Walk, url: str) -> None:
    heading, header, row = walk.get(url).splitlines()
    device = walk.devices()["edge-1"]
    assert heading == f"VM Info: {device['id']}"
    assert header.split() == ["ID", "HOSTNAME", "VMTYPE", "USER", "STATUS"]
    assert [word for word in row.split() if word != "p1"] == [
        device["id"],
        "edge-1",
        "local",
        "Running",
    ]
    assert "edge-1" in walk.get(f"/clusters/edge/vms/{device['id']}")
    walk.get("/clusters/edge/vms/ghost", 404)
    walk.get("/clusters/other/vms/edge-1", 404)


@asks("GET /clusters/CLUSTER/vms/VMID.json")
def vm_json(walk: Walk, url: str) -> None:
    shown = walk.json(url)
    assert (shown["hostname"], shown["ipaddress"], shown["cloudtype"]) == (
        "edge-1",
        "127.0.0.1",
        "local",
    )
    assert 0 < shown["startup_time"] < 60
    assert shown["lastpoll"] > shown["initialize_time"]


@asks(
    *(f"GET /jobs?state={word}" for word in ("new", "sched", "high", "idle", "running")),
    *(f"GET /jobs?state={word}" for word in ("complete", "held")),
)
def jobs(walk: Walk, url: str) -> None:
    state = url.rpartition("=")[2]
    text, shown = walk.get(url), walk.json(url)
    assert text.startswith("Global ID")
    counts = {"high": 2, "idle": 1, "held": 1, "complete": 1}
    assert shown["total"] == len(shown["jobs"]) >= counts.get(state, 0)
    if state in counts:
        assert text.count("ghost") == (0 if state == "complete" else counts[state])
    if state == "complete":
        assert walk.job in [job["id"] for job in shown["jobs"]]
        assert f"{walk.job} p1" in text
    assert walk.reader.get("/jobs?state=other").status_code == 400
    assert walk.reader.get("/jobs").status_code == 400


@asks("GET /jobs/JOBID")
def job(walk: Walk, url: str) -> None:
    header, row = walk.get(url).splitlines()
    assert header.startswith("Global ID")
    assert row.split()[:6] == [walk.job, "p1", "UPDATE", "Complete", "Scheduled", "edge"]
    walk.get("/jobs/none", 404)


@asks("GET /jobs/JOBID.json")
def job_json(walk: Walk, url: str) -> None:
    shown = walk.json(url)
    assert (shown["id"], shown["user"], shown["job_status"]) == (walk.job, "p1", 4)
    assert shown["jobstarttime"] <= shown["servertime"]


@asks("GET /vms", "GET /vms/resources")
def vms(walk: Walk, url: str) -> None:
    text = walk.get(url)
    assert text.endswith("\n\nTotal VMs: 4. Total Clouds: 2\n")
    assert max(item["name"] for item in walk.json(url)["vms"]) == "ghost"


@asks("GET /vms?metric=all")
def counts(walk: Walk, url: str) -> None:
    assert walk.get(url) == "3 Running, 1 Starting\n"
    assert walk.reader.get("/vms?metric=other").status_code == 400


@asks("GET /vms?metric=total")
def total(walk: Walk, url: str) -> None:
    assert walk.get(url) == "4\n"


@asks("GET /vms?metric=missing")
def missing(walk: Walk, url: str) -> None:
    stray = ThreadWorker("stray", walk.lab.server.port)
    try:
        walk.lab.wait(lambda: "stray : 127.0.0.1" in walk.get(url), "the stray worker")
        assert walk.json(url) == {"missing": [{"name": "stray", "addresses": ["127.0.0.1"]}]}
    finally:
        stray.close()


@asks("GET /vms?metric=startup_time")
def startup_time(walk: Walk, url: str) -> None:
    default, edge = walk.get(url).splitlines()
    assert default == "Cluster: default Avg: -"
    assert edge.startswith("Cluster: edge ")
    assert edge.count(", ") == 3
    assert walk.json(url)["startup_times"]["default"] == {"ghost": None}


@asks("GET /vms?metric=job_run_times")
def job_run_times(walk: Walk, url: str) -> None:
    assert " : avg 0." in walk.get(url)
    (times,) = walk.json(url)["job_run_times"].values()
    assert times["average"] > 0
    assert len(times["seconds"]) >= 1


@asks("GET /job_pools.json", "GET /job-pool.json")
def job_pools(walk: Walk, url: str) -> None:
    assert walk.json(url).keys() >= {"new_jobs", "sched_jobs"}


@asks("GET /developer_info", "GET /developer-info")
def developer_info(walk: Walk, url: str) -> None:
    assert "VmRSS: " in walk.get(url)
    assert walk.json(url)["sizes"]["VmRSS"] > 1_000_000


@asks("GET /ips")
def ips(walk: Walk, url: str) -> None:
    assert walk.get(url) == "[ghost]\n\taddress 8.8.4.4\n"


@asks("GET /diff-types", "GET /diff_types")
def diff_types(walk: Walk, url: str) -> None:
    assert walk.get(url) == (
        "Diff Types\ntype: p1:edge, dist: 0.500000\ntype: p2:-, dist: -0.500000\n"
        "Current Types (vms)\ntype: p1:edge, dist: 1.000000\n"
        "Desired Types (jobs)\ntype: p1:edge, dist: 0.500000\ntype: p2:-, dist: 0.500000\n"
    )


@asks("GET /failures?type=boot", "GET /failures/boot")
def boot_failures(walk: Walk, url: str) -> None:
    assert "   User: p2\n" in walk.get(url)
    (failure,) = walk.json(url)["users"]
    assert (failure["user"], failure["reason"][:15]) == ("p2", "cannot place it")
    walk.get("/failures/other", 404)
    assert walk.reader.get("/failures").status_code == 400


@asks("GET /failures?type=image", "GET /failures/image")
def image_failures(walk: Walk, url: str) -> None:
    assert walk.get(url).startswith("Image failures:\n")


@asks("GET /shared-objs")
def shared_objects(walk: Walk, url: str) -> None:
    assert "Thread:\n      database" in walk.get(url)


@asks("GET /thread-heart-beats")
def heart_beats(walk: Walk, url: str) -> None:
    assert " Thread(" in walk.get(url)
    (controller,) = walk.json(url)["controllers"]
    assert controller["manages"]
    assert {loop["state"] for loop in controller["threads"]} <= {"turns", "waits"}
