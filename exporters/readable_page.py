"""The record of one patient as a single page that a person reads and prints without software: no script, no other file, no network.

Same content and look as the viewer; the small charts are drawn here. What is shown, and in which order, is `viewer.record`'s to say.
"""

from __future__ import annotations

import re
from datetime import datetime
from functools import lru_cache
from html import escape
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

from transvase.exporters.viewer.labels import Language, texts
from transvase.exporters.viewer.record import (
    ALWAYS,
    IDENTITY,
    ORDER,
    SECTIONS,
    TOLD,
    Cell,
    Series,
    View,
    has_series,
    inert,
    series,
)

_STYLE = Path(__file__).parent / "viewer" / "style.css"
_DATE = re.compile(r"(\d{4})(?:-(\d\d))?(?:-(\d\d))?(?:T(\d\d:\d\d))?")
_POINT = re.compile(r"(?<=\d)\.(?=\d)")
# Nothing but its own style: a hostile value that became markup by a mistake of ours would still do nothing.
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"


class _Words(NamedTuple):
    """Texts of a language, and how it writes dates and numbers."""

    language: Language
    section: dict[str, str]
    column: dict[str, str]
    code: dict[str, str]
    say: dict[str, str]

    def date(self, value: Cell) -> str:
        found = _DATE.match(str(value or ""))
        if found is None:
            return str(value or "")
        year, month, day, hour = found.groups()
        parts = [part for part in (year, month, day) if part]
        told = "/".join(reversed(parts)) if self.language == "fr" else "-".join(parts)
        return f"{told}\u00a0{hour}" if hour and hour != "00:00" else told

    def number(self, value: Cell | float) -> str:
        told = f"{value:.6g}" if isinstance(value, float) else str(value)
        return _POINT.sub(",", told) if self.language == "fr" else told

    def shown(self, kind: str, value: Cell) -> str:
        if value is None:
            return ""
        if isinstance(value, list):
            return "\n".join(" · ".join(part for part in line if part) for line in value)
        if kind == "date":
            return self.date(value)
        if kind == "flag":
            return self.code["yes" if value else "no"]
        if kind == "number":
            return self.number(value)
        if kind in ("text", "long", "person", "copy", "uri"):
            return str(value)
        return self.code.get(f"{kind}.{value}", str(value))


def html(
    shown: View,
    *,
    practice: str,
    clock: datetime,
    archive: str,
    language: Language = "fr",
    copies_beside: bool = False,
) -> bytes:
    """The page. `clock` is the export's, aware; `archive` the name of the patient's ZIP; with `copies_beside` the documents are links to
    `PDF/`, which must stand beside the page, otherwise their path in the ZIP is told."""
    groups = texts(language)
    words = _Words(language, groups["section"], groups["column"], groups["code"], groups["say"])
    say, identity = words.say, shown.identity
    family = identity.get("birth_family") or identity.get("used_family")
    name = " ".join(str(v) for v in (family, identity.get("birth_given") or identity.get("used_given")) if v) or "?"
    parts = ["identity", *(n for n in ORDER if n in shown.tables or n in ALWAYS), "timeline"]
    facts = "".join(
        f"<div><dt>{escape(words.column[column])}</dt><dd>{escape(words.shown(kind, identity[column]))}</dd></div>"
        for column, kind in IDENTITY
        if column in identity
    )
    told = say["from"].format(practice=practice, date=words.date(clock.date().isoformat()))
    out = [
        f'<!doctype html>\n<html lang="{language}"><head><meta charset="utf-8">',
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}"><meta name="referrer" content="no-referrer">',
        '<meta name="viewport" content="width=device-width, initial-scale=1"><meta name="color-scheme" content="light dark">',
        f"<title>{escape(say['page_title'])}</title><style>{_style()}</style></head><body>",
        f'<div class="page"><header><p class="muted t">{escape(told)}</p>',
        f'<h1>{escape(say["page_title"])}</h1><h2 dir="auto"><bdi>{escape(name)}</bdi></h2></header>',
        f'<nav class="parts" aria-label="{escape(say["sections"])}">',
        *(f'<a href="#p-{part}">{escape(words.section[part])}</a>' for part in parts),
        "</nav><main>",
        f'<p class="important"><strong>{escape(say["important"])} : </strong><span class="t">{escape(shown.important)}</span></p>'
        if shown.important
        else "",
    ]
    for part in parts:
        out.append(f'<section aria-labelledby="p-{part}"><h3 id="p-{part}">{escape(words.section[part])}</h3>')
        if part == "identity":
            out.append(f'<dl class="facts">{facts}</dl>')
        elif part == "timeline":
            out.append(_timeline(shown, words))
        elif part in ALWAYS and part not in shown.tables:
            out.append(f'<p class="muted">{escape(say["none"])}</p>')
        elif part in ("note", "personal_note"):
            out += [_note(cells, words) for cells in shown.tables[part]]
        elif part == "document":
            out.append(_documents(shown.tables[part], words, archive, copies_beside))
        else:
            if has_series(part):
                charts = "".join(_chart(one, words) for one in series(part, shown.tables[part]))
                out.append(f'<div class="charts">{charts}</div>' if charts else "")
            out.append(_table(part, shown.tables[part], words))
        out.append("</section>")
    out.append(
        f'</main><footer><p class="muted">{escape(say["left_out"].format(zip=archive))}</p></footer></div></body></html>\n'
    )
    return "".join(out).encode()


@lru_cache(maxsize=1)
def _style() -> str:
    return _STYLE.read_text(encoding="utf-8")


def _cell(cell: tuple[str, str]) -> str:
    css, markup = cell
    return f'<td class="{css}">{markup}</td>' if css else f"<td>{markup}</td>"


def _lines(head: list[str], rows: list[list[tuple[str, str]]]) -> str:
    """A table: texts of the head, then (class, markup) of each cell."""
    heads = "".join(f'<th scope="col">{escape(text)}</th>' for text in head)
    body = "".join(f"<tr>{''.join(map(_cell, row))}</tr>" for row in rows)
    return f'<div class="wide"><table><thead><tr>{heads}</tr></thead><tbody>{body}</tbody></table></div>'


def _table(name: str, rows: list[list[Cell]], words: _Words) -> str:
    columns = [
        (at, column, kind)
        for at, (column, kind) in enumerate(SECTIONS[name])
        if any(words.shown(kind, row[at]) for row in rows)
    ]
    flag = next((at for at, (column, _) in enumerate(SECTIONS[name]) if column == "flag"), -1)

    def css_of(column: str, kind: str, row: list[Cell]) -> str:
        if column == "value":
            return "n v off" if flag >= 0 and str(row[flag] or "N")[0] in "LHA" else "n"
        return css.get(kind, "")

    css = {"date": "d", "number": "n", "long": "long", "lines": "long", "assertion": "said"}
    return _lines(
        [words.column[column] for _, column, _ in columns],
        [
            [(css_of(column, kind, row), escape(words.shown(kind, row[at]))) for at, column, kind in columns]
            for row in rows
        ],
    )


def _note(cells: list[Cell], words: _Words) -> str:
    moment, title, author, text = cells
    head = " · ".join(v for v in (words.date(moment), str(title or "")) if v)
    who = f'<p class="muted">{escape(str(author))}</p>' if author else ""
    return f'<article class="note"><h4 dir="auto">{escape(head)}</h4>{who}<p class="t" dir="auto">{escape(str(text or ""))}</p></article>'


def _documents(rows: list[list[Cell]], words: _Words, archive: str, beside: bool) -> str:
    at = {column: rank for rank, (column, _) in enumerate(SECTIONS["document"])}
    out = []
    for row in rows:
        copy, title = row[at["copy"]], str(row[at["title"]] or "")
        if copy and beside:
            named = words.say["open_of"].format(what=words.say["open_pdf"], title=title or row[at["type"]] or "")
            where = (
                f'<a href="{escape(quote(str(copy)))}" aria-label="{escape(named)}">{escape(words.say["open_pdf"])}</a>'
            )
        elif copy:
            where = f"<code>{escape(inert(f'{archive} › {copy}'))}</code>"
        else:
            where = escape(words.shown("form", row[at["form"]]))
        version = f" (v{row[at['version']]})" if row[at["version"]] else ""
        out.append(
            [
                ("d", escape(words.date(row[at["act"]]))),
                ("", escape(str(row[at["type"]] or ""))),
                ("", escape(title + version)),
                ("", escape(str(row[at["author"]] or ""))),
                ("", where),
            ]
        )
    return _lines([words.column[c] for c in ("act", "type", "title", "author", "form")], out)


def _timeline(shown: View, words: _Words) -> str:
    lines = []
    for day, name, first, n in shown.timeline:
        rows = shown.tables[name][first : first + n]
        columns = [column for column, _ in SECTIONS[name]]
        if TOLD[name]:
            texts_of = [words.shown(SECTIONS[name][columns.index(c)][1], rows[0][columns.index(c)]) for c in TOLD[name]]
            what = " · ".join(v for v in texts_of if v)
        else:
            labels = list(dict.fromkeys(str(r[columns.index("label")]) for r in rows if r[columns.index("label")]))
            names = ", ".join(labels[:5]) + ("…" if len(labels) > 5 else "")
            what = words.say["results_of" if name == "lab_result" else "measures_of"].format(n=n, names=names)
        lines.append(
            f'<li><span class="d">{escape(words.date(day) or words.say["no_date"])}</span><span class="k">{escape(words.section[name])}</span>'
            f'<span class="w t" dir="auto">{escape(what)}</span></li>'
        )
    return f'<ol class="events">{"".join(lines)}</ol>'


def _day(value: str) -> int:
    """Days of a date that may be cut to its year or month, for the place of a point only."""
    year, month, day = (*map(int, re.findall(r"\d+", value[:10])), 1, 1)[:3]
    return year * 372 + month * 31 + day


def _chart(one: Series, words: _Words) -> str:
    """The points of a measure joined, the reference range behind; what it shows is also told in words."""
    values = [value for _, value in one.points]
    bottom = min(*values, values[0] if one.low is None else one.low)
    top = max(*values, values[0] if one.high is None else one.high)
    days = [_day(day) for day, _ in one.points]
    span, width = top - bottom or 1.0, days[-1] - days[0] or 1

    def x(day: int) -> float:
        return 34 + 250 * (day - days[0]) / width

    def y(value: float) -> float:
        return 70 - 56 * (value - bottom) / span

    first, last = words.date(one.points[0][0][:10]), words.date(one.points[-1][0][:10])
    told = words.say["chart"].format(
        label=one.label,
        n=len(values),
        first=first,
        last=last,
        low=words.number(min(values)),
        high=words.number(max(values)),
        unit=one.unit,
        value=words.number(values[-1]),
    )
    band = ""
    if one.low is not None or one.high is not None:
        up, down = y(top if one.high is None else one.high), y(bottom if one.low is None else one.low)
        band = f'<rect class="band" x="34" width="250" y="{up:.1f}" height="{max(1.0, down - up):.1f}"/>'
    dots = "".join(
        f'<circle class="{"out" if (one.low is not None and v < one.low) or (one.high is not None and v > one.high) else "dot"}" '
        f'cx="{x(d):.1f}" cy="{y(v):.1f}" r="3"/>'
        for d, v in zip(days, values, strict=True)
    )
    points = " ".join(f"{x(d):.1f},{y(v):.1f}" for d, v in zip(days, values, strict=True))
    floor = (
        "" if top == bottom else f'<text x="30" y="{y(bottom) + 4:.1f}" text-anchor="end">{words.number(bottom)}</text>'
    )
    return (
        f'<figure><figcaption><span class="t">{escape(one.label)}</span><span>{words.number(values[-1])} {escape(one.unit)}</span></figcaption>'
        f'<svg viewBox="0 0 300 92" role="img" aria-label="{escape(told)}">{band}<path class="axis" d="M34 74H290" fill="none"/>'
        f'<text x="30" y="{y(top) + 4:.1f}" text-anchor="end">{words.number(top)}</text>{floor}<text x="34" y="88">{first}</text>'
        f'<text x="290" y="88" text-anchor="end">{last}</text><polyline class="line" points="{points}"/>{dots}</svg></figure>'
    )
