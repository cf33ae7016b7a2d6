"""The report of laboratory examinations CR-BIO (BIO-CR-BIO_2024.01): chapters, examinations, and what its header asks.

Sheet `cda-header-ci-sis.md`, section 10. Entries belong to `entries/laboratory.py`, the header to `header.py`. The caller writes
`header.document(Heading(templates=TEMPLATES, type_code=TYPE_CODE, title=TITLE, event=event, extra_documentation=others,
performer=performer(...), responsible=responsible(...), ...), ..., body(rows, ids, pdf))` with `event, others = events(rows)`.
"""

from __future__ import annotations

import unicodedata
from typing import Any

from transvase.exporters.cda import sections
from transvase.exporters.cda.entries import laboratory
from transvase.exporters.cda.entries.dating import shown
from transvase.exporters.cda.entries.wording import words
from transvase.exporters.cda.header import PROFESSIONALS, Signatory, Structure
from transvase.formats.xml_text import attribute as q

TEMPLATES = (
    '<templateId root="1.3.6.1.4.1.19376.1.3.3"/><templateId root="1.2.250.1.213.1.1.1.55" extension="2024.01"/>'
)
TYPE_CODE = "11502-2"
TITLE = "Compte rendu d'examens biologiques"

# Chapters of a report (LOINC, IHE PaLM; labels of the ANS examples where they have one), by what titles say.
_CHAPTERS = {
    "biochimie": ("18719-5", "Biochimie"),
    "hematologie": ("18723-7", "Hématologie"),
    "cytologie": ("26438-2", "Cytologie"),
    "hemostase": ("18720-3", "Hémostase, coagulation"),
    "coagulation": ("18720-3", "Hémostase, coagulation"),
    "microbiologie": ("18725-2", "Microbiologie"),
    "bacteriologie": ("18725-2", "Microbiologie"),
    "serologie": ("18727-8", "Sérologie"),
    "toxicologie": ("18728-6", "Toxicologie"),
    "proteines": ("18718-7", "Protéines, marqueurs tumoraux, vitamines"),
    "marqueurs": ("18718-7", "Protéines, marqueurs tumoraux, vitamines"),
    "immunohematologie": ("18717-9", "Immuno-hématologie"),
}
UNKNOWN_CHAPTER = ("26436-6", "Examens de laboratoire")
# The event of a report without result.
EVENT = (
    f'<code code="{UNKNOWN_CHAPTER[0]}" displayName="{UNKNOWN_CHAPTER[1]}" codeSystem="2.16.840.1.113883.6.1"'
    ' codeSystemName="LOINC"/>'
)
_STATE = '<statusCode xmlns="urn:oid:1.3.6.1.4.1.19376.1.3.2" code="{state}"/>'
NO_RESULT = "Aucun résultat au dossier"

# Last arc of the identifiers of rows of lab_result.
_ROWS = 105


def _plain(title: str) -> str:
    """Small letters without accents: titles of laboratories are in capitals as often as not."""
    return "".join(c for c in unicodedata.normalize("NFKD", title.casefold()) if not unicodedata.combining(c))


def _code(title: str | None) -> str:
    """The code element of a chapter, the one of any laboratory examination when its title names none that is known."""
    first = "".join(c if c.isalnum() else " " for c in _plain(title or "")).split()
    code, display = next((_CHAPTERS[word] for word in first if word in _CHAPTERS), UNKNOWN_CHAPTER)
    return f'<code code="{code}" displayName="{display}" codeSystem="2.16.840.1.113883.6.1" codeSystemName="LOINC"/>'


def events(rows: list[Any]) -> tuple[str, str]:
    """What the document documents: the content of the first serviceEvent (the first chapter, and whether all results are there),
    then the further documentationOf elements, one for each other chapter. For `Heading.event` and `Heading.extra_documentation`."""
    codes = list(dict.fromkeys(_code(row.chapter) for row in rows)) or [EVENT]
    state = "active" if any(row.status == "partial" for row in rows) else "completed"
    others = "".join(f"<documentationOf><serviceEvent>{code}</serviceEvent></documentationOf>" for code in codes[1:])
    return codes[0] + _STATE.format(state=state), others


def _organisation(practice: Structure, setting: bool) -> str:
    """The structure with the telephone and the address that the model wants, said unknown when the record has none."""
    contact = practice.contact
    if "<telecom" not in contact:
        contact = '<telecom nullFlavor="UNK"/>' + contact
    if "<addr" not in contact:
        contact += '<addr nullFlavor="UNK"/>'
    return (
        f"<representedOrganization><id {practice.id}/><name>{practice.name}</name>{contact}"
        f"{practice.setting if setting else ''}</representedOrganization>"
    )


def performer(director: Signatory, practice: Structure, ended: str) -> str:
    """Who performed the documented act, for `Heading.performer`. `ended` is an HL7 TS, empty when it is not known."""
    time = f'<time><high value="{q(ended)}"/></time>' if ended else '<time nullFlavor="UNK"/>'
    return (
        f'<performer typeCode="PRF"><templateId root="1.3.6.1.4.1.19376.1.3.3.1.7"/>{time}<assignedEntity><id {director.id}/>'
        f'{director.code}<addr nullFlavor="UNK"/><telecom nullFlavor="UNK"/>'
        f"<assignedPerson><name>{director.name}</name></assignedPerson>{_organisation(practice, True)}"
        "</assignedEntity></performer>"
    )


def can_answer(signatory: Signatory) -> bool:
    """Whether the rules admit this person as responsible for a report: a national identifier and a profession of the value set."""
    return signatory.id.endswith(f' root="{PROFESSIONALS}"') and bool(signatory.code)


def responsible(signatory: Signatory, practice: Structure) -> str:
    """Who answers for the examinations, for `Heading.responsible`. ValueError when `can_answer` is false: ask before."""
    if not can_answer(signatory):
        raise ValueError("the person responsible for a laboratory report needs a national identifier and a profession")
    return (
        f"<responsibleParty><assignedEntity><id {signatory.id}/>{signatory.code}"
        f"<assignedPerson><name>{signatory.name}</name></assignedPerson>{_organisation(practice, False)}"
        "</assignedEntity></responsibleParty>"
    )


def _examination(row: Any) -> tuple[Any, ...]:
    # A result without sample stands apart: beside one sample, a reader would take it for the result of that one.
    return row.panel, row.laboratory, row.validated_by, row.validated, row.status == "partial", bool(row.specimen)


def _section(rows: list[Any], ids: str, mark: str, code: str) -> str:
    """FR-CR-BIO-Sous-Chapitre: one examination, its table and its entry."""
    first = rows[0]
    lines, entry = laboratory.write(rows, ids, mark, code)
    title = f"<title>{words(first.panel)}</title>" if first.panel else ""
    told = ""
    if first.laboratory:
        told += f"<paragraph>Laboratoire : {words(first.laboratory)}</paragraph>"
    if first.validated_by or first.validated:
        when = f" le {shown(first.validated)}" if first.validated else ""
        told += f"<paragraph>Validé par {words(first.validated_by) or sections.NOT_RECORDED.lower()}{when}</paragraph>"
    return (
        '<component><section><templateId root="1.3.6.1.4.1.19376.1.3.3.2.2"/><templateId root="1.2.250.1.213.1.1.2.71"/>'
        f"{code}{title}<text>{told}{_COLUMNS}{lines}</tbody></table></text>{entry}</section></component>"
    )


_COLUMNS = sections.columns(laboratory.COLUMNS)
_CHAPTER = (
    '<component><section><templateId root="1.3.6.1.4.1.19376.1.3.3.2.1"/><templateId root="1.2.250.1.213.1.1.2.70"/>'
)


def body(rows: list[Any], ids: str, pdf: bytes) -> str:
    """The component holding the structured body. Each row of `lab_result` is one coded observation.

    `ids` is an OID of this document, the same for all its versions; rows take `ids.0.105.<n>` as root and their key as extension,
    so a row keeps its identifier. `pdf` is the copy of the document in PDF, which the model demands.

    Chapters and examinations stand in the order of their first row, rows in the order given. Results of another laboratory, validated
    by another person or partial are another examination of the same title: who did what is never mixed."""
    ids = f"{q(ids)}.0"
    chapters: dict[str | None, dict[tuple[Any, ...], list[Any]]] = {}
    for row in rows:
        chapters.setdefault(row.chapter or None, {}).setdefault(_examination(row), []).append(row)
    made = []
    for c, (title, examinations) in enumerate(chapters.items(), 1):
        code = _code(title)
        made.append(f"{_CHAPTER}{code}<title>{words(title) or UNKNOWN_CHAPTER[1]}</title>")
        made += (
            _section(members, f"{ids}.{_ROWS}", f"b{c}.{e}.", code)
            for e, members in enumerate(examinations.values(), 1)
        )
        made.append("</section></component>")
    if not rows:
        made.append(
            f"{_CHAPTER}{EVENT}<title>{UNKNOWN_CHAPTER[1]}</title>"
            f'<text><paragraph ID="b0">{NO_RESULT}</paragraph></text>{laboratory.none(EVENT, "b0")}</section></component>'
        )
    return f"<component><structuredBody>{''.join(made)}{sections.pdf_copy(pdf, ids, 2)}</structuredBody></component>"
