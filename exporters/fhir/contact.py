"""Addresses and telecoms, for patients, professionals and structures alike."""

from __future__ import annotations

from transvase.exporters.fhir.primitive import Json, text


def telecom(*contacts: tuple[str | None, str, str]) -> list[Json]:
    """ContactPoints of (value, system, use) triples, the empty ones left out; an empty use is not written."""
    found: list[Json] = []
    for value, system, use in contacts:
        if written := text(value):
            point: Json = {"system": system, "value": written}
            if use:
                point["use"] = use
            found.append(point)
    return found


def address(
    street: str | None, postal_code: str | None, city: str | None, country: str | None, use: str
) -> Json | None:
    """An Address, or None when all its parts are empty."""
    result: Json = {"use": use}
    if written := text(street):
        result["line"] = [written]
    for name, value in (("city", city), ("postalCode", postal_code), ("country", country)):
        if written := text(value):
            result[name] = written
    return result if len(result) > 1 else None
