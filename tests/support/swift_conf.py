"""What swift_lab.py writes for a Swift: rings, settings, and two WSGI filters of our own."""

RINGS = """
import json, sys
from swift.common.ring import RingBuilder
etc, devices, ports = sys.argv[1], int(sys.argv[2]), json.loads(sys.argv[3])
for kind in ("account", "container", "object"):
    ring = RingBuilder(4, devices, 0)  # 16 partitions, a replica a device, no minimum hours between moves
    for number in range(1, devices + 1):
        ring.add_dev(dict(
            id=number - 1, region=1, zone=number, weight=1, device="d%d" % number,
            ip="127.0.0.1", port=ports[kind], replication_ip="127.0.0.1", replication_port=ports[kind],
        ))
    ring.rebalance(seed=1)
    ring.get_ring().save("%s/%s.ring.gz" % (etc, kind))
"""

FAULT_FILTER = '''
"""WSGI filter: answers what faults.json says, the first `count` requests that match after `skip` others."""
import json, os, re
import eventlet


def filter_factory(settings, file, **_):
    from swift.common import constraints
    constraints.reload_constraints()  # read at import from /etc/swift only; now from swift_dir

    def load(request):
        try:
            with open(file) as source:
                fault = json.load(source)
        except (OSError, ValueError):
            return None
        if not re.match(fault.get("match", ".*"), request):
            return None
        for name in ("skip", "count"):
            if fault.get(name, 0) > 0:
                fault[name] -= 1
                with open(file + ".new", "w") as target:
                    json.dump(fault, target)
                os.rename(file + ".new", file)
                return None if name == "skip" else fault
        return None if "count" in fault else fault

    def make(app):
        def call(environ, start):
            with open(file + ".requests", "a") as requests:
                requests.write("%(REQUEST_METHOD)s %(PATH_INFO)s\\n" % environ)
            fault = load("%(REQUEST_METHOD)s %(PATH_INFO)s" % environ)
            if fault and fault.get("delay"):
                eventlet.sleep(fault["delay"])  # time.sleep would stop the whole proxy
            if not fault or not fault.get("status"):
                return app(environ, start)
            if fault.get("late"):  # done, and then denied
                for _ in app(environ, lambda *_: None):
                    pass
            body = fault.get("body", "").encode()
            headers = [("Content-Length", str(len(body))), *fault.get("headers", {}).items()]
            start("%d %s" % (fault["status"], fault.get("reason", "Injected")), headers)
            return [body]
        return call
    return make
'''

FRONT = "catch_errors gatekeeper healthcheck fault proxy-logging cache bulk tempauth"

CACHE_FILTER = '''
"""WSGI filter: what memcached is in production, for this lab's single proxy process."""
import copy, time


class Cache:
    def __init__(self):
        self.kept = {}

    def get(self, key, **_):
        value, until = self.kept.get(key, (None, 0))
        return copy.deepcopy(value) if until > time.time() else None

    def set(self, key, value, time=0, **_):
        self.kept[key] = (copy.deepcopy(value), now() + (time or 86400))

    def incr(self, key, delta=1, time=0):
        value = (self.get(key) or 0) + delta
        self.set(key, value, time)
        return value

    def delete(self, key, **_):
        self.kept.pop(key, None)


now = time.time


def filter_factory(settings, **_):
    cache = Cache()

    def make(app):
        def call(environ, start):
            environ["swift.cache"] = cache
            return app(environ, start)
        return call
    return make
'''

COMMON = """
[DEFAULT]
bind_ip = 127.0.0.1
bind_port = {port}
workers = 0
user = {user}
swift_dir = {etc}
log_address = {etc}/log.sock
log_level = INFO
"""

PROXY = """
[pipeline:main]
pipeline = {pipeline}
[app:proxy-server]
use = egg:swift#proxy
account_autocreate = true
allow_account_management = true
node_timeout = {node_timeout}
recoverable_node_timeout = {node_timeout}
conn_timeout = 0.5
# a 507 puts a node on the error list, for a minute by default: "disk back" must work at once
error_suppression_limit = 1000000
error_suppression_interval = 0.1
[filter:catch_errors]
use = egg:swift#catch_errors
[filter:gatekeeper]
use = egg:swift#gatekeeper
[filter:healthcheck]
use = egg:swift#healthcheck
[filter:proxy-logging]
use = egg:swift#proxy_logging
[filter:bulk]
use = egg:swift#bulk
[filter:slo]
use = egg:swift#slo
[filter:dlo]
use = egg:swift#dlo
[filter:container_quotas]
use = egg:swift#container_quotas
[filter:fault]
paste.filter_factory = swiftfault:filter_factory
file = {etc}/faults.json
[filter:cache]
paste.filter_factory = swiftcache:filter_factory
[filter:tempauth]
use = egg:swift#tempauth
token_life = {token_life}
fernet_key_k1 = {fernet_key}
active_fernet_key_id = k1
user_admin_admin = admin .admin .reseller_admin
user_test_tester = testing .admin
user_test_reader = reading
"""

STORAGE = """
devices = {devices}/{kind}
mount_check = true
fallocate_reserve = 0
recon_cache_path = {etc}
[pipeline:main]
pipeline = healthcheck {kind}-server
[app:{kind}-server]
use = egg:swift#{kind}
[filter:healthcheck]
use = egg:swift#healthcheck
"""

SWIFT_CONF = """
[swift-hash]
swift_hash_path_prefix = lab
swift_hash_path_suffix = lab
[storage-policy:0]
name = default
default = yes
[swift-constraints]
max_file_size = {max_file_size}
"""
