"""The note of one vaccination, « VAC-NOTE » 2023.01: what a practice sends to the DMP for each vaccination, which consolidates the history
(`vac.py`) itself. One section, one entry, and the copy of the document in PDF when there is one.

The entry belongs to `entries/immunization.py`, the header to `header.py`: `header.document(Heading(templates=TEMPLATES,
type_code=TYPE_CODE, title=TITLE, event=EVENT, act=<day given>, ...), ..., body(row, ids, author))`.
"""

from __future__ import annotations

import re
from typing import Any

from transvase.exporters.cda import sections
from transvase.exporters.cda.entries import immunization
from transvase.exporters.cda.header import Signatory
from transvase.formats.xml_text import attribute as q
from transvase.model.clock import hl7

TEMPLATES = (
    '<templateId root="1.3.6.1.4.1.19376.1.5.3.1.1.18.1.2"/>'
    '<templateId root="1.2.250.1.213.1.1.1.46" extension="2023.01"/>'
)
TYPE_CODE = "87273-9"
TITLE = "Note de vaccination"
EVENT = (
    '<code code="87273-9" displayName="Note de vaccination" codeSystem="2.16.840.1.113883.6.1" codeSystemName="LOINC"/>'
)

_ROW = 101
_HEAD = sections.head(
    1,
    "Vaccination",
    "11369-6",
    "Historique des vaccinations",
    "2.16.840.1.113883.10.20.1.6",
    "1.3.6.1.4.1.19376.1.5.3.1.3.23",
    "1.2.250.1.213.1.1.2.147",
) + "<text>" + sections.columns(immunization.COLUMNS)  # fmt: skip
_DAY = re.compile(r"[0-9]{8}").fullmatch


class NotAVaccinationNote(ValueError):
    """A row that this model cannot hold; the message names what is missing, never the record's content."""


def refusal(row: Any, author: Signatory | None = None) -> str:
    """Why a row of `immunization` cannot be this document, empty when it can. `author` is who answers for it, when the caller knows."""
    if row.assertion != "affirmed":
        return "it does not say that the vaccine was given"
    if not _DAY(hl7(row.given)):
        return "the day it was given is not known"
    if author is not None and not author.code:
        return "its author has no national specialty, which the model wants"
    return ""


def body(row: Any, ids: str, author: Signatory, pdf: bytes | None = None) -> str:
    """The component holding the structured body of one row of `immunization`, which `author` answers for.

    `ids` is an OID of this vaccination, the same for all versions of its note; the entry takes `ids.0.101.1` as root and the key of the
    row. `pdf` is the copy of the document in PDF. `NotAVaccinationNote` when `refusal` says so."""
    why = refusal(row, author)
    if why:
        raise NotAVaccinationNote(f"immunization {row.key} is not written as VAC-NOTE: {why}; leave it to the history")
    ids = f"{q(ids)}.0"
    told, entry = immunization.note(row, f"{ids}.{_ROW}", "v", author)
    return (
        f"<component><structuredBody>{_HEAD.replace('{ids}', ids, 1)}{told}</tbody></table></text>{entry}</section></component>"
        f"{sections.pdf_copy(pdf, ids, 2) if pdf is not None else ''}</structuredBody></component>"
    )
