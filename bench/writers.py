"""What our writers cost beside the least that any writer of the same bytes could do, and beside the libraries that one would take instead.

The least is code generated from the result: a dict display with the values in a list, then orjson; one f-string; for a PDF page, its
operators joined from their operands, texts escaped, compressed and put after constant bytes, with no line to break nor column to place.
Nothing is computed in it: names, dates and narratives are among the values. For the bundle, `plainly` is beside it the straightforward
program: the dicts of the same content made from the same rows, then orjson.
"""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from datetime import datetime
from io import BytesIO
from typing import Any
from zoneinfo import ZoneInfo

import orjson
import reference as ref

CREATED = "2026-11-23T20:00:00+01:00"
Pair = tuple[Callable[[], Any], Callable[[], Any]]


def repeated(work: Callable[[], Any], times: int) -> Callable[[], None]:
    """The same work several times: one takes less than the clock sees."""

    def again() -> None:
        for _ in range(times):
            work()

    return again


def compiled(source: str, values: list[Any]) -> Callable[[], Any]:
    """A function whose body is an expression of `v`, the list of values."""
    names: dict[str, Any] = {"v": values}
    exec(f"def made():\n    return {source}", names)
    made: Callable[[], Any] = names["made"]
    return made


IPS = "http://hl7.org/fhir/uv/ips/StructureDefinition/{}-uv-ips|2.0.0"
FR_CORE = "https://hl7.fr/ig/fhir/core/"
HL7 = "http://terminology.hl7.org/CodeSystem/"
SECTIONS = (
    ("Problèmes", "11450-4", "problem"),
    ("Allergies et intolérances", "48765-2", "allergy"),
    ("Traitements", "10160-0", "treatment"),
    ("Vaccinations", "11369-6", ""),
    ("Résultats", "30954-2", ""),
    ("Constantes", "8716-3", ""),
    ("Interventions", "47519-4", "surgery"),
    ("Antécédents", "11348-0", "history"),
    ("Antécédents familiaux", "10157-6", ""),
    ("Mode de vie et facteurs de risque", "29762-2", "risk_factor"),
)


def coded(system: str, code: str) -> dict[str, Any]:
    """A CodeableConcept."""
    return {"coding": [{"system": system, "code": code}]}


def french(day: str) -> str:
    """A date for a reader."""
    return "/".join(reversed(day.split("-")))


def reliability(system: str, code: str) -> dict[str, Any]:
    """The extension of FR Core for the status of an identity."""
    status = {"system": f"{FR_CORE}CodeSystem/{system}", "code": code}
    return {
        "url": f"{FR_CORE}StructureDefinition/fr-core-identity-reliability",
        "extension": [{"url": "identityStatus", "valueCoding": status}],
    }


def plainly(record: Any, practice: Any, patient: Any, shared: list[Any], created: str, identifier: str) -> bytes:
    """The document of the reference patient as one would write it by hand from the rows: dicts, then orjson. It knows the cases of these
    rows only and checks nothing. Resources of the practice and of the professional are `shared`, ready; names are made by the product's
    own function, six times faster than `uuid.uuid5`."""
    from transvase.exporters.fhir.subject import resource_id

    oid = practice.oid

    def named(table: str, key: str) -> str:
        return resource_id(oid, table, key)

    def to(name: str) -> dict[str, Any]:
        return {"reference": f"urn:uuid:{name}"}

    def numbered(table: str, key: str) -> list[dict[str, Any]]:
        return [{"system": f"urn:oid:{oid}", "value": f"{table}/{key}"}]

    def recorded(row: Any) -> dict[str, Any]:
        return {"coding": [{"system": f"urn:oid:{row.system}", "code": row.code}], "text": row.label}

    person = named("patient", patient.key)
    structure = named("practice", practice.key)
    software = named("device", "Transvase")

    def begun(kind: str, table: str, row: Any, profile: str) -> dict[str, Any]:
        return {
            "resourceType": kind,
            "id": named(table, row.key),
            "meta": {"profile": [IPS.format(profile)]},
            "identifier": numbered(table, row.key),
        }

    def problem(row: Any) -> dict[str, Any]:
        made = begun("Condition", "problem", row, "Condition")
        if row.category == "problem":
            made["clinicalStatus"] = coded(f"{HL7}condition-clinical", "active")
            made["verificationStatus"] = coded(f"{HL7}condition-ver-status", "confirmed")
            made["category"] = [coded(f"{HL7}condition-category", "problem-list-item")]
        else:
            made["verificationStatus"] = coded(f"{HL7}condition-ver-status", "confirmed")
            made["category"] = [{"text": "Antécédent"}]
        made["code"] = recorded(row)
        made["subject"] = to(person)
        if row.onset:
            made["onsetDateTime"] = row.onset
        if row.recorded:
            made["recordedDate"] = row.recorded + "+01:00"
        return made

    def surgery(row: Any) -> dict[str, Any]:
        made = begun("Procedure", "problem", row, "Procedure")
        made["status"] = "completed"
        made["code"] = recorded(row)
        made["subject"] = to(person)
        made["performedDateTime"] = row.onset
        return made

    def allergy(row: Any) -> dict[str, Any]:
        made = begun("AllergyIntolerance", "allergy", row, "AllergyIntolerance")
        made["clinicalStatus"] = coded(f"{HL7}allergyintolerance-clinical", "active")
        made["verificationStatus"] = coded(f"{HL7}allergyintolerance-verification", "confirmed")
        made["code"] = {"text": row.label}
        made["patient"] = to(person)
        if row.onset:
            made["onsetDateTime"] = row.onset
        return made

    def treatment(row: Any) -> dict[str, Any]:
        made = begun("MedicationStatement", "treatment", row, "MedicationStatement")
        made["status"] = "active"
        made["medicationCodeableConcept"] = recorded(row)
        made["subject"] = to(person)
        made["effectivePeriod"] = {"start": row.start}
        if row.long_term:
            made["note"] = [{"text": "Traitement au long cours"}]
        if row.dosage:
            made["dosage"] = [{"text": row.dosage}]
        return made

    def risk(row: Any) -> dict[str, Any]:
        made = begun("Observation", "risk_factor", row, "Observation-tobaccouse")
        made["status"] = "final"
        made["category"] = [coded(f"{HL7}observation-category", "social-history")]
        made["code"] = {**coded("http://loinc.org", "72166-2"), "text": row.label}
        made["subject"] = to(person)
        made["_effectiveDateTime"] = {
            "extension": [{"url": "http://hl7.org/fhir/StructureDefinition/data-absent-reason", "valueCode": "unknown"}]
        }
        made["valueCodeableConcept"] = {"text": row.value}
        return made

    def since(row: Any) -> str:
        return f"{row.label} ({french(row.onset)})"

    ways: dict[str, tuple[Callable[[Any], dict[str, Any]], Callable[[Any], str]]] = {
        "problem": (problem, since),
        "history": (problem, since),
        "surgery": (surgery, since),
        "allergy": (allergy, lambda row: f"{row.label} (depuis {french(row.onset)})"),
        "treatment": (treatment, lambda row: f"{row.label} : {row.dosage}, depuis {french(row.start)}"),
        "risk_factor": (risk, lambda row: f"{row.label} : {row.value}"),
    }
    opening = '<div xmlns="http://www.w3.org/1999/xhtml" lang="fr" xml:lang="fr">'
    sections, resources = [], []
    for title, loinc, name in SECTIONS:
        if name in ("problem", "history", "surgery"):
            rows = [row for row in record["problem"] if row.category == name]
        else:
            rows = record.get(name, [])
        section: dict[str, Any] = {"title": title, "code": coded("http://loinc.org", loinc)}
        if rows:
            way, line = ways[name]
            made = [way(row) for row in rows]
            lines = "".join(f"<li>{html.escape(line(row), quote=False)}</li>" for row in rows)
            section["text"] = {"status": "generated", "div": f"{opening}<ul>{lines}</ul></div>"}
            section["entry"] = [to(resource["id"]) for resource in made]
            resources += made
        else:
            words = "Aucune information dans le dossier du cabinet."
            section["text"] = {"status": "generated", "div": f"{opening}<p>{words}</p></div>"}
            section["emptyReason"] = {
                **coded(f"{HL7}list-empty-reason", "unavailable"),
                "text": "Information indisponible",
            }
        sections.append(section)
    number = {"system": "urn:ietf:rfc:3986", "value": f"urn:oid:{identifier}"}
    composition = {
        "resourceType": "Composition",
        "id": named("composition", identifier),
        "language": "fr-FR",
        "identifier": number,
        "status": "final",
        "type": coded("http://loinc.org", "60591-5"),
        "subject": to(person),
        "date": created,
        "author": [to(software), to(structure)],
        "title": "Synthèse du dossier médical",
        "confidentiality": "N",
        "custodian": to(structure),
        "section": sections,
    }
    who = {
        "resourceType": "Patient",
        "id": person,
        "meta": {"profile": [IPS.format("Patient"), f"{FR_CORE}StructureDefinition/fr-core-patient-ins|2.1.0"]},
        "extension": [
            reliability("fr-core-cs-identity-status", "PROV"),
            reliability("fr-core-cs-v2-0445", "VALI"),
            {
                "url": "http://hl7.org/fhir/StructureDefinition/patient-birthPlace",
                "valueAddress": {
                    "extension": [
                        {
                            "url": f"{FR_CORE}StructureDefinition/fr-core-address-insee-code",
                            "valueCoding": {
                                "system": "https://mos.esante.gouv.fr/NOS/TRE_R13-CommuneOM/FHIR/TRE-R13-CommuneOM",
                                "code": patient.birth_place_code,
                            },
                        }
                    ],
                    "city": patient.birth_place,
                },
            },
        ],
        "identifier": [
            {
                "use": "official",
                "type": coded(f"{FR_CORE}CodeSystem/fr-core-cs-v2-0203", "INS-NIR-TEST"),
                "system": f"urn:oid:{patient.ins_oid}",
                "value": patient.ins,
            },
            {
                "use": "usual",
                "type": coded(f"{HL7}v2-0203", "PI"),
                "system": f"urn:oid:{oid}.1",
                "value": patient.key,
            },
        ],
        "name": [
            {
                "extension": [
                    {
                        "url": f"{FR_CORE}StructureDefinition/fr-core-patient-birth-list-given-name",
                        "valueString": patient.birth_given,
                    }
                ],
                "use": "official",
                "family": patient.birth_family,
                "given": [patient.birth_first_given],
            },
            {"use": "usual", "family": patient.used_family},
        ],
        "gender": {"F": "female", "M": "male"}[patient.sex],
        "birthDate": patient.birth_date,
        "address": [
            {"use": "home", "line": [patient.address], "city": patient.city, "postalCode": patient.postal_code}
        ],
        "generalPractitioner": [to(named("practitioner_role", patient.attending))],
    }
    entries = [
        {"fullUrl": f"urn:uuid:{resource['id']}", "resource": resource}
        for resource in (composition, who, *shared, *resources)
    ]
    document = {
        "resourceType": "Bundle",
        "identifier": number,
        "type": "document",
        "timestamp": created,
        "entry": entries,
    }
    return orjson.dumps(document)


def bundle() -> tuple[Callable[[], bytes], Callable[[], bytes], Callable[[], bytes], Callable[[], str], int]:
    """A document of 32 entries by us, by a dict of ready values and orjson, by `plainly`, by fhir.resources from that dict; its number
    of bytes."""
    from fhir.resources.R4B.bundle import Bundle

    from transvase.exporters.fhir.bundle import document_bundle

    patient, doctor = ref.patient(), ref.practitioner()
    record = ref.bundled(ref.record([ref.pdf(1), ref.pdf(2)]))

    practice = ref.practice()

    def ours() -> bytes:
        return document_bundle(
            record,
            practice=practice,
            practitioners={"1": doctor},
            patient=patient,
            created=CREATED,
            identifier="1.2.250.1.999.1.1.8.1",
            qualified=True,
        )

    parsed = orjson.loads(ours())
    values: list[Any] = []

    def display(value: Any) -> str:
        if isinstance(value, dict):
            return "{" + ",".join(f"{k!r}:{display(x)}" for k, x in value.items()) + "}"
        if isinstance(value, list):
            return "[" + ",".join(map(display, value)) + "]"
        values.append(value)
        return f"v[{len(values) - 1}]"

    build = compiled(display(parsed), values)
    assert build() == parsed

    shared = [entry["resource"] for entry in parsed["entry"][2:6]]

    def plain() -> bytes:
        return plainly(record, practice, patient, shared, CREATED, "1.2.250.1.999.1.1.8.1")

    assert plain() == ours(), "the plain program writes the same bytes"
    return ours, lambda: orjson.dumps(build()), plain, lambda: Bundle(**parsed).model_dump_json(), len(ours())


def synthesis() -> tuple[Callable[[], str], Callable[[], str], Callable[[], bytes], int]:
    """The body of a VSM by us, by one f-string of the same text, by lxml elements; its number of bytes."""
    from lxml import etree

    from transvase.exporters.cda import vsm

    record = ref.record([ref.pdf(1), ref.pdf(2)])

    def ours() -> str:
        return vsm.body(record, "1.2.250.1.213.9.9.13.7")

    text = ours()
    # Every value of an attribute and every text is a value of the f-string.
    parts = re.split(r'(?<==")([^"]*)(?=")|(?<=>)([^<]+)(?=<)', text)
    values: list[str] = []
    pieces: list[str] = []
    for rank, part in enumerate(parts):
        if part is None:
            continue
        if rank % 3:
            values.append(part)
            pieces.append(f"{{v[{len(values) - 1}]}}")
        else:
            pieces.append(part.replace("{", "{{").replace("}", "}}"))
    build = compiled("f'''" + "".join(pieces).replace("\\", "\\\\").replace("'''", "\\'\\'\\'") + "'''", values)
    assert build() == text
    spaces = {None: "urn:hl7-org:v3", "xsi": "http://www.w3.org/2001/XMLSchema-instance"}
    parsed = etree.fromstring(
        f'<x xmlns="urn:hl7-org:v3" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">{text}</x>'
    )

    def plan(element: Any) -> Any:
        return element.tag, dict(element.attrib), element.text, element.tail, [plan(e) for e in element]

    planned = plan(parsed)

    def tree() -> bytes:
        def grow(step: Any, parent: Any) -> Any:
            tag, attributes, words, tail, inner = step
            made = etree.Element(tag, attributes, spaces) if parent is None else etree.SubElement(parent, tag, attributes)  # fmt: skip
            made.text, made.tail = words, tail
            for one in inner:
                grow(one, made)
            return made

        return bytes(etree.tostring(grow(planned, None), encoding="UTF-8"))

    return ours, build, tree, len(text.encode())


def pages() -> tuple[Callable[[], bytes], Callable[[], bytes], int]:
    """Pages of PDF/A-1b by us, and by their operators joined, compressed and put into the same file; the number of pages."""
    import pikepdf
    from isal import isal_zlib

    from transvase.exporters.pdf.writer import Heading, Paragraph, Table, text_document

    lines = [[f"2024-03-{i % 28 + 1:02}", f"Résultat {i}", f"{i}.10 g/L"] for i in range(120)]
    blocks = [Heading("Compte rendu", 1), Paragraph("Texte du compte rendu, en quelques lignes. " * 30), Table(lines)]
    moment = datetime(2026, 11, 23, 20, tzinfo=ZoneInfo("Europe/Paris"))

    def ours() -> bytes:
        return text_document("Compte rendu", blocks, created=moment, identifier="urn:uuid:1")

    written = ours()
    with pikepdf.open(BytesIO(written)) as file:
        # Each operator as a writer has it: what stands before its text, the text, what stands after.
        lines_of = [page.Contents.read_bytes().decode("latin-1").splitlines() for page in file.pages]
        contents = [[_operator(line) for line in page] for page in lines_of]
        frame = written[: len(written) - sum(len(page.Contents.read_raw_bytes()) for page in file.pages)]
    count = len(contents)

    def raw() -> bytes:
        streams = [
            isal_zlib.compress(
                "\n".join([f"{a}({_escaped(text)}){b}" if b else a for a, text, b in page]).encode("latin-1"),
                1,
            )
            for page in contents
        ]
        return frame + b"".join(streams)

    return ours, raw, count


def _operator(line: str) -> tuple[str, str, str]:
    found = re.fullmatch(r"(.*?)\((.*)\)(.*)", line)
    return (found[1], re.sub(r"\\([\\()])", r"\1", found[2]), found[3]) if found else (line, "", "")


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("(", "\\(").replace(")", "\\)")
