"""Requests, good and bad, that are put to Octavia's own API and to libra's, in this order.

In paths and bodies {NAME} is what an earlier request has saved, {subnet} an address pool, {provider} one that makes
nothing, {project} the owner, {none} an id that is nobody's. After a case nothing is on its way any more, unless it is
`busy`.
"""

from dataclasses import dataclass
from typing import Any

NONE = "00000000-1111-4222-8333-444444444444"
LB, LISTENER, POOL = "/loadbalancers", "/listeners", "/pools"
MONITOR, POLICY = "/healthmonitors", "/l7policies"
BIG = "x" * 300


@dataclass(frozen=True, slots=True)
class Case:
    """`save` names the id in the answer. `path` is below /v2/lbaas unless it begins with /v2 or is whole."""

    name: str
    method: str
    path: str
    body: Any = None
    save: str = ""
    busy: bool = False


def build_cases() -> list[Case]:
    """All of them; names are unique."""
    groups = (
        *(_loadbalancers, _lists, _listeners, _pools, _members, _monitors, _policies, _rules),
        *(_whole, _quotas, _around, _busy, _ends),
    )
    return [case for group in groups for case in group()]


def lb(**fields: Any) -> dict[str, Any]:
    return {"loadbalancer": {"vip_subnet_id": "{subnet}", "provider": "{provider}", **fields}}


def listener(**fields: Any) -> dict[str, Any]:
    given = {"loadbalancer_id": "{lb}", "protocol": "HTTP", "protocol_port": 80, **fields}
    return {"listener": {name: value for name, value in given.items() if value is not ...}}


def pool(**fields: Any) -> dict[str, Any]:
    given = {"loadbalancer_id": "{lb}", "protocol": "HTTP", "lb_algorithm": "ROUND_ROBIN", **fields}
    return {"pool": {name: value for name, value in given.items() if value is not ...}}


def member(**fields: Any) -> dict[str, Any]:
    given = {"address": "10.0.0.1", "protocol_port": 80, **fields}
    return {"member": {name: value for name, value in given.items() if value is not ...}}


def monitor(**fields: Any) -> dict[str, Any]:
    pace = {"delay": 5, "timeout": 3, "max_retries": 3}
    given = {"pool_id": "{pool}", "type": "HTTP", **pace, **fields}
    return {"healthmonitor": {name: value for name, value in given.items() if value is not ...}}


def policy(**fields: Any) -> dict[str, Any]:
    given = {"listener_id": "{listener}", "action": "REJECT", **fields}
    return {"l7policy": {name: value for name, value in given.items() if value is not ...}}


def rule(**fields: Any) -> dict[str, Any]:
    given = {"type": "PATH", "compare_type": "STARTS_WITH", "value": "/a", **fields}
    return {"rule": {name: value for name, value in given.items() if value is not ...}}


def _bad(kind: str, path: str, bodies: dict[str, Any], method: str = "POST") -> list[Case]:
    return [Case(f"{kind}: {name}", method, path, body) for name, body in bodies.items()]


def _loadbalancers() -> list[Case]:
    kind, one = "load balancer", f"{LB}/{{lb}}"
    return [
        Case(f"{kind}: create", "POST", LB, lb(name="one", tags=["a", "b"]), "lb"),
        Case(f"{kind}: show", "GET", one),
        Case(f"{kind}: show fields", "GET", f"{one}?fields=name&fields=id"),
        Case(f"{kind}: show with an unknown argument", "GET", f"{one}?nothing=1"),
        Case(f"{kind}: show none", "GET", f"{LB}/{{none}}"),
        Case(f"{kind}: show by a name", "GET", f"{LB}/one"),
        Case(f"{kind}: change", "PUT", one, {"loadbalancer": {"name": "two", "tags": []}}),
        Case(f"{kind}: change with nulls", "PUT", one, {"loadbalancer": {"description": None}}),
        Case(f"{kind}: change nothing", "PUT", one, {"loadbalancer": {}}),
        Case(f"{kind}: change none", "PUT", f"{LB}/{{none}}", {"loadbalancer": {"name": "x"}}),
        Case(f"{kind}: stats", "GET", f"{one}/stats"),
        Case(f"{kind}: stats of none", "GET", f"{LB}/{{none}}/stats"),
        Case(f"{kind}: status", "GET", f"{one}/status"),
        Case(f"{kind}: statuses", "GET", f"{one}/statuses"),
        Case(f"{kind}: status of none", "GET", f"{LB}/{{none}}/status"),
        Case(f"{kind}: failover of none", "PUT", f"{LB}/{{none}}/failover"),
        Case(f"{kind}: delete none", "DELETE", f"{LB}/{{none}}"),
        *_bad(
            kind,
            LB,
            {
                "without a VIP": {"loadbalancer": {"provider": "{provider}"}},
                "unknown attribute": lb(colour="red"),
                "no envelope": {"name": "x"},
                "an empty body": {},
                "a list": [],
                "subnet that is no id": lb(vip_subnet_id="nowhere!"),
                "address that is none": lb(vip_address="1.2.3"),
                "name too long": lb(name=BIG),
                "name that is a number": lb(name=1),
                "state that is none": lb(admin_state_up="maybe"),
                "tags that are none": lb(tags="a"),
                "tag too long": lb(tags=[BIG]),
                "provider that is none": lb(provider="f5"),
                "flavor that is none": lb(flavor_id="{none}"),
                "availability zone that is none": lb(availability_zone="az1"),
            },
        ),
        *_bad(
            kind,
            one,
            {
                "change its address": {"loadbalancer": {"vip_address": "10.0.0.9"}},
                "change its provider": {"loadbalancer": {"provider": "octavia"}},
                "change an unknown attribute": {"loadbalancer": {"colour": "red"}},
            },
            "PUT",
        ),
    ]


def _lists() -> list[Case]:
    queries = {
        "all": "",
        "by name": "name=two",
        "by no name": "name=nobody",
        "by id": "id={lb}",
        "by state": "admin_state_up=True",
        "by a state that is none": "admin_state_up=maybe",
        "by provisioning status": "provisioning_status=ACTIVE",
        "by an unknown attribute": "colour=red",
        "by tenant": "tenant_id=shop",
        "by project": "project_id={project}",
        "by tags": "tags=a",
        "without tags": "not-tags=a,b",
        "by any tag": "tags-any=a&tags-any=c",
        "without any tag": "not-tags-any=a",
        "by name twice": "name=a&name=b",
        "fields": "fields=id",
        "limit": "limit=1",
        "limit zero": "limit=0",
        "limit of minus one": "limit=-1",
        "limit that is no number": "limit=x",
        "marker": "limit=1&marker={lb}",
        "marker of none": "marker={none}",
        "sorted": "sort=name:desc,id",
        "sorted by key": "sort_key=name&sort_dir=asc",
        "sorted by nothing": "sort=colour",
        "sorted sideways": "sort=name:sideways",
        "sorted by state, a page": "sort=admin_state_up&limit=1&marker={lb}",
        "backwards": "page_reverse=True&limit=1",
    }
    return [Case(f"list: {name}", "GET", f"{LB}?{query}") for name, query in queries.items()]


def _listeners() -> list[Case]:
    kind, one = "listener", f"{LISTENER}/{{listener}}"
    headers = {"X-Forwarded-For": "true"}
    return [
        Case(f"{kind}: create", "POST", LISTENER, listener(name="l"), "listener"),
        Case(f"{kind}: create a second", "POST", LISTENER, listener(protocol_port="81"), "spare"),
        Case(f"{kind}: show", "GET", one),
        Case(f"{kind}: show none", "GET", f"{LISTENER}/{{none}}"),
        Case(f"{kind}: list", "GET", LISTENER),
        Case(f"{kind}: list of a load balancer", "GET", f"{LISTENER}?loadbalancer_id={{lb}}"),
        Case(f"{kind}: list the SDK's way", "GET", f"{LISTENER}?load_balancer_id={{lb}}"),
        Case(f"{kind}: stats", "GET", f"{one}/stats"),
        Case(f"{kind}: change", "PUT", one, {"listener": {"connection_limit": "7"}}),
        Case(f"{kind}: change with nulls", "PUT", one, {"listener": {"connection_limit": None}}),
        Case(f"{kind}: headers", "PUT", one, {"listener": {"insert_headers": headers}}),
        Case(f"{kind}: timeouts", "PUT", one, {"listener": {"timeout_client_data": 1000}}),
        Case(
            f"{kind}: no certificate", "PUT", one, {"listener": {"default_tls_container_ref": ""}}
        ),
        Case(f"{kind}: clients", "PUT", one, {"listener": {"allowed_cidrs": ["10.0.0.0/8"]}}),
        *_bad(
            kind,
            LISTENER,
            {
                "same port": listener(),
                "no load balancer": listener(loadbalancer_id="{none}"),
                "load balancer not given": listener(loadbalancer_id=...),
                "no protocol": listener(protocol=..., protocol_port=90),
                "protocol that is none": listener(protocol="GOPHER", protocol_port=90),
                "no port": listener(protocol_port=...),
                "port 0": listener(protocol_port=0),
                "port 65536": listener(protocol_port=65536),
                "limit below all": listener(protocol_port=90, connection_limit=-2),
                "header that is none": listener(protocol_port=90, insert_headers={"X-A": "true"}),
                "header's value": listener(
                    protocol_port=90, insert_headers={"X-Forwarded-For": "7"}
                ),
                "header of TCP": listener(protocol="TCP", protocol_port=90, insert_headers=headers),
                "network that is none": listener(protocol_port=90, allowed_cidrs=["10.0.0.0/99"]),
                "timeout below zero": listener(protocol_port=90, timeout_client_data=-1),
                "no pool": listener(protocol_port=90, default_pool_id="{none}"),
                "TLS without a certificate": listener(
                    protocol="TERMINATED_HTTPS", protocol_port=90
                ),
                "unknown attribute": listener(protocol_port=90, colour="red"),
            },
        ),
        *_bad(
            kind,
            one,
            {
                "change its port": {"listener": {"protocol_port": 90}},
                "change its protocol": {"listener": {"protocol": "TCP"}},
                "change to no pool": {"listener": {"default_pool_id": "{none}"}},
            },
            "PUT",
        ),
    ]


def _pools() -> list[Case]:
    kind, one = "pool", f"{POOL}/{{pool}}"
    sticky = {"type": "APP_COOKIE", "cookie_name": "sid"}
    return [
        Case(
            f"{kind}: create",
            "POST",
            POOL,
            pool(name="p", listener_id="{listener}", loadbalancer_id=...),
            "pool",
        ),
        Case(f"{kind}: create a second", "POST", POOL, pool(name="q"), "sparepool"),
        Case(f"{kind}: show", "GET", one),
        Case(f"{kind}: show none", "GET", f"{POOL}/{{none}}"),
        Case(f"{kind}: list", "GET", POOL),
        Case(f"{kind}: list of a load balancer", "GET", f"{POOL}?loadbalancer_id={{lb}}"),
        Case(f"{kind}: change", "PUT", one, {"pool": {"lb_algorithm": "SOURCE_IP"}}),
        Case(f"{kind}: persistence", "PUT", one, {"pool": {"session_persistence": sticky}}),
        Case(
            f"{kind}: persistence in part",
            "PUT",
            one,
            {"pool": {"session_persistence": {"cookie_name": "other"}}},
        ),
        Case(f"{kind}: no persistence", "PUT", one, {"pool": {"session_persistence": None}}),
        *_bad(
            kind,
            POOL,
            {
                "listener has one": pool(listener_id="{listener}", loadbalancer_id=...),
                "of nothing": pool(loadbalancer_id=...),
                "of none": pool(loadbalancer_id="{none}"),
                "of no listener": pool(listener_id="{none}", loadbalancer_id=...),
                "no protocol": pool(protocol=...),
                "protocol that is none": pool(protocol="GOPHER"),
                "no algorithm": pool(lb_algorithm=...),
                "algorithm that is none": pool(lb_algorithm="FAIR"),
                "protocol of another kind": pool(
                    protocol="TCP", listener_id="{spare}", loadbalancer_id=...
                ),
                "cookie without a name": pool(session_persistence={"type": "APP_COOKIE"}),
                "cookie with a bad name": pool(
                    session_persistence={"type": "APP_COOKIE", "cookie_name": "a b"}
                ),
                "name for a cookie of its own": pool(
                    session_persistence={"type": "HTTP_COOKIE", "cookie_name": "sid"}
                ),
                "persistence that is none": pool(session_persistence={"type": "LUCK"}),
                "unknown attribute": pool(colour="red"),
            },
        ),
        Case(f"{kind}: change its protocol", "PUT", one, {"pool": {"protocol": "TCP"}}),
        *_bad(
            kind,
            POOL,
            {
                "with members": pool(members=[member()["member"]]),
                "with a monitor": pool(healthmonitor=monitor(pool_id=...)["healthmonitor"]),
                "with no members": pool(members=[], healthmonitor=None),
                "with a bad member": pool(members=[{"address": "x"}]),
                "with a bad monitor": pool(healthmonitor={"type": "LUCK"}),
            },
        ),
    ]


def _members() -> list[Case]:
    kind, all_of = "member", f"{POOL}/{{pool}}/members"
    one = f"{all_of}/{{member}}"
    return [
        Case(f"{kind}: create", "POST", all_of, member(name="m"), "member"),
        Case(f"{kind}: show", "GET", one),
        Case(f"{kind}: show none", "GET", f"{all_of}/{{none}}"),
        Case(f"{kind}: show of another pool", "GET", f"{POOL}/{{sparepool}}/members/{{member}}"),
        Case(f"{kind}: list", "GET", all_of),
        Case(f"{kind}: list of no pool", "GET", f"{POOL}/{{none}}/members"),
        Case(f"{kind}: list by name", "GET", f"{all_of}?name=m"),
        Case(f"{kind}: change", "PUT", one, {"member": {"weight": 0, "backup": True}}),
        Case(f"{kind}: change with nulls", "PUT", one, {"member": {"weight": None}}),
        Case(f"{kind}: same again", "POST", all_of, member()),
        *_bad(
            kind,
            all_of,
            {
                "no address": member(address=...),
                "address that is none": member(address="10.0.0"),
                "no port": member(protocol_port=...),
                "port 0": member(protocol_port=0),
                "weight too large": member(protocol_port=81, weight=257),
                "weight below zero": member(protocol_port=81, weight=-1),
                "monitor's address": member(protocol_port=81, monitor_address="x"),
                "unknown attribute": member(protocol_port=81, colour="red"),
            },
        ),
        Case(f"{kind}: create in no pool", "POST", f"{POOL}/{{none}}/members", member()),
        Case(f"{kind}: change its address", "PUT", one, {"member": {"address": "10.0.0.2"}}),
        Case(f"{kind}: all of them", "PUT", all_of, {"members": [member()["member"]]}),
        Case(
            f"{kind}: one more",
            "PUT",
            f"{all_of}?additive_only=True",
            {"members": [member(protocol_port=82)["member"]]},
        ),
        Case(f"{kind}: one twice", "PUT", all_of, {"members": [member()["member"]] * 2}),
        Case(f"{kind}: a bad one among them", "PUT", all_of, {"members": [{"address": "x"}]}),
        Case(f"{kind}: none of them", "PUT", f"{POOL}/{{sparepool}}/members", {"members": []}),
        Case(f"{kind}: delete none", "DELETE", f"{all_of}/{{none}}"),
    ]


def _monitors() -> list[Case]:
    kind, one = "health monitor", f"{MONITOR}/{{monitor}}"
    other = {"pool_id": "{sparepool}"}
    return [
        Case(f"{kind}: create", "POST", MONITOR, monitor(name="h"), "monitor"),
        Case(f"{kind}: show", "GET", one),
        Case(f"{kind}: show none", "GET", f"{MONITOR}/{{none}}"),
        Case(f"{kind}: list", "GET", MONITOR),
        Case(f"{kind}: change", "PUT", one, {"healthmonitor": {"delay": "9"}}),
        Case(f"{kind}: change with nulls", "PUT", one, {"healthmonitor": {"url_path": None}}),
        Case(f"{kind}: a second", "POST", MONITOR, monitor()),
        Case(f"{kind}: ping", "POST", MONITOR, monitor(**other, type="PING"), "ping"),
        Case(f"{kind}: delete ping", "DELETE", f"{MONITOR}/{{ping}}"),
        *_bad(
            kind,
            MONITOR,
            {
                "of no pool": monitor(pool_id="{none}"),
                "pool not given": monitor(pool_id=...),
                "no type": monitor(**other, type=...),
                "type that is none": monitor(**other, type="LUCK"),
                "no delay": monitor(**other, delay=...),
                "delay below zero": monitor(**other, delay=-1),
                "retries 0": monitor(**other, max_retries=0),
                "retries 11": monitor(**other, max_retries=11),
                "path without a slash": monitor(**other, url_path="up"),
                "codes that are none": monitor(**other, expected_codes="abc"),
                "method that is none": monitor(**other, http_method="FETCH"),
                "path of TCP": monitor(**other, type="TCP", url_path="/up"),
                "path of PING": monitor(**other, type="PING", url_path="/up"),
                "name without a version": monitor(**other, domain_name="a.example"),
                "version that is none": monitor(**other, http_version=3),
                "timeout over delay": monitor(**other, timeout=50),
            },
        ),
        Case(f"{kind}: change its type", "PUT", one, {"healthmonitor": {"type": "TCP"}}),
    ]


def _policies() -> list[Case]:
    kind, one = "policy", f"{POLICY}/{{policy}}"
    return [
        Case(f"{kind}: create", "POST", POLICY, policy(name="y"), "policy"),
        Case(
            f"{kind}: to a pool",
            "POST",
            POLICY,
            policy(action="REDIRECT_TO_POOL", redirect_pool_id="{sparepool}"),
        ),
        Case(
            f"{kind}: to a URL",
            "POST",
            POLICY,
            policy(action="REDIRECT_TO_URL", redirect_url="http://a.example/"),
        ),
        Case(f"{kind}: show", "GET", one),
        Case(f"{kind}: show none", "GET", f"{POLICY}/{{none}}"),
        Case(f"{kind}: list", "GET", POLICY),
        Case(f"{kind}: change", "PUT", one, {"l7policy": {"position": 2}}),
        Case(
            f"{kind}: a target says the action",
            "PUT",
            one,
            {"l7policy": {"redirect_url": "http://b.example/"}},
        ),
        Case(f"{kind}: change its action", "PUT", one, {"l7policy": {"action": "REJECT"}}),
        Case(
            f"{kind}: with a listener, to a pool",
            "POST",
            LISTENER,
            listener(
                protocol_port=95,
                l7policies=[{"action": "REDIRECT_TO_POOL", "redirect_pool_id": "{sparepool}"}],
            ),
            "full",
        ),
        Case(f"{kind}: the listener goes", "DELETE", f"{LISTENER}/{{full}}"),
        *_bad(
            kind,
            POLICY,
            {
                "of no listener": policy(listener_id="{none}"),
                "listener not given": policy(listener_id=...),
                "action that is none": policy(action="HOPE"),
                "no action": policy(action=...),
                "no pool to go to": policy(action="REDIRECT_TO_POOL", redirect_pool_id="{none}"),
                "pool not given": policy(action="REDIRECT_TO_POOL"),
                "URL not given": policy(action="REDIRECT_TO_URL"),
                "URL that is none": policy(action="REDIRECT_TO_URL", redirect_url="a b"),
                "code that is none": policy(
                    action="REDIRECT_TO_URL", redirect_url="http://a", redirect_http_code=200
                ),
                "position 0": policy(position=0),
            },
        ),
        Case(f"{kind}: delete its pool", "DELETE", f"{POOL}/{{sparepool}}"),
    ]


def _rules() -> list[Case]:
    kind, all_of = "rule", f"{POLICY}/{{policy}}/rules"
    one = f"{all_of}/{{rule}}"
    return [
        Case(f"{kind}: create", "POST", all_of, rule(), "rule"),
        Case(f"{kind}: header", "POST", all_of, rule(type="HEADER", key="X-A", value="b")),
        Case(f"{kind}: show", "GET", one),
        Case(f"{kind}: show none", "GET", f"{all_of}/{{none}}"),
        Case(f"{kind}: list", "GET", all_of),
        Case(f"{kind}: list of no policy", "GET", f"{POLICY}/{{none}}/rules"),
        Case(f"{kind}: change", "PUT", one, {"rule": {"invert": True}}),
        *_bad(
            kind,
            all_of,
            {
                "type that is none": rule(type="MOON"),
                "comparison that is none": rule(compare_type="LIKE"),
                "header without a key": rule(type="HEADER"),
                "no value": rule(value=...),
                "file type that starts": rule(type="FILE_TYPE"),
                "bad expression": rule(compare_type="REGEX", value="("),
                "line break": rule(value="/a\nb"),
            },
        ),
        Case(f"{kind}: delete", "DELETE", one),
    ]


def _whole() -> list[Case]:
    one_pool = {"name": "wp", **pool(loadbalancer_id=...)["pool"], "members": [member()["member"]]}
    monitored = {**one_pool, "healthmonitor": monitor(pool_id=...)["healthmonitor"]}
    nameless = pool(loadbalancer_id=...)["pool"]
    sends = {"action": "REDIRECT_TO_POOL", "redirect_pool": nameless}
    front = listener(loadbalancer_id=...)["listener"]
    kind = "whole"
    return [
        Case(
            f"{kind}: create",
            "POST",
            LB,
            lb(listeners=[{**front, "default_pool": monitored}]),
            "whole",
        ),
        Case(f"{kind}: delete without cascade", "DELETE", f"{LB}/{{whole}}"),
        Case(f"{kind}: delete", "DELETE", f"{LB}/{{whole}}?cascade=True"),
        Case(f"{kind}: show what was deleted", "GET", f"{LB}/{{whole}}"),
        *_bad(
            kind,
            LB,
            {
                "pool without a name": lb(pools=[nameless]),
                "two pools without a name": lb(pools=[nameless, nameless]),
                "listener's pool without a name": lb(
                    listeners=[{**front, "default_pool": nameless}]
                ),
                "policy's pool without a name": lb(listeners=[{**front, "l7policies": [sends]}]),
                "pool that is but a name": lb(pools=[{"name": "x"}]),
                "two pools of a name": lb(pools=[one_pool, one_pool]),
                "pool that is not there": lb(listeners=[{**front, "default_pool": {"name": "x"}}]),
                "a bad member": lb(pools=[{**one_pool, "members": [{"address": "x"}]}]),
                "two listeners of a port": lb(listeners=[front, front]),
            },
        ),
    ]


def _quotas() -> list[Case]:
    kind = "quota"
    return [
        Case(f"{kind}: defaults", "GET", "/quotas/defaults"),
        Case(f"{kind}: show", "GET", "/quotas/blog"),
        Case(f"{kind}: default of one", "GET", "/quotas/blog/default"),
        Case(f"{kind}: change", "PUT", "/quotas/blog", {"quota": {"pool": 5, "loadbalancer": 7}}),
        Case(f"{kind}: list", "GET", "/quotas"),
        Case(f"{kind}: change to text", "PUT", "/quotas/blog", {"quota": {"pool": "x"}}),
        Case(f"{kind}: change below all", "PUT", "/quotas/blog", {"quota": {"pool": -2}}),
        Case(f"{kind}: change an unknown one", "PUT", "/quotas/blog", {"quota": {"colour": 1}}),
        Case(f"{kind}: change nothing", "PUT", "/quotas/blog", {"quota": {}}),
        Case(f"{kind}: reset", "DELETE", "/quotas/blog"),
        Case(f"{kind}: reset again", "DELETE", "/quotas/blog"),
    ]


def _around() -> list[Case]:
    return [
        Case("providers", "GET", "/providers"),
        Case("flavor capabilities", "GET", "/providers/{provider}/flavor_capabilities"),
        Case("capabilities of none", "GET", "/providers/f5/flavor_capabilities"),
        Case("amphorae", "GET", "/v2/octavia/amphorae"),
        Case("amphorae: slash", "GET", "/v2/octavia/amphorae/"),
        Case("amphora: show none", "GET", "/v2/octavia/amphorae/{none}"),
        Case("amphora: stats of none", "GET", "/v2/octavia/amphorae/{none}/stats"),
        Case("amphora: failover of none", "PUT", "/v2/octavia/amphorae/{none}/failover"),
        Case("amphora: delete none", "DELETE", "/v2/octavia/amphorae/{none}"),
        Case("flavors", "GET", "/flavors"),
        Case("availability zones", "GET", "/availabilityzones"),
        Case("path: none", "GET", "/nothing"),
        Case("path: without lbaas", "GET", "/v2/loadbalancers"),
        Case("path: .json", "GET", f"{LB}.json"),
        Case("path: slash", "GET", f"{LB}/"),
        Case("method: PATCH", "PATCH", f"{LB}/{{lb}}", {"loadbalancer": {}}),
        Case("method: DELETE of all", "DELETE", LB),
        Case("body: no JSON", "POST", LB, "{loadbalancer"),
    ]


def _busy() -> list[Case]:
    kind, one = "busy", f"{LB}/{{lb}}"
    return [
        Case(f"{kind}: a change", "PUT", one, {"loadbalancer": {"name": "b"}}, busy=True),
        Case(f"{kind}: another", "PUT", one, {"loadbalancer": {"name": "c"}}, busy=True),
        Case(f"{kind}: a listener", "POST", LISTENER, listener(protocol_port=99), busy=True),
        Case(f"{kind}: a pool", "POST", POOL, pool(), busy=True),
        Case(
            f"{kind}: a member",
            "POST",
            f"{POOL}/{{pool}}/members",
            member(protocol_port=99),
            busy=True,
        ),
        Case(
            f"{kind}: a monitor's change",
            "PUT",
            f"{MONITOR}/{{monitor}}",
            {"healthmonitor": {"delay": 4}},
            busy=True,
        ),
        Case(f"{kind}: the end of a listener", "DELETE", f"{LISTENER}/{{spare}}", busy=True),
        Case(f"{kind}: the end of all", "DELETE", f"{one}?cascade=True", busy=True),
        Case(f"{kind}: failover", "PUT", f"{one}/failover"),
    ]


def _ends() -> list[Case]:
    return [
        Case("end: member", "DELETE", f"{POOL}/{{pool}}/members/{{member}}"),
        Case("end: monitor", "DELETE", f"{MONITOR}/{{monitor}}"),
        Case("end: monitor again", "DELETE", f"{MONITOR}/{{monitor}}"),
        Case("end: policy", "DELETE", f"{POLICY}/{{policy}}"),
        Case("end: pool", "DELETE", f"{POOL}/{{pool}}"),
        Case("end: listener", "DELETE", f"{LISTENER}/{{listener}}"),
        Case("end: listener again", "DELETE", f"{LISTENER}/{{listener}}"),
        Case("end: load balancer with parts", "DELETE", f"{LB}/{{lb}}"),
        Case("end: load balancer", "DELETE", f"{LB}/{{lb}}?cascade=True"),
        Case("end: load balancer again", "DELETE", f"{LB}/{{lb}}?cascade=True"),
    ]
