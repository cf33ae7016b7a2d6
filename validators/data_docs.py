"""Great Expectations' own pages (Data Docs) and the results of each run, kept in the work folder for the operator: counts, declarations
and rules, never a value of a record. The pages fetch nothing and run nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from html import escape
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from transvase.formats import files

FOLDER = "expectations"
# Runs whose results are kept; the oldest make room.
_RUNS = 60
_STYLE = (
    "body{font:14px/1.5 system-ui,sans-serif;max-width:64rem;margin:1.5rem auto;padding:0 1rem;color:#111}table{border-collapse:collapse;"
    "width:100%}th,td{text-align:left;padding:.25rem .6rem;border-bottom:1px solid #ddd;vertical-align:top;overflow-wrap:anywhere}"
    "ul{padding-left:1.2rem}.fa-times::before,.fa-exclamation-triangle::before{content:'✗ '}.fa-check-circle::before{content:'✓ '}"
)


class Result(NamedTuple):
    """Result of a table's suite as Great Expectations gives it, already without values, and whether it holds."""

    table: str
    success: bool
    validation: Any


def index(work: Path) -> Path:
    """The first page."""
    return work / FOLDER / "data-docs" / "index.html"


def write(work: Path, clock: str, results: Iterable[Result]) -> None:
    """Keep the results of a run, named after the clock of its extraction (ISO), and replace the pages by theirs."""
    pages = files.private_folder(work / FOLDER / "data-docs")
    runs = files.private_folder(work / FOLDER / "runs")
    for old in pages.glob("*.html"):
        old.unlink()
    kept, lines = [], []
    for one in results:
        found = _plain(one.validation.to_json_dict())
        kept.append(found)
        files.write(pages / f"{one.table}.html", page(one.validation))
        statistics = found["statistics"]
        lines.append(
            f'<tr><td><a href="{one.table}.html">{one.table}</a></td><td>{"respectée" if one.success else "non respectée"}</td>'
            f"<td>{statistics['successful_expectations']} / {statistics['evaluated_expectations']}</td></tr>"
        )
    files.write(runs / f"{re.sub(r'[^0-9T+-]', '', clock)}.json", orjson.dumps({"clock": clock, "results": kept}))
    for old in sorted(runs.glob("*.json"))[:-_RUNS]:
        old.unlink()
    files.write(
        index(work),
        f'<!doctype html><html lang="fr"><head><meta charset="utf-8"><title>Déclarations des tables</title><style>{_STYLE}</style></head>'
        f"<body><h1>Déclarations des tables</h1><p>Extraction du {escape(clock)} ; Great Expectations, sans aucune valeur.</p><table>"
        f"<thead><tr><th>Table</th><th>Déclaration</th><th>Attentes tenues</th></tr></thead><tbody>{''.join(lines)}</tbody></table>"
        "</body></html>\n".encode(),
    )


def _plain(found: dict[str, Any]) -> dict[str, Any]:
    """Without the fingerprint of the data, the instants of loading, nor the text of an exception, which may quote a value."""
    return {
        "suite_name": found["suite_name"],
        "success": found["success"],
        "statistics": found["statistics"],
        "results": [
            {
                "success": one["success"],
                "expectation": one["expectation_config"],
                "result": {k: v for k, v in (one["result"] or {}).items() if isinstance(v, int | float | bool)},
                "raised": bool((one["exception_info"] or {}).get("raised_exception")),
            }
            for one in found["results"]
        ],
    }


def page(validation: Any) -> bytes:
    """The page of a table by Great Expectations' renderer, without what it would fetch or run."""
    from great_expectations.render.renderer import ValidationResultsPageRenderer
    from great_expectations.render.view import DefaultJinjaPageView
    from lxml import etree, html

    for one in validation.results:
        # Its text may quote a value; the page shows it.
        one.exception_info = {"raised_exception": False, "exception_traceback": None, "exception_message": None}
    validation.meta.pop("batch_markers", None)
    root: Any = html.document_fromstring(
        DefaultJinjaPageView().render(ValidationResultsPageRenderer().render(validation))
    )
    away = "//script | //link | //style | //img | //iframe | //comment() | //footer | //*[@href and not(starts-with(@href, '#'))] | //button"
    for element in root.xpath(away):
        if element.getparent() is not None:
            element.drop_tree()
    for element in root.xpath("//*"):
        for name in [n for n in element.attrib if n.startswith(("on", "data-", "style"))]:
            del element.attrib[name]
    # Its results page shows no notes: the rules of what failed stand first.
    told = etree.Element("ul")
    for one in validation.results:
        if not one.success:
            config = one.expectation_config
            etree.SubElement(told, "li").text = f"{config.kwargs.get('column')} : {config.type} : {config.meta['rule']}"
    root.find("body").insert(0, told)
    root.find("head/title").text = f"Table {validation.suite_name}"
    style = etree.SubElement(root.find("head"), "style")
    style.text = _STYLE
    root.set("lang", "en")
    data: bytes = html.tostring(root, doctype="<!doctype html>", encoding="utf-8")
    return data
