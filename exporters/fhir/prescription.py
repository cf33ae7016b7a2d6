"""Prescriptions, a resource for each line: MedicationRequest for medicines, DeviceRequest for devices, ServiceRequest for the rest. What
the patient takes is `treatment`. Documents do not hold prescriptions: they stand in the collection and in the files.

Words that have no element of their own are categories; those that a row does not say are not said.
"""

from __future__ import annotations

import re
from typing import Any

from transvase.exporters.fhir.absence import ERRONEOUS, UNKNOWN, period
from transvase.exporters.fhir.primitive import Json, date_time, decimal, text, written
from transvase.exporters.fhir.release import ips_profile
from transvase.exporters.fhir.subject import Subject, resource_id
from transvase.exporters.fhir.terminology import EDQM_OID, UCUM, concept

_META = written({"profile": [ips_profile("MedicationRequest")]})
_E_PRESCRIPTION = {"text": "Numéro d'ordonnance numérique (EPU)"}
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


def request(line: Any, prescription: Any, subject: Subject) -> Json:
    """The resource of a prescription line, with what its prescription says."""
    if prescription.category == "medication":
        return _medication(line, prescription, subject)
    device = prescription.category == "device"
    resource = _begun("DeviceRequest" if device else "ServiceRequest", line, prescription, subject)
    resource["codeCodeableConcept" if device else "code"] = concept(line.label, line.code, line.system)
    if device:
        resource["groupIdentifier"] = _group(prescription, subject)
    else:
        resource["requisition"] = _group(prescription, subject)
    _of_patient(resource, prescription, subject)
    notes = [text(line.dosage), text(line.duration), text(line.instruction), text(line.dispenser_instruction)]
    categories = _categories(line, prescription)
    if device:
        # R4 has no category here.
        notes.extend(category["text"] for category in categories)
    else:
        resource["category"] = [{"text": _SERVICES.get(prescription.category, "Autre prescription")}, *categories]
    if wanted := period(line.start, line.stop):
        resource["occurrencePeriod"] = wanted
    if written_notes := [{"text": note} for note in notes if note]:
        resource["note"] = written_notes
    return resource


def _begun(kind: str, line: Any, prescription: Any, subject: Subject) -> Json:
    identifiers = subject.identifier("prescription_line", line.key)
    if number := text(prescription.e_prescription):
        identifiers.append({"type": _E_PRESCRIPTION, "value": number})
    resource: Json = {
        "resourceType": kind,
        "id": resource_id(subject.practice, "prescription_line", line.key),
        "identifier": identifiers,
        "status": _status(line, prescription, subject.day),
        "intent": "order",
    }
    if prescription.urgent:
        resource["priority"] = "urgent"
    return resource


def _group(prescription: Any, subject: Subject) -> Json:
    (number,) = subject.identifier("prescription", prescription.key)
    return number


def _of_patient(resource: Json, prescription: Any, subject: Subject) -> None:
    resource["subject"] = subject.patient
    if encounter := subject.encounter(prescription.encounter):
        resource["encounter"] = encounter
    if signed := date_time(prescription.prescribed or ""):
        resource["authoredOn"] = signed
    else:
        resource["_authoredOn"] = ERRONEOUS if prescription.prescribed else UNKNOWN
    if prescription.practitioner:
        resource["requester"] = subject.professional(prescription.practitioner)


def _categories(line: Any, prescription: Any) -> list[Json]:
    said = [words for name, words in _OF_PRESCRIPTION.items() if getattr(prescription, name)]
    said += [words for name, words in _OF_LINE.items() if getattr(line, name)]
    return [{"text": words} for words in said]


def _medication(line: Any, prescription: Any, subject: Subject) -> Json:
    resource = _begun("MedicationRequest", line, prescription, subject)
    resource["meta"] = _META
    if categories := _categories(line, prescription):
        resource["category"] = categories
    resource["medicationCodeableConcept"] = concept(line.label, line.code, line.system)
    _of_patient(resource, prescription, subject)
    resource["groupIdentifier"] = _group(prescription, subject)
    length = _DURATION.fullmatch(line.duration or "")
    if dosage := _dosage(line, bool(length)):
        resource["dosageInstruction"] = [dosage]
    if dispense := _dispense(line, prescription, length):
        resource["dispenseRequest"] = dispense
    if line.unsubstitutable is not None:
        resource["substitution"] = {"allowedBoolean": not line.unsubstitutable}
        if reason := text(line.unsubstitutable_reason):
            resource["substitution"]["reason"] = {"text": reason}
    if words := text(line.dispenser_instruction):
        resource["note"] = [{"text": f"Consigne au dispensateur : {words}"}]
    return resource


def _dosage(line: Any, length: bool) -> Json:
    dosage: Json = {}
    if words := text(line.dosage):
        dosage["text"] = words
    if not length and (words := text(line.duration)):
        dosage["additionalInstruction"] = [{"text": f"Durée : {words}"}]
    if words := text(line.instruction):
        dosage["patientInstruction"] = words
    repeat: Json = {}
    if bounds := period(line.start, line.stop):
        repeat["boundsPeriod"] = bounds
    every = decimal(line.period)
    positive = every is not None and not (line.period or "").startswith("-")
    if positive and line.period_unit and line.frequency is not None and 0 < line.frequency <= _MOST:
        repeat |= {"frequency": line.frequency, "period": every, "periodUnit": line.period_unit}
    if repeat:
        dosage["timing"] = {"repeat": repeat}
    if line.route or line.route_code:
        dosage["route"] = concept(line.route, line.route_code, EDQM_OID)
    if dose := _quantity(line.dose, line.dose_unit):
        dosage["doseAndRate"] = [{"doseQuantity": dose}]
    return dosage


def _dispense(line: Any, prescription: Any, length: re.Match[str] | None) -> Json:
    dispense: Json = {}
    if validity := period(None, prescription.valid_until):
        dispense["validityPeriod"] = validity
    if line.renewals is not None and 0 <= line.renewals <= _MOST:
        dispense["numberOfRepeatsAllowed"] = line.renewals
    if quantity := _quantity(line.quantity, line.quantity_unit):
        dispense["quantity"] = quantity
    if length:
        number = decimal(length[1])
        unit = {"unit": length[2], "system": UCUM, "code": _DURATION_UNITS[length[2][0]]}
        dispense["expectedSupplyDuration"] = {"value": number, **unit}
    return dispense


def _quantity(value: str | None, unit: str | None) -> Json:
    """Empty when the value is no number: the dosage in words has it then."""
    number = decimal(value)
    if number is None:
        return {}
    return {"value": number, "unit": text(unit)} if text(unit) else {"value": number}
