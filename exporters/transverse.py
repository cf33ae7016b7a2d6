"""TRANSVERSE.ZIP: what belongs to no patient archive: agenda (RFC 5545), access traces (RFC 5424), professionals, correspondents,
billing and native cells in their original form, and records whose patient is unknown. Streamed: nothing is held in memory.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, BinaryIO

import duckdb
import orjson

from transvase.exporters.documents import EXTENSION, Context
from transvase.exporters.patient_archive import issuer_lines
from transvase.formats import zip_stream
from transvase.formats.ascii_text import readme
from transvase.formats.zip_stream import ZipStream
from transvase.model.clock import parse, utc14
from transvase.model.record import ROW
from transvase.model.request import Scope
from transvase.model.tables import TABLES

_ROWS = 2000
# What the practice holds as a whole; everything else with a patient goes to the patient's archive.
_OF_PRACTICE = ("practice", "practitioner", "correspondent", "billing", "native")


def carried(scope: Scope) -> bool:
    """Whether an export has transverse data: the record of one patient has none but on a requisition."""
    return scope.kind != "UNITAIRE" or scope.judicial


def write(
    file: BinaryIO,
    ctx: Context,
    base: duckdb.DuckDBPyConnection,
    bodies: Callable[[str], bytes | None],
    clock: datetime,
    extraction: dict[str, Any],
    scope: Scope,
) -> dict[str, int]:
    """Write the ZIP; counts of rows by part. Documents of unknown patients leave as their original bytes. `extraction` is the
    manifest of the extraction: who imports the archive goes on with the same account of cells. The record of one patient has no
    transverse part but its README (PORT-66), see `carried`."""
    zip_file = ZipStream(file, clock.replace(tzinfo=None))
    counts: dict[str, int] = {}

    def stream(
        name: str, query: str, make: Any, write_row: Callable[[Any], bytes], head: bytes = b"", foot: bytes = b""
    ) -> None:
        counts[name] = 0

        def chunks() -> Iterator[bytes]:
            yield head
            # As a stream of batches: a fetched result would stand whole in memory.
            for batch in base.cursor().sql(query).to_arrow_reader(_ROWS):
                rows = zip(*(column.to_pylist() for column in batch.columns), strict=True)
                counts[name] += batch.num_rows
                yield b"".join(write_row(make(r)) for r in rows)
            yield foot

        zip_file.add_chunks(f"TRANSVERSE/{name}", chunks())

    zip_file.add("README.TXT", _readme(ctx))
    if not carried(scope):
        zip_file.finish()
        return counts
    zip_file.add("TRANSVERSE/EXTRACTION.JSON", orjson.dumps(extraction, option=orjson.OPT_INDENT_2))
    # The files are in slot, patient and key order, and one thread reads them in that order: nothing has to be sorted.
    columns = {name: table.select for name, table in TABLES.items()}
    stream("AGENDA.ICS", f"SELECT {columns['appointment']} FROM appointment", ROW["appointment"]._make,
           lambda r: event(ctx, r), _CALENDAR_HEAD, b"END:VCALENDAR\r\n")  # fmt: skip
    stream("ACCES.LOG", f"SELECT {columns['access_log']} FROM access_log", ROW["access_log"]._make,
           lambda r: syslog(ctx, r))  # fmt: skip
    for name in _OF_PRACTICE:
        stream(f"{name.upper()}.JSONL", f"SELECT {columns[name]} FROM {name}", ROW[name]._make, line)
    # Rows of patients that the patient table does not hold: a record must not vanish because its owner did.
    for name, table in TABLES.items():
        if not table.of_patient or name in ("patient", *_OF_PRACTICE):
            continue
        stray = f"FROM {name} WHERE patient IS NULL OR patient NOT IN (SELECT key FROM patient)"
        if base.sql(f"SELECT count(*) {stray}").fetchall()[0][0]:
            stream(f"ORPHELIN/{name.upper()}.JSONL", f"SELECT {columns[name]} {stray}", ROW[name]._make, line)
    held = base.sql(
        "SELECT v.key, v.sha256, v.detected FROM document_version v WHERE v.sha256 IS NOT NULL AND "
        "(v.patient IS NULL OR v.patient NOT IN (SELECT key FROM patient)) ORDER BY v.key"
    ).fetchall()
    for rank, (_, digest, detected) in enumerate(held, 1):
        if (body := bodies(digest)) is not None:
            zip_file.add(f"TRANSVERSE/ORPHELIN/DOC{rank:05d}.{EXTENSION.get(detected, 'BIN')}", body)
    counts["orphan bodies"] = len(held)
    zip_file.finish()
    return counts


def elsewhere(ctx: Context, clock: datetime, archive: str) -> bytes:
    """TRANSVERSE.ZIP of a following archive of a set: a README that says which archive holds the data, since PORT-66 wants one."""
    told = [f"   . Les donnees transverses de l'ensemble sont dans {archive}."]
    text = readme([*issuer_lines(ctx), "Instructions :", "==============", *told])
    return zip_stream.build([("README.TXT", text, True)], clock.replace(tzinfo=None))


def line(row: Any) -> bytes:
    """A row as one JSON line."""
    return orjson.dumps(row._asdict()) + b"\n"


_CALENDAR_HEAD = b"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//Transvase//FR\r\nCALSCALE:GREGORIAN\r\n"
# RFC 5545, 3.1: no control character but the tab stands in a content line.
_CONTROLS = dict.fromkeys([*range(9), *range(10, 32), 127])
_ICAL = _CONTROLS | str.maketrans({"\\": "\\\\", ";": "\\;", ",": "\\,", "\n": "\\n"})
_STATUS = {"booked": "CONFIRMED", "arrived": "CONFIRMED", "cancelled": "CANCELLED", "noshow": "CONFIRMED"}


def _folded(text: str) -> bytes:
    """A content line of RFC 5545: at most 75 bytes, never cut inside a character."""
    raw, out = text.encode(), b""
    while len(raw) > 73:
        cut = 73
        while raw[cut] & 0xC0 == 0x80:
            cut -= 1
        out += raw[:cut] + b"\r\n "
        raw = raw[cut:]
    return out + raw + b"\r\n"


def event(ctx: Context, row: Any) -> bytes:
    """An appointment as VEVENT in UTC; one without a usable start keeps its row in DONNEES.JSON or ORPHELIN and is left out here."""
    start, end = _moment(row.start), _moment(row.end)
    if start is None:
        return b""
    if end is None or end <= start:
        # RFC 5545, 3.8.2.2: the end stands after the start.
        end = start + timedelta(minutes=15)
    form = "%Y%m%dT%H%M%SZ"
    doctor = f"\nX-TRANSVASE-PRACTITIONER:{row.practitioner}" if row.practitioner else ""
    who = f"\nX-TRANSVASE-PATIENT:{row.patient}" if row.patient else ""
    summary = (row.label or "Rendez-vous").translate(_ICAL)
    stamp = utc14(ctx.clock)
    return b"".join(
        _folded(part)
        for part in (
            f"BEGIN:VEVENT\nUID:{row.key}@{ctx.practice.oid}\nDTSTAMP:{stamp[:8]}T{stamp[8:]}Z\nDTSTART:{start:{form}}\n"
            f"DTEND:{end:{form}}\nSUMMARY:{summary}\nSTATUS:{_STATUS.get(row.status or '', 'CONFIRMED')}{doctor}{who}\nEND:VEVENT"
        ).split("\n")
    )


def _moment(value: str | None) -> datetime | None:
    """An instant in UTC, where no hour repeats in October; None for the first and last years of the calendar, which products write
    for "no date" and where nothing can be added."""
    found = parse(value)
    return found.astimezone(UTC) if found is not None and 1000 < found.year < 9999 else None


_SD = str.maketrans({"\\": "\\\\", '"': '\\"', "]": "\\]", "\n": " ", "\r": " "})


def syslog(ctx: Context, row: Any) -> bytes:
    """A trace as one RFC 5424 line: facility 10 (authpriv), severity informational; references, no text of the record."""
    moment = parse(row.at)
    if moment is not None and moment.year <= 1911:
        # Offsets had seconds, which RFC 5424 cannot hold.
        moment = _moment(row.at)
    at = moment.isoformat() if moment else "-"
    facts = " ".join(
        f'{name}="{(value or "").translate(_SD)}"'
        for name, value in (
            ("actor", row.actor),
            ("action", row.action),
            ("patient", row.patient),
            ("object", row.object),
        )
    )
    return f"<86>1 {at} - transvase - ACCESS [transvase@32473 {facts}]\n".encode()


def _readme(ctx: Context) -> bytes:
    return readme(
        [
            *issuer_lines(ctx),
            "Instructions :",
            "==============",
            "   . Donnees du cabinet qui ne relevent d'aucun dossier patient de l'archive.",
            "   . AGENDA.ICS : rendez-vous, lisibles par un logiciel de calendrier (RFC 5545).",
            "   . ACCES.LOG : traces d'acces (RFC 5424).",
            "   . *.JSONL : une ligne JSON par enregistrement ; NATIVE.JSONL garde les cellules d'origine.",
            "   . ORPHELIN : enregistrements dont le patient est inconnu.",
            "   . EXTRACTION.JSON : date de lecture du logiciel quitte, lignes par table, somme des cellules.",
        ]
    )
