"""INS and RNIV: one row per patient with its status, the first INS rule that fails, the missing strict traits, and whether the
identity may stand on a document (sheet ins-identity, sections 1 to 4). Vectorised: SQL over the whole table, no row in Python.

What an environment accepts is `model.verdict.POLICIES`. Nothing is inferred from the digits.
"""

from __future__ import annotations

from transvase.model.verdict import Policy

# Order matters: the first rule that fails is the reason (valid-ins-samples.csv gives one reason per value).
_INS_RULE = r"""
CASE
  WHEN {v} IS NULL OR trim({v}) = '' THEN 'INS-EMPTY'
  WHEN regexp_matches({v}, '[a-z\s.\-]') THEN 'INS-NOT_CANONICAL'
  WHEN length({v}) <> 15 THEN 'INS-LENGTH'
  WHEN NOT regexp_full_match({v}, '[0-9]{{5}}([0-9]{{2}}|2[AB])[0-9]{{8}}') THEN 'INS-CHARSET'
  WHEN substr({v}, 1, 1) NOT IN ('1', '2', '3', '4', '7', '8') THEN 'INS-SEX'
  WHEN NOT (substr({v}, 4, 2) BETWEEN '01' AND '12' OR substr({v}, 4, 2) BETWEEN '20' AND '42'
            OR substr({v}, 4, 2) BETWEEN '50' AND '99') THEN 'INS-MONTH'
  WHEN substr({v}, 6, 2) = '00' THEN 'INS-PLACE'
  WHEN substr({v}, 11, 3) = '000' THEN 'INS-ORDER'
  WHEN substr({v}, 1, 13) IN ({fillers}) THEN 'INS-FILLER'
  WHEN NOT (substr({v}, 14, 2) BETWEEN '01' AND '97') THEN 'INS-KEY_RANGE'
  WHEN 97 - (replace(replace(substr({v}, 1, 13), '2A', '19'), '2B', '18')::BIGINT % 97) <> substr({v}, 14, 2)::BIGINT
    THEN 'INS-KEY_MISMATCH'
END"""

# Values typed to fill a compulsory field (sheet, section 7): some pass the formula, hence a list beside it.
_FILLERS = tuple(str(d) * 13 for d in range(10)) + ("1234567890123",)


def ins_rule(value: str) -> str:
    """SQL expression: the rule that a matricule fails, or NULL. `value` is a column name or another SQL expression.

    Corsica stands only in characters 6 and 7, which the character rule has checked before the key is computed."""
    return _INS_RULE.format(v=value, fillers=", ".join(f"'{f}'" for f in _FILLERS))


# RNIV by criteria, never by label: qualified means obtained from INSi and checked against a high-trust document.
STATUS = """
CASE
  WHEN coalesce(doubtful, false) OR coalesce(fictitious, false) THEN 'PROV'
  WHEN coalesce(insi_confirmed, false) AND coalesce(document_checked, false) AND trim(coalesce(ins, '')) <> '' THEN 'QUAL'
  WHEN coalesce(insi_confirmed, false) AND trim(coalesce(ins, '')) <> '' THEN 'RECUP'
  WHEN coalesce(document_checked, false) THEN 'VALI'
  ELSE 'PROV'
END"""

_WHOLE_DATE = (
    r"regexp_full_match(coalesce(birth_date, ''), '\d{4}-\d{2}-\d{2}') AND try_cast(birth_date AS DATE) IS NOT NULL"
)


def identities(policy: Policy) -> str:
    """SQL: patient, slot, status, ins_failed, oid_accepted, missing (list of strict traits), qualified, header_possible, shared.

    `qualified`: the matricule may stand on a document in this environment. `header_possible`: a CDA header can be written
    (a given name and a usable birth date; sheet cda-header-ci-sis, section 2). `shared`: another record holds the matricule."""
    oids = ", ".join(f"'{o}'" for o in policy.oids)
    canonical = r"upper(regexp_replace(ins, '[\s.\-]', '', 'g'))"
    tolerated = "" if policy.key_blocks else "ins_failed = 'INS-KEY_MISMATCH' OR"
    return f"""
WITH checked AS (
  SELECT key AS patient, slot, {STATUS} AS status, {ins_rule("ins")} AS ins_failed,
    coalesce(ins_oid, '') IN ({oids}) AS oid_accepted,
    list_filter([
      CASE WHEN coalesce(trim(birth_family), '') = '' THEN 'birth_family' END,
      CASE WHEN coalesce(trim(birth_given), '') = '' THEN 'birth_given' END,
      CASE WHEN coalesce(trim(birth_first_given), '') = '' THEN 'birth_first_given' END,
      CASE WHEN coalesce(sex, 'UN') NOT IN ('F', 'M') THEN 'sex' END,
      CASE WHEN NOT ({_WHOLE_DATE}) THEN 'birth_date' END,
      CASE WHEN NOT regexp_full_match(coalesce(birth_place_code, ''), '[0-9][0-9AB][0-9]{{3}}') THEN 'birth_place_code' END
    ], lambda x: x IS NOT NULL) AS missing,
    coalesce(doubtful, false) AS doubtful, coalesce(fictitious, false) AS fictitious,
    -- Compared without separators, nor case: a record that holds it in display form makes the other one ambiguous too.
    coalesce({canonical} <> '' AND count(*) OVER (PARTITION BY {canonical}) > 1, false) AS shared,
    (coalesce(trim(birth_given), '') <> '' OR coalesce(trim(birth_first_given), '') <> '' OR coalesce(trim(used_given), '') <> '')
      AND (regexp_full_match(coalesce(birth_date, ''), '\\d{{4}}(-(0[1-9]|1[0-2]))?') OR {_WHOLE_DATE}) AS header_possible,
    coalesce(dmp, 'unknown') AS dmp
  FROM patient
)
SELECT *, coalesce(status = 'QUAL' AND ({tolerated} ins_failed IS NULL) AND oid_accepted AND len(missing) = 0 AND NOT shared, false)
  AS qualified
FROM checked"""


def verdicts(policy: Policy) -> str:
    """SQL over the view `identities`: verdict rows of patients."""
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
UNION ALL SELECT {row}, 'PAT-DUPLICATE-INS', 'dmp', 'block', 'patient.ins' FROM identities WHERE shared
UNION ALL SELECT {row}, 'CDA-TRAITS', 'portability', 'warning', array_to_string(missing, ' ') FROM identities WHERE NOT header_possible
UNION ALL SELECT {row}, 'DMP-NONE', 'dmp', 'block', dmp FROM identities WHERE dmp IN ('none', 'closed')"""
