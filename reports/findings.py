"""The audit report counted: every figure is the number of records of a list, asked of the verdicts and of the ledger by SQL, and the
totals are checked against the input. Drawing belongs to the renderers.

The ledger, the register of requests and the run records are siblings of this layer: what they tell comes as arguments.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any, NamedTuple

import duckdb
import orjson

from transvase.errors import Said, WorkMissing
from transvase.formats import canonical
from transvase.model.codes.mandated_documents import CODES as MANDATED
from transvase.model.outcome import GROUPS, OUTCOMES
from transvase.model.report import (
    BRIEF,
    DELAYS,
    DUES,
    STATUSES,
    UNMET,
    Bars,
    Column,
    Figure,
    Head,
    Report,
    Section,
    Table,
    Value,
    View,
    number,
)
from transvase.model.requirements import Requirement
from transvase.model.verdict import CATALOGUE
from transvase.reports import matrix

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
    # A deletion that was asked for: until the registry says so the document stands.
    "to_delete": "registered",
    "deleting": "in_doubt",
    "to_confirm": "in_doubt",
    "deleted": "withdrawn",
}
# Reasons of an operator's skip.
_SKIPPED = {"elsewhere": "adopted", "withheld": "withheld"}
# The registry answered that the patient has no DMP, to the document or to the question before it: no refusal of the document.
_NO_DMP = ("XDSUnknownPatientId", "DMPNone", "DMPClosed")

# LFSS 2026, article 85, as egora.fr reports it (sheet README of the reference folder): per failure, and a year for a professional.
PENALTY, CEILING, SINCE = 2_500, 10_000, 2026

_SENT = "sent.parquet"

# (document, state, code, instant of the first registration): what the ledger tells of a document.
Sending = tuple[str, str, str, str]
Evidence = Sequence[tuple[Said, str]]


class TotalsDiffer(AssertionError):
    """The figures do not add up to the documents of the source: the report is not written."""


class Asked(NamedTuple):
    """A portability request as the register tells it: number, scope, state, instants (empty when not yet) and deadlines missed."""

    number: int
    kind: str
    state: str
    received: str
    due: str
    delivered: str
    missed: Sequence[str]


def outcome_of(state: str, code: str) -> str | None:
    """Outcome of a document by its submission's state; None when nothing was sent yet."""
    if state == "refused" and code in _NO_DMP:
        return "no_dmp"
    if state == "skipped":
        # What an operator leaves aside stays visible as not fed, unless his reason is an outcome of its own.
        return _SKIPPED.get(code, "refused")
    return _FROM_LEDGER.get(state)


def gather(
    work: Path,
    head: Head,
    sendings: Iterable[Sending],
    *,
    requests: Sequence[Asked] = (),
    evidence: Evidence = (),
    unchecked: Sequence[tuple[Said, Said]] = (),
    asked: Sequence[Requirement] = (),
) -> Report:
    """Count the report and write the lists behind its figures to `<work>/report/records.parquet` (list, reference; in order).

    `sendings` is read once, in batches. `unchecked` adds (what, why) to what this version never checks. `asked` is the annex: without
    any, there is none. WorkMissing without extraction or verdicts, TotalsDiffer when the figures do not add up."""
    counts_path = work / "verdicts" / "counts.json"
    extraction = canonical.manifest(work)
    if not counts_path.is_file():
        raise WorkMissing(path=work.name, what="verdicts", command="check")
    judged = orjson.loads(counts_path.read_bytes())
    export_path = work / "export.json"
    export = orjson.loads(export_path.read_bytes()) if export_path.is_file() else {}
    folder = work / "report"
    folder.mkdir(mode=0o700, exist_ok=True)
    _keep_sendings(folder / _SENT, sendings)

    def ask(base: duckdb.DuckDBPyConnection) -> _Counted:
        _prepare(base, folder / _SENT, head.view, head.clock.date())
        target = canonical.literal(folder / "records.parquet")
        base.execute(
            f"COPY (SELECT list, reference FROM ({_lists(head)}) ORDER BY list, reference) TO {target} "
            "(FORMAT parquet, COMPRESSION zstd)"
        ).fetchall()
        return _counted(base, target)

    found = canonical.bounded(work, ask)
    if found.total("place-") != extraction["rows"]["document"] or found.total("status-") != found.lists.get(
        "place-in", 0
    ):
        raise TotalsDiffer(f"{found.total('place-')} documents listed for {extraction['rows']['document']}")
    if found.total("outcome-") != found.total("status-"):
        raise TotalsDiffer(f"{found.total('outcome-')} outcomes for {found.total('status-')} documents")
    report = _report(head, found, extraction, judged, export, requests, evidence, unchecked)
    if not asked:
        return report
    annex = matrix.section(asked, _by_rule(found, "block"), _by_rule(found, "warning"), head.software)
    return report._replace(sections=[*report.sections, annex])


def _keep_sendings(path: Path, sendings: Iterable[Sending]) -> None:
    """The ledger's answer as a file that SQL joins: the practice may have millions, so they pass in batches."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    names = ("document", "outcome", "code", "fed")
    schema = pa.schema([(n, pa.string()) for n in names])
    with pq.ParquetWriter(
        path, schema, **{k: canonical.LAYOUT[k] for k in ("compression", "use_dictionary")}
    ) as writer:
        for batch in _batches(sendings):
            rows = [(d, o, c, f) for d, s, c, f in batch if (o := outcome_of(s, c))]
            columns = zip(*rows, strict=True) if rows else [()] * len(names)
            writer.write_batch(pa.record_batch([pa.array(list(c), pa.string()) for c in columns], schema=schema))


def _batches(rows: Iterable[Sending]) -> Iterator[list[Sending]]:
    batch: list[Sending] = []
    for row in rows:
        batch.append(row)
        if len(batch) == 20_000:
            yield batch
            batch = []
    yield batch


_DAY = "CASE WHEN regexp_matches(coalesce({0}, ''), '^\\d{{4}}-\\d{{2}}-\\d{{2}}') THEN try_cast(left({0}, 10) AS DATE) END"


def _prepare(base: duckdb.DuckDBPyConnection, sent: Path, view: View, today: date) -> None:
    """The table `final`: a row per document of the database with its place in the view, its status, its delay in days."""
    groups = ", ".join(f"('{o.id}', '{o.group}')" for o in OUTCOMES.values())
    base.execute(
        f"""
CREATE OR REPLACE TEMP TABLE final AS
WITH groups(outcome, grp) AS (VALUES {groups}),
dated AS (
  SELECT d.document, d.patient, coalesce(d.practitioner, '-') AS practitioner, coalesce(d.obligation, '') AS obligation, d.rule,
    coalesce(s.outcome, d.outcome) AS outcome, coalesce(s.code, '') AS code, {_DAY.format("d.act")} AS act, {_DAY.format("s.fed")} AS fed,
    -- The list speaks of types; what was received, or repeats another, is never due here.
    CASE WHEN o.origin <> 'produced' OR d.outcome = 'duplicate' THEN 'free' WHEN d.state = 'due' THEN 'due'
      WHEN d.state = 'undecidable' THEN 'presumed' ELSE 'free' END AS owed, coalesce(d.confirmed, true) AS confirmed
  FROM decision d JOIN (SELECT key, origin FROM document) o ON o.key = d.document LEFT JOIN read_parquet({canonical.literal(sent)}) s ON s.document = d.document
)
SELECT t.*, date_diff('day', t.act, t.fed) AS delay,
  CASE WHEN $practitioner <> '' AND t.practitioner <> $practitioner THEN 'other'
    WHEN ($start <> '' OR $end <> '') AND t.act IS NULL THEN 'undated'
    WHEN $start <> '' AND t.act < try_cast($start AS DATE) OR $end <> '' AND t.act > try_cast($end AS DATE) THEN 'outside'
    ELSE 'in' END AS place,
  CASE g.grp WHEN 'fed' THEN CASE WHEN t.outcome = 'adopted' THEN 'adopted' WHEN t.act IS NULL OR t.fed IS NULL THEN 'undated'
      WHEN t.fed <= t.act THEN 'in_time' ELSE 'late' END
    WHEN 'pending' THEN CASE WHEN t.act >= $today THEN 'waiting' ELSE 'missing' END ELSE g.grp END AS status,
  CASE WHEN t.outcome <> 'registered' OR t.act IS NULL OR t.fed IS NULL THEN '' WHEN delay <= 0 THEN 'same_day' WHEN delay = 1 THEN 'next_day'
    WHEN delay <= 7 THEN 'week' WHEN delay <= 31 THEN 'month' ELSE 'later' END AS bucket
FROM dated t JOIN groups g ON g.outcome = t.outcome""",
        {"practitioner": view.practitioner, "start": view.start, "end": view.end, "today": today},
    ).fetchall()
    # A list is named after its place in the order of the professionals, not after a key of any form.
    base.execute(
        "CREATE OR REPLACE TEMP TABLE people AS SELECT practitioner, row_number() OVER (ORDER BY practitioner) AS n "
        "FROM (SELECT DISTINCT practitioner FROM final WHERE place = 'in')"
    ).fetchall()
    base.execute(
        "CREATE OR REPLACE TEMP TABLE codes AS SELECT code, row_number() OVER (ORDER BY code) AS n "
        "FROM (SELECT DISTINCT code FROM final WHERE place = 'in' AND outcome = 'refused')"
    ).fetchall()


@contextmanager
def prepared(work: Path, view: View, today: date) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection whose table `final` says of each document what the last report said: what its annex is written from."""
    with canonical.connect(work) as base:
        _prepare(base, work / "report" / _SENT, view, today)
        yield base


def _lists(head: Head) -> str:
    """SQL: list, reference. A document is referred to by its key, a patient or another record by its table and key."""
    ranks = ", ".join(f"('{rule}', {n})" for n, rule in enumerate(CATALOGUE))
    owed = "place = 'in' AND owed <> 'free'"
    asked = head.view
    narrowed = bool(asked.start or asked.end or asked.practitioner)
    # A narrowed report speaks of the patients whose documents it counts, and of what stands against them and those documents.
    patients = "(SELECT patient FROM final WHERE place = 'in')"
    of_view = f"WHERE patient IN {patients}" if narrowed else ""
    verdicts = (
        f"WHERE record_table = 'document' AND record_key IN (SELECT document FROM final WHERE place = 'in') OR "
        f"record_table = 'patient' AND record_key IN {patients} OR record_table NOT IN ('document', 'patient')"
        if narrowed
        else ""
    )
    return f"""
SELECT 'place-' || place AS list, document AS reference FROM final
UNION ALL SELECT 'status-' || owed || '-' || status, document FROM final WHERE place = 'in'
UNION ALL SELECT 'outcome-' || outcome, document FROM final WHERE place = 'in'
UNION ALL SELECT 'obligation-' || obligation || '-' || status, document FROM final WHERE {owed}
UNION ALL SELECT 'practitioner-' || n || '-' || status, document FROM final JOIN people USING (practitioner) WHERE {owed}
UNION ALL SELECT 'month-' || strftime(act, '%Y-%m') || '-' || status, document FROM final WHERE {owed} AND act IS NOT NULL
UNION ALL SELECT 'month-none-' || status, document FROM final WHERE {owed} AND act IS NULL
UNION ALL SELECT 'delay-' || bucket, document FROM final WHERE place = 'in' AND bucket <> ''
UNION ALL SELECT 'delay-category-' || obligation || '-' || bucket, document FROM final WHERE place = 'in' AND bucket <> ''
UNION ALL SELECT 'delay-practitioner-' || n || '-' || bucket, document FROM final JOIN people USING (practitioner)
  WHERE place = 'in' AND bucket <> ''
UNION ALL SELECT 'exposure-' || n || '-' || year(act), document FROM final JOIN people USING (practitioner)
  WHERE place = 'in' AND owed = 'due' AND status IN ('missing', 'refused', 'blocked') AND act IS NOT NULL
UNION ALL SELECT 'refusal-' || n, document FROM final JOIN codes USING (code) WHERE place = 'in' AND outcome = 'refused'
UNION ALL SELECT 'identity-' || status, 'patient ' || patient FROM identities {of_view}
UNION ALL SELECT 'qualified', 'patient ' || patient FROM identities {of_view + (" AND" if of_view else "WHERE")} qualified
UNION ALL SELECT 'qualify-' || coalesce(rule, 'none'), 'patient ' || patient FROM (
  SELECT i.patient, arg_min(v.rule, c.rank) AS rule FROM (FROM identities {of_view}) i
  LEFT JOIN verdict v ON v.record_table = 'patient' AND v.record_key = i.patient AND v.destination = 'dmp' AND v.severity = 'block'
    AND v.rule NOT LIKE 'OBJ-%'
  LEFT JOIN (VALUES {ranks}) c(rule, rank) ON c.rule = v.rule WHERE NOT i.qualified GROUP BY i.patient)
UNION ALL SELECT 'rule-' || severity || '-' || rule || '-' || destination, record_table || ' ' || record_key FROM verdict {verdicts}"""


class _Counted(NamedTuple):
    """Records by list; professionals and codes of the registry by their number; median and worst delays; unconfirmed obligations."""

    lists: dict[str, int]
    people: dict[int, str]
    codes: dict[int, str]
    delays: dict[str, tuple[int, int]]
    unconfirmed: set[str]

    def total(self, start: str) -> int:
        return sum(n for name, n in self.lists.items() if name.startswith(start))

    def figure(self, name: str) -> Figure:
        n = self.lists.get(name, 0)
        return Figure(n, name if n else "")

    def names(self, start: str) -> list[str]:
        """What stands between `start` and the status in the lists of that kind, in order."""
        return sorted({name[len(start) :].rpartition("-")[0] for name in self.lists if name.startswith(start)})


def _counted(base: duckdb.DuckDBPyConnection, records: str) -> _Counted:
    measure = "quantile_disc(delay, 0.5), max(delay)"
    delays = {
        name: (int(median), int(worst))
        for name, median, worst in base.sql(
            f"SELECT 'category-' || obligation, {measure} FROM final WHERE place = 'in' AND bucket <> '' GROUP BY 1 UNION ALL "
            f"SELECT 'practitioner-' || n, {measure} FROM final JOIN people USING (practitioner) "
            "WHERE place = 'in' AND bucket <> '' GROUP BY 1"
        ).fetchall()
    }
    return _Counted(
        dict(base.sql(f"SELECT list, count(*) FROM read_parquet({records}) GROUP BY 1 ORDER BY 1").fetchall()),
        {int(n): name for name, n in base.sql("SELECT practitioner, n FROM people").fetchall()},
        {int(n): code for code, n in base.sql("SELECT code, n FROM codes").fetchall()},
        delays,
        {o for (o,) in base.sql("SELECT DISTINCT obligation FROM final WHERE NOT confirmed").fetchall()},
    )


# -- the tree --------------------------------------------------------------------------------------------------------------

_TOTAL = Said("Total", "Total")
_COUNT = Column("count", Said("Nombre", "Count"), "count")
_STATUS_COLUMNS = tuple(Column(s, label, "count") for s, label in BRIEF.items())
_TOTAL_COLUMN = Column("total", _TOTAL, "count")
_NO_NAME = Said("(sans professionnel connu)", "(no known professional)")


def _report(
    head: Head,
    found: _Counted,
    extraction: dict[str, Any],
    judged: dict[str, Any],
    export: dict[str, Any],
    requests: Sequence[Asked],
    evidence: Evidence,
    unchecked: Sequence[tuple[Said, Said]],
) -> Report:
    statuses = {s: sum(found.lists.get(f"status-{d}-{s}", 0) for d in DUES) for s in STATUSES}
    due = {s: sum(found.lists.get(f"status-{d}-{s}", 0) for d in ("due", "presumed")) for s in STATUSES}
    unmet = sum(due[s] for s in UNMET)
    late = due["late"]
    documents, inside = extraction["rows"]["document"], found.lists.get("place-in", 0)
    groups = dict.fromkeys(GROUPS, 0)
    for o in OUTCOMES.values():
        groups[o.group] += found.lists.get(f"outcome-{o.id}", 0)
    facts = {
        "documents": documents,
        "in_view": inside,
        "due": sum(due.values()),
        "unmet": unmet,
        "waiting": due["waiting"],
        "late": late,
        **groups,
        **{f"due_{s}": n for s, n in due.items()},
    }
    sections = [
        _documents(found, documents, inside),
        _categories(found),
        _delays(found),
        _exposure(found),
        _identities(found),
        _requested(requests),
        _not_checked(export, unchecked),
        _findings(found),
        _carried(extraction, export),
        _proofs(evidence, judged),
    ]
    addition = Said(
        f"{documents} documents lus = {inside} dans ce rapport + {documents - inside} hors de ce rapport ; {inside} = "
        + " + ".join(f"{n} {STATUSES[s].fr.lower()}" for s, n in statuses.items()) + ".",
        f"{documents} documents read = {inside} in this report + {documents - inside} out of it; {inside} = "
        + " + ".join(f"{n} {STATUSES[s].en.lower()}" for s, n in statuses.items()) + ".",
    )  # fmt: skip
    return Report(head, _verdict(due, unmet, late), addition, sections, facts, found.lists)


def _told(count: int, one_fr: str, several_fr: str, one: str, several: str) -> Said:
    """A count with the words that agree with it: in French the plural begins at two, in English everything but one is plural."""
    return Said(f"{count} {several_fr if count > 1 else one_fr}", f"{count} {one if count == 1 else several}")


def _verdict(due: dict[str, int], unmet: int, late: int) -> Said:
    owed = sum(due.values())
    if not owed:
        return Said("Aucun document n'était dû.", "No document was due.")
    if not unmet and not late:
        waiting = due["waiting"]
        if waiting:
            rest = _told(waiting, "document reste", "documents restent", "document is still", "documents are still")
            return Said(
                f"Rien ne manque à ce jour : {rest.fr} à alimenter aujourd'hui.",
                f"Nothing is missing so far: {rest.en} to be fed today.",
            )
        return Said(
            "Tous les documents dus sont alimentés ou exemptés, aucun en retard.",
            "Every document due is fed or exempt, none late.",
        )
    whole = _told(owed, "document dû", "documents dus", "document due", "documents due")
    absent = _told(unmet, "n'est pas", "ne sont pas", "is", "are")
    parts = (
        _told(due["missing"], "manquant", "manquants", "missing", "missing"),
        _told(due["refused"], "refusé", "refusés", "refused", "refused"),
        _told(due["blocked"], "bloqué", "bloqués", "blocked", "blocked"),
    )
    tardy = _told(late, "y est entré", "y sont entrés", "entered it", "entered it")
    return Said(
        f"Sur {whole.fr}, {absent.fr} au DMP ({', '.join(p.fr for p in parts)}) et {tardy.fr} en retard.",
        f"Of {whole.en}, {absent.en} not in the DMP ({', '.join(p.en for p in parts)}) and {tardy.en} late.",
    )


def _matrix(
    found: _Counted, ident: str, title: Said, first: Column, rows: Sequence[tuple[Value, str]], note: Said | None = None
) -> Table:
    """A row per thing, a column per status, and both totals."""
    body: list[list[Value]] = []
    for label, start in rows:
        cells = [found.figure(f"{start}-{s}") for s in STATUSES]
        body.append([label, *cells, sum(c.amount for c in cells)])
    sums = [sum(number(row[i]) for row in body) for i in range(1, len(STATUSES) + 2)]
    return Table(ident, title, (first, *_STATUS_COLUMNS, _TOTAL_COLUMN), body, [_TOTAL, *sums], note)


def _documents(found: _Counted, documents: int, inside: int) -> Section:
    places = {
        "in": Said("Dans ce rapport", "In this report"),
        "outside": Said("Acte hors de la période", "Act out of the period"),
        "undated": Said(
            "Acte sans date lisible, donc dans aucune période", "Act without a readable date, thus in no period"
        ),
        "other": Said("D'un autre professionnel, ou d'aucun", "Of another professional, or of none"),
    }
    outcomes: list[list[Value]] = [
        [Said(*GROUPS[o.group]), Said(o.label_fr, o.label), found.figure(f"outcome-{o.id}")]
        for o in OUTCOMES.values()
        if found.lists.get(f"outcome-{o.id}")
    ]
    by_due = _matrix(
        found,
        "account",
        Said("Ce qui était dû, et ce qu'il en est", "What was due, and how it stands"),
        Column("owed", Said("Obligation", "Obligation")),
        [(label, f"status-{d}") for d, label in DUES.items()],
        Said(
            "À temps : le jour de l'acte. Repris : alimenté par un logiciel précédent. Du jour : reste à alimenter aujourd'hui. Manquant : "
            "le jour de l'acte est passé. Présumé dû : les données ne disent pas si une exclusion s'applique. "
            "Exempté : opposition, patient sans DMP, retenu par le professionnel.",
            "In time: the day of the act. Taken over: fed by a former software. Of today: still to be fed today. Missing: the day of the act "
            "has passed. Presumed due: the data do not tell whether an exclusion applies. "
            "Exempt: objection, patient without a DMP, withheld by the professional.",
        ),
    )
    bars = Bars(
        "account-bars",
        Said("Documents dus, par état", "Documents due, by status"),
        [DUES["due"], DUES["presumed"]],
        [(s, [found.lists.get(f"status-{d}-{s}", 0) for d in ("due", "presumed")]) for s in STATUSES],
    )
    return Section(
        "documents",
        Said("Les documents, à l'unité près", "The documents, to the unit"),
        (),
        (bars,),
        (
            Table(
                "input",
                Said("Documents lus dans la base", "Documents read from the database"),
                (Column("place", Said("Part", "Part")), _COUNT),
                [[label, found.figure(f"place-{p}")] for p, label in places.items()],
                [_TOTAL, documents],
            ),
            by_due,
            Table(
                "outcomes",
                Said("Issue de chaque document", "Outcome of each document"),
                (Column("group", Said("Groupe", "Group")), Column("outcome", Said("Issue", "Outcome")), _COUNT),
                outcomes,
                [_TOTAL, None, inside],
            ),
        ),
    )


def _obligation(name: str, found: _Counted) -> Value:
    if not name:
        return Said("(sans obligation)", "(no obligation)")
    label = MANDATED[name].label
    if name in found.unconfirmed:
        return Said(f"{label} (date d'effet non confirmée)", f"{label} (effective date not confirmed)")
    return label


def _person(found: _Counted, n: str) -> Value:
    key = found.people[int(n)]
    return _NO_NAME if key == "-" else key


def _categories(found: _Counted) -> Section:
    categories, people = found.names("obligation-"), sorted(found.names("practitioner-"), key=int)
    months = found.names("month-")
    who = Column("practitioner", Said("Professionnel (référence)", "Professional (reference)"))
    bars = Bars(
        "months",
        Said("Documents dus par mois de l'acte", "Documents due by month of the act"),
        [m for m in months if m != "none"][-24:],
        [(s, [found.lists.get(f"month-{m}-{s}", 0) for m in months if m != "none"][-24:]) for s in STATUSES],
    )
    return Section(
        "due",
        Said(
            "Documents dus, par catégorie, professionnel et mois", "Documents due, by category, professional and month"
        ),
        (),
        (bars,) if bars.names else (),
        (
            _matrix(
                found,
                "obligations",
                Said("Par obligation en vigueur à la date de l'acte", "By obligation in force at the date of the act"),
                Column("obligation", Said("Obligation", "Obligation")),
                [(_obligation(c, found), f"obligation-{c}") for c in categories],
            ),
            _matrix(
                found,
                "practitioners",
                Said("Par professionnel", "By professional"),
                who,
                [(_person(found, n), f"practitioner-{n}") for n in people],
            ),
            _matrix(
                found,
                "months",
                Said("Par mois de l'acte", "By month of the act"),
                Column("month", Said("Mois", "Month")),
                [(Said("(sans date)", "(no date)") if m == "none" else m, f"month-{m}") for m in months],
            ),
        ),
    )


def _delays(found: _Counted) -> Section:
    columns = (
        *(Column(d, label, "count") for d, label in DELAYS.items()),
        _TOTAL_COLUMN,
        Column("median", Said("Médiane, jours", "Median, days"), "count"),
        Column("worst", Said("Le plus long, jours", "Longest, days"), "count"),
    )

    def rows(kind: str, names: Sequence[str], label: Any) -> list[list[Value]]:
        body = []
        for name in names:
            cells = [found.figure(f"delay-{kind}-{name}-{d}") for d in DELAYS]
            body.append([label(name), *cells, sum(c.amount for c in cells), *found.delays[f"{kind}-{name}"]])
        return body

    total: list[Value] = [_TOTAL, *(found.figure(f"delay-{d}") for d in DELAYS)]
    total += [sum(number(v) for v in total), None, None]
    categories, people = found.names("delay-category-"), sorted(found.names("delay-practitioner-"), key=int)
    return Section(
        "delays",
        Said("Délai entre l'acte et l'alimentation", "Delay between the act and the feeding"),
        (
            Said(
                "L'échéance légale est le jour de l'acte (CSP R.1111-42, lu dans nos fiches). Le délai est celui de la première version "
                "acceptée par le DMP ; ce qu'un logiciel précédent a envoyé n'est pas compté ici.",
                "The legal deadline is the day of the act (CSP R.1111-42, as read in our sheets). The delay is that of the first version "
                "accepted by the DMP; what a former software sent is not counted here.",
            ),
        ),
        (
            Bars(
                "delay-bars",
                Said("Délai d'alimentation", "Delay of feeding"),
                [Said("Alimentés par Transvase", "Fed by Transvase")],
                [(d, [found.lists.get(f"delay-{d}", 0)]) for d in DELAYS],
            ),
        )
        if any(found.lists.get(f"delay-{d}") for d in DELAYS)
        else (),
        (
            Table(
                "delays",
                Said("Par catégorie", "By category"),
                (Column("category", Said("Catégorie", "Category")), *columns),
                rows("category", categories, lambda name: _obligation(name, found)),
                total,
            ),
            Table(
                "delays_practitioners",
                Said("Par professionnel", "By professional"),
                (Column("practitioner", Said("Professionnel (référence)", "Professional (reference)")), *columns),
                rows("practitioner", people, lambda n: _person(found, n)),
                total,
            ),
        ),
    )


def _exposure(found: _Counted) -> Section:
    rows: list[list[Value]] = []
    keys = sorted(tuple(map(int, name.split("-")[1:])) for name in found.lists if name.startswith("exposure-"))
    for n, year in keys:
        figure = found.figure(f"exposure-{n}-{year}")
        most = min(PENALTY * figure.amount, CEILING) if year >= SINCE else None
        rows.append([_person(found, str(n)), str(year), figure, most])
    total = [_TOTAL, None, sum(number(r[2]) for r in rows), sum(number(r[3]) for r in rows)]
    return Section(
        "exposure",
        Said("Obligations non remplies : ce que la loi prévoit", "Obligations not met: what the law provides for"),
        (
            Said(
                "Pour information, non confirmé : la LFSS 2026 (article 85, d'après la presse professionnelle) prévoirait jusqu'à "
                f"{PENALTY} € par manquement et {CEILING} € par an et par professionnel ; l'arrêté qui en fixe les seuils n'est pas paru à "
                f"notre connaissance. Le montant est un maximum, pas une amende ; rien n'est compté pour les actes d'avant {SINCE}.",
                "For information, unconfirmed: LFSS 2026 (article 85, as the professional press reports it) would provide for up to "
                f"{PENALTY} € per failure and {CEILING} € a year for a professional; the order that sets its thresholds is not out to our "
                f"knowledge. The amount is a maximum, not a fine; nothing is counted for acts before {SINCE}.",
            ),
            Said(
                "Comptés : les documents dus (présumés exclus) manquants, refusés ou bloqués, à acte daté. Les retards sont au tableau "
                "des délais.",
                "Counted: documents due (presumed ones left out) that are missing, refused or blocked, with a dated act. Late ones stand "
                "in the table of delays.",
            ),
        ),
        (),
        (
            Table(
                "exposure",
                Said("Par professionnel et année de l'acte", "By professional and year of the act"),
                (
                    Column("practitioner", Said("Professionnel (référence)", "Professional (reference)")),
                    Column("year", Said("Année", "Year")),
                    Column("unmet", Said("Non remplies", "Not met"), "count"),
                    Column("most", Said("Au plus (information)", "At most (information)"), "euro"),
                ),
                rows,
                total,
            ),
        ),
    )


_IDENTITY = {
    "QUAL": Said("qualifiée", "qualified"),
    "RECUP": Said("récupérée", "retrieved"),
    "VALI": Said("validée", "validated"),
    "PROV": Said("provisoire", "provisional"),
}


def _identities(found: _Counted) -> Section:
    patients, usable = found.total("identity-"), found.lists.get("qualified", 0)
    order = list(CATALOGUE)
    needed = sorted(
        (name[len("qualify-") :] for name in found.lists if name.startswith("qualify-")),
        key=lambda rule: order.index(rule) if rule in CATALOGUE else len(order),
    )
    todo: list[list[Value]] = []
    for rule in needed:
        what = CATALOGUE.get(rule)
        sentence = (
            Said(what.sentence_fr, what.sentence) if what else Said("Statut non qualifié", "Status not qualified")
        )
        todo.append([rule, sentence, what.unblock if what else None, found.figure(f"qualify-{rule}")])
    return Section(
        "identities",
        Said("Identités", "Identities"),
        (),
        (),
        (
            Table(
                "identities",
                Said("Du dossier ouvert à l'identité qualifiée", "From the open record to the qualified identity"),
                (Column("status", Said("Statut", "Status")), Column("label", Said("Sens", "Meaning")), _COUNT),
                [[s, label, found.figure(f"identity-{s}")] for s, label in _IDENTITY.items()],
                [_TOTAL, None, patients],
            ),
            Table(
                "qualify",
                Said("Utilisables pour le DMP, et ce qu'il faut aux autres", "Usable for the DMP, and what the others need"),
                (
                    Column("rule", Said("Règle", "Rule")),
                    Column("sentence", Said("Ce qui manque d'abord", "What is missing first")),
                    Column("unblock", Said("Qui peut agir", "Who can act")),
                    _COUNT,
                ),
                [
                    [None, Said("Utilisables dans cet environnement", "Usable in this environment"), None, Figure(usable, "qualified" if usable else "")],
                    *todo,
                ],
                [_TOTAL, None, None, usable + sum(number(r[3]) for r in todo)],
            ),
        ),
    )  # fmt: skip


_STATES = {
    "received": Said("reçue", "received"),
    "acknowledged": Said("accusée", "acknowledged"),
    "started": Said("commencée", "started"),
    "phase": Said("première remise faite", "first delivery made"),
    "delivered": Said("remise", "delivered"),
    "failed": Said("échouée", "failed"),
    "cancelled": Said("annulée", "cancelled"),
}
_MISSED = {
    "acknowledged": Said("accusé de réception", "acknowledgement"),
    "delivered": Said("remise", "delivery"),
    "rest": Said("seconde remise", "second delivery"),
}


def _requested(requests: Sequence[Asked]) -> Section:
    rows: list[list[Value]] = []
    for r in requests:
        missed = Said(
            ", ".join(_MISSED[m].fr for m in r.missed) or "aucune",
            ", ".join(_MISSED[m].en for m in r.missed) or "none",
        )
        rows.append([str(r.number), r.kind, _STATES[r.state], r.received, r.due, r.delivered or None, missed])
    late = sum(bool(r.missed) for r in requests)
    return Section(
        "requests",
        Said("Demandes de portabilité", "Portability requests"),
        (
            Said(f"{len(requests)} demandes, dont {late} avec une échéance manquée.", f"{len(requests)} requests, {late} of them with a missed deadline."),
        ),
        (),
        (
            Table(
                "requests",
                Said("Demandes et échéances", "Requests and deadlines"),
                (
                    Column("number", Said("Demande", "Request")),
                    Column("scope", Said("Portée", "Scope")),
                    Column("state", Said("État", "State")),
                    Column("received", Said("Reçue", "Received")),
                    Column("due", Said("À remettre avant", "Due before")),
                    Column("delivered", Said("Remise", "Delivered")),
                    Column("missed", Said("Échéances manquées", "Missed deadlines")),
                ),
                rows,
            ),
        )
        if rows
        else (),
    )  # fmt: skip


def _not_checked(export: dict[str, Any], more: Sequence[tuple[Said, Said]]) -> Section:
    lines = [
        (
            Said("L'intérieur des polices et des pages des PDF du cabinet", "The inside of fonts and pages of the practice's PDF"),
            Said("Leur structure seule est contrôlée pour PDF/A-1.", "Only their structure is checked for PDF/A-1."),
        ),
        (
            Said("Les Schematrons CI-SIS, document par document", "CI-SIS Schematrons, document by document"),
            Said("Ils sont contrôlés sur nos modèles : trop lents pour chaque document.", "They are checked on our models: too slow for each document."),
        ),
        (
            Said("L'existence du DMP avant l'envoi, quand le cabinet ne la connaît pas", "The DMP's existence before sending, when the practice does not know it"),
            Said("La réponse à l'envoi la dit.", "The answer to the sending tells it."),
        ),
        (
            Said("Les envois par MSSanté", "MSSanté legs"),
            Said("Ce rapport ne suit que le DMP.", "This report follows the DMP only."),
        ),
        (
            Said("L'origine déclarée des documents (produit ou reçu)", "The declared origin of documents (produced or received)"),
            Said("Seul le logiciel la connaît : une origine fausse fait une obligation fausse.", "Only the software knows: a wrong origin, a wrong obligation."),
        ),
    ]  # fmt: skip
    if export and not export["schema_checked"]:
        lines.insert(
            0,
            (
                Said("Le schéma XSD CI-SIS des CDA écrits", "The CI-SIS XSD of the CDA we write"),
                Said("Aucun schéma n'a été fourni.", "No schema was given."),
            ),
        )
    columns = (Column("what", Said("Quoi", "What")), Column("why", Said("Pourquoi", "Why")))
    table = Table("unchecked", Said("Non contrôlé", "Not checked"), columns, [list(line) for line in [*lines, *more]])
    return Section(
        "unchecked", Said("Ce qui n'a pas été contrôlé, et pourquoi", "What was not checked, and why"), (), (), (table,)
    )


def _by_rule(found: _Counted, severity: str) -> dict[str, int]:
    """Findings of each rule in the view, all destinations together."""
    counts: dict[str, int] = {}
    for name, count in found.lists.items():
        if name.startswith(start := f"rule-{severity}-"):
            rule = name.removeprefix(start).rpartition("-")[0]
            counts[rule] = counts.get(rule, 0) + count
    return counts


_SEVERITY = {"block": Said("bloquant", "blocking"), "warning": Said("signalé", "reported")}


def _findings(found: _Counted) -> Section:
    order = list(CATALOGUE)
    told = []
    for name in found.lists:
        if name.startswith("rule-"):
            severity, _, rest = name[len("rule-") :].partition("-")
            rule, _, destination = rest.rpartition("-")
            told.append((severity != "block", order.index(rule), destination, rule, name))
    rows: list[list[Value]] = [
        [
            _SEVERITY["warning" if reported else "block"], rule, Said(CATALOGUE[rule].sentence_fr, CATALOGUE[rule].sentence), destination,
            found.figure(name), CATALOGUE[rule].unblock, CATALOGUE[rule].source,
        ]
        for reported, _, destination, rule, name in sorted(told)
    ]  # fmt: skip
    columns = (
        Column("severity", Said("Effet", "Effect")),
        Column("rule", Said("Règle", "Rule")),
        Column("sentence", Said("Constat", "Finding")),
        Column("destination", Said("Destination", "Destination")),
        _COUNT,
        Column("unblock", Said("Qui peut agir", "Who can act")),
        Column("source", Said("Source", "Source")),
    )
    refusals: list[list[Value]] = [
        [code or "-", found.figure(f"refusal-{n}")] for n, code in sorted(found.codes.items())
    ]
    tables = [
        Table(
            "findings",
            Said("Constats, du plus grave au moins grave", "Findings, the most serious first"),
            columns,
            rows,
            [_TOTAL, None, None, None, sum(number(r[4]) for r in rows), None, None],
        )
    ]
    if refusals:
        tables.append(
            Table(
                "refusals",
                Said("Refus du DMP, par code", "Refusals of the DMP, by code"),
                (Column("code", Said("Code", "Code")), _COUNT),
                refusals,
                [_TOTAL, sum(number(r[1]) for r in refusals)],
            )
        )
    return Section("findings", Said("Constats, et qui peut agir", "Findings, and who can act"), (), (), tables)


_FORMS = {
    "structured": Said("CDA structurés écrits (modèles du CI-SIS)", "structured CDA written (models of CI-SIS)"),
    "written": Said("CDA de niveau 1 écrits", "level-1 CDA written"),
    "carried": Said("CDA d'origine repris octet pour octet", "own CDA carried byte for byte"),
    "plain": Said("sans CDA possible (traits du patient), PDF joint", "no CDA possible, PDF attached"),
    "repeated": Said("même CDA qu'un autre document", "same CDA as another document"),
    "absent": Said("sans contenu dans le logiciel", "no body in the software"),
}

# What became of the PDF of the practice, by rung of the ladder to PDF/A-1.
_BROUGHT = {
    "untouched": Said("Déjà PDF/A-1 : repris tels quels", "PDF/A-1 already: carried as they came"),
    "mended": Said("Mis en PDF/A-1 sans changer ce qui se voit", "Made PDF/A-1 without a visible change"),
    "rasterised": Said(CATALOGUE["PDF-RASTERISED"].sentence_fr, CATALOGUE["PDF-RASTERISED"].sentence),
    "carried": Said(CATALOGUE["PDF-CARRIED"].sentence_fr, CATALOGUE["PDF-CARRIED"].sentence),
}


def _carried(extraction: dict[str, Any], export: dict[str, Any]) -> Section:
    sums = {k: sum(c[k] for c in extraction["cells"]) for k in ("source", "mapped", "native", "excluded")}
    labels = {
        "mapped": Said("reprises", "mapped"),
        "native": Said("conservées telles quelles", "carried as native"),
        "excluded": Said("exclues avec motif", "excluded with a reason"),
    }
    tables = [
        Table(
            "cells",
            Said("Cellules de la base du cabinet", "Cells of the practice's database"),
            (Column("fate", Said("Sort", "Fate")), _COUNT),
            [[label, sums[k]] for k, label in labels.items()],
            [_TOTAL, sums["source"]],
        )
    ]
    lines = [Said("Aucune archive produite.", "No archive was made.")]
    if export:
        lines = [
            Said(
                f"Archive {export['archive']} : {export['patients']} patients, {export['documents'] + export['orphans']} documents sur "
                f"{export['source_documents']}.",
                f"Archive {export['archive']}: {export['patients']} patients, {export['documents'] + export['orphans']} documents of "
                f"{export['source_documents']}.",
            )
        ]
        tables.append(
            Table(
                "archive",
                Said("Versions de documents dans l'archive", "Document versions in the archive"),
                (Column("form", Said("Forme", "Form")), _COUNT),
                [
                    *([_FORMS.get(f, f), n] for f, n in export["forms"].items()),
                    [Said("Documents sans patient connu, dans TRANSVERSE", "Documents without a known patient, in TRANSVERSE"), export["orphans"]],
                ],
            )
        )  # fmt: skip
        brought = [
            [said, export["rungs"][rung]] for rung, said in _BROUGHT.items() if export.get("rungs", {}).get(rung)
        ]
        if brought:
            tables.append(
                Table(
                    "pdf",
                    Said("PDF du cabinet", "PDF of the practice"),
                    (Column("rung", Said("Sort", "Fate")), _COUNT),
                    brought,
                )
            )
        if reread := export.get("fhir_sample"):
            tables.append(
                Table(
                    "fhir",
                    Said(
                        "Ressources FHIR relues par un lecteur indépendant (fhir.resources)",
                        "FHIR resources read again by an independent reader (fhir.resources)",
                    ),
                    (Column("what", Said("Échantillon", "Sample")), _COUNT),
                    [
                        [Said("Écrites", "Written"), reread["of"]],
                        [Said("Relues, de chaque type", "Read again, of each type"), reread["read"]],
                        [Said("Différentes à la relecture", "Different when read again"), reread["different"]],
                    ],
                )
            )
    return Section("carried", Said("Reprise de la base et archive", "Extraction and archive"), lines, (), tables)


def _proofs(evidence: Evidence, judged: dict[str, Any]) -> Section:
    rows: list[list[Value]] = [[what, value] for what, value in evidence]
    rows.append([Said("Verdicts rendus le", "Verdicts given on"), judged["clock"]])
    columns = (Column("what", Said("Preuve", "Proof")), Column("value", Said("Valeur", "Value")))
    return Section(
        "evidence",
        Said("Preuves", "Evidence"),
        (
            Said(
                "`transvase audit verify` rejoue la chaîne des exécutions et nomme le premier maillon rompu.",
                "`transvase audit verify` replays the chain of runs and names the first broken link.",
            ),
        ),
        (),
        (
            Table(
                "evidence",
                Said("Empreintes, chaîne, signature, versions", "Digests, chain, signature, versions"),
                columns,
                rows,
            ),
        ),
    )
