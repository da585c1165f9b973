"""A real sshd on loopback addresses, and the client's side of it."""

import os
import subprocess
from pathlib import Path
from typing import Self

from tests.support.ports import accepts, free_port, wait_until
from tests.support.programs import find_program

CONFIG = """\
Port {port}
{listen}
HostKey {directory}/host
PidFile none
AuthorizedKeysFile {directory}/client.pub
StrictModes no
UsePAM no
PasswordAuthentication no
PermitRootLogin yes
SetEnv PATH={directory}/bin:/usr/bin:/bin
"""
CLIENT = """\
Host *
    Port {port}
    IdentityFile {directory}/client
    IdentitiesOnly yes
    StrictHostKeyChecking no
    UserKnownHostsFile {directory}/known
"""


class Sshd:
    """`home` is a home directory whose owner may log in. Programs in `bin` come first for who does."""

    def __init__(self, directory: Path, addresses: list[str]) -> None:
        self.bin, self.home = directory / "bin", directory / "home"
        self.bin.mkdir()
        (self.home / ".ssh").mkdir(parents=True)
        self._directory, self._addresses = directory, addresses
        self._port = free_port()
        for name in ("host", "client"):
            make = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", directory / name]
            subprocess.run(make, check=True)
        listen = "\n".join(f"ListenAddress {address}" for address in addresses)
        values = {"port": self._port, "directory": directory, "listen": listen}
        (directory / "sshd_config").write_text(CONFIG.format_map(values))
        (self.home / ".ssh" / "config").write_text(CLIENT.format_map(values))

    def program(self, name: str, script: str) -> None:
        """For /bin/sh, in `bin`."""
        path = self.bin / name
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)

    def __enter__(self) -> Self:
        if os.getuid() == 0:
            Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
        program = find_program("sshd", package="openssh-server")
        command = [program, "-D", "-e", "-f", self._directory / "sshd_config"]
        with (self._directory / "sshd.log").open("ab") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log)
        for address in self._addresses:
            wait_until(lambda host=address: accepts(self._port, host), what="sshd")
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait(10)
