"""What the worker's process holds before its first job: every package costs memory on every device."""

import json
import subprocess
import sys

HEAVY = ("daemonize", "isal", "keystoneclient", "requests", "rich", "swiftclient", "typer")
CODE = """
import sys, json
import libra.logs
from libra.cmd import assembly, worker
from libra.config.load import load_settings
from libra.worker.daemon import WorkerDaemon
settings = load_settings(None, {})
stores = assembly.build_stores(assembly.LiveSettings(settings))
driver = assembly.build_driver(settings)
controller = assembly.build_controller(settings, driver, stores)
assert len(stores) and driver.name == "haproxy"
print(json.dumps(sorted(name for name in sys.modules if "." not in name)))
"""


def test_what_only_some_jobs_need_is_not_loaded_at_the_start() -> None:
    done = subprocess.run(
        [sys.executable, "-c", CODE], capture_output=True, text=True, check=True, timeout=30
    )
    loaded = set(json.loads(done.stdout))
    assert "gear" in loaded  # this is the worker
    assert not loaded.intersection(HEAVY)
