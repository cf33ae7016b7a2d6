"""Exceptions to feeding what was produced: objections of the patient, restrictions of visibility, minors and the secret connection; then
the legs by which each document leaves. What the law asks belongs to `obligation`, what is wrong with a document to `documents`.

Where the sheets are silent or unconfirmed the rule warns and says so; what they exclude is refused. SQL over the canonical tables.
"""

from __future__ import annotations

from datetime import date

from transvase.model.verdict import CATALOGUE
from transvase.validators.documents import blocks

# Outcomes that say something of the DMP alone: the same document may leave by message.
_DMP_ONLY = ("identity", "no_dmp", "adopted", "withdrawn", "unknown_history", "objection")
# Nothing tells whether a message went with what a former software fed.
_HISTORY = ("adopted", "withdrawn", "unknown_history")

_DAY = r"regexp_full_match(birth_date, '\d{4}-\d{2}-\d{2}') AND try_cast(birth_date AS DATE) IS NOT NULL"
# A year or a month, a lunar day or month as ISO: of these only the year is sure, as of a day that the RNIV rule fixed (EXI ID 11 and 12).
_YEAR = r"regexp_full_match(birth_date, '\d{4}(-(0[1-9]|1[0-2]))?|\d{4}-(00|1[3-9]|[2-9]\d)-\d{2}|\d{4}-\d{2}-00')"


def _of_age(day: str) -> str:
    """SQL expression: the eighteenth birthday of who was born on an ISO day. Compared as text, so that 29 February comes of age on
    1 March of a common year."""
    return f"printf('%04d', left({day}, 4)::INTEGER + 18) || substr({day}, 5)"


def _people() -> str:
    """SQL: patient, slot, secret, and the first and last day on which they may come of age; no day when the birth date tells nothing."""
    return f"""
SELECT key AS patient, slot, coalesce(sensitive_connection, false) AS secret, {_of_age("first_born")} AS first_day, {_of_age("last_born")} AS last_day
FROM (
  SELECT key, slot, sensitive_connection,
    CASE WHEN {_DAY} AND NOT coalesce(birth_date_uncertain, false) THEN birth_date
         WHEN {_DAY} OR {_YEAR} THEN left(birth_date, 4) || '-01-01' END AS first_born,
    CASE WHEN {_DAY} AND NOT coalesce(birth_date_uncertain, false) THEN birth_date
         WHEN {_DAY} OR {_YEAR} THEN left(birth_date, 4) || '-12-31' END AS last_born
  FROM patient)"""


_COLUMNS = {"d.secret": "patient.sensitive_connection"}


def _named(*flags: str) -> str:
    """SQL expression: the columns whose flag is set, separated by spaces."""
    cases = (f"CASE WHEN {f} THEN '{_COLUMNS.get(f, f.replace('d.', 'document.'))}' END" for f in flags)
    return f"concat_ws(' ', {', '.join(cases)})"


def _unsigned(rule: str, where: str, author: str, when: str) -> str:
    """SQL: documents held back or restricted by an act that names no author or no day; another's restriction is for them to prove."""
    return (
        f"SELECT slot, patient, 'document', key, '{rule}', 'dmp', 'warning', concat_ws(' ', "
        f"CASE WHEN coalesce(trim({author}), '') = '' THEN 'document.{author}' END, "
        f"CASE WHEN try_cast(left({when}, 10) AS DATE) IS NULL THEN 'document.{when}' END) AS missing "
        f"FROM document WHERE origin = 'produced' AND {where} AND missing <> ''"
    )


def findings(today: date) -> str:
    """SQL: slot, patient, record_table, record_key, rule, destination, severity, evidence for objections, restrictions and secret
    connections. `today` is the day of the run, local; a document is judged at the age its patient had on the day of the act.

    An objection to one professional's documents also holds back those without a known author: nothing says that they are another's."""
    document = "d.slot, d.patient, 'document' AS record_table, d.key AS record_key"

    def rows(rule: str, where: str, severity: str = "warning", destination: str = "dmp", evidence: str = "''") -> str:
        return (
            f"SELECT {document}, '{rule}' AS rule, '{destination}' AS destination, '{severity}' AS severity, {evidence} AS evidence "
            f"FROM restricted d WHERE {where}"
        )

    hidden = _named("d.masked_ps", "d.invisible_patient", "d.invisible_representatives")
    cause = _named("d.masked_ps", "d.invisible_patient", "d.invisible_representatives", "d.secret")
    minor, adult = "d.act < d.first_day", "d.act >= d.last_day"
    day = today.isoformat()
    person = "slot, patient, 'patient' AS record_table, patient AS record_key"
    # The exhaustive matrix of messages: a professional is served by what nothing restricts, or by what only the patient may not see.
    served = (
        "NOT d.secret AND NOT d.invisible_representatives AND (d.invisible_patient OR NOT d.masked_ps)",
        "NOT d.secret AND NOT d.invisible_patient",
    )
    parts = [
        """SELECT d.slot, d.patient, 'document', d.key, CASE o.leg WHEN 'dmp' THEN 'OBJ-DMP' ELSE 'OBJ-MSS' END, o.leg, 'block',
  'objection:' || min(o.key) || CASE WHEN bool_and(o.practitioner IS NOT NULL AND d.practitioner IS NULL) THEN ' document.practitioner' ELSE '' END
  FROM objected o JOIN document d ON d.patient = o.patient AND (o.document IS NULL OR o.document = d.key)
    AND (o.practitioner IS NULL OR d.practitioner IS NULL OR o.practitioner = d.practitioner)
  WHERE o.leg = 'dmp' OR d.origin = 'produced'
  GROUP BY ALL""",
        "SELECT slot, patient, 'objection', key, 'OBJ-INCOMPLETE', 'dmp', 'warning', concat_ws(' ', "
        "CASE WHEN try_cast(left(recorded, 10) AS DATE) IS NULL THEN 'objection.recorded' END, "
        "CASE WHEN coalesce(trim(recorded_by), '') = '' THEN 'objection.recorded_by' END) AS missing FROM objection WHERE missing <> ''",
        "SELECT slot, patient, 'document', key, 'DOC-WITHHELD', 'dmp', 'block', 'document.withheld' FROM document "
        "WHERE coalesce(withheld, '') <> ''",
        _unsigned("DOC-WITHHELD-INCOMPLETE", "coalesce(withheld, '') <> ''", "withheld_by", "withheld_at"),
        _unsigned(
            "VIS-INCOMPLETE",
            "(coalesce(masked_ps, false) OR coalesce(invisible_patient, false) OR coalesce(invisible_representatives, false))",
            "visibility_by",
            "visibility_at",
        ),
        rows("DOC-MASKED", "d.hidden", evidence=hidden),
        rows(
            "VIS-ADULT",
            f"d.invisible_representatives AND {adult}",
            "block",
            evidence="'document.invisible_representatives'",
        ),
        rows(
            "VIS-AGE",
            f"d.invisible_representatives AND d.act IS NOT NULL AND NOT coalesce({minor} OR {adult}, false)",
            evidence="'patient.birth_date'",
        ),
        rows("VIS-NOBODY", "d.masked_ps AND d.invisible_patient", evidence=hidden),
        rows("VIS-BOTH", "d.invisible_patient AND d.invisible_representatives", evidence=hidden),
        rows(
            "VIS-SECRET",
            f"d.secret AND d.produced AND NOT d.invisible_representatives AND {minor}",
            evidence="'patient.sensitive_connection'",
        ),
        f"SELECT {person}, 'VIS-SECRET-ADULT', 'dmp', 'warning', 'patient.sensitive_connection' FROM people WHERE secret AND '{day}' >= last_day",
        f"SELECT {person}, 'VIS-AGE', 'dmp', 'warning', 'patient.birth_date' FROM people "
        f"WHERE secret AND NOT coalesce('{day}' < first_day OR '{day}' >= last_day, false)",
        rows("VIS-MSS", f"d.produced AND NOT ({served[0]})", "block", "mss_pro", cause),
        rows("VIS-MSS", f"d.produced AND NOT ({served[1]})", "block", "mss_patient", cause),
        rows(
            "VIS-APART",
            f"d.produced AND (d.masked_ps OR d.invisible_representatives) AND {served[1]}",
            "warning",
            "mss_patient",
            hidden,
        ),
    ]
    return f"""
WITH people AS ({_people()}),
restricted AS (
  SELECT d.slot, d.patient, d.key, coalesce(p.secret, false) AS secret, p.first_day, p.last_day, d.origin = 'produced' AS produced,
    coalesce(d.masked_ps, false) AS masked_ps, coalesce(d.invisible_patient, false) AS invisible_patient,
    coalesce(d.invisible_representatives, false) AS invisible_representatives,
    coalesce(d.masked_ps, false) OR coalesce(d.invisible_patient, false) OR coalesce(d.invisible_representatives, false) AS hidden,
    CASE WHEN regexp_matches(coalesce(d.act, ''), '^\\d{{4}}-\\d{{2}}-\\d{{2}}') AND try_cast(left(d.act, 10) AS DATE) IS NOT NULL
      THEN left(d.act, 10) END AS act
  FROM document d LEFT JOIN people p ON p.patient = d.patient
  WHERE coalesce(d.masked_ps, false) OR coalesce(d.invisible_patient, false) OR coalesce(d.invisible_representatives, false) OR p.secret
),
-- A scope that no list holds is read as the widest: never send what a patient may have refused.
objected AS (
  SELECT patient, document, practitioner, leg, min(key) AS key FROM (
    SELECT *, unnest(CASE WHEN scope IN ('dmp', 'mss_pro', 'mss_patient') THEN [scope] ELSE ['dmp', 'mss_pro', 'mss_patient'] END) AS leg
    FROM objection
  ) GROUP BY ALL
)
{" UNION ALL ".join(parts)}"""


def legs() -> str:
    """SQL over the verdict files: three rows per document, one by leg (`dmp`, `mss_pro`, `mss_patient`): document, leg, answer (`yes`,
    `no`, `conditional`), reason, obligation, presumed, confirmed.

    `reason` is the rule that decides, or the row of the mandated list when nothing but the law does. `presumed`: an exclusion could not be
    decided. `confirmed` is false where our sources do not confirm the row or the cell: "X (*)", whose footnote was not read, among them.
    A "yes" to the patient is due when the citizen's mailbox exists (article 1), and to professionals says nothing of which ones."""
    order = ", ".join(f"('{r}', {i}, '{CATALOGUE[r].outcome}')" for i, r in enumerate(CATALOGUE))

    def listed(names: tuple[str, ...]) -> str:
        return ", ".join(f"'{n}'" for n in names)

    return f"""
WITH catalogue(rule, rank, outcome) AS (VALUES {order}),
standing AS (
  SELECT document, rule, rank, outcome FROM ({blocks()}) JOIN catalogue USING (rule)
),
stops AS (
  SELECT document, leg, arg_min(rule, rank) AS rule FROM (
    SELECT document, unnest(CASE
      WHEN outcome = 'identity' THEN ['mss_patient'] WHEN outcome NOT IN ({listed(_DMP_ONLY)}) THEN ['mss_pro', 'mss_patient'] ELSE [] END) AS leg,
      rule, rank FROM standing
    UNION ALL
    SELECT record_key, destination, rule, rank FROM verdict JOIN catalogue USING (rule)
    WHERE record_table = 'document' AND destination IN ('mss_pro', 'mss_patient') AND severity = 'block'
  ) GROUP BY ALL
),
doubts AS (
  SELECT document, leg, arg_min(rule, rank) AS rule FROM (
    SELECT document, unnest(CASE
      WHEN outcome = 'no_dmp' THEN ['mss_patient'] WHEN outcome IN ({listed(_HISTORY)}) THEN ['mss_pro', 'mss_patient'] ELSE [] END) AS leg,
      rule, rank FROM standing
    UNION ALL
    SELECT record_key, destination, rule, rank FROM verdict JOIN catalogue USING (rule)
    WHERE record_table = 'document' AND destination IN ('mss_pro', 'mss_patient') AND severity = 'warning'
  ) GROUP BY ALL
),
asked AS (
  SELECT d.document, d.obligation, d.state, d.confirmed, d.outcome, d.rule, t.leg, coalesce(o.exclusion, '') AS exclusion,
    CASE t.leg WHEN 'dmp' THEN d.dmp WHEN 'mss_pro' THEN d.mss_pro ELSE d.mss_patient END AS cell,
    -- Who feeds the history presumes of it as of today's documents.
    d.state = 'undecidable' OR (d.state = 'before' AND t.leg = 'dmp' AND d.outcome = 'to_send') AS answerable
  FROM decision d JOIN obligations o ON o.document = d.document, (VALUES ('dmp'), ('mss_pro'), ('mss_patient')) AS t(leg)
)
SELECT a.document, a.leg,
  CASE WHEN a.leg = 'dmp' THEN CASE a.outcome WHEN 'to_send' THEN 'yes' ELSE 'no' END
       WHEN a.state NOT IN ('due', 'undecidable') OR a.cell = 'false' OR s.rule IS NOT NULL THEN 'no'
       WHEN d.rule IS NOT NULL OR a.cell = 'conditional' THEN 'conditional' ELSE 'yes' END AS answer,
  CASE WHEN a.leg = 'dmp' THEN coalesce(a.rule, a.obligation, 'OBL-NONE')
       -- The first reason of the catalogue, as for the DMP; what the law does not ask comes before what the record says.
       WHEN a.state = 'before' THEN 'OBL-BEFORE'
       WHEN a.cell = 'false' AND s.rule IS NULL THEN a.obligation
       ELSE coalesce(s.rule, d.rule, a.obligation) END AS reason,
  a.obligation, a.answerable AND a.exclusion = 'unknown' AS presumed,
  coalesce(a.confirmed, true) AND coalesce(a.leg = 'dmp' OR a.cell <> 'conditional', true) AS confirmed
FROM asked a
LEFT JOIN stops s ON s.document = a.document AND s.leg = a.leg
LEFT JOIN doubts d ON d.document = a.document AND d.leg = a.leg
ORDER BY a.document, a.leg"""
