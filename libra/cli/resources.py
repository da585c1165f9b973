"""What the REST API has, as the commands need to know it: one description a resource, and the same verbs for all."""

from dataclasses import dataclass

LBAAS = "/load-balancer/v2.0/lbaas"


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """`owner` is the resource that it is below, `whole` the field that names its load balancer."""

    command: str
    singular: str
    plural: str
    path: str
    columns: tuple[str, ...]
    help: str
    verbs: tuple[str, ...] = ("list", "show", "create", "set", "delete")
    owner: "Resource | None" = None

    @property
    def is_ours(self) -> bool:
        """True where bodies are the fields themselves, and not Octavia's."""
        return self.path.startswith("/v1/")


_STATUSES = ("provisioning_status", "operating_status")
LOADBALANCER = Resource(
    command="lb",
    singular="loadbalancer",
    plural="loadbalancers",
    path=f"{LBAAS}/loadbalancers",
    columns=("id", "name", "vip_address", *_STATUSES),
    help="Load balancers.",
)
LISTENER = Resource(
    command="listener",
    singular="listener",
    plural="listeners",
    path=f"{LBAAS}/listeners",
    columns=("id", "name", "protocol", "protocol_port", "default_pool_id", *_STATUSES),
    help="Listeners of load balancers.",
)
POOL = Resource(
    command="pool",
    singular="pool",
    plural="pools",
    path=f"{LBAAS}/pools",
    columns=("id", "name", "protocol", "lb_algorithm", *_STATUSES),
    help="Pools of members.",
)
MEMBER = Resource(
    command="member",
    singular="member",
    plural="members",
    path=f"{LBAAS}/pools/{{owner}}/members",
    columns=("id", "name", "address", "protocol_port", "weight", *_STATUSES),
    help="Members of a pool.",
    owner=POOL,
)
MONITOR = Resource(
    command="healthmonitor",
    singular="healthmonitor",
    plural="healthmonitors",
    path=f"{LBAAS}/healthmonitors",
    columns=("id", "name", "type", "delay", "timeout", "max_retries", *_STATUSES),
    help="Health monitors of pools.",
)
POLICY = Resource(
    command="l7policy",
    singular="l7policy",
    plural="l7policies",
    path=f"{LBAAS}/l7policies",
    columns=("id", "name", "listener_id", "action", "position", *_STATUSES),
    help="L7 policies of listeners.",
)
RULE = Resource(
    command="l7rule",
    singular="rule",
    plural="rules",
    path=f"{LBAAS}/l7policies/{{owner}}/rules",
    columns=("id", "type", "compare_type", "key", "value", "invert", *_STATUSES),
    help="L7 rules of a policy.",
    owner=POLICY,
)
DEVICE = Resource(
    command="device",
    singular="device",
    plural="devices",
    path="/v1/devices",
    columns=(
        *("name", "address", "pool", "state", "loadbalancers", "proxy"),
        "last_seen",
        "reason",
    ),
    help="Hosts with workers.",
    verbs=("list", "show", "create", "delete"),
)
DEVICE_POOL = Resource(
    command="device-pool",
    singular="device_pool",
    plural="device_pools",
    path="/v1/device-pools",
    columns=(
        *("name", "provider", "devices", "max_devices", "spare", "min_spare", "priority"),
        *("auto_enroll", "shared", "brake_since", "brake_reason", "disabled", "disabled_reason"),
    ),
    help="Where devices belong, and what is done when they fail.",
)
CERTIFICATE = Resource(
    command="certificate",
    singular="certificate",
    plural="certificates",
    path="/v1/certificates",
    columns=("id", "name", "type", "subject", "not_after"),
    help="Certificates, authorities and revocation lists for TLS.",
    verbs=("list", "show", "delete"),
)
TOKEN = Resource(
    command="token",
    singular="token",
    plural="tokens",
    path="/v1/tokens",
    columns=("id", "name", "role", "project_id", "expires_at", "revoked_at"),
    help="Tokens for the API.",
    verbs=("list", "create"),
)
EVENT = Resource(
    command="event",
    singular="event",
    plural="events",
    path="/v1/events",
    columns=("id", "at", "kind", "subject_id", "actor", "remote", "reason", "comment"),
    help="What happened.",
    verbs=("list",),
)
JOB = Resource(
    command="job",
    singular="job",
    plural="jobs",
    path="/v1/jobs",
    columns=("id", "action", "device_name", "state", "created_at", "error"),
    help="Jobs.",
    verbs=("list", "show"),
)
RESOURCES = (
    *(LOADBALANCER, LISTENER, POOL, MEMBER, MONITOR, POLICY, RULE, CERTIFICATE),
    *(DEVICE, DEVICE_POOL, TOKEN, EVENT),
)
