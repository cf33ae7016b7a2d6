"""The facts of the audit report, counted once from the verdicts, the ledger's outcomes and the run's manifests; drawing belongs to
`audit`. Every total is checked against the input: a document ends with exactly one outcome.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import orjson
import pyarrow as pa

from transvase.errors import WorkMissing
from transvase.formats import canonical
from transvase.model.outcome import GROUPS, OUTCOMES
from transvase.model.verdict import CATALOGUE

# What the ledger says beats what the verdicts allowed: a document that was sent stays sent.
_FROM_LEDGER = {
    "registered": "registered",
    "adopted": "adopted",
    "refused": "refused",
    "set_aside": "refused",
    # A version that another took the place of never speaks for its document: the newer one does.
    "replaced": "registered",
    "to_query": "in_doubt",
    "submitted": "in_doubt",
}
# Reasons of an operator's skip.
_SKIPPED = {"elsewhere": "adopted", "withheld": "withheld"}
# The registry answered that the patient has no DMP, to the document or to the question before it: no refusal of the document.
_NO_DMP = ("XDSUnknownPatientId", "DMPNone", "DMPClosed")


class Findings(NamedTuple):
    """`outcomes` and `groups` count documents by identifier; `documents` is the input they add up to."""

    documents: int
    outcomes: dict[str, int]
    groups: dict[str, int]
    obligations: list[dict[str, Any]]
    practitioners: list[dict[str, Any]]
    delays: dict[str, int]
    rules: list[dict[str, Any]]
    identities: dict[str, int]
    qualified: int
    patients: int
    extraction: dict[str, Any]
    export: dict[str, Any]
    environment: str
    refusals: dict[str, int]


class TotalsDiffer(AssertionError):
    """The outcomes do not add up to the documents of the source: the report is not written."""


def gather(work: Path, ledger: dict[str, tuple[str, str, str]]) -> Findings:
    """`ledger` maps a document key to (state, code, instant of the last change). WorkMissing without extraction or verdicts."""
    counts_path = work / "verdicts" / "counts.json"
    extraction = canonical.manifest(work)
    if not counts_path.is_file():
        raise WorkMissing(path=work.name, what="verdicts", command="check")
    counts = orjson.loads(counts_path.read_bytes())
    export_path = work / "export.json"
    export = orjson.loads(export_path.read_bytes()) if export_path.is_file() else {}
    rows = [
        (k, outcome, code, changed)
        for k, (state, code, changed) in ledger.items()
        if (outcome := outcome_of(state, code))
    ]
    sent = pa.table(
        {
            name: pa.array([r[i] for r in rows], pa.string())
            for i, name in enumerate(("document", "outcome", "code", "changed"))
        }
    )
    with canonical.connect(work) as base:
        base.register("sent", sent)
        base.execute(
            "CREATE VIEW final AS SELECT d.*, coalesce(s.outcome, d.outcome) AS final, s.code, s.changed "
            "FROM decision d LEFT JOIN sent s ON s.document = d.document"
        ).fetchall()
        outcomes = dict(base.sql("SELECT final, count(*) FROM final GROUP BY ALL").fetchall())
        documents = extraction["rows"]["document"]
        if sum(outcomes.values()) != documents or not set(outcomes) <= set(OUTCOMES):
            raise TotalsDiffer(f"{sum(outcomes.values())} outcomes for {documents} documents")
        groups = dict.fromkeys(GROUPS, 0)
        for outcome, n in outcomes.items():
            groups[OUTCOMES[outcome].group] += n
        groups_sql = ", ".join(f"('{o.id}', '{o.group}')" for o in OUTCOMES.values())
        base.execute(f"CREATE TEMP TABLE groups AS SELECT * FROM (VALUES {groups_sql}) AS t(outcome, grp)").fetchall()
        pivot = ", ".join(f"count(*) FILTER (WHERE g.grp = '{g}') AS {g}" for g in GROUPS)
        names = ("name", "confirmed", *GROUPS)
        obligations = [
            dict(zip(names, r, strict=True))
            for r in base.sql(
                f"SELECT f.obligation, bool_and(f.confirmed), {pivot} FROM final f JOIN groups g ON g.outcome = f.final "
                "WHERE f.obligation IS NOT NULL AND f.state IN ('due', 'undecidable') GROUP BY 1 ORDER BY 1"
            ).fetchall()
        ]
        practitioners = [
            dict(zip(("name", *GROUPS), r, strict=True))
            for r in base.sql(
                f"SELECT coalesce(f.practitioner, '-'), {pivot} FROM final f JOIN groups g ON g.outcome = f.final "
                "WHERE f.state IN ('due', 'undecidable') GROUP BY 1 ORDER BY 1"
            ).fetchall()
        ]
        # The obligation is met the day of the act (CSP R.1111-42 as read in the reference sheets).
        delays = dict(
            base.sql(
                "SELECT CASE WHEN d <= 0 THEN 'same_day' WHEN d = 1 THEN 'next_day' WHEN d <= 7 THEN 'week' WHEN d <= 31 THEN 'month' "
                "ELSE 'later' END, count(*) FROM (SELECT date_diff('day', try_cast(left(act, 10) AS DATE), try_cast(left(changed, 10) AS DATE)) "
                "AS d FROM final WHERE final = 'registered') GROUP BY ALL"
            ).fetchall()
        )
        refusals = dict(
            base.sql("SELECT code, count(*) FROM final WHERE final = 'refused' GROUP BY ALL ORDER BY ALL").fetchall()
        )
    order = list(CATALOGUE)
    return Findings(
        documents,
        {o: outcomes[o] for o in OUTCOMES if o in outcomes},
        groups,
        obligations,
        practitioners,
        delays,
        sorted(counts["verdicts"], key=lambda v: (v["severity"] != "block", order.index(v["rule"]), v["destination"])),
        counts["identities"],
        counts["qualified"],
        extraction["rows"]["patient"],
        extraction,
        export,
        counts["environment"],
        refusals,
    )


def outcome_of(state: str, code: str) -> str | None:
    """Outcome of a document by its submission's state; None when nothing was sent yet."""
    if state == "refused" and code in _NO_DMP:
        return "no_dmp"
    if state == "skipped":
        # What an operator leaves aside stays visible as not fed, unless his reason is an outcome of its own.
        return _SKIPPED.get(code, "refused")
    return _FROM_LEDGER.get(state)
