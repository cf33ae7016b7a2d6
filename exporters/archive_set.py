"""An export in several archives: how patients are shared out (a bound on size, at most 99,999 a archive by PORT-46), and the set manifest
`PA….SET.JSON` beside them that reconciles them, with its signature. Each archive is complete in itself and counted from PAT00001; a
patient is never split.

Writing one archive belongs to `portability`, judging a set that was received to `validators.archive_set`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import orjson

from transvase.errors import Said, SettingsInvalid
from transvase.exporters import seal
from transvase.exporters.manifest import Inner
from transvase.formats import files, zip_stream
from transvase.formats.archive_set import FORMAT
from transvase.formats.encryption import Recipient
from transvase.formats.zip_stream import Member, ZipStream

# Five digits count them (PORT-46).
MOST_PATIENTS = 99_999
# What one more patient adds to an archive beyond its own bytes, at most: a line of MANIFEST.XML, one of SIGN.XML, one of the directory.
_BESIDE = 1200
_CHUNK = 1 << 20


class Delivery(NamedTuple):
    """A delivery of a phased request (PORT-08): `name` is that of the request, by which what was delivered is kept in the work folder;
    `number` of `of`; `rest_due` when the rest is due, ISO."""

    name: str
    number: int
    of: int
    rest_due: str


class Division(NamedTuple):
    """How an export leaves: for whom it is encrypted, how many bytes a file holds (0 for any number), how many patients an archive
    holds, and which delivery of a phased request it is."""

    recipient: Recipient | None = None
    part_size: int = 0
    most: int = MOST_PATIENTS
    delivery: Delivery | None = None

    def budget(self) -> int:
        """Plain bytes that one archive may hold; 0 for any number. SettingsInvalid for a bound that nothing fits."""
        if self.recipient is None:
            return self.part_size
        found = self.part_size
        if found:
            found -= self.recipient.size(found) - found
            if found <= 0:
                raise _too_small()
        return min(found, self.recipient.most) if found and self.recipient.most else found or self.recipient.most


WHOLE = Division()


class Lot(Protocol):
    """The finished part of a lot: framed patient archives in a file, and what the indexes say of each."""

    @property
    def file(self) -> str:
        """Path of the part file."""

    @property
    def patients(self) -> int:
        """How many it holds."""

    def members(self) -> list[Member]:
        """Framed members, in order, with offsets from the first."""

    def inner(self) -> list[Inner]:
        """Lines of a manifest, in order."""

    def held(self) -> list[list[int]]:
        """Rows, cells and documents of each patient, in order."""

    def beside(self) -> list[int]:
        """Bytes that each patient adds to the optional folders of the archive, at most."""


class Slice(NamedTuple):
    """Patients `start` to `stop` (not included) of a lot, numbered from `number` in their archive."""

    lot: Lot
    start: int
    stop: int
    number: int

    def inner(self) -> Iterator[Inner]:
        """Their lines of the manifest."""
        for rank, one in enumerate(self.lot.inner()[self.start : self.stop]):
            yield one._replace(name=_name(self.number + rank))

    def held(self) -> Iterator[list[int]]:
        """Rows, cells and documents of each."""
        return iter(self.lot.held()[self.start : self.stop])

    def write(self, outer: ZipStream, stamp: tuple[int, int]) -> None:
        """Add them under their names of this archive."""
        members: list[Member] = []
        heads: list[bytes] = []
        places: list[int] = []
        offset = 0
        for rank, one in enumerate(self.lot.members()[self.start : self.stop]):
            places.append(one.offset + len(zip_stream.local_header(one, stamp)))
            member = one._replace(name=_name(self.number + rank), offset=offset)
            heads.append(zip_stream.local_header(member, stamp))
            offset += len(heads[-1]) + member.compressed
            members.append(member)
        outer.add_framed(members, offset, _framed(Path(self.lot.file), members, heads, places))


def _name(number: int) -> str:
    return f"PAT{number:05d}.ZIP"


def _framed(path: Path, members: list[Member], heads: list[bytes], places: list[int]) -> Iterator[bytes]:
    with path.open("rb") as file:
        for member, head, place in zip(members, heads, places, strict=True):
            yield head
            file.seek(place)
            left = member.compressed
            while left:
                chunk = file.read(min(left, _CHUNK))
                if not chunk:
                    raise ValueError("a part file is shorter than its index says")
                left -= len(chunk)
                yield chunk


class Planned(NamedTuple):
    """The patients of one archive, in order; `size` is an upper bound of its plain bytes, 0 when nobody asked."""

    slices: tuple[Slice, ...]
    patients: int
    size: int

    def inner(self) -> Iterator[Inner]:
        """Lines of the manifest, in order."""
        for one in self.slices:
            yield from one.inner()


def plan(lots: Sequence[Lot], division: Division, first: int, other: int) -> list[Planned]:
    """The patients of each archive, in export order: as many as fit, at least one, so that a patient larger than the bound has an
    archive of their own. `first` and `other` are the bytes of the first archive and of the following ones without any patient.

    SettingsInvalid when even so a file would hold more than its encryption can."""
    budget = division.budget()
    if not budget and sum(lot.patients for lot in lots) <= division.most:
        number = 1
        slices = []
        for lot in lots:
            slices.append(Slice(lot, 0, lot.patients, number))
            number += lot.patients
        return [Planned(tuple(slices), number - 1, 0)]
    made: list[Planned] = []
    held: list[Slice] = []
    count, size = 0, first

    def close() -> None:
        nonlocal held, count, size
        made.append(Planned(tuple(held), count, size))
        held, count, size = [], 0, other

    for lot in lots:
        start, number = 0, count + 1
        beside = lot.beside()
        for at, member in enumerate(lot.members()):
            weight = 50 + len(member.name) + member.compressed + _BESIDE + beside[at]
            if count and (count >= division.most or (budget and size + weight > budget)):
                if at > start:
                    held.append(Slice(lot, start, at, number))
                close()
                start, number = at, 1
            count += 1
            size += weight
        held.append(Slice(lot, start, lot.patients, number))
    if held or not made:
        close()
    ceiling = division.recipient.most if division.recipient else 0
    if ceiling and any(one.size > ceiling for one in made):
        raise SettingsInvalid(
            name="export.recipient_certificate",
            file="transvase.toml",
            what=Said(
                "un dossier, ou les données transverses, dépassent le gigaoctet qu'un fichier CMS peut porter : chiffrez avec age",
                "a record, or the transverse data, exceed the gigabyte that a CMS file can hold: encrypt with age",
            ),
        )
    return made


def _too_small() -> SettingsInvalid:
    return SettingsInvalid(
        name="export.part_size",
        file="transvase.toml",
        what=Said("trop petit pour porter quoi que ce soit", "too small to hold anything"),
    )


# -- set manifest ----------------------------------------------------------------------------------------------------------


class Written(NamedTuple):
    """An archive that stands in the export folder. `name` is that of the plain archive, `file` that of what is delivered; both
    digests are SHA-256 in hexadecimal, equal without encryption."""

    name: str
    file: str
    sha256: str
    file_sha256: str
    size: int
    patients: int
    rows: int
    cells: int
    documents: int


def write_manifest(
    path: Path,
    head: dict[str, Any],
    earlier: Sequence[dict[str, Any]],
    written: Iterable[tuple[Written, Callable[[], Iterable[Inner]]]],
    delivery: int,
) -> None:
    """`PA….SET.JSON`: the head, the archives of earlier deliveries as their own set manifest told them, then those of this one with the
    SHA-256 of each dossier. Streamed, one dossier a line; the totals stand last."""
    totals = dict.fromkeys(("archives", "patients", "documents", "rows", "cells"), 0)

    def add(told: dict[str, Any]) -> None:
        for name in totals:
            totals[name] += 1 if name == "archives" else told[name]

    with files.replacing(path) as file:
        file.write(orjson.dumps({"format": FORMAT, **head})[:-1] + b',\n"archives":[\n')
        separator = b""
        for told in earlier:
            add(told)
            file.write(separator + orjson.dumps(told))
            separator = b",\n"
        for one, dossiers in written:
            told = {**one._asdict(), "delivery": delivery}
            add(told)
            file.write(separator + orjson.dumps(told)[:-1] + b',"dossiers":[\n')
            inside = b""
            for dossier in dossiers():
                file.write(b'%s"%s"' % (inside, dossier.sha256.encode()))
                inside = b",\n"
            file.write(b"]}")
            separator = b",\n"
        file.write(b'],\n"totals":' + orjson.dumps(totals) + b"}\n")


def sign_manifest(path: Path, signer: seal.Signer | None, set_id: str, clock: datetime) -> None:
    """`PA….SET.SIGN.XML` beside the set manifest `path`, of the form of SIGN.XML: it covers that file, whose digests cover the archives,
    and is tied to the identifier of the set. Without a signer, that of an earlier export under the same name goes away."""
    beside = path.with_suffix(".SIGN.XML")
    if signer is None:
        beside.unlink(missing_ok=True)
        return
    with path.open("rb") as listed:
        digest = hashlib.file_digest(listed, "sha256").hexdigest()
    with files.replacing(beside) as file:
        for chunk in seal.seal(signer, set_id, clock, digest, tuple, path.name):
            file.write(chunk)
