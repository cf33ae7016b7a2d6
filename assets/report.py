"""The audit report: what the registers tell is read here and handed to `reports`, which count and draw; the four forms are written."""

from __future__ import annotations

import hashlib
import platform
import re
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import datetime
from pathlib import Path

import dagster as dg

from transvase import __version__
from transvase.assets.archive import portability_archive
from transvase.assets.dmp import dmp_submissions
from transvase.assets.ledger_place import ledger_place
from transvase.assets.run import SOFTWARE, Run
from transvase.errors import Said, guarded
from transvase.exporters import audit_pdf
from transvase.formats import canonical, files
from transvase.ledger import engines
from transvase.ledger.engines import Place
from transvase.ledger.requests import REQUESTS, Requests
from transvase.ledger.runs import RUNS, read_head
from transvase.ledger.submissions import Ledger
from transvase.model.clock import zone
from transvase.model.report import WHOLE, Head, Report
from transvase.model.requirements import requirements
from transvase.reports import audit, plots, records, sheets
from transvase.reports.findings import Asked, Sending, gather

# Name of the report by language, and of the folder of its references.
NAMES = {"fr": "rapport", "en": "report"}
PIECES = "rapport-pieces"


def out_of(run: Run) -> Path:
    """Folder of the report: that of the exports, or one of its own for a period or a professional."""
    folder = run.settings.export.folder
    if run.view == WHOLE:
        return folder
    named = "_".join(part for part in run.view if part)
    # A key may hold anything; what is not plain is told by its digest.
    plain = re.sub(r"[^A-Za-z0-9_-]", "-", named)
    return (
        folder / f"rapport-{plain if plain == named else f'{plain}-{hashlib.sha256(named.encode()).hexdigest()[:8]}'}"
    )


def clock_of(run: Run) -> datetime:
    """The run's clock, on the practice's wall."""
    return run.clock.astimezone(zone(run.settings.time_zone))


def report(run: Run) -> Report:
    """The report counted; without a ledger nothing was sent. WorkMissing without extraction or verdicts."""
    head = Head(practice_name(run), clock_of(run), SOFTWARE, run.settings.feed.environment, run.view)
    with _sendings(ledger_place(run.settings)) as sendings:
        return gather(
            run.work,
            head,
            sendings,
            requests=_requests(run),
            evidence=_evidence(run),
            unchecked=list(_unchecked(run)),
            asked=requirements(__version__),
        )


@contextmanager
def _sendings(place: Place) -> Iterator[Iterator[Sending]]:
    if not engines.exists(place):
        yield iter(())
        return
    with closing(Ledger(place, "dmp")) as ledger:
        yield ledger.latest()


def _requests(run: Run) -> list[Asked]:
    path = run.work / REQUESTS
    if not path.is_file():
        return []
    with Requests(path) as register:
        asked = register.all()
    return [
        Asked(
            r.number,
            r.scope.kind,
            r.state,
            f"{r.received:%Y-%m-%d %H:%M}",
            f"{r.awaited:%Y-%m-%d %H:%M}",
            f"{done:%Y-%m-%d %H:%M}" if r.whole and (done := r.at("delivered")) else "",
            r.late(run.clock),
        )
        for r in asked
    ]


def _evidence(run: Run) -> list[tuple[Said, str]]:
    """Digests of what the report was counted from, heads of the chains, signature and versions."""
    rows = [
        (Said(f"SHA-256 de {name}", f"SHA-256 of {name}"), hashlib.sha256(path.read_bytes()).hexdigest())
        for name in ("canonical/extraction.json", "verdicts/counts.json")
        if (path := run.work / name).is_file()
    ]
    place = ledger_place(run.settings)
    if engines.exists(place):
        with Ledger(place) as ledger:
            events, head = ledger.head()
        rows.append(
            (Said("Registre des envois : événements, tête", "Ledger of submissions: events, head"), f"{events} {head}")
        )
    if (run.work / REQUESTS).is_file():
        with Requests(run.work / REQUESTS) as register:
            number, last = register.head()
        rows.append(
            (Said("Registre des demandes : événements, tête", "Register of requests: events, head"), f"{number} {last}")
        )
    if chain := read_head(run.work / RUNS):
        rows.append(
            (
                Said("Chaîne des exécutions : enregistrements, tête", "Chain of runs: records, head"),
                f"{chain['records']} {chain['record']}",
            )
        )
        signed = chain["signature"]
        rows.append(
            (
                Said("Signature du dernier enregistrement (SHA-256)", "Signature of the last record (SHA-256)"),
                signed or "non signé / unsigned",
            )
        )
    rows.append((Said("Versions", "Versions"), f"Transvase {__version__}, Python {platform.python_version()}"))
    return rows  # fmt: skip


def _unchecked(run: Run) -> Iterator[tuple[Said, Said]]:
    directory = run.settings.directory
    why = Said("Aucune liste n'a été donnée ([directory]).", "No list was given ([directory]).")
    if directory.places is None:
        yield (
            Said(
                "Les codes de lieu de naissance, à la date de naissance", "Codes of places of birth, at the birth date"
            ),
            why,
        )
    if directory.professionals is None:
        yield Said("Les correspondants, dans l'annuaire", "Correspondents, in the directory"), why
    if not (run.work / REQUESTS).is_file():
        yield (
            Said("Les demandes de portabilité", "Portability requests"),
            Said("Aucune n'est au registre : reçues autrement, elles n'y sont pas.", "None is in the register: received otherwise, they are not."),
        )  # fmt: skip


def practice_name(run: Run) -> str:
    """Name of the structure, from the settings or the database."""
    if run.settings.practice.name:
        return run.settings.practice.name
    with canonical.connect(run.work, threads=1) as base:
        rows = base.sql("SELECT name FROM practice ORDER BY key LIMIT 1").fetchall()
    return str(rows[0][0]) if rows else ""


def write(run: Run, found: Report) -> Path:
    """Write the report in its four forms and two languages, the references beside it, and the annex when one is asked for; the French
    page."""
    out = files.private_folder(out_of(run))
    places = records.write_pages(run.work, out / PIECES)
    digests = {}
    for language, name in NAMES.items():
        made = {
            f"{name}.html": audit.html(found, language=language, places=places, pages=PIECES),
            f"{name}.json": sheets.json(found, language),
            f"{name}.pdf": audit_pdf.pdf(
                found,
                identifier=f"audit {found.head.clock.isoformat()} {found.head.view} {language}",
                language=language,
            ),
        }
        for file, data in made.items():
            files.write(out / file, data)
            digests[file] = hashlib.sha256(data).hexdigest()
        sheets.write_csv(found, out / f"{name}-csv.zip", records.listed(run.work), language)
    if run.annex is not None:
        rows = records.write_annex(run.work, run.annex, run.view, found.head.clock.date())
        with run.annex.open("rb") as file_read:
            digest = hashlib.file_digest(file_read, "sha256").hexdigest()
        if run.recording is not None:
            run.recording.note("annex", {"documents": rows, "sha256": digest})
    if run.recording is not None and run.view != WHOLE:
        run.recording.note("narrowed", {"view": run.view._asdict(), "reports": digests})
    return out / "rapport.html"


@dg.asset(
    group_name="evidence",
    deps=[portability_archive, dmp_submissions],
    kinds={"html"},
    check_specs=[
        dg.AssetCheckSpec("obligations", asset="audit_report", description="Tout document dû est au DMP le jour de l'acte."),
    ],
    description="Rapport d'audit : ce qui était dû, ce qui est fait, ce qui bloque et qui peut agir.",
)  # fmt: skip
def audit_report(run: dg.ResourceParam[Run]) -> dg.MaterializeResult:  # type: ignore[type-arg]  # Dagster reads it bare
    """Write the report, in French and in English."""
    with guarded():
        found = report(run)
        page = write(run, found)
    facts = found.facts
    return dg.MaterializeResult(
        metadata={
            "rapport": dg.MetadataValue.path(page),
            "rapport PDF": dg.MetadataValue.path(page.with_suffix(".pdf")),
            "ouvrir": dg.MetadataValue.url(page.resolve().as_uri()),
            "en une phrase": found.verdict.fr,
            "documents": facts["documents"],
            "dus": facts["due"],
            "à temps": facts["due_in_time"],
            "en retard": facts["late"],
            "manquants": facts["due_missing"],
            "refusés": facts["due_refused"],
            "bloqués": facts["due_blocked"],
            "dessin": dg.MetadataValue.md(_drawn(found)),
        },
        check_results=[
            dg.AssetCheckResult(
                check_name="obligations",
                passed=not facts["unmet"] and not facts["late"],
                severity=dg.AssetCheckSeverity.WARN,
                metadata={"non remplies": facts["unmet"], "en retard": facts["late"]},
            )
        ],
    )


def _drawn(found: Report) -> str:
    bars = found.sections[0].bars[0]
    return f"![{plots.description(bars, 'fr')}]({plots.data_uri(bars, 'fr')})"
