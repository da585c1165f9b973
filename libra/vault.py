"""Encrypts secrets that must be stored and sent again, with a key that only this host's user can read.

Fernet of the package cryptography: AES-128-CBC with HMAC-SHA256. A database that leaks is no use without the key.
"""

import os
from pathlib import Path

from libra.durable import replace_file
from libra.errors import Invalid, StateError


class Vault:
    """Every controller on one database needs the same key."""

    def __init__(self, key: bytes) -> None:
        from cryptography.fernet import Fernet

        self._fernet = Fernet(key)

    def seal(self, secret: str) -> str:
        """Another text each time."""
        return self._fernet.encrypt(secret.encode()).decode()

    def unseal(self, sealed: str) -> str:
        """Raises `Invalid` where it was sealed with another key."""
        from cryptography.fernet import InvalidToken

        try:
            return self._fernet.decrypt(sealed.encode()).decode()
        except InvalidToken:
            raise Invalid("cannot open a stored secret: it was sealed with another key") from None


def open_vault(key_file: Path) -> Vault:
    """Makes the key where there is none; raises `StateError`."""
    from cryptography.fernet import Fernet

    try:
        if not key_file.exists():
            key_file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            replace_file(key_file, Fernet.generate_key() + b"\n", mode=0o600)
        if key_file.stat().st_mode & 0o077:
            os.chmod(key_file, 0o600)  # noqa: PTH101 - by its name: the file is ours
        return Vault(key_file.read_bytes().strip())
    except OSError as error:
        raise StateError(f"cannot use the key {key_file}: {error.strerror}") from error
    except ValueError:
        raise StateError(f"cannot use the key {key_file}: it is no key of libra's") from None
