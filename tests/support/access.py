"""Every operation of the API, and who may call it."""

from enum import Enum

from libra.api.routers.around import BASES
from tests.support.control import LBAAS

BASE = BASES[0]


class Access(Enum):
    """Who may; the others of those with a token get a 403, and without one it is a 401."""

    OPEN = "everybody, without a token"
    ANY = "every token but deployers'"
    LIST = "the same, and each is told of its own project only"
    SHOW = "the project's reader and member, operators, administrators"
    WRITE = "the project's member, operators, administrators"
    OBSERVE = "operators, administrators, readers of no project"
    OPERATE = "operators, administrators"
    DEPLOY = "deployers, operators, administrators"
    NODES = "whoever is bound by no project, deployers, too"
    ADMINISTER = "administrators"


A = Access
OPERATIONS = {
    f"{LBAAS}/loadbalancers": {"get": A.LIST, "post": A.WRITE},
    f"{LBAAS}/loadbalancers/{{loadbalancer_id}}": {
        "get": A.SHOW,
        "put": A.WRITE,
        "delete": A.WRITE,
    },
    f"{LBAAS}/loadbalancers/{{loadbalancer_id}}/statuses": {"get": A.SHOW},
    f"{LBAAS}/loadbalancers/{{loadbalancer_id}}/status": {"get": A.SHOW},
    f"{LBAAS}/loadbalancers/{{loadbalancer_id}}/stats": {"get": A.SHOW},
    f"{LBAAS}/loadbalancers/{{loadbalancer_id}}/failover": {"put": A.OPERATE},
    f"{LBAAS}/listeners": {"get": A.LIST, "post": A.WRITE},
    f"{LBAAS}/listeners/{{listener_id}}": {"get": A.SHOW, "put": A.WRITE, "delete": A.WRITE},
    f"{LBAAS}/listeners/{{listener_id}}/stats": {"get": A.SHOW},
    f"{LBAAS}/pools": {"get": A.LIST, "post": A.WRITE},
    f"{LBAAS}/pools/{{pool_id}}": {"get": A.SHOW, "put": A.WRITE, "delete": A.WRITE},
    f"{LBAAS}/pools/{{pool_id}}/members": {"get": A.SHOW, "post": A.WRITE, "put": A.WRITE},
    f"{LBAAS}/pools/{{pool_id}}/members/{{member_id}}": {
        "get": A.SHOW,
        "put": A.WRITE,
        "delete": A.WRITE,
    },
    f"{LBAAS}/healthmonitors": {"get": A.LIST, "post": A.WRITE},
    f"{LBAAS}/healthmonitors/{{monitor_id}}": {"get": A.SHOW, "put": A.WRITE, "delete": A.WRITE},
    f"{LBAAS}/l7policies": {"get": A.LIST, "post": A.WRITE},
    f"{LBAAS}/l7policies/{{policy_id}}": {"get": A.SHOW, "put": A.WRITE, "delete": A.WRITE},
    f"{LBAAS}/l7policies/{{policy_id}}/rules": {"get": A.SHOW, "post": A.WRITE},
    f"{LBAAS}/l7policies/{{policy_id}}/rules/{{rule_id}}": {
        "get": A.SHOW,
        "put": A.WRITE,
        "delete": A.WRITE,
    },
    f"{LBAAS}/quotas": {"get": A.LIST},
    f"{LBAAS}/quotas/{{project_id}}": {"get": A.SHOW, "put": A.OPERATE, "delete": A.OPERATE},
    f"{LBAAS}/quotas/{{project_id}}/default": {"get": A.ANY},
    f"{LBAAS}/providers": {"get": A.ANY},
    f"{LBAAS}/providers/{{provider}}/flavor_capabilities": {"get": A.OPERATE},
    f"{LBAAS}/providers/{{provider}}/availability_zone_capabilities": {"get": A.OPERATE},
    f"{BASE}/octavia/amphorae": {"get": A.OBSERVE},
    f"{BASE}/octavia/amphorae/{{amphora_id}}": {"get": A.OBSERVE, "delete": A.OPERATE},
    f"{BASE}/octavia/amphorae/{{amphora_id}}/stats": {"get": A.OBSERVE},
    f"{BASE}/octavia/amphorae/{{amphora_id}}/failover": {"put": A.OPERATE},
    f"{BASE}/octavia/amphorae/{{amphora_id}}/config": {"put": A.OPERATE},
    f"{BASE}/subnets": {"get": A.ANY},
    f"{BASE}/subnets/{{subnet_id}}": {"get": A.ANY},
    f"{BASE}/networks": {"get": A.ANY},
    f"{BASE}/networks/{{network_id}}": {"get": A.ANY},
    f"{BASE}/ports/{{port_id}}": {"get": A.SHOW},
    "/load-balancer": {"get": A.OPEN},
    "/load-balancer/": {"get": A.OPEN},
    "/projects/{project_id}": {"get": A.SHOW},
    "/identity/v3": {"get": A.OPEN},
    "/identity/v3/auth/tokens": {"post": A.OPEN, "get": A.ANY, "delete": A.ANY},
    "/identity/v3/auth/catalog": {"get": A.ANY},
    "/identity/v3/auth/projects": {"get": A.ANY},
    "/identity/v3/projects": {"get": A.ANY},
    "/identity/v3/projects/{project_id}": {"get": A.SHOW},
    "/v1/devices": {"get": A.OBSERVE, "post": A.OPERATE},
    "/v1/devices/{device_id}": {"get": A.OBSERVE, "delete": A.OPERATE},
    "/v1/devices/{device_id}/discover": {"post": A.OPERATE},
    "/v1/devices/{device_id}/stats": {"post": A.OPERATE},
    "/v1/devices/{device_id}/{order}": {"post": A.OPERATE},
    "/v1/device-pools": {"get": A.OBSERVE, "post": A.OPERATE},
    "/v1/device-pools/{pool_id}": {"get": A.OBSERVE, "put": A.OPERATE, "delete": A.OPERATE},
    "/v1/jobs": {"get": A.LIST},
    "/v1/jobs/{job_id}": {"get": A.SHOW},
    "/v1/jobs/{job_id}/{order}": {"post": A.OPERATE},
    "/v1/events": {"get": A.LIST},
    "/v1/tokens": {"get": A.ADMINISTER, "post": A.ADMINISTER},
    "/v1/tokens/{token_id}": {"delete": A.ADMINISTER},
    "/v1/loadbalancers/{loadbalancer_id}/logs": {"post": A.WRITE},
    "/v1/objectstores": {"get": A.LIST},
    "/v1/objectstores/{project_id}": {"get": A.SHOW, "put": A.WRITE, "delete": A.WRITE},
    "/v1/certificates": {"get": A.LIST, "post": A.WRITE},
    "/v1/certificates/{certificate_id}": {"get": A.SHOW, "put": A.WRITE, "delete": A.WRITE},
    "/v1/webclusters/{webcluster_id}/nodes/{node_id}": {
        "get": A.SHOW,
        "put": A.WRITE,
        "delete": A.WRITE,
    },
    "/v1/webclusters/{webcluster_id}/nodes": {"get": A.SHOW, "post": A.WRITE},
    "/v1/webclusters/{webcluster_id}/services/{service_id}": {
        "get": A.SHOW,
        "patch": A.WRITE,
        "delete": A.WRITE,
    },
    "/v1/webclusters/{webcluster_id}/services/by-path": {"get": A.SHOW},
    "/v1/webclusters/{webcluster_id}/services": {"get": A.SHOW, "post": A.WRITE},
    "/v1/webclusters/{webcluster_id}/{action}": {"post": A.WRITE},
    "/v1/webclusters/{webcluster_id}": {"get": A.SHOW, "patch": A.WRITE, "delete": A.WRITE},
    "/v1/webclusters": {"get": A.LIST, "post": A.WRITE},
    "/clouds/{cloud}": {"put": A.OPERATE},
    "/clouds/{cloud}/vms": {"put": A.OPERATE, "post": A.OPERATE, "delete": A.OPERATE},
    "/clouds/{cloud}/vms/{vm}": {"put": A.OPERATE, "post": A.OPERATE, "delete": A.OPERATE},
    "/cloud-aliases": {"get": A.OBSERVE, "post": A.OPERATE},
    "/user-limits": {"get": A.OBSERVE, "post": A.OPERATE},
    "/users/{user}": {"post": A.OPERATE},
    "/cloud": {"get": A.OBSERVE},
    "/cloud/config": {"get": A.OBSERVE},
    "/clusters": {"get": A.OBSERVE},
    "/clusters/{cluster}": {"get": A.OBSERVE},
    "/clusters/{cluster}/vms": {"get": A.OBSERVE},
    "/clusters/{cluster}/vms/{vm}": {"get": A.OBSERVE},
    "/jobs": {"get": A.OBSERVE},
    "/jobs/{job}": {"get": A.OBSERVE},
    "/job-pool": {"get": A.OBSERVE},
    "/vms": {"get": A.OBSERVE},
    "/vms/resources": {"get": A.OBSERVE},
    "/developer-info": {"get": A.OBSERVE},
    "/ips": {"get": A.OBSERVE},
    "/diff-types": {"get": A.OBSERVE},
    "/failures": {"get": A.OBSERVE},
    "/failures/{kind}": {"get": A.OBSERVE},
    "/shared-objs": {"get": A.OBSERVE},
    "/thread-heart-beats": {"get": A.OBSERVE},
    "/v1/nodes": {"get": A.NODES, "post": A.OPERATE},
    "/v1/nodes/{node}": {"get": A.NODES, "put": A.OPERATE, "delete": A.OPERATE},
    "/v1/nodes/{node}/status": {"put": A.DEPLOY},
    "/v1/nodes/status": {"post": A.DEPLOY},
    "/v1/nodegroups": {"get": A.NODES, "post": A.OPERATE},
    "/v1/nodegroups/{group}": {"get": A.NODES, "put": A.OPERATE, "delete": A.OPERATE},
    "/v1/nodegroups/{group}/sessions": {"get": A.NODES},
    "/v1/rollouts": {"get": A.NODES, "post": A.DEPLOY},
    "/v1/rollouts/{rollout_id}": {"get": A.NODES},
    "/v1/rollouts/{rollout_id}/heartbeat": {"post": A.DEPLOY},
    "/v1/rollouts/{rollout_id}/steps": {"post": A.DEPLOY},
    "/v1/rollouts/{rollout_id}/nodes/{node}/mark": {"post": A.DEPLOY},
    "/v1/rollouts/{rollout_id}/end": {"post": A.DEPLOY},
    "/v1/rollouts/{rollout_id}/resume": {"post": A.DEPLOY},
    "/v1/rollouts/{rollout_id}/stop": {"post": A.DEPLOY},
    "/v1/rollouts/{rollout_id}/abort": {"post": A.DEPLOY},
    "/health": {"get": A.OPEN},
    "/health/{group}": {"get": A.OPEN},
    "/health/++rest++nodestatus": {"get": A.NODES},
    "/health/++rest++setstatus": {"post": A.DEPLOY},
    "/health/{group}/++rest++nodestatus": {"get": A.NODES},
    "/health/{group}/++rest++setstatus": {"post": A.DEPLOY},
    "/healthz": {"get": A.OPEN},
    "/readyz": {"get": A.OPEN},
    "/metrics": {"get": A.OPEN},
    "/": {"get": A.OPEN, "put": A.OPERATE, "post": A.OPERATE},
}
"""What is in /openapi.json, which a test compares."""
STAFF = {"operator", "admin"}
PEOPLE = {"reader", "member", "other", "observer", *STAFF}
EVERYBODY = {"nobody", "deployer", *PEOPLE}
ALLOWED = {
    A.OPEN: EVERYBODY,
    A.ANY: PEOPLE,
    A.LIST: PEOPLE,
    A.SHOW: {"reader", "member", "observer", *STAFF},
    A.WRITE: {"member", *STAFF},
    A.OBSERVE: {"observer", *STAFF},
    A.OPERATE: STAFF,
    A.DEPLOY: {"deployer", *STAFF},
    A.NODES: {"observer", "deployer", *STAFF},
    A.ADMINISTER: {"admin"},
}
"""Reader and member are of the project that owns what is asked for, other is a member of another one, observer a
reader of none."""
