"""What pages there are: one line each, with what is shown and who may see it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from starlette.datastructures import QueryParams

from libra.model.access import Caller, Role
from libra.usecases.services import Services
from libra.web.history import History

Context = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """One request for a page. `key` is the thing that it is about, "" where it is about all of a kind."""

    services: Services
    history: History
    caller: Caller
    key: str = ""
    asked: QueryParams = field(default_factory=QueryParams)


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """`path` is below /ui. `parts` are templates below parts/, each renewed while the page is open where it changes.

    `everywhere`: only for who is bound to no project. `deploying`: also for deployers, who see no other. `menu` is its
    name in the menu, "" where it is not there.
    """

    path: str
    title: str
    template: str
    parts: tuple[str, ...]
    view: Callable[[Look], Context]
    everywhere: bool = False
    deploying: bool = False
    menu: str = ""

    def allows(self, caller: Caller) -> bool:
        """Whether it may be seen."""
        if caller.role is Role.DEPLOYER:
            return self.deploying
        return caller.sees_everything or not self.everywhere


def build_pages() -> tuple[Page, ...]:
    """In the menu's order."""
    from libra.web.views import (
        balancers,
        devices,
        events,
        fleet,
        jobs,
        nodes,
        rollouts,
        webclusters,
    )

    return (
        Page(
            path="",
            title="Fleet",
            menu="Fleet",
            template="fleet.html",
            parts=("fleet_charts", "fleet_counts", "fleet_trouble"),
            view=fleet.view,
        ),
        Page(
            path="/devices",
            title="Devices",
            menu="Devices",
            template="devices.html",
            parts=("device_pools", "devices"),
            view=devices.view,
            everywhere=True,
        ),
        Page(
            path="/devices/{key}",
            title="Device",
            template="device.html",
            parts=("device", "device_balancers", "device_jobs"),
            view=devices.view_one,
            everywhere=True,
        ),
        Page(
            path="/loadbalancers",
            title="Load balancers",
            menu="Load balancers",
            template="balancers.html",
            parts=("balancers",),
            view=balancers.view,
        ),
        Page(
            path="/loadbalancers/{key}",
            title="Load balancer",
            template="balancer.html",
            parts=("balancer", "balancer_pools"),
            view=balancers.view_one,
        ),
        Page(
            path="/webclusters",
            title="Web clusters",
            menu="Web clusters",
            template="webclusters.html",
            parts=("webclusters",),
            view=webclusters.view,
        ),
        Page(
            path="/webclusters/{key}",
            title="Web cluster",
            template="webcluster.html",
            parts=("webcluster", "webcluster_nodes", "webcluster_services"),
            view=webclusters.view_one,
        ),
        Page(
            path="/nodes",
            title="Nodes",
            menu="Nodes",
            template="nodes.html",
            parts=("nodes",),
            view=nodes.view,
            everywhere=True,
            deploying=True,
        ),
        Page(
            path="/rollouts",
            title="Rollouts",
            menu="Rollouts",
            template="rollouts.html",
            parts=("rollouts",),
            view=rollouts.view,
            everywhere=True,
            deploying=True,
        ),
        Page(
            path="/rollouts/{key}",
            title="Rollout",
            template="rollout.html",
            parts=("rollout", "rollout_steps"),
            view=rollouts.view_one,
            everywhere=True,
            deploying=True,
        ),
        Page(
            path="/jobs",
            title="Jobs",
            menu="Jobs",
            template="jobs.html",
            parts=("jobs",),
            view=jobs.view,
        ),
        Page(
            path="/events",
            title="Events",
            menu="Events",
            template="events.html",
            parts=("events",),
            view=events.view,
        ),
    )
