"""All matricule rules over a million identities, in times of a bare count of the key formula in the same run:
`python bench/identities.py [--identities 1000000] [--rounds 7]`.

DuckDB invents the identities itself; one in fifty is spoiled. Engine settings are those of the verdict pass. Exit 1 above three times.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from datetime import date
from pathlib import Path

import duckdb

from transvase.formats.canonical import literal
from transvase.model.tables import TABLES
from transvase.model.verdict import POLICIES
from transvase.validators import identity

MOST = 3.0
TODAY = date(2026, 11, 23)
POLICY = POLICIES["sandbox"]
_KEY = "97 - (replace(replace(substr(ins, 1, 13), '2A', '19'), '2B', '18')::BIGINT % 97)"
# Sound ones only: the bare formula fails on a letter out of place.
BARE = f"SELECT count(*) FILTER ({_KEY} = substr(ins, 14, 2)::BIGINT) FROM patient WHERE number % 50 > 0"
RULES = (
    f"SELECT rule, accepted, count(*) FROM (SELECT {identity.ins_rule('ins')} AS rule, "
    f"coalesce(ins_oid, '') IN ({', '.join(repr(o) for o in POLICY.oids)}) AS accepted FROM patient) GROUP BY ALL"
)


def invent(base: duckdb.DuckDBPyConnection, count: int, path: Path) -> None:
    """`count` identities as the extraction leaves them, in a Parquet file under the view `patient`."""
    sound = {
        "key": "i::VARCHAR",
        "slot": "(i % 4096)::SMALLINT",
        "ins": f"CASE WHEN i % 50 = 0 THEN {_SPOILED} ELSE thirteen || lpad((97 - (digits % 97))::VARCHAR, 2, '0') END",
        "ins_oid": "CASE WHEN i % 97 = 0 THEN '1.2.250.1.213.1.4.8' ELSE '1.2.250.1.213.1.4.10' END",
        "insi_confirmed": "i % 9 > 0",
        "document_checked": "i % 11 > 0",
        "birth_family": "names[1 + i % 7] || chr(65 + (i // 7 % 26)::INT) || chr(65 + (i // 182 % 26)::INT)",
        "birth_given": "'MARIE-ANNE ' || names[1 + i // 3 % 7]",
        "birth_first_given": "'MARIE-ANNE'",
        "sex": "CASE WHEN i % 2 = 0 THEN 'M' ELSE 'F' END",
        "birth_date": "(DATE '1930-01-01' + (i * 7919 % 33000)::INT)::VARCHAR",
        "birth_place_code": "lpad((1001 + i * 31 % 94000)::VARCHAR, 5, '0')",
        "dmp": "'active'",
    }
    columns = ", ".join(
        f'{sound.get(c.name, "NULL")}::{_TYPE[c.kind.value]} AS "{c.name}"' for c in TABLES["patient"].columns
    )
    base.execute(
        f"""COPY (
SELECT i AS number, {sound["slot"]} AS slot, {columns} FROM (
  SELECT *, replace(replace(thirteen, '2A', '19'), '2B', '18')::BIGINT AS digits,
    ['MARTIN', 'LE GOFF', 'D''HONDT', 'SAINT-ANDRE', 'KERDONCUFF', 'BENALI', 'ROUSSEAU'] AS names
  FROM (
    SELECT i, (i % 2 + 1)::VARCHAR || lpad((i % 100)::VARCHAR, 2, '0') || lpad((i % 12 + 1)::VARCHAR, 2, '0')
      || CASE WHEN i % 60 = 1 THEN '2A' WHEN i % 60 = 2 THEN '2B' ELSE lpad((i % 95 + 1)::VARCHAR, 2, '0') END
      || lpad((i // 999 % 1000)::VARCHAR, 3, '0') || lpad((i % 999 + 1)::VARCHAR, 3, '0') AS thirteen
    FROM range({count}) AS r(i)))
) TO {literal(path)} (FORMAT parquet)"""
    ).fetchall()
    base.execute(f"CREATE VIEW patient AS FROM read_parquet({literal(path)})").fetchall()


_TYPE = {
    "text": "VARCHAR",
    "date": "VARCHAR",
    "instant": "VARCHAR",
    "decimal": "VARCHAR",
    "integer": "BIGINT",
    "flag": "BOOLEAN",
}
# One fault of each sort in turn.
_SPOILED = """(CASE i // 50 % 5 WHEN 0 THEN NULL WHEN 1 THEN thirteen || '00' WHEN 2 THEN thirteen || '5' WHEN 3 THEN '9' || thirteen || '1'
  ELSE substr(thirteen, 1, 7) || 'O' || substr(thirteen, 9) || '12' END)"""


def seconds(base: duckdb.DuckDBPyConnection, query: str) -> float:
    """Wall time of a query, its rows fetched."""
    began = time.perf_counter()
    base.execute(query).fetchall()
    return time.perf_counter() - began


def main() -> int:
    """Print the ratios; 1 when the matricule rules take more than `MOST` times the bare formula."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--identities", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    with (
        tempfile.TemporaryDirectory() as folder,
        duckdb.connect(config={"memory_limit": "768MB", "threads": 1, "temp_directory": folder}) as base,
    ):
        invent(base, options.identities, Path(folder) / "patient.parquet")
        bare, rules = [], []
        for _ in range(options.rounds):
            bare.append(seconds(base, BARE))
            rules.append(seconds(base, RULES))
        ratio = statistics.median(r / b for r, b in zip(rules, bare, strict=True))
        for rule, accepted, count in sorted(base.execute(RULES).fetchall(), key=str):
            print(f"  {rule or 'sound':<20} OID {'accepted' if accepted else 'refused':<9} {count:>9}")
        print(f"matricule rules, times the bare key formula      {ratio:6.2f}  (at most {MOST:.0f})")
        unit = statistics.median(bare)
        whole = seconds(base, f"CREATE OR REPLACE TEMP TABLE judged AS {identity.identities(POLICY, TODAY)}")
        print(f"whole identities (traits, duplicates), times it  {whole / unit:6.2f}  ({whole:.1f} s)")
        doubts = seconds(base, f"SELECT count(*) FROM ({identity.doubts()})")
        print(f"doubts between records, times it                 {doubts / unit:6.2f}  ({doubts:.1f} s)")
    return 0 if ratio <= MOST else 1


if __name__ == "__main__":
    sys.exit(main())
