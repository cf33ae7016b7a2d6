"""Reading MANIFEST.XML of a portability archive: leniently, as PORT-64 asks of a receiver. Writing it belongs to `exporters`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

from lxml import etree

NAMESPACE = "urn:transvase:portability:manifest:1"
_OPTIONAL = re.compile(r"\b([A-Z]+)/ \(SHA-256 de \1/SHA256\.TXT : ([0-9a-f]{64})\)")


class ManifestUnreadable(ValueError):
    """MANIFEST.XML is not XML, or not a manifest."""


class ArchiveLine(NamedTuple):
    """One inner archive as announced; `type` is PATIENT or TRANSVERSE whatever the case it was written in."""

    name: str
    type: str
    patient_id: str
    size: int
    sha256: str


class Head(NamedTuple):
    """What stands before the list; -1 for a count that is not a number. `author_id` is the Struct_IdNat of the vendor."""

    export_id: str
    export_type: str
    status: str
    patients: int
    transverse: int
    author_name: str = ""
    author_id: str = ""
    comments: str = ""

    @property
    def optional(self) -> dict[str, str]:
        """Folders of the archive that may be taken away, as Transvase declares them in the comment: the SHA-256 of the list of digests
        that each holds."""
        return dict(_OPTIONAL.findall(self.comments))


def read(file: BinaryIO) -> tuple[Head, list[ArchiveLine]]:
    """The manifest's head and lines, in one streamed pass; ManifestUnreadable for anything else."""
    try:
        return _read(file)
    except (etree.XMLSyntaxError, ValueError, IndexError):
        raise ManifestUnreadable("MANIFEST.XML is not a readable manifest") from None


def _read(file: BinaryIO) -> tuple[Head, list[ArchiveLine]]:
    facts: dict[str, str] = {}
    author: dict[str, str] = {}
    lines: list[ArchiveLine] = []
    wanted = {"exportId", "exportType", "exportStatus", "patientArchiveCount", "transverseArchiveCount", "comments"}
    first = True
    for event, node in etree.iterparse(
        file, events=("start", "end"), resolve_entities=False, no_network=True, load_dtd=False
    ):
        if first:
            first = False
            if node.getroottree().docinfo.doctype or etree.QName(node).localname != "Manifest":
                raise ManifestUnreadable("MANIFEST.XML is not a manifest")
        if event != "end" or not isinstance(node.tag, str):
            continue
        name = etree.QName(node).localname
        if name in wanted:
            facts[name] = (node.text or "").strip()
        elif name == "vendor":
            author = {etree.QName(child).localname: (child.text or "").strip() for child in _children(node)}
        elif name == "Archive":
            lines.append(_line(node))
            node.clear()
    head = Head(
        facts.get("exportId", ""),
        facts.get("exportType", ""),
        facts.get("exportStatus", ""),
        _number(facts.get("patientArchiveCount", "")),
        _number(facts.get("transverseArchiveCount", "")),
        author.get("name", ""),
        author.get("structIdNat", ""),
        facts.get("comments", ""),
    )
    return head, lines


def _line(node: etree._Element) -> ArchiveLine:
    values = {etree.QName(child).localname: (child.text or "").strip() for child in _children(node)}
    kind = values.get("type", "").upper()
    return ArchiveLine(
        values.get("archiveid", ""),
        kind,
        values.get("patientId", ""),
        _number(values.get("size", "")),
        values.get("hash", "").lower(),
    )


def _children(node: etree._Element) -> Iterator[etree._Element]:
    return (child for child in node if isinstance(child.tag, str))


def _number(value: str) -> int:
    return int(value) if value.isascii() and value.isdigit() else -1
