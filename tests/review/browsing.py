"""Debian's Chromium for the page's tests and pictures: found, started without a sandbox, watched for errors."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from playwright.sync_api import Browser, Page, sync_playwright

SNN, BN = (f"figure1/mnist/{network}/d32-00000000" for network in ("SNN", "BN"))  # of the fixture figure1_root
VIEWS = ("", "#figure", f"#run?id={SNN}", f"#compare?a={SNN}&b={BN}")
MAP = "section[aria-label='Moments'] .chart:not(.profile)"

NAMES = ("chromium", "chromium-browser", "google-chrome")
QUIET = (
    "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-quic", "--disable-component-update",
    "--disable-sync",
)  # fmt: skip


def chromium() -> str | None:
    """Path of the browser, None where there is none."""
    return next((path for name in NAMES if (path := shutil.which(name))), None)


@contextmanager
def started(path: str) -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=list(QUIET))
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def page_of(browser: Browser, **options: Any) -> Iterator[Page]:
    """A page in a profile of its own; at its end there must have been no error and no request to another host."""
    options.setdefault("viewport", {"width": 1280, "height": 900})
    context = browser.new_context(**options)
    page = context.new_page()
    faults: list[str] = []
    page.on("console", lambda message: faults.append(message.text) if message.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: faults.append(str(error)))
    local = ("http://127.0.0.1:", "file://", "data:", "blob:", "about:")
    page.on("request", lambda request: None if request.url.startswith(local) else faults.append(request.url))
    try:
        yield page
        assert faults == []
    finally:
        context.close()


def visit(page: Page, address: str) -> None:
    """Open an address anew and wait until its view is drawn."""
    page.goto("about:blank")  # else only the hash changes
    page.goto(address)
    page.wait_for_selector("html[data-ready]", timeout=60_000)


def rows(page: Page, table: str = "#runs") -> list[str]:
    return page.locator(f"{table} tbody tr").all_inner_texts()


def hover(page: Page, chart: str, x: float, y: float) -> str:
    """Point at data coordinates of a chart; returns what the hover label says."""
    page.locator(chart).scroll_into_view_if_needed()
    place: Any = page.eval_on_selector(
        chart,
        """(chart, [x, y]) => {
          const { xaxis, yaxis } = chart._fullLayout, box = chart.getBoundingClientRect();
          return [box.left + xaxis._offset + xaxis.d2p(x), box.top + yaxis._offset + yaxis.d2p(y)];
        }""",
        [x, y],
    )
    page.mouse.move(place[0] - 3, place[1])
    page.mouse.move(place[0], place[1])
    page.wait_for_selector(f"{chart} .hoverlayer .hovertext")
    return " ".join(page.locator(f"{chart} .hovertext tspan").all_text_contents())
