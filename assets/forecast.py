"""What a run of the feeder would do: what would leave and when the last would, what is blocked and who can act. Nothing is sent, and
nothing is written, neither in the ledger nor elsewhere. No Dagster in this module.
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import NamedTuple

import orjson
import pyarrow as pa

from transvase.assets.feeding import candidates
from transvase.assets.quota import Limits, finish
from transvase.errors import WorkMissing
from transvase.exporters.portability import Job
from transvase.formats import canonical
from transvase.ledger.submissions import Ledger
from transvase.model.outcome import OUTCOMES


class Share(NamedTuple):
    """Documents of one obligation (identifier, or empty) and one month of the act (`2026-03`)."""

    obligation: str
    month: str
    documents: int


class Blocked(NamedTuple):
    """Documents that one rule keeps here."""

    rule: str
    documents: int


class Forecast(NamedTuple):
    """`waiting` submissions would leave, `replacing` of them after an earlier version; `end` is the instant of the last, None when it is
    out of reach; `doubtful` would be asked about; `withdrawn` wait in the ledger and are no longer allowed; `problems` are those of the
    ledger; `judged` is the clock of the verdicts."""

    waiting: int
    replacing: int
    end: datetime | None
    shares: list[Share]
    doubtful: int
    withdrawn: int
    blocked: list[Blocked]
    problems: list[tuple[str, str, int]]
    judged: str


def forecast(job: Job, ledger: Ledger | None, limits: Limits, now: datetime) -> Forecast:
    """The forecast of the present verdicts and ledger (None when there is none yet) at `now`, in the practice's time. WorkMissing."""
    work = Path(job.work)
    counts = work / "verdicts" / "counts.json"
    if not counts.is_file():
        raise WorkMissing(path=work.name, what="verdicts", command="check")
    found = candidates(job, ledger)
    known = ledger.known() if ledger else set()
    allowed = {one.document for one in found.to_send}
    new = [(p.document, p.rank) for p in found.to_send if f"{p.unique_id} dmp" not in known]
    waits = ledger.select(("to_submit",)) if ledger else []
    leaving = new + [(s.document, s.rank) for s in waits if s.document in allowed]
    with canonical.connect(work, threads=1) as base:
        base.register("leaving", pa.table({"document": pa.array([d for d, _ in leaving], pa.string())}))
        shares = [
            Share(*row)
            for row in base.sql(
                "SELECT coalesce(d.obligation, ''), coalesce(left(d.act, 7), ''), count(*) FROM leaving l "
                "JOIN decision d ON d.document = l.document GROUP BY ALL ORDER BY 2, 1"
            ).fetchall()
        ]
        groups = [o.id for o in OUTCOMES.values() if o.group == "blocked"]
        blocked = [
            Blocked(*row)
            for row in base.execute(
                "SELECT rule, count(*) FROM decision WHERE list_contains($groups, outcome) GROUP BY rule ORDER BY 2 DESC, 1",
                {"groups": groups},
            ).fetchall()
        ]
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    sent = ledger.sent_since(midnight.isoformat()) if ledger else 0
    return Forecast(
        len(leaving),
        sum(rank > 1 for _, rank in leaving),
        finish(len(leaving), now, limits, sent) if leaving else now,
        shares,
        len(ledger.select(("submitted", "to_query"))) if ledger else 0,
        sum(s.document not in allowed for s in waits),
        blocked,
        [(state, code, n) for state, code, n in ledger.problems()] if ledger else [],
        orjson.loads(counts.read_bytes())["clock"],
    )
