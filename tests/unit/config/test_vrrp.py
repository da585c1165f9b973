"""The settings of shared addresses."""

from typing import Any

import pytest
from pydantic import ValidationError

from libra.config.settings import VipSettings, VrrpSettings


def vip(**changes: Any) -> VipSettings:
    settings = {
        "adapter": "keepalived",
        "networks": ["10.0.0.0/24", "fd00::/120"],
        "vrrp": {"interface": "eth0"},
    }
    return VipSettings.model_validate({**settings, **changes})


def test_what_it_needs() -> None:
    assert vip().vrrp == VrrpSettings(interface="eth0")
    assert vip(vrrp={}, interface="eth0").vrrp == VrrpSettings()
    with pytest.raises(ValidationError, match="needs networks"):
        vip(networks=[])
    with pytest.raises(ValidationError, match=r"needs vrrp\.interface"):
        vip(vrrp={})


def test_more_addresses_than_virtual_routers() -> None:
    for networks in (["10.0.0.0/23"], ["10.0.0.0/25", "10.0.1.0/24"], ["fd00::/64"]):
        with pytest.raises(ValidationError, match=r"256 addresses of IPv[46] at most"):
            vip(networks=networks)
        assert vip(adapter="interface", networks=networks).networks


@pytest.mark.parametrize(
    "wrong",
    [
        {"router_id": 0},
        {"router_id": 256},
        {"router_id": True},
        {"priority": 0},
        {"priority": 255},
        {"advert_seconds": 0.04},
        {"advert_seconds": 41},
        {"peers": ["web1"]},
        {"peers": ["10.0.0.1/24"]},
        {"peers": ["224.0.0.18"]},
        {"peers": ["fe80::1%eth0"]},
        {"preempt_delay_seconds": 1001},
        {"supervisor": "init"},
        {"config_file": "keepalived.conf"},
        {"auth_pass": "secret"},
    ],
)
def test_what_keepalived_would_not_take(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        vip(vrrp={"interface": "eth0", **wrong})
