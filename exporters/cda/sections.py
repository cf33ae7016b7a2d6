"""What the sections of every structured model share: how one opens, the table of its text, and the copy of the document in PDF.

Which sections a model has, and their order, belong to the model; entries to `entries/`.
"""

from __future__ import annotations

import pybase64

NOT_RECORDED = "Non renseigné"


def head(arc: int, title: str, code: str, display: str, *templates: str) -> str:
    """The start of a section up to its title; `{ids}` stands for the root of the identifiers."""
    return (
        "<component><section>"
        + "".join(f'<templateId root="{root}"/>' for root in templates)
        + f'<id root="{{ids}}.{arc}"/><code code="{code}" displayName="{display}" codeSystem="2.16.840.1.113883.6.1"'
        + f' codeSystemName="LOINC"/><title>{title}</title>'
    )


def columns(names: tuple[str, ...]) -> str:
    """The start of a table of the text, up to its first row."""
    return f'<table border="0"><thead><tr>{"".join(f"<th>{name}</th>" for name in names)}</tr></thead><tbody>'


def pdf_copy(pdf: bytes, ids: str, arc: int) -> str:
    """Section FR-Document-PDF-copie (sheet, section 7); `arc` is its place under `ids`, the root of the identifiers."""
    return (
        head(arc, "Copie du document", "55108-5", "Copie du document", "1.2.250.1.213.1.1.2.243").replace(
            "{ids}", ids, 1
        )
        + '<text><paragraph ID="copie">Copie du document au format PDF</paragraph><renderMultiMedia referencedObject="pdf"/></text>'
        '<entry><organizer classCode="CLUSTER" moodCode="EVN"><templateId root="1.2.250.1.213.1.1.3.18"/>'
        f'<id root="{ids}.{arc}.1"/>'
        '<code code="55107-7" displayName="Document attaché" codeSystem="2.16.840.1.113883.6.1" codeSystemName="LOINC"/>'
        '<statusCode code="completed"/><component><observation classCode="OBS" moodCode="EVN">'
        '<templateId root="1.3.6.1.4.1.19376.1.5.3.1.4.13"/><templateId root="1.2.250.1.213.1.1.3.48"/>'
        f'<templateId root="1.2.250.1.213.1.1.3.48.18"/><id root="{ids}.{arc}.2"/>'
        '<code code="69764-9" displayName="Type de document" codeSystem="2.16.840.1.113883.6.1" codeSystemName="LOINC"/>'
        '<text><reference value="#copie"/></text><statusCode code="completed"/><effectiveTime nullFlavor="NA"/>'
        '<value xsi:type="CD" code="55108-5" displayName="Copie du document" codeSystem="2.16.840.1.113883.6.1"'
        ' codeSystemName="LOINC"/></observation></component>'
        '<component><observationMedia classCode="OBS" moodCode="EVN" ID="pdf">'
        f'<value mediaType="application/pdf" representation="B64">{pybase64.b64encode(pdf).decode("ascii")}</value>'
        "</observationMedia></component></organizer></entry></section></component>"
    )
