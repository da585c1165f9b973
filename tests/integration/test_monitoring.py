"""Alerts and dashboard in etc/: what promtool says of them, and that they ask for nothing that nobody tells."""

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.control import ControlLab, control_lab
from tests.support.programs import find_program

ETC = Path(__file__).parents[2] / "etc"
RULES, RULES_TEST = (ETC / "prometheus" / f"libra-alerts{end}.yaml" for end in ("", "-test"))
DASHBOARD = ETC / "grafana" / "libra.json"
GUIDE = ETC.parent / "doc" / "how-to" / "monitoring.md"
METRIC = re.compile(r"\b(?:libra|process)_[a-z_]+")
VARIABLES = {"$__rate_interval": "5m", "$job": "libra"}


def promtool(*arguments: str) -> subprocess.CompletedProcess[str]:
    program = find_program("promtool", package="prometheus")
    return subprocess.run([program, *arguments], capture_output=True, text=True, timeout=60)


def read_alerts() -> list[dict[str, Any]]:
    groups = yaml.safe_load(RULES.read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


def read_panels() -> list[dict[str, Any]]:
    return [panel for panel in json.loads(DASHBOARD.read_text())["panels"] if "targets" in panel]


def read_queries() -> list[str]:
    queries = [target["expr"] for panel in read_panels() for target in panel["targets"]]
    for name, value in VARIABLES.items():
        queries = [query.replace(name, value) for query in queries]
    return queries


def test_the_rules_are_good() -> None:
    run = promtool("check", "rules", str(RULES))
    assert (run.returncode, run.stderr) == (0, "")


def test_the_alerts_fire_where_they_should_and_only_there() -> None:
    run = promtool("test", "rules", str(RULES_TEST))
    assert run.returncode == 0, run.stdout + run.stderr


def test_an_alert_that_never_fires_is_noticed(tmp_path: Path) -> None:
    """Each is awaited by one of promtool's tests, for without its rule these fail."""
    for path in (RULES, RULES_TEST):
        shutil.copy(path, tmp_path)
    names = [alert["alert"] for alert in read_alerts()]
    # Each takes promtool most of a second; in CI some of them, where all are looked at by whoever changes one.
    for name in names[:: 5 if os.environ.get("CI") else 1]:
        changed = RULES.read_text().replace(f"alert: {name}\n", "alert: Other\n")
        (tmp_path / RULES.name).write_text(changed)
        assert promtool("test", "rules", str(tmp_path / RULES_TEST.name)).returncode != 0, name
    assert len(names) == len(set(names)) > 10


def test_what_the_dashboard_asks_is_promql(tmp_path: Path) -> None:
    rules = [{"record": f"a:{n}", "expr": query} for n, query in enumerate(read_queries())]
    path = tmp_path / "rules.yaml"
    path.write_text(yaml.safe_dump({"groups": [{"name": "dashboard", "rules": rules}]}))
    run = promtool("check", "rules", "--lint=none", str(path))
    assert run.returncode == 0, run.stdout + run.stderr


def test_panels_have_ids_and_places_of_their_own() -> None:
    panels = json.loads(DASHBOARD.read_text())["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    cells = [
        (x, y)
        for place in (panel["gridPos"] for panel in panels)
        for x in range(place["x"], place["x"] + place["w"])
        for y in range(place["y"], place["y"] + place["h"])
    ]
    assert len(set(cells)) == len(cells)
    assert max(x for x, _ in cells) < 24


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlLab]:
    with control_lab(tmp_path_factory.mktemp("monitoring")) as lab:
        lab.worker()
        lab.create()
        yield lab


def test_every_metric_that_is_asked_for_is_there(lab: ControlLab) -> None:
    asked = {name for query in read_queries() for name in METRIC.findall(query)}
    asked |= {name for alert in read_alerts() for name in METRIC.findall(alert["expr"])}
    asked |= set(METRIC.findall(json.dumps(json.loads(DASHBOARD.read_text())["templating"])))
    assert len(asked) > 20

    def missing() -> set[str]:
        text = lab.client.get("/metrics").text
        return asked - set(re.findall(r"^[a-z_]+", text, re.MULTILINE)) - HEADS_ONLY

    lab.wait(lambda: not missing(), f"{missing()}")
    heads = set(re.findall(r"^# TYPE ([a-z_]+)", lab.client.get("/metrics").text, re.MULTILINE))
    assert heads >= HEADS_ONLY


HEADS_ONLY = {"libra_jobs_open"}
"""Of which there is no series while no job is under way."""


def test_the_guide_names_every_metric_of_ours(lab: ControlLab) -> None:
    guide = set(re.findall(r"libra_[a-z_]+", GUIDE.read_text()))
    text = lab.client.get("/metrics").text
    kinds = dict(re.findall(r"^# TYPE (libra_[a-z_]+) (\w+)", text, re.MULTILINE))
    assert guide == set(kinds)
