"""INS and RNIV: one row per patient with its status, the first INS rule that fails, what is wrong with its traits, and whether the
identity may stand on a document; then the doubts between records (sheet ins-identity, sections 1 to 4). Professionals and
structures belong to `professional`. Vectorised: SQL over the whole table, no row in Python.

What an environment accepts is `model.verdict.POLICIES`. NIR and NIA are told apart by their OID, and nothing is inferred from the
digits: no rule compares a trait with the matricule.
"""

from __future__ import annotations

from datetime import date
from pathlib import Path

import duckdb

from transvase.errors import BadCall, Said
from transvase.formats.canonical import literal
from transvase.model.table import DATE_FORM
from transvase.model.verdict import Policy

# What nine matricules in ten match at once; only the filler values and the key remain to be looked at.
_SOUND = (
    r"[1-478][0-9]{2}(0[1-9]|1[0-2]|[25-9][0-9]|3[0-9]|4[0-2])(0[1-9]|[1-9][0-9]|2[AB])[0-9]{3}"
    r"([1-9][0-9]{2}|0[1-9][0-9]|00[1-9])[0-9]{2}"
)
# Order matters: the first rule that fails is the reason (valid-ins-samples.csv gives one reason per value).
_INS_RULE = r"""
CASE
  WHEN regexp_full_match({v}, '{sound}') THEN CASE
    WHEN substr({v}, 1, 13) IN ({fillers}) THEN 'INS-FILLER'
    WHEN NOT (substr({v}, 14, 2) BETWEEN '01' AND '97') THEN 'INS-KEY_RANGE'
    WHEN 97 - (replace(replace(substr({v}, 1, 13), '2A', '19'), '2B', '18')::BIGINT % 97) <> substr({v}, 14, 2)::BIGINT
      THEN 'INS-KEY_MISMATCH'
  END
  WHEN {v} IS NULL OR trim({v}) = '' THEN 'INS-EMPTY'
  WHEN regexp_matches({v}, '[a-z\s.\-]') THEN 'INS-NOT_CANONICAL'
  WHEN length({v}) <> 15 THEN 'INS-LENGTH'
  WHEN NOT regexp_full_match({v}, '[0-9]{{5}}([0-9]{{2}}|2[AB])[0-9]{{8}}') THEN 'INS-CHARSET'
  WHEN substr({v}, 1, 1) NOT IN ('1', '2', '3', '4', '7', '8') THEN 'INS-SEX'
  WHEN NOT (substr({v}, 4, 2) BETWEEN '01' AND '12' OR substr({v}, 4, 2) BETWEEN '20' AND '42'
            OR substr({v}, 4, 2) BETWEEN '50' AND '99') THEN 'INS-MONTH'
  WHEN substr({v}, 6, 2) = '00' THEN 'INS-PLACE'
  ELSE 'INS-ORDER'
END"""

# Values typed to fill a compulsory field (sheet, section 7): some pass the formula, hence a list beside it.
_FILLERS = tuple(str(d) * 13 for d in range(10)) + ("1234567890123",)
_FILLER_LIST = ", ".join(f"'{f}'" for f in _FILLERS)


def ins_rule(value: str) -> str:
    """SQL expression: the rule that a matricule fails, or NULL. `value` is a column name or another SQL expression.

    Corsica stands only in characters 6 and 7, which the form has checked before the key is computed."""
    return _INS_RULE.format(v=value, sound=_SOUND, fillers=_FILLER_LIST)


# RNIV by criteria, never by label: qualified means obtained from INSi and checked against a high-trust document.
STATUS = """
CASE
  WHEN coalesce(doubtful, false) OR coalesce(fictitious, false) THEN 'PROV'
  WHEN coalesce(insi_confirmed, false) AND coalesce(document_checked, false) AND trim(coalesce(ins, '')) <> '' THEN 'QUAL'
  WHEN coalesce(insi_confirmed, false) AND trim(coalesce(ins, '')) <> '' THEN 'RECUP'
  WHEN coalesce(document_checked, false) THEN 'VALI'
  ELSE 'PROV'
END"""

# HL7 types of the assigning authorities (sheet, section 2); the obsolete INS-C has none.
_NATURE = """
CASE ins_oid WHEN '1.2.250.1.213.1.4.8' THEN 'NIR' WHEN '1.2.250.1.213.1.4.9' THEN 'NIA' WHEN '1.2.250.1.213.1.4.10' THEN 'NIR-TEST'
  WHEN '1.2.250.1.213.1.4.11' THEN 'NIR-DEMO' END"""

# Of two forms of one matricule, as typed and as displayed, the same text.
_CANONICAL = r"nullif(CASE WHEN length(ins) = 15 THEN ins ELSE upper(regexp_replace(ins, '[\s.\-]', '', 'g')) END, '')"

_WHOLE_DATE = (
    r"regexp_full_match(coalesce(birth_date, ''), '\d{4}-\d{2}-\d{2}') AND try_cast(birth_date AS DATE) IS NOT NULL"
)
# Day or month 00, month above 12, as ISO or as a French product writes it; or no day at all.
_LUNAR = r"\d{4}-(00|1[3-9]|[2-9]\d)-\d{2}|\d{4}-\d{2}-00|\d{2}/(00|1[3-9]|[2-9]\d)/\d{4}|00/\d{2}/\d{4}|\d{4}(-(0[1-9]|1[0-2]))?"
_PLACE = "([013-9][0-9]|2[0-9AB])[0-9]{3}"


def plain(value: str) -> str:
    """SQL expression: a name as INSi writes it (A-Z, space, apostrophe, hyphen), whatever the typing; a character without equivalent
    stays, for a rule to see it (sheet, section 4)."""
    folded = f"upper(strip_accents({value}))"
    for letter, written in (("Œ", "OE"), ("Æ", "AE"), ("ẞ", "SS"), ("ß", "SS")):
        folded = f"replace({folded}, '{letter}', '{written}')"
    # Letters with a stroke have no diacritic to take off; typographic apostrophes, hyphens and spaces are those of word processors.
    return f"translate({folded}, 'ŁØĐ’‘ʼ´`‐‑–\u00a0\u202f', 'LOD''''''''''---  ')"


def comparable(value: str) -> str:
    """SQL expression: what two spellings of a name have in common: no case, no diacritic, hyphen and apostrophe as a space (EXI ID 10)."""
    return f"trim(regexp_replace(translate({plain(value)}, '-''', '  '), ' +', ' ', 'g'))"


def _columns(*cases: tuple[str, str]) -> str:
    """SQL expression: names of the columns for which a condition holds, separated by spaces."""
    return "concat_ws(' ', " + ", ".join(f"CASE WHEN {condition} THEN '{name}' END" for name, condition in cases) + ")"


def _odd(value: str) -> str:
    return f"NOT regexp_full_match(coalesce({value}, ''), '[A-Z ''-]*')"


# First character neither space nor hyphen, no doubled or combined space and apostrophe; given names are stricter (sheet, section 4).
def _misplaced(value: str, given: bool) -> str:
    rest = "--|[- '']$" if given else "---| $"
    return f"trim({value}) <> '' AND regexp_matches({value}, '^[ -]|[ '']{{2}}|{rest}')"


_STRICT = (("birth_family", "f", False), ("birth_given", "g", True), ("birth_first_given", "g1", True))
_USED = (("used_family", "uf", False), ("used_given", "ug", True))


def _findings(today: date) -> str:
    """SQL expression: list of (rule, severity, evidence) about the traits of a patient.

    What the comparison rules forgive is a warning; what they do not blocks the DMP, since a strict trait that INSi cannot have
    returned makes the matricule unusable (sheet, section 5)."""
    day = today.isoformat()
    flag, known = (
        "coalesce(birth_date_uncertain, false)",
        f"regexp_full_match(coalesce(birth_date, ''), '{DATE_FORM[1:-1]}')",
    )
    rules = (
        ("RNIV-NAME-CHARACTER", "block", _columns(*((n, _odd(v)) for n, v, _ in _STRICT))),
        (
            "RNIV-NAME-CASE",
            "warning",
            # Only what came from INSi is known to have been written in capitals; a local identity keeps its spelling.
            _columns(*((n, f"called AND {n} <> {v} AND NOT ({_odd(v)})") for n, v, _ in _STRICT)),
        ),
        ("RNIV-NAME-SEPARATOR", "warning", _columns(*((n, _misplaced(v, given)) for n, v, given in _STRICT))),
        (
            "RNIV-USED-NAME",
            "warning",
            _columns(*((n, f"{_odd(v)} OR ({_misplaced(v, given)})") for n, v, given in _USED)),
        ),
        (
            "RNIV-FIRST-GIVEN",
            "warning",
            _columns(
                (
                    "birth_first_given",
                    "trim(coalesce(birth_given, '')) <> '' AND trim(coalesce(birth_first_given, '')) <> '' AND "
                    f"NOT starts_with({comparable('birth_given')} || ' ', {comparable('birth_first_given')} || ' ')",
                )
            ),
        ),
        ("RNIV-DATE-PARTIAL", "block", _columns(("birth_date", "dated = 'partial'"))),
        ("RNIV-DATE-IMPOSSIBLE", "block", _columns(("birth_date", "dated = 'impossible'"))),
        (
            "RNIV-DATE-FUTURE",
            "block",
            _columns(("birth_date", f"{known} AND birth_date > left('{day}', length(birth_date))")),
        ),
        ("RNIV-DATE-UNFLAGGED", "warning", _columns(("birth_date_uncertain", f"dated = 'partial' AND NOT {flag}"))),
        (
            "RNIV-DATE-RULE",
            "warning",
            _columns(
                (
                    "birth_date_uncertain",
                    f"dated = 'whole' AND {flag} AND right(birth_date, 2) <> '01' AND substr(birth_date, 6, 2) <> '01' "
                    "AND right(birth_date, 5) <> '12-31'",
                )
            ),
        ),
        (
            "RNIV-DEATH",
            "warning",
            _columns(
                (
                    "death_date",
                    f"{known} AND regexp_full_match(coalesce(death_date, ''), '{DATE_FORM[1:-1]}') AND "
                    "left(death_date, length(birth_date)) < left(birth_date, length(death_date))",
                )
            ),
        ),
        (
            "RNIV-PLACE-FORM",
            "block",
            _columns(
                (
                    "birth_place_code",
                    f"trim(coalesce(birth_place_code, '')) <> '' AND NOT regexp_full_match(birth_place_code, '{_PLACE}')",
                )
            ),
        ),
    )
    listed = ", ".join(f"{{'rule': '{r}', 'severity': '{s}', 'evidence': {e}}}" for r, s, e in rules)
    return f"list_filter([{listed}], lambda x: x.evidence <> '')"


def identities(policy: Policy, today: date) -> str:
    """SQL: patient, slot, status, nature (by OID), ins_failed, oid_accepted, missing (list of strict traits), findings (list of rule,
    severity, evidence on the traits), doubtful, fictitious, shared, header_possible, dmp, qualified. Nothing of the record but keys.

    `today` is the day of the run, local. `qualified`: the matricule may stand on a document in this environment. `header_possible`: a
    CDA header can be written (a given name and a usable birth date; sheet cda-header-ci-sis, section 2). `shared`: another record
    holds the matricule."""
    oids = ", ".join(f"'{o}'" for o in policy.oids)
    tolerated = "" if policy.key_blocks else "ins_failed = 'INS-KEY_MISMATCH' OR"
    return f"""
WITH named AS (
  SELECT *, {", ".join(f"{plain(n)} AS {v}" for n, v, _ in (*_STRICT, *_USED))},
    coalesce(insi_confirmed, false) AND trim(coalesce(ins, '')) <> '' AS called,
    CASE WHEN trim(coalesce(birth_date, '')) = '' THEN 'absent' WHEN {_WHOLE_DATE} THEN 'whole'
      WHEN regexp_full_match(birth_date, '{_LUNAR}') THEN 'partial' ELSE 'impossible' END AS dated,
    {_CANONICAL} AS canonical
  FROM patient
),
-- Compared without separators, nor case: a record that holds it in display form makes the other one ambiguous too. A filler is nobody's.
repeated AS (
  SELECT {_CANONICAL} AS canonical FROM patient
  WHERE canonical IS NOT NULL AND left(canonical, 13) NOT IN ({_FILLER_LIST}) GROUP BY 1 HAVING count(*) > 1
),
checked AS (
  SELECT key AS patient, slot, {STATUS} AS status, {_NATURE} AS nature, {ins_rule("ins")} AS ins_failed,
    coalesce(ins_oid, '') IN ({oids}) AS oid_accepted,
    list_filter([
      CASE WHEN coalesce(trim(birth_family), '') = '' THEN 'birth_family' END,
      CASE WHEN coalesce(trim(birth_given), '') = '' THEN 'birth_given' END,
      CASE WHEN coalesce(trim(birth_first_given), '') = '' THEN 'birth_first_given' END,
      CASE WHEN coalesce(sex, 'UN') NOT IN ('F', 'M') THEN 'sex' END,
      CASE WHEN dated = 'absent' THEN 'birth_date' END,
      CASE WHEN coalesce(trim(birth_place_code), '') = '' THEN 'birth_place_code' END
    ], lambda x: x IS NOT NULL) AS missing,
    {_findings(today)} AS findings,
    coalesce(doubtful, false) AS doubtful, coalesce(fictitious, false) AS fictitious,
    coalesce(canonical IN (FROM repeated), false) AS shared,
    (coalesce(trim(birth_given), '') <> '' OR coalesce(trim(birth_first_given), '') <> '' OR coalesce(trim(used_given), '') <> '')
      AND (regexp_full_match(coalesce(birth_date, ''), '\\d{{4}}(-(0[1-9]|1[0-2]))?') OR {_WHOLE_DATE}) AS header_possible,
    coalesce(dmp, 'unknown') AS dmp
  FROM named
)
SELECT *, coalesce(status = 'QUAL' AND ({tolerated} ins_failed IS NULL) AND oid_accepted AND len(missing) = 0
    AND len(list_filter(findings, lambda x: x.severity = 'block')) = 0 AND NOT shared, false) AS qualified
FROM checked"""


def verdicts(policy: Policy) -> str:
    """SQL over the view `identities`: verdict rows of patients, each by itself."""
    key_severity = "block" if policy.key_blocks else "warning"
    row = "slot, patient, 'patient' AS record_table, patient AS record_key"
    return f"""
SELECT {row}, ins_failed AS rule, 'dmp' AS destination,
  CASE WHEN ins_failed = 'INS-KEY_MISMATCH' THEN '{key_severity}' ELSE 'block' END AS severity, 'patient.ins' AS evidence
  FROM identities WHERE ins_failed IS NOT NULL
UNION ALL SELECT {row}, 'INS-OID', 'dmp', 'block', 'patient.ins_oid'
  FROM identities WHERE ins_failed IS DISTINCT FROM 'INS-EMPTY' AND NOT oid_accepted
UNION ALL SELECT {row}, 'RNIV-FICTITIOUS', 'dmp', 'block', 'patient.fictitious' FROM identities WHERE fictitious
UNION ALL SELECT {row}, 'RNIV-DOUBTFUL', 'dmp', 'block', 'patient.doubtful' FROM identities WHERE doubtful
UNION ALL SELECT {row}, 'RNIV-STATUS', 'dmp', 'block', status FROM identities WHERE status <> 'QUAL'
UNION ALL SELECT {row}, 'RNIV-TRAIT', 'dmp', 'block', array_to_string(missing, ' ') FROM identities WHERE len(missing) > 0
UNION ALL SELECT slot, patient, 'patient', patient, found.rule, 'dmp', found.severity, found.evidence
  FROM (SELECT slot, patient, unnest(findings) AS found FROM identities WHERE len(findings) > 0)
UNION ALL SELECT {row}, 'PAT-DUPLICATE-INS', 'dmp', 'block', 'patient.ins' FROM identities WHERE shared
UNION ALL SELECT {row}, 'CDA-TRAITS', 'portability', 'warning',
    concat_ws(' ', nullif(array_to_string(missing, ' '), ''), array_to_string(list_transform(list_filter(findings,
      lambda x: x.severity = 'block'), lambda x: x.evidence), ' ')) FROM identities WHERE NOT header_possible
UNION ALL SELECT {row}, 'DMP-NONE', 'dmp', 'block', dmp FROM identities WHERE dmp IN ('none', 'closed')"""


def doubts() -> str:
    """SQL over `patient`: verdict rows of records with the same strict traits and not one matricule. Warnings for both destinations:
    the sheet forbids to choose, and two persons may share five traits (section 3, homonyme). The evidence names another record.

    Same traits: birth name, first given name, sex, date, and place unless one of the records has none. Twins have another first given
    name. The attribute homonyme says that the practice knows: such a record is reported no more. No pair of records is formed, so
    that ten thousand records of one test identity cost no more than others."""
    same = "f, g, sex, birth_date"
    row = "slot, key, 'patient' AS record_table, key AS record_key"
    return f"""
WITH traits AS (
  SELECT slot, key, coalesce(homonym, false) AS homonym, {_CANONICAL} AS canonical, {comparable("birth_family")} AS f,
    {comparable("birth_first_given")} AS g, sex, birth_date, nullif(trim(birth_place_code), '') AS place
  FROM patient
  WHERE sex IN ('F', 'M') AND regexp_full_match(coalesce(birth_date, ''), '{DATE_FORM[1:-1]}')
),
crowded AS (SELECT hash({same}) AS h FROM traits WHERE f <> '' AND g <> '' GROUP BY h HAVING count(*) > 1),
few AS (SELECT * FROM traits WHERE f <> '' AND g <> '' AND hash({same}) IN (FROM crowded)),
-- One line per place of a set of four traits, and what the records without a place add to each.
places AS (
  SELECT {same}, place, count(*) AS n, count(canonical) AS numbered, min(canonical) AS low, max(canonical) AS high, min(key) AS first,
    max(key) AS last
  FROM few GROUP BY ALL
),
peers AS (
  SELECT a.f, a.g, a.sex, a.birth_date, a.place, sum(b.n) AS n, sum(b.numbered) AS numbered, min(b.low) AS low, max(b.high) AS high,
    min(b.first) AS first, max(b.last) AS last
  FROM places a JOIN places b ON a.f = b.f AND a.g = b.g AND a.sex = b.sex AND a.birth_date = b.birth_date
    AND (a.place = b.place OR a.place IS NULL OR b.place IS NULL)
  GROUP BY ALL
),
doubtful AS (
  SELECT r.slot, r.key, 'patient:' || CASE WHEN p.first <> r.key THEN p.first ELSE p.last END AS evidence,
    coalesce(p.low <> r.canonical OR p.high <> r.canonical, false) AS two,
    p.n > 1 AND (r.canonical IS NULL OR p.numbered < p.n) AS none
  FROM few r JOIN peers p ON r.f = p.f AND r.g = p.g AND r.sex = p.sex AND r.birth_date = p.birth_date
    AND r.place IS NOT DISTINCT FROM p.place
  WHERE NOT r.homonym
)
SELECT {row}, rule, destination, 'warning' AS severity, evidence FROM (
  SELECT slot, key, 'PAT-TRAITS-TWO-INS' AS rule, evidence FROM doubtful WHERE two
  UNION ALL SELECT slot, key, 'PAT-TRAITS-NO-INS', evidence FROM doubtful WHERE none
) CROSS JOIN (VALUES ('dmp'), ('portability')) AS d(destination)"""


def load_places(base: duckdb.DuckDBPyConnection, cog: Path) -> None:
    """Read the operator's table of the code officiel géographique into the temporary table `cog`: columns code, start, end, one line per
    code and period, days as YYYY-MM-DD, both included; an empty start or end is open. BadCall when it is not such a table."""
    source = f"read_csv({literal(cog)}, header = true, all_varchar = true, delim = ',')"
    try:
        base.execute(
            "CREATE OR REPLACE TEMP TABLE cog AS SELECT trim(code) AS code, coalesce(trim(start), '') AS first, "
            f"coalesce(nullif(trim(\"end\"), ''), '9999-12-31') AS last FROM {source} WHERE trim(code) <> ''"
        ).fetchall()
        wrong = base.sql(
            rf"SELECT count(*) FROM cog WHERE NOT regexp_full_match(first, '(\d{{4}}-\d{{2}}-\d{{2}})?') "
            rf"OR NOT regexp_full_match(last, '\d{{4}}-\d{{2}}-\d{{2}}') OR NOT regexp_full_match(code, '{_PLACE}')"
        ).fetchall()[0][0]
    except (duckdb.IOException, duckdb.BinderException, duckdb.InvalidInputException, duckdb.CatalogException):
        wrong = -1
    if wrong:
        raise BadCall(
            what=Said(
                f"la table des communes {cog.name} n'est pas lisible",
                f"the table of communes {cog.name} cannot be read",
            ),
            mend=Said(
                "donnez un CSV UTF-8 avec les colonnes code, start, end et des jours AAAA-MM-JJ",
                "give a UTF-8 CSV with the columns code, start, end and days as YYYY-MM-DD",
            ),
        )


def places() -> str:
    """SQL over `patient` and the table `cog`: verdict rows of places of birth that were not in force at the birth (section 4, COG).

    A warning: the operator's table may be incomplete, and the code that INSi returned prevails. Of a date known in part, or flagged
    uncertain, only what is known is compared. A birth before the table begins (1943 for the published one) is judged at its first day.
    Countries are judged only when the table holds some; 99999 never is (unconfirmed)."""
    return f"""
WITH born AS (
  SELECT slot, key, birth_place_code AS code,
    CASE WHEN coalesce(birth_date_uncertain, false) THEN left(birth_date, 4) ELSE birth_date END AS day
  FROM patient
  WHERE regexp_full_match(coalesce(birth_date, ''), '{DATE_FORM[1:-1]}') AND regexp_full_match(birth_place_code, '{_PLACE}')
    AND birth_place_code <> '99999'
    AND (left(birth_place_code, 2) <> '99' OR EXISTS (SELECT 1 FROM cog WHERE left(cog.code, 2) = '99'))
)
SELECT slot, key, 'patient' AS record_table, key AS record_key, 'RNIV-PLACE-DATE' AS rule, 'dmp' AS destination,
  'warning' AS severity, 'birth_place_code' AS evidence
FROM born WHERE key NOT IN (
  -- Compared as text at the precision of the birth date: 1951 is any day of 1951.
  SELECT b.key FROM born b JOIN cog c ON c.code = b.code
  WHERE (left(c.first, length(b.day)) <= b.day OR c.first = (SELECT min(first) FROM cog)) AND left(c.last, length(b.day)) >= b.day
)"""
