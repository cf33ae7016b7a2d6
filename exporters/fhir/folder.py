"""FHIR/ of the archive, optional: the files of `bulk` for the patients of one archive, and the resources that theirs refer to.

A worker writes the resources of its lot patient after patient (`Blocks`), since which archive a patient travels in is settled later; then
each file gathers those of one type (`write`). One lot's index is held at a time.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import orjson

from transvase.exporters.fhir.bulk import LAYOUT, MANIFEST, manifest, shared_resources
from transvase.exporters.fhir.collection import patient_resources, silent
from transvase.exporters.fhir.primitive import encoded
from transvase.exporters.optional_part import Folder, Made, deflated
from transvase.formats import zip_stream
from transvase.formats.fhir_reading import Sample
from transvase.model.record import Record

FOLDER = "FHIR"
# Headers of the files of an archive and their lines in SHA256.TXT and in `manifest.json`, at most: some twenty types.
_HEADS = 20_000


class Blocks:
    """The resources of a lot in `file`: those of a patient together, by type."""

    def __init__(self, file: BinaryIO, practice: Any, practitioners: Mapping[str, Any], day: str) -> None:
        self._file, self._practice, self._practitioners, self._day = file, practice, practitioners, day
        self.length = 0
        self._patients: list[dict[str, Any]] = []

    def add(self, patient: Any, record: Record, qualified: bool) -> None:
        """A patient; `qualified` lets the national matricule out."""
        lines: dict[str, list[bytes]] = {}
        subject, resources = patient_resources(
            record, patient, self._practice, self._practitioners, self._day, qualified, relative=True
        )
        for kind, _, content in resources:
            lines.setdefault(kind, []).append(encoded(content + "\n"))
        types = {kind: b"".join(held) for kind, held in lines.items()}
        block = b"".join(types.values())
        self._file.write(block)
        self._patients.append(
            {
                "at": self.length,
                "types": {kind: [len(text), len(lines[kind])] for kind, text in types.items()},
                "silent": silent(record),
                "names": sorted({row.key for row in subject.professionals}),
                # Alone it shrinks less than among its like.
                "weight": len(zip_stream.deflate(block)) + 50,
            }
        )
        self.length += len(block)

    def index(self) -> dict[str, Any]:
        """What `write` needs of the lot, for JSON."""
        return {"length": self.length, "patients": self._patients}


def weights(index: Any) -> list[int]:
    """Bytes that each patient of a lot adds to an archive, at most."""
    return [one["weight"] for one in index["patients"]]


class Cut(NamedTuple):
    """Patients `start` to `stop` (not included) of a lot in the file of its `Blocks`, whose index `lookup` gives."""

    file: Path
    lookup: Callable[[], Any]
    start: int
    stop: int

    def patients(self) -> Sequence[Any]:
        """Their entries in the index."""
        found: Sequence[Any] = self.lookup()["patients"][self.start : self.stop]
        return found


class Practice(NamedTuple):
    """What patients refer to: structures, that of the export first, professionals by key, and whether all of them leave or only those
    whom a patient of the archive names."""

    structures: list[Any]
    professionals: dict[str, Any]
    every: bool

    def named(self, keys: set[str]) -> Practice:
        """The part that leaves with patients who name these professionals."""
        if self.every:
            return self
        people = {key: row for key, row in self.professionals.items() if key in keys}
        first, *others = self.structures
        places = {row.practice for row in people.values()}
        return Practice([first, *(row for row in others if row.key in places)], people, True)

    def size(self) -> int:
        """Bytes of their resources in an archive, at most, with the heads of the files."""
        return _HEADS + sum(len(content) for _, _, content in shared_resources(self.structures, self.professionals))


def write(
    spool: Path, stamp: tuple[int, int], cuts: Sequence[Cut], practice: Practice, created: str, sample: Sample
) -> Folder:
    """The folder of an archive; `created` is the instant of the export, ISO with its offset. Files wait in `spool`; `sample` reads some
    resources again in passing."""
    counts: Counter[str] = Counter()
    names: set[str] = set()
    patients = unsaid = 0
    for cut in cuts:
        for one in cut.patients():
            for kind, (_, count) in one["types"].items():
                counts[kind] += count
            names.update(one["names"])
            unsaid += one["silent"]
            patients += 1
    shared: dict[str, list[bytes]] = {}
    told = practice.named(names)
    for kind, _, content in shared_resources(told.structures, told.professionals):
        shared.setdefault(kind, []).append(encoded(content + "\n"))
        counts[kind] += 1
    listed = orjson.dumps(manifest(created, "transvase export", counts, patients, unsaid), option=LAYOUT)
    holds = [
        deflated(
            spool / f"{kind}.ndjson",
            f"{FOLDER}/{kind}.ndjson",
            sample.passing(kind, counts[kind], _lines(kind, shared.get(kind, []), cuts)),
            stamp,
        )
        for kind in sorted(counts)
    ]
    return Folder(FOLDER, (Made(f"{FOLDER}/{MANIFEST}", partial(bytes, listed)), *holds))


def _lines(kind: str, shared: list[bytes], cuts: Sequence[Cut]) -> Iterator[bytes]:
    """The file of a type: shared resources, then those of each patient in order."""
    yield b"".join(shared)
    for cut in cuts:
        with cut.file.open("rb") as file:
            for one in cut.patients():
                at = one["at"]
                for other, (length, _) in one["types"].items():
                    if other == kind:
                        file.seek(at)
                        yield file.read(length)
                    at += length
