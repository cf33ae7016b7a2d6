"""Code systems as FHIR names them, and codes as recorded turned into codeable concepts. No clinical choice is made here."""

from __future__ import annotations

from functools import lru_cache

from transvase.exporters.fhir.absence import UNKNOWN_CODING
from transvase.exporters.fhir.primitive import Json, Written, code, text, written
from transvase.model.codes.code import Code, SpecialtyCode
from transvase.model.identifiers import is_oid

LOINC = "http://loinc.org"
SNOMED = "http://snomed.info/sct"
UCUM = "http://unitsofmeasure.org"
HL7 = "http://terminology.hl7.org/CodeSystem/"

# OIDs whose canonical URL FHIR itself fixes (R4, "Code systems"), and EDQM, whose URL the value set of routes of IPS gives; every other
# system keeps its OID.
_CANONICAL = {
    "0.4.0.127.0.16.1.1.2.1": "http://standardterms.edqm.eu",
    "2.16.840.1.113883.6.1": LOINC,
    "2.16.840.1.113883.6.96": SNOMED,
    "2.16.840.1.113883.6.8": UCUM,
}
# OIDs of the systems of columns that hold codes of one system only.
EDQM_OID, SNOMED_OID = "0.4.0.127.0.16.1.1.2.1", "2.16.840.1.113883.6.96"


@lru_cache(maxsize=1024)
def system_uri(recorded: str) -> str:
    """URI of a code system recorded as an OID or as a URI; empty when it is neither, which leaves a code without its system."""
    recorded = recorded.strip()
    if recorded in _CANONICAL:
        return _CANONICAL[recorded]
    if is_oid(recorded):
        return f"urn:oid:{recorded}"
    return (
        recorded if recorded.startswith(("http://", "https://", "urn:")) and not any(map(str.isspace, recorded)) else ""
    )


def nos(name: str) -> str:
    """URI of a table of the French nomenclatures, such as `TRE_R02-SecteurActivite` (sheet `pdsm-fhir.md`, section 5)."""
    return f"https://mos.esante.gouv.fr/NOS/{name}/FHIR/{name.replace('_', '-')}"


def national(entry: Code | SpecialtyCode) -> Json:
    """Coding of an entry of a national code set."""
    return {"system": nos(entry.system_name), "code": entry.code, "display": entry.display}


# A practice writes the same drugs, tests and diagnoses for all its patients. The cache is bounded: some megabytes.
@lru_cache(maxsize=1 << 14)
def concept(label: str | None, recorded: str | None, system: str | None, *beside: Written) -> Written:
    """CodeableConcept of a row: the code as recorded, the codings `beside`, and the label as text."""
    coding: list[Written] = []
    if recorded and (value := code(recorded)):
        uri = system_uri(system) if system else ""
        coding.append(written({"system": uri, "code": value} if uri else {"code": value}))
    coding.extend(beside)
    codings = ",".join(coding)
    if words := text(label):
        return f'{{"coding":[{codings}],"text":{written(words)}}}' if coding else f'{{"text":{written(words)}}}'
    return f'{{"coding":[{codings or UNKNOWN_CODING}]}}'


def fixed(system: str, value: str) -> Written:
    """CodeableConcept of one code that a specification defines; made once per module."""
    return written({"coding": [{"system": system, "code": value}]})
