"""Orders to a controller's own process, through its API."""

import logging
from collections.abc import Iterator
from typing import Any

import pytest
import structlog

from libra.config.controller import AdminSettings, QuotaSettings
from libra.config.settings import Settings
from libra.config.values import replaced
from libra.errors import Invalid, StateError
from libra.model.access import Role
from tests.support.control import ControlLab, control_lab

LEVELS = {"CRITICAL": 50, "ERROR": 40, "WARNING": 30, "INFO": 20, "DEBUG": 10, "VERBOSE": 9}


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlLab]:
    with control_lab(tmp_path_factory.mktemp("daemon")) as lab:
        yield lab


@pytest.fixture
def loggers() -> Iterator[None]:
    """As they were."""
    own = logging.getLogger("libra")
    before = own.level
    yield
    own.setLevel(before)
    structlog.reset_defaults()


@pytest.fixture
def settings(lab: ControlLab) -> Iterator[Settings]:
    """As the controller has them; read again unchanged afterwards."""
    yield lab.settings
    lab.to_read = lambda: lab.settings
    assert lab.client.post("/?action=reconfig").status_code == 200


def events(lab: ControlLab, kind: str) -> list[dict[str, Any]]:
    found = lab.get("/v1/events", limit=1000)["events"]
    return [item for item in found if item["kind"] == kind]


@pytest.mark.parametrize("name", LEVELS)
@pytest.mark.parametrize("spell", [str.upper, str.lower, str.title])
def test_the_level_counts_at_once(lab: ControlLab, loggers: None, name: str, spell: Any) -> None:
    response = lab.client.put("/", params={"log_level": spell(name)})
    assert (response.status_code, response.text) == (200, f"logs from {name} on\n")
    assert logging.getLogger("libra").level == LEVELS[name]
    log = structlog.get_logger("libra.test").bind()
    heard = {level for level in range(10, 60, 10) if log.is_enabled_for(level)}
    assert heard == {level for level in range(10, 60, 10) if level >= LEVELS[name]}
    (*_, last) = events(lab, "controller.log_level")
    assert (last["reason"], last["subject_id"]) == (name, lab.controller.steering.id)


def test_a_level_may_stand_in_the_form(lab: ControlLab, loggers: None) -> None:
    response = lab.client.put("/", data={"log_level": "debug", "comment": "to see more"})
    assert response.status_code == 200
    assert events(lab, "controller.log_level")[-1]["comment"] == "to see more"


@pytest.mark.parametrize("given", ["LOUD", "", "10", "notset", "\u0130NFO", "info\n"])
def test_no_level_is_told_which_there_are(lab: ControlLab, given: str) -> None:
    before = logging.getLogger("libra").level
    response = lab.client.put("/", params={"log_level": given})
    assert response.status_code == 400
    for name in LEVELS:
        assert name in response.text
    assert logging.getLogger("libra").level == before


@pytest.mark.parametrize("request_", ["PUT /", "POST /", "POST /?action=stop", "PUT /?level=INFO"])
def test_what_is_no_order(lab: ControlLab, request_: str) -> None:
    method, _, path = request_.partition(" ")
    assert lab.client.request(method, path).status_code == 400


@pytest.mark.parametrize("role", [Role.MEMBER, Role.READER])
@pytest.mark.parametrize(
    "request_", ["PUT /?log_level=INFO", "POST /?action=reconfig", "POST /?action=quick_shutdown"]
)
def test_operators_only(lab: ControlLab, role: Role, request_: str) -> None:
    method, _, path = request_.partition(" ")
    assert lab.token(role, "shop").request(method, path).status_code == 403
    assert lab.client_with(None).request(method, path).status_code == 401
    assert not lab.controller.steering.is_quick


def test_settings_that_changed_are_told_and_pools_keep_enabled(
    lab: ControlLab, settings: Settings
) -> None:
    lab.post("/v1/device-pools", {"name": "edge"})
    lab.to_read = lambda: replaced(
        settings,
        admin=replaced(settings.admin, keep_devices=True, require_comment=True),
        quotas=QuotaSettings(load_balancer=3),
    )
    response = lab.client.post("/?action=reconfig", headers={"Accept": "application/json"})
    assert response.json() == {
        "changed": ["admin.keep_devices"],
        "needs_restart": ["admin.require_comment", "quotas.load_balancer"],
    }
    assert lab.controller.keep_devices
    again = lab.client.post("/?action=reconfig")
    assert again.text == (
        "read the settings\n"
        "needs a restart: admin.require_comment\n"
        "needs a restart: quotas.load_balancer\n"
    )
    assert lab.get("/v1/device-pools/edge")["device_pool"]["disabled"] is False
    assert "admin.keep_devices" in events(lab, "controller.reconfigured")[-2]["reason"]


@pytest.mark.parametrize(
    "fault", [Invalid("api.prt: no such key\nquotas.listener: no number"), StateError("no file")]
)
def test_settings_at_fault_change_nothing(
    lab: ControlLab, settings: Settings, fault: Exception
) -> None:
    def read() -> Settings:
        raise fault

    lab.to_read = read
    before = len(events(lab, "controller.reconfigured"))
    response = lab.client.post("/?action=reconfig")
    assert response.status_code == 400
    for line in str(fault).splitlines():
        assert line in response.text
    assert len(events(lab, "controller.reconfigured")) == before
    assert not lab.controller.keep_devices


def test_a_token_that_cannot_be_read_changes_nothing(
    lab: ControlLab, settings: Settings, tmp_path: Any
) -> None:
    (tmp_path / "token").write_text("two\nlines")
    lab.to_read = lambda: replaced(
        settings,
        controller=replaced(settings.controller, admin_token_file=tmp_path / "token"),
        admin=AdminSettings(keep_devices=True),
    )
    response = lab.client.post("/?action=reconfig")
    assert response.status_code == 400
    assert "it must be one line" in response.text
    assert not lab.controller.keep_devices


def test_a_controller_without_a_file_says_so(lab: ControlLab) -> None:
    renew, lab.controller.steering.renew = lab.controller.steering.renew, None
    try:
        assert lab.client.post("/?action=reconfig").status_code == 409
    finally:
        lab.controller.steering.renew = renew
