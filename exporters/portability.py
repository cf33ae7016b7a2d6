"""The outer archive PA<timestamp>.ZIP (PORT-45, sections D and E): lots of patients become part files in worker processes, then one
pass assembles them with README, MANIFEST, DOCUMENTATION and TRANSVERSE.ZIP, and computes the digest delivered beside the archive.

A finished part survives an interruption: the same export run again takes it as it is. Memory holds one patient and one lot of rows.
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
from datetime import datetime
from functools import partial
from multiprocessing import get_context, parent_process
from pathlib import Path
from typing import Any, NamedTuple

import orjson
from lxml import etree

from transvase.errors import SettingsInvalid
from transvase.exporters import documentation, documents, patient_archive, seal, transverse
from transvase.exporters.documents import Context
from transvase.exporters.manifest import Inner, export_id, manifest
from transvase.exporters.patient_archive import Line, issuer_lines
from transvase.formats import canonical, files, zip_stream
from transvase.formats.ascii_text import readme
from transvase.formats.bodies import read_body
from transvase.formats.processes import calm_collector, deaf_to_interrupts
from transvase.formats.zip_stream import Member, ZipStream
from transvase.model.clock import zone
from transvase.model.record import ROW
from transvase.model.request import EVERYTHING, Scope
from transvase.model.slot import BUCKETS, PATIENTS_PER_LOT, SLOTS_PER_BUCKET, Lot
from transvase.model.tables import TABLES

_CHUNK = 1 << 20
# From about so many patients on, compiling the schema costs less than it saves (a second in each worker, against 1.7 ms a patient).
MANY = 500
# Clock of an export that was begun and not finished: going on with it makes its finished parts serve.
PENDING = Path("parts") / "clock"
# (patients done, documents done, patients in all)
Progress = Callable[[int, int, int], None]


class Job(NamedTuple):
    """What a worker needs, small enough to be sent to it: `practice` overrides what the database says, `schema` is the path of the
    official CDA schema or empty, `clock` ISO with offset; `signing_key` and `signing_certificate` are paths, empty when nothing is
    signed."""

    work: str
    practice: tuple[tuple[str, str], ...]
    clock: str
    software: str
    schema: str
    signing_key: str = ""
    signing_certificate: str = ""
    scope: Scope = EVERYTHING


class Part(NamedTuple):
    """A finished lot: its file, and what the report needs. What the assembler needs of each patient stays in the index beside it, so
    that memory does not follow the practice."""

    file: str
    length: int
    patients: int
    forms: dict[str, int]
    rungs: dict[str, int]
    checked: int
    documents: int

    def members(self) -> list[Member]:
        """What the directory of the archive needs, in order, with offsets from the first."""
        return [Member(*m) for m in self._index()["members"]]

    def inner(self) -> list[Inner]:
        """What the manifest needs, in order."""
        return [Inner(*i) for i in self._index()["inner"]]

    def _index(self) -> Any:
        return orjson.loads(Path(self.file).with_suffix(".json").read_bytes())


class _Worker:
    """Opened once per process: tables, context, schema."""

    def __init__(self, job: Job, many: bool) -> None:
        self.base = canonical.connect(Path(job.work), memory="256MB", scope=job.scope)
        self.ctx = open_context(job, self.base, many)
        self.folder = Path(job.work) / "bodies"

    def body(self, digest: str) -> bytes | None:
        """A body whose bytes have that SHA-256; None when the store lost or spoilt it."""
        return read_body(self.folder, digest)


_worker: _Worker | None = None


def open_context(job: Job, base: Any, many: bool = False) -> Context:
    """The practice's context: the first structure of the database, with what the settings override. With `many` documents to check
    the schema is compiled, which takes a second."""
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
    people = [
        ROW["practitioner"]._make(r)
        for r in base.sql(f"SELECT {TABLES['practitioner'].select} FROM practitioner ORDER BY key").fetchall()
    ]
    schema = etree.XMLSchema(etree.parse(job.schema)) if job.schema else None
    return documents.context(
        practice, people, datetime.fromisoformat(job.clock), job.software, schema, _acceptor(job) if many else None
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


def _start(job: Job, many: bool) -> None:
    global _worker  # noqa: PLW0603 - one per process, set once by the pool's initializer
    _worker = _Worker(job, many)
    calm_collector()


def _stop() -> None:
    """Let the tables go when the work was done in this process."""
    global _worker  # noqa: PLW0603 - see _start
    if _worker is not None:
        _worker.base.close()
    _worker = None


def _start_process(job: Job, many: bool) -> None:
    """Initializer of a pool's process. Ctrl-C reaches it too, and is the parent's to answer: the lot in hand is finished."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_leave_with_parent, daemon=True).start()
    # Still open at the end, the tables would make DuckDB's binding fill the terminal with what it calls leaks.
    atexit.register(_stop)
    _start(job, many)


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
    part = Part(str(path), 0, lot.patients, {}, {}, 0, 0)
    members: list[Member] = []
    inner: list[Inner] = []
    offset = checked = count = 0
    with files.replacing(path) as file:
        for number, patient, record in canonical.patients(worker.base, lot):
            one = patient_archive.build(worker.ctx, number, patient, record, *states[patient.key], worker.body)
            name = f"PAT{number:05d}.ZIP"
            member = Member(name, zip_stream.STORED, zip_stream.crc(one.data), len(one.data), len(one.data), offset)
            head = zip_stream.local_header(member, stamp)
            file.write(head)
            file.write(one.data)
            offset += len(head) + len(one.data)
            members.append(member)
            inner.append(Inner(name, one.patient_id, len(one.data), hashlib.sha256(one.data).hexdigest()))
            count += len({line.document for line in one.lines})
            checked += _count(one.lines, part)
    part = part._replace(length=offset, patients=len(inner), checked=checked, documents=count)
    files.write(
        path.with_suffix(".json"),
        orjson.dumps({**part._asdict(), "members": [list(m) for m in members], "inner": [list(i) for i in inner]}),
    )
    return part


def _count(lines: list[Line], part: Part) -> int:
    for line in lines:
        part.forms[line.form] = part.forms.get(line.form, 0) + 1
        if line.rung:
            part.rungs[line.rung] = part.rungs.get(line.rung, 0) + 1
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
        ) == len(part.inner())
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
    if workers == 1 or len(waiting) < 2:
        if waiting:
            _start(job, many)
            try:
                for lot in waiting:
                    keep(lot, _lot(lot, str(folder)))
            finally:
                _stop()
    else:
        if many:
            # Compiled here first: the workers find what it left on disk instead of compiling side by side.
            _acceptor(job)
        # Spawned, not forked: the same on every system, and DuckDB's threads do not survive a fork.
        with ProcessPoolExecutor(
            workers, mp_context=get_context("spawn"), initializer=_start_process, initargs=(job, many)
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
) -> dict[str, Any]:
    """Write `out/PA….ZIP` and `out/PA….ZIP.sha256`; the export's facts, also kept where `facts_of` says. `password` opens the
    signing key."""
    work = Path(job.work)
    signer = signer_of(job, password)
    files.private_folder(out)
    extraction = canonical.manifest(work)
    holder = work / "parts" / "transverse.zip"

    def practice(base: Any) -> tuple[Context, dict[str, int], int, int]:
        ctx = open_context(job, base)
        with files.replacing(holder) as file:
            counts = transverse.write(
                file, ctx, base, partial(read_body, work / "bodies"), ctx.clock, extraction, job.scope
            )
        orphans = base.sql(
            "SELECT count(*) FROM document WHERE patient IS NULL OR patient NOT IN (SELECT key FROM patient)"
        ).fetchall()[0][0]
        return ctx, counts, orphans, base.sql("SELECT count(*) FROM document").fetchall()[0][0]

    ctx, transverse_counts, orphans, asked = canonical.bounded(work, practice, job.scope)
    # PORT-04: a contact is always published, that of the practice when the settings name none.
    contact = {k: contact.get(k) or getattr(ctx.practice, k) or "" for k in ("name", "email", "phone")}
    name = f"PA{ctx.clock:%Y%m%dT%H%M%S}.ZIP"
    patients = sum(part.patients for part in found)
    transverse_line = Inner("TRANSVERSE.ZIP", "", holder.stat().st_size, _digest(holder))

    def inner() -> Iterator[Inner]:
        for part in found:
            yield from part.inner()
        yield transverse_line

    described = b"".join(manifest(ctx.practice, contact, job.software, ctx.clock, job.scope, status, inner(), patients))
    target = out / name
    with files.replacing(target) as file:
        hashing = _Hashing(file)
        outer = ZipStream(hashing, ctx.clock.replace(tzinfo=None))  # type: ignore[arg-type]
        outer.add("README.TXT", _readme(ctx, name, patients, contact, signer is not None, job.scope))
        outer.add("MANIFEST.XML", described)
        if signer is not None:
            outer.add_text(
                "SIGN.XML",
                seal.seal(
                    signer,
                    export_id(ctx.practice.oid, ctx.clock, job.scope),
                    ctx.clock,
                    hashlib.sha256(described).hexdigest(),
                    lambda: ((i.name, i.sha256) for i in inner()),
                ),
            )
        for path, data in documentation.files(
            extraction["cells"], extraction["unserved"], job.software, bool(job.schema), signer is not None
        ):
            outer.add(path, data)
        size = holder.stat().st_size
        member = Member("TRANSVERSE.ZIP", zip_stream.STORED, _crc(holder), size, size, 0)
        head = zip_stream.local_header(member, zip_stream.dos_time(ctx.clock.replace(tzinfo=None)))
        outer.add_framed([member], len(head) + size, _chunks(holder, head))
        for part in found:
            outer.add_framed(part.members(), part.length, _chunks(Path(part.file)))
        outer.finish()
        digest = hashing.digest.hexdigest()
    files.write(out / f"{name}.sha256", f"{digest}  {name}\n".encode())
    facts = {
        "archive": name,
        "sha256": digest,
        "size": target.stat().st_size,
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
        "checked": sum(p.checked for p in found),
        "schema_checked": bool(job.schema),
        "signed": signer is not None,
        "signatory": signer.subject if signer else "",
        "transverse": transverse_counts,
    }
    files.write(facts_of(work, job.scope), orjson.dumps(facts, option=orjson.OPT_INDENT_2))
    shutil.rmtree(work / "parts", ignore_errors=True)
    return facts


def facts_of(work: Path, scope: Scope) -> Path:
    """Where the facts of the last export of that kind are kept: those of the whole practice are what the audit report speaks of."""
    return work / ("export.json" if scope == EVERYTHING else "export-demande.json")


def export(
    job: Job,
    out: Path,
    contact: dict[str, str],
    *,
    workers: int = 2,
    progress: Progress = lambda patients, documents, total: None,
    password: bytes | None = None,
) -> dict[str, Any]:
    """Parts of every bucket, then the archive."""
    signer_of(job, password)
    return assemble(job, parts(job, range(BUCKETS), workers, progress), out, contact, password=password)


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
_UNSIGNED = ("   . Cette archive n'est pas signee (pas de SIGN.XML).",)


def _told(scope: Scope) -> list[str]:
    """What a scope takes and leaves, for who opens the archive."""
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


def _readme(ctx: Context, name: str, count: int, contact: dict[str, str], signed: bool, scope: Scope) -> bytes:
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
    )
