"""The audit report."""

from __future__ import annotations

import dagster as dg

from transvase.assets.archive import portability_archive
from transvase.assets.dmp import LEDGER, dmp_submissions
from transvase.assets.run import SOFTWARE, Run
from transvase.errors import guarded
from transvase.formats import canonical, files
from transvase.ledger.submissions import Ledger
from transvase.model.clock import zone
from transvase.reports import audit
from transvase.reports.findings import Findings, gather


def findings(run: Run) -> Findings:
    """The facts of the report; without a ledger nothing was sent."""
    path = run.work / LEDGER
    outcomes: dict[str, tuple[str, str, str]] = {}
    if path.is_file():
        with Ledger(path) as ledger:
            outcomes = ledger.outcomes()
    return gather(run.work, outcomes)


def practice_name(run: Run) -> str:
    """Name of the structure, from the settings or the database."""
    if run.settings.practice.name:
        return run.settings.practice.name
    with canonical.connect(run.work, threads=1) as base:
        rows = base.sql("SELECT name FROM practice ORDER BY key LIMIT 1").fetchall()
    return str(rows[0][0]) if rows else ""


@dg.asset(
    group_name="evidence",
    deps=[portability_archive, dmp_submissions],
    kinds={"html"},
    description="Rapport d'audit : ce qui était dû, ce qui est fait, ce qui bloque et qui peut agir.",
)
def audit_report(run: dg.ResourceParam[Run]) -> dg.MaterializeResult[None]:
    """Write the report, in French and in English."""
    with guarded():
        found = findings(run)
        out = files.private_folder(run.settings.export.folder)
        clock = run.clock.astimezone(zone(run.settings.time_zone))
        for language, name in (("fr", "rapport.html"), ("en", "report.html")):
            page = audit.html(found, practice=practice_name(run), clock=clock, software=SOFTWARE, language=language)
            files.write(out / name, page)
    return dg.MaterializeResult(
        metadata={"rapport": dg.MetadataValue.path(out / "rapport.html"), "documents": found.documents, **found.groups}
    )
