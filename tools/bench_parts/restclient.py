"""A client of a REST API that adds as little as it can: one connection of http.client, JSON in and out."""

import http.client
import json
import time
from typing import Any, Self

LBAAS = "/load-balancer/v2.0/lbaas"
PORT = 8080
TIMEOUT_SECONDS = 60.0

Json = dict[str, Any]


class RestClient:
    """For one thread. `with RestClient(port, token) as client: ...`. Without `keep` each request has its connection."""

    def __init__(self, port: int, token: str, *, keep: bool = True) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT_SECONDS)
        self._headers = {"X-Auth-Token": token, "Content-Type": "application/json"}
        if not keep:
            self._headers["Connection"] = "close"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def post(self, path: str, body: Json, wanted: int = 201) -> Json:
        """What was made; ends the run where it was refused."""
        return self._ask("POST", path, json.dumps(body), wanted)

    def get(self, path: str) -> Json:
        """What is there; ends the run where it is not."""
        return self._ask("GET", path, None, 200)

    def put(self, path: str, body: Json) -> Json:
        """What it has become; ends the run where that was refused."""
        return self._ask("PUT", path, json.dumps(body), 200)

    def delete(self, path: str) -> None:
        """Ends the run where it was refused."""
        self._ask("DELETE", path, None, 204)

    def status(self, key: str) -> str:
        """The provisioning status of a load balancer."""
        shown = self.get(f"{LBAAS}/loadbalancers/{key}")["loadbalancer"]
        return str(shown["provisioning_status"])

    def wait_active(self, key: str) -> None:
        """Ends the run where it becomes anything else."""
        deadline = time.monotonic() + TIMEOUT_SECONDS
        while (status := self.status(key)) != "ACTIVE":
            if status == "ERROR" or time.monotonic() > deadline:
                raise SystemExit(f"load balancer {key} is {status}")
            time.sleep(0.002)

    def _ask(self, method: str, path: str, body: str | None, wanted: int) -> Json:
        try:
            self._connection.request(method, path, body, self._headers)
            response = self._connection.getresponse()
        except ConnectionError:  # it was idle for too long
            self._connection.close()
            self._connection.request(method, path, body, self._headers)
            response = self._connection.getresponse()
        text = response.read()
        if response.status != wanted:
            raise SystemExit(f"{method} {path}: {response.status} {text.decode(errors='replace')}")
        answer: Json = json.loads(text or "{}")
        return answer


def whole(name: str, member: int, *, monitored: bool = True) -> Json:
    """The body of a load balancer with listener, pool, member and health monitor, made by one call."""
    pool: Json = {"name": name, "protocol": "HTTP", "lb_algorithm": "ROUND_ROBIN"}
    pool["members"] = [{"address": "127.0.0.1", "protocol_port": member}]
    if monitored:
        pool["healthmonitor"] = {"type": "HTTP", "delay": 5, "timeout": 2, "max_retries": 2}
    listener = {"protocol": "HTTP", "protocol_port": PORT, "default_pool": pool}
    return {"loadbalancer": {"name": name, "vip_subnet_id": "default", "listeners": [listener]}}
