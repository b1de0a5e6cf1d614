"""Names in charts: plotly reads a little HTML in every text, so a `<` must reach it as `&lt;`.

charts.js runs in the Node that playwright brings, with a plotly that only remembers what it was asked to draw.
"""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from playwright._impl._driver import compute_driver_executable
from playwright.sync_api import Page
from review.browsing import visit
from review.serving import served

from selfnorm.review.page import page_text

NAME = "<i>relu</i> & <b>more"
ESCAPED = "&lt;i&gt;relu&lt;/i&gt; &amp; &lt;b&gt;more"
HARNESS = """
const vm = require("vm"), asked = [];
const page = {
  console,
  document: { documentElement: {}, createElement: () => ({ setAttribute() {}, append() {}, isConnected: true }) },
  window: { innerWidth: 1000, Plotly: { react: (element, traces, layout) => asked.push({ traces, layout }) },
            matchMedia: () => ({ matches: false, addEventListener() {} }) },
  getComputedStyle: () => ({ getPropertyValue: () => "#000000" }), Node: class {},
};
vm.createContext(page);
vm.runInContext(SCRIPTS + `
  const y = [1, 2], colours = { colour: "#112233", dark: "#112233" };
  const line = { title: NAME, ...colours, step: [0, 1], mean: y, low: y, high: y, first: y };
  draw(el("div"), () => ({ traces: bandTraces(line, { first: true }), layout: { title: NAME } }));
  heatMap(el("div"), { title: NAME, column: NAME, steps: [0, 1], layers: [1, 2], values_TL: [[1, 2], [3, 4]],
                       scale: { log: false, zmin: 1, zmax: 4, colorscale: "Cividis" }, at: 0, below: 44 });
`, page);
console.log(JSON.stringify(asked));
"""


def texts(value: Any) -> list[str]:
    """Every string in a drawing, however deep; but for the groups of a legend, which are not drawn."""
    if isinstance(value, str):
        return [value]
    if isinstance(value, dict):
        value = [part for key, part in value.items() if key != "legendgroup"]
    parts = value if isinstance(value, list) else ()
    return [text for part in parts for text in texts(part)]


def test_every_text_of_a_chart_is_escaped() -> None:
    scripts = f"const NAME = {json.dumps(NAME)};" + page_text("dom.js") + page_text("charts.js")
    node, _ = compute_driver_executable()
    done = subprocess.run(
        [node, "-"], input=HARNESS.replace("SCRIPTS", json.dumps(scripts)), capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    band, heat = json.loads(done.stdout)
    for drawing in (band, heat):  # in the title, and in the legend or under the pointer
        drawn = [text for text in texts(drawing) if "relu" in text]
        assert len(drawn) > 1
        assert all(ESCAPED in text and "<i>" not in text and "<b>m" not in text for text in drawn), drawn


@pytest.mark.slow
def test_a_legend_shows_markup_letter_by_letter(page: Page, hostile_root: Path) -> None:
    with served(hostile_root) as address:
        visit(page, f"{address}/#figure")
        page.wait_for_selector(".legendtext")
        shown = page.locator(".legendtext").all_text_contents()
        assert any("<I>RELU<I>" in text for text in shown), shown
        assert page.locator(".chart tspan[style*='italic']").count() == 0
