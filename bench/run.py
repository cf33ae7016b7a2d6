"""Ratios measured in one run, never bare seconds: `python bench/run.py [reference|practice|memory|dagster|startup] …`.

Without a name, every measure runs at its usual size. Results are appended to bench/results.csv with the command that gives them.
`--schema FILE` is the official CDA_extended.xsd: with it every CDA is validated, without it the line says so.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import os
import resource
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Generator
from concurrent.futures import ProcessPoolExecutor
from datetime import date
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).resolve().parent))
import reference as ref

if TYPE_CHECKING:
    from transvase.model.record import Record

RESULTS = Path(__file__).with_name("results.csv")


def keep(measure: str, figure: str, value: float, note: str = "") -> None:
    """Print a figure and append it to the results."""
    print(f"  {measure:<12} {figure:<58} {value:10.2f}  {note}", flush=True)
    new = not RESULTS.exists()
    with RESULTS.open("a", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        if new:
            writer.writerow(("date", "measure", "figure", "value", "note"))
        writer.writerow((date.today().isoformat(), measure, figure, f"{value:.3f}", note))


def sync(file: Any) -> None:
    """Once per file, as a part file of the product is."""
    file.flush()
    os.fsync(file.fileno())


def ratio(work: Callable[[], None], other: Callable[[], None], rounds: int) -> float:
    """Median over rounds of the time of one work over that of the other, taken in turns so that the machine's other load falls on both."""
    found = []
    for _ in range(rounds):
        spent = []
        for call in (work, other):
            began = time.perf_counter()
            call()
            spent.append(time.perf_counter() - began)
        found.append(spent[0] / spent[1])
    return statistics.median(found)


# -- the reference patient -------------------------------------------------------------------------------------------------------


class Unit:
    """The reference patient ready to export, or several of its size that are all different, opened once per process."""

    def __init__(self, folder: Path, schema: str, pdf: Callable[[int], bytes] = ref.pdf, people: int = 1) -> None:
        from lxml import etree

        from transvase.exporters import documents
        from transvase.formats.base64_deflate import packed
        from transvase.formats.processes import calm_collector, keep_memory
        from transvase.formats.schema_acceptor import compile_schema

        folder.mkdir(exist_ok=True)
        self.folder = folder
        # The patients, their rows, those of their bundle (32 entries, where the VSM has 60), and where the floor reads their documents.
        self.people: list[tuple[Any, Record, Record]] = []
        self.paths: list[list[Path]] = []
        for number in range(people):
            bodies = [pdf(2 * number + 1), pdf(2 * number + 2)]
            record = ref.record(bodies, number)
            self.people.append((ref.patient(number), record, ref.bundled(record)))
            self.paths.append([self._kept(body) for body in bodies])
        validator = etree.XMLSchema(etree.parse(schema)) if schema else None
        # As in an export of many patients.
        accepts = compile_schema(Path(schema)).accepts if schema else None
        self.ctx = documents.context(
            ref.practice(), [ref.practitioner()], ref.CLOCK, "Transvase bench", validator, accepts, packs=packed
        )
        # As the product's workers do.
        calm_collector()
        keep_memory()

    def _kept(self, body: bytes) -> Path:
        digest = hashlib.sha256(body).hexdigest()
        path = self.folder / digest[:2] / digest
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(body)
        return path

    def body(self, digest: str) -> bytes | None:
        """A body read and checked by the product."""
        from transvase.formats.bodies import read_body

        return read_body(self.folder, digest)

    def shipped(self, out: Path, patients: int) -> None:
        """PATnnnnn.ZIP as the product writes it: VSM with its PDF, documents, metadata, PDF copies, JSON; hashed and framed."""
        from transvase.exporters import patient_archive
        from transvase.exporters.abreast import abreast, done
        from transvase.exporters.portability import ABREAST
        from transvase.formats import zip_stream

        def made(rank: int) -> Any:
            patient, record, _ = self.people[rank % len(self.people)]
            return patient_archive.building(self.ctx, patient, record, True, True, self.body)

        stamp = zip_stream.dos_time(ref.CLOCK.replace(tzinfo=None))
        with out.open("wb") as file:
            for start in range(0, patients, ABREAST):
                for one in done(abreast([made(rank) for rank in range(start, min(start + ABREAST, patients))])):
                    check = zip_stream.crc(one.data)
                    member = zip_stream.Member("PAT00001.ZIP", 0, check, len(one.data), len(one.data), 0)
                    hashlib.sha256(one.data).hexdigest()
                    file.write(zip_stream.local_header(member, stamp))
                    file.write(one.data)
            sync(file)

    def listed(self, out: Path, patients: int) -> None:
        """What the design's reference unit lists and nothing more: a FHIR document bundle, a VSM, two level-1 CDA, metadata, one zip."""
        from transvase.exporters.abreast import abreast, done
        from transvase.exporters.portability import ABREAST

        with out.open("wb") as file:
            for start in range(0, patients, ABREAST):
                for data in done(
                    abreast([self._listed(rank) for rank in range(start, min(start + ABREAST, patients))])
                ):
                    file.write(data)
            sync(file)

    def _listed(self, rank: int) -> Generator[None, None, bytes]:
        from transvase.exporters import documents, patient_archive
        from transvase.exporters.abreast import abreast
        from transvase.exporters.cda.header import record_target
        from transvase.exporters.fhir.bundle import document_bundle
        from transvase.formats import zip_stream
        from transvase.formats.xds_metadata import submission_set
        from transvase.formats.xds_xml import submit_objects_request

        ctx, (patient, record, bundled) = self.ctx, self.people[rank % len(self.people)]
        target = record_target(patient, ctx.practice.oid, True)
        text, _ = patient_archive.synthesis_text(ctx, patient, record, target)
        yield
        data, entry = (yield from patient_archive.synthesis_document(ctx, text)) or (b"", None)
        entries, members = [entry], [("IHE_XDM/SUBSET01/DOC0001.XML", data, True)]
        yield
        bodies = [self.body(version.sha256) or b"" for version in record["document_version"]]
        yield
        pairs = zip(record["document"], record["document_version"], bodies, strict=True)
        works = [
            documents.composing(
                ctx, target, True, document, version, f"1.2.250.1.999.1.1.9.{place}", "", body, f"DOC{place:04d}"
            )
            for place, (document, version, body) in enumerate(pairs, 2)
        ]
        made = yield from abreast(works)
        entries += [one.entry for one in made]
        yield
        submission = submission_set(
            entries, unique_id="1.2.250.1.999.1.1.7.1", source_id="1.2.250.1.999.1.1", time="20261123190000"
        )
        metadata = submit_objects_request(submission, entries, for_xdm=True).encode()
        members.append(("IHE_XDM/SUBSET01/METADATA.XML", metadata, True))
        yield
        bundle = document_bundle(
            bundled, practice=ctx.practice, practitioners={"1": ref.practitioner()}, patient=patient,
            created="2026-11-23T20:00:00+01:00", identifier="1.2.250.1.999.1.1.8.1", qualified=True,
        )  # fmt: skip
        members.append(("BUNDLE.JSON", bundle, True))
        yield
        members += [(f"IHE_XDM/SUBSET01/{e.entry.uri}", e.data, patient_archive.deflation(ctx, e)) for e in made]
        return zip_stream.build(members, ref.CLOCK.replace(tzinfo=None))


_unit: Unit | None = None


def _open(folder: str, schema: str) -> None:
    global _unit  # noqa: PLW0603 - one per process, set once by the pool
    mine = Path(folder) / str(os.getpid())
    mine.mkdir(exist_ok=True)
    _unit = Unit(mine, schema)
    _unit.listed(mine / "warm", 5)


def _work(patients: int) -> int:
    assert _unit
    _unit.listed(_unit.folder / "out", patients)
    return patients


def reference(options: argparse.Namespace) -> None:
    """Against the floor on one core, then two workers against one."""
    note = "XSD on every CDA" if options.schema else "no XSD given"
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        unit = Unit(folder, options.schema)
        n = options.patients or 150
        unit.listed(folder / "warm", 10)
        unit.shipped(folder / "warm", 10)
        times = ratio(
            lambda: unit.listed(folder / "a", n), lambda: ref.floor(unit.paths, folder / "b", n), options.rounds
        )
        keep("reference", "unit of the design, one core, times the floor", times, note)
        # The same size, but no two patients nor documents alike: what is remembered from one to the next helps less.
        others = Unit(folder / "others", options.schema, people=n)
        others.listed(folder / "warm", 10)
        times = ratio(
            lambda: others.listed(folder / "a", n), lambda: ref.floor(others.paths, folder / "b", n), options.rounds
        )
        keep("reference", "patients all different, one core, times the floor", times, note)
        # The unit holds PDF/A-1, as level 1 wants: what it costs to bring others there is told beside it.
        mended = Unit(folder / "undeclared", options.schema, ref.undeclared)
        mended.listed(folder / "warm", 10)
        times = ratio(
            lambda: mended.listed(folder / "a", n), lambda: ref.floor(mended.paths, folder / "b", n), options.rounds
        )
        keep("reference", "ladder: two documents mended, times the floor", times, note)
        times = ratio(
            lambda: unit.shipped(folder / "a", n), lambda: ref.floor(unit.paths, folder / "b", n), options.rounds
        )
        keep("reference", "as shipped (PDF copies, synthesis PDF, JSON), times the floor", times, note)
        with ProcessPoolExecutor(
            2, mp_context=get_context("spawn"), initializer=_open, initargs=(name, options.schema)
        ) as pool:
            lots = [max(n // 8, 10)] * 16
            list(pool.map(_work, lots[:4]))

            def two() -> None:
                list(pool.map(_work, lots))

            def one() -> None:
                for lot in lots:
                    pool.submit(_work, lot).result()

            keep("reference", "two workers, times one", ratio(one, two, options.rounds), note)


# -- whole practices, in processes of their own ----------------------------------------------------------------------------------

_PHASES = ("generate", "extract", "validate", "export", "feed")
_LARGE = ("extract", "validate", "export", "verify")


def phase(name: str, folder: Path, patients: int, size: int, bodies: bool, schema: str, workers: int) -> None:
    """One phase, run in a process of its own so that its memory is its own."""
    from transvase.exporters import portability
    from transvase.sources import mapping
    from transvase.sources.extract import extract
    from transvase.sources.synthetic.practice import generate
    from transvase.validators.verdicts import judge

    database, work = folder / "cabinet.sqlite3", folder / "work"
    if name == "generate":
        generate(database, patients=patients, clock=ref.CLOCK, bodies=bodies, document_size=size or None)
    elif name == "extract":
        extract(mapping.load("synthetic"), database, work, clock=ref.CLOCK)
    elif name == "validate":
        judge(work, clock=ref.CLOCK, environment="sandbox")
    elif name == "export":
        job = portability.job_of(
            work, {}, ref.CLOCK, "Transvase bench", Path(schema) if schema else None, "Europe/Paris"
        )
        portability.export(job, folder / "out", {}, workers=workers)
    elif name == "verify":
        from transvase.validators.archive import verify

        (found,) = (folder / "out").glob("*.ZIP")
        if problems := verify(found).problems:
            raise SystemExit(f"the archive has {len(problems)} problems")
    elif name == "feed":
        _feed(folder, work)


def _feed(folder: Path, work: Path) -> None:
    from transvase.assets import feeding
    from transvase.exporters import portability
    from transvase.gateways import dmp
    from transvase.ledger.submissions import Ledger

    control = (folder / "sandbox.url").read_text(encoding="utf-8").splitlines()
    url, keys = control[0], [Path(p) for p in control[1:]]
    job = portability.job_of(work, {}, ref.CLOCK, "Transvase bench", None, "Europe/Paris")
    context = dmp.tls(keys[0], keys[1], keys[2], None)
    with Ledger(work / "ledger.sqlite") as ledger:
        fed = feeding.feed(
            job,
            ledger,
            lambda: dmp.Dmp(url, context, 60),
            feeding.Limits(1e6, 10**9, 2),
            lambda: ref.CLOCK,
            lambda *_: None,
        )
    (folder / "fed").write_text(str(fed.sent), encoding="utf-8")


def _sandbox(folder: Path) -> subprocess.Popen[str]:
    """A sandbox in a process of its own."""
    code = (
        "import sys; from pathlib import Path; from datetime import datetime; from transvase.sandbox.dmp import serve; "
        "serve(Path(sys.argv[1]), Path(sys.argv[2]), 0, datetime.fromisoformat(sys.argv[3]), lambda u: print(u, flush=True))"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(folder / "sandbox"), str(folder / "cabinet.dmp-patients.csv"), ref.CLOCK.isoformat()],
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout
    url = process.stdout.readline().strip()
    keys = [folder / "sandbox" / n for n in ("client.pem", "client.key", "ca.pem")]
    (folder / "sandbox.url").write_text("\n".join([url, *map(str, keys)]), encoding="utf-8")
    return process


def measured(
    name: str, folder: Path, options: argparse.Namespace, patients: int, bodies: bool, workers: int
) -> tuple[float, float]:
    """(seconds, peak MB of the phase and its workers)."""
    command = [sys.executable, __file__, "phase", "--phase", name, "--folder", str(folder), "--patients", str(patients),
               "--document-size", str(options.document_size), "--workers", str(workers), "--schema", options.schema]  # fmt: skip
    if not bodies:
        command.append("--no-bodies")
    began = time.perf_counter()
    process = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return time.perf_counter() - began, float(process.stdout.strip().splitlines()[-1])


def practice(options: argparse.Namespace) -> None:
    """Documents a second of each phase against the floor over the same documents, and peak memory."""
    patients = options.patients or 2000
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        measured("generate", folder, options, patients, True, 1)
        spent, peak = {}, {}
        sandbox = _sandbox(folder)
        try:
            for phase_name in _PHASES[1:]:
                spent[phase_name], peak[phase_name] = measured(phase_name, folder, options, patients, True, 2)
        finally:
            sandbox.terminate()
            sandbox.wait()
        bodies = [p for p in (folder / "work" / "bodies").rglob("*") if p.is_file()]
        began = time.perf_counter()
        with (folder / "floor").open("wb") as file:
            for path in bodies:
                data = path.read_bytes()
                hashlib.sha256(data).digest()
                file.write(data)
        floor = len(bodies) / (time.perf_counter() - began)
        sent = int((folder / "fed").read_text(encoding="utf-8"))
        for phase_name in _PHASES[1:]:
            count = sent if phase_name == "feed" else len(bodies)
            keep("practice", f"{phase_name}: documents/s, as a fraction of the floor", count / spent[phase_name] / floor,
                 f"{patients} patients, {count} documents, peak {peak[phase_name]:.0f} MB")  # fmt: skip


def memory(options: argparse.Namespace) -> None:
    """Peak memory of a large practice against a small one, by phase."""
    small, large = 500, options.patients or 8000
    peaks: dict[int, dict[str, float]] = {}
    for patients in (small, large):
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            measured("generate", folder, options, patients, True, 1)
            peaks[patients] = {
                p: measured(p, folder, options, patients, True, 1)[1] for p in ("extract", "validate", "export")
            }
    for phase_name, value in peaks[large].items():
        keep(
            "memory",
            f"{phase_name}: peak at {large} patients, times {small}",
            value / peaks[small][phase_name],
            f"{value:.0f} MB",
        )


def large(options: argparse.Namespace) -> None:
    """An archive of some fifty thousand documents made and verified: peak memory of each phase against a tenth of the practice."""
    whole = options.patients or 4_300
    peaks: dict[int, dict[str, float]] = {}
    for patients in (whole // 10, whole):
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            measured("generate", folder, options, patients, True, 1)
            peaks[patients] = {p: measured(p, folder, options, patients, True, 1)[1] for p in _LARGE}
            documents = sum(1 for p in (folder / "work" / "bodies").rglob("*") if p.is_file())
    for phase_name, value in peaks[whole].items():
        keep(
            "large",
            f"{phase_name}: peak, times a tenth of the practice",
            value / peaks[whole // 10][phase_name],
            f"{documents} documents, {value:.0f} MB",
        )


def dagster(options: argparse.Namespace) -> None:
    """Share of Dagster and Great Expectations in a run: the whole chain through them against the same functions called directly."""
    patients = options.patients or 20_000
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        measured("generate", folder, options, patients, False, 1)
        output = subprocess.run(
            [sys.executable, __file__, "chain", "--folder", name, "--schema", options.schema],
            check=True,
            stdout=subprocess.PIPE,
            text=True,
        ).stdout
        whole, own = map(float, output.strip().splitlines()[-1].split())
        keep(
            "dagster",
            "share of Dagster and Great Expectations, %",
            100 * (whole - own) / whole,
            f"{patients} patients, bodies off",
        )


def chain(options: argparse.Namespace) -> None:
    """Print (wall time of the job, imports included; wall time inside our own functions)."""
    began = time.perf_counter()
    # What the work needs, with or without Dagster, is no part of its share.
    from transvase.assets import feeding  # noqa: F401
    from transvase.exporters import portability  # noqa: F401
    from transvase.reports import audit, findings  # noqa: F401
    from transvase.sources import extract  # noqa: F401
    from transvase.validators import verdicts as judging  # noqa: F401

    own = [time.perf_counter() - began]
    from transvase.assets.run import Run
    from transvase.pipelines import definitions
    from transvase.pipelines.execute import execute
    from transvase.settings import Settings

    folder = Path(options.folder)

    def timed(module: Any, name: str) -> None:
        function = getattr(module, name)

        def call(*args: Any, **kwargs: Any) -> Any:
            start = time.perf_counter()
            try:
                return function(*args, **kwargs)
            finally:
                own[0] += time.perf_counter() - start

        setattr(module, name, call)

    from transvase.assets import archive, canonical, dmp, report, verdicts

    timed(canonical, "extract")
    timed(verdicts, "judge")
    timed(archive.portability, "parts")
    timed(archive.portability, "assemble")
    timed(dmp.feeding, "feed")
    timed(report, "report")
    timed(report, "write")
    assert definitions
    before = time.perf_counter()
    sandbox = _sandbox(folder)
    started = time.perf_counter() - before
    try:
        url, certificate, key, authority = (folder / "sandbox.url").read_text(encoding="utf-8").splitlines()
        settings = Settings.model_validate(
            {
                "source": {"path": folder / "cabinet.sqlite3"},
                "work": {"folder": folder / "work"},
                "export": {"folder": folder / "out"},
                "feed": {
                    "url": url,
                    "certificate": certificate,
                    "key": key,
                    "authority": authority,
                    "submissions_per_second": 1e6,
                },
            }
        )
        execute(
            "everything",
            Run(settings, ref.CLOCK, schema=Path(options.schema) if options.schema else None, now=lambda: ref.CLOCK),
        )
    finally:
        sandbox.terminate()
        sandbox.wait()
    # The local server's start is no part of the run.
    print(time.perf_counter() - began - started, own[0])


def generation(options: argparse.Namespace) -> None:
    """The embedded practice: generating it against writing the same rows and bodies into a database."""
    import sqlite3

    from transvase.sources.synthetic.practice import generate

    patients = options.patients or 1000
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        path = folder / "cabinet.sqlite3"

        def make() -> None:
            generate(path, patients=patients, clock=ref.CLOCK, document_size=options.document_size or None)

        make()
        base = sqlite3.connect(path)
        schema = [s for (s,) in base.execute("SELECT sql FROM sqlite_master WHERE sql IS NOT NULL ORDER BY rowid")]
        tables = [t for (t,) in base.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        rows = {t: base.execute(f"SELECT * FROM {t}").fetchall() for t in tables}
        base.close()

        def write() -> None:
            (folder / "same").unlink(missing_ok=True)
            copy = sqlite3.connect(folder / "same")
            for statement in schema:
                copy.execute(statement)
            for table, held in rows.items():
                if held:
                    copy.executemany(f"INSERT INTO {table} VALUES ({','.join('?' * len(held[0]))})", held)
            copy.commit()
            copy.close()

        size = f"documents of {options.document_size} bytes" if options.document_size else "documents of usual sizes"
        keep(
            "generation",
            "generating, times writing the same rows",
            ratio(make, write, options.rounds),
            f"{patients} patients, {size}, {path.stat().st_size >> 20} MB",
        )


def _cost(folder: Path, made: int, rounds: int, label: str, note: str) -> list[dict[str, float]]:
    """What a submission of the documents of a practice costs its client, from feeds of a quarter of them and of all; all these feeds, by
    pairs."""
    import feeding

    few, found = [], []
    for _ in range(max(rounds // 2, 1)):
        for documents, kept in ((made // 4, few), (made, found)):
            with feeding.service(folder):
                kept.append(feeding.fed(folder, 2, documents))
    # Some patients of the practice have no DMP.
    assert all(f["sent"] == found[0]["sent"] > 0.9 * made for f in found)
    # One more submission, without what a run costs before its first.
    more = [
        (f["each"] * f["sent"] - q["each"] * q["sent"]) / (f["sent"] - q["sent"]) / f["two"]
        for q, f in zip(few, found, strict=True)
    ]
    keep(
        "feed", f"client CPU per signed submission{label}, times two RSA-2048 signatures", statistics.median(more), note
    )
    return few + found


def _fed(folder: Path, made: int, size: int, rounds: int) -> None:
    """The measures of feeding the documents of a practice, as many as were made of that size."""
    import feeding

    note = f"{made} documents of {size} bytes"
    feeds = _cost(folder, made, rounds, "", note)
    found = feeds[len(feeds) // 2 :]
    least = statistics.median(f["floor"] / f["two"] for f in found)
    keep("feed", "signatures, digests, base64 and encryption alone, the same", least, note)
    keep("feed", "documents/s, quotas off", statistics.median(f["sent"] / f["seconds"] for f in found), note)
    spent = {}
    for connections in (1, 4):
        with feeding.service(folder, slow=0.2):
            spent[connections] = feeding.fed(folder, connections, min(made, 64))["seconds"]
    keep(
        "feed",
        "4 connections, times 1, when an answer takes 200 ms",
        spent[1] / spent[4],
        f"{min(made, 64)} documents of {size} bytes",
    )
    peak = statistics.median(f["peak"] for f in found)
    times = peak / statistics.median(q["peak"] for q in feeds[: len(feeds) // 2])
    keep("feed", "peak memory, times a quarter of the documents", times, f"{note}, {peak:.0f} MB")


def feed(options: argparse.Namespace) -> None:
    """Feeding, every set signed: the client's CPU for one against two RSA-2048 signatures, four connections against one when an answer
    takes 200 ms, peak memory as documents grow in number."""
    import feeding

    patients = options.patients or 200
    for size in (options.document_size,) if options.document_size else (5_000, 200_000):
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            _fed(folder, feeding.practice(folder, patients, 200, partial(ref.pdf, size=size)), size, options.rounds)
        # These hold PDF/A-1, as level 1 wants: what it costs to bring others there is told beside it.
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            made = feeding.practice(folder, patients, 200, partial(ref.undeclared, size=size))
            note = f"{made} documents of {size} bytes"
            feeds = _cost(folder, made, options.rounds, " that is mended", note)
            beside = statistics.median(f["beside"] / f["two"] for f in feeds)
            keep("feed", "CPU of the process beside that mends its PDF, the same", beside, note)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        made = feeding.practice(folder, 30, 8, partial(ref.pdf, size=50_000_000))
        peaks = []
        for count in (made // 4, made):
            with feeding.service(folder):
                peaks.append(feeding.fed(folder, 2, count)["peak"])
        keep(
            "feed",
            "peak memory, times a quarter of the documents",
            peaks[1] / peaks[0],
            f"{made} of 50 MB, {peaks[1]:.0f} MB",
        )


def fhir(options: argparse.Namespace) -> None:
    """A FHIR bundle, a VSM and a PDF/A page against the least that could write the same bytes, and against libraries."""
    import writers

    times, rounds = 200, options.rounds
    ours, least, plain, library, size = writers.bundle()
    many = writers.repeated
    for figure, other in (("a dict of the same rows and orjson", plain), ("a dict of ready values and orjson", least)):
        keep("fhir", f"bundle, times {figure}", ratio(many(ours, times), many(other, times), rounds), f"{size} bytes")
    keep("fhir", "fhir.resources, times our bundle", ratio(many(library, 10), many(ours, 10), rounds), f"{size} bytes")
    written, text, tree, size = writers.synthesis()
    keep("fhir", "VSM body, times an f-string", ratio(many(written, times), many(text, times), rounds), f"{size} bytes")
    keep("fhir", "lxml elements, times our VSM body", ratio(many(tree, 50), many(written, 50), rounds), f"{size} bytes")
    page, stream, count = writers.pages()
    keep("fhir", "PDF/A, times a raw content stream", ratio(many(page, 20), many(stream, 20), rounds), f"{count} pages")


def startup(options: argparse.Namespace) -> None:
    """`transvase --help` against `python -c pass`."""
    command = Path(sys.executable).with_name("transvase")

    def of(*words: str) -> Callable[[], None]:
        return lambda: subprocess.run(words, check=True, stdout=subprocess.DEVNULL)  # type: ignore[return-value]

    times = ratio(of(str(command), "--help"), of(sys.executable, "-c", "pass"), max(options.rounds, 11))
    keep("startup", "transvase --help, times python -c pass", times)


def again(options: argparse.Namespace) -> None:
    """A run that finds nothing new, and one that finds one row changed, against the whole first run; as commands, by processor time."""
    patients = options.patients or 2000
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        measured("generate", folder, options, patients, True, 1)
        (database,) = folder.glob("*.sqlite3")
        settings = folder / "transvase.toml"
        settings.write_text(
            f'[source]\nproduct = "synthetic"\npath = "{database.name}"\n[work]\nfolder = "work"\n[export]\nfolder = "out"\nrasterise = false\n'
            '[practice]\ncontact_name = "Contact"\ncontact_email = "contact@cabinet.invalid"\n',
            encoding="utf-8",
        )

        def spent(*commands: str) -> tuple[float, float]:
            before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
            for command in commands:
                words = [sys.executable, "-m", "transvase.commands.main", command, "--settings", str(settings)]
                code = subprocess.run(
                    words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False
                ).returncode
                if code not in (0, 1):
                    raise SystemExit(f"{command} ended with {code}")
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            processor = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
            return processor, time.perf_counter() - began

        first = spent("extract", "export")
        nothing = spent("extract")
        with sqlite3.connect(database) as base:
            base.execute("UPDATE T_DOC SET DOC_TITRE = 'Autre titre' WHERE DOC_ID = (SELECT min(DOC_ID) FROM T_DOC)")
        base.close()
        one = spent("extract")
        for label, figures in (("nothing changed", nothing), ("one row changed", one)):
            for kind, rank in (("processor", 0), ("wall", 1)):
                keep("again", f"extract, {label}: {kind} time, share of the first run", figures[rank] / first[rank],
                     f"{patients} patients, extract and export")  # fmt: skip


MEASURES = {
    "again": again,
    "reference": reference,
    "practice": practice,
    "memory": memory,
    "large": large,
    "dagster": dagster,
    "generation": generation,
    "feed": feed,
    "fhir": fhir,
    "startup": startup,
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("measures", nargs="*", choices=(*MEASURES, "phase", "chain"), default=[], metavar="measure")
    parser.add_argument("--patients", type=int, default=0)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--schema", default="")
    parser.add_argument("--document-size", type=int, default=0)
    parser.add_argument("--phase", choices=(*_PHASES, "verify"))
    parser.add_argument("--folder", default="")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--no-bodies", action="store_true")
    options = parser.parse_args()
    if options.measures == ["phase"]:
        phase(
            options.phase,
            Path(options.folder),
            options.patients,
            options.document_size,
            not options.no_bodies,
            options.schema,
            options.workers,
        )
        own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        print(max(own, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss) / 1024)
        return 0
    if options.measures == ["chain"]:
        chain(options)
        return 0
    for name in options.measures or list(MEASURES):
        print(name)
        MEASURES[name](options)
    return 0


if __name__ == "__main__":
    sys.exit(main())
