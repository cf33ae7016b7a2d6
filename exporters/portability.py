"""The outer archive PA<timestamp>.ZIP (PORT-45, sections D and E): lots of patients become part files in worker processes, then one
pass assembles them with README, MANIFEST, DOCUMENTATION and TRANSVERSE.ZIP, and computes the digest delivered beside the archive.

A finished part survives an interruption: the same export run again takes it as it is. Memory holds one lot of rows, and the archives of a
few patients that are made abreast.
"""

from __future__ import annotations

import atexit
import hashlib
import os
import shutil
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from contextlib import ExitStack
from datetime import datetime, timedelta
from functools import partial
from multiprocessing import get_context, parent_process
from pathlib import Path
from typing import Any, NamedTuple

import orjson
from lxml import etree

from transvase.errors import SettingsInvalid, WorkMissing
from transvase.exporters import (
    archive_set,
    documentation,
    documents,
    optional_part,
    parquet_folder,
    patient_archive,
    seal,
    transverse,
)
from transvase.exporters.abreast import abreast, done, portions
from transvase.exporters.archive_set import WHOLE, Delivery, Division, Planned, Written
from transvase.exporters.documents import Context
from transvase.exporters.fhir import folder as fhir_folder
from transvase.exporters.manifest import Inner, export_id, manifest
from transvase.exporters.patient_archive import Line, PatientArchive, issuer_lines
from transvase.exporters.viewer.lot import Shown, Viewed, viewer_folder, weights
from transvase.exporters.viewer.record import people
from transvase.formats import canonical, fhir_reading, files, zip_stream
from transvase.formats.archive_set import SUFFIX
from transvase.formats.ascii_text import readme
from transvase.formats.bodies import read_body
from transvase.formats.processes import calm_collector, deaf_to_interrupts, keep_memory
from transvase.formats.zip_stream import Member, ZipStream
from transvase.model.clock import zone
from transvase.model.record import ROW, Record
from transvase.model.request import EVERYTHING, Scope
from transvase.model.slot import BUCKETS, PATIENTS_PER_LOT, SLOTS_PER_BUCKET, Lot
from transvase.model.tables import TABLES

_CHUNK = 1 << 20
# From about so many patients on, compiling the schema costs less than it saves (a second in each worker, against 1.7 ms a patient).
MANY = 500
# Patients whose archives are made abreast.
ABREAST = 48
# Clock of an export that was begun and not finished: going on with it makes its finished parts serve.
PENDING = Path("parts") / "clock"
# Files of optional folders that wait for the archive that they go into.
SPOOL = Path("parts") / "optional"
# (patients done, documents done, patients in all)
Progress = Callable[[int, int, int], None]
# The page of VIEWER/ with its script and texts, at most.
_VIEWER_BYTES = 60_000


class Job(NamedTuple):
    """What a worker needs, small enough to be sent to it: `practice` overrides what the database says, `schema` is the path of the
    official CDA schema or empty, `clock` ISO with offset; `signing_key` and `signing_certificate` are paths, empty when nothing is
    signed; `viewer`, `parquet` and `fhir` add the optional folders VIEWER/, PARQUET/ and FHIR/; `dpi` is that of
    `exporters.documents.Context`."""

    work: str
    practice: tuple[tuple[str, str], ...]
    clock: str
    software: str
    schema: str
    signing_key: str = ""
    signing_certificate: str = ""
    scope: Scope = EVERYTHING
    viewer: bool = False
    dpi: int = 0
    parquet: bool = False
    fhir: bool = False


class Part(NamedTuple):
    """A finished lot: its file, and what the report needs. What the assembler needs of each patient stays in the index beside it, so
    that memory does not follow the practice."""

    file: str
    length: int
    patients: int
    forms: dict[str, int]
    rungs: dict[str, int]
    reasons: dict[str, int]
    checked: int
    documents: int
    # Bytes of what the lot adds to VIEWER/ and to FHIR/, each in a file of its own; 0 without it.
    viewed: int = 0
    resources: int = 0

    def members(self) -> list[Member]:
        """What the directory of the archive needs, in order, with offsets from the first."""
        return [Member(*m) for m in self._index()["members"]]

    def inner(self) -> list[Inner]:
        """What the manifest needs, in order."""
        return [Inner(*i) for i in self._index()["inner"]]

    def held(self) -> list[list[int]]:
        """Rows, cells that are not empty, and documents of each patient, in order."""
        found: list[list[int]] = self._index()["held"]
        return found

    def beside(self) -> list[int]:
        """Bytes that each patient adds to the optional folders, at most."""
        index = self._index()
        added = [
            *([weights(index["viewer"])] if self.viewed else ()),
            *([fhir_folder.weights(index["fhir"])] if self.resources else ()),
            *([index["parquet"]] if "parquet" in index else ()),
        ]
        return [sum(one) for one in zip(*added, strict=True)] if added else [0] * self.patients

    def shown(self, start: int, stop: int, number: int) -> Shown:
        """What patients `start` to `stop` of the lot, counted from `number` in their archive, add to VIEWER/."""
        return Shown(_viewed(Path(self.file)), lambda: self._index()["viewer"], start, stop, number)

    def cut(self, start: int, stop: int) -> fhir_folder.Cut:
        """What patients `start` to `stop` of the lot add to FHIR/."""
        return fhir_folder.Cut(_resources(Path(self.file)), lambda: self._index()["fhir"], start, stop)

    def _index(self) -> Any:
        return orjson.loads(Path(self.file).with_suffix(".json").read_bytes())


class _Worker:
    """Opened once per process: tables, context, schema."""

    def __init__(self, job: Job, many: bool, large: bool) -> None:
        self.base = canonical.connect(Path(job.work), memory="256MB", scope=job.scope)
        self.ctx = open_context(job, self.base, many, large)
        self.folder = Path(job.work) / "bodies"
        self.job = job
        self.practitioners = {row.key: row for row in _rows(self.base, "practitioner")}
        self.people = people(self.practitioners.values())

    def body(self, digest: str) -> bytes | None:
        """A body whose bytes have that SHA-256; None when the store lost or spoilt it."""
        return read_body(self.folder, digest)


def _viewed(part: Path) -> Path:
    return part.with_suffix(".viewer")


def _resources(part: Path) -> Path:
    return part.with_suffix(".fhir")


def _rows(base: Any, table: str) -> list[Any]:
    """Rows of a small table, by key."""
    found = base.sql(f"SELECT {TABLES[table].select} FROM {table} ORDER BY key").fetchall()
    return [ROW[table]._make(values) for values in found]


_worker: _Worker | None = None


def open_context(job: Job, base: Any, many: bool = False, large: bool = False) -> Context:
    """The practice's context: the first structure of the database, with what the settings override. With `many` documents to check
    the schema is compiled, which takes a second; the documents of a `large` export are packed in a way of their own."""
    rows = base.sql(f"SELECT {TABLES['practice'].select} FROM practice ORDER BY key LIMIT 1").fetchall()
    given = {k: v for k, v in job.practice if v}
    if rows:
        practice = ROW["practice"]._make(rows[0])._replace(**given)
    else:
        blank = dict.fromkeys(ROW["practice"]._fields)
        practice = ROW["practice"](
            **{**blank, "key": "1", "facility_type": "SA07", "practice_setting": "AMBULATOIRE", **given}
        )
    for name in ("name", "oid"):
        if not getattr(practice, name):
            raise SettingsInvalid(
                name=f"practice.{name}", file="transvase.toml", what="the database does not give it, it must be set"
            )
    people = _rows(base, "practitioner")
    schema = etree.XMLSchema(etree.parse(job.schema)) if job.schema else None
    return documents.context(
        practice,
        people,
        datetime.fromisoformat(job.clock),
        job.software,
        schema,
        _acceptor(job) if many else None,
        job.dpi,
        _packer() if large else None,
    )


def _acceptor(job: Job) -> Callable[[bytes], bool] | None:
    """What accepts documents faster than the schema; None without a schema, or for one that cannot be compiled."""
    if not job.schema:
        return None
    from transvase.formats.schema_acceptor import Unsupported, compile_schema

    try:
        return compile_schema(Path(job.schema)).accepts
    except Unsupported:
        return None


def _packer() -> Callable[[bytes, bytes, int], bytes | None]:
    from transvase.formats.base64_deflate import packed

    return packed


def _start(job: Job, many: bool, large: bool) -> None:
    global _worker  # noqa: PLW0603 - one per process, set once by the pool's initializer
    _worker = _Worker(job, many, large)
    calm_collector()
    keep_memory()


def _stop() -> None:
    """Let the tables go when the work was done in this process."""
    global _worker  # noqa: PLW0603 - see _start
    if _worker is not None:
        _worker.base.close()
    _worker = None


def _start_process(job: Job, many: bool, large: bool) -> None:
    """Initializer of a pool's process. Ctrl-C reaches it too, and is the parent's to answer: the lot in hand is finished."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_leave_with_parent, daemon=True).start()
    # Still open at the end, the tables would make DuckDB's binding fill the terminal with what it calls leaks.
    atexit.register(_stop)
    _start(job, many, large)


def _leave_with_parent() -> None:
    # A killed parent closes no queue, and a worker would wait for its next lot for ever.
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _lot(lot: Lot, folder: str) -> Part:
    """Write the part file of a lot; runs in a worker."""
    worker = _worker
    if worker is None:
        raise RuntimeError("worker not started")
    return write_part(worker, lot, Path(folder))


def write_part(worker: _Worker, lot: Lot, folder: Path) -> Part:
    """Patients of a lot as framed ZIP members, one after the other, in one file synced once."""
    path = folder / f"lot-{lot.number:06d}.part"
    states = {
        key: (qualified, possible)
        for key, qualified, possible in worker.base.sql(
            f"SELECT patient, qualified, header_possible FROM identities WHERE slot BETWEEN {lot.first} AND {lot.last}"
        ).fetchall()
    }
    stamp = zip_stream.dos_time(worker.ctx.clock.replace(tzinfo=None))
    part = Part(str(path), 0, lot.patients, {}, {}, {}, 0, 0)
    members: list[Member] = []
    inner: list[Inner] = []
    held: list[tuple[int, int, int]] = []
    columns: list[int] = []
    offset = checked = count = 0
    with ExitStack() as stack:
        file = stack.enter_context(files.replacing(path))
        seen = None
        if worker.job.viewer:
            framed = optional_part.Framed(stack.enter_context(files.replacing(_viewed(path))), stamp)
            # The record of one patient is read without software: its copies stand beside the page too.
            seen = Viewed(framed, worker.ctx, worker.people, worker.job.scope.kind == "UNITAIRE")
        blocks = None
        if worker.job.fhir:
            blocks = fhir_folder.Blocks(
                stack.enter_context(files.replacing(_resources(path))),
                worker.ctx.practice,
                worker.practitioners,
                worker.job.clock[:10],
            )
        for number, patient, record, one in _archives(worker, lot, states):
            name = f"PAT{number:05d}.ZIP"
            member = Member(name, zip_stream.STORED, zip_stream.crc(one.data), len(one.data), len(one.data), offset)
            head = zip_stream.local_header(member, stamp)
            file.write(head)
            file.write(one.data)
            offset += len(head) + len(one.data)
            members.append(member)
            inner.append(Inner(name, one.patient_id, len(one.data), hashlib.sha256(one.data).hexdigest()))
            if seen is not None:
                seen.add(number, patient, record, states[patient.key][0], one, inner[-1])
            if blocks is not None:
                blocks.add(patient, record, states[patient.key][0])
            if worker.job.parquet:
                columns.append(parquet_folder.weight(patient, record))
            held.append((*_held(patient, record), len({line.document for line in one.lines})))
            count += held[-1][-1]
            checked += _count(one.lines, part)
    part = part._replace(length=offset, patients=len(inner), checked=checked, documents=count)
    index: dict[str, Any] = {"members": [list(m) for m in members], "inner": [list(i) for i in inner], "held": held}
    if seen is not None:
        part = part._replace(viewed=seen.framed.length)
        index["viewer"] = seen.index()
    if blocks is not None:
        part = part._replace(resources=blocks.length)
        index["fhir"] = blocks.index()
    if worker.job.parquet:
        index["parquet"] = columns
    files.write(path.with_suffix(".json"), orjson.dumps({**part._asdict(), **index}))
    return part


def _archives(
    worker: _Worker, lot: Lot, states: dict[str, tuple[bool, bool]]
) -> Iterator[tuple[int, Any, Record, PatientArchive]]:
    """Number, patient row, record and archive of the patients of a lot, in order; some of them are made abreast."""
    for some in portions(canonical.patients(worker.base, lot), _size, ABREAST):
        works = [
            patient_archive.building(worker.ctx, patient, record, *states[patient.key], worker.body)
            for _, patient, record in some
        ]
        for one, archive in zip(some, done(abreast(works)), strict=True):
            yield *one, archive


def _size(one: tuple[int, Any, Record]) -> int:
    return sum(row.size or 0 for row in one[2].get("document_version", ()))


def _held(patient: Any, record: dict[str, list[Any]]) -> tuple[int, int]:
    """Rows of a record, and its cells that are not empty."""
    rows = [patient, *(row for rows in record.values() for row in rows)]
    return len(rows), sum(len(row) - row.count(None) for row in rows)


def _count(lines: list[Line], part: Part) -> int:
    for line in lines:
        part.forms[line.form] = part.forms.get(line.form, 0) + 1
        if line.rung:
            part.rungs[line.rung] = part.rungs.get(line.rung, 0) + 1
        for reason in line.reasons:
            part.reasons[f"{line.rung} {reason}"] = part.reasons.get(f"{line.rung} {reason}", 0) + 1
    return sum(line.checked for line in lines)


def _finished(folder: Path, lot: Lot) -> Part | None:
    """A part that an interrupted run left complete."""
    index = folder / f"lot-{lot.number:06d}.json"
    try:
        found = orjson.loads(index.read_bytes())
        # The folder may have been moved since.
        part = Part(**{name: found[name] for name in Part._fields})._replace(file=str(index.with_suffix(".part")))
        whole = index.with_suffix(".part").stat().st_size == part.length and part.patients == lot.patients == len(
            part.members()
        ) == len(part.inner()) == len(part.held())
        if whole and part.viewed:
            whole = _viewed(Path(part.file)).stat().st_size == part.viewed == part._index()["viewer"]["length"]
        if whole and part.resources:
            told = part._index()["fhir"]["length"]
            whole = _resources(Path(part.file)).stat().st_size == part.resources == told
        return part if whole else None
    except (OSError, ValueError, TypeError, KeyError):
        return None


def fingerprint(job: Job) -> str:
    """What a part depends on: extraction, verdicts, practice, clock, software. Parts of another fingerprint are not reused."""
    digest = hashlib.sha256(repr(job._replace(work="", signing_key="", signing_certificate="")).encode())
    work = Path(job.work)
    for path in (work / "canonical" / "extraction.json", work / "verdicts" / "counts.json"):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def parts(job: Job, buckets: range, workers: int, progress: Progress) -> list[Part]:
    """The part files of the patients of some buckets, in export order; numbering is that of the whole practice."""
    folder = files.private_folder(Path(job.work) / "parts" / fingerprint(job))
    files.write(Path(job.work) / PENDING, job.clock.encode())
    with canonical.connect(Path(job.work), threads=1, scope=job.scope) as base:
        open_context(job, base)
        every = canonical.plan(base, PATIENTS_PER_LOT)
    lots = [lot for lot in every if lot.last // SLOTS_PER_BUCKET in buckets]
    done = {lot.number: part for lot in lots if (part := _finished(folder, lot))}
    waiting = [lot for lot in lots if lot.number not in done]
    total = sum(lot.patients for lot in lots)
    state = {"patients": sum(p.patients for p in done.values()), "documents": sum(p.documents for p in done.values())}

    def keep(lot: Lot, part: Part) -> None:
        done[lot.number] = part
        state["patients"] += part.patients
        state["documents"] += part.documents
        progress(state["patients"], state["documents"], total)

    many = sum(lot.patients for lot in waiting) >= MANY
    # The bytes depend on it, so it is told from the whole export and not from what is left of it.
    large = sum(lot.patients for lot in every) >= MANY
    if workers == 1 or len(waiting) < 2:
        if waiting:
            _start(job, many, large)
            try:
                for lot in waiting:
                    keep(lot, _lot(lot, str(folder)))
            finally:
                _stop()
    else:
        if many:
            # Compiled here first: the workers find what it left on disk instead of compiling side by side.
            _acceptor(job)
        if large:
            _packer()
        # Spawned, not forked: the same on every system, and DuckDB's threads do not survive a fork.
        with ProcessPoolExecutor(
            workers, mp_context=get_context("spawn"), initializer=_start_process, initargs=(job, many, large)
        ) as pool:
            with deaf_to_interrupts():
                running = {pool.submit(_lot, lot, str(folder)): lot for lot in waiting}
            try:
                while running:
                    for future in wait(running, return_when=FIRST_COMPLETED).done:
                        keep(running.pop(future), future.result())
            except BaseException:
                pool.shutdown(wait=True, cancel_futures=True)
                raise
    return [done[lot.number] for lot in lots]


def pending_clock(work: Path) -> datetime | None:
    """Clock of the export that an interruption left unfinished, or None."""
    try:
        return datetime.fromisoformat((work / PENDING).read_text(encoding="ascii"))
    except (OSError, ValueError):
        return None


def signer_of(job: Job, password: bytes | None) -> seal.Signer | None:
    """Who signs, None when nobody does; SettingsInvalid when the key or certificate cannot serve at the export's clock. Asked before
    the patients are written, since that may take hours."""
    found = seal.load(job.signing_key, job.signing_certificate, password)
    return found and seal.usable(found, datetime.fromisoformat(job.clock))


def assemble(
    job: Job,
    found: list[Part],
    out: Path,
    contact: dict[str, str],
    *,
    status: str = "COMPLETE",
    password: bytes | None = None,
    division: Division = WHOLE,
) -> dict[str, Any]:
    """Write `out/PA….ZIP` and `out/PA….ZIP.sha256`; the export's facts, also kept where `facts_of` says. `password` opens the
    signing key. By `division` there may be several archives, whose names are a second apart, and a set manifest beside them; encrypted
    ones bear one more suffix, and nothing of them stands in `out` in clear: what is not encrypted yet is in the work folder."""
    work = Path(job.work)
    signer = signer_of(job, password)
    files.private_folder(out)
    extraction = canonical.manifest(work)
    holder = work / "parts" / "transverse.zip"

    def practice(base: Any) -> tuple[Context, dict[str, int], int, int, fhir_folder.Practice]:
        ctx = open_context(job, base)
        with files.replacing(holder) as file:
            counts = transverse.write(
                file, ctx, base, partial(read_body, work / "bodies"), ctx.clock, extraction, job.scope
            )
        orphans = base.sql(
            "SELECT count(*) FROM document WHERE patient IS NULL OR patient NOT IN (SELECT key FROM patient)"
        ).fetchall()[0][0]
        asked = base.sql("SELECT count(*) FROM document").fetchall()[0][0]
        referred = fhir_folder.Practice(
            [ctx.practice, *(row for row in _rows(base, "practice") if row.key != ctx.practice.key)],
            {row.key: row for row in _rows(base, "practitioner")},
            transverse.carried(job.scope),
        )
        return ctx, counts, orphans, asked, referred

    ctx, transverse_counts, orphans, asked, referred = canonical.bounded(work, practice, job.scope)
    # PORT-04: a contact is always published, that of the practice when the settings name none.
    contact = {k: contact.get(k) or getattr(ctx.practice, k) or "" for k in ("name", "email", "phone")}
    if division.delivery and division.delivery.number < division.delivery.of:
        canonical.keep_delivered(work, division.delivery.name, job.scope)
    described = list(
        documentation.files(
            extraction["cells"],
            extraction["unserved"],
            job.software,
            bool(job.schema),
            signer is not None,
            _sum(p.rungs for p in found),
        )
    )
    fixed = _fixed(described, signer) + (_VIEWER_BYTES if job.viewer else 0)
    fixed += (parquet_folder.FIXED if job.parquet else 0) + (referred.size() if job.fhir else 0)
    # What belongs to nobody known is in PARQUET/ too.
    shared_size = holder.stat().st_size * (2 if job.parquet else 1)
    planned = archive_set.plan(found, division, fixed + shared_size, fixed + 5000)
    alone = len(planned) == 1 and division.delivery is None
    base_name = _archive_name(ctx.clock)
    written: list[Written] = []
    reread = fhir_reading.Sample()
    for rank, one in enumerate(planned, 1):
        moment = ctx.clock + timedelta(seconds=rank - 1)
        name = _archive_name(moment)
        if rank == 1:
            shared: Path | bytes = holder
        else:
            shared = transverse.elsewhere(ctx, ctx.clock, base_name)
        told = _Own(
            name,
            contact,
            "PARTIAL" if status == "COMPLETE" and not alone else status,
            export_id(ctx.practice.oid, moment, job.scope),
            () if alone else _of_set(rank, len(planned), base_name, division.delivery),
            _optional(job, ctx, name, found, planned, rank, referred, reread),
        )
        suffix = division.recipient.suffix if division.recipient else ""
        target = out / f"{name}{suffix}"
        with files.replacing(target) as file:
            outside = _Hashing(file)
            sealed = division.recipient.sealed(outside) if division.recipient else None
            hashing = _Hashing(sealed) if sealed else outside
            _write(hashing, job, ctx, one, told, described, shared, signer)
            if sealed:
                sealed.finish()
            digest, delivered = hashing.digest.hexdigest(), outside.digest.hexdigest()
        beside = f"{delivered}  {target.name}\n" + (f"{digest}  {name}\n" if suffix else "")
        files.write(out / f"{target.name}.sha256", beside.encode())
        shutil.rmtree(work / SPOOL, ignore_errors=True)
        counts = [0, 0, 0]
        for part in one.slices:
            for held in part.held():
                counts = [a + b for a, b in zip(counts, held, strict=True)]
        written.append(
            Written(
                name,
                target.name,
                digest,
                delivered,
                target.stat().st_size,
                one.patients,
                counts[0],
                counts[1],
                counts[2],
            )
        )
    set_name = "" if alone else _write_set(job, ctx, out, planned, written, division.delivery, signer)
    patients = sum(part.patients for part in found)
    facts = {
        "archive": written[0].file,
        "sha256": written[0].file_sha256,
        "size": sum(one.size for one in written),
        "clock": job.clock,
        "software": job.software,
        "type": job.scope.kind,
        "status": status,
        "patients": patients,
        "documents": sum(p.documents for p in found),
        "orphans": orphans,
        "source_documents": asked,
        "forms": _sum(p.forms for p in found),
        "rungs": _sum(p.rungs for p in found),
        "rung_reasons": _sum(p.reasons for p in found),
        "checked": sum(p.checked for p in found),
        "schema_checked": bool(job.schema),
        "signed": signer is not None,
        "signatory": signer.subject if signer else "",
        "transverse": transverse_counts,
        "archives": [one._asdict() for one in written],
        "set": set_name,
        "encryption": division.recipient.format if division.recipient else "",
        # A patient is never split, nor the transverse data: such an archive is larger than asked.
        "oversize": [one.file for one in written if 0 < division.part_size < one.size],
        "viewer": job.viewer,
        "parquet": job.parquet,
        "fhir": job.fhir,
        "fhir_sample": reread.facts() if job.fhir else None,
    }
    files.write(facts_of(work, job.scope, status == "SAMPLE"), orjson.dumps(facts, option=orjson.OPT_INDENT_2))
    shutil.rmtree(work / "parts", ignore_errors=True)
    return facts


class _Own(NamedTuple):
    """What an archive says of itself: name, contact, status, export identifier, of which set it is, optional folders."""

    name: str
    contact: dict[str, str]
    status: str
    identifier: str
    of_set: tuple[str, ...]
    optional: list[optional_part.Folder]


def _archive_name(moment: datetime) -> str:
    return f"PA{moment:%Y%m%dT%H%M%S}.ZIP"


def _fixed(described: list[tuple[str, bytes]], signer: seal.Signer | None) -> int:
    """Bytes of an archive without patients, at most and but for TRANSVERSE.ZIP: README, the head of the manifest, the signature with its
    certificates, the documentation."""
    chain = sum(len(der) for der in signer.chain) * 2 if signer else 0
    return 20_000 + chain + sum(len(zip_stream.deflate(data)) + 2 * len(path) + 150 for path, data in described)


def _of_set(rank: int, count: int, first: str, delivery: Delivery | None) -> tuple[str, ...]:
    """Lines of the README for an archive of a set, and the comment of its manifest."""
    told = [f"Archive {rank} sur {count} d'un ensemble ; {first.removesuffix('.ZIP')}{SUFFIX} en donne la liste."]
    if delivery:
        told.append(f"Remise {delivery.number} sur {delivery.of} d'une demande en phases.")
        if delivery.number < delivery.of:
            told.append("Elle porte les patients actifs depuis moins de deux ans ; les autres suivront.")
    return tuple(told)


def _write(
    file: Any,
    job: Job,
    ctx: Context,
    planned: Planned,
    told: _Own,
    described: list[tuple[str, bytes]],
    shared: Path | bytes,
    signer: seal.Signer | None,
) -> None:
    """One archive: README, MANIFEST, SIGN, DOCUMENTATION, TRANSVERSE.ZIP (`shared`), patients, optional folders."""
    stamp = zip_stream.dos_time(ctx.clock.replace(tzinfo=None))
    data = shared if isinstance(shared, bytes) else b""
    size = len(data) if isinstance(shared, bytes) else shared.stat().st_size
    digest = hashlib.sha256(data).hexdigest() if isinstance(shared, bytes) else _digest(shared)
    transverse_line = Inner("TRANSVERSE.ZIP", "", size, digest)

    def inner() -> Iterator[Inner]:
        yield from planned.inner()
        yield transverse_line

    comment = " ".join(filter(None, (optional_part.comment(told.optional), *told.of_set)))
    listed = b"".join(
        manifest(
            ctx.practice,
            told.contact,
            job.software,
            told.identifier,
            job.scope,
            told.status,
            inner(),
            planned.patients,
            comment,
        )
    )
    outer = ZipStream(file, ctx.clock.replace(tzinfo=None))
    outer.add("README.TXT", _readme(ctx, planned.patients, told, signer is not None, job.scope))
    outer.add("MANIFEST.XML", listed)
    if signer is not None:
        outer.add_text(
            "SIGN.XML",
            seal.seal(
                signer,
                told.identifier,
                ctx.clock,
                hashlib.sha256(listed).hexdigest(),
                lambda: ((i.name, i.sha256) for i in inner()),
            ),
        )
    for path, text in described:
        outer.add(path, text)
    check = zip_stream.crc(data) if isinstance(shared, bytes) else _crc(shared)
    member = Member("TRANSVERSE.ZIP", zip_stream.STORED, check, size, size, 0)
    head = zip_stream.local_header(member, stamp)
    outer.add_framed(
        [member], len(head) + size, iter((head, data)) if isinstance(shared, bytes) else _chunks(shared, head)
    )
    for part in planned.slices:
        part.write(outer, stamp)
    for folder in told.optional:
        folder.write(outer)
    outer.finish()


def _write_set(
    job: Job,
    ctx: Context,
    out: Path,
    planned: list[Planned],
    written: list[Written],
    delivery: Delivery | None,
    signer: seal.Signer | None,
) -> str:
    """The set manifest, and its signature when somebody signs; its name. That of a phased request goes on with what the earlier delivery
    told."""
    name = f"{_archive_name(ctx.clock).removesuffix('.ZIP')}{SUFFIX}"
    kept = Path(job.work) / canonical.DELIVERIES / f"{delivery.name}.json" if delivery else None
    before: dict[str, Any] = {}
    if kept is not None and delivery and delivery.number > 1:
        try:
            before = orjson.loads(kept.read_bytes())
        except OSError:
            raise WorkMissing(
                path=Path(job.work).name, what="set manifest of the first delivery", command="request run"
            ) from None
    number = delivery.number if delivery else 1
    head = {
        "set": before.get("set") or export_id(ctx.practice.oid, ctx.clock, job.scope),
        "issuer": ctx.practice.oid,
        # The vendor of MANIFEST.XML, whom the certificate must be of.
        "issuer_id": ctx.practice.struct_idnat or ctx.practice.key,
        "software": job.software,
        "clock": job.clock,
        "type": job.scope.kind,
        "delivery": number,
        "deliveries": delivery.of if delivery else 1,
        "rest_due": delivery.rest_due if delivery and number < delivery.of else "",
    }
    archive_set.write_manifest(
        out / name,
        head,
        before.get("archives", []),
        [(one, plan.inner) for one, plan in zip(written, planned, strict=True)],
        number,
    )
    archive_set.sign_manifest(out / name, signer, head["set"], ctx.clock)
    if kept is not None and number == 1:
        files.write(kept, (out / name).read_bytes())
    return name


def _optional(
    job: Job,
    ctx: Context,
    archive: str,
    found: list[Part],
    planned: list[Planned],
    rank: int,
    referred: fhir_folder.Practice,
    reread: fhir_reading.Sample,
) -> list[optional_part.Folder]:
    """The optional folders of the archive of that rank, from 1, that the job asks for; what spans lots waits in `SPOOL`. `reread` reads
    some of the FHIR resources again."""
    lots = {part.file: part for part in found}
    here = planned[rank - 1]
    stamp = zip_stream.dos_time(ctx.clock.replace(tzinfo=None))
    spool = files.private_folder(Path(job.work) / SPOOL)
    folders = []
    if job.viewer:
        shown = [lots[one.lot.file].shown(one.start, one.stop, one.number) for one in here.slices]
        folders.append(viewer_folder(ctx.practice.name, ctx.clock.date().isoformat(), archive, shown))
    if job.parquet:
        before = sum(one.patients for one in planned[: rank - 1])
        shared = transverse.carried(job.scope)

        def tables(base: Any) -> optional_part.Folder:
            return parquet_folder.write(
                base, spool, stamp, job.scope, before, here.patients, (shared, shared and rank == 1)
            )

        folders.append(canonical.bounded(Path(job.work), tables, job.scope))
    if job.fhir:
        cuts = [lots[one.lot.file].cut(one.start, one.stop) for one in here.slices]
        folders.append(fhir_folder.write(spool, stamp, cuts, referred, job.clock, reread))
    return folders


def facts_of(work: Path, scope: Scope, sample: bool = False) -> Path:
    """Where the facts of the last export of that kind are kept: those of the whole practice are what the audit report speaks of, and a
    trial never takes their place."""
    if sample:
        return work / "export-essai.json"
    return work / ("export.json" if scope == EVERYTHING else "export-demande.json")


def export(
    job: Job,
    out: Path,
    contact: dict[str, str],
    *,
    workers: int = 2,
    progress: Progress = lambda patients, documents, total: None,
    password: bytes | None = None,
    division: Division = WHOLE,
) -> dict[str, Any]:
    """Parts of every bucket, then the archive, or those of the division."""
    signer_of(job, password)
    division.budget()
    return assemble(
        job, parts(job, range(BUCKETS), workers, progress), out, contact, password=password, division=division
    )


class _Hashing:
    """The file of the archive, with the digest of all that passes: the archive is read by nobody before it is sealed.
    ZipStream goes back only inside `add_chunks`, which the outer archive does not use."""

    def __init__(self, file: Any) -> None:
        self._file = file
        self.digest = hashlib.sha256()

    def write(self, data: bytes) -> int:
        self.digest.update(data)
        return int(self._file.write(data))


def _chunks(path: Path, head: bytes = b"") -> Iterator[bytes]:
    if head:
        yield head
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            yield chunk


def _digest(path: Path) -> str:
    digest = hashlib.sha256()
    for chunk in _chunks(path):
        digest.update(chunk)
    return digest.hexdigest()


def _crc(path: Path) -> int:
    value = 0
    for chunk in _chunks(path):
        value = zip_stream.crc(chunk, value)
    return value


def _sum(parts_counts: Iterator[dict[str, int]] | Any) -> dict[str, int]:
    out: dict[str, int] = {}
    for counts in parts_counts:
        for name, n in counts.items():
            out[name] = out.get(name, 0) + n
    return dict(sorted(out.items()))


# PORT-83: ordinary viewers do not know the authority.
_SIGNED = (
    "   . SIGN.XML est la signature XAdES de MANIFEST.XML et des archives qu'il liste. Elle se verifie avec les",
    "     certificats de l'IGC Sante, absente de la liste de confiance europeenne : un lecteur courant peut la dire inconnue.",
)
_FOLDERS = {
    "VIEWER": "VIEWER/index.html s'ouvre dans un navigateur, une fois l'archive extraite : lecture des dossiers, sans reseau.",
    "PARQUET": "PARQUET : les memes lignes que DONNEES.JSON et TRANSVERSE.ZIP, une table par fichier (Apache Parquet).",
    "FHIR": "FHIR : les memes dossiers en ressources FHIR R4, un type par fichier (NDJSON).",
}
_FACULTATIVE = "     Ce dossier est facultatif : le retirer ne change rien au reste."
_UNSIGNED = ("   . Cette archive n'est pas signee (pas de SIGN.XML).",)


def _told(scope: Scope) -> list[str]:
    """What a scope takes and leaves, for who opens the archive."""
    if scope.active_since or scope.after:
        return ["   . Portee MASSIF, en phases : notes personnelles, agenda et traces d'acces compris."]
    if scope.kind == "MASSIF":
        return ["   . Portee MASSIF : tous les dossiers, notes personnelles, agenda et traces d'acces compris."]
    if scope.kind == "UNITAIRE":
        told = ["   . Portee UNITAIRE : le dossier d'un patient."]
        if scope.deselected:
            told.append(f"     Documents ecartes par le professionnel : {len(scope.deselected)}.")
    else:
        limits = [
            *(["un professionnel referent"] if scope.practitioner else []),
            *(
                [f"du {scope.start or 'debut'} au {scope.end or 'jour de l export'}"]
                if scope.start or scope.end
                else []
            ),
            *([f"types {', '.join(scope.types)}"] if scope.types else []),
        ]
        told = [f"   . Portee CIBLE : {' ; '.join(limits)}. La synthese de chaque patient est entiere."]
    if scope.judicial:
        return [*told, "     Requisition judiciaire : notes personnelles, agenda et traces d'acces compris."]
    absent = "notes personnelles, agenda et traces d'acces" if scope.kind == "UNITAIRE" else "traces d'acces"
    return [*told, f"     Sans : {absent}."]


def _readme(ctx: Context, count: int, told: _Own, signed: bool, scope: Scope) -> bytes:
    name, contact, optional = told.name, told.contact, told.optional
    return readme(
        [
            *issuer_lines(ctx),
            "Contact Portabilite :",
            "=====================",
            f"   . Nom : {contact['name']}",
            f"   . Courriel : {contact['email']}",
            f"   . Telephone : {contact['phone']}",
            "",
            "Instructions :",
            "==============",
            "   . Archive de portabilite d'un cabinet. MANIFEST.XML en donne la liste et les empreintes SHA-256.",
            "   . Chaque PATnnnnn.ZIP est le dossier complet d'un patient (IHE XDM) et s'ouvre seul.",
            "   . DOCUMENTATION decrit tous les fichiers ; un lecteur peut etre ecrit a partir d'elle seule.",
            f"   . L'empreinte du fichier entier est livree a cote : {name}.sha256",
            *(("   . Export d'essai (statut SAMPLE) : il ne vaut pas remise.",) if told.status == "SAMPLE" else ()),
            *(f"   . {line}" for line in told.of_set),
            *(line for folder in optional for line in (f"   . {_FOLDERS[folder.name]}", _FACULTATIVE)),
            *_told(scope),
            *(_SIGNED if signed else _UNSIGNED),
            "",
            "Arborescence :",
            "==============",
            f"   {name}",
            "      README.TXT",
            "      MANIFEST.XML",
            *(("      SIGN.XML",) if signed else ()),
            "      DOCUMENTATION",
            "      TRANSVERSE.ZIP",
            f"      PAT00001.ZIP ... PAT{count:05d}.ZIP",
            *(f"      {folder.name} (facultatif)" for folder in optional),
        ]
    )


def job_of(
    work: Path,
    practice: dict[str, str],
    clock: datetime,
    software: str,
    schema: Path | None,
    time_zone: str,
    *,
    signing_key: Path | None = None,
    signing_certificate: Path | None = None,
    scope: Scope = EVERYTHING,
    viewer: bool = False,
    dpi: int = 0,
    parquet: bool = False,
    fhir: bool = False,
) -> Job:
    """A job from settings; the clock becomes local time of the practice."""
    return Job(
        str(work),
        tuple(sorted(practice.items())),
        clock.astimezone(zone(time_zone)).isoformat(),
        software,
        str(schema or ""),
        str(signing_key or ""),
        str(signing_certificate or ""),
        scope,
        viewer,
        dpi,
        parquet,
        fhir,
    )
