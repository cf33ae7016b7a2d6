"""The text writers of the synthesis, and of the entries that IPS-FR, DLU and the letters share with it, say what lxml builds element by
element from the same rows: same canonical XML, on thousands of generated rows. What is written here is the model as the sheet gives it;
nothing is taken from the writers but the national forms of codes and the HL7 form of dates."""

from __future__ import annotations

import re
from collections.abc import Iterator
from random import Random
from typing import Any

import pytest
from lxml import etree

from transvase.exporters.cda import vsm
from transvase.exporters.cda.entries import coding
from transvase.model.clock import hl7
from transvase.model.record import ROW

V3, XSI = "urn:hl7-org:v3", "http://www.w3.org/2001/XMLSchema-instance"
IDS = "1.2.250.1.999.8.7"
LOINC = {"codeSystem": "2.16.840.1.113883.6.1", "codeSystemName": "LOINC"}
SNOMED = "2.16.840.1.113883.6.96"
ABSENCE = "2.16.840.1.113883.5.1150.1"
STATED = {"affirmed": "Affirmé", "denied": "Absence affirmée"}


def held(value: str | None) -> str:
    """What XML 1.0 can hold of a text (section 2.2)."""

    def allowed(one: int) -> bool:
        return one in (9, 10, 13) or 0x20 <= one <= 0xD7FF or 0xE000 <= one <= 0xFFFD or one >= 0x10000

    return "".join(c if allowed(ord(c)) else "\ufffd" for c in value or "")


def E(tag: str, *inside: Any, **attributes: str) -> Any:
    names = {(f"{{{XSI}}}type" if name == "xsi_type" else name): held(value) for name, value in attributes.items()}
    node = etree.Element(f"{{{V3}}}{tag}", names)
    for one in flat(inside):
        if not isinstance(one, str):
            node.append(one)
        elif len(node):
            node[-1].tail = (node[-1].tail or "") + held(one)
        else:
            node.text = (node.text or "") + held(one)
    return node


def flat(values: Any) -> Iterator[Any]:
    for one in values:
        if isinstance(one, list | tuple):
            yield from flat(one)
        elif one is not None:
            yield one


def templates(*roots: str) -> list[Any]:
    return [E("templateId", root=root) for root in roots]


def label(row: Any) -> str:
    return row.label if row.label and row.label.strip(" \t\r\n") else "Sans libellé"


def extension(key: str) -> str:
    from hashlib import blake2s

    kept = 0 < len(key) <= 64 and all(" " <= c <= "~" for c in key)
    return key if kept else blake2s(key.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


def stamp(value: str | None) -> dict[str, str]:
    found = hl7(value)
    return {"value": found} if re.fullmatch(r"[0-9]{4,14}([+-][0-9]{4})?", found) else {"nullFlavor": "UNK"}


def shown(value: str | None) -> str:
    day, _, hour = (value or "").partition("T")
    parts = day.split("-")
    if len(parts) > 3 or not all(re.fullmatch("[0-9]+", part) for part in parts):
        return value or ""
    return "/".join(reversed(parts)) + (f" {hour[:5]}" if hour else "")


def carried(row: Any) -> bool:
    return bool(
        re.fullmatch(r"[!-~]{1,64}", row.code or "")
        and 3 <= len(row.system or "") <= 128
        and re.fullmatch(r"[0-2](\.(0|[1-9][0-9]*))+", row.system)
    )


def cell(row: Any) -> str:
    if not row.code:
        return ""
    return row.code if not row.system or carried(row) else f"{row.code} ({row.system})"


def concept(tag: str, asked: coding.Asked, row: Any, reference: str, **attributes: str) -> Any:
    original = {"code": row.code, "codeSystem": row.system} if carried(row) else {}
    national = asked.national(row.code) if original and row.system == asked.system else ""
    beside = original if original and row.system != ABSENCE and national != row.code else {}
    if original and row.system == ABSENCE:
        attributes |= original | {"displayName": label(row)}
    elif national:
        attributes |= {
            "code": national,
            "codeSystem": asked.system,
            "codeSystemName": asked.name,
            "displayName": label(row),
        }
    elif original:
        attributes["nullFlavor"] = "OTH"
    return E(
        tag, E("originalText", E("reference", value=f"#{reference}")),
        E("translation", displayName=label(row), **beside) if beside else None, **attributes,
    )  # fmt: skip


def text(reference: str) -> Any:
    return E("text", E("reference", value=f"#{reference}"))


def completed(code: str = "completed") -> Any:
    return E("statusCode", code=code)


def line(*cells: Any) -> Any:
    return E("tr", [E("td", one) for one in cells])


def content(row: Any, reference: str) -> Any:
    return E("content", label(row), ID=reference)


def status(row: Any) -> str:
    return STATED.get(row.assertion, "Non renseigné")


def negation(row: Any) -> str:
    return "true" if row.assertion == "denied" else "false"


def kind_of_problem(row: Any) -> Any:
    if row.system == coding.CIM10.system:
        return E("code", code="282291009", displayName="interprétation diagnostique", codeSystem=SNOMED)
    return E("code", code="55607006", displayName="problème", codeSystem=SNOMED)


def interval(*bounds: Any) -> Any:
    return E("effectiveTime", bounds)


def problem(row: Any, ref: str, root: str, active: bool) -> tuple[Any, Any]:
    low, high = E("low", **stamp(row.onset)), lambda: E("high", **stamp(row.resolved))
    goes_on = active and row.assertion == "affirmed"
    observation = E(
        "observation",
        templates("2.16.840.1.113883.10.20.1.28", "1.3.6.1.4.1.19376.1.5.3.1.4.5", "1.2.250.1.213.1.1.3.37"),
        E("id", root=f"{root}.2", extension=extension(row.key)),
        kind_of_problem(row), text(ref), completed(),
        interval(E("low", **stamp(row.onset)), high() if row.resolved and not goes_on else None),
        concept("value", coding.CIM10, row, ref, xsi_type="CD"),
        classCode="OBS", moodCode="EVN", negationInd=negation(row),
    )  # fmt: skip
    entry = E("entry", E(
        "act",
        templates("2.16.840.1.113883.10.20.1.27", "1.3.6.1.4.1.19376.1.5.3.1.4.5.1", "1.3.6.1.4.1.19376.1.5.3.1.4.5.2", "1.2.250.1.213.1.1.3.39"),
        E("id", root=f"{root}.1", extension=extension(row.key)),
        E("code", nullFlavor="NA"), completed("active" if goes_on else "completed"), interval(low, None if goes_on else high()),
        E("entryRelationship", observation, typeCode="SUBJ", inversionInd="false"),
        classCode="ACT", moodCode="EVN",
    ))  # fmt: skip
    return line(shown(row.onset), shown(row.resolved), content(row, ref), cell(row), status(row)), entry


def procedure(row: Any, ref: str, root: str) -> tuple[Any, Any]:
    when = (
        interval(E("low", **stamp(row.onset)), E("high", **stamp(row.resolved)))
        if row.resolved
        else E("effectiveTime", **stamp(row.onset))
    )
    entry = E("entry", E(
        "procedure",
        templates("1.3.6.1.4.1.19376.1.5.3.1.4.19", "2.16.840.1.113883.10.20.1.29", "1.2.250.1.213.1.1.3.62"),
        E("id", root=f"{root}.1", extension=extension(row.key)),
        concept("code", coding.CCAM, row, ref), text(ref), completed(), when,
        classCode="PROC", moodCode="EVN", negationInd=negation(row),
    ))  # fmt: skip
    return line(shown(row.onset), shown(row.resolved), content(row, ref), cell(row), status(row)), entry


def family(row: Any, ref: str, root: str) -> tuple[Any, Any]:
    observation = E(
        "observation",
        templates("2.16.840.1.113883.10.20.1.22", "1.3.6.1.4.1.19376.1.5.3.1.4.13", "1.3.6.1.4.1.19376.1.5.3.1.4.13.3", "1.2.250.1.213.1.1.3.51"),
        E("id", root=f"{root}.2", extension=extension(row.key)),
        kind_of_problem(row), text(ref), completed(), E("effectiveTime", **stamp(row.onset)),
        concept("value", coding.CIM10, row, ref, xsi_type="CD"),
        classCode="OBS", moodCode="EVN", negationInd=negation(row),
    )  # fmt: skip
    subject = E(
        "subject", templates("1.3.6.1.4.1.19376.1.5.3.1.4.15.2", "1.2.250.1.213.1.1.3.60"),
        E("relatedSubject", E("code", nullFlavor="UNK"), classCode="PRS"), typeCode="SBJ",
    )  # fmt: skip
    entry = E("entry", E(
        "organizer",
        templates("2.16.840.1.113883.10.20.1.23", "1.3.6.1.4.1.19376.1.5.3.1.4.15", "1.2.250.1.213.1.1.3.59"),
        E("id", root=f"{root}.1", extension=extension(row.key)), completed(), subject, E("component", observation, typeCode="COMP"),
        classCode="CLUSTER", moodCode="EVN",
    ))  # fmt: skip
    return line(shown(row.onset), content(row, ref), cell(row), status(row)), entry


DEGREES = {"mild": ("255604002", "léger"), "moderate": ("6736007", "modéré"), "severe": ("24484000", "grave")}
SHOWN = {"mild": "Légère", "moderate": "Modérée", "severe": "Sévère", "unknown": "Inconnue"}


def allergy(row: Any, ref: str, root: str) -> tuple[Any, Any]:
    affirmed = row.assertion == "affirmed"
    none_known = not affirmed and row.system == ABSENCE and carried(row)
    severity = participant = None
    if row.severity in DEGREES:
        code, display = DEGREES[row.severity]
        severity = E("entryRelationship", E(
            "observation",
            templates("2.16.840.1.113883.10.20.1.55", "1.3.6.1.4.1.19376.1.5.3.1.4.1", "1.2.250.1.213.1.1.3.29"),
            E("code", code="SEV", displayName="Sévérité", codeSystem="2.16.840.1.113883.5.4"), text(f"{ref}g"), completed(),
            E("value", xsi_type="CD", code=code, displayName=display, codeSystem=SNOMED),
            classCode="OBS", moodCode="EVN",
        ), typeCode="SUBJ", inversionInd="true")  # fmt: skip
    if none_known:
        value = concept("value", coding.CIS, row, ref, xsi_type="CD")
    else:
        value = E(
            "value", E("originalText", E("reference", value=f"#{ref}{'r' if row.reaction else ''}")), xsi_type="CD"
        )
        substance = E("playingEntity", concept("code", coding.CIS, row, ref), E("name", label(row)), classCode="MMAT")
        participant = E("participant", E("participantRole", substance, classCode="MANU"), typeCode="CSM")
    observation = E(
        "observation",
        templates("2.16.840.1.113883.10.20.1.18", "2.16.840.1.113883.10.20.1.28", "1.3.6.1.4.1.19376.1.5.3.1.4.5",
                  "1.3.6.1.4.1.19376.1.5.3.1.4.6", "1.2.250.1.213.1.1.3.41"),
        E("id", root=f"{root}.2", extension=extension(row.key)),
        E("code", code="420134006", displayName="propension aux effets indésirables", codeSystem=SNOMED),
        text(ref), completed(), interval(E("low", **stamp(row.onset))), value, participant, severity,
        classCode="OBS", moodCode="EVN", negationInd="false" if none_known else negation(row),
    )  # fmt: skip
    entry = E("entry", E(
        "act",
        templates("2.16.840.1.113883.10.20.1.27", "1.3.6.1.4.1.19376.1.5.3.1.4.5.1", "1.3.6.1.4.1.19376.1.5.3.1.4.5.3", "1.2.250.1.213.1.1.3.40"),
        E("id", root=f"{root}.1", extension=extension(row.key)),
        E("code", nullFlavor="NA"), completed("active" if affirmed else "completed"),
        interval(E("low", **stamp(row.onset)), None if affirmed else E("high", nullFlavor="UNK")),
        E("entryRelationship", observation, typeCode="SUBJ", inversionInd="false"),
        classCode="ACT", moodCode="EVN",
    ))  # fmt: skip
    told = (
        E("content", row.reaction, ID=f"{ref}r") if row.reaction else "",
        E("content", SHOWN.get(row.severity, ""), ID=f"{ref}g") if row.severity else "",
    )
    return line(shown(row.onset), content(row, ref), cell(row), *told, status(row)), entry


def treatment(row: Any, ref: str, root: str) -> tuple[Any, Any]:
    dosage = E("content", row.dosage, ID=f"{ref}d") if row.dosage else ""
    if row.system == ABSENCE and carried(row):
        kind = concept("code", coding.CIS, row, f"{ref}p")
        product = [E("code", nullFlavor="NA"), E("name", nullFlavor="NA")]
    else:
        kind = E("code", code="DRUG", displayName="Médicament", codeSystem="2.16.840.1.113883.5.4")
        product = [concept("code", coding.CIS, row, f"{ref}p"), E("name", label(row))]
    instructions = E("entryRelationship", E(
        "act",
        templates("2.16.840.1.113883.10.20.1.49", "1.3.6.1.4.1.19376.1.5.3.1.4.3", "1.2.250.1.213.1.1.3.33"),
        E("code", code="PINSTRUCT", codeSystem="1.3.6.1.4.1.19376.1.5.3.2"), text(f"{ref}d"), completed(),
        classCode="ACT", moodCode="INT",
    ), typeCode="SUBJ", inversionInd="true") if row.dosage else None  # fmt: skip
    entry = E("entry", E(
        "substanceAdministration",
        templates("2.16.840.1.113883.10.20.1.24", "1.3.6.1.4.1.19376.1.5.3.1.4.7", "1.2.250.1.213.1.1.3.42", "1.3.6.1.4.1.19376.1.5.3.1.4.7.1"),
        E("id", root=f"{root}.1", extension=extension(row.key)), kind, text(ref), completed(),
        E("effectiveTime", E("low", **stamp(row.start)), E("high", **stamp(row.stop)), xsi_type="IVL_TS"),
        E("consumable", E(
            "manufacturedProduct",
            templates("2.16.840.1.113883.10.20.1.53", "1.3.6.1.4.1.19376.1.5.3.1.4.7.2", "1.2.250.1.213.1.1.3.43"),
            E("manufacturedMaterial", product),
        )),
        instructions, classCode="SBADM", moodCode="EVN", negationInd=negation(row),
    ))  # fmt: skip
    long_term = {True: "Oui", False: "Non"}.get(row.long_term, "Non renseigné")
    told = line(
        shown(row.start),
        shown(row.stop),
        E("content", label(row), ID=f"{ref}p"),
        cell(row),
        dosage,
        long_term,
        status(row),
    )
    told.set("ID", ref)
    return told, entry


KINDS = {"tobacco": ("74011-8", "Consommation tabagique"), "alcohol": ("74013-4", "Consommation d'alcool"),
         "activity": ("73985-4", "Exercice physique"), "social": ("11345-6", "Autre élément social")}  # fmt: skip


def habit(row: Any, ref: str, root: str) -> tuple[Any, Any]:
    code, display = KINDS.get(row.category, ("92944-8", "Exposition à risque"))
    entry = E("entry", E(
        "observation",
        templates("2.16.840.1.113883.10.20.1.33", "1.3.6.1.4.1.19376.1.5.3.1.4.13", "1.3.6.1.4.1.19376.1.5.3.1.4.13.4", "1.2.250.1.213.1.1.3.52"),
        E("id", root=f"{root}.1", extension=extension(row.key)),
        E("code", code=code, displayName=display, codeSystem=LOINC["codeSystem"]),
        text(ref), completed(), E("effectiveTime", **stamp((row.recorded or "")[:10])),
        E("value", row.value or label(row), xsi_type="ST"),
        classCode="OBS", moodCode="EVN", negationInd=negation(row),
    ))  # fmt: skip
    return line(display, content(row, ref), row.value or "", shown(row.recorded), status(row)), entry


def occupational(row: Any, ref: str, root: str) -> tuple[Any, Any]:
    return line(content(row, ref), row.value or "", shown(row.recorded), status(row)), None


def section(arc: int, title: str, code: str, display: str, roots: tuple[str, ...], *inside: Any) -> Any:
    head = [
        *templates(*roots),
        E("id", root=f"{IDS}.0.{arc}"),
        E("code", code=code, displayName=display, **LOINC),
        E("title", title),
    ]
    return E("component", E("section", head, inside))


def rows_of(arc: int, mark: str, columns: tuple[str, ...], made: Any, rows: list[Any]) -> list[Any]:
    both = [(row, *made(row, f"{mark}{n}", f"{IDS}.0.{arc}")) for n, row in enumerate(rows, 1)]
    table = E(
        "table",
        E("thead", E("tr", [E("th", one) for one in columns])),
        E("tbody", [told for _, told, _ in both]),
        border="0",
    )
    return [E("text", table), *(entry for row, _, entry in both if row.assertion in STATED)]


def parts(*given: tuple[str, list[Any], Any]) -> list[Any]:
    """Sections with an affirmed or denied row; what is missing is a list, before them."""
    inside = [build(rows) for _, rows, build in given if any(row.assertion in STATED for row in rows)]
    missing = [
        E("item", f"{title} : non renseigné" + (f" ({' ; '.join(map(label, rows))})" if rows else ""))
        for title, rows, _ in given
        if not any(row.assertion in STATED for row in rows)
    ]
    return ([E("text", E("list", missing))] if missing else []) + inside


DATED = ("Début", "Fin", "Libellé", "Code", "Statut")


def synthesis(record: dict[str, list[Any]]) -> Any:
    problems, factors = record["problem"], record["risk_factor"]
    by_place = {name: [r for r in problems if r.category == name] for name in ("family", "surgery")}
    rest = [r for r in problems if r.category not in by_place]
    history = [r for r in rest if r.category == "history" or r.resolved]
    active = [r for r in rest if r not in history]
    pathology = section(
        2, "Pathologies, antécédents et allergies", "34117-2", "Historique et physique", ("1.2.250.1.213.1.1.2.30",),
        parts(
            ("Problèmes actifs", active, lambda rows: section(
                4, "Problèmes actifs", "11450-4", "Liste des problèmes actifs",
                ("2.16.840.1.113883.10.20.1.11", "1.3.6.1.4.1.19376.1.5.3.1.3.6", "1.2.250.1.213.1.1.2.132"),
                rows_of(101, "p", DATED, lambda *a: problem(*a, active=True), rows))),
            ("Antécédents médicaux", history, lambda rows: section(
                5, "Antécédents médicaux", "11348-0", "Antécédents médicaux",
                ("1.3.6.1.4.1.19376.1.5.3.1.3.8", "1.2.250.1.213.1.1.2.134"),
                rows_of(101, "h", DATED, lambda *a: problem(*a, active=False), rows))),
            ("Historique des actes", by_place["surgery"], lambda rows: section(
                6, "Historique des actes", "47519-4", "Historique des actes",
                ("2.16.840.1.113883.10.20.1.12", "1.3.6.1.4.1.19376.1.5.3.1.3.11", "1.3.6.1.4.1.19376.1.5.3.1.3.12", "1.2.250.1.213.1.1.2.136"),
                rows_of(101, "s", ("Date", "Fin", "Acte", "Code", "Statut"), procedure, rows))),
            ("Allergies et hypersensibilités", record["allergy"], lambda rows: section(
                7, "Allergies et hypersensibilités", "48765-2", "Allergies et hypersensibilités",
                ("2.16.840.1.113883.10.20.1.2", "1.3.6.1.4.1.19376.1.5.3.1.3.13", "1.2.250.1.213.1.1.2.137"),
                rows_of(102, "a", ("Date", "Substance", "Code", "Réaction", "Gravité", "Statut"), allergy, rows))),
        ),
    )  # fmt: skip
    risks = section(
        3, "Facteurs de risque", "57207-3",
        "Facteurs de risque présents ou passés affectant l'état de santé et/ou une circonstance", ("1.2.250.1.213.1.1.2.31",),
        parts(
            ("Habitus, mode de vie", [r for r in factors if r.category != "occupational"], lambda rows: section(
                9, "Habitus, mode de vie", "29762-2", "Habitus, Mode de vie",
                ("2.16.840.1.113883.10.20.1.15", "1.3.6.1.4.1.19376.1.5.3.1.3.16", "1.3.6.1.4.1.19376.1.5.3.1.3.16.1", "1.2.250.1.213.1.1.2.141"),
                rows_of(104, "r", ("Type", "Observation", "Valeur", "Saisi le", "Statut"), habit, rows))),
            ("Facteurs de risque professionnels", [r for r in factors if r.category == "occupational"], lambda rows: section(
                10, "Facteurs de risque professionnels", "10161-8", "Facteurs de risques professionnels",
                ("1.3.6.1.4.1.19376.1.5.3.1.1.5.3.1", "1.2.250.1.213.1.1.2.74"),
                rows_of(104, "o", ("Facteur", "Valeur", "Saisi le", "Statut"), occupational, rows))),
            ("Antécédents familiaux", by_place["family"], lambda rows: section(
                11, "Antécédents familiaux", "10157-6", "Historique des pathologies familiales",
                ("2.16.840.1.113883.10.20.1.4", "1.3.6.1.4.1.19376.1.5.3.1.3.14", "1.3.6.1.4.1.19376.1.5.3.1.3.15", "1.2.250.1.213.1.1.2.139"),
                rows_of(101, "f", ("Date", "Antécédent", "Code", "Statut"), family, rows))),
        ),
    )  # fmt: skip
    plan = section(
        13, "Traitement au long cours", "18776-5", "Plan de traitement", ("1.2.250.1.213.1.1.2.32",),
        parts(("Traitements", record["treatment"], lambda rows: section(
            14, "Traitements", "10160-0", "Traitements",
            ("2.16.840.1.113883.10.20.1.8", "1.3.6.1.4.1.19376.1.5.3.1.3.19", "1.2.250.1.213.1.1.2.143"),
            rows_of(103, "t", ("Début", "Fin", "Traitement", "Code", "Posologie", "Au long cours", "Statut"), treatment, rows)))),
    )  # fmt: skip
    results = section(
        12, "Résultats d'examens", "30954-2", "Résultats d'examens",
        ("1.3.6.1.4.1.19376.1.5.3.1.3.27", "1.2.250.1.213.1.1.2.150"), E("text", "Non renseigné"),
    )  # fmt: skip
    conclusions = section(
        1, "Pathologies, antécédents, allergies et facteurs de risque", "46612-8", "Conclusions de synthèse",
        ("1.2.250.1.213.1.1.2.29",), pathology, risks,
    )  # fmt: skip
    return E("component", E("structuredBody", conclusions, results, plan))


def canonical(node: Any) -> bytes:
    return bytes(etree.tostring(node, method="c14n2"))


WORDS = (
    "Hypertension artérielle", "Pénicilline", "PLAVIX 75 mg", "<b>&amp;\"'", "a\x00b\x1f", "deux\nlignes\r\tfin", " \t", "", None,
    "\ufffe\ud800", "\u202eévil", "]]>", "é" * 300, "🩺",
)  # fmt: skip
DATES = (
    None, "", "2019", "2019-03", "2019-03-28", "2019-02-30", "1900-01-01T00:00:00", "2019-03-28T09:30:00", "vers 2010", "1-2-3-4", "<", "٣",
)  # fmt: skip
CODES = (
    None, "", "I10", "e119", "E11.9", "HHFA001", "63564053", "3400930000000", "C09AA05", "a b", "<", "no-known-allergies", "x" * 65,
)  # fmt: skip
SYSTEMS = (
    None,
    "",
    coding.CIM10.system,
    coding.CCAM.system,
    coding.CIS.system,
    coding.ATC,
    ABSENCE,
    "CIM10",
    "1.2.03",
    f"1.{'2.' * 80}3",
)
VALUES: dict[str, tuple[Any, ...]] = {
    "assertion": ("affirmed", "affirmed", "denied", "not_recorded"),
    "code": CODES, "system": SYSTEMS, "label": WORDS, "value": WORDS, "dosage": WORDS, "reaction": WORDS,
    "severity": (None, "mild", "moderate", "severe", "unknown"), "long_term": (None, True, False),
    **dict.fromkeys(("onset", "resolved", "recorded", "start", "stop"), DATES),
}  # fmt: skip
CATEGORIES = {
    "problem": ("problem", "history", "surgery", "family"),
    "risk_factor": ("tobacco", "alcohol", "activity", "social", "occupational", "exposure"),
}


def drawn(seed: int) -> dict[str, list[Any]]:
    draw = Random(seed)

    def row(table: str, n: int) -> Any:
        values = {name: draw.choice(VALUES.get(name, (None,))) for name in ROW[table]._fields}
        key = draw.choice((str(n), f"{n} é", f'{n}-<&>"', f"{n}" * 70, f"{n}\x00"))
        return ROW[table](
            **values | {"key": key, "category": draw.choice(CATEGORIES[table])}
            if table in CATEGORIES
            else values | {"key": key}
        )

    tables = ("problem", "allergy", "treatment", "risk_factor")
    return {table: [row(table, n) for n in range(draw.randint(0, 5))] for table in tables}


@pytest.mark.parametrize("lot", range(20))
def test_the_writers_say_what_lxml_builds(lot):
    rows = 0
    for seed in range(lot * 50, lot * 50 + 50):
        record = drawn(seed)
        rows += sum(map(len, record.values()))
        written = etree.fromstring(f'<d xmlns="{V3}" xmlns:xsi="{XSI}">{vsm.body(record, IDS)}</d>'.encode())
        built = etree.Element(f"{{{V3}}}d", nsmap={None: V3, "xsi": XSI})
        built.append(synthesis(record))
        assert canonical(written) == canonical(built), f"seed {seed}"
    # Ten thousand rows in all.
    assert rows > 400
