"""Everything on one machine: job server, controller and API in this process, a worker and its HAProxy beside it."""

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

import structlog
import yaml
from pydantic import ValidationError

from libra.cmd.controlling import Controller
from libra.cmd.renewing import Renewer
from libra.cmd.steering import Steering
from libra.config.controller import (
    AddressPoolSettings,
    ApiSettings,
    ControllerSettings,
    DatabaseSettings,
    ProviderSettings,
)
from libra.config.places import SERVING_SOCKET
from libra.config.settings import (
    HAProxySettings,
    JobServerSettings,
    ObjectStoreSettings,
    Settings,
    SwiftSettings,
    WorkerSettings,
)
from libra.config.types import MAX_SOCKET_PATH
from libra.config.values import Supervisor
from libra.daemon.heap import freeze_heap
from libra.daemon.lockfile import LockFile
from libra.durable import replace_file
from libra.errors import Invalid, LibraError
from libra.jobs.embedded import EmbeddedJobServer
from libra.logs import set_level
from libra.manager.closedown import Patience, wait
from libra.manager.settle import MANAGER
from libra.model.device import DEFAULT_POOL
from libra.usecases.devicepools import change_pool
from libra.usecases.devices import add_device

log = structlog.get_logger(__name__)

DEVICE = "local"
LOOPBACK = "127.0.0.1"
TOKEN_FILE = "admin-token"  # noqa: S105 - a name
LOG_LEVEL = "warning"
WORKER_STOP_SECONDS = 90.0
FIRST_PAUSE_SECONDS = 0.5
LONGEST_PAUSE_SECONDS = 30.0
_WORKER = "import sys; from libra.cmd.worker import main; sys.exit(main())"


class LocalFleet:
    """Started in `state_dir`, where everything it keeps is; started there again it comes back with it."""

    def __init__(
        self, state_dir: Path, *, api_port: int, job_port: int, object_stores: Sequence[str] = ()
    ) -> None:
        self.state_dir = state_dir.absolute()
        self._stack = ExitStack()
        self._lock()
        self._jobs = EmbeddedJobServer(LOOPBACK, job_port)
        self._api_port = api_port
        self._job_port = job_port
        self._object_stores = tuple(object_stores)
        self._patience: Patience = wait

    @property
    def token_file(self) -> Path:
        """The administrator's token."""
        return self.state_dir / TOKEN_FILE

    def start(self) -> None:
        """Raises `LibraError`; call `stop` in any case."""
        self._stack.callback(self._jobs.stop)
        self._jobs.start()
        self.job_port = self._jobs.port
        settings = self._settings()
        steering = Steering(lambda: os.kill(os.getpid(), signal.SIGTERM))
        controller = Controller(settings, api_port=self._api_port, steering=steering)
        # There is no file of them: what is taken back is the log's level, and the token is read again.
        renewer = Renewer(
            lambda: settings, settings, controller, log_anew=lambda _: set_level(LOG_LEVEL)
        )
        steering.renew = renewer.renew
        self._stack.callback(lambda: controller.stop(self._patience))
        self._api = controller.api
        self._ensure_device(controller)
        controller.start()
        self.api_port = controller.api.port
        self._worker = Worker(self._write_worker_config(settings), self.state_dir / "worker.log")
        self._stack.callback(lambda: None if steering.is_quick else _stop_proxy(settings))
        self._stack.callback(self._worker.stop)
        self._worker.start()
        freeze_heap()

    @property
    def has_ended(self) -> bool:
        """Whether the API is served no more, though nobody has stopped it."""
        return self._api.has_ended

    def stop(self, patience: Patience = wait) -> None:
        """The worker first, then HAProxy and what is beside it, the devices of its device pools, the controller, the
        job server. After a quick shutdown HAProxy, and these devices, run on.
        """
        self._patience = patience
        self._stack.close()

    def _lock(self) -> None:
        if len(str(self.state_dir / "worker" / SERVING_SOCKET)) > MAX_SOCKET_PATH:
            raise Invalid(
                f"cannot use {self.state_dir}: a socket in it would have too long a path; choose a shorter --state-dir"
            )
        lock = self._stack.enter_context(LockFile(self.state_dir / "up.lock", directory_mode=0o700))
        lock.write_pid()

    def _settings(self) -> Settings:
        worker_dir = self.state_dir / "worker"
        return Settings(
            job_servers=(JobServerSettings(host=LOOPBACK, port=self._jobs.port),),
            worker=WorkerSettings(name=DEVICE, state_dir=worker_dir),
            haproxy=HAProxySettings(
                supervisor=Supervisor.OWN,
                config_file=worker_dir / "haproxy.cfg",
                admin_socket=worker_dir / "admin.sock",
                master_socket=worker_dir / "master.sock",
                log_file=worker_dir / "access.log",
            ),
            controller=ControllerSettings(
                key_file=self.state_dir / "secrets.key", admin_token_file=self.token_file
            ),
            database=DatabaseSettings(url=f"sqlite:///{self.state_dir / 'libra.db'}"),
            api=ApiSettings(host=LOOPBACK),
            address_pools=(AddressPoolSettings(),),
            providers=ProviderSettings(local_dir=self.state_dir / "devices"),
            object_stores=self._stores(),
        )

    def _stores(self) -> ObjectStoreSettings:
        """Where logs may go: by default wherever a worker's default lets them. Raises `Invalid`."""
        if not self._object_stores:
            return ObjectStoreSettings()
        try:
            swift = SwiftSettings.model_validate({"allowed_endpoints": self._object_stores})
        except ValidationError as error:
            reason = error.errors()[0]["msg"].removeprefix("Value error, ")
            raise Invalid(f"cannot use {self._object_stores} for object stores: {reason}") from None
        return ObjectStoreSettings(swift=swift)

    def _write_worker_config(self, settings: Settings) -> Path:
        path = self.state_dir / "worker.yaml"
        chosen = settings.model_dump(
            mode="json",
            include={"job_servers", "worker", "haproxy", "object_stores"},
            exclude_unset=True,
        )
        head = "# Written by `libra up` at each start.\n"
        replace_file(path, (head + yaml.safe_dump(chosen)).encode(), mode=0o600)
        return path

    def _ensure_device(self, controller: Controller) -> None:
        services = controller.services
        with services.storage.reading() as unit:
            known = unit.devices.by_name(DEVICE)
        if known is None:
            add_device(services, MANAGER, DEVICE, LOOPBACK)
            # There is one device, for all projects.
            change_pool(services, MANAGER, DEFAULT_POOL, {"shared": True})


class Worker:
    """A worker as a child, started again where it ends."""

    def __init__(self, config: Path, log_file: Path) -> None:
        self._command = [sys.executable, "-c", _WORKER, "--config", str(config)]
        setpriv = shutil.which("setpriv")
        if setpriv is not None:  # else it outlives a controller that is killed
            self._command = [setpriv, "--pdeathsig", "TERM", "--", *self._command]
        self._log_file = log_file
        self._stopping = threading.Event()
        self._process: subprocess.Popen[bytes] | None = None
        self._thread = threading.Thread(target=self._watch, name="worker-keeper")

    def start(self) -> None:
        """Returns at once."""
        self._thread.start()

    def stop(self) -> None:
        """Jobs that it has are answered."""
        self._stopping.set()
        process = self._process
        if process is not None and process.poll() is None:
            process.terminate()
        if self._thread.ident is not None:
            self._thread.join(WORKER_STOP_SECONDS)

    def _watch(self) -> None:
        """In one thread: a parent's death signal is that of the thread which started the child."""
        pause = FIRST_PAUSE_SECONDS
        while not self._stopping.is_set():
            started = time.monotonic()
            self._run()
            if self._stopping.is_set():
                return
            long_lived = time.monotonic() - started > LONGEST_PAUSE_SECONDS
            pause = FIRST_PAUSE_SECONDS if long_lived else min(2 * pause, LONGEST_PAUSE_SECONDS)
            log.warning("the worker ended and is started again", action="start", seconds=pause)
            self._stopping.wait(pause)

    def _run(self) -> None:
        with self._log_file.open("ab") as sink:
            self._process = subprocess.Popen(
                self._command,
                stdin=subprocess.DEVNULL,
                stdout=sink,
                stderr=sink,
                start_new_session=True,  # Ctrl-C is for us, who stop it in its turn
            )
        if self._stopping.is_set():
            self._process.terminate()
        self._process.wait()


def _stop_proxy(settings: Settings) -> None:
    from libra.cmd.assembly import build_serving
    from libra.drivers.haproxy.driver import create_driver

    driver = create_driver(settings)
    try:
        driver.stop()
        build_serving(settings, driver).stop()
    except LibraError as error:
        log.warning("cannot end HAProxy", action="stop", error=str(error))
    finally:
        driver.close()
