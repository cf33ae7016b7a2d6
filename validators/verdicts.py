"""The verdict pass: reads the canonical tables, writes `identities`, `correspondents`, `obligations`, `versions`, `verdict`,
`decision` and `types` as Parquet under `<work>/verdicts`, and counts. What compares patients with each
other is asked once, the rest of one range of slots after another. Only keys leave it."""

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
from transvase.validators import documents, identity, obligation, professional, ranges, restrictions
from transvase.validators import insi as calls


def judge(
    work: Path,
    *,
    clock: datetime,
    environment: str,
    cut_off: date | None = None,
    before_obligation: bool = False,
    without_obligation: bool = False,
    mandated: Iterable[MandatedDocument] = MANDATED.values(),
    struct_idnat: str = "",
    facility_type: str = "",
    cog: Path | None = None,
    directory: Path | None = None,
    mailboxes: Path | None = None,
    insi: Path | None = None,
) -> dict[str, Any]:
    """Write the verdict files; counts by rule, destination and severity, and documents by outcome.

    `clock` is local time of the practice. `struct_idnat` and `facility_type` stand on documents in place of the database's.
    `cog` is the operator's table
    of places of birth (`identity.load_places`); `directory` and `mailboxes` are local copies of the public extractions of professionals
    and of their MSSanté addresses (`professional.load_extractions`): without them nothing is said of what they would tell. Raises
    WorkMissing, DiskFull, BadCall."""
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
                ranges.show(base, name, target)

            local = clock.replace(tzinfo=None)
            keep("identities", f"{identity.identities(policy, local.date())} ORDER BY slot, patient")
            professional.load_extractions(base, directory, mailboxes)
            keep(
                "correspondents",
                professional.correspondents(directory is not None, mailboxes is not None) + " ORDER BY m.slot, m.key",
            )
            # Two records of one person may stand in any slots; professionals stand in none; INSi's answers are no table.
            across = [identity.doubts(), professional.verdicts(policy, struct_idnat, facility_type)]
            if insi is not None:
                base.register(calls.EVIDENCE, calls.verdict_rows(calls.evidence(insi)))
                across.append(calls.evidence_sql())
            keep("across", f"{' UNION ALL '.join(f'SELECT * FROM ({part})' for part in across)} ORDER BY slot")
            parts = [
                identity.verdicts(policy),
                "FROM across",
                documents.findings(local, cut_off, before_obligation, without_obligation),
                restrictions.findings(local.date()),
            ]
            if cog is not None:
                identity.load_places(base, cog)
                parts.append(identity.places())
            queries = {
                "versions": documents.current_versions("judged_version") + " ORDER BY document",
                "obligations": obligation.obligations(listed) + " ORDER BY document",
                "verdict": f"SELECT slot::SMALLINT AS slot, patient, record_table, record_key, rule, destination, severity, evidence FROM ("
                f"{' UNION ALL '.join(f'SELECT * FROM ({part})' for part in parts)}) "
                "ORDER BY slot, patient, record_table, record_key, rule, destination",
                "decision": documents.decisions(),
            }
            ranges.in_ranges(base, work, building, queries)
            (building / "across.parquet").unlink()
            keep("types", documents.types())
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
