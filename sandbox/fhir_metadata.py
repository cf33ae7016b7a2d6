"""Reading the FHIR resources of a submission into the same values as an ebRIM one, so that one set of rules and one registry judge both
routes. Written from the sheet pdsm-fhir (1, 2, 3 and 5), against the shapes of `fhir_shapes`.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import re
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from transvase.sandbox import forms, metadata, rules
from transvase.sandbox.fhir_shapes import (
    BINARY,
    BUNDLE,
    CONTAINED,
    DESIGNATION,
    DOCUMENT,
    EXTENSIONS,
    PATCH,
    SIMPLIFIED,
    SOURCE_ID,
    SUBMISSION_SET,
    Problem,
    problems,
)
from transvase.sandbox.metadata import Association, Author, Coded, Item, Submission

Json = dict[str, Any]

URI = "urn:ietf:rfc:3986"
_NOS = "https://mos.esante.gouv.fr/NOS/"
CONFIDENTIALITY = "http://terminology.hl7.org/CodeSystem/v3-Confidentiality"
SYSTEMS = {
    "http://loinc.org": "2.16.840.1.113883.6.1",
    CONFIDENTIALITY: "2.16.840.1.113883.5.25",
    f"{_NOS}TRE_A03-ClasseDocument/FHIR/TRE-A03-ClasseDocument": "1.2.250.1.213.1.1.4.1",
    f"{_NOS}TRE_A05-TypeDocComplementaireCISIS/FHIR/TRE-A05-TypeDocComplementaireCISIS": "1.2.250.1.213.1.1.4.12",
    f"{_NOS}TRE_A06-FormatCodeComplementaire/FHIR/TRE-A06-FormatCodeComplementaire": "1.2.250.1.213.1.1.4.2.282",
    f"{_NOS}TRE_A11-IheFormatCode/FHIR/TRE-A11-IheFormatCode": "1.3.6.1.4.1.19376.1.2.3",
    f"{_NOS}TRE_A01-CadreExercice/FHIR/TRE-A01-CadreExercice": "1.2.250.1.213.1.1.4.9",
    f"{_NOS}TRE_R02-SecteurActivite/FHIR/TRE-R02-SecteurActivite": "1.2.250.1.71.4.2.4",
    f"{_NOS}TRE_R209-TypeActivite/FHIR/TRE-R209-TypeActivite": "1.2.250.1.213.2.2",
    f"{_NOS}TRE_A07-StatutVisibiliteDocument/FHIR/TRE-A07-StatutVisibiliteDocument": "1.2.250.1.213.1.1.4.13",
    f"{_NOS}TRE_A00-ProducteurDocNonPS/FHIR/TRE-A00-ProducteurDocNonPS": "1.2.250.1.213.1.1.4.6",
    f"{_NOS}TRE_A02-ProfessionSavFaire-CISIS/FHIR/TRE-A02-ProfessionSavFaire-CISIS": "1.2.250.1.213.1.1.4.5",
}
"""OID of each code system that FHIR names by an address (sheet, 5)."""

_SET_AUTHOR, _ENTRY_AUTHOR = metadata.AUTHOR_SCHEMES
_FULL = re.compile(r"urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_LOGICAL = re.compile(r"DocumentReference/([A-Za-z0-9\-.]{1,64})")
_CONDITIONAL = re.compile(r"Patient\?identifier=(urn:oid:[0-9.]+)\|([0-9AB]+)")
_SEXES = {"male": "M", "female": "F"}
_NAMESPACE = uuid.UUID("0f6d7a52-8a0f-5a57-93b7-2f6f0c9f7c1e")


class Unreadable(Exception):
    """There is no submission to speak of; holds what is wrong."""

    def __init__(self, found: list[Problem]) -> None:
        super().__init__(found[0].what)
        self.problems = found


def parse(data: bytes) -> Json:
    """A JSON object, no name twice. Raises `Unreadable`."""

    def paired(pairs: list[tuple[str, Any]]) -> Json:
        made = dict(pairs)
        if len(made) != len(pairs):
            raise ValueError("repeated")
        return made

    try:
        value = json.loads(data.decode("utf-8"), object_pairs_hook=paired)
    except (ValueError, RecursionError):
        raise Unreadable([Problem("structure", "The body is not JSON in UTF-8, or repeats a name.", "")]) from None
    if not isinstance(value, dict) or not isinstance(value.get("resourceType"), str):
        raise Unreadable([Problem("structure", "The body is not a resource.", "")])
    return value


def oid(system: str) -> str:
    """The OID of a code system or of an authority; empty when it has none."""
    return SYSTEMS.get(system) or (system.removeprefix("urn:oid:") if system.startswith("urn:oid:") else "")


def unique_id(identifier: Json) -> str:
    """The uniqueId that an identifier writes: an OID as URN, or an extension under its root; empty for another."""
    system, value = str(identifier.get("system", "")), str(identifier.get("value", ""))
    if system == URI:
        return value.removeprefix("urn:oid:") if value.startswith("urn:oid:") else ""
    return f"{system.removeprefix('urn:oid:')}^{value}" if system.startswith("urn:oid:") else ""


def read_bundle(bundle: Json) -> tuple[Submission, list[str], str]:
    """An ITI-65 transaction: its submission, the kind of each entry in order, the custodian's XON. Raises `Unreadable`."""
    _checked(problems(bundle, BUNDLE, "Bundle"))
    found: list[Problem] = []
    kinds: list[str] = []
    held: dict[str, tuple[Json, str]] = {}
    patched: list[str] = []
    for rank, entry in enumerate(bundle["entry"]):
        where = f"Bundle.entry[{rank}]"
        resource, method, url = entry["resource"], entry["request"]["method"], entry["request"]["url"]
        kind = str(resource.get("resourceType", ""))
        shape = {"List": SUBMISSION_SET, "DocumentReference": DOCUMENT, "Binary": BINARY, "Parameters": PATCH}.get(kind)
        if shape is None:
            found.append(Problem("structure", "The slicing of entries is closed: this resource has no place.", where))
            continue
        kinds.append(kind)
        found += problems(resource, shape, f"{where}.resource")
        if kind == "Parameters":
            target = _LOGICAL.fullmatch(url)
            if method != "PATCH" or target is None:
                found.append(Problem("value", "Parameters patch a DocumentReference by its id.", f"{where}.request"))
            elif not found:
                patched.append(target[1])
                found += _patch(resource, f"{where}.resource")
        elif (method, url) != ("POST", kind):
            found.append(Problem("value", "request is not the POST of the resource.", f"{where}.request"))
        if not _FULL.fullmatch(entry["fullUrl"]) or entry["fullUrl"] in held:
            found.append(Problem("value", "fullUrl is not a urn:uuid: of its own.", f"{where}.fullUrl"))
        held[entry["fullUrl"]] = resource, where
    if kinds.count("List") != 1 or not kinds.count("DocumentReference"):
        found.append(Problem("structure", "There is not one List and at least one DocumentReference.", "Bundle.entry"))
    _checked(iter(found))
    return _Bundle(held, patched).submission(kinds)


def read_simplified(resource: Json) -> tuple[Submission, str]:
    """An ITI-105 DocumentReference: the submission that the recipient makes of it, and the custodian's XON. Raises `Unreadable`."""
    _checked(problems(resource, SIMPLIFIED, "DocumentReference"))
    found: list[Problem] = []
    reader = _Resource(resource, "DocumentReference", found)
    attachment = resource["content"][0]["attachment"]
    entry, custodian = _entry(reader, "Document01", "ExtrinsicObject[1]")
    data = _decoded(attachment["data"], "DocumentReference.content", found)
    reader.end()
    own = unique_id(resource["masterIdentifier"])
    derived = uuid.uuid5(_NAMESPACE, own).int
    package = Item(
        "Set01",
        "RegistryPackage[1]",
        {},
        {"submissionTime": entry.slots["creationTime"]},
        "",
        (Coded(rules.CONTENT_TYPE, *_pair(resource["context"]["facilityType"])),),
        tuple(a._replace(scheme=_SET_AUTHOR) for a in entry.authors),
        {
            metadata.SET_PATIENT: entry.identifiers[metadata.ENTRY_PATIENT],
            metadata.SET_SOURCE: "1.2.250.1.213.4.1.1.1",
            # Of the recipient, which makes the set (sheet, 3).
            metadata.SET_UNIQUE: f"2.25.{derived}",
        },
    )
    links = [_link(rules.HAS_MEMBER, "Set01", "Document01")]
    if target := reader.replaced():
        links.append(_link(rules.REPLACES, "Document01", f"urn:uuid:{target}"))
    _checked(iter(found))
    return Submission(package, (entry,), tuple(links), {"Document01": data}, ()), custodian


class _Bundle:
    """The resources of a transaction by fullUrl, each in its right form, and the ids that it patches."""

    def __init__(self, held: dict[str, tuple[Json, str]], patched: list[str]) -> None:
        self.held, self.patched = held, patched
        self.found: list[Problem] = []

    def submission(self, kinds: list[str]) -> tuple[Submission, list[str], str]:
        entries, links, documents = [], [], {}
        custodians: set[str] = set()
        binaries = {full for full, (one, _) in self.held.items() if one["resourceType"] == "Binary"}
        replaced: list[str] = []
        documented = [f for f, (one, _) in self.held.items() if one["resourceType"] == "DocumentReference"]
        for rank, full in enumerate(documented, 1):
            resource, where = self.held[full]
            reader = _Resource(resource, f"{where}.resource", self.found)
            entry, custodian = _entry(reader, full, f"ExtrinsicObject[{rank}]")
            reader.end()
            url = resource["content"][0]["attachment"]["url"]
            if url not in binaries:
                self.wrong("invariant", "attachment.url is not the fullUrl of a Binary of its own.", where)
            else:
                binaries.discard(url)
                binary, place = self.held[url]
                documents[full] = _decoded(binary["data"], place, self.found)
                if binary["contentType"] != resource["content"][0]["attachment"]["contentType"]:
                    self.wrong("invariant", "contentType of the Binary is not that of the attachment.", place)
            if target := reader.replaced():
                replaced.append(target)
                links.append(_link(rules.REPLACES, full, f"urn:uuid:{target}"))
            entries.append(entry)
            custodians.add(custodian)
        if binaries:
            self.wrong("invariant", "A Binary is the content of no DocumentReference.", "Bundle.entry")
        if sorted(replaced) != sorted(self.patched):
            self.wrong(
                "invariant", "What relatesTo replaces, and nothing else, is put to superseded by a PATCH.", "Bundle"
            )
        if len(custodians) != 1:
            self.wrong("invariant", "The documents have not one custodian.", "Bundle.entry")
        listed = next(full for full, (one, _) in self.held.items() if one["resourceType"] == "List")
        package = self.package(listed)
        members = [one["item"]["reference"] for one in self.held[listed][0]["entry"]]
        if sorted(members) != sorted(documented):
            self.wrong("invariant", "List.entry does not name each new DocumentReference, once.", "List.entry")
        links += [_link(rules.HAS_MEMBER, listed, full) for full in documented]
        _checked(iter(self.found))
        return Submission(package, tuple(entries), tuple(links), documents, ()), kinds, custodians.pop()

    def wrong(self, kind: str, what: str, where: str) -> None:
        self.found.append(Problem(kind, what, where))

    def package(self, full: str) -> Item:
        resource, where = self.held[full]
        reader = _Resource(resource, f"{where}.resource", self.found)
        known: dict[str, Json] = {}
        for one in resource["extension"]:
            url = str(one.get("url", ""))
            if url not in EXTENSIONS or url in known:
                self.wrong("structure", "An extension of the List is not one of the profile, or is repeated.", where)
                continue
            self.found += problems(one, EXTENSIONS[url], f"{where}.resource.extension")
            known[url] = one
        _checked(iter(self.found))
        if DESIGNATION not in known or SOURCE_ID not in known:
            self.wrong("required", "The List lacks designationType or sourceId.", where)
            _checked(iter(self.found))
        unique = [i for i in resource.get("identifier", ()) if i.get("use") == "usual"]
        if len(unique) != 1:
            # Optional in the profile; XDS cannot do without it (sheet, 6, 3).
            self.wrong("required", "The List has not one uniqueId (identifier of use usual).", where)
            _checked(iter(self.found))
        source = known[SOURCE_ID]["valueIdentifier"]
        item = Item(
            full,
            "RegistryPackage[1]",
            {},
            {"submissionTime": (_digits(resource["date"]),)},
            resource.get("title", ""),
            (Coded(rules.CONTENT_TYPE, *_pair(known[DESIGNATION]["valueCodeableConcept"])),),
            (reader.author(resource["source"], _SET_AUTHOR),),
            {
                metadata.SET_PATIENT: reader.subject(resource["subject"]),
                metadata.SET_SOURCE: unique_id(source),
                metadata.SET_UNIQUE: unique_id(unique[0]),
            },
        )
        reader.end()
        return item


class _Resource:
    """A resource with its contained ones, each of which something must name."""

    def __init__(self, resource: Json, where: str, found: list[Problem]) -> None:
        self.resource, self.where, self.found = resource, where, found
        self.contained: dict[str, Json] = {}
        self.named: set[str] = set()
        for rank, one in enumerate(resource["contained"]):
            place = f"{where}.contained[{rank}]"
            shape = CONTAINED.get(str(one.get("resourceType", "")))
            if shape is None:
                found.append(Problem("structure", "This resource is not one to contain here.", place))
                continue
            wrong = list(problems(one, shape, place))
            found += wrong
            if not wrong and one["id"] in self.contained:
                found.append(Problem("invariant", "Two contained resources have one id.", place))
            if not wrong:
                self.contained[one["id"]] = one
        _checked(iter(found))

    def wrong(self, kind: str, what: str) -> None:
        self.found.append(Problem(kind, what, self.where))

    def end(self) -> None:
        """Every contained resource is named by something (dom-3)."""
        if set(self.contained) - self.named:
            self.wrong("invariant", "A contained resource is not referred to.")

    def follow(self, reference: Json, *kinds: str) -> Json:
        """The contained resource of a reference, of one of these kinds. Raises `Unreadable`."""
        one = self.contained.get(reference["reference"].removeprefix("#"))
        if not reference["reference"].startswith("#") or one is None or one["resourceType"] not in kinds:
            self.wrong("invariant", "A reference is not to a contained resource of the kinds due.")
            raise Unreadable(self.found)
        self.named.add(one["id"])
        return one

    def subject(self, reference: Json) -> str:
        """CX of the patient, by identifier or by the conditional reference of a transaction, which must agree."""
        stated: set[tuple[str, str]] = set()
        if "identifier" in reference:
            stated.add((reference["identifier"]["system"], reference["identifier"]["value"]))
        if "reference" in reference:
            cut = _CONDITIONAL.fullmatch(reference["reference"])
            stated.add((cut[1], cut[2]) if cut else ("", ""))
        if len(stated) != 1 or ("", "") in stated:
            self.wrong("value", "subject names no patient by identifier, or two.")
            return ""
        system, value = stated.pop()
        return f"{value}^^^&{oid(system)}&ISO^NH"

    def replaced(self) -> str:
        """Logical id of what the document replaces; empty for nothing."""
        relations = self.resource.get("relatesTo", ())
        if not relations:
            return ""
        cut = _LOGICAL.fullmatch(relations[0]["target"]["reference"])
        if cut is None:
            self.wrong("value", "relatesTo.target is not DocumentReference/ and an id.")
            return ""
        return cut[1]

    def author(self, reference: Json, scheme: str) -> Author:
        """An author as XDS writes one."""
        one = self.follow(reference, "PractitionerRole", "Device", "Patient")
        if one["resourceType"] == "Patient":
            return Author(scheme, {"authorPerson": (self.person(one),)})
        if one["resourceType"] == "Device":
            made: dict[str, tuple[str, ...]] = {"authorPerson": (self.person(one),)}
            if "owner" in one:
                made["authorInstitution"] = (_xon(self.follow(one["owner"], "Organization")),)
            if "type" in one:
                made["authorSpecialty"] = (_specialty(one["type"]),)
            return Author(scheme, made)
        slots: dict[str, tuple[str, ...]] = {
            "authorPerson": (self.person(self.follow(one["practitioner"], "Practitioner")),)
        }
        if "organization" in one:
            slots["authorInstitution"] = (_xon(self.follow(one["organization"], "Organization")),)
        if "code" in one:
            slots["authorRole"] = tuple(label["text"] for label in one["code"])
        if "specialty" in one:
            slots["authorSpecialty"] = tuple(map(_specialty, one["specialty"]))
        return Author(scheme, slots)

    def person(self, one: Json) -> str:
        """XCN of a Practitioner, a Device or a Patient."""
        identifier = next((i for i in one["identifier"] if i["system"] == f"urn:oid:{forms.PS}"), one["identifier"][0])
        root, number = oid(identifier["system"]), identifier["value"]
        if one["resourceType"] == "Device":
            names = {n["type"]: n["name"] for n in one.get("deviceName", ())}
            family, given = names.get("manufacturer-name", ""), names.get("model-name", "")
            return f"{_written(number)}^{_written(family)}^{_written(given)}^^^^^^&{root}&ISO^U^^^RI"
        name: Json = next(iter(one.get("name", ())), {})
        family, given = name.get("family", ""), " ".join(name.get("given", ()))
        if one["resourceType"] == "Patient":
            kind = "NH"
        else:
            kind = "IDNPS" if root == forms.PS and "/" not in number else "EI"
            self.rpps(one, number)
        return f"{_written(number)}^{_written(family)}^{_written(given)}^^^^^^&{root}&ISO^D^^^{kind}"

    def rpps(self, one: Json, national: str) -> None:
        """A RPPS beside a national identifier is the same number without its prefix."""
        for other in one["identifier"]:
            if other["system"] == "https://rpps.esante.gouv.fr" and f"8{other['value']}" != national:
                self.wrong("invariant", "The RPPS is not that of the national identifier.")


def _entry(reader: _Resource, ident: str, where: str) -> tuple[Item, str]:
    """A DocumentReference as an ExtrinsicObject, and its custodian's XON."""
    resource = reader.resource
    content, context = resource["content"][0], resource["context"]
    attachment = content["attachment"]
    source = reader.follow(context["sourcePatientInfo"], "Patient")
    patient = reader.subject(resource["subject"])
    if resource["date"] != attachment["creation"]:
        # Contested (sheet, 6, 18): one value serves both readings.
        reader.wrong("invariant", "date and attachment.creation differ.")
    national, local = _numbers(source)
    slots: dict[str, tuple[str, ...]] = {
        "creationTime": (_digits(attachment["creation"]),),
        "languageCode": (attachment["language"],),
        "serviceStartTime": (_digits(context["period"]["start"]),),
        "sourcePatientId": tuple((local or national)[:1]),
        "sourcePatientInfo": tuple(_traits(source, local[1:])),
        "hash": (_sha1(attachment["hash"]),),
        "size": (str(attachment["size"]),),
    }
    if "end" in context["period"]:
        slots["serviceStopTime"] = (_digits(context["period"]["end"]),)
    if "authenticator" in resource:
        slots["legalAuthenticator"] = (reader.person(reader.follow(resource["authenticator"], "Practitioner")),)
    if "related" in context:
        slots["urn:ihe:iti:xds:2013:referenceIdList"] = tuple(_cxi(one["identifier"]) for one in context["related"])
    codes = [
        Coded(rules.CLASS, *_pair(resource["category"][0])),
        Coded(rules.TYPE, *_pair(resource["type"])),
        Coded(rules.FORMAT, content["format"]["code"], oid(content["format"]["system"])),
        Coded(rules.FACILITY, *_pair(context["facilityType"])),
        Coded(rules.PRACTICE, *_pair(context["practiceSetting"])),
    ]
    codes += [Coded(rules.CONFIDENTIAL, *_pair(one)) for one in resource["securityLabel"]]
    codes += [Coded(rules.EVENT, *_pair(one)) for one in context.get("event", ())]
    authors = tuple(reader.author(one, _ENTRY_AUTHOR) for one in resource["author"])
    attributes = {"mimeType": attachment["contentType"], "objectType": metadata.STABLE_DOCUMENT}
    identifiers = {
        metadata.ENTRY_PATIENT: patient,
        metadata.ENTRY_UNIQUE: unique_id(resource["masterIdentifier"]),
    }
    item = Item(ident, where, attributes, slots, attachment["title"], tuple(codes), authors, identifiers)
    return item, _xon(reader.follow(resource["custodian"], "Organization"))


def _traits(patient: Json, local: list[str]) -> Iterator[str]:
    """The lines of sourcePatientInfo."""
    for name in patient.get("name", ()):
        family, given = _written(name.get("family", "")), _written(" ".join(name.get("given", ())))
        if name.get("use") == "official":
            listed = next((e["valueString"] for e in name.get("extension", ())), "")
            yield f"PID-5|{family}^{given}^{_written(listed)}^^^^L"
        else:
            yield f"PID-5|{family}^{given}^^^^^D"
    if "birthDate" in patient:
        yield f"PID-7|{patient['birthDate'].replace('-', '')}"
    if "gender" in patient:
        yield f"PID-8|{_SEXES.get(patient['gender'], 'U')}"
    for born in patient.get("extension", ()):
        yield f"PID-11|^^^^^^BDL^^{born['valueAddress']['extension'][0]['valueCoding']['code']}"
    for number in local:
        yield f"PID-3|{number}"


def _numbers(patient: Json) -> tuple[list[str], list[str]]:
    """CX of the national and of the local identifiers."""
    national: list[str] = []
    local: list[str] = []
    for one in patient["identifier"]:
        root = oid(one["system"])
        if root in forms.INS_OIDS:
            national.append(f"{one['value']}^^^&{root}&ISO^NH")
        else:
            local.append(f"{_written(one['value'])}^^^&{root}&ISO^PI")
    return national, local


def _patch(parameters: Json, where: str) -> list[Problem]:
    parts = [tuple(sorted(part.items())) for part in parameters["parameter"][0]["part"]]
    due = [
        (("name", "type"), ("valueCode", "replace")),
        (("name", "path"), ("valueString", "DocumentReference.status")),
        (("name", "value"), ("valueCode", "superseded")),
    ]
    return (
        [] if parts == due else [Problem("value", "The patch is not the replacement of status by superseded.", where)]
    )


def _checked(found: Iterator[Problem]) -> None:
    held = list(found)
    if held:
        raise Unreadable(held)


def _link(kind: str, source: str, target: str) -> Association:
    slots: dict[str, tuple[str, ...]] = {"SubmissionSetStatus": ("Original",)}
    return Association("relatesTo" if kind == rules.REPLACES else "List.entry", kind, source, target, slots)


def _pair(concept: Json) -> tuple[str, str]:
    coding = concept["coding"][0]
    return coding["code"], oid(coding["system"])


def _specialty(concept: Json) -> str:
    coding = concept["coding"][0]
    return f"{_written(coding['code'])}^{_written(coding.get('display', ''))}^{oid(coding['system'])}"


def _digits(value: str) -> str:
    # Four digits also before the year 1000.
    return f"{datetime.fromisoformat(value).astimezone(UTC):%Y%m%d%H%M%S}".rjust(14, "0")


def _decoded(data: str, where: str, found: list[Problem]) -> bytes:
    try:
        return base64.b64decode(data, validate=True)
    except (binascii.Error, ValueError):
        found.append(Problem("value", "data is not base64.", where))
        return b""


def _sha1(value: str) -> str:
    """Upper-case hexadecimal of a digest in base64; empty when it is none of SHA-1."""
    try:
        raw = base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        return ""
    return raw.hex().upper() if len(raw) == hashlib.sha1(usedforsecurity=False).digest_size else ""


def _xon(organization: Json) -> str:
    one = organization["identifier"][0]
    root = oid(one["system"])
    kind = {forms.STRUCTURE: "IDNST", "1.3.2": "SIREN"}.get(root, "XX")
    return f"{_written(organization['name'])}^^^^^&{root}&ISO^{kind}^^^{_written(one['value'])}"


def _cxi(identifier: Json) -> str:
    root = oid(identifier.get("system", ""))
    return f"{_written(identifier['value'])}^^^&{root}&ISO^{identifier['type']['coding'][0]['code']}"


def _written(value: str) -> str:
    """A component with the delimiters of HL7 v2 escaped."""
    return "".join({"\\": "\\E\\", "|": "\\F\\", "^": "\\S\\", "&": "\\T\\", "~": "\\R\\"}.get(c, c) for c in value)
