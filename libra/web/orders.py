"""What may be ordered from a page: each says first what would happen, and is carried out by a form of the session."""

from collections.abc import Callable
from dataclasses import dataclass

from libra.errors import Forbidden
from libra.model.access import Caller, Role
from libra.usecases import devices, jobs
from libra.usecases.deviceorders import DeviceOrder
from libra.usecases.jobs import Order
from libra.usecases.rollouts import Whole, abort_rollout, ask_to_stop, find_rollout
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


_ROLLOUT_WORDS = {
    "stop": "The nodes in work are finished, and no other is taken. It can be resumed.",
    "abort": "The nodes in work are finished, and no other is taken. It cannot be resumed.",
}


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


def _rollout_order(word: str, order: Callable[[Services, Caller, str], Whole]) -> PageOrder:
    def ask(services: Services, key: str) -> Question:
        rollout = find_rollout(services, key).rollout
        return Question(
            title=f"{word.capitalize()} the rollout of {rollout.group}?",
            words=_ROLLOUT_WORDS[word],
            button=word.capitalize(),
            is_hard=True,
        )

    def act(services: Services, caller: Caller, key: str, _form: Form) -> str:
        return f"/rollouts/{order(services, caller, key).rollout.id}"

    return PageOrder(ask=ask, act=act, roles=DEPLOYERS)


ORDERS: tuple[tuple[str, PageOrder], ...] = (
    *((f"/devices/{{key}}/{order.value}", _device_order(order)) for order in DeviceOrder),
    *((f"/jobs/{{key}}/{order.value}", _job_order(order)) for order in Order),
    ("/nodes", PageOrder(act=nodeorders.add_group, roles=OPERATORS)),
    ("/nodes/{key}/marks", PageOrder(act=nodeorders.save_marks, roles=DEPLOYERS)),
    ("/nodes/{key}/list", PageOrder(act=nodeorders.save_list, roles=OPERATORS)),
    ("/rollouts/{key}/stop", _rollout_order("stop", ask_to_stop)),
    ("/rollouts/{key}/abort", _rollout_order("abort", abort_rollout)),
)
"""By path below /ui; its last word is the order."""
