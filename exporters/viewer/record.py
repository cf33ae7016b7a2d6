"""What the viewer and the readable page show of a record: the rows of each section as cells, their order, the timeline, the series.

Choosing, ordering and making text inert only; the drawing belongs to `readable_page` and to the script of the viewer. What is not here
(native cells, accounting, traces of access) stays in DONNEES.JSON.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from math import isfinite
from typing import Any, NamedTuple

from transvase.exporters.pdf.writer import Table
from transvase.model.codes.type_codes import CODES as TYPES
from transvase.model.record import Record

Cell = str | int | bool | None | list[list[str | None]]

# Cells by section: (column, how it is shown). `text`, `long` (lines kept), `date`, `flag`, `person` (already a name), `lines` (a list of
# texts), or the group of coded values in `labels`.
SECTIONS: dict[str, tuple[tuple[str, str], ...]] = {
    "problem": (("label", "text"), ("category", "problem"), ("code", "text"), ("onset", "date"), ("resolved", "date"),
                ("practitioner", "person"), ("assertion", "assertion")),
    "allergy": (("label", "text"), ("reaction", "text"), ("severity", "severity"), ("onset", "date"), ("assertion", "assertion")),
    "treatment": (("label", "text"), ("dosage", "text"), ("start", "date"), ("stop", "date"), ("long_term", "flag"),
                  ("assertion", "assertion")),
    "risk_factor": (("label", "text"), ("category", "risk_factor"), ("value", "text"), ("recorded", "date"), ("assertion", "assertion")),
    "immunization": (("given", "date"), ("label", "text"), ("dose", "text"), ("lot", "text"), ("site", "text"), ("comment", "text"),
                     ("assertion", "assertion")),
    "vital_sign": (("measured", "date"), ("label", "text"), ("value", "number"), ("unit", "text")),
    "lab_result": (("measured", "date"), ("label", "text"), ("value", "number"), ("unit", "text"), ("range", "number"), ("flag", "flag_code"),
                   ("status", "lab_status"),
                   ("laboratory", "text"), ("comment", "text")),
    "encounter": (("start", "date"), ("mode", "mode"), ("practitioner", "person"), ("reason", "text")),
    "note": (("recorded", "date"), ("title", "text"), ("practitioner", "person"), ("text", "long")),
    "personal_note": (("recorded", "date"), ("title", "text"), ("practitioner", "person"), ("text", "long")),
    "prescription": (("prescribed", "date"), ("category", "prescription"), ("practitioner", "person"), ("valid_until", "date"),
                     ("lines", "lines")),
    "dispensation": (("dispensed", "date"), ("label", "text"), ("quantity", "text")),
    "document": (("act", "date"), ("type", "text"), ("title", "text"), ("author", "text"), ("origin", "origin"), ("version", "text"),
                 ("form", "form"), ("copy", "copy"), ("uri", "uri")),
    "appointment": (("start", "date"), ("status", "status"), ("practitioner", "person"), ("label", "text")),
    "related_person": (("role", "role"), ("family", "text"), ("given_name", "text"), ("legal_representative", "flag"), ("phone", "text")),
    "objection": (("recorded", "date"), ("scope", "scope"), ("reason", "text")),
}  # fmt: skip
# As a reader goes through a record: what may harm first.
ORDER = ("allergy", "problem", "treatment", "risk_factor", "immunization", "vital_sign", "lab_result", "note", "personal_note",
         "prescription", "dispensation", "document", "encounter", "appointment", "related_person", "objection")  # fmt: skip
# Their absence from a record is told: nothing recorded is not an absence asserted.
ALWAYS = ("allergy", "problem", "treatment")
IDENTITY = (("birth_family", "text"), ("birth_given", "text"), ("used_family", "text"), ("used_given", "text"), ("sex", "sex"),
            ("birth_date", "date"), ("birth_place", "text"), ("death_date", "date"), ("ins", "text"), ("insi", "flag"), ("key", "text"),
            ("address", "text"), ("phone", "text"), ("mobile", "text"), ("email", "text"), ("attending", "person"),
            ("occupation", "text"))  # fmt: skip
# Sections of the timeline, with the columns that tell an event; those of one day are told together when there are none.
TOLD: dict[str, tuple[str, ...]] = {
    "encounter": ("reason", "mode"), "note": ("title",), "document": ("type", "title"), "prescription": ("category",),
    "immunization": ("label",), "problem": ("label",), "lab_result": (), "vital_sign": (),
}  # fmt: skip
_SERIES = ("vital_sign", "lab_result")

# Controls but tab and line feed, marks that turn the direction of what follows, line separators that scripts once took for ends of line.
UNSEEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufff0-\ufffb\ud800-\udfff]")  # fmt: skip


_HTML = re.compile(r"\s*<(?:!doctype|html|body|head|p|div|br|span|b|i|u|font|table|ul|ol|h[1-6])\b[^>]*>", re.I)


def inert(value: str) -> str:
    """A text as it may be shown: what cannot be seen, or turns the text around, becomes U+FFFD."""
    if value.isascii() and value.isprintable():
        return value
    return UNSEEN.sub("\ufffd", value.replace("\r\n", "\n").replace("\r", "\n"))


def reading(text: str) -> str:
    """A note as its author read it: the text of one kept as RTF or HTML, any other as it is."""
    if text.lstrip().startswith("{\\rtf"):
        from transvase.exporters.pdf.rtf import rtf_blocks

        blocks = rtf_blocks(text.encode("cp1252", "replace")).blocks
    elif _HTML.match(text):
        from transvase.exporters.pdf.markup import html_blocks

        try:
            blocks = html_blocks(text).blocks
        except ValueError:
            return text
    else:
        return text
    return "\n".join(filter(None, map(_block, blocks)))


def _block(block: Any) -> str:
    if isinstance(block, Table):
        return "\n".join("\t".join(row) for row in block.rows)
    return getattr(block, "text", "")


class View(NamedTuple):
    """A record ready to be shown. `identity` values by column; `tables` cells by section, newest first; `timeline` events (day, section,
    first row, rows), newest first."""

    identity: dict[str, Cell]
    important: str
    tables: dict[str, list[list[Cell]]]
    timeline: list[tuple[str, str, int, int]]


class Place(NamedTuple):
    """Where a version of a document is: inside the patient's archive (`uri` of the CDA, `copy` of the PDF), or in the viewer itself when
    `copy` starts with `PDF/` and the viewer holds copies."""

    document: str
    version: str
    form: str
    uri: str
    copy: str


def people(practitioners: Iterable[Any]) -> dict[str, str]:
    """Names of the professionals by key, as they are written on a letter."""
    titles = {"DR": "Dr", "PR": "Pr", "MC": "MC", "MG": "MG", "PC": "PC", "PG": "PG"}
    return {
        p.key: inert(" ".join(v for v in (titles.get(p.suffix or "", ""), p.given, p.family) if v)) for p in practitioners
    }  # fmt: skip


def view(
    patient: Any, record: Record, qualified: bool, places: Iterable[Place], names: Mapping[str, str], synthesis: Place | None = None
) -> View:  # fmt: skip
    """The view of a patient's rows. `places` tell where the documents went, `synthesis` where the summary made at the export is, `names`
    are those of `people`."""
    person: Callable[[str | None], str | None] = lambda key: names.get(key, inert(key)) if key else None  # noqa: E731
    lines: dict[str, list[list[str | None]]] = {}
    for row in record.get("prescription_line", []):
        lines.setdefault(row.prescription, []).append([_text(row.label), _text(row.dosage), _text(row.duration)])
    tables: dict[str, list[list[Cell]]] = {}
    for name, columns in SECTIONS.items():
        if name == "document":
            rows = _documents(record, places, synthesis, person)
        else:
            rows = [
                [_cell(row, column, shown, person, lines) for column, shown in columns] for row in record.get(name, [])
            ]
        if rows:
            dates = [at for at, (_, shown) in enumerate(columns) if shown == "date"]
            # Stable, so that rows without a date keep their order.
            rows.sort(key=lambda cells: str(next((cells[at] for at in dates if cells[at]), "") or ""), reverse=True)
            tables[name] = rows
    identity: dict[str, Cell] = {}
    for column, shown in IDENTITY:
        if column == "insi":
            value: Cell = qualified
        elif column == "address":
            value = _text(" ".join(v for v in (patient.address, patient.postal_code, patient.city) if v))
        else:
            raw = getattr(patient, column)
            value = person(raw) if shown == "person" else _text(raw)
        if value is not None:
            identity[column] = value
    return View(identity, _text(patient.important) or "", tables, _timeline(tables))


def _text(value: Any) -> str | None:
    return (inert(str(value)) or None) if value is not None else None


def _cell(
    row: Any, column: str, shown: str, person: Callable[[str | None], str | None], lines: Mapping[str, list[list[str | None]]]
) -> Cell:  # fmt: skip
    if column == "lines":
        return lines.get(row.key, [])
    if column == "range":
        low, high = row.low, row.high
        return _text(f"{low or ''} – {high or ''}".strip()) if low is not None or high is not None else None
    if shown == "long":
        return _text(reading(row.text)) if row.text else None
    value = getattr(row, "given" if column == "given_name" else column)
    if column == "value" and value is None:
        value = getattr(row, "value_text", None)
    if shown == "person":
        return person(value)
    return value if isinstance(value, bool) else _text(value)


def _documents(
    record: Record, places: Iterable[Place], synthesis: Place | None, person: Callable[[str | None], str | None]
) -> list[list[Cell]]:
    rows = {row.key: row for row in record.get("document", [])}
    versions = {row.key: row for row in record.get("document_version", [])}
    out: list[list[Cell]] = []
    if synthesis is not None:
        out.append(
            [
                None,
                "Synthèse",
                "Volet de synthèse médicale",
                None,
                "produced",
                None,
                "written",
                synthesis.copy,
                synthesis.uri,
            ]
        )
    for place in places:
        row, version = rows.get(place.document), versions.get(place.version)
        if row is None:
            continue
        known = TYPES.get(row.type_code or "")
        kind = known.display if known else _text(row.local_type)
        number = version.version if version is not None and version.version and version.version > 1 else None
        out.append(
            [
                _text(row.act or row.created),
                kind,
                _text(row.title),
                person(row.practitioner) or _text(row.external_author),
                row.origin,
                number,
                place.form,
                place.copy or None,
                place.uri or None,
            ]
        )
    return out


def _timeline(tables: Mapping[str, list[list[Cell]]]) -> list[tuple[str, str, int, int]]:
    """Events by day; results of one day are one event."""
    out: list[tuple[str, str, int, int]] = []
    for name, told in TOLD.items():
        at = next(i for i, (_, shown) in enumerate(SECTIONS[name]) if shown == "date")
        if name == "problem":
            at = [c for c, _ in SECTIONS[name]].index("onset")
        for rank, cells in enumerate(tables.get(name, ())):
            day = str(cells[at] or "")[:10]
            if name == "document" and not day:
                continue
            if not told and out and out[-1][:2] == (day, name):
                out[-1] = (day, name, out[-1][2], out[-1][3] + 1)
            else:
                out.append((day, name, rank, 1))
    order = list(TOLD)
    out.sort(key=lambda e: (e[0], -order.index(e[1])), reverse=True)
    return out


class Series(NamedTuple):
    """Numeric values of one measure in time order, with its last reference bounds; `points` are (day, value)."""

    label: str
    unit: str
    points: list[tuple[str, float]]
    low: float | None
    high: float | None


def series(name: str, rows: Iterable[list[Cell]]) -> list[Series]:
    """The measures of `vital_sign` or `lab_result` that have at least two numeric values of one unit, in the order of their labels."""
    columns = [c for c, _ in SECTIONS[name]]
    found: dict[tuple[str, str], list[tuple[str, float]]] = {}
    bounds: dict[tuple[str, str], str] = {}
    for cells in rows:
        row = dict(zip(columns, cells, strict=True))
        value, day = number(row["value"]), str(row["measured"] or "")
        if value is None or not day or row.get("status") == "cancelled":
            continue
        key = (str(row["label"] or ""), str(row["unit"] or ""))
        found.setdefault(key, []).append((day, value))
        # Newest first: the first met is the last known.
        bounds.setdefault(key, str(row.get("range") or ""))
    out = []
    for key in sorted(found):
        if len(found[key]) > 1:
            low, _, high = bounds[key].partition("–")
            out.append(Series(*key, sorted(found[key]), number(low), number(high)))
    return out


def number(value: Cell) -> float | None:
    """A finite number that the text is, or None."""
    try:
        found = float(str(value).strip()) if value not in (None, "") else None
    except ValueError:
        return None
    return found if found is not None and isfinite(found) else None


def has_series(name: str) -> bool:
    """Whether the rows of a section are measures that a small chart shows."""
    return name in _SERIES
