"""The practice as files of one resource a line (FHIR Bulk Data): `Patient.ndjson`, `Observation.ndjson`..., and `manifest.json` in the
form of Bulk Data Access 2.0, whose `url` are the names of the files beside it.

Streamed by lots of patients, so that memory does not follow the practice; same tables and clock, same bytes. Resources themselves are made
by `collection`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import orjson

from transvase.exporters.fhir.collection import patient_resources, silent
from transvase.exporters.fhir.practice import device, organization
from transvase.exporters.fhir.practitioner import practitioner, practitioner_role
from transvase.exporters.fhir.primitive import Resource, encoded, is_instant, resource
from transvase.formats import files
from transvase.model.record import Record

MANIFEST = "manifest.json"
LAYOUT = orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE


class Person(NamedTuple):
    """A patient as read from the tables: row, record, and whether the validators let the national matricule out."""

    row: Any
    record: Record
    qualified: bool


class Lines:
    """Files of resources in a folder, by type, opened when the first of a type comes and put in place together at the end."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self._folder, self._stack = folder, stack
        self._files: dict[str, BinaryIO] = {}
        self.counts: dict[str, int] = {}

    def add(self, added: Resource) -> None:
        """One line."""
        kind, _, content = added
        file = self._files.get(kind)
        if file is None:
            file = self._files[kind] = self._stack.enter_context(files.replacing(self._folder / f"{kind}.ndjson"))
            self.counts[kind] = 0
        file.write(encoded(content + "\n"))
        self.counts[kind] += 1


def shared_resources(practices: list[Any], practitioners: Mapping[str, Any]) -> Iterator[Resource]:
    """The structures, the software, and every professional of the practice: what patients' resources refer to. The first structure is
    the practice of the export."""
    oid = practices[0].oid
    for row in practices:
        # Names derive from the OID of the practice of the export, whatever the structure.
        yield resource(organization(row) | {"id": organization(row._replace(oid=oid))["id"]})
    yield resource(device(practices[0], relative=True))
    keys = {row.key for row in practices}
    for row in practitioners.values():
        yield resource(practitioner(row, oid))
        exercise = row.practice if row.practice in keys else practices[0].key
        yield resource(practitioner_role(row, oid, exercise, relative=True))


def write(
    folder: Path,
    people: Iterator[Person],
    *,
    practices: list[Any],
    practitioners: Mapping[str, Any],
    created: str,
    progress: Callable[[int], None] = lambda done: None,
) -> dict[str, Any]:
    """Write the files of `people` in `folder`, which is made private and must hold no other `.ndjson`; what `manifest.json` says.

    `created` is the instant of the export, with its offset (ValueError otherwise); `progress` is told how many patients are done. Rows
    whose only word is that nothing was recorded make no resource: their number is in the manifest.
    """
    if not is_instant(created):
        raise ValueError("the instant of the export must be ISO 8601, to the second, with its offset")
    files.private_folder(folder)
    day, practice = created[:10], practices[0]
    done = unsaid = 0
    with ExitStack() as stack:
        lines = Lines(folder, stack)
        for one in shared_resources(practices, practitioners):
            lines.add(one)
        for person in people:
            _, resources = patient_resources(
                person.record, person.row, practice, practitioners, day, person.qualified, relative=True
            )
            for one in resources:
                lines.add(one)
            unsaid += silent(person.record)
            done += 1
            progress(done)
    told = manifest(created, "transvase fhir", lines.counts, done, unsaid)
    files.write(folder / MANIFEST, orjson.dumps(told, option=LAYOUT))
    return told


def manifest(created: str, request: str, counts: Mapping[str, int], patients: int, unsaid: int) -> dict[str, Any]:
    """What `manifest.json` says: `counts` are resources by type, `unsaid` rows that make none; `request` is the command that asked."""
    return {
        "transactionTime": created,
        "request": request,
        "requiresAccessToken": False,
        "output": [{"type": kind, "url": f"{kind}.ndjson", "count": counts[kind]} for kind in sorted(counts)],
        "error": [],
        "extension": {"patients": patients, "notRecorded": unsaid},
    }
