"""Clinical statements of a structured CDA, whoever wrote it, as canonical rows; and what no row can hold, listed without its values.

This module walks the entries and hands each statement to the reader of its template; what a template means belongs to the reader
modules, and what they all ask of an element to `reading`. The patient, the document and the key of its rows in an import belong to
the caller.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

from transvase.formats import cda
from transvase.formats.cda import V3, CdaHeader
from transvase.model.identifiers import arc
from transvase.model.tables import TABLES
from transvase.sources.archive.statements import (
    allergy,
    immunization,
    lab_result,
    prescription,
    problem,
    reading,
    risk_factor,
    treatment,
    vital_sign,
)

# Official examples nest 12 elements below an entry and hold 300 statements; a document is refused beyond its size, not beyond these.
MAX_DEPTH = 64
MAX_STATEMENTS = 200_000

# The first reader that knows one of a statement's templates reads it: those of narrower templates come first.
READERS: tuple[ModuleType, ...] = (
    immunization,
    lab_result,
    prescription,
    allergy,
    problem,
    treatment,
    risk_factor,
    vital_sign,
)
# FR-Resultats of a patient summary, when it gathers results of biology: an organizer like those of a report.
_SUMMARY_RESULTS, _BIOLOGY = "1.2.250.1.213.1.1.3.208", "26436-6"

_STATEMENTS = {
    V3 + name
    for name in ("act", "encounter", "observation", "observationMedia", "organizer", "procedure", "regionOfInterest",
                 "substanceAdministration", "supply")
}  # fmt: skip
# What only gathers statements: an organizer, or the act around a list of problems or allergies. Other statements qualify the one
# they stand in (its reason, its cause, a comment): read alone they would say something else.
_GATHERS = {(f"{V3}organizer", f"{V3}component"), (f"{V3}act", f"{V3}entryRelationship")}
_GATHERED = {"COMP", "SUBJ", None}


@dataclass(frozen=True, slots=True)
class Statements:
    """What a document states. `rows`: by canonical table, columns by name, `key` filled, without `patient` and the two columns of
    origin. `unrepresented`: `what` (section code and elements with their templates, separated by `/`) and `why`, one for each
    occurrence, never a value of the patient."""

    rows: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    unrepresented: list[dict[str, str]] = field(default_factory=list)


def read(document: Any, header: CdaHeader | None = None) -> Statements:
    """Statements of the element that `formats.cda.parse` gives. `header` is that of `cda.header`, when the caller has it already.

    A statement repeated with its identifier and its content stands once; the same identifier with another content is another row,
    whose key depends on the content."""
    header = header or cda.header(document)
    found = Statements()
    kept = _Kept()
    with reading.narrative(document):
        for module, statement in _statements(document, found):
            for table, values in module.read(statement, header):
                if table == reading.UNREPRESENTED:
                    found.unrepresented.append({"what": str(values["what"]), "why": str(values["why"])})
                else:
                    _keep(table, values, header, found, kept)
    return found


@dataclass(frozen=True, slots=True)
class _Kept:
    """The content of each row by table and key; and the key that a row took because its own was taken, for those that refer to it."""

    content: dict[tuple[str, str], str] = field(default_factory=dict)
    moved: dict[tuple[str, str], str] = field(default_factory=dict)


def _keep(table: str, values: dict[str, Any], header: CdaHeader, found: Statements, kept: _Kept) -> None:
    unknown = values.keys() - {c.name for c in TABLES[table].own}
    if unknown:
        raise ValueError(f"columns that table {table} does not declare: {', '.join(sorted(unknown))}")
    for column in TABLES[table].own:
        if column.references and column.name in values:
            moved = kept.moved.get((column.references, values[column.name]), values[column.name])
            values = {**values, column.name: moved}
    content = hashlib.sha256(
        "\0".join(f"{n}\1{values[n]!r}" for n in sorted(values) if n != "key").encode("utf-8", "surrogatepass")
    ).hexdigest()
    # A statement without identifier is known by its document and its content.
    own = key = values.get("key") or str(arc("content", header.id.oid, table, content))
    if kept.content.get((table, key), content) != content:
        key = str(arc("content", key, content))
    kept.moved[table, own] = key
    if (table, key) not in kept.content:
        kept.content[table, key] = content
        found.rows.setdefault(table, []).append({**values, "key": key})


def _reader(statement: Any) -> ModuleType | None:
    """The module that reads a statement, by its own templates and, at the top, by those of its entry (laboratory)."""
    roots = reading.templates(statement)
    parent = statement.getparent()
    if parent is not None and parent.tag == f"{V3}entry":
        roots |= reading.templates(parent)
    if _SUMMARY_RESULTS in roots and reading.concept(reading.child(statement, "code")).code == _BIOLOGY:
        return lab_result
    return next((module for module in READERS if not roots.isdisjoint(module.TEMPLATES)), None)


def _statements(document: Any, found: Statements) -> Iterator[tuple[ModuleType, Any]]:
    """Statements that a reader knows, in the order of the document. Inside one that none knows the search goes on; an entry where it
    ends without any is listed."""
    seen = 0
    for section in document.iterfind(f"{V3}component/{V3}structuredBody//{V3}section"):
        if reading.templates(section) & {cda.PDF_COPY_SECTION}:
            continue  # The document itself, in another form.
        for entry in section.iterchildren(f"{V3}entry"):
            waiting = [(child, 1) for child in entry if child.tag in _STATEMENTS][::-1]
            while waiting:
                node, depth = waiting.pop()
                seen += 1
                if seen > MAX_STATEMENTS:
                    found.unrepresented.append(
                        {"what": "entry", "why": f"the document holds more than {MAX_STATEMENTS} statements"}
                    )
                    return
                module = _reader(node)
                if module is not None:
                    yield module, node
                    continue
                if depth >= MAX_DEPTH:
                    found.unrepresented.append(
                        {"what": reading.path(entry), "why": f"nested more than {MAX_DEPTH} deep"}
                    )
                    continue
                below = [
                    inner
                    for link in node
                    if (node.tag, link.tag) in _GATHERS
                    and link.get("typeCode") in _GATHERED
                    and link.get("inversionInd") not in ("true", "1")
                    for inner in link
                    if inner.tag in _STATEMENTS
                ]
                waiting += [(n, depth + 1) for n in reversed(below)]
                if not below:
                    found.unrepresented.append(
                        {"what": reading.path(node), "why": "no canonical table holds this statement"}
                    )
