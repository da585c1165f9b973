"""Seeded random changes over the REST API, each acknowledged or found out about, beside a model of what they make."""

import random
from typing import TYPE_CHECKING, Any

import httpx

from tests.support.balancers import (
    Balancer,
    Change,
    Fresh,
    Ids,
    Listener,
    Member,
    plan_change,
    plan_creation,
    plan_end,
)
from tests.support.control import LBAAS

if TYPE_CHECKING:
    from tests.support.chaos import ChaosLab
    from tests.support.fleetlab import FleetLab

Json = dict[str, Any]
FEWEST, MOST = 2, 6  # load balancers
GOING, ACTIVE, GONE = "PENDING_DELETE", "ACTIVE", "gone"
BUSY = (httpx.codes.CONFLICT, httpx.codes.SERVICE_UNAVAILABLE)


class RandomChanges:
    """`expected` are the load balancers by id, as the acknowledged changes made them."""

    def __init__(self, lab: "ChaosLab | FleetLab", seed: int, target_port: int) -> None:
        self._lab = lab
        self.random = random.Random(seed)
        self._fresh = Fresh(self.random, lab.member_network, target_port)
        self._ids: dict[str, Ids] = {}
        self.expected: dict[str, Balancer] = {}
        self.history: list[str] = []
        self.unknown = 0  # how often a controller was killed before it answered

    def step(self) -> None:
        """One change, and what the API shows then is what the model says."""
        dice = self.random.random()
        if len(self.expected) < FEWEST or (dice < 0.12 and len(self.expected) < MOST):
            self._create()
        elif dice > 0.95 and len(self.expected) > FEWEST:
            self._end()
        else:
            self._change()

    def _create(self) -> None:
        change = plan_creation(self._fresh)
        assert change.after is not None
        is_known = self._request(change)
        key = self._find(change.after.name)
        assert key is not None or not is_known, f"{change.what} was acknowledged and is lost"
        if key is not None:
            self._check(key, (change.after,))

    def _find(self, name: str) -> str | None:
        for item in self._list("loadbalancers", name=name):
            return str(item["id"])
        return None

    def _end(self) -> None:
        key = self._choose()
        if self._request(plan_end(self._ids[key])) or self._settled(key) == GONE:
            self.expected.pop(key)
        else:
            self._check(key, (self.expected[key],))

    def _change(self) -> None:
        key = self._choose()
        before = self.expected[key]
        change = plan_change(self._fresh, before, self._ids[key])
        assert change.after is not None
        is_known = self._request(change)
        self._check(key, (change.after,) if is_known else (before, change.after))

    def _choose(self) -> str:
        return self.random.choice(sorted(self.expected, key=lambda key: self.expected[key].name))

    def _request(self, change: Change) -> bool:
        """True where it was acknowledged, False where nobody knows. While another is under way it waits."""
        answers: list[httpx.Response | None] = []

        def attempt() -> bool:
            answers.append(self._lab.call(change.method, change.path, change.body))
            return answers[-1] is None or answers[-1].status_code not in BUSY

        self._lab.wait(attempt, f"{change.what} to be taken")
        answer = answers[-1]
        told = "nobody knows" if answer is None else str(answer.status_code)
        self.history.append(f"{change.what} {change.path.removeprefix(LBAAS)}: {told}")
        self.unknown += answer is None
        assert answer is None or answer.is_success, answer.text
        return answer is not None

    def _check(self, key: str, allowed: tuple[Balancer, ...]) -> None:
        """It is one of these, whole; from then on it is that one.

        What goes and was refused by its device for a moment is shown as it was until it goes in the end.
        """
        seen, self._ids[key] = self.see(key)
        if seen not in allowed or len(allowed) > 1:
            self._settled(key)
            seen, self._ids[key] = self.see(key)
        assert seen in allowed, f"{self.history[-1]}: {seen} is none of {allowed}"
        self.expected[key] = seen

    def _settled(self, key: str) -> str:
        """ACTIVE or GONE, once it is one of them."""
        seen = ""

        def look() -> bool:
            nonlocal seen
            every = self._lab.ask(f"{LBAAS}/loadbalancers")["loadbalancers"]
            seen = {item["id"]: item["provisioning_status"] for item in every}.get(key, GONE)
            return seen in (ACTIVE, GONE)

        self._lab.wait(look, f"{key} to be settled")
        return seen

    def see(self, key: str) -> tuple[Balancer, Ids]:
        """What the API shows of one, without what is going."""
        owner = self._lab.ask(f"{LBAAS}/loadbalancers/{key}")["loadbalancer"]
        listeners = self._list("listeners", load_balancer_id=key)
        (pool,) = self._list("pools", loadbalancer_id=key)
        members = self._list(f"pools/{pool['id']}/members", shown="members")
        monitors = self._list("healthmonitors", pool_id=pool["id"])
        targets = [(item["address"], item["protocol_port"]) for item in members]
        seen = Balancer(
            name=owner["name"],
            protocol=pool["protocol"],
            enabled=owner["admin_state_up"],
            algorithm=pool["lb_algorithm"],
            pool_enabled=pool["admin_state_up"],
            monitored=bool(monitors),
            listeners={
                item["protocol_port"]: Listener(item["connection_limit"], item["admin_state_up"])
                for item in listeners
            },
            members={
                target: Member(item["weight"], item["admin_state_up"])
                for target, item in zip(targets, members, strict=True)
            },
        )
        ids = Ids(
            owner=key,
            pool=pool["id"],
            monitor=monitors[0]["id"] if monitors else None,
            listeners={item["protocol_port"]: item["id"] for item in listeners},
            members={target: item["id"] for target, item in zip(targets, members, strict=True)},
        )
        return seen, ids

    def _list(self, path: str, shown: str = "", **query: str) -> list[Json]:
        text = "&".join(f"{name}={value}" for name, value in query.items())
        answer = self._lab.ask(f"{LBAAS}/{path}?{text}")
        items: list[Json] = answer[shown or path]
        return [item for item in items if item["provisioning_status"] != GOING]
