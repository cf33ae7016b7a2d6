"""Which national model a document made here leaves in when the record holds its rows beside its body: an e-prescription (eP-MED-DM), a
laboratory report (CR-BIO). The rows speak of the last version of the document: older ones, and every other type, stay level 1.

A letter is not made again from the record: what it said on its day is in its body, not in the rows of today.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, NamedTuple

from transvase.exporters.cda import cr_bio, ep_med_dm
from transvase.exporters.cda import header as cda_header
from transvase.exporters.cda.header import Heading, Signatory, Structure
from transvase.model.clock import hl7
from transvase.model.record import Record


class Rows(NamedTuple):
    """What the record holds of one document: its prescriptions with their lines, its results; `reachable` writes the patient with the
    address and telecom that the e-prescription wants."""

    prescriptions: list[Any]
    lines: list[Any]
    results: list[Any]
    reachable: Callable[[], str]


def of_record(record: Record, reachable: Callable[[], str]) -> dict[str, Rows]:
    """The rows of a patient's record, by key of the document that they belong to; documents without any are not in it."""
    found: dict[str, Rows] = {}
    owner: dict[str, Rows] = {}
    for row in record.get("prescription", ()):
        if row.document:
            mine = found.setdefault(row.document, Rows([], [], [], reachable))
            mine.prescriptions.append(row)
            owner[row.key] = mine
    if owner:
        for line in record.get("prescription_line", ()):
            if line.prescription in owner:
                owner[line.prescription].lines.append(line)
    for result in record.get("lab_result", ()):
        if result.document:
            found.setdefault(result.document, Rows([], [], [], reachable)).results.append(result)
    return found


def document(head: Heading, target: str, author: Signatory, practice: Structure, rows: Rows, pdf: bytes) -> str | None:
    """The whole document in its model; None when the model cannot hold it, which then leaves as level 1. `head` is that of level 1."""
    if head.type_code == ep_med_dm.TYPE_CODE and len(rows.prescriptions) == 1:
        (row,) = rows.prescriptions
        if ep_med_dm.refusal(row, rows.lines, pdf, author):
            return None
        special = replace(
            head,
            templates=ep_med_dm.TEMPLATES,
            event=ep_med_dm.event(row),
            extra_documentation=ep_med_dm.circumstances(row),
            act=hl7(row.prescribed) or head.act,
            act_end="",
            act_high=ep_med_dm.validity(row),
        )
        body = ep_med_dm.body(row, rows.lines, head.set_id, pdf)
        return cda_header.document(special, rows.reachable(), author, author, practice, body)
    if head.type_code == cr_bio.TYPE_CODE and rows.results and cr_bio.can_answer(author):
        event, others = cr_bio.events(rows.results)
        ended = max((hl7(r.validated) for r in rows.results if r.validated), default="")
        special = replace(
            head,
            templates=cr_bio.TEMPLATES,
            event=event,
            extra_documentation=others,
            performer=cr_bio.performer(author, practice, ended),
            responsible=cr_bio.responsible(author, practice),
        )
        return cda_header.document(
            special, target, author, author, practice, cr_bio.body(rows.results, head.set_id, pdf)
        )
    return None
