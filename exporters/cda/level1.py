"""CDA level 1: the CI-SIS header around a PDF in `nonXMLBody` (sheet `cda-header-ci-sis.md`, section 7)."""

from __future__ import annotations

import pybase64

# IHE XDS-SD replaces the templateId of the model; the rules want exactly this one beside the two French ones.
TEMPLATES = '<templateId root="1.3.6.1.4.1.19376.1.2.20"/>'


def body(pdf: bytes) -> str:
    """The component holding the PDF."""
    return (
        '<component><nonXMLBody><text mediaType="application/pdf" representation="B64">'
        f"{pybase64.b64encode(pdf).decode('ascii')}</text></nonXMLBody></component>"
    )
