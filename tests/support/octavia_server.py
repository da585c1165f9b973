"""Run by the interpreter of a virtual environment that has Octavia: serves its API, over nothing.

    python octavia_server.py DIRECTORY PORT

Prints "ready" once it answers. Its provider makes nothing and there is no worker: POST /settle makes ACTIVE what is on
its way, and takes away what is going.
"""

import sys
import warnings
from collections.abc import Callable, Iterable
from contextlib import closing
from pathlib import Path
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, make_server

CONFIG = """\
[DEFAULT]
transport_url = fake:/
log_file = {0}/octavia.log
use_stderr = false
[api_settings]
auth_strategy = noauth
enabled_provider_drivers = noop_driver:It makes nothing.,octavia:The same.
default_provider_driver = noop_driver
[database]
connection = sqlite://
[controller_worker]
network_driver = network_noop_driver
compute_driver = compute_noop_driver
amphora_driver = amphora_noop_driver
[certificates]
cert_manager = noop_cert_manager
"""
LOOKUPS = {
    "ProvisioningStatus": "SUPPORTED_PROVISIONING_STATUSES",
    "OperatingStatus": "SUPPORTED_OPERATING_STATUSES",
    "HealthMonitorType": "SUPPORTED_HEALTH_MONITOR_TYPES",
    "Algorithm": "SUPPORTED_LB_ALGORITHMS",
    "Protocol": "SUPPORTED_PROTOCOLS",
    "SessionPersistenceType": "SUPPORTED_SP_TYPES",
    "AmphoraRoles": "SUPPORTED_AMPHORA_ROLES",
    "LBTopology": "SUPPORTED_LB_TOPOLOGIES",
    "VRRPAuthMethod": "SUPPORTED_VRRP_AUTH",
    "L7RuleType": "SUPPORTED_L7RULE_TYPES",
    "L7RuleCompareType": "SUPPORTED_L7RULE_COMPARE_TYPES",
    "L7PolicyAction": "SUPPORTED_L7POLICY_ACTIONS",
    "ClientAuthenticationMode": "SUPPORTED_CLIENT_AUTH_MODES",
}
TABLES = ("l7rule", "l7policy", "health_monitor", "member", "pool", "listener", "load_balancer")
"""Children first."""
Environ = dict[str, Any]


class Quiet(WSGIRequestHandler):
    """It writes nothing. Who connects and says nothing keeps others waiting for this long, in seconds."""

    timeout = 5

    def log_message(self, *_: object) -> None:
        """Nothing."""


def main() -> None:
    """Until it is ended."""
    warnings.simplefilter("ignore")
    directory, port = Path(sys.argv[1]).absolute(), int(sys.argv[2])
    config = directory / "octavia.conf"
    config.write_text(CONFIG.format(directory))
    sys.argv = ["octavia-api", "--config-file", str(config)]
    from octavia.api import app

    served = app.setup_app(argv=sys.argv)
    _lay_out()
    with make_server("127.0.0.1", port, _around(served), handler_class=Quiet) as server:
        print("ready", flush=True)  # noqa: T201 - the answer
        server.serve_forever()


def _lay_out() -> None:
    from octavia.common import constants
    from octavia.db import api, base_models, models

    base_models.BASE.metadata.create_all(api.get_engine())
    session = api.get_session()
    for model, names in LOOKUPS.items():
        for name in getattr(constants, names):
            session.add(getattr(models, model)(name=name))
    session.commit()
    session.close()


def _around(served: Callable[..., Iterable[bytes]]) -> Callable[..., Iterable[bytes]]:
    def answer(environ: Environ, start_response: Callable[..., object]) -> Iterable[bytes]:
        if environ["PATH_INFO"] == "/settle":
            _settle()
            start_response("204 No Content", [])
            return [b""]
        environ["HTTP_X_PROJECT_ID"] = "shop"
        environ["HTTP_X_ROLES"] = "admin"
        return served(environ, start_response)

    return answer


def _settle() -> None:
    from octavia.db import api

    with closing(api.get_engine().raw_connection()) as connection:
        connection.rollback()  # in a transaction the next would do nothing
        run = connection.cursor().execute
        run("PRAGMA foreign_keys = OFF")
        for table in TABLES:
            run(f"DELETE FROM {table} WHERE provisioning_status = 'PENDING_DELETE'")
            run(
                f"UPDATE {table} SET provisioning_status = 'ACTIVE', updated_at = created_at "
                "WHERE provisioning_status LIKE 'PENDING%'"
            )
        run(
            "UPDATE listener SET default_pool_id = NULL "
            "WHERE default_pool_id NOT IN (SELECT id FROM pool)"
        )
        while orphans := run("PRAGMA foreign_key_check").fetchall():
            for table, row, *_ in orphans:
                run(f"DELETE FROM {table} WHERE rowid = {row}")
        connection.commit()
        run("PRAGMA foreign_keys = ON")


main()
