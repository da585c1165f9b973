"""Whatever is sent to the API, no answer is a fault of ours, and each is as /openapi.json says."""

from collections.abc import Iterator

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.support.control import ControlLab, control_lab

EXAMPLES = 4
# schemathesis itself uses `random` where Hypothesis would rather it did not
pytestmark = pytest.mark.filterwarnings("ignore::hypothesis.errors.HypothesisDeprecationWarning")
# Not what refuses bodies that break the schema: texts are taken for numbers, as Octavia does.
CHECKS = [
    content_type_conformance,
    not_a_server_error,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
]


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlLab]:
    with control_lab(tmp_path_factory.mktemp("schema")) as lab:
        lab.worker()
        lab.create()
        yield lab


def test_every_operation(lab: ControlLab) -> None:
    document = lab.get("/openapi.json")
    schema = schemathesis.openapi.from_dict(document)
    operations = [result.ok() for result in schema.get_all_operations()]
    assert len(operations) == sum(len(methods) for methods in document["paths"].values())
    faults: dict[str, str] = {}
    for operation in operations:
        name = f"{operation.method.upper()} {operation.path}"
        try:
            _try(lab, operation)
        except Exception as error:  # noqa: BLE001 - all of them are told at once
            several = error.exceptions if isinstance(error, ExceptionGroup) else [error]
            faults[name] = " ".join(str(one)[:300] for one in several)
    assert faults == {}
    assert lab.client.get("/readyz").status_code == 200


def _try(lab: ControlLab, operation: schemathesis.APIOperation) -> None:  # type: ignore[name-defined]
    base = str(lab.client.base_url).rstrip("/")

    @given(case=operation.as_strategy())
    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        derandomize=True,
        database=None,
    )
    def check(case: schemathesis.Case) -> None:
        headers = {"X-Auth-Token": lab.secret}
        response = case.call(base_url=base, headers=headers, timeout=60)
        if response.status_code in (501, 503):  # not done here, and no room for it
            return
        case.validate_response(response, checks=CHECKS)

    check()
