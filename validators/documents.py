"""Documents: what stands against sending each one to the DMP, and what the archive must say of it. SQL over the canonical tables,
the views `identities` and `obligations`. One reason per document is chosen by the order of the catalogue. What patients and professionals
decided of a document belongs to `restrictions`.
"""

from __future__ import annotations

from datetime import date, datetime

from transvase.model.codes.type_codes import CODES as TYPES
from transvase.model.verdict import CATALOGUE

# Current types that have a class (ASS_X04): those that a document may leave under.
_CURRENT = [c for c, t in TYPES.items() if t.current and t.class_code]
# How many local types are given proposals, the most used first; beyond, the column holds free text and not a list of types.
_PROPOSED = 2000
# Words of a label that say nothing of the type.
_EMPTY_WORDS = (
    "a",
    "au",
    "aux",
    "d",
    "de",
    "des",
    "du",
    "en",
    "et",
    "l",
    "la",
    "le",
    "les",
    "ou",
    "par",
    "pour",
    "sur",
    "un",
    "une",
)
# Kinds of bodies that we can carry or render; the rest is carried as it came with a verdict.
READABLE = ("pdf", "cda", "rtf", "text", "jpeg", "tiff", "png", "html")


def _list(values: tuple[str, ...] | list[str]) -> str:
    return ", ".join("'" + v.replace("'", "''") + "'" for v in values)


def current_versions(table: str = "document_version") -> str:
    """SQL: the last version of each document: document, version_key, version, sha256, size, declared_size, detected, damage; `table` holds
    the versions."""
    return f"""
SELECT document, key AS version_key, version, sha256, size, declared_size, detected, damage FROM {table}
QUALIFY row_number() OVER (PARTITION BY document ORDER BY version DESC, key DESC) = 1"""


def findings(clock: datetime, cut_off: date | None, before_obligation: bool, without_obligation: bool) -> str:
    """SQL: slot, patient, record_table, record_key, rule, destination, severity, evidence for documents.

    `clock` is local time of the practice, without zone; `cut_off` the operator's decision on documents of unknown history."""
    now = clock.strftime("%Y-%m-%dT%H:%M:%S")
    adopt = f"AND coalesce(d.created, '') < '{cut_off.isoformat()}'" if cut_off else ""
    # The operator's choice to feed the history turns the block into a remark that stays in the evidence.
    before = "warning" if before_obligation else "block"
    unasked = "warning" if without_obligation else "block"
    # Fed by choice, an older document meets the exclusions as those of today do.
    reached = "'due', 'excluded', 'undecidable', 'before'" if before_obligation else "'due', 'excluded', 'undecidable'"
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
        rows("OBL-NONE", f"d.state = 'none' AND d.type_code IN ({_list(list(TYPES))})", severity=unasked),
        rows("OBL-BEFORE", "d.state = 'before'", severity=before, evidence="d.obligation"),
        rows(
            "OBL-EXCLUDED",
            f"d.state IN ({reached}) AND d.exclusion = 'applies'",
            evidence="d.obligation || ' ' || d.fact",
        ),
        rows(
            "OBL-UNDECIDABLE",
            f"d.state IN ({reached}) AND d.exclusion = 'unknown'",
            severity="warning",
            evidence="d.obligation || ' ' || d.fact",
        ),
        rows("OBL-UNCONFIRMED", "d.state <> 'none' AND NOT d.confirmed", severity="warning", evidence="d.obligation"),
        rows("DOC-TYPE-UNMAPPED", "d.type_code IS NULL", evidence="'document.local_type'"),
        rows("DOC-TYPE-UNMAPPED", "d.type_code IS NULL", both[1], "warning", "'document.local_type'"),
        rows(
            "DOC-TYPE-UNKNOWN",
            f"d.type_code IS NOT NULL AND d.type_code NOT IN ({_list(_CURRENT)})",
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
    parts += [
        rows(
            "DOC-SIZE",
            "d.sha256 IS NOT NULL AND d.declared_size <> d.size",
            to,
            "warning",
            "'document_version:' || coalesce(d.version_key, '-')",
        )
        for to in both
    ]
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
  SELECT d.*, o.obligation, o.state, o.fact, o.exclusion, o.confirmed, v.version_key, v.sha256, v.size, v.declared_size, v.detected, v.damage, c.copy_of,
    p.key IS NOT NULL AS known,
    CASE WHEN regexp_matches(coalesce(d.act, ''), '^\\d{{4}}-\\d{{2}}-\\d{{2}}') THEN try_cast(left(d.act, 10) AS DATE) END AS act_date
  FROM document d
  LEFT JOIN obligations o ON o.document = d.key
  LEFT JOIN versions v ON v.document = d.key
  LEFT JOIN copies c ON c.key = d.key
  LEFT JOIN patient p ON p.key = d.patient
)
{" UNION ALL ".join(parts)}"""


def signatory() -> str:
    """SQL: document, record_table, record_key of the author and the structure that a document produced here leaves under (sheet
    practitioner-identifiers, section 4): the first structure, as in its header, and the first active professional for a document without
    a known author."""
    return """
SELECT d.key AS document, 'practitioner' AS record_table, coalesce(p.key, l.key) AS record_key
FROM document d LEFT JOIN practitioner p ON p.key = d.practitioner
LEFT JOIN (SELECT key FROM practitioner ORDER BY NOT coalesce(active, false), key LIMIT 1) l ON true
WHERE d.origin = 'produced'
UNION ALL
SELECT d.key, 'practice', (SELECT min(key) FROM practice) FROM document d WHERE d.origin = 'produced'"""


def blocks() -> str:
    """SQL over `verdict`: document, rule of whatever blocks it for the DMP. A document inherits what stands against its patient, its author
    and the structure it leaves under (`signatory`)."""
    return f"""
SELECT record_key AS document, rule FROM verdict WHERE record_table = 'document' AND destination = 'dmp' AND severity = 'block'
UNION ALL
SELECT d.key, v.rule FROM verdict v JOIN document d ON v.record_table = 'patient' AND v.record_key = d.patient
WHERE v.destination = 'dmp' AND v.severity = 'block'
UNION ALL
SELECT s.document, v.rule FROM ({signatory()}) s JOIN verdict v ON v.record_table = s.record_table AND v.record_key = s.record_key
WHERE v.destination = 'dmp' AND v.severity = 'block'"""


def decisions() -> str:
    """SQL over `verdict`: one row per document: outcome before any sending, the rule that decides it, the obligation and its legs.

    `to_send` when nothing blocks."""
    order = ", ".join(f"('{r}', {i}, '{CATALOGUE[r].outcome}')" for i, r in enumerate(CATALOGUE))
    return f"""
WITH catalogue(rule, rank, outcome) AS (VALUES {order}),
blocks AS ({blocks()}),
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


def types() -> str:
    """SQL: document, type_code, count, proposals: the local types without a usable national one, with the three current types of
    JDV_J07 whose labels look most like it, or whose code does when the mapping gives one that no value set holds.

    A local type is named by the first document that has it: it ought to be a code of the software, but some let people type it. The
    resemblance is that of words: it proposes, it never maps."""
    labels = ", ".join(f"('{c}', {_text(TYPES[c].display)})" for c in _CURRENT)
    words = (
        "list_filter(string_split_regex(lower(strip_accents({})), '[^a-z0-9]+'), lambda w: w <> '' AND w NOT IN ("
        + _list(_EMPTY_WORDS)
        + "))"
    )
    return f"""
WITH wanted AS (
  SELECT local_type, type_code, count(*) AS count, min(key) AS document FROM document
  WHERE type_code IS NULL OR type_code NOT IN ({_list(_CURRENT)}) GROUP BY ALL
),
asked AS (
  SELECT *, {words.format("coalesce(local_type, '')")} AS words FROM wanted ORDER BY count DESC, local_type, type_code LIMIT {_PROPOSED}
),
labels AS (SELECT code, display, {words.format("display")} AS words FROM (VALUES {labels}) AS t(code, display)),
scored AS (
  SELECT a.local_type, a.type_code, l.code, greatest(
    coalesce(list_avg([list_max([jaro_winkler_similarity(w, u) FOR u IN l.words]) FOR w IN a.words]), 0)
      -- Of two labels that hold the same words, the one that says little else.
      + 0.1 * jaro_winkler_similarity(array_to_string(a.words, ' '), array_to_string(l.words, ' ')),
    coalesce(1.1 * jaro_winkler_similarity(a.type_code, l.code), 0)) AS score
  FROM asked a, labels l
),
nearest AS (
  SELECT local_type, type_code, list(code ORDER BY round(score, 6) DESC, code)[:3] AS proposals FROM scored GROUP BY ALL
)
SELECT w.document, w.type_code, w.count, coalesce(n.proposals, []::VARCHAR[]) AS proposals
FROM wanted w LEFT JOIN nearest n ON n.local_type IS NOT DISTINCT FROM w.local_type AND n.type_code IS NOT DISTINCT FROM w.type_code
ORDER BY w.count DESC, w.document"""


def _text(value: str) -> str:
    return _list((value,))
