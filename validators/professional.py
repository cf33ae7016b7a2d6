"""National identifiers of professionals and structures, and correspondents matched against local copies of the public extractions
(sheet practitioner-identifiers). SQL over `practitioner`, `practice` and `correspondent`; identities of patients belong to `identity`.

The OID of the column decides which table of prefixes applies: a PS_IdNat and a Struct_IdNat number the same things differently. The
extractions hold real persons: they are read where the operator keeps them, and only the lines that may be one of the correspondents.
"""

from __future__ import annotations

import codecs
import re
import unicodedata
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import duckdb

from transvase.errors import BadCall, Said
from transvase.formats.canonical import literal
from transvase.model.codes.author_specialties import CODES as SPECIALTIES
from transvase.model.codes.facility_types import CODES as FACILITIES
from transvase.model.codes.practice_settings import CODES as SETTINGS
from transvase.model.verdict import Policy
from transvase.validators.identity import comparable


class _Form(NamedTuple):
    """What follows a prefix: the number it holds and the regular expression of the whole."""

    number: str
    form: str


# A letter is let through here where the test kits put one (FINESS and ADELI): `TEST` tells them apart afterwards.
_INSIDE = "/.+"
PS_IDNAT: dict[str, _Form] = {
    "0": _Form("ADELI", "[0-9A-Z]{9}"),
    "1": _Form("ADELI", "[0-9A-Z]{9}[0-9]{2}" + _INSIDE),
    "3": _Form("FINESS", "[0-9A-Z]{9}" + _INSIDE),
    "4": _Form("SIREN", "[0-9]{9}" + _INSIDE),
    "5": _Form("SIRET", "[0-9]{14}" + _INSIDE),
    "6": _Form("RPPS", "[0-9]{14}" + _INSIDE),
    "8": _Form("RPPS", "[0-9]{11}"),
}
STRUCT_IDNAT: dict[str, _Form] = {
    "0": _Form("ADELI", "[0-9A-Z]{9}[0-9]{2}"),
    "1": _Form("FINESS", "[0-9A-Z]{9}"),
    "2": _Form("SIREN", "[0-9]{9}"),
    "3": _Form("SIRET", "[0-9]{14}"),
    "4": _Form("RPPS", "[0-9]{14}"),
}
# Characters that the Luhn key covers. The key of ADELI is not enforced; SIRET of La Poste follow another rule (sheet, section 1).
_KEYED = {"RPPS": 11, "FINESS": 9, "SIREN": 9, "SIRET": 14}
_LA_POSTE = "356000000"


def luhn(digits: str) -> str:
    """SQL expression: whether a text of digits ends with its Luhn key. `digits` is an expression whose value holds nothing else."""
    digit = f"substr(reverse({digits}), i + 1, 1)::INT"
    doubled = f"(2 * {digit} - CASE WHEN {digit} > 4 THEN 9 ELSE 0 END)"
    return (
        f"list_sum(list_transform(range(length({digits})), lambda i: CASE WHEN i % 2 = 1 THEN {doubled} ELSE {digit} END)) "
        "% 10 = 0"
    )


def _checked(value: str, table: dict[str, _Form], unprefixed: str) -> str:
    rest = f"substr({value}, 2)"
    cases = [f"WHEN trim(coalesce({value}, '')) = '' THEN 'EMPTY'"]
    for prefix, (number, form) in table.items():
        here = f"left({value}, 1) = '{prefix}'"
        cases.append(f"WHEN {here} AND NOT regexp_full_match({rest}, '{form}') THEN 'FORM {number}'")
        if number in ("ADELI", "FINESS"):
            real = r"([0-9]{2}|2[AB])[0-9]{7}"
            cases.append(f"WHEN {here} AND NOT regexp_full_match(left({rest}, 9), '{real}') THEN 'TEST {number}'")
        if length := _KEYED.get(number):
            keyed = f"left({rest}, {length})"
            # The key of a Corsican FINESS, with its letter, is not confirmed.
            judged = (
                f"{here} AND regexp_full_match({keyed}, '[0-9]{{{length}}}') AND NOT starts_with({rest}, '{_LA_POSTE}')"
            )
            cases.append(f"WHEN CASE WHEN {judged} THEN NOT ({luhn(keyed)}) ELSE false END THEN 'KEY {number}'")
    prefixes = ", ".join(f"'{p}'" for p in table)
    return f"CASE {' '.join(cases)} WHEN left({value}, 1) NOT IN ({prefixes}) THEN '{unprefixed}' END"


def professional_fault(value: str) -> str:
    """SQL expression: what is wrong with a PS_IdNat, as a kind (EMPTY, PREFIX, FORM, TEST, KEY) and the number it holds; NULL when
    nothing is. TEST: a letter where only the test kits have one (sheet, sections 1 and 2)."""
    return _checked(value, PS_IDNAT, "PREFIX")


def structure_fault(value: str) -> str:
    """SQL expression: the same for a Struct_IdNat; TECHNICAL is a number without prefix, which the table admits (section 3)."""
    return _checked(value, STRUCT_IDNAT, "TECHNICAL")


def _severity(policy: Policy) -> str:
    """SQL expression over `kind` and `fault`. Test identifiers break the rules on purpose, so that they block in production only; the
    key of a SIREN was read on no genuine number, a technical number is legal: they never block."""
    soft = "warning" if policy.test_identifiers else "block"
    return f"CASE WHEN fault = 'KEY SIREN' OR kind = 'TECHNICAL' THEN 'warning' WHEN kind IN ('TEST', 'KEY') THEN '{soft}' ELSE 'block' END"


def _uncoded(rule: str, table: str, column: str, codes: Iterable[str], given: str = "") -> str:
    """SQL: records whose code is none of a national set, that documents say and metadata demand: a warning for either destination.
    `given` is what the operator says of the first structure, in place of its own."""
    listed = ", ".join(f"'{c}'" for c in codes)
    said = (
        f"CASE WHEN key = (SELECT min(key) FROM {table}) THEN {literal(given)} ELSE {column} END" if given else column
    )
    return (
        f"SELECT slot, NULL::VARCHAR AS patient, '{table}' AS record_table, key, '{rule}' AS rule, destination, 'warning' AS severity, "
        f"'{table}.{column}' AS evidence FROM {table} CROSS JOIN (VALUES ('dmp'), ('portability')) AS d(destination) "
        f"WHERE coalesce({said}, '') NOT IN ({listed})"
    )


def verdicts(policy: Policy, struct_idnat: str = "", facility_type: str = "") -> str:
    """SQL: verdict rows of professionals, structures and correspondents.

    `struct_idnat` and `facility_type` are the operator's, which stand on documents in place of those of the first structure.
    A wrong identifier blocks the DMP, where the author's is mandatory and the structure must agree with the card (sections 3 and 4);
    the archive leaves with it and says so. A correspondent signs nothing: warnings for the archive, and no identifier is no fault."""
    given = struct_idnat.replace("'", "''")
    first = f"CASE WHEN '{given}' <> '' AND key = (SELECT min(key) FROM practice) THEN '{given}' ELSE struct_idnat END"
    both = "CROSS JOIN (VALUES ('dmp'), ('portability')) AS d(destination)"
    severity = f"CASE WHEN destination = 'portability' THEN 'warning' ELSE {_severity(policy)} END"
    return f"""
WITH faults AS (
  SELECT slot, NULL::VARCHAR AS patient, 'practitioner' AS record_table, key, 'PRO-ID-' AS family, 'practitioner.idnat' AS place,
    {professional_fault("idnat")} AS fault FROM practitioner
  UNION ALL
  SELECT slot, NULL, 'practice', key, 'STR-ID-', 'practice.struct_idnat', {structure_fault("number")}
  FROM (SELECT slot, key, {first} AS number FROM practice)
),
kinds AS (SELECT *, split_part(fault, ' ', 1) AS kind, trim(place || ' ' || split_part(fault, ' ', 2)) AS evidence FROM faults WHERE fault IS NOT NULL)
SELECT slot, patient, record_table, key AS record_key, family || kind AS rule, destination, {severity} AS severity, evidence
FROM kinds {both}
UNION ALL
{_uncoded("PRO-SPECIALTY", "practitioner", "specialty", SPECIALTIES)}
UNION ALL
{_uncoded("STR-FACILITY", "practice", "facility_type", FACILITIES, facility_type)}
UNION ALL
{_uncoded("STR-SETTING", "practice", "practice_setting", SETTINGS)}
UNION ALL
SELECT slot, patient, 'correspondent', key, 'PRO-ID-' || split_part(fault, ' ', 1), 'portability', 'warning',
  trim('correspondent.idnat ' || split_part(fault, ' ', 2))
FROM (SELECT slot, patient, key, {professional_fault("idnat")} AS fault FROM correspondent) WHERE fault <> 'EMPTY'
UNION ALL
SELECT slot, patient, 'correspondent', key, 'COR-COORDINATES', 'portability', 'warning', 'mssante phone'
FROM correspondent WHERE trim(coalesce(mssante, '')) = '' AND trim(coalesce(phone, '')) = ''
UNION ALL
SELECT c.slot, c.patient, 'correspondent', c.key, CASE m.quality WHEN 'name' THEN 'COR-BY-NAME' WHEN 'ambiguous' THEN 'COR-AMBIGUOUS'
  ELSE 'COR-NOT-FOUND' END, 'portability', 'warning', m.candidates || ' PS_LibreAcces'
FROM correspondents m JOIN correspondent c ON c.key = m.correspondent WHERE m.quality IN ('name', 'ambiguous', 'none')
UNION ALL
SELECT c.slot, c.patient, 'correspondent', c.key, 'COR-MAILBOX', 'portability', 'warning', 'correspondent.mssante'
FROM correspondents m JOIN correspondent c ON c.key = m.correspondent WHERE NOT m.published"""


# Normalised labels of the columns we read; the spelling of labels varies by apostrophe and capitals (section 6).
_DIRECTORY = {
    "idnat": "identification nationale pp",
    "family": "nom d exercice",
    "given": "prenom d exercice",
    "profession": "code profession",
    "profession_label": "libelle profession",
    "skill_label": "libelle savoir faire",
    "city": "libelle commune",
}
# This extraction's header was not read in a source: its two columns are found by name, wherever they stand.
_MAILBOXES = {"idnat": "identification nationale pp", "address": "adresse bal"}
_CHUNK = 1 << 20


def load_extractions(base: duckdb.DuckDBPyConnection, directory: Path | None, mailboxes: Path | None) -> None:
    """Read what may concern the correspondents into the temporary tables `directory` (PS_LibreAcces_Personne_activite) and `mailboxes`
    (Extraction_Correspondance_MSSante), empty when no path is given. Files are pipe-separated, UTF-8 or Latin-1. BadCall when one is
    not such an extraction."""
    _load(
        base, "directory", directory, _DIRECTORY, "PS_LibreAcces_Personne_activite",
        "idnat IN (SELECT idnat FROM correspondent) OR "
        f"{comparable('family')} IN (SELECT {comparable('family')} FROM correspondent)",
    )  # fmt: skip
    _load(
        base, "mailboxes", mailboxes, _MAILBOXES, "Extraction_Correspondance_MSSante",
        "idnat IN (SELECT idnat FROM correspondent) OR idnat IN (SELECT idnat FROM directory)",
    )  # fmt: skip


def senders(professionals: Path | None, mailboxes: Path | None, addresses: Iterable[str]) -> dict[str, tuple[str, str]]:
    """MSSanté address to (national identifier, name in practice) by the same two extractions; empty strings for what they do not tell,
    and no entry for an address they do not publish. BadCall when a file is not such an extraction."""
    with duckdb.connect() as base:
        base.execute("CREATE TEMP TABLE asked AS SELECT unnest($found) AS address", {"found": sorted(set(addresses))})
        _load(
            base, "mailboxes", mailboxes, _MAILBOXES, "Extraction_Correspondance_MSSante",
            "lower(address) IN (SELECT address FROM asked)",
        )  # fmt: skip
        _load(
            base, "directory", professionals, _DIRECTORY, "PS_LibreAcces_Personne_activite",
            "idnat IN (SELECT idnat FROM mailboxes)",
        )  # fmt: skip
        rows = base.sql(
            "SELECT lower(m.address), min(coalesce(m.idnat, '')), coalesce(min(trim(concat_ws(' ', d.given, d.family))), '') "
            "FROM mailboxes m LEFT JOIN directory d ON d.idnat = m.idnat GROUP BY ALL HAVING count(DISTINCT m.idnat) <= 1 ORDER BY ALL"
        ).fetchall()
    # A mailbox of a whole structure is published under several professionals: it is nobody's in particular.
    return {address: (idnat, name) for address, idnat, name in rows}


def _load(
    base: duckdb.DuckDBPyConnection, name: str, path: Path | None, wanted: dict[str, str], extraction: str, where: str
) -> None:
    if path is None:
        empty = ", ".join(f"NULL::VARCHAR AS {column}" for column in wanted)
        base.execute(f"CREATE OR REPLACE TEMP TABLE {name} AS SELECT {empty} LIMIT 0").fetchall()
        return
    try:
        encoding, labels = _header(path)
    except OSError as error:
        raise _refused(path, extraction, Said(f"n'est pas lisible ({type(error).__name__})", f"cannot be read ({type(error).__name__})")) from None  # fmt: skip
    for label in wanted.values():
        if label not in labels:
            raise _refused(path, extraction, Said(f"n'a pas la colonne « {label} »", f'has no column "{label}"'))
    columns = ", ".join(f"'c{i}': 'VARCHAR'" for i in range(len(labels)))
    chosen = ", ".join(f"trim(c{labels.index(label)}) AS {column}" for column, label in wanted.items())
    source = (
        f"read_csv({literal(path)}, delim = '|', header = false, skip = 1, columns = {{{columns}}}, quote = '', escape = '', "
        f"null_padding = true, strict_mode = false, auto_detect = false, encoding = '{encoding}')"
    )
    try:
        base.execute(
            f"CREATE OR REPLACE TEMP TABLE {name} AS SELECT DISTINCT * FROM (SELECT {chosen} FROM {source}) WHERE {where}"
        ).fetchall()
    except (duckdb.InvalidInputException, duckdb.IOException, duckdb.ConversionException):
        # The engine's own words quote the line.
        raise _refused(
            path, extraction, Said("n'a pas le même nombre de colonnes partout", "has not the same number of columns everywhere")
        ) from None  # fmt: skip


def _refused(path: Path, extraction: str, what: Said) -> BadCall:
    return BadCall(
        what=Said(f"le fichier {path.name} {what}", f"file {path.name} {what.en}"),
        mend=Said(
            f"donnez le fichier {extraction}_*.txt tiré de l'archive publiée",
            f"give the file {extraction}_*.txt taken out of the published archive",
        ),
    )


def _header(path: Path) -> tuple[str, list[str]]:
    """Encoding and normalised labels of an extraction. Some copies are UTF-8, others Latin-1: the bytes decide, all of them."""
    decoder = codecs.getincrementaldecoder("utf-8-sig")()
    encoding, first = "utf-8", b""
    with path.open("rb") as file:
        first = file.readline(_CHUNK)
        chunk = first
        try:
            while chunk:
                decoder.decode(chunk)
                chunk = file.read(_CHUNK)
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            encoding = "latin-1"
    text = first.decode("utf-8-sig" if encoding == "utf-8" else encoding)
    return encoding, [_label(part) for part in text.rstrip("\r\n").split("|")]


def _label(text: str) -> str:
    bare = "".join(c for c in unicodedata.normalize("NFKD", text.lower()) if not unicodedata.combining(c))
    return re.sub(r"[^a-z0-9]+", " ", bare.replace("(coord. structure)", "")).strip()


def correspondents(with_directory: bool, with_mailboxes: bool) -> str:
    """SQL over `correspondent`, `directory`, `mailboxes`: one row per correspondent.

    correspondent (key), quality, idnat (found in the directory), candidates (persons found), addresses (published MSSanté addresses),
    published (whether the recorded address is one of them; NULL when nothing can be compared). quality: `identifier` (the same
    national identifier), `name` (one person of that name, profession and city), `ambiguous` (several, or one by less than the three),
    `none`, `unchecked` without a directory. Nothing is merged nor written back."""
    profession = "(c.profession = '' OR c.profession = d.profession OR c.skill IN (d.profession_label, d.skill_label))"
    return f"""
WITH mine AS (
  SELECT slot, key, nullif(trim(idnat), '') AS idnat, {comparable("family")} AS family, coalesce({comparable("given")}, '') AS given,
    CASE WHEN trim(coalesce(specialty, '')) = '' THEN '' ELSE coalesce(nullif(regexp_extract(specialty, '^G15_(\\d+)', 1), ''), '-') END
      AS profession,
    coalesce({comparable("specialty")}, '') AS skill, coalesce({comparable("city")}, '') AS city,
    nullif(lower(trim(mssante)), '') AS mssante
  FROM correspondent
),
listed AS (
  SELECT DISTINCT idnat, {comparable("family")} AS family, {comparable("given")} AS given, profession,
    {comparable("profession_label")} AS profession_label, {comparable("skill_label")} AS skill_label,
    -- A distribution office is not a city: LYON CEDEX 03.
    regexp_replace({comparable("city")}, ' CEDEX.*', '') AS city
  FROM directory WHERE coalesce(idnat, '') <> ''
),
by_number AS (SELECT DISTINCT c.key, d.idnat FROM mine c JOIN listed d ON d.idnat = c.idnat),
by_name AS (
  SELECT c.key, count(DISTINCT d.idnat) AS n, min(d.idnat) AS idnat, bool_and(c.given <> '' AND c.profession <> '' AND c.city <> '') AS whole
  FROM mine c JOIN listed d ON d.family = c.family AND (c.given = '' OR d.given = c.given) AND {profession}
    AND (c.city = '' OR regexp_replace(c.city, ' CEDEX.*', '') = d.city)
  WHERE c.key NOT IN (SELECT key FROM by_number)
  GROUP BY c.key
),
matched AS (
  SELECT c.slot, c.key, c.mssante,
    CASE WHEN NOT {with_directory} THEN 'unchecked' WHEN i.key IS NOT NULL THEN 'identifier' WHEN n.n = 1 AND n.whole THEN 'name'
      WHEN n.n >= 1 THEN 'ambiguous' ELSE 'none' END AS quality,
    CASE WHEN i.key IS NOT NULL THEN i.idnat WHEN n.n = 1 AND n.whole THEN n.idnat END AS idnat,
    CASE WHEN i.key IS NOT NULL THEN 1 ELSE coalesce(n.n, 0) END AS candidates,
    -- Without a directory the recorded identifier is all there is to join on.
    CASE WHEN {with_directory} THEN i.idnat ELSE c.idnat END AS sure
  FROM mine c LEFT JOIN by_number i ON i.key = c.key LEFT JOIN by_name n ON n.key = c.key
),
boxes AS (
  SELECT m.key, list_sort(list(DISTINCT lower(b.address))) AS addresses
  FROM matched m JOIN mailboxes b ON b.idnat = coalesce(m.idnat, m.sure) WHERE coalesce(b.address, '') <> '' GROUP BY m.key
)
SELECT m.key AS correspondent, m.quality, m.idnat, m.candidates, coalesce(x.addresses, []::VARCHAR[]) AS addresses,
  -- A name alone does not tell whose mailbox it is.
  CASE WHEN {with_mailboxes} AND m.mssante IS NOT NULL AND m.sure IS NOT NULL THEN list_contains(coalesce(x.addresses, []::VARCHAR[]), m.mssante) END
    AS published
FROM matched m LEFT JOIN boxes x ON x.key = m.key"""
