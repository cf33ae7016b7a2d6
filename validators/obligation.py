"""The mandated list asked of every document: which obligation, since when, which legs, which exclusion applied, what the data
cannot decide (mandated-documents.csv). The list is an argument: a later decree is a row with its effective date.
"""

from __future__ import annotations

from collections.abc import Iterable

from transvase.model.codes.code import MandatedDocument
from transvase.model.codes.mandated_documents import CODES

# What each exclusion of the list reads in the record: true excludes, empty leaves it undecided. The texts are those of the sheet.
EXCLUSIONS: dict[str, str] = {
    "séjour hospitalier": "hospital_stay",
    "actes to be carried out during a séjour hospitalier": "hospital_stay",
    "entente préalable": "prior_agreement",
    "génétique constitutionnelle (added by the 2024 arrêté)": "constitutional_genetics",
    "only the médecin traitant": "NOT by_attending",
    # A document of the software is dematerialised by nature: never excludes.
    "only when dematerialised": "false",
}


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


def obligations(mandated: Iterable[MandatedDocument] = CODES.values()) -> str:
    """SQL over `document` and `patient`: document, obligation, effective_from, dmp, mss_pro, mss_patient, confirmed, state
    (due, before, excluded, undecidable, none), fact (the fact that excludes or would decide), exclusion (applies, unknown or nothing:
    said of older documents too, since who feeds the history leaves out what the list excludes).

    Several rows of the list may name a type: the one in force latest at the date of the act answers, else the first to come."""
    lines = []
    for row in mandated:
        tests = [EXCLUSIONS[e] for e in row.exclusions]
        values = (row.id, row.dmp, row.mss_pro, row.mss_patient, row.effective_from or "0001-01-01")
        for code in row.type_codes:
            lines.append(
                f"({_text(code)}, {', '.join(_text(v) for v in values)}, {str(row.confirmed and bool(row.effective_from)).lower()}, "
                f"{[t for t in tests if t != 'false'] or '[]::VARCHAR[]'})"
            )
    # Each exclusion is evaluated by name on the document: true, false or unknown.
    facts = sorted({t for t in EXCLUSIONS.values() if t != "false"})
    value_of = "CASE t " + " ".join(f"WHEN {_text(f)} THEN {f}" for f in facts) + " END"
    return f"""
WITH list(type_code, obligation, dmp, mss_pro, mss_patient, effective_from, confirmed, tests) AS (VALUES {", ".join(lines)}),
facts AS (
  SELECT d.key AS document, d.type_code, d.hospital_stay, d.prior_agreement, d.constitutional_genetics,
    -- Unknown when either is unknown: an absent author excludes nothing.
    p.attending = d.practitioner AS by_attending,
    CASE WHEN regexp_matches(coalesce(d.act, ''), '^\\d{{4}}-\\d{{2}}-\\d{{2}}') THEN try_cast(left(d.act, 10) AS DATE) END AS act
  FROM document d LEFT JOIN patient p ON p.key = d.patient
),
ranked AS (
  SELECT f.*, l.obligation, l.dmp, l.mss_pro, l.mss_patient, l.effective_from, l.confirmed, l.tests,
    f.act >= l.effective_from::DATE AS in_force,
    row_number() OVER (PARTITION BY f.document ORDER BY coalesce(f.act >= l.effective_from::DATE, false) DESC,
      CASE WHEN f.act < l.effective_from::DATE THEN l.effective_from END, l.effective_from DESC, l.obligation) AS rank
  FROM facts f JOIN list l USING (type_code)
),
judged AS (
  SELECT *, list_filter(tests, lambda t: coalesce({value_of}, false)) AS excluding,
    list_filter(tests, lambda t: ({value_of}) IS NULL) AS unknown
  FROM ranked WHERE rank = 1
)
SELECT f.document, j.obligation, j.effective_from, j.dmp, j.mss_pro, j.mss_patient, j.confirmed,
  CASE WHEN j.obligation IS NULL THEN 'none' WHEN NOT coalesce(j.in_force, true) THEN 'before' WHEN len(j.excluding) > 0 THEN 'excluded'
       WHEN len(j.unknown) > 0 THEN 'undecidable' ELSE 'due' END AS state,
  array_to_string(CASE WHEN len(j.excluding) > 0 THEN j.excluding ELSE j.unknown END, ' ') AS fact,
  CASE WHEN len(j.excluding) > 0 THEN 'applies' WHEN len(j.unknown) > 0 THEN 'unknown' END AS exclusion
FROM facts f LEFT JOIN judged j ON j.document = f.document"""
