"""What may be ordered from a page: each says first what would happen, and is carried out by a form of the session."""

from collections.abc import Callable
from dataclasses import dataclass

from libra.errors import Forbidden
from libra.model.access import Caller, Role
from libra.usecases import devices, jobs
from libra.usecases.deviceorders import DeviceOrder
from libra.usecases.jobs import Order
from libra.usecases.rolloutnodes import abort_with_nodes, restores
from libra.usecases.rollouts import Whole, ask_to_stop, find_rollout
from libra.usecases.services import Services
from libra.web import nodeorders
from libra.web.forms import Form

OPERATORS = frozenset((Role.ADMIN, Role.OPERATOR))
DEPLOYERS = OPERATORS | {Role.DEPLOYER}


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What a person is asked before it is done."""

    title: str
    words: str
    button: str
    is_hard: bool = False  # something ends
    box: str = ""  # what may be ticked beside it
    ticked: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class PageOrder:
    """`act` gives where to go afterwards, below /ui. Both raise `LibraError`.

    Without `ask` the page with the form says enough.
    """

    act: Callable[[Services, Caller, str, Form], str]
    ask: Callable[[Services, str], Question] | None = None
    roles: frozenset[Role] = OPERATORS


def may_order(caller: Caller, roles: frozenset[Role] = OPERATORS) -> bool:
    """As the API has it."""
    return caller.role in roles


def ensure_may(caller: Caller, roles: frozenset[Role] = OPERATORS) -> None:
    """Raises `Forbidden`."""
    if not may_order(caller, roles):
        raise Forbidden(f"cannot do that: '{caller.name}' has the role {caller.role.value}")


_DEVICE_WORDS = {
    DeviceOrder.APPROVE: "It gets load balancers from then on.",
    DeviceOrder.EVACUATE: "Everything is moved away from it, and nothing comes there until it is approved again.",
    DeviceOrder.RETIRE: "Everything is moved away, and it is asked no more. Where its pool boots devices, it ends.",
}
_JOB_WORDS = {
    Order.HOLD: "It waits until it is released.",
    Order.RELEASE: "It goes on.",
    Order.CANCEL: "It ends; what it was to change stays wanted, and the next one carries it.",
    Order.RETRY: "It is sent again.",
}


_FINISHED = "The nodes in work are finished, and no other is taken."
_BOX = "Bring back the nodes that it has left offline"


def _device_order(order: DeviceOrder) -> PageOrder:
    def ask(services: Services, key: str) -> Question:
        device = devices.find_device(services, key)
        return Question(
            title=f"{order.value.capitalize()} {device.name}?",
            words=_DEVICE_WORDS[order],
            button=order.value.capitalize(),
            is_hard=order is not DeviceOrder.APPROVE,
        )

    def act(services: Services, caller: Caller, key: str, _form: Form) -> str:
        device = devices.order_device(services, caller, key, order)
        return f"/devices/{device.id}"

    return PageOrder(ask=ask, act=act)


def _job_order(order: Order) -> PageOrder:
    def ask(services: Services, key: str) -> Question:
        job = jobs.find_job(services, key)
        return Question(
            title=f"{order.value.capitalize()} {job.action.value} for {job.device_name}?",
            words=_JOB_WORDS[order],
            button=order.value.capitalize(),
            is_hard=order is Order.CANCEL,
        )

    def act(services: Services, caller: Caller, key: str, _form: Form) -> str:
        jobs.order_job(services, caller, key, order)
        return "/jobs"

    return PageOrder(ask=ask, act=act)


def _ask_stop(services: Services, key: str) -> Question:
    rollout = find_rollout(services, key).rollout
    words = f"{_FINISHED} It can be resumed."
    return Question(
        title=f"Stop the rollout of {rollout.group}?", words=words, button="Stop", is_hard=True
    )


def _ask_abort(services: Services, key: str) -> Question:
    rollout = find_rollout(services, key).rollout
    title = f"Abort the rollout of {rollout.group}?"
    if rollout.is_led(services.clock()):
        words = f"{_FINISHED} It cannot be resumed."
        return Question(title=title, words=words, button="Abort", is_hard=True)
    return Question(
        title=title,
        words="It ends at once, and cannot be resumed.",
        button="Abort",
        is_hard=True,
        box=_BOX,
        ticked=restores(rollout),
    )


def _stop(services: Services, caller: Caller, key: str, _form: Form) -> str:
    return _page_of(ask_to_stop(services, caller, key))


def _abort(services: Services, caller: Caller, key: str, form: Form) -> str:
    """Its own policy decides where the box was not there."""
    restore = form.text("box") == "yes" if form.text("boxed") else None
    return _page_of(abort_with_nodes(services, caller, key, restore))


def _page_of(whole: Whole) -> str:
    return f"/rollouts/{whole.rollout.id}"


ORDERS: tuple[tuple[str, PageOrder], ...] = (
    *((f"/devices/{{key}}/{order.value}", _device_order(order)) for order in DeviceOrder),
    *((f"/jobs/{{key}}/{order.value}", _job_order(order)) for order in Order),
    ("/nodes", PageOrder(act=nodeorders.add_group, roles=OPERATORS)),
    ("/nodes/{key}/marks", PageOrder(act=nodeorders.save_marks, roles=DEPLOYERS)),
    ("/nodes/{key}/list", PageOrder(act=nodeorders.save_list, roles=OPERATORS)),
    ("/rollouts/{key}/stop", PageOrder(ask=_ask_stop, act=_stop, roles=DEPLOYERS)),
    ("/rollouts/{key}/abort", PageOrder(ask=_ask_abort, act=_abort, roles=DEPLOYERS)),
)
"""By path below /ui; its last word is the order."""
