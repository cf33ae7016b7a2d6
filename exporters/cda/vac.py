"""The history of vaccinations, « VAC » 2023.01: one section, one entry for each vaccination given or denied.

Entries belong to `entries/immunization.py`, the header to `header.py`. The caller writes `header.document(Heading(templates=TEMPLATES,
type_code=TYPE_CODE, title=TITLE, event=EVENT, ...), ..., body(rows, ids))`. The ANS made this model for the history that the DMP itself
consolidates; a practice that feeds the DMP sends one note for each vaccination (`vac_note.py`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from transvase.exporters.cda import sections
from transvase.exporters.cda.entries import immunization
from transvase.exporters.cda.header import Signatory
from transvase.formats.xml_text import attribute as q

TEMPLATES = (
    '<templateId root="1.3.6.1.4.1.19376.1.5.3.1.1.18.1.2"/>'
    '<templateId root="1.2.250.1.213.1.1.1.37" extension="2023.01"/>'
)
TYPE_CODE = "11369-6"
TITLE = "Historique de vaccinations"
EVENT = (
    '<code code="11369-6" displayName="Historique des vaccinations" codeSystem="2.16.840.1.113883.6.1"'
    ' codeSystemName="LOINC"/>'
)

# Last arc of the identifiers of entries: a vaccination keeps its identifier in every version.
_ROWS = 101
_HEAD = sections.head(
    1,
    "Historique des vaccinations",
    "11369-6",
    "Historique des vaccinations",
    "2.16.840.1.113883.10.20.1.6",
    "1.3.6.1.4.1.19376.1.5.3.1.3.23",
    "1.2.250.1.213.1.1.2.147",
) + "<text>" + sections.columns(immunization.COLUMNS)  # fmt: skip


def body(
    rows: list[Any], ids: str, pdf: bytes | None = None, professionals: Mapping[str, Signatory] | None = None
) -> str:
    """The component holding the structured body, from the rows of `immunization` of one patient.

    `ids` is an OID of this patient's history, the same for all its versions; entries take `ids.0.101.<n>` as root and the key of their
    row. `pdf` is the copy of the document in PDF, when there is one. `professionals` gives who recorded a vaccination, by key of
    `practitioner`. Each affirmed or denied row is one entry; without any, one entry says that nothing is known (the rules want one)."""
    ids = f"{q(ids)}.0"
    told, entries = immunization.write(rows, f"{ids}.{_ROWS}", "v", professionals or {})
    if not entries:
        line, entries = immunization.unknown("v")
        told = line + told
    return (
        f"<component><structuredBody>{_HEAD.replace('{ids}', ids, 1)}{told}</tbody></table></text>{entries}</section></component>"
        f"{sections.pdf_copy(pdf, ids, 2) if pdf is not None else ''}</structuredBody></component>"
    )
