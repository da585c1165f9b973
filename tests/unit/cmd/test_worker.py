"""What the worker's process holds before its first job: every package costs memory on every device."""

import json
import subprocess
import sys
from pathlib import Path

HEAVY = (
    *("daemonize", "isal", "keystoneclient", "pydantic", "pyroute2", "requests", "rich"),
    *("sqlalchemy", "starlette", "swiftclient", "typer", "uvicorn", "yaml"),
)
CODE = """
import json, os, pathlib, sys
import libra.logs
from libra.cmd import assembly, worker
from libra.config.reading import read_settings
from libra.worker.daemon import WorkerDaemon
settings = read_settings(pathlib.Path(sys.argv[1]), os.environ)
stores = assembly.build_stores(assembly.LiveSettings(settings))
driver = assembly.build_driver(settings)
controller = assembly.build_controller(settings, driver, stores, assembly.build_serving(settings, driver))
assert len(stores) and driver.name == "haproxy"
print(json.dumps(sorted(name for name in sys.modules if "." not in name)))
"""


def test_what_only_some_jobs_need_is_not_loaded_at_the_start(tmp_path: Path) -> None:
    """Nor what checks the settings, which alone takes 14 MB."""
    file = tmp_path / "libra.yaml"
    file.touch()
    done = subprocess.run(
        [sys.executable, "-c", CODE, str(file)],
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
    )
    loaded = set(json.loads(done.stdout))
    assert "gear" in loaded  # this is the worker
    assert not loaded.intersection(HEAVY)
