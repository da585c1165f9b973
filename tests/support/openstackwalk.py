"""One life of a load balancer by the `openstack` command, in which every command for load balancers is used."""

import json
from typing import Any

from tests.support.control import ControlLab
from tests.support.openstackcli import OpenStack


class Walk:
    """`name` is the load balancer's, and what else is named begins with it. Nothing of it is left."""

    def __init__(self, openstack: OpenStack, lab: ControlLab, name: str) -> None:
        self._openstack = openstack
        self._lab = lab
        self._name = name
        self._listener, self._pool, self._member = (f"{name}-{kind}" for kind in "lpm")
        self._monitor = f"{name}-hm"

    def take(self) -> None:
        """All of it, in an order that makes sense."""
        self._create()
        self._show()
        self._listeners()
        self._pools()
        self._members()
        self._monitors()
        self._policies()
        self._amphorae()
        self._quotas()
        self._providers()
        self._unmake()

    def run(self, *words: str, status: int = 0) -> str:
        return self._openstack.run("loadbalancer", *words, status=status)

    def json(self, *words: str) -> Any:
        return self._openstack.json("loadbalancer", *words)

    def _create(self) -> None:
        subnet = ("--vip-subnet-id", "default")
        made = self.json("create", "--name", self._name, *subnet, "--tag", "a", "--wait")
        assert (made["name"], made["provisioning_status"]) == (self._name, "ACTIVE")
        self.run("set", self._name, "--description", "d", "--disable", "--tag", "b", "--wait")
        assert self.json("show", self._name)["admin_state_up"] is False
        self.run("unset", self._name, "--description", "--wait")
        self.run("set", self._name, "--enable", "--wait")
        shown = self.json("show", made["id"])
        assert (shown["description"], shown["admin_state_up"]) == ("", True)
        self.id, self.address = made["id"], made["vip_address"]
        assert sorted(shown["tags"]) == ["a", "b"]

    def _show(self) -> None:
        for filters in (
            ("--name", self._name),
            ("--tags", "a,b"),
            ("--any-tags", "b,x"),
            ("--not-tags", "x"),
            ("--vip-subnet-id", "default"),
            ("--enable",),
            ("--provider", "libra"),
        ):
            assert [row["id"] for row in self.json("list", *filters)] == [self.id], filters
        assert self.json("list", "--disable") == []
        assert self.json("list", "--project", "nobody") == []
        statuses = json.loads(self.run("status", "show", self._name))
        assert statuses["loadbalancer"]["name"] == self._name
        assert self.json("stats", "show", self._name)["total_connections"] == 0
        self.run("failover", self._name, "--wait")

    def _listeners(self) -> None:
        kind = ("--protocol", "HTTP", "--protocol-port", "80")
        more = ("--connection-limit", "100", "--insert-headers", "X-Forwarded-For=true")
        cidrs = ("--allowed-cidr", "10.0.0.0/8", "--timeout-client-data", "7000")
        made = self.json(
            *("listener", "create", "--name", self._listener, *kind, *more, *cidrs, "--wait"),
            self._name,
        )
        assert (made["provisioning_status"], made["connection_limit"]) == ("ACTIVE", 100)
        assert made["timeout_client_data"] == 7000
        self.run("listener", "set", self._listener, "--connection-limit", "7", "--wait")
        shown = self.json("listener", "show", self._listener)
        assert (shown["connection_limit"], shown["allowed_cidrs"]) == (7, ["10.0.0.0/8"])
        unset = ("--connection-limit", "--allowed-cidrs", "--insert-headers", "--wait")
        self.run("listener", "unset", self._listener, *unset)
        shown = self.json("listener", "show", self._listener)
        assert (shown["connection_limit"], shown["allowed_cidrs"]) == (-1, None)
        listed = self.json("listener", "list", "--loadbalancer", self._name)
        assert [row["name"] for row in listed] == [self._listener]
        assert self.json("listener", "stats", "show", self._listener)["bytes_in"] == 0

    def _pools(self) -> None:
        kind = ("--protocol", "HTTP", "--lb-algorithm", "ROUND_ROBIN")
        tied = ("--session-persistence", "type=APP_COOKIE,cookie_name=sid")
        made = self.json(
            *("pool", "create", "--name", self._pool, "--listener", self._listener, *kind, *tied),
            "--wait",
        )
        assert made["provisioning_status"] == "ACTIVE"
        assert "sid" in str(made["session_persistence"])
        self.run("pool", "set", self._pool, "--lb-algorithm", "LEAST_CONNECTIONS", "--wait")
        self.run("pool", "unset", self._pool, "--session-persistence", "--wait")
        shown = self.json("pool", "show", self._pool)
        assert (shown["lb_algorithm"], shown["session_persistence"]) == ("LEAST_CONNECTIONS", None)
        listed = self.json("pool", "list", "--loadbalancer", self._name)
        assert [row["name"] for row in listed] == [self._pool]

    def _members(self) -> None:
        where = ("--address", "10.0.0.9", "--protocol-port", "83")
        more = (
            "--weight",
            "3",
            "--enable-backup",
            "--subnet-id",
            "default",
            "--monitor-port",
            "84",
        )
        made = self.json(
            *("member", "create", "--name", self._member, *where, *more, "--wait"), self._pool
        )
        assert (made["provisioning_status"], made["weight"], made["backup"]) == ("ACTIVE", 3, True)
        names = (self._pool, self._member)
        self.run("member", "set", *names, "--weight", "0", "--disable", "--wait")
        shown = self.json("member", "show", *names)
        assert (shown["weight"], shown["admin_state_up"]) == (0, False)
        self.run("member", "unset", *names, "--weight", "--monitor-port", "--backup", "--wait")
        shown = self.json("member", "show", *names)
        assert (shown["weight"], shown["monitor_port"], shown["backup"]) == (1, None, False)
        self.run("member", "set", *names, "--enable", "--wait")
        assert [row["name"] for row in self.json("member", "list", self._pool)] == [self._member]

    def _monitors(self) -> None:
        pace = ("--delay", "5", "--timeout", "3", "--max-retries", "2")
        how = ("--type", "HTTP", "--url-path", "/up", "--expected-codes", "200-204")
        http = ("--http-version", "1.1", "--domain-name", "a.example")
        made = self.json(
            *("healthmonitor", "create", "--name", self._monitor, *pace, *how, *http, "--wait"),
            self._pool,
        )
        assert (made["provisioning_status"], made["expected_codes"]) == ("ACTIVE", "200-204")
        assert float(made["http_version"]) == 1.1
        self.run("healthmonitor", "set", self._monitor, "--delay", "9", "--wait")
        self.run(
            "healthmonitor", "unset", self._monitor, "--domain-name", "--expected-codes", "--wait"
        )
        shown = self.json("healthmonitor", "show", self._monitor)
        assert (shown["delay"], shown["domain_name"], shown["expected_codes"]) == (9, None, "200")
        assert [row["name"] for row in self.json("healthmonitor", "list")] == [self._monitor]

    def _policies(self) -> None:
        policy = f"{self._name}-policy"
        made = self.json(
            *("l7policy", "create", "--name", policy, "--action", "REDIRECT_TO_POOL"),
            *("--redirect-pool", self._pool, "--wait", self._listener),
        )
        assert (made["provisioning_status"], made["position"]) == ("ACTIVE", 1)
        self.run("l7policy", "set", policy, "--description", "d", "--tag", "t", "--wait")
        self.run("l7policy", "unset", policy, "--description", "--wait")
        assert self.json("l7policy", "show", policy)["description"] == ""
        assert [row["name"] for row in self.json("l7policy", "list")] == [policy]
        how = ("--type", "PATH", "--compare-type", "STARTS_WITH", "--value", "/a")
        rule = self.json("l7rule", "create", *how, "--wait", policy)["id"]
        self.run("l7rule", "set", policy, rule, "--value", "/b", "--invert", "--wait")
        self.run("l7rule", "unset", policy, rule, "--invert", "--wait")
        shown = self.json("l7rule", "show", policy, rule)
        assert (shown["rule_value" if "rule_value" in shown else "value"], shown["invert"]) == (
            "/b",
            False,
        )
        assert [row["id"] for row in self.json("l7rule", "list", policy)] == [rule]
        self.run("l7rule", "delete", policy, rule, "--wait")
        self.run("l7policy", "delete", policy, "--wait")

    def _amphorae(self) -> None:
        (carrier,) = self.json("amphora", "list", "--loadbalancer", self._name)
        assert (carrier["status"], carrier["ha_ip"]) == ("ALLOCATED", self.address)
        shown = self.json("amphora", "show", carrier["id"])
        assert shown["loadbalancer_id"] == self.id
        self.run("amphora", "configure", carrier["id"], "--wait")
        assert self.json("amphora", "stats", "show", carrier["id"])["total_connections"] == 0
        self.run("amphora", "failover", carrier["id"], "--wait")
        (after,) = self.json("amphora", "list", "--loadbalancer", self._name)
        assert after["id"] != carrier["id"]
        self.run("amphora", "delete", carrier["id"], "--wait")
        remaining = [row["id"] for row in self.json("amphora", "list")]
        assert carrier["id"] not in remaining
        self._lab.client.post(f"/v1/devices/{carrier['id']}/approve")
        ready = lambda: len(self.json("amphora", "list", "--status", "READY")) == 1  # noqa: E731
        self._lab.wait(ready, "the device is back")

    def _quotas(self) -> None:
        assert self.json("quota", "defaults", "show")["pool"] == -1
        assert self.json("quota", "set", "--pool", "5", "--member", "9", "shop")["pool"] == 5
        assert self.json("quota", "show", "shop")["member"] == 9
        self.run("quota", "unset", "--member", "shop")
        assert self.json("quota", "show", "shop")["member"] == -1
        assert "shop" in [row["project_id"] for row in self.json("quota", "list")]
        self.run("quota", "reset", "shop")
        assert self.json("quota", "show", "shop")["pool"] == -1

    def _providers(self) -> None:
        names = [row["name"] for row in self.json("provider", "list")]
        assert {"libra", "noop"} <= set(names)
        for name in names:
            assert self.json("provider", "capability", "list", name) == []
        other = f"{self._name}-noop"
        chosen = ("--provider", "noop", "--vip-subnet-id", "default")
        made = self.json("create", "--name", other, *chosen, "--wait")
        assert (made["provider"], made["operating_status"]) == ("noop", "OFFLINE")
        self.run("delete", other, "--wait")

    def _unmake(self) -> None:
        self.run("healthmonitor", "delete", self._monitor, "--wait")
        self.run("member", "delete", self._pool, self._member, "--wait")
        told = self.run("delete", self._name, status=1)
        assert "cascade" in told
        self.run("pool", "delete", self._pool, "--wait")
        self.run("listener", "delete", self._listener, "--wait")
        self.run("delete", self._name, "--cascade", "--wait")
        told = self.run("show", self._name, status=1)
        assert "Unable to locate" in told
