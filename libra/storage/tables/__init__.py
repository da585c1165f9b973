"""The tables. A column is named as the field of its record, and holds what that holds."""

from libra.storage.tables.access import (
    admin_maps,
    certificates,
    events,
    issued_tokens,
    object_store_accounts,
    quotas,
    tokens,
)
from libra.storage.tables.fleet import (
    controllers,
    device_pools,
    devices,
    jobs,
    leases,
    moves,
)
from libra.storage.tables.nodes import node_groups, nodes
from libra.storage.tables.octavia import (
    SEEN,
    addresses,
    applied,
    counters,
    l7policies,
    l7rules,
    listeners,
    loadbalancers,
    members,
    monitors,
    pools,
)
from libra.storage.tables.rollouts import rollout_steps, rollouts
from libra.storage.tables.web import (
    web_cluster_nodes,
    web_cluster_revisions,
    web_clusters,
    web_services,
)
from libra.storage.tables.words import metadata

__all__ = [
    "SEEN",
    "addresses",
    "admin_maps",
    "applied",
    "certificates",
    "controllers",
    "counters",
    "device_pools",
    "devices",
    "events",
    "issued_tokens",
    "jobs",
    "l7policies",
    "l7rules",
    "leases",
    "listeners",
    "loadbalancers",
    "members",
    "metadata",
    "monitors",
    "moves",
    "node_groups",
    "nodes",
    "object_store_accounts",
    "pools",
    "quotas",
    "rollout_steps",
    "rollouts",
    "tokens",
    "web_cluster_nodes",
    "web_cluster_revisions",
    "web_clusters",
    "web_services",
]
