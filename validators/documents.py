"""Documents: what stands against sending each one to the DMP, and what the archive must say of it. SQL over the canonical tables,
the views `identities` and `obligations`. One reason per document is chosen by the order of the catalogue.
"""

from __future__ import annotations

from datetime import date, datetime

from transvase.model.codes.type_codes import CODES as TYPES
from transvase.model.verdict import CATALOGUE

# Kinds of bodies that we can carry or render; the rest is carried as it came with a verdict.
READABLE = ("pdf", "cda", "rtf", "text", "jpeg", "tiff", "png", "html")


def _list(values: tuple[str, ...] | list[str]) -> str:
    return ", ".join("'" + v.replace("'", "''") + "'" for v in values)


def current_versions() -> str:
    """SQL: the last version of each document: document, version_key, version, sha256, detected, damage."""
    return """
SELECT document, key AS version_key, version, sha256, size, detected, damage FROM document_version
QUALIFY row_number() OVER (PARTITION BY document ORDER BY version DESC, key DESC) = 1"""


def findings(clock: datetime, cut_off: date | None, before_obligation: bool) -> str:
    """SQL: slot, patient, record_table, record_key, rule, destination, severity, evidence for documents.

    `clock` is local time of the practice, without zone; `cut_off` the operator's decision on documents of unknown history."""
    now = clock.strftime("%Y-%m-%dT%H:%M:%S")
    current = [c for c, t in TYPES.items() if t.current and t.class_code]
    adopt = f"AND coalesce(d.created, '') < '{cut_off.isoformat()}'" if cut_off else ""
    # The operator's choice to feed the history turns the block into a remark that stays in the evidence.
    before = "warning" if before_obligation else "block"
    row = "d.slot, d.patient, 'document' AS record_table, d.key AS record_key"
    dmp, both = "'dmp'", ("'dmp'", "'portability'")

    def rows(rule: str, where: str, destination: str = dmp, severity: str = "block", evidence: str = "''") -> str:
        return f"SELECT {row}, '{rule}' AS rule, {destination} AS destination, '{severity}' AS severity, {evidence} AS evidence FROM facts d WHERE {where}"

    parts = [
        rows("DOC-ORPHAN", "NOT d.known"),
        rows("DOC-ORPHAN", "NOT d.known", both[1], "warning"),
        rows("DOC-DUPLICATE", "d.copy_of IS NOT NULL", evidence="'document:' || d.copy_of"),
        rows("DOC-DUPLICATE", "d.copy_of IS NOT NULL", both[1], "warning", "'document:' || d.copy_of"),
        rows("DOC-PATIENT", "d.origin = 'patient'"),
        rows("DOC-RECEIVED", "d.origin = 'received'"),
        rows("DOC-FED", "d.fed_state = 'fed'"),
        rows("DOC-FED-DELETED", "d.fed_state = 'deleted'"),
        rows("DOC-UNKNOWN-HISTORY", f"coalesce(d.fed_state, '') NOT IN ('never', 'fed', 'deleted') {adopt}"),
        # Of a code that no value set holds, nothing says that it is exempt: DOC-TYPE-UNKNOWN alone.
        rows("OBL-NONE", f"d.state = 'none' AND d.type_code IN ({_list(list(TYPES))})"),
        rows("OBL-BEFORE", "d.state = 'before'", severity=before, evidence="d.obligation"),
        rows("OBL-EXCLUDED", "d.state = 'excluded'", evidence="d.obligation || ' ' || d.fact"),
        rows(
            "OBL-UNDECIDABLE", "d.state = 'undecidable'", severity="warning", evidence="d.obligation || ' ' || d.fact"
        ),
        rows("OBL-UNCONFIRMED", "d.state <> 'none' AND NOT d.confirmed", severity="warning", evidence="d.obligation"),
        rows("OBJ-DMP", "d.objected"),
        rows("DOC-WITHHELD", "coalesce(d.withheld, '') <> ''"),
        rows("DOC-TYPE-UNMAPPED", "d.type_code IS NULL", evidence="'document.local_type'"),
        rows("DOC-TYPE-UNMAPPED", "d.type_code IS NULL", both[1], "warning", "'document.local_type'"),
        rows(
            "DOC-TYPE-UNKNOWN",
            f"d.type_code IS NOT NULL AND d.type_code NOT IN ({_list(current)})",
            evidence="'document.type_code'",
        ),
        rows("DOC-DATE", "d.act_date IS NULL"),
        rows("DOC-DATE", "d.act_date IS NULL", both[1], "warning"),
        rows("DOC-FUTURE", f"d.act_date IS NOT NULL AND d.act > '{now}'"),
        rows("DOC-FUTURE", f"d.act_date IS NOT NULL AND d.act > '{now}'", both[1], "warning"),
    ]
    for rule, where in (
        ("DOC-ABSENT", "d.sha256 IS NULL"),
        ("DOC-EMPTY", "d.sha256 IS NOT NULL AND d.detected = 'empty'"),
        ("DOC-CORRUPT", "coalesce(d.damage, '') <> '' AND d.detected <> 'empty'"),
        ("DOC-FORMAT", f"d.sha256 IS NOT NULL AND d.damage IS NULL AND d.detected NOT IN ({_list(READABLE)}, 'empty')"),
    ):
        severity = {dmp: "block", both[1]: "warning"}
        parts += [
            rows(rule, where, to, severity[to], "'document_version:' || coalesce(d.version_key, '-')") for to in both
        ]
    parts.append(
        rows(
            "DOC-MASKED",
            "coalesce(d.masked_ps, false) OR coalesce(d.invisible_patient, false) OR coalesce(d.invisible_representatives, false)",
            severity="warning",
        )
    )
    return f"""
WITH copies AS (
  SELECT key, CASE WHEN first <> key THEN first END AS copy_of FROM (
    SELECT d.key, first_value(d.key) OVER (
      PARTITION BY d.patient, d.practitioner, d.local_type, d.title, d.origin, d.act, d.created, d.external_author, v.sha256
      ORDER BY d.key) AS first
    FROM document d LEFT JOIN versions v ON v.document = d.key
    -- Without a body nothing proves that two rows are the same document.
    WHERE v.sha256 IS NOT NULL)
),
facts AS (
  SELECT d.*, o.obligation, o.state, o.fact, o.confirmed, v.version_key, v.sha256, v.detected, v.damage, c.copy_of,
    p.key IS NOT NULL AS known,
    CASE WHEN regexp_matches(coalesce(d.act, ''), '^\\d{{4}}-\\d{{2}}-\\d{{2}}') THEN try_cast(left(d.act, 10) AS DATE) END AS act_date,
    EXISTS (SELECT 1 FROM objection j WHERE j.patient = d.patient AND j.scope IN ('dmp', 'all')
            AND (j.document IS NULL OR j.document = d.key)) AS objected
  FROM document d
  LEFT JOIN obligations o ON o.document = d.key
  LEFT JOIN versions v ON v.document = d.key
  LEFT JOIN copies c ON c.key = d.key
  LEFT JOIN patient p ON p.key = d.patient
)
{" UNION ALL ".join(parts)}"""


def decisions() -> str:
    """SQL over `verdict`: one row per document: outcome before any sending, the rule that decides it, the obligation and its legs.

    A document inherits what stands against its patient. `to_send` when nothing blocks."""
    order = ", ".join(f"('{r}', {i}, '{CATALOGUE[r].outcome}')" for i, r in enumerate(CATALOGUE))
    return f"""
WITH catalogue(rule, rank, outcome) AS (VALUES {order}),
blocks AS (
  SELECT record_key AS document, rule FROM verdict WHERE record_table = 'document' AND destination = 'dmp' AND severity = 'block'
  UNION ALL
  SELECT d.key, v.rule FROM verdict v JOIN document d ON v.record_table = 'patient' AND v.record_key = d.patient
  WHERE v.destination = 'dmp' AND v.severity = 'block'
),
chosen AS (
  SELECT document, arg_min(rule, rank) AS rule, arg_min(outcome, rank) AS outcome FROM blocks JOIN catalogue USING (rule) GROUP BY document
)
SELECT d.slot, d.patient, d.key AS document, v.version_key, d.practitioner, d.type_code, o.obligation, o.effective_from, o.confirmed,
  o.dmp, o.mss_pro, o.mss_patient, o.state, d.act, coalesce(c.outcome, 'to_send') AS outcome, c.rule
FROM document d
LEFT JOIN versions v ON v.document = d.key
LEFT JOIN obligations o ON o.document = d.key
LEFT JOIN chosen c ON c.document = d.key
ORDER BY d.slot, d.patient, d.key"""
