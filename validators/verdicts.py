"""The verdict pass: reads the canonical tables, writes `identities`, `obligations`, `versions`, `verdict` and `decision` as Parquet
under `<work>/verdicts`, and counts. One pass of SQL per file; nothing of the record leaves it but keys."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from datetime import date, datetime
from pathlib import Path
from typing import Any

import duckdb
import orjson

from transvase.formats import files
from transvase.formats.canonical import bounded, literal
from transvase.model.codes.code import MandatedDocument
from transvase.model.codes.mandated_documents import CODES as MANDATED
from transvase.model.verdict import POLICIES
from transvase.validators import documents, identity, obligation


def judge(
    work: Path,
    *,
    clock: datetime,
    environment: str,
    cut_off: date | None = None,
    before_obligation: bool = False,
    mandated: Iterable[MandatedDocument] = MANDATED.values(),
) -> dict[str, Any]:
    """Write the verdict files; counts by rule, destination and severity, and documents by outcome.

    `clock` is local time of the practice. Raises WorkMissing, DiskFull."""
    policy, listed = POLICIES[environment], tuple(mandated)
    final, building = work / "verdicts", work / "verdicts.part"
    shutil.rmtree(building, ignore_errors=True)
    shutil.rmtree(final, ignore_errors=True)
    files.private_folder(building)
    try:

        def pass_over(base: duckdb.DuckDBPyConnection) -> dict[str, Any]:

            def keep(name: str, query: str) -> None:
                target = building / f"{name}.parquet"
                base.execute(f"COPY ({query}) TO {literal(target)} (FORMAT parquet, COMPRESSION zstd)").fetchall()
                base.execute(f"CREATE OR REPLACE VIEW {name} AS FROM read_parquet({literal(target)})").fetchall()

            keep("identities", f"{identity.identities(policy)} ORDER BY slot, patient")
            keep("versions", documents.current_versions() + " ORDER BY document")
            keep("obligations", obligation.obligations(listed) + " ORDER BY document")
            local = clock.replace(tzinfo=None)
            keep(
                "verdict",
                f"SELECT slot::SMALLINT AS slot, patient, record_table, record_key, rule, destination, severity, evidence FROM ("
                f"{identity.verdicts(policy)} UNION ALL SELECT * FROM ({documents.findings(local, cut_off, before_obligation)})) "
                "ORDER BY slot, patient, record_table, record_key, rule, destination",
            )
            keep("decision", documents.decisions())
            return {
                "verdicts": [
                    {"rule": r, "destination": d, "severity": s, "count": n}
                    for r, d, s, n in base.sql(
                        "SELECT rule, destination, severity, count(*) FROM verdict GROUP BY ALL ORDER BY ALL"
                    ).fetchall()
                ],
                "documents": dict(
                    base.sql("SELECT outcome, count(*) FROM decision GROUP BY ALL ORDER BY ALL").fetchall()
                ),
                "identities": dict(
                    base.sql("SELECT status, count(*) FROM identities GROUP BY ALL ORDER BY ALL").fetchall()
                ),
                "qualified": base.sql("SELECT count(*) FILTER (WHERE qualified) FROM identities").fetchall()[0][0],
                "environment": environment,
                "clock": clock.isoformat(),
            }

        counts = bounded(work, pass_over)
        files.write(building / "counts.json", orjson.dumps(counts, option=orjson.OPT_INDENT_2))
        building.rename(final)
    except OSError as error:
        raise files.output_error(error, work) from None
    finally:
        shutil.rmtree(building, ignore_errors=True)
    return counts
