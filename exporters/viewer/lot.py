"""What a lot of patients adds to VIEWER/ while their archives are written; runs in a worker and holds one patient at a time."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from transvase.exporters import readable_page
from transvase.exporters.documents import Context
from transvase.exporters.manifest import Inner
from transvase.exporters.optional_part import Folder, Framed, Made, Piece
from transvase.exporters.patient_archive import PatientArchive
from transvase.exporters.viewer import members
from transvase.exporters.viewer.record import Place, View, view
from transvase.model.record import Record


class Viewed:
    """The members of a lot. `names` are those of `record.people`; with `beside` the readable page of the patient and the copies of their
    documents are added too."""

    def __init__(self, framed: Framed, ctx: Context, names: Mapping[str, str], beside: bool) -> None:
        self.framed, self.ctx, self.names, self.beside = framed, ctx, names, beside
        self.lines: list[list[str | None]] = []
        # Members before each patient, and after the last.
        self.bounds = [0]

    def add(
        self, number: int, patient: Any, record: Record, qualified: bool, one: PatientArchive, inner: Inner
    ) -> None:
        """A patient, once their archive is made; `number` is theirs in the whole export."""
        shown = shown_of(patient, record, qualified, one, self.names)
        self.framed.add(*members.patient(number, inner.size, inner.sha256, shown, self.beside))
        self.lines.append(members.line(number, patient))
        if self.beside:
            page = readable_page.html(
                shown, practice=self.ctx.practice.name, clock=self.ctx.clock, archive=inner.name, copies_beside=True
            )
            self.framed.add(f"{members.FOLDER}/dossier.html", page)
            with zipfile.ZipFile(io.BytesIO(one.data)) as archive:
                for name in one.copies.values():
                    self.framed.add(f"{members.FOLDER}/{name}", archive.read(name), squeeze=False)
        self.bounds.append(len(self.framed.members))

    def index(self) -> dict[str, Any]:
        """What `viewer_folder` needs of the lot, for JSON."""
        return {**self.framed.index(), "lines": self.lines, "bounds": self.bounds}


def weights(index: Any) -> list[int]:
    """Bytes that each patient of a lot adds to an archive, at most: members, their lines in the directory and in SHA256.TXT, and theirs
    in the index of patients."""
    offsets = [member[-1] for member in index["members"]] + [index["length"]]
    return [
        offsets[stop] - offsets[start] + 400 * (stop - start) + 4 * sum(len(v or "") for v in line) + 300
        for start, stop, line in zip(index["bounds"], index["bounds"][1:], index["lines"], strict=False)
    ]


class Shown(NamedTuple):
    """Patients `start` to `stop` (not included) of a lot, counted from `number` in their archive; `lookup` gives the index of `Viewed`."""

    file: Path
    lookup: Callable[[], Any]
    start: int
    stop: int
    number: int


def viewer_folder(practice: str, date: str, archive: str, lots: Iterable[Shown]) -> Folder:
    """VIEWER/ of an archive: the page, then the patients of each lot and their piece of the index."""
    holds: list[Made | Piece] = []
    shards: list[int] = []
    for lot in lots:
        index = lot.lookup()
        first = int(index["lines"][lot.start][0])
        shards.append(first)
        holds.append(Piece(lot.file, lot.lookup, index["bounds"][lot.start], index["bounds"][lot.stop]))
        holds.append(Made(members.shard_path(first), partial(_shard, lot)))
    pages = [Made(path, partial(_same, data)) for path, data in members.page(practice, date, archive, shards)]
    return Folder(members.FOLDER, (*pages, *holds))


def _same(data: bytes) -> bytes:
    return data


def _shard(lot: Shown) -> bytes:
    return members.shard(lot.lookup()["lines"][lot.start : lot.stop], lot.number)


def shown_of(patient: Any, record: Record, qualified: bool, one: PatientArchive, names: Mapping[str, str]) -> View:
    """The view of a patient whose archive is made."""
    places = [Place(n.document, n.version, n.form, n.uri, one.copies.get(n.uri, "")) for n in one.lines]
    # The synthesis is the first document of the archive.
    uri, copy = next(iter(one.copies.items()))
    synthesis = Place("", "", "written" if uri.endswith(".XML") else "plain", uri, copy)
    return view(patient, record, qualified, places, names, synthesis)
