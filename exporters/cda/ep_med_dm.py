"""The e-prescription of medicines or devices, « eP-MED-DM » 2024.01: its header's particulars, its sections, and when it cannot be one.

Sheet `cda-header-ci-sis.md`, section 9. Entries belong to `entries/prescription_item.py` and `entries/device_item.py`, the header to
`header.py`. The caller writes `header.document(Heading(templates=TEMPLATES, type_code=TYPE_CODE, title=TITLE, event=event(row),
extra_documentation=circumstances(row), act=hl7(row.prescribed), act_end="", act_high=validity(row), ...),
record_target(..., reachable=True), author, ..., body(row, lines, ids, pdf))` when `refusal` finds nothing against it.
"""

from __future__ import annotations

from calendar import monthrange
from typing import Any

from transvase.exporters.cda import sections
from transvase.exporters.cda.entries import device_item, prescription_item
from transvase.exporters.cda.entries.dating import shown
from transvase.exporters.cda.entries.wording import extension, words
from transvase.exporters.cda.header import Signatory
from transvase.formats.xml_text import attribute as q
from transvase.model.clock import hl7

TEMPLATES = (
    '<templateId root="1.3.6.1.4.1.19376.1.9.1.1.1"/><templateId root="1.3.6.1.4.1.19376.1.5.3.1.1.1"/>'
    '<templateId root="1.2.250.1.213.1.1.1.39" extension="2024.01"/>'
)
TYPE_CODE = "57833-6"
TITLE = "Prescription de médicaments et/ou de dispositifs médicaux"
EVENT = (
    '<code code="57833-6" displayName="Prescription de produits de santé" codeSystem="2.16.840.1.113883.6.1"'
    ' codeSystemName="LOINC"/>'
)
# Numbers of the national e-prescription (EPU).
_EPU = "1.2.250.1.215.500.1.1"
# Column of `prescription`: code and label in TA_ASIP.
_CIRCUMSTANCES = {
    "two_zones": ("MED-1096", "Prescription bizone"),
    "exceptional": ("MED-1097", "Prescription médicaments d'exception"),
    "secured": ("MED-1098", "Ordonnance sécurisée"),
    "at_home": ("MED-1094", "Exécution à domicile"),
    "urgent": ("MED-1095", "Exécution en urgence"),
}

# Last arc of the identifiers of entries, by table: a line keeps its identifier in every version.
_LINE_ROWS = 101
_MEDICINES_HEAD = sections.head(
    1,
    "Prescription de médicaments",
    "57828-6",
    "Prescriptions",
    "1.3.6.1.4.1.19376.1.9.1.2.1",
    "1.2.250.1.213.1.1.2.171",
)
_MEDICINES_COLUMNS = sections.columns(prescription_item.COLUMNS)
_DEVICES_HEAD = sections.head(
    1, "Prescription de dispositifs médicaux", "46264-8", "Dispositifs médicaux", "1.2.250.1.213.1.1.2.222"
)
_DEVICES_COLUMNS = sections.columns(device_item.COLUMNS)


class NotAnEPrescription(ValueError):
    """A prescription that this model cannot hold; the message names what is missing, never the record's content."""


def refusal(row: Any, lines: list[Any], pdf: bytes | None, author: Signatory | None = None) -> str:
    """Why a `prescription` row cannot be this document, empty when it can: it then stays the document it has (level 1). `author` is
    who stands in the header, when the caller knows already."""
    if row.category not in ("medication", "device"):
        return "it prescribes neither medicines nor devices"
    if not lines:
        return "it has no line"
    if pdf is None:
        return "it has no copy in PDF, which the model wants"
    if author is not None and not author.code:
        return "its author has no national specialty, which the model wants"
    return ""


def event(row: Any) -> str:
    """The documented act of a `prescription` row, with its national number when it has one."""
    number = words(row.e_prescription)
    return f'<id root="{_EPU}" extension="{number}"/>{EVENT}' if number else EVENT


def validity(row: Any) -> str:
    """The end of the documented act: the last moment at which the prescription is valid. The model wants the element; a record
    without a date, or with one before the signature, says that it is not known."""
    signed, until = hl7(row.prescribed), hl7(row.valid_until)
    if not until:
        return '<high nullFlavor="UNK"/>'
    if signed.startswith(until) and len(until) < len(signed):
        # Same day, month or year as the signature: as a text, which the rules compare, it would come before its own hours.
        if len(until) == 4:
            until += "12"
        if len(until) == 6:
            until += str(monthrange(int(until[:4]), int(until[4:]))[1])
        if len(signed) > 8:
            until += f"235959{signed[14:]}"
    return f'<high value="{until}"/>' if signed and until >= signed else '<high nullFlavor="UNK"/>'


def circumstances(row: Any) -> str:
    """Further documentationOf: the form it is written on and how it is carried out. What is not so, or not recorded, has none."""
    return "".join(
        f'<documentationOf><serviceEvent classCode="INFO"><code code="{code}" displayName="{display}"'
        ' codeSystem="1.2.250.1.213.1.1.4.322" codeSystemName="TA_ASIP"/></serviceEvent></documentationOf>'
        for column, (code, display) in _CIRCUMSTANCES.items()
        if getattr(row, column)
    )


def body(row: Any, lines: list[Any], ids: str, pdf: bytes | None = None) -> str:
    """The component holding the structured body of one `prescription` row, with its `prescription_line` rows in order.

    `ids` is an OID of this prescription, the same for all its versions; sections take `ids.0.<n>` and entries `ids.0.101.<n>`, with
    the key of their row. `pdf` is the copy of the document in PDF. `NotAnEPrescription` when `refusal` says so."""
    why = refusal(row, lines, pdf)
    if why or pdf is None:
        raise NotAnEPrescription(
            f"prescription {row.key} is not written as eP-MED-DM: {why}; keep its document as it is"
        )
    ids = f"{q(ids)}.0"
    head, columns, write = (
        (_MEDICINES_HEAD, _MEDICINES_COLUMNS, prescription_item.write)
        if row.category == "medication"
        else (_DEVICES_HEAD, _DEVICES_COLUMNS, device_item.write)
    )
    opened = head.replace('<id root="{ids}.1"/>', f'<id root="{ids}.1" extension="{extension(row.key)}"/>', 1)
    until = f"<paragraph>Valable jusqu'au {shown(row.valid_until)}</paragraph>" if row.valid_until else ""
    told, entries = write(lines, f"{ids}.{_LINE_ROWS}", "l", row.prescribed)
    return (
        f"<component><structuredBody>{opened}<text>{until}{columns}{told}</tbody></table></text>{entries}</section></component>"
        f"{sections.pdf_copy(pdf, ids, 2)}</structuredBody></component>"
    )
