"""Orders of `libra admin` to the controller itself: how much it logs, its settings, its end."""

from collections.abc import Iterator

import pytest

from tests.support.operating import Operator, operating

COMMENT = "before the upgrade"


@pytest.fixture(scope="module")
def operator() -> Iterator[Operator]:
    with operating() as operator:
        yield operator


def test_the_log_level(operator: Operator) -> None:
    assert "VERBOSE" in operator.run("admin", "log-level", "verbose", "-C", COMMENT)
    assert operator.json("admin", "log-level", "INFO") == {"log_level": "INFO"}
    operator.run("admin", "log-level", "LOUD", status=2)
