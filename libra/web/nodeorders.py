"""What the page of nodes does: the ticked ones are offline, and a list says which nodes a group has.

Contract: the seed `clustermgmt.txt`. Only what a person has changed on the page is changed, so that two who look at
the same page do not undo each other's marks.
"""

from libra.errors import Invalid
from libra.messages.addresses import parse_host_name, parse_ip_address
from libra.messages.fields import quoted
from libra.model.access import Caller
from libra.model.nodestatus import Mark, NodeStatus, is_node_name, parse_reason
from libra.usecases.nodelists import add_nodes, save_nodes
from libra.usecases.nodestatus import set_status
from libra.usecases.services import Services
from libra.web.forms import Form

NODES = "/nodes"
MOST_NODES = 10_000


def save_marks(services: Services, caller: Caller, key: str, form: Form) -> str:
    """`was` are the boxes that were ticked on the page, `offline` those that are now."""
    was, ticked = (set(form.every(name)) for name in ("was", "offline"))
    reason = parse_reason(form.text("reason"))
    taken = {name: Mark(status=NodeStatus.OFFLINE, reason=reason) for name in ticked - was}
    brought = {name: Mark(status=NodeStatus.ONLINE, reason=reason) for name in was - ticked}
    marks = {**taken, **brought}
    if marks:
        force = form.text("force") == "yes"
        set_status(services, caller, marks, group=key, force=force, keep_pools=True)
    return NODES


def save_list(services: Services, caller: Caller, key: str, form: Form) -> str:
    """Names apart by spaces or lines, as `name` or `name=address`; those that are missing go, new ones come."""
    save_nodes(services, caller, key, parse_list(form.text("nodes")))
    return NODES


def parse_list(text: str) -> dict[str, str]:
    """Addresses by name, "" where none is given. Raises `Invalid`."""
    found: dict[str, str] = {}
    for word in text.split():
        name, _, address = word.partition("=")
        if not is_node_name(name):
            raise Invalid(f"cannot name a node {quoted(name)}: letters, digits and . _ : @ -")
        found[name] = _parse_address(name, address)
    if not found:
        raise Invalid("cannot save a list without nodes; remove the last one by its name")
    if len(found) > MOST_NODES:
        raise Invalid(f"cannot save {len(found)} nodes: {MOST_NODES} are the most")
    return found


def _parse_address(name: str, text: str) -> str:
    address = (parse_ip_address(text) or parse_host_name(text)) if text else ""
    if address is None:
        raise Invalid(f"cannot give the node '{name}' the address {quoted(text)}: it is none")
    return address


def add_group(services: Services, caller: Caller, _key: str, form: Form) -> str:
    """With its first nodes."""
    add_nodes(services, caller, form.text("group").strip(), parse_list(form.text("nodes")))
    return NODES
