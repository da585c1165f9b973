"""Fixtures of a real Swift (apart from swift_lab.py, which has to do without pytest)."""

import os
import uuid
from collections.abc import Iterator

import pytest

from tests.support.swift_lab import SwiftLab


@pytest.fixture(scope="session")
def swift_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SwiftLab]:
    """One for the whole run, with small limits (16 MiB an object), so that they are cheap to reach."""
    need_swift()
    with SwiftLab(tmp_path_factory.mktemp("swift")) as lab:
        yield lab


@pytest.fixture
def swift(swift_cluster: SwiftLab) -> Iterator[SwiftLab]:
    """The shared cluster, without the faults of other tests."""
    swift_cluster.fault()
    yield swift_cluster
    swift_cluster.fault()


@pytest.fixture
def container() -> str:
    """A name that no other test uses."""
    return f"logs-{uuid.uuid4().hex[:12]}"


def need_swift() -> None:
    """Skips the test where Swift is missing, but fails where CI is set."""
    reason = SwiftLab.missing()
    if reason is None:
        return
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)
