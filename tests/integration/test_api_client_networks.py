"""Client networks must be able to reach the address that they are allowed at."""

from pathlib import Path

from tests.support.control import LBAAS, control_lab


def test_networks_of_the_other_family_are_refused_and_change_nothing(tmp_path: Path) -> None:
    with control_lab(tmp_path) as lab:
        lab.worker()
        owner = lab.create()["id"]
        wanted = {"loadbalancer_id": owner, "protocol": "TCP", "protocol_port": 9000}
        mixed = {"allowed_cidrs": ["10.0.0.0/8", "2001:db8::/32"]}
        fault = lab.post(f"{LBAAS}/listeners", {"listener": {**wanted, **mixed}}, 400)
        assert "2001:db8::/32" in fault["faultstring"]
        assert lab.show(owner)["provisioning_status"] == "ACTIVE"
        plain = {"allowed_cidrs": ["10.0.0.0/8"]}
        made = lab.post(f"{LBAAS}/listeners", {"listener": {**wanted, **plain}})["listener"]
        lab.wait_active(owner)
        lab.put(f"{LBAAS}/listeners/{made['id']}", {"listener": mixed}, 400)
        shown = lab.get(f"{LBAAS}/listeners/{made['id']}")["listener"]
        assert shown["allowed_cidrs"] == ["10.0.0.0/8"]
        assert lab.show(owner)["provisioning_status"] == "ACTIVE"
