"""The verdicts: what stands against each record, for each destination."""

from __future__ import annotations

import dagster as dg

from transvase.assets.run import Run
from transvase.errors import guarded
from transvase.ledger.insi import JOURNAL
from transvase.model.clock import zone
from transvase.model.outcome import OUTCOMES
from transvase.model.tables import TABLES
from transvase.validators.verdicts import judge


@dg.asset(
    group_name="verdicts",
    deps=list(TABLES),
    kinds={"parquet", "duckdb"},
    description="Identités (INS, RNIV), obligations et documents : un verdict par règle qui bloque ou signale.",
)
def verdicts(run: dg.ResourceParam[Run]) -> dg.MaterializeResult[None]:
    """Judge every patient and document."""
    with guarded():
        feed, directory = run.settings.feed, run.settings.directory
        run.progress("verdicts", 0, 1, "")
        counts = judge(
            run.work,
            clock=run.clock.astimezone(zone(run.settings.time_zone)),
            environment=feed.environment,
            cut_off=feed.unknown_history_before,
            before_obligation=feed.before_obligation,
            without_obligation=feed.without_obligation,
            struct_idnat=run.settings.practice.struct_idnat,
            facility_type=run.settings.practice.facility_type,
            cog=directory.places,
            directory=directory.professionals,
            mailboxes=directory.mailboxes,
            insi=run.work / JOURNAL,
        )
        run.progress("verdicts", 1, 1, "")
    table = "\n".join(f"| {OUTCOMES[o].label_fr} | {n} |" for o, n in counts["documents"].items())
    return dg.MaterializeResult(
        metadata={
            "identités qualifiées": counts["qualified"],
            "issues": dg.MetadataValue.md(f"| issue | documents |\n|---|---|\n{table}"),
            "constats": sum(v["count"] for v in counts["verdicts"]),
        }
    )
