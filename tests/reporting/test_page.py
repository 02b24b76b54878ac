"""The page in a browser: no errors, tables that sort and filter, paper."""

import html
import json
import re

import pytest

from tests.browser import CHROMIUM, browse, needs_chromium
from tests.helpers import copy_of
from tests.reporting_region import write_region

# Clicks headers and types, and writes what is then seen into the page's title.
SCRIPT = """
<script>
const header = (name) => [...document.querySelectorAll(".feature-table th button")]
  .find((button) => button.textContent.startsWith(name));
const seen = () => [...document.querySelectorAll(".feature-table tbody tr")]
  .filter((row) => !row.hidden).map((row) => row.cells[0].textContent.trim());
const orders = [seen()];
for (const name of ["RMSE", "RMSE", "area", "feature"]) {
  header(name).click();
  orders.push(seen());
}
orders.push(document.querySelectorAll("th[aria-sort]").length);
const filter = document.querySelector(".feature-table input");
for (const text of ["north", "TEST south", "nobody", ""]) {
  filter.value = text;
  filter.dispatchEvent(new Event("input"));
  orders.push(seen());
}
orders.push(document.querySelector(".feature-table output").textContent);
orders.push(performance.getEntriesByType("resource")
  .filter((entry) => !entry.name.startsWith("data:")).length);
document.title = JSON.stringify(orders);
</script>
"""


@pytest.mark.slow
@needs_chromium
def test_tables_sort_and_filter(reported, tmp_path):
    "Numbers as numbers, what is not known last; nothing is loaded, no error."
    run = copy_of(reported, tmp_path / "checked")
    errors = {"north-1": 9.0, "north-2": 100.0, "west": 20.0, "east": 10.0}
    for path in (run.root / "evaluations/small").glob("*/metrics.json"):
        metrics = json.loads(path.read_text())
        ensemble = metrics["outputs"]["thickness"]["ensemble"]
        ensemble["features"] = [
            {**own, "rmse": errors[own["feature"]]}
            for own in ensemble["features"]
            if own["feature"] in errors  # the other one is not checked
        ]
        path.write_text(json.dumps(metrics))
    assert run("report").exit_code == 0
    page = run.root / "reports/small.html"
    text = page.read_text(encoding="utf-8")
    # the rule that forbids what is not in the page allows scripts in it
    page.write_text(text.replace("</body>", f"{SCRIPT}</body>"), encoding="utf-8")
    dom, console = browse(page, "--dump-dom")
    assert console == []
    title = html.unescape(re.search(r"<title>(.*?)</title>", dom, re.DOTALL)[1])
    first, up, down, area, ids, n_sorted, *filtered, told, n_loaded = json.loads(title)
    by_error = ["north-1", "east", "west", "north-2"]
    assert up == [*by_error, "south"]
    assert down == [*by_error[::-1], "south"]
    assert area == first[::-1]
    assert ids == ["east", "north-1", "north-2", "south", "west"]
    assert n_sorted == 1
    assert filtered == [["north-1", "north-2"], ["south"], [], ids]
    assert told == "5 of 5 shown"
    assert n_loaded == 0


WIDTHS = """
<script>
const wide = document.documentElement.clientWidth;
const scrolls = [...document.querySelectorAll(".scroll")]
  .filter((box) => box.scrollWidth > box.clientWidth);
const out = [...document.querySelectorAll("body *")]
  .filter((e) => !e.closest(".scroll *, pre *, svg, .legend"))
  .filter((e) => e.getBoundingClientRect().right > wide + 1);
for (const caption of document.querySelectorAll("caption")) {
  const box = caption.closest(".scroll");
  for (box.scrollLeft = 0; ; box.scrollLeft += 100) {
    const before = box.scrollLeft, seen = caption.getBoundingClientRect();
    if (seen.left < -1 || seen.right > wide + 1) out.push(caption);
    if (before + 1 >= box.scrollWidth - box.clientWidth) break;
  }
}
document.title = JSON.stringify([wide, document.documentElement.scrollWidth,
  scrolls.length, out.map((e) => `${e.tagName} ${e.className}`)]);
</script>
"""
PAPER = """
<script>
const right = document.body.getBoundingClientRect().right;
const tables = [...document.querySelectorAll("table, figure, pre, .caution")];
const boxes = [...document.querySelectorAll("th button")]
  .filter((e) => e.getClientRects().length);
document.title = JSON.stringify([tables.length, boxes.length, tables
  .filter((e) => e.getBoundingClientRect().right > right + 1)
  .map((e) => e.textContent.trim().slice(0, 40))]);
</script>
"""
PHONE = """
<iframe src="narrow.html" style="width: 390px; height: 800px; border: 0"></iframe>
<script>
document.querySelector("iframe").onload = (event) => {
  document.title = event.target.contentDocument.title;
};
</script>
"""


@pytest.mark.slow
@needs_chromium
def test_wide_tables_scroll_in_their_own_box_on_a_phone(reported, tmp_path):
    "The page is as wide as the screen, and so is all that is in it, captions too."
    text = (reported.root / "reports/small.html").read_text(encoding="utf-8")
    narrow = text.replace("</body>", f"{WIDTHS}</body>")
    (tmp_path / "narrow.html").write_text(narrow, encoding="utf-8")
    phone = tmp_path / "phone.html"
    phone.write_text(f"<!DOCTYPE html><title></title>{PHONE}", encoding="utf-8")
    dom, console = browse(phone, "--allow-file-access-from-files", "--dump-dom")
    assert console == []
    title = html.unescape(re.search(r"<title>(.*?)</title>", dom, re.DOTALL)[1])
    wide, needed, n_scrolled, out = json.loads(title)
    assert wide <= 390
    assert needed == wide
    assert n_scrolled >= 2
    assert out == []


@pytest.mark.slow
@needs_chromium
def test_tables_of_long_ids_fit_on_paper(reported, tmp_path):
    "Of 180 mm, what A4 has between its margins; a browser may cut what is wider."
    text = (reported.root / "reports/small.html").read_text(encoding="utf-8")
    text = text.replace("north-1", "RGI2000-v7.0-G-11-01234")
    text = text.replace("@media print", "@media all")
    text = text.replace("</style>", "body { width: 180mm !important; }</style>")
    page = tmp_path / "paper.html"
    page.write_text(text.replace("</body>", f"{PAPER}</body>"), encoding="utf-8")
    dom, console = browse(page, "--window-size=1200,900", "--dump-dom")
    assert console == []
    title = html.unescape(re.search(r"<title>(.*?)</title>", dom, re.DOTALL)[1])
    n_tables, n_boxes, wide = json.loads(title)
    assert n_tables >= 5
    assert wide == []
    # chromium leaves buttons out of the head of a table on its second page
    assert n_boxes == 0


@pytest.mark.slow
@needs_chromium
def test_the_page_can_be_printed(reported, tmp_path):
    "All of it: what is closed on the screen, too."
    paper = tmp_path / "page.pdf"
    _, console = browse(reported.root / "reports/small.html", f"--print-to-pdf={paper}")
    assert console == []
    assert paper.read_bytes().startswith(b"%PDF")
    assert paper.stat().st_size > 50_000


@pytest.mark.slow
def test_the_page_of_a_large_region_is_not_large(finished, tmp_path):
    "A thousand features, all drawn and checked: far below 30 MB, all in the table."
    page = write_region(finished, tmp_path / "large", 1000)
    assert page.stat().st_size < 10e6
    text = page.read_text(encoding="utf-8")
    assert text.count('<th scope="row" data-value="glacier-') == 1000
    assert text.count('<div class="feature">') == 40
    if CHROMIUM is not None:
        assert browse(page, "--dump-dom")[1] == []
