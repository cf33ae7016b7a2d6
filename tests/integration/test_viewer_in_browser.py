"""VIEWER/ and the readable page opened by a real browser from files alone: found, read, filtered, checked, by keyboard and in both
languages, without a word on the console nor a request that leaves the folder; hostile text stays text."""

from __future__ import annotations

import hashlib
import json
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from tests.integration.browser import Page, browser
from tests.integration.conftest import HOSTILE, Exported, unzipped
from tests.integration.test_viewer import archive, carried  # noqa: F401 - fixture
from transvase.exporters.viewer import members
from transvase.exporters.viewer.record import inert
from transvase.model.request import Scope


@pytest.fixture(scope="module")
def folder(archive: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:  # noqa: F811
    where = tmp_path_factory.mktemp("extracted")
    with zipfile.ZipFile(archive) as found:
        found.extractall(where)
    return where


@pytest.fixture(scope="module")
def tab(program: Callable[[str], str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    with browser(program("chromium"), tmp_path_factory.mktemp("browser") / "profile") as page:
        page.size(1280, 900)
        yield page


@pytest.fixture
def page(tab: Page, folder: Path) -> Iterator[Page]:
    """The viewer open on its list; at the end nothing was said and nothing left the folder."""
    tab.said.clear()
    tab.asked.clear()
    tab.like()
    tab.open("about:blank")
    tab.open((folder / "VIEWER" / "index.html").as_uri())
    tab.until("document.querySelectorAll('#rows a').length")
    yield tab
    assert tab.said == []
    # The browser draws its own fields with pictures of its own.
    inside = ((folder / "VIEWER").as_uri() + "/", "data:", "blob:", "about:")
    assert [a for a in tab.asked if not a.startswith(inside)] == []


def rows(folder: Path) -> list[list[Any]]:
    """The patients as the index tells them."""
    found = []
    for path in sorted((folder / "VIEWER" / "index").glob("*.js")):
        found += json.loads(path.read_text(encoding="utf-8").removeprefix("TRANSVASE.index(").removesuffix(");\n"))
    return found


def listed(page: Page) -> list[str]:
    return list(page.ask("[...document.querySelectorAll('#rows a')].map((a) => a.hash.slice(1))"))


def search(page: Page, words: str) -> list[str]:
    page.ask(
        f"(() => {{ const s = document.getElementById('search'); s.value = {json.dumps(words)}; s.dispatchEvent(new Event('input')); }})()"
    )
    return listed(page)


def go(page: Page, number: str) -> None:
    page.ask(f"location.hash = '{number}'")
    page.until(
        f"document.getElementById('name') && document.querySelector('#rows a[href=\"#{number}\"][aria-current]')"
    )


def richest(folder: Path) -> str:
    """Number of the patient with the longest record."""
    return max((folder / "VIEWER" / "data").rglob("*.js"), key=lambda p: p.stat().st_size).stem


def test_every_patient_is_listed_in_the_order_of_names(page: Page, folder: Path) -> None:
    assert sorted(listed(page)) == sorted(row[1] for row in rows(folder))
    names = page.ask(
        "[...document.querySelectorAll('#rows bdi')].map((b) => b.textContent.normalize('NFD').replace(/\\p{M}/gu, '').toLowerCase())"
    )
    assert names == sorted(names) and len(set(names)) > 10


def test_a_patient_is_found_by_name_birth_date_or_record_number(page: Page, folder: Path) -> None:
    found = [row for row in rows(folder) if row[2] and row[5] and "\ufffd" not in row[2] and row[5] > "1000"]
    for _, number, family, given, _, born, _, key in found[:6]:
        day = "/".join(reversed(born.split("-")))
        for words in (f"{family} {given}".lower(), f"{given} {family}", day, born, f"{family[:3]} {day}", key):
            assert number in search(page, words), words
        assert set(search(page, key)) == {number}
    assert search(page, "personne de ce nom") == []
    assert page.ask("document.getElementById('found').textContent") == "Aucun patient ne correspond."
    assert len(search(page, "")) == len(rows(folder))


def test_the_keyboard_is_enough(page: Page, folder: Path) -> None:
    number, family = next((r[1], r[2]) for r in rows(folder) if r[2] and r[2].isascii() and r[2].isalpha())
    focus = "document.activeElement.id || document.activeElement.className || document.activeElement.tagName"
    page.press("Tab")
    assert page.ask(focus) == "skip"
    page.press("Tab", 2)
    assert page.ask(focus) == "search"
    page.type(family)
    page.press("ArrowDown")
    assert page.ask("document.activeElement.parentElement.parentElement.id") == "rows"
    page.press("ArrowUp")
    assert page.ask(focus) == "search"
    while page.ask("document.activeElement.hash") != f"#{number}":
        page.press("ArrowDown")
    page.press("Enter")
    page.until("document.activeElement.id === 'name'")
    assert family in page.ask("document.getElementById('name').textContent")
    # From the name on, what can be acted upon is met in order: print, then the parts of the record.
    page.press("Tab")
    assert page.ask("document.activeElement.textContent") == "Imprimer"
    page.press("Tab", 2)
    page.press("Enter")
    assert page.ask(focus).startswith("p-")


def test_every_record_opens_and_hostile_text_is_text(page: Page, folder: Path) -> None:
    for row in rows(folder):
        go(page, row[1])
        assert (
            page.ask("document.querySelectorAll('main script, main img, main iframe, main object, main style').length")
            == 0
        )
        family = page.ask("document.getElementById('name').textContent")
        assert family.startswith(row[2] or "?")
    planted = [row for row in rows(folder) if "<&>" in (row[2] or "")]
    assert len(planted) == 1 and planted[0][2] == inert(HOSTILE)
    go(page, planted[0][1])
    assert page.ask("document.querySelector('.important .t').textContent") == inert(HOSTILE)


def test_a_record_shows_its_parts_its_charts_and_its_timeline(page: Page, folder: Path) -> None:
    number = richest(folder)
    text = (folder / "VIEWER" / "data" / "000" / f"{number}.js").read_text(encoding="utf-8")
    record = json.loads(text.removeprefix("TRANSVASE.patient(").removesuffix(");\n"))
    go(page, number)
    shown = page.ask("[...document.querySelectorAll('h3')].map((h) => h.id.slice(2))")
    assert set(record["tables"]) <= set(shown) and {"identity", "allergy", "timeline", "integrity"} <= set(shown)
    assert page.ask("document.querySelectorAll('figure svg polyline').length") >= 2
    assert all(page.ask("[...document.querySelectorAll('figure svg')].map((s) => s.getAttribute('aria-label'))"))
    notes = page.ask("document.querySelectorAll('section[aria-labelledby=p-note] article').length")
    assert notes == len(record["tables"]["note"]) > 3
    count = "document.querySelectorAll('ol.events li').length"
    before = page.ask(count)
    assert before == min(60, len(record["timeline"]))
    page.ask(
        "document.querySelectorAll('fieldset input').forEach((box) => { if (!box.parentElement.textContent.includes('Document')) box.click(); })"
    )
    kinds = set(page.ask("[...document.querySelectorAll('ol.events .k')].map((k) => k.textContent)"))
    assert kinds == {"Documents"} and page.ask(count) < before


def test_documents_are_filtered(page: Page, folder: Path) -> None:
    go(page, richest(folder))
    body = "[...document.querySelectorAll('section[aria-labelledby=p-document] tbody tr')].map((r) => [...r.cells].map((c) => c.textContent))"
    every = page.ask(body)

    def kept(field: str, value: str) -> list[list[str]]:
        page.ask(
            f"(() => {{ const f = document.getElementById('{field}'); f.value = {json.dumps(value)}; f.dispatchEvent(new Event('input')); }})()"
        )
        found: list[list[str]] = page.ask(body)
        assert page.ask("document.querySelector('section[aria-labelledby=p-document] [role=status]').textContent") == (
            f"{len(found)} sur {len(every)} documents"
        )
        return found

    kind = every[1][1]
    assert kept("f-type", kind) == [r for r in every if r[1] == kind] != every
    assert kept("f-type", "") == every
    author = next(r[3] for r in every if r[3])
    assert kept("f-author", author) == [r for r in every if r[3] == author]
    kept("f-author", "")
    day = sorted("-".join(reversed(r[0][:10].split("/"))) for r in every if r[0])[len(every) // 2]
    since = kept("f-from", day)
    assert since and all("-".join(reversed(r[0][:10].split("/"))) >= day for r in since) and since != every
    kept("f-from", "")
    assert kept("f-text", "zzz") == []


def test_a_document_is_opened_out_of_the_archive_of_the_patient(page: Page, folder: Path) -> None:
    number = richest(folder)
    zip_path = folder / next(row[0] for row in rows(folder) if row[1] == number)
    go(page, number)
    page.ask(
        "(() => { window.opened = []; const make = URL.createObjectURL.bind(URL);"
        "URL.createObjectURL = (blob) => { window.opened.push(blob); return make(blob); }; window.open = () => true; })()"
    )
    page.ask("document.querySelector('section[aria-labelledby=p-document] tbody button').click()")
    page.until("document.querySelector('dialog[open]')")
    # Another patient's archive is not taken for theirs.
    page.choose("#c-file", next(p for p in sorted(folder.glob("PAT*.ZIP")) if p != zip_path))
    page.until("document.getElementById('c-said').textContent.includes('PAT')")
    page.choose("#c-file", zip_path)
    page.until("window.opened.length === 1 && !document.querySelector('dialog[open]')")
    page.ask(
        "[...document.querySelectorAll('section[aria-labelledby=p-document] tbody button')].find((b) => b.textContent === 'CDA').click()"
    )
    page.until("window.opened.length === 2")
    digest = (
        "Promise.all(window.opened.map(async (b) => [b.type, [...new Uint8Array(await crypto.subtle.digest('SHA-256', await b.arrayBuffer()))]"
        ".map((x) => x.toString(16).padStart(2, '0')).join('')]))"
    )
    held = {hashlib.sha256(d).hexdigest(): n for n, d in unzipped(zip_path.read_bytes()).items()}
    (kind, copy), (source, cda) = page.ask(digest)
    assert kind == "application/pdf" and held[copy].startswith("PDF/")
    # Markup of others never opens as a page.
    assert source.startswith("text/plain") and held[cda].endswith(".XML")


@pytest.mark.parametrize(
    ("given", "damaged", "says"),
    [
        ((), False, "MANIFEST.XML n'a pas été choisi"),
        (("MANIFEST.XML",), False, "est celle du manifeste"),
        (("MANIFEST.XML",), True, "Ne vous fiez pas"),
        ((), True, "Ne vous fiez pas"),
    ],
)
def test_digests_are_computed_again(
    page: Page, folder: Path, tmp_path: Path, given: tuple[str, ...], damaged: bool, says: str
) -> None:
    row = rows(folder)[0]
    go(page, row[1])
    assert "Non contrôlé" in page.ask("document.getElementById('verdict').textContent")
    copy = tmp_path / row[0]
    data = bytearray((folder / row[0]).read_bytes())
    data[len(data) // 2] ^= damaged
    copy.write_bytes(data)
    page.ask("document.querySelector('section[aria-labelledby=p-integrity] button').click()")
    page.until("document.querySelector('dialog[open]')")
    page.choose("#c-file", copy, *(folder / name for name in given))
    page.until(f"document.getElementById('verdict').textContent.includes({json.dumps(says)})")


def test_it_speaks_english_too(page: Page, folder: Path) -> None:
    go(page, richest(folder))
    page.ask("document.getElementById('language').click()")
    try:
        assert page.ask("document.documentElement.lang") == "en"
        text = page.ask("document.body.innerText")
        assert "Search for a patient" in text and "Consultation notes" in text and "Rechercher" not in text
        assert page.ask("document.getElementById('language').textContent") == "Français"
    finally:
        page.ask("document.getElementById('language').click()")


# What a person who sees badly, or does not see, needs of each element: name, unique id, contrast of 4.5 with what is behind.
FAULTS = """(() => {
  const faults = [], ids = new Set();
  const even = (v) => (v / 255 <= 0.03928 ? v / 255 / 12.92 : ((v / 255 + 0.055) / 1.055) ** 2.4);
  const light = ([r, g, b]) => 0.2126 * even(r) + 0.7152 * even(g) + 0.0722 * even(b);
  const parts = (text) => { const n = text.match(/[\\d.]+/g).map(Number); return [n.slice(0, 3), n.length > 3 ? n[3] : 1]; };
  const behind = (node) => {
    for (let at = node; at; at = at.parentElement) { const [c, a] = parts(getComputedStyle(at).backgroundColor); if (a === 1) return c; }
    return parts(getComputedStyle(document.body).backgroundColor)[0];
  };
  for (const node of document.querySelectorAll("*")) {
    if (node.id) { if (ids.has(node.id)) faults.push("id " + node.id); ids.add(node.id); }
    if (!node.checkVisibility()) continue;
    if (node.matches("input, select, button, a, dialog, nav, [role=group], svg[role=img]")) {
      const by = node.getAttribute("aria-labelledby");
      const name = node.getAttribute("aria-label") || (by && document.getElementById(by).textContent) ||
        (node.labels && [...node.labels].map((l) => l.textContent).join(" ")) || (node.matches("button, a") ? node.textContent : "");
      if (!name || !name.trim()) faults.push("name " + node.outerHTML.slice(0, 80));
    }
    if ([...node.childNodes].some((c) => c.nodeType === 3 && c.data.trim())) {
      const svg = node.namespaceURI.endsWith("svg"), style = getComputedStyle(node);
      const [a, b] = [light(parts(svg ? style.fill : style.color)[0]), light(behind(svg ? node.closest("figure") : node))].sort((x, y) => y - x);
      if ((a + 0.05) / (b + 0.05) < 4.5) faults.push("contrast " + ((a + 0.05) / (b + 0.05)).toFixed(1) + " " + node.outerHTML.slice(0, 80));
    }
  }
  for (const [selector, n] of [["main", 1], ["h1", 1]]) if (document.querySelectorAll(selector).length !== n) faults.push(selector);
  if (!document.documentElement.lang) faults.push("lang");
  return faults;
})()"""


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_names_and_contrast(page: Page, folder: Path, dark: bool) -> None:
    page.like(dark=dark)
    go(page, richest(folder))
    assert page.ask(FAULTS) == []
    # The same reading sees a fault when there is one.
    page.ask("document.getElementById('main').append(Object.assign(document.createElement('input'), { id: 'search' }))")
    page.ask("document.querySelector('h3').style.color = getComputedStyle(document.body).backgroundColor")
    assert sorted(f.split()[0] for f in page.ask(FAULTS)) == ["contrast", "id", "name"]


def test_only_the_record_is_printed(page: Page, folder: Path) -> None:
    go(page, richest(folder))
    page.like(media="print")
    seen = "(s) => [...document.querySelectorAll(s)].some((n) => n.checkVisibility())"
    for left_out in ("nav", "header.top", "button.noprint", ".filters"):
        assert page.ask(f"({seen})({json.dumps(left_out)})") is False
    assert page.ask(f"({seen})('#name')") is True
    assert page.ask("getComputedStyle(document.getElementById('main')).overflowY") == "visible"


def test_a_record_whose_file_is_gone_is_told(page: Page, folder: Path) -> None:
    path = folder / "VIEWER" / "data" / "000" / f"{rows(folder)[-1][1]}.js"
    held = path.read_bytes()
    path.unlink()
    try:
        page.ask(f"location.hash = '{path.stem}'")
        page.until("document.querySelector('#record [role=alert]')")
        assert "extrayez l'archive entière" in page.ask("document.getElementById('record').textContent")
    finally:
        path.write_bytes(held)
        # The browser says that a file is not there: that alone.
        assert all("ERR_FILE_NOT_FOUND" in line for line in page.said)
        page.said.clear()


def test_twenty_thousand_patients(tab: Page, tmp_path: Path) -> None:
    """The list opens, and answers, as fast as the browser shows a plain page of the same bytes."""
    count, lot = 20_000, 256
    names = [
        "MARTIN",
        "BERNARD",
        "THOMAS",
        "PETIT",
        "ROBERT",
        "RICHARD",
        "DURAND",
        "DUBOIS",
        "MOREAU",
        "LAURENT",
        "ÉLOÏSE",
        "D'HONDT",
    ]
    lines: list[list[str | None]] = [
        [f"{n:06d}", f"{names[n % 12]}-{names[n // 12 % 12]}", f"{names[n // 144 % 12].title()} {n}", None,
         f"{1930 + n % 90}-{n % 12 + 1:02d}-{n % 28 + 1:02d}", "F", f"2{n:08d}"]
        for n in range(1, count + 1)
    ]  # fmt: skip
    firsts = range(1, count + 1, lot)
    pieces = {members.shard_path(n): members.shard(lines[n - 1 : n - 1 + lot], n) for n in firsts}
    plain = tmp_path / "plain.html"
    plain.write_bytes(b"<!doctype html><meta charset=utf-8><pre>" + b"".join(pieces.values()).replace(b"<", b" "))
    for name, data in (*members.page("Cabinet", "2026-11-23", "PA.ZIP", firsts), *pieces.items()):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)

    def timed(address: str, ready: str) -> float:
        tab.open("about:blank")
        begun = time.perf_counter()
        tab.open(address)
        tab.until(ready)
        return time.perf_counter() - begun

    base = min(timed(plain.as_uri(), "document.body.offsetHeight") for _ in range(2))
    address = (tmp_path / "VIEWER" / "index.html").as_uri()
    whole = min(
        timed(address, "document.getElementById('found')?.textContent.includes('20\u202f000')") for _ in range(2)
    )
    first = min(timed(address, "document.querySelectorAll('#rows a').length") for _ in range(2))
    # In milliseconds of the page, the median of as many searches as letters typed.
    asked = tab.ask(
        "(() => { const s = document.getElementById('search'), spent = []; for (const w of"
        " ['m', 'ma', 'mar', 'marti', 'martin 19', 'martin 1950', '200012345', 'zz', '']) {"
        "s.value = w; const t = performance.now(); s.dispatchEvent(new Event('input')); document.body.offsetHeight; spent.push(performance.now() - t); }"
        "return spent.sort((a, b) => a - b)[4]; })()"
    )
    print(
        f"plain page {base * 1000:.0f} ms, first patients {first * 1000:.0f} ms, whole list {whole * 1000:.0f} ms, search {asked:.1f} ms"
    )
    assert search(tab, "200012345") == ["012345"]
    assert tab.ask("document.querySelectorAll('#rows a').length") == 1
    assert first < 6 * base + 0.3
    assert whole < 20 * base + 1
    assert asked / 1000 < base


def test_the_page_of_one_record_is_whole_without_script(tab: Page, practice: Exported, tmp_path: Path) -> None:
    found = pq.read_table(practice.work / "canonical" / "lab_result.parquet").column("patient").to_pylist()
    key = max(set(found), key=found.count)
    with zipfile.ZipFile(carried(practice.work, tmp_path / "out", Scope("UNITAIRE", key))) as archive_of_one:
        archive_of_one.extractall(tmp_path / "x")
    tab.said.clear()
    tab.asked.clear()
    tab.like()
    tab.call("Emulation.setScriptExecutionDisabled", value=True)
    try:
        tab.open((tmp_path / "x" / "VIEWER" / "dossier.html").as_uri())
        assert tab.ask("document.querySelectorAll('figure svg circle').length") > 5
        assert tab.ask("document.querySelectorAll('script').length") == 0
        assert tab.ask(FAULTS) == []
        links = tab.ask(
            "[...document.querySelectorAll('tbody a')].map((a) => decodeURIComponent(a.getAttribute('href')))"
        )
        assert links and all((tmp_path / "x" / "VIEWER" / link).is_file() for link in links)
    finally:
        tab.call("Emulation.setScriptExecutionDisabled", value=False)
    assert tab.said == [] and [a for a in tab.asked if a.startswith("http")] == []
    assert len(tab.asked) == 1
    # And the viewer of an archive of one opens on that record, its copies one click away.
    tab.open((tmp_path / "x" / "VIEWER" / "index.html").as_uri())
    tab.until("document.getElementById('name')")
    assert tab.ask("document.querySelectorAll('section[aria-labelledby=p-document] tbody a').length") == len(links)
