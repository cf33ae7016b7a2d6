"""Reading a CDA document: what must stand in its header, and the facts that metadata must repeat.

The body is not read beyond its media type. Written from the sheets cda-header-ci-sis (1 to 7) and ins-identity (4).
"""

from __future__ import annotations

from typing import NamedTuple

from transvase.sandbox import forms, markup

HL7 = "urn:hl7-org:v3"
_TYPE_ID = ("2.16.840.1.113883.1.3", "POCD_HD000040")
_FRENCH_TEMPLATES = frozenset({"2.16.840.1.113883.2.8.2.1", "1.2.250.1.213.1.1.1.1"})
_ONE = ("realmCode", "typeId", "id", "code", "title", "effectiveTime", "confidentialityCode", "languageCode", "setId",
        "versionNumber", "recordTarget", "custodian", "legalAuthenticator", "componentOf", "component")  # fmt: skip
_SOME = ("author", "documentationOf")


class Writer(NamedTuple):
    """An author or the legal authenticator: identifiers (extensions) and profession code."""

    identifiers: frozenset[str]
    profession: str


class Facts(NamedTuple):
    """A header, as metadata must repeat it. Times are UTC, empty when the document is less precise. `patient_ids` are
    (root, extension), the INS first; `traits` are values of sourcePatientInfo by field; `replaces` is the uniqueId named by
    relatedDocument RPLC; `events` the codes of the acts, `event_translations` those of their translations."""

    unique_id: str
    code: str
    system: str
    title: str
    language: str
    created: str
    set_id: str
    version: int
    templates: frozenset[str]
    patient_ids: tuple[tuple[str, str], ...]
    traits: dict[str, str]
    authors: tuple[Writer, ...]
    authenticator: Writer
    started: str
    stopped: str
    practice: str
    facility: str
    events: frozenset[str]
    event_translations: frozenset[str]
    body_media: str
    replaces: str


class Unfit(ValueError):
    """The document cannot be taken: the text says which element is wrong and quotes nothing."""


def read(data: bytes) -> Facts:
    """The facts of a document's bytes. Raises `Unfit`."""
    try:
        root = markup.parse(data)
    except markup.Malformed as problem:
        raise Unfit(str(problem)) from None
    if markup.parts(root) != (HL7, "ClinicalDocument"):
        raise Unfit("the root is not a ClinicalDocument")
    header: dict[str, list[markup.Element]] = {}
    for element in markup.elements(root):
        namespace, name = markup.parts(element)
        if namespace == HL7:
            header.setdefault(name, []).append(element)
    for name in _ONE:
        if len(header.get(name, ())) != 1:
            raise Unfit(f"{name} does not stand exactly once")
    for name in _SOME:
        if not header.get(name):
            raise Unfit(f"{name} is missing")
    one = {name: header[name][0] for name in _ONE}
    if one["realmCode"].get("code") != "FR":
        raise Unfit("realmCode is not FR")
    if (one["typeId"].get("root"), one["typeId"].get("extension")) != _TYPE_ID:
        raise Unfit("typeId is not that of a CDA")
    templates = frozenset(template.get("root", "") for template in header.get("templateId", ()))
    if not templates > _FRENCH_TEMPLATES:
        raise Unfit("templateId lacks one of the two French ones, or that of a model")
    version = one["versionNumber"].get("value", "")
    if not (version.isascii() and version.isdigit()):
        raise Unfit("versionNumber is not a number")
    if one["confidentialityCode"].get("code") not in ("N", "R", "V"):
        raise Unfit("confidentialityCode is not N, R or V")
    patient_ids, traits = _patient(one["recordTarget"])
    act = header["documentationOf"][0].find(f"{{{HL7}}}serviceEvent")
    if act is None or not _value(act, "effectiveTime/low"):
        raise Unfit("the first documentationOf has no serviceEvent with effectiveTime/low")
    codes = [code for of in header["documentationOf"] for code in _all(of, "serviceEvent/code") if code.get("code")]
    facility = _first(one["componentOf"], "encompassingEncounter/location/healthCareFacility/code")
    industry = _first(act, "performer/assignedEntity/representedOrganization/standardIndustryClassCode")
    body = _first(one["component"], "nonXMLBody/text")
    return Facts(
        unique_id=_identifier(one["id"], "id"),
        code=one["code"].get("code", ""),
        system=one["code"].get("codeSystem", ""),
        title=markup.text(one["title"]),
        language=one["languageCode"].get("code", ""),
        created=forms.utc(one["effectiveTime"].get("value", "")),
        set_id=_identifier(one["setId"], "setId"),
        version=int(version[:9]),
        templates=templates,
        patient_ids=patient_ids,
        traits=traits,
        authors=tuple(_writer(author, "assignedAuthor") for author in header["author"]),
        authenticator=_writer(one["legalAuthenticator"], "assignedEntity"),
        started=forms.utc(_value(act, "effectiveTime/low")),
        stopped=forms.utc(_value(act, "effectiveTime/high")),
        practice="" if industry is None else industry.get("code", ""),
        facility="" if facility is None else facility.get("code", ""),
        events=frozenset(code.get("code") for code in codes),
        event_translations=frozenset(other.get("code", "") for code in codes for other in _all(code, "translation")),
        body_media="" if body is None else body.get("mediaType", ""),
        replaces=_replaced(header.get("relatedDocument", [])),
    )


def _path(path: str) -> str:
    return "/".join(f"{{{HL7}}}{name}" for name in path.split("/"))


def _first(parent: markup.Element, path: str) -> markup.Element | None:
    return parent.find(_path(path))


def _all(parent: markup.Element, path: str) -> list[markup.Element]:
    found: list[markup.Element] = parent.findall(_path(path))
    return found


def _value(parent: markup.Element, path: str) -> str:
    element = _first(parent, path)
    return "" if element is None else str(element.get("value", ""))


def _identifier(element: markup.Element, name: str) -> str:
    """An `II` as XDS writes it: root, or root^extension."""
    root, extension = element.get("root", ""), element.get("extension")
    if not root:
        raise Unfit(f"{name} has no root")
    return f"{root}^{extension}" if extension else str(root)


def _patient(target: markup.Element) -> tuple[tuple[tuple[str, str], ...], dict[str, str]]:
    identifiers = tuple((i.get("root", ""), i.get("extension", "")) for i in _all(target, "patientRole/id"))
    if not identifiers or not all(map(all, identifiers)):
        raise Unfit("an id of the patient is missing, or lacks root or extension")
    person = _first(target, "patientRole/patient")
    if person is None:
        raise Unfit("recordTarget has no patient")
    names = {
        (kind, name.get("qualifier", "")): markup.text(name)
        for kind in ("family", "given")
        for name in _all(person, f"name/{kind}")
    }
    sex = _first(person, "administrativeGenderCode")
    traits = {
        "birth name": names.get(("family", "BR"), ""),
        "first given name": names.get(("given", "BR"), ""),
        "given names": names.get(("given", ""), ""),
        "used name": names.get(("family", "CL"), ""),
        "used given name": names.get(("given", "CL"), ""),
        "birth date": _value(person, "birthTime"),
        "sex": "" if sex is None else sex.get("code", ""),
        "birth place": markup.text(_first(person, "birthplace/place/addr/county")),
    }
    for name in ("birth name", "first given name", "given names", "birth date", "sex", "birth place"):
        if not traits[name]:
            raise Unfit(f"a trait due with an INS is missing ({name})")
    return identifiers, traits


def _writer(party: markup.Element, assigned: str) -> Writer:
    identifiers = frozenset(i.get("extension", "") for i in _all(party, f"{assigned}/id"))
    if not _value(party, "time") or not any(identifiers):
        raise Unfit("an author or the legalAuthenticator has no time or no id")
    code = _first(party, f"{assigned}/code")
    return Writer(identifiers, "" if code is None else code.get("code", ""))


def _replaced(related: list[markup.Element]) -> str:
    parents = [one for one in related if one.get("typeCode") == "RPLC"]
    if not parents:
        return ""
    identifiers = _all(parents[0], "parentDocument/id")
    if len(parents) > 1 or len(identifiers) != 1:
        raise Unfit("relatedDocument RPLC does not name exactly one document")
    return _identifier(identifiers[0], "parentDocument/id")
