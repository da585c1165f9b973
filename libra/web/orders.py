"""What may be ordered from a page: each says first what would happen, and is carried out by a form of the session."""

from collections.abc import Callable
from dataclasses import dataclass

from libra.errors import Forbidden
from libra.model.access import Caller, Role
from libra.usecases import devices, jobs
from libra.usecases.devices import DeviceOrder
from libra.usecases.jobs import Order
from libra.usecases.services import Services
from libra.web.forms import Form


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What a person is asked before it is done."""

    title: str
    words: str
    button: str
    is_hard: bool = False  # something ends


@dataclass(frozen=True, slots=True, kw_only=True)
class PageOrder:
    """`act` gives where to go afterwards, below /ui. Both raise `LibraError`."""

    ask: Callable[[Services, str], Question]
    act: Callable[[Services, Caller, str, Form], str]


def may_order(caller: Caller) -> bool:
    """As the API has it."""
    return caller.role in (Role.ADMIN, Role.OPERATOR)


def ensure_may(caller: Caller) -> None:
    """Raises `Forbidden`."""
    if not may_order(caller):
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


ORDERS: tuple[tuple[str, PageOrder], ...] = (
    *((f"/devices/{{key}}/{order.value}", _device_order(order)) for order in DeviceOrder),
    *((f"/jobs/{{key}}/{order.value}", _job_order(order)) for order in Order),
)
"""By path below /ui; its last word is the order."""
