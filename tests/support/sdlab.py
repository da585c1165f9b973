"""A host of its own with a really booted systemd: a container on an overlay of this machine's root.

It has no network but loopback, a fresh /run and /tmp, and otherwise the files of this machine, to which it can do
nothing: what it writes goes to a directory that is removed at the end. Root only.
"""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Self

import pytest

from tests.support.ports import wait_until
from tests.support.programs import find_program

# What is installed on this machine must not start in the container, and what asks for a console or a network need not.
MASKED = (
    "apt-daily-upgrade.timer",
    "apt-daily.timer",
    "console-getty.service",
    "cron.service",
    "anacron.service",
    "docker.service",
    "containerd.service",
    "dpkg-db-backup.timer",
    "e2scrub_all.timer",
    "e2scrub_reap.service",
    "fstrim.timer",
    "getty.target",
    "haproxy.service",
    "gearman-job-server.service",
    "keepalived.service",
    "man-db.timer",
    "mariadb.service",
    "memcached.service",
    "packagekit.service",
    "polkit.service",
    "postgresql.service",
    "rsyslog.service",
    "ssh.service",
    "systemd-logind.service",
    "systemd-networkd.service",
    "systemd-pcrphase.service",
    "systemd-resolved.service",
    "systemd-timesyncd.service",
)
BOOT_SECONDS = 60.0
STOP_SECONDS = 30.0
SEARCH_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def require_systemd() -> None:
    """Skip the test where no container can be booted, but fail where CI is set."""
    find_program("systemd-nspawn", package="systemd-container")
    if os.geteuid() != 0:
        reason = "booting a container needs root"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)


class SystemdHost:
    """`with SystemdHost("w1") as host: host.run("systemctl is-system-running")`.

    `binds` are directories of this machine and where they are seen, read-only; `wanted` are units that start although
    they are masked by default.
    """

    def __init__(
        self, name: str, *, binds: Mapping[Path, str] | None = None, wanted: Sequence[str] = ()
    ) -> None:
        require_systemd()
        self.name = f"{name}-{os.getpid()}"
        self.directory = Path(tempfile.mkdtemp(prefix="lbsd"))
        self.root = self.directory / "root"
        self._binds = [f"--bind-ro={path}:{place}" for path, place in (binds or {}).items()]
        self._masked = [unit for unit in MASKED if unit not in wanted]
        self._process: subprocess.Popen[bytes] | None = None
        self._leader = 0
        self._cgroups = [place / f"libra-{self.name}" for place in _cgroup_roots()]

    def start(self) -> Self:
        """Boot; returns when the boot is done."""
        self._mount()
        self._prepare()
        notify = self.directory / "notify"
        notify.unlink(missing_ok=True)
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
            receiver.bind(str(notify))
            self._spawn(notify)
            self._leader = self._await_boot(receiver)
        return self

    def run(self, command: str, *, text: str = "", check: bool = True, timeout: float = 60) -> str:
        """Standard output of a shell command inside; raises AssertionError with its words where it fails."""
        namespaces = ("--mount", "--uts", "--ipc", "--net", "--pid", "--cgroup", "--root", "--wd")
        clean = ("/usr/bin/env", "-i", f"PATH={SEARCH_PATH}", "LANG=C.UTF-8", "SYSTEMD_PAGER=")
        done = subprocess.run(
            ["nsenter", "-t", str(self._leader), *namespaces, *clean, "/bin/bash", "-c", command],
            input=text,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
        if check and done.returncode:
            raise AssertionError(f"{command}: {done.returncode}\n{done.stdout}{done.stderr}")
        return done.stdout

    @contextmanager
    def network(self) -> Iterator[None]:
        """Sockets that this thread, and threads it starts, make inside the block belong to the container."""
        with Path("/proc/thread-self/ns/net").open() as own, self._namespace("net").open() as other:
            os_setns(other.fileno())
            try:
                yield
            finally:
                os_setns(own.fileno())

    def write(self, path: str, text: str, mode: int = 0o644) -> None:
        """Put a file into its root."""
        file = self.root / path.lstrip("/")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.unlink(missing_ok=True)
        file.write_text(text)
        file.chmod(mode)

    def crash(self) -> None:
        """A power cut. `start` boots the same disk again."""
        self._kill()
        self._leader = 0

    def _kill(self) -> None:
        """Its first process, with which all others end; nspawn's own death would leave them all behind."""
        assert self._process is not None
        if self._leader:
            os.kill(self._leader, signal.SIGKILL)
        else:
            self._process.kill()
        self._process.wait(STOP_SECONDS)

    def stop(self) -> None:
        """An orderly shutdown; then everything is removed."""
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)  # passed on as SIGRTMIN+3
            try:
                self._process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self._kill()
        if self.root.is_mount():
            subprocess.run(["umount", "-R", "--lazy", self.root], check=True)
        for cgroup in self._cgroups:
            _remove_cgroup(cgroup)
        shutil.rmtree(self.directory, ignore_errors=True)

    def __enter__(self) -> Self:
        try:
            return self.start()
        except BaseException:
            self.stop()
            raise

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _mount(self) -> None:
        if self.root.is_mount():
            return
        for name in ("upper", "work", "root"):
            (self.directory / name).mkdir()
        options = (
            f"lowerdir=/,upperdir={self.directory / 'upper'},workdir={self.directory / 'work'}"
        )
        subprocess.run(
            ["mount", "-t", "overlay", f"lab-{self.name}", "-o", options, self.root], check=True
        )

    def _prepare(self) -> None:
        self.write("/etc/machine-id", "")
        self.write("/etc/hostname", f"{self.name}\n")
        self.write("/etc/fstab", "")
        self.write(
            "/etc/systemd/journald.conf.d/lab.conf",
            "[Journal]\nStorage=volatile\nRateLimitIntervalSec=0\n",
        )
        for unit in self._masked:
            link = self.root / "etc/systemd/system" / unit
            link.unlink(missing_ok=True)
            link.symlink_to("/dev/null")

    def _spawn(self, notify: Path) -> None:
        """In a cgroup of its own: nspawn makes others in the one it is started in, and leaves them."""
        for cgroup in self._cgroups:
            cgroup.mkdir(exist_ok=True)
        enter = " && ".join(f"echo $$ > {cgroup}/cgroup.procs" for cgroup in self._cgroups)
        nspawn = ["systemd-nspawn", "--quiet", f"--directory={self.root}", "--boot"]
        nspawn += ["--register=no", "--keep-unit", f"--machine={self.name}", "--notify-ready=yes"]
        nspawn += ["--console=pipe", "--link-journal=no", "--resolv-conf=off", "--timezone=off"]
        nspawn += ["--kill-signal=SIGRTMIN+3", "--private-network", *self._binds]
        nspawn += ["systemd.unit=multi-user.target", "systemd.show_status=0"]
        with (self.directory / "console").open("ab") as console:
            self._process = subprocess.Popen(
                ["/bin/sh", "-c", f'{enter} && exec "$@"', "sh", *nspawn],
                stdin=subprocess.DEVNULL,
                stdout=console,
                stderr=console,
                env={**os.environ, "NOTIFY_SOCKET": str(notify)},
                start_new_session=True,
            )

    def _await_boot(self, receiver: socket.socket) -> int:
        """The process id of the container's first process, once that says that the boot is done."""
        leader, deadline = 0, time.monotonic() + BOOT_SECONDS
        while True:
            receiver.settimeout(max(0.001, deadline - time.monotonic()))
            try:
                lines = receiver.recv(4096).decode().split("\n")
            except TimeoutError:
                console = (self.directory / "console").read_text(errors="replace")
                raise AssertionError(f"the container does not boot:\n{console[-3000:]}") from None
            for line in lines:
                if line.startswith("X_NSPAWN_LEADER_PID="):
                    leader = int(line.partition("=")[2])
            if "READY=1" in lines and leader:
                return leader

    def _namespace(self, kind: str) -> Path:
        return Path(f"/proc/{self._leader}/ns/{kind}")


def os_setns(descriptor: int) -> None:
    """Python has it from 3.12 on only."""
    import ctypes

    libc = ctypes.CDLL(None, use_errno=True)
    if libc.setns(descriptor, 0):
        raise OSError(ctypes.get_errno(), "setns")


def _cgroup_roots() -> list[Path]:
    """Version 2, or systemd's own hierarchies of version 1."""
    base = Path("/sys/fs/cgroup")
    if (base / "cgroup.controllers").exists():
        return [base]
    return [base / name for name in ("systemd", "unified") if (base / name).is_dir()]


def _remove_cgroup(cgroup: Path) -> None:
    """Its last processes may still be on their way out."""

    def is_removed() -> bool:
        for directory, _, _ in os.walk(cgroup, topdown=False):
            with suppress(OSError):
                Path(directory).rmdir()
        return not cgroup.exists()

    wait_until(is_removed, timeout=STOP_SECONDS, what=f"the end of {cgroup}")
