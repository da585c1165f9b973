"""Octavia's rendering of one listener with many members, timed. Run by an interpreter that has octavia.

    python octavia_render.py NODES TIMES

Prints a JSON object: the seconds of each rendering, and how many server lines came out.
"""

import json
import re
import sys
import time

from octavia.common import data_models
from octavia.common.jinja.haproxy.combined_listeners import jinja_cfg

DETAILS = {
    "active_tuned_profiles": "",
    "cpu_count": 2,
    "memory": {"free": 0, "buffers": 0, "cached": 0},
}


def main() -> None:
    """See above."""
    nodes, times = int(sys.argv[1]), int(sys.argv[2])
    amphora = data_models.Amphora(id="amphora", lb_network_ip="10.9.9.9", vrrp_ip="10.9.9.8")
    listener = build_listener(amphora, build_pool(nodes))
    templater = jinja_cfg.JinjaTemplater(
        base_amp_path="/var/lib/octavia", base_crt_dir="/var/lib/octavia/certs"
    )
    seconds = []  # the first one compiles the template
    text = ""
    for _ in range(times + 1):
        started = time.perf_counter()
        text = templater.build_config(amphora, [listener], None, ("2", "6", "12"), DETAILS)
        seconds.append(time.perf_counter() - started)
    lines = len(re.findall(r"^\s+server ", text, re.MULTILINE))
    print(json.dumps({"seconds": seconds[1:], "server_lines": lines}))


def build_pool(nodes: int) -> data_models.Pool:
    """All members alike but for their address."""
    members = [
        data_models.Member(
            id=f"n{n}",
            ip_address=f"10.{n >> 16}.{n >> 8 & 255}.{n & 255}",
            protocol_port=80,
            weight=1,
            enabled=True,
            operating_status="ONLINE",
            backup=False,
        )
        for n in range(nodes)
    ]
    return data_models.Pool(
        id="pool",
        protocol="HTTP",
        lb_algorithm="ROUND_ROBIN",
        members=members,
        enabled=True,
        operating_status="ONLINE",
    )


def build_listener(amphora: data_models.Amphora, pool: data_models.Pool) -> data_models.Listener:
    """One listener on a load balancer of its own, with the pool as its default."""
    balancer = data_models.LoadBalancer(
        id="lb",
        project_id="p",
        vip=data_models.Vip(ip_address="10.9.9.7"),
        amphorae=[amphora],
        topology="SINGLE",
        enabled=True,
        pools=[pool],
    )
    listener = data_models.Listener(
        id="listener",
        protocol="HTTP",
        protocol_port=80,
        connection_limit=-1,
        load_balancer=balancer,
        default_pool=pool,
        default_pool_id="pool",
        pools=[pool],
        l7policies=[],
        sni_containers=[],
        insert_headers={},
        enabled=True,
        timeout_client_data=50000,
        timeout_member_connect=5000,
        timeout_member_data=50000,
        timeout_tcp_inspect=0,
    )
    balancer.listeners = [listener]
    pool.listeners = [listener]
    return listener


if __name__ == "__main__":
    main()
