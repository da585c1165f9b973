"""What is shown, each with a proof."""

import gzip
import json
import time
import urllib.request
from collections import Counter

from tools.demo.servers import LOOPBACK, accepts
from tools.demo.stage import LBAAS, DemoFailed, Json, Stage, console, prove, wait_for

NAME = "demo"
CONTAINER = "lbaaslogs"
DRIFT_SECONDS = 30.0


class Play:
    """One load balancer on one stage."""

    def __init__(self, stage: Stage, port: int) -> None:
        self._stage = stage
        self.port = port
        self.address = ""
        self.key = ""

    @property
    def url(self) -> str:
        """Where its clients go."""
        return f"http://{self.address}:{self.port}/"

    def create(self) -> None:
        """Through the REST API; one that was there before is taken over."""
        console.rule("[bold]A load balancer, over the REST API")
        before = self._stage.find(NAME)
        if before is None:
            body = {"loadbalancer": self._tree()}
            path = f"{LBAAS}/loadbalancers"
            token = f"X-Auth-Token: $(cat {self._stage.token_file})"
            console.print(
                f'[bold green]$[/] curl -H "{token}" {self._stage.api}{path} --json @demo.json'
            )
            console.print(f"[dim]{json.dumps(self._tree(), indent=2)}[/]", markup=True)
            made = self._stage.call("POST", path, body)["loadbalancer"]
        else:
            console.print("it is there from the time before; its servers have moved")
            made = before
        self.key, self.address = made["id"], made["vip_address"]
        self._stage.wait_active(self.key)
        if before is not None:
            self._take_over()
        self._stage.run("libra", "lb", "list")
        self.show_traffic(["web-1"])

    def _tree(self) -> Json:
        first = self._stage.servers[0]
        monitor = {"type": "HTTP", "delay": 1, "timeout": 1, "max_retries": 1}
        pool = {
            "name": "web",
            "protocol": "HTTP",
            "lb_algorithm": "ROUND_ROBIN",
            "members": [{"name": "web-1", "address": LOOPBACK, "protocol_port": first.port}],
            "healthmonitor": monitor,
        }
        listener = {"name": "http", "protocol": "HTTP", "protocol_port": self.port}
        listener["default_pool"] = pool
        return {"name": NAME, "vip_subnet_id": "default", "listeners": [listener]}

    def _take_over(self) -> None:
        """The port and the server of this time."""
        shown = self._stage.call("GET", f"{LBAAS}/loadbalancers/{self.key}")["loadbalancer"]
        listener = shown["listeners"][0]["id"]
        self.port = self._stage.call("GET", f"{LBAAS}/listeners/{listener}")["listener"][
            "protocol_port"
        ]
        path = f"{LBAAS}/pools/{shown['pools'][0]['id']}/members"
        members = [{"name": "web-1", "address": LOOPBACK}]
        members[0]["protocol_port"] = self._stage.servers[0].port  # type: ignore[assignment]
        self._stage.call("PUT", path, {"members": members})
        self._stage.wait_active(self.key)

    def grow(self) -> None:
        """The second server, while traffic flows."""
        console.rule("[bold]One more server: live in milliseconds, without a reload")
        port = self._stage.servers[1].port
        member = ["name=web-2", f"address={LOOPBACK}", f"protocol_port={port}"]
        self._stage.run("libra", "member", "create", "--pool", "web", *member, "--wait")
        self.show_traffic(["web-1", "web-2"])

    def look(self) -> None:
        """What travelled, and what the device says."""
        console.rule("[bold]What it is, the jobs that carried it, and what HAProxy says")
        self._stage.run("libra", "lb", "status", NAME)
        self._stage.run("libra", "job", "list", "action=UPDATE")
        self._stage.send("DISCOVER")
        self._stage.send("STATS")

    def suspend(self) -> None:
        """By hand, past the controller."""
        console.rule("[bold]SUSPEND and ENABLE, by hand")
        self._stage.send("SUSPEND")
        prove(f"{self.url} refuses connections", not self.is_open())
        self._stage.send("ENABLE")
        self.show_traffic(["web-1", "web-2"])

    def archive(self) -> None:
        """Starts OpenStack Swift on loopback, sends the log there, and reads it back."""
        from tests.support.swift_lab import SwiftLab

        console.rule("[bold]ARCHIVE: the access log, into a real Swift")
        console.print("[dim]starting OpenStack Swift on loopback ...[/]")
        with SwiftLab(self._stage.directory / "swift") as swift:
            where = ["--endpoint", swift.storage_url, "--container", CONTAINER]
            token = {"OS_TOKEN": swift.token()}
            self._stage.run("libra", "lb", "archive", NAME, *where, "--wait", secrets=token)
            (name,) = swift.names(CONTAINER)
            stored = swift.download(f"{CONTAINER}/{name}")
        lines = gzip.decompress(stored).decode().splitlines()
        console.print(f"[bold green]$[/] swift download {CONTAINER} {name} -o - | zcat | tail -n 1")
        console.print(f"  {lines[-1]}", markup=False)
        prove(f"the archive holds {len(lines)} lines of this load balancer", len(lines) > 0)

    def wreck(self) -> None:
        """A device that forgets is told again."""
        console.rule("[bold]DELETE by hand: an accident, which the controller repairs")
        self._stage.send("DELETE")
        prove(f"{self.url} refuses connections", not self.is_open())
        started = time.monotonic()
        console.print("[dim]waiting for the controller to notice ...[/]")
        wait_for("the repair", self.is_open, DRIFT_SECONDS)
        console.print(f"  back after {time.monotonic() - started:.1f} s")
        self.show_traffic(["web-1", "web-2"])

    def delete(self) -> None:
        """On purpose."""
        console.rule("[bold]The end")
        self._stage.run("libra", "lb", "delete", NAME, "--cascade", "--wait")
        prove(f"{self.url} refuses connections", not self.is_open())

    def is_open(self) -> bool:
        """Whether a connection is taken."""
        return accepts(self.address, self.port)

    def show_traffic(self, expected: list[str], count: int = 10) -> None:
        """Real requests, and who answered."""
        console.print(f"[bold green]$[/] for i in $(seq {count}); do curl -s {self.url}; done")
        wanted = {f"hello from {name}" for name in expected}
        wait_for(
            f"an answer of {' and '.join(expected)}",
            lambda: {self._request() for _ in range(4)} == wanted,
        )
        answers = Counter(self._request() for _ in range(count))
        for body, times in sorted(answers.items()):
            console.print(f"  {body}  [bold]x {times}[/]")
        if set(answers) != wanted:
            raise DemoFailed(f"{', '.join(answers)} answered")

    def _request(self) -> str:
        """The body of one real request through HAProxy, on a connection of its own."""
        try:
            with urllib.request.urlopen(self.url, timeout=5) as answer:
                return str(answer.read().decode().strip())
        except OSError as error:  # no server is up yet
            return str(error)
