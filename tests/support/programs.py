"""Programs that tests run, where the machine has them."""

import os
import shutil

import pytest


def find_program(name: str, *, package: str) -> str:
    """Its path; skips the test where it is missing, but fails where CI is set. `package` is Debian's."""
    path = shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
    if path is None:
        reason = f"{name} is not installed (Debian: {package})"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    return path
