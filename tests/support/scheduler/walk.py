"""One controller with three devices of its own and real jobs, and whoever walks along its URLs."""

from collections.abc import Callable
from pathlib import Path

import yaml

from libra.config.load import load_settings
from libra.config.settings import Settings
from libra.model.access import Role
from tests.support.control import LBAAS, ControlLab, Json

POOL, USER = "edge", "shop/ü?#."


class Walk:
    """The controller, and what was done so far."""

    def __init__(self, lab: ControlLab, directory: Path) -> None:
        self.lab = lab
        self.directory = directory
        self.reader = lab.token(Role.READER)
        self.job = self.made = ""

    def get(self, url: str, status: int = 200) -> str:
        """The text; as JSON, by HEAD and with a slash at its end it is answered alike."""
        path, mark, query = url.partition("?")
        answer = self.reader.get(url)
        assert answer.status_code == status, (url, answer.text)
        assert answer.headers["content-type"] == "text/plain; charset=utf-8", url
        assert not answer.text or answer.text.endswith("\n"), url
        head = self.reader.head(url)
        assert (head.status_code, head.content) == (status, b""), url
        assert head.headers["content-type"] == answer.headers["content-type"], url
        assert self.reader.get(f"{path}/{mark}{query}").status_code == status, url
        if path != "/" and status == 200:
            assert isinstance(self.json(url), dict), url
        return answer.text

    def json(self, url: str) -> Json:
        """By its suffix, and by what is accepted."""
        path, mark, query = url.partition("?")
        answer = self.reader.get(f"{path.removesuffix('.json')}.json{mark}{query}")
        asked = self.reader.get(
            path.removesuffix(".json") + mark + query, headers={"Accept": "application/json"}
        )
        for found in (answer, asked):
            assert found.status_code == 200, (url, found.text)
            assert found.headers["content-type"] == "application/json", url
        assert answer.json().keys() == asked.json().keys(), url
        shown: Json = answer.json()
        return shown

    def order(self, request: str, status: int = 200) -> Json:
        """What it tells as JSON; refused to a reader, with nothing changed."""
        method, url = request.split(" ")
        refused = self.reader.request(method, url)
        assert refused.status_code == 403, (request, refused.text)
        answer = self.lab.client.request(method, url, headers={"Accept": "application/json"})
        assert answer.status_code == status, (request, answer.text)
        shown: Json = answer.json()
        return shown

    def order_text(self, request: str) -> str:
        """What it tells a person."""
        method, url = request.split(" ")
        answer = self.lab.client.request(method, url)
        assert answer.status_code == 200, (request, answer.text)
        assert answer.headers["content-type"] == "text/plain; charset=utf-8", request
        return answer.text

    def write_settings(self, **logs: str) -> None:
        """The file that the controller reads again."""
        given = self.lab.settings.model_dump(mode="json", exclude_defaults=True)
        given["logging"] = {"file": str(self.directory / "log"), **logs}
        (self.directory / "libra.yaml").write_text(yaml.safe_dump(given))

    def load_settings(self) -> Settings:
        """Raises `Invalid`."""
        return load_settings(self.directory / "libra.yaml", {})

    def devices(self) -> dict[str, Json]:
        listed = self.lab.get("/v1/devices", pool_id=self.pool()["id"])["devices"]
        return {item["name"]: item for item in listed}

    def pool(self) -> Json:
        found: Json = self.lab.get(f"/v1/device-pools/{POOL}")["device_pool"]
        return found

    def keep(self, spare: int) -> None:
        """So many of them, all of them good."""
        self.lab.put(f"/v1/device-pools/{POOL}", {"min_spare": spare})
        if spare:
            self.wait_names(spare)

    def adopt(self, *names: str) -> None:
        """Workers that run, and were forgotten; three devices then."""
        for name in names:
            given = {"name": name, "address": "127.0.0.1", "pool": POOL}
            self.lab.post("/v1/devices", given)
        self.wait_names(3)

    def wait_names(self, count: int) -> None:
        self.lab.wait(
            lambda: [item["state"] for item in self.devices().values()] == ["SPARE"] * count,
            f"{count} devices",
        )

    def directories(self) -> list[str]:
        return sorted(path.name for path in self.lab.settings.providers.local_dir.iterdir())

    def wait_gone(self, *left: str) -> None:
        """Neither recorded nor running any more."""
        self.lab.wait(lambda: sorted(self.devices()) == list(left), f"only {left}")
        assert self.directories() == list(left)


Step = Callable[[Walk, str], None]
STEPS: dict[str, Step] = {}


def asks(*requests: str) -> Callable[[Step], Step]:
    def register(step: Step) -> Step:
        for request in requests:
            assert request not in STEPS, request
            STEPS[request] = step
        return step

    return register


def prepare(walk: Walk) -> None:
    """Three devices of the pool, one of them with a load balancer; jobs in every state that lasts."""
    lab = walk.lab
    lab.post("/v1/device-pools", {"name": POOL, "provider": "local", "min_spare": 3})
    walk.wait_names(3)
    lab.put(f"/v1/device-pools/{POOL}", {"min_spare": 2})
    walk.made = lab.create(project_id="p1")["id"]
    lab.post("/v1/devices", {"name": "ghost", "address": "8.8.4.4"})
    held, idle = (lab.post("/v1/devices/ghost/discover", {}, 202)["job"]["id"] for _ in range(2))
    lab.wait(lambda: {state_of(lab, held), state_of(lab, idle)} == {"idle"}, "idle jobs")
    lab.post(f"/v1/jobs/{held}/hold", {}, 200)
    walk.job = lab.get("/v1/jobs", load_balancer=walk.made, state="complete")["jobs"][0]["id"]
    refused = {"vip_subnet_id": "default", "project_id": "p2", "availability_zone": POOL}
    lab.put(f"/v1/device-pools/{POOL}", {"disabled": True})
    lab.post(f"{LBAAS}/loadbalancers", {"loadbalancer": refused}, 503)
    lab.put(f"/v1/device-pools/{POOL}", {"disabled": False})


def state_of(lab: ControlLab, job: str) -> str:
    return str(lab.get(f"/v1/jobs/{job}")["job"]["state"])


def concrete(walk: Walk, request: str) -> str:
    """With names in place of its words."""
    words = {
        "LOG_LEVEL": "VERBOSE",
        "VMID": "edge-1",
        "CLOUD": POOL,
        "CLUSTER": POOL,
        "JOBID": walk.job,
        "NUMBER": "1",
        "USER": "shop%2F%C3%BC%3F%23.",
    }
    for word, name in words.items():
        request = request.replace(word, name)
    return request
