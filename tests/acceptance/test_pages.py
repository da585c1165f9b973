"""The pages in real Chromium: by mouse, by keyboard, on a phone, live, and without scripts.

Pictures of them go where `tests.support.browser.SHOTS` says.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from tests.support.browser import browser, open_page, shoot  # noqa: F401 - a fixture
from tests.support.control import ControlLab, control_lab

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

LIVE = "#link[data-tone=good]"
PAGES = {
    "fleet": "/ui/",
    "devices": "/ui/devices",
    "device": "/ui/devices/web1",
    "loadbalancers": "/ui/loadbalancers",
    "webclusters": "/ui/webclusters",
    "nodes": "/ui/nodes",
    "rollouts": "/ui/rollouts",
    "jobs": "/ui/jobs",
    "events": "/ui/events",
}


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlLab]:
    with control_lab(tmp_path_factory.mktemp("pages")) as made:
        made.worker()
        made.create("shop")
        for name in ("web1", "web2", "web3"):
            made.post("/v1/nodes", {"name": name, "group": "web", "address": "10.0.0.1"})
        made.post("/v1/webclusters", {"name": "site"})
        yield made


def go(page: "Page", lab: ControlLab, path: str = "/ui/") -> None:
    page.goto(f"http://127.0.0.1:{lab.controller.api.port}{path}")


def sign_in(page: "Page", lab: ControlLab) -> None:
    go(page, lab)
    page.fill("#token", lab.secret)
    page.keyboard.press("Enter")
    page.wait_for_selector("h1")


@pytest.mark.parametrize("phone", [False, True], ids=["desk", "phone"])
def test_every_page_fits(lab: ControlLab, browser: "Browser", phone: bool) -> None:  # noqa: F811
    where = "phone" if phone else "desk"
    with open_page(browser, phone=phone) as page:
        go(page, lab)
        shoot(page, f"login-{where}")
        sign_in(page, lab)
        for name, path in PAGES.items():
            go(page, lab, path)
            page.wait_for_selector(LIVE)
            shoot(page, f"{name}-{where}")
            # Nothing has to be scrolled sideways.
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), name
        go(page, lab, "/ui/loadbalancers")
        page.click("text=shop")
        page.wait_for_selector("text=Listeners")
        shoot(page, f"loadbalancer-{where}")


def test_what_changes_shows_by_itself(lab: ControlLab, browser: "Browser") -> None:  # noqa: F811
    with open_page(browser) as page:
        sign_in(page, lab)
        go(page, lab, "/ui/devices")
        page.wait_for_selector(LIVE)
        lab.post("/v1/devices", {"name": "late1", "address": "10.9.9.9"})
        page.wait_for_selector("#devices >> text=late1")
        lab.delete("/v1/devices/late1")
        page.wait_for_selector("#devices >> text=late1", state="detached")


def test_the_focus_stays_where_it_is(lab: ControlLab, browser: "Browser") -> None:  # noqa: F811
    with open_page(browser) as page:
        sign_in(page, lab)
        go(page, lab, "/ui/devices")
        page.wait_for_selector(LIVE)
        page.focus("#devices a")
        held = page.evaluate("document.activeElement.href")
        lab.post("/v1/devices", {"name": "late2", "address": "10.9.9.8"})
        page.wait_for_selector("#devices >> text=late2")
        assert page.evaluate("document.activeElement.href") == held
        lab.delete("/v1/devices/late2")


def test_everything_is_done_by_the_keyboard(lab: ControlLab, browser: "Browser") -> None:  # noqa: F811
    with open_page(browser) as page:
        sign_in(page, lab)
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.textContent") == "Skip to the content"
        go(page, lab, "/ui/loadbalancers")
        page.keyboard.press("/")
        page.keyboard.type("nothing like that")
        page.wait_for_selector("#balancers tr[data-row]", state="hidden")
        page.keyboard.press("Escape")
        page.wait_for_selector("#balancers tr[data-row]", state="visible")
        go(page, lab, "/ui/nodes")
        page.focus("input[name=offline][value=web2]")
        page.keyboard.press("Space")
        page.focus("text=Save offline nodes")
        page.keyboard.press("Enter")
        page.wait_for_selector("input[name=offline][value=web2]:checked")
        assert lab.get("/v1/nodes/web2")["node"]["status"] == "offline"
        shoot(page, "nodes-marked")
        lab.put("/v1/nodes/web2/status", {"status": "online"})
        page.wait_for_selector("input[name=offline][value=web2]:not(:checked)")


def test_the_focus_stays_while_the_page_changes(lab: ControlLab, browser: "Browser") -> None:  # noqa: F811
    with open_page(browser) as page:
        sign_in(page, lab)
        go(page, lab, "/ui/nodes")
        page.wait_for_selector(LIVE)
        for status, box in (("offline", ":checked"), ("online", ":not(:checked)")):
            held = ("input[name=offline][value=web2]", "text=Save offline nodes")[box != ":checked"]
            page.focus(held)
            lab.put("/v1/nodes/web1/status", {"status": status})
            page.wait_for_selector(f"input[name=offline][value=web1]{box}")
            assert page.locator(held).evaluate("held => held === document.activeElement")


def test_boxes_that_one_has_ticked_stay_ticked(lab: ControlLab, browser: "Browser") -> None:  # noqa: F811
    with open_page(browser) as page:
        sign_in(page, lab)
        go(page, lab, "/ui/nodes")
        page.wait_for_selector(LIVE)
        page.check("input[name=offline][value=web3]")
        with page.expect_event("console", lambda said: said.text == "looked"):
            lab.put("/v1/nodes/web1/status", {"status": "offline"})
            page.evaluate(
                "new EventSource('/ui/live/nodes').addEventListener('part', () => console.log('looked'))"
            )
        assert page.is_checked("input[name=offline][value=web3]")
        lab.put("/v1/nodes/web1/status", {"status": "online"})


def test_what_was_opened_stays_open(lab: ControlLab, browser: "Browser") -> None:  # noqa: F811
    with open_page(browser) as page:
        sign_in(page, lab)
        go(page, lab, "/ui/nodes")
        page.wait_for_selector(LIVE)
        page.click("text=The list of web")
        lab.put("/v1/nodes/web1/status", {"status": "offline"})
        page.wait_for_selector("input[name=offline][value=web1]:checked")
        assert page.is_visible("text=Save nodes")
        lab.put("/v1/nodes/web1/status", {"status": "online"})


def test_an_order_is_confirmed_first(lab: ControlLab, browser: "Browser") -> None:  # noqa: F811
    with open_page(browser) as page:
        sign_in(page, lab)
        go(page, lab, "/ui/devices/web1")
        page.click("text=Evacuate")
        shoot(page, "confirm")
        page.click("text=Leave it")
        page.wait_for_selector("text=Generation")
        assert lab.get("/v1/devices/web1")["device"]["state"] == "ASSIGNED"


def test_it_works_without_scripts(lab: ControlLab, browser: "Browser") -> None:  # noqa: F811
    with open_page(browser, scripts=False) as page:
        sign_in(page, lab)
        for path in PAGES.values():
            go(page, lab, path)
            assert page.query_selector("h1") is not None
        go(page, lab, "/ui/devices?state=ASSIGNED")
        assert "web1" in page.inner_text("#devices")
        page.click("text=Sign out")
        assert page.query_selector("#token") is not None


def test_a_server_that_is_gone_is_told(lab: ControlLab, browser: "Browser") -> None:  # noqa: F811
    with open_page(browser) as page:
        sign_in(page, lab)
        page.wait_for_selector(LIVE)
        page.context.set_offline(True)
        page.context.set_offline(False)
        page.wait_for_selector(LIVE)
