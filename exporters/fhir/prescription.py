"""Prescriptions, a resource for each line: MedicationRequest for medicines, DeviceRequest for devices, ServiceRequest for the rest. What
the patient takes is `treatment`. Documents do not hold prescriptions: they stand in the collection and in the files.

Words that have no element of their own are categories; those that a row does not say are not said.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

from transvase.exporters.fhir.absence import period, required_date
from transvase.exporters.fhir.primitive import Resource, Written, date_time, decimal, said, text, written
from transvase.exporters.fhir.release import ips_profile
from transvase.exporters.fhir.subject import Subject, resource_id
from transvase.exporters.fhir.terminology import EDQM_OID, UCUM, concept

_META = f',"meta":{written({"profile": [ips_profile("MedicationRequest")]})}'
_E_PRESCRIPTION = written({"text": "Numéro d'ordonnance numérique (EPU)"})
_SERVICES = {"laboratory": "Biologie", "imaging": "Imagerie", "care": "Soins"}
_OF_PRESCRIPTION = {
    "two_zones": "Ordonnance bizone",
    "exceptional": "Ordonnance de médicaments d'exception",
    "secured": "Ordonnance sécurisée",
    "at_home": "Exécution à domicile",
}
_OF_LINE = {
    "long_term": "En rapport avec une ALD",
    "work_related": "En rapport avec un accident du travail ou une maladie professionnelle",
    "prevention": "En rapport avec la prévention",
    "not_reimbursed": "Non remboursable",
    "off_label": "Hors autorisation de mise sur le marché",
}
_DURATION = re.compile(r"(\d{1,4}) (jours?|semaines?|mois|ans?)", re.ASCII)
_DURATION_UNITS = {"j": "d", "s": "wk", "m": "mo", "a": "a"}
# Greatest integer of a FHIR positiveInt.
_MOST = 2147483647


def _status(line: Any, prescription: Any, day: str) -> str:
    """Over when its last day has passed, active while it has not; nobody knows of a line without any."""
    last = line.stop or prescription.valid_until or ""
    if not date_time(last):
        return "unknown"
    return "active" if last >= day[: len(last)] else "completed"


def request(line: Any, prescription: Any, subject: Subject) -> Resource:
    """The resource of a prescription line, with what its prescription says."""
    if prescription.category == "medication":
        return _medication(line, prescription, subject)
    device = prescription.category == "device"
    kind = "DeviceRequest" if device else "ServiceRequest"
    name, begun = _begun(kind, line, prescription, subject)
    coded = concept(line.label, line.code, line.system)
    group = subject.identifier("prescription", prescription.key)
    notes = [text(line.dosage), text(line.duration), text(line.instruction), text(line.dispenser_instruction)]
    categories = _categories(line, prescription)
    if device:
        # R4 has no category here.
        said_of = f',"codeCodeableConcept":{coded},"groupIdentifier":{group}'
        notes += categories
        category = ""
    else:
        said_of = f',"code":{coded},"requisition":{group}'
        category = f',"category":{_texts([_SERVICES.get(prescription.category, "Autre prescription"), *categories])}'
    wanted = period(line.start, line.stop)
    occurrence = f',"occurrencePeriod":{wanted}' if wanted else ""
    kept = [note for note in notes if note]
    note = f',"note":{_texts(kept)}' if kept else ""
    return kind, name, f"{begun}{said_of}{_of_patient(prescription, subject)}{category}{occurrence}{note}}}"


def _texts(words: list[str]) -> Written:
    """An array of concepts, or of annotations, in words."""
    return written([{"text": one} for one in words])


def _begun(kind: str, line: Any, prescription: Any, subject: Subject) -> tuple[str, Written]:
    name = resource_id(subject.practice, "prescription_line", line.key)
    numbers = subject.identifier("prescription_line", line.key)
    if prescription.e_prescription and (number := text(prescription.e_prescription)):
        numbers += f',{{"type":{_E_PRESCRIPTION},"value":{written(number)}}}'
    priority = ',"priority":"urgent"' if prescription.urgent else ""
    return name, (
        f'{{"resourceType":"{kind}","id":"{name}","identifier":[{numbers}]'
        f',"status":"{_status(line, prescription, subject.day)}","intent":"order"{priority}'
    )


def _of_patient(prescription: Any, subject: Subject) -> Written:
    requester = ""
    if prescription.practitioner:
        requester = f',"requester":{subject.professional(prescription.practitioner)}'
    return (
        f',"subject":{subject.patient}{subject.encounter(prescription.encounter)}'
        f"{required_date('authoredOn', prescription.prescribed)}{requester}"
    )


def _categories(line: Any, prescription: Any) -> list[str]:
    said_of = [words for name, words in _OF_PRESCRIPTION.items() if getattr(prescription, name)]
    return said_of + [words for name, words in _OF_LINE.items() if getattr(line, name)]


def _medication(line: Any, prescription: Any, subject: Subject) -> Resource:
    name, begun = _begun("MedicationRequest", line, prescription, subject)
    categories = _categories(line, prescription)
    category = f',"category":{_texts(categories)}' if categories else ""
    length = _DURATION.fullmatch(line.duration) if line.duration else None
    instruction = _dosage(line, bool(length))
    dosage = f',"dosageInstruction":[{instruction}]' if instruction else ""
    substitution = note = ""
    if line.unsubstitutable is not None:
        allowed = "false" if line.unsubstitutable else "true"
        words = text(line.unsubstitutable_reason)
        reason = f',"reason":{{"text":{written(words)}}}' if words else ""
        substitution = f',"substitution":{{"allowedBoolean":{allowed}{reason}}}'
    if line.dispenser_instruction and (words := text(line.dispenser_instruction)):
        note = f',"note":{_texts([f"Consigne au dispensateur : {words}"])}'
    content = (
        f'{begun}{_META}{category},"medicationCodeableConcept":{concept(line.label, line.code, line.system)}'
        f'{_of_patient(prescription, subject)},"groupIdentifier":{subject.identifier("prescription", prescription.key)}'
        f"{dosage}{_dispense(line, prescription, length)}{substitution}{note}}}"
    )
    return "MedicationRequest", name, content


def _object(*members: Written) -> Written:
    """The object of members that each stand after their comma; empty when there are none."""
    inside = "".join(members)
    return f"{{{inside[1:]}}}" if inside else ""


def _dosage(line: Any, length: bool) -> Written:
    more = ""
    if not length and line.duration and (words := text(line.duration)):
        more = f',"additionalInstruction":{_texts([f"Durée : {words}"])}'
    bounds = period(line.start, line.stop)
    repeat = _object(f',"boundsPeriod":{bounds}' if bounds else "", _frequency(line))
    timing = f',"timing":{{"repeat":{repeat}}}' if repeat else ""
    route = f',"route":{concept(line.route, line.route_code, EDQM_OID)}' if line.route or line.route_code else ""
    dose = _quantity(line.dose, line.dose_unit)
    rate = f',"doseAndRate":[{{"doseQuantity":{dose}}}]' if dose else ""
    return _object(said("text", line.dosage), more, said("patientInstruction", line.instruction), timing, route, rate)


def _frequency(line: Any) -> Written:
    if not line.period_unit or line.frequency is None or not 0 < line.frequency <= _MOST:
        return ""
    every = decimal(line.period)
    if every is None or every.startswith("-"):
        return ""
    return f',"frequency":{line.frequency:d},"period":{every},"periodUnit":{written(line.period_unit)}'


def _dispense(line: Any, prescription: Any, length: re.Match[str] | None) -> Written:
    validity = period(None, prescription.valid_until)
    repeats = ""
    if line.renewals is not None and 0 <= line.renewals <= _MOST:
        repeats = f',"numberOfRepeatsAllowed":{line.renewals:d}'
    quantity = _quantity(line.quantity, line.quantity_unit)
    supply = ""
    if length:
        unit = written({"unit": length[2], "system": UCUM, "code": _DURATION_UNITS[length[2][0]]})
        supply = f',"expectedSupplyDuration":{{"value":{decimal(length[1])},{unit[1:]}'
    dispense = _object(
        f',"validityPeriod":{validity}' if validity else "",
        repeats,
        f',"quantity":{quantity}' if quantity else "",
        supply,
    )
    return f',"dispenseRequest":{dispense}' if dispense else ""


# Doses and numbers of boxes recur from patient to patient.
@lru_cache(maxsize=1 << 13)
def _quantity(value: str | None, unit: str | None) -> Written:
    """Empty when the value is no number: the dosage in words has it then."""
    number = decimal(value)
    return f'{{"value":{number}{said("unit", unit)}}}' if number is not None else ""
