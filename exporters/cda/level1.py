"""CDA level 1: the CI-SIS header around a PDF in `nonXMLBody` (sheet `cda-header-ci-sis.md`, section 7)."""

from __future__ import annotations

import pybase64

# IHE XDS-SD replaces the templateId of the model; the rules want exactly this one beside the two French ones.
TEMPLATES = '<templateId root="1.3.6.1.4.1.19376.1.2.20"/>'


# Stands for the base64 while the text around it is written: the document's bytes are joined once, around bytes.
_HERE = "\ue000"
BODY = f'<component><nonXMLBody><text mediaType="application/pdf" representation="B64">{_HERE}</text></nonXMLBody></component>'


def filled(document: str, pdf: bytes) -> bytes:
    """The bytes of a document written with `BODY`, holding the PDF."""
    # The body is the last element of the document; a title may hold any character, so the search is from the end.
    before, _, after = document.rpartition(_HERE)
    return b"".join((before.encode(), pybase64.b64encode(pdf), after.encode()))
