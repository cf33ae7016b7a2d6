"""The report opened by a real browser: drawn from the file alone in both languages and widths, as quick with 100,000 findings as a
plain page of its weight, and without a serious fault for axe-core.
"""

from __future__ import annotations

import base64
import hashlib
import html
import json
import re
import subprocess
import tarfile
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from tests.conftest import missing
from transvase.errors import Said
from transvase.model.report import WHOLE, Bars, Column, Figure, Head, Report, Section, Table
from transvase.reports import audit, records

CLOCK = datetime(2026, 11, 23, 20, 0, tzinfo=ZoneInfo("Europe/Paris"))
# Without these a browser started by root refuses, or looks for its maker's hosts.
QUIET = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--hide-scrollbars",
)  # fmt: skip
# Pinned: the package and the digest of its bytes.
AXE = "axe-core@4.10.3"
AXE_SHA512 = "Xm7bpRXnDSX2YE2YFfBk2FnF0ep6tmG7xPh8iHee8MIcrgq762Nkce856dYtJYLkuIoYZvGfTs/PbZhideTcEg=="

Open = Callable[..., str]


@pytest.fixture(scope="module")
def browse(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., str]:
    """The DOM of a page once scripts are done, by the browser given."""
    profile = tmp_path_factory.mktemp("browser")

    def dom(chromium: str, page: Path, *options: str) -> str:
        command = [chromium, *QUIET, f"--user-data-dir={profile}", *options, "--dump-dom", page.as_uri()]
        return subprocess.run(command, check=True, capture_output=True, timeout=120, text=True).stdout

    return dom


@pytest.fixture(scope="module")
def big(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Report]:
    """A report of 100,000 findings in lists of all sizes, and its folder with the pages of references."""
    folder = tmp_path_factory.mktemp("big")
    sizes = [40_000, 30_000, 15_000, 5_000, *[100] * 80, *[10] * 190, 100]
    assert sum(sizes) == 100_000
    names = sorted(f"rule-block-RULE{n:04d}-dmp" for n in range(len(sizes)))
    (folder / "report").mkdir()
    rows = [
        (name, f"document {n * 100_000 + i}")
        for n, (name, size) in enumerate(zip(names, sizes, strict=True))
        for i in range(size)
    ]
    pq.write_table(
        pa.table({"list": [r[0] for r in rows], "reference": [r[1] for r in rows]}), folder / "report" / records.RECORDS
    )
    columns = (Column("rule", Said("Règle", "Rule")), Column("count", Said("Nombre", "Count"), "count"))
    table = Table(
        "findings", Said("Constats", "Findings"), columns, [[n, Figure(s, n)] for n, s in zip(names, sizes, strict=True)],
        [Said("Total", "Total"), 100_000], Said("Du plus grave au moins grave.", "The most serious first."),
    )  # fmt: skip
    statuses = [("in_time", [70_000, 10]), ("late", [10_000, 0]), ("missing", [9_990, 0]), ("blocked", [10_000, 0])]
    bars = Bars("bars", Said("Documents dus", "Documents due"), ["2026-10", "2026-11"], statuses)
    report = Report(
        Head("Cabinet", CLOCK, "Transvase test", "sandbox", WHOLE),
        Said(
            "Sur 100000 documents dus, 20000 ne sont pas au DMP.", "Of 100000 documents due, 20000 are not in the DMP."
        ),
        Said("L'addition.", "The addition."),
        [Section("findings", Said("Constats", "Findings"), (Said("Une phrase.", "A sentence."),), (bars,), (table,))],
        {},
        dict(zip(names, sizes, strict=True)),
    )
    return folder, report


@pytest.fixture(scope="module")
def page(big: tuple[Path, Report]) -> Path:
    folder, report = big
    places = records.write_pages(folder, folder / "pieces")
    (folder / "rapport.html").write_bytes(audit.html(report, places=places, pages="pieces"))
    (folder / "report.html").write_bytes(audit.html(report, language="en", places=places, pages="pieces"))
    return folder / "rapport.html"


@pytest.mark.parametrize(
    ("name", "title", "width"), [("rapport", "Rapport d'audit", 1000), ("report", "Audit report", 420)]
)
def test_the_report_is_drawn(
    page: Path, browse: Open, program: Callable[[str], str], tmp_path: Path, name: str, title: str, width: int
) -> None:
    picture = tmp_path / "page.png"
    size = f"--window-size={width},1200"
    shown = browse(program("chromium"), page.with_stem(name), size)
    command = [program("chromium"), *QUIET, f"--user-data-dir={tmp_path / 'browser'}", size, f"--screenshot={picture}"]
    subprocess.run([*command, page.with_stem(name).as_uri()], check=True, capture_output=True, timeout=120)
    assert f"<title>{title}</title>" in html.unescape(shown)
    with Image.open(picture) as image:
        colours = image.convert("RGB").getcolors(maxcolors=1 << 24) or []
    drawn = {colour for n, colour in colours if n > 100}
    # The bars: the blue of what is in time, the black of what is blocked.
    assert {(0, 114, 178), (17, 17, 17)} <= drawn


# Each text is opened three times in a frame of one browser, parsed and laid out, each before the page itself has loaded.
MEASURE = """<!doctype html><html><body><script>
const texts = JSON.parse(document.getElementById('texts').textContent), names = Object.keys(texts), took = {};
let turn = 0;
// A document that is being written keeps the page from having loaded, and the browser from ending.
const hold = document.body.appendChild(document.createElement('iframe'));
hold.contentDocument.open();
hold.contentDocument.write('.');
function next() {
  if (turn === 3 * names.length) { document.title = 'took ' + JSON.stringify(took); hold.contentDocument.close(); return; }
  const name = names[turn++ % names.length], frame = document.createElement('iframe'), start = performance.now();
  frame.width = 1000; frame.height = 800;
  frame.onload = () => {
    frame.contentDocument.body.getBoundingClientRect();
    (took[name] ??= []).push(performance.now() - start);
    frame.remove();
    next();
  };
  frame.srcdoc = texts[name];
  document.body.append(frame);
}
next();
</script></body></html>"""


def test_100_000_findings_open_as_fast_as_a_plain_page_of_the_same_weight(
    page: Path, browse: Open, program: Callable[[str], str], tmp_path: Path
) -> None:
    def plain(weight: int) -> str:
        line = "<p>Une ligne de texte ordinaire, sans rien de particulier, répétée.</p>"
        return f"<!doctype html><html><body>{line * (weight // len(line))}</body></html>"

    largest = max((page.parent / "pieces").glob("*.html"), key=lambda p: p.stat().st_size)
    report, references = page.read_text(encoding="utf-8"), largest.read_text(encoding="utf-8")
    assert max(len(report), len(references)) < 400_000
    # The witness: a hundredth of the findings with all that a row may hold, which this measure must tell from a bounded page.
    rows = "".join(
        f"<tr><td>document {n}</td><td><details open><summary>x</summary><p>y</p></details></td></tr>"
        for n in range(5_000)
    )
    texts = {
        "report": report, "report plain": plain(len(report)), "references": references, "references plain": plain(len(references)),
        "witness": f"<!doctype html><html><body><table>{rows}</table></body></html>",
    }  # fmt: skip
    held = json.dumps(texts).replace("<", "\\u003c")
    file = tmp_path / "measured.html"
    file.write_text(
        MEASURE.replace("<body>", f'<body><script type="application/json" id="texts">{held}</script>'), encoding="utf-8"
    )
    shown = browse(program("chromium"), file)
    told = re.search(r"<title>took (.*?)</title>", shown)
    assert told is not None, "the browser did not measure"
    # The best of three: what the machine does beside only adds.
    took = {name: min(times) / 1000 for name, times in json.loads(html.unescape(told.group(1))).items()}
    print(took)
    assert took["report"] < 2 * took["report plain"] + 0.02
    assert took["references"] < 2 * took["references plain"] + 0.02
    assert took["witness"] > 2 * took["report"]


@pytest.fixture(scope="module")
def axe(program: Callable[[str], str], tmp_path_factory: pytest.TempPathFactory) -> str:
    """The script of axe-core, from its package, whose bytes are those that were looked at."""
    folder = tmp_path_factory.mktemp("axe")
    done = subprocess.run(
        [program("npm"), "pack", AXE, "--silent"], cwd=folder, capture_output=True, timeout=120, check=False
    )
    found = list(folder.glob("*.tgz"))
    if done.returncode or not found:
        missing(f"{AXE} from the npm registry")
    assert base64.b64encode(hashlib.sha512(found[0].read_bytes()).digest()).decode() == AXE_SHA512
    with tarfile.open(found[0]) as package:
        member = package.extractfile("package/axe.min.js")
        assert member is not None
        return member.read().decode()


RUN_AXE = (
    "<script>addEventListener('load',()=>axe.run({resultTypes:['violations']}).then(r=>{document.title='axe '+JSON.stringify("
    "r.violations.map(v=>[v.impact,v.id,v.nodes.length,v.nodes[0].html.slice(0,200)]))}))</script>"
)


@pytest.mark.debian
@pytest.mark.parametrize("name", ["rapport.html", "report.html", "pieces"])
def test_nothing_serious_for_accessibility(
    page: Path, browse: Open, program: Callable[[str], str], axe: str, tmp_path: Path, name: str
) -> None:
    source = min((page.parent / "pieces").glob("*.html")) if name == "pieces" else page.with_name(name)
    judged = faults(source.read_text(encoding="utf-8"), browse, program("chromium"), axe, tmp_path)
    assert [f for f in judged if f[0] in ("serious", "critical")] == []


@pytest.mark.debian
def test_axe_sees_what_is_wrong(browse: Open, program: Callable[[str], str], axe: str, tmp_path: Path) -> None:
    wrong = '<!doctype html><html><head><title>t</title></head><body><img src="x.png"><p style="color:#ccc">pale</p></body></html>'
    found = {f[1] for f in faults(wrong, browse, program("chromium"), axe, tmp_path)}
    assert {"image-alt", "color-contrast", "html-has-lang"} <= found


def faults(text: str, browse: Open, chromium: str, axe: str, folder: Path) -> list[list]:
    file = folder / "judged.html"
    file.write_text(text.replace("</body>", f"<script>{axe}</script>{RUN_AXE}</body>"), encoding="utf-8")
    shown = browse(chromium, file, "--virtual-time-budget=60000", "--window-size=1200,1000")
    told = re.search(r"<title>axe (.*?)</title>", shown, re.DOTALL)
    assert told is not None, "axe did not answer"
    return json.loads(html.unescape(told.group(1)))
