"""The one place that names the FHIR release and the editions of the guides whose profiles we claim.

A profile is claimed with its edition: FR Core 2.2.0 changed the meaning of an identity status that 2.1.0 requires (sheet
`ins-identity.md`, section 3), so a bare canonical would be true in one edition and false in the next. Which resource deserves
which claim is decided in the module of that resource.
"""

from __future__ import annotations

FHIR = "4.0.1"
IPS = "2.0.0"
FR_CORE = "2.1.0"

MEDIA_TYPE = "application/fhir+json; fhirVersion=4.0"

FR_CORE_BASE = "https://hl7.fr/ig/fhir/core/"


def core_profile(name: str) -> str:
    """Canonical URL, with its version, of a profile of the FHIR specification itself (`bodyweight`, `bp`...)."""
    return f"http://hl7.org/fhir/StructureDefinition/{name}|{FHIR}"


def ips_profile(name: str) -> str:
    """Canonical URL, with its version, of a profile of the International Patient Summary (`Condition`, `Patient`...)."""
    return f"http://hl7.org/fhir/uv/ips/StructureDefinition/{name}-uv-ips|{IPS}"


def fr_core_profile(name: str) -> str:
    """Canonical URL, with its version, of a profile of FR Core (`patient-ins`, `organization`...)."""
    return f"{FR_CORE_BASE}StructureDefinition/fr-core-{name}|{FR_CORE}"


def fr_core_extension(name: str) -> str:
    """URL of an extension of FR Core; extensions are never versioned in instances."""
    return f"{FR_CORE_BASE}StructureDefinition/fr-core-{name}"
