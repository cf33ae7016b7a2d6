"""Verdicts are asked of one range of slots after another: however narrow the ranges, they are those of the whole practice."""

from __future__ import annotations

from pathlib import Path

import pyarrow.parquet as pq
import pytest

from transvase.validators import ranges, verdicts

from ..builders import A_PDF, CLOCK, NO_BODY, Row, a_document, a_patient, a_version, an_objection, practice  # noqa: TID252

FILES = ("identities", "correspondents", "versions", "obligations", "verdict", "decision")
PATIENTS = [f"P{n}" for n in range(40)]


def rows() -> list[Row]:
    """Patients in as many slots; documents without a patient, of an unknown one, twice the same, with a version under another patient, and
    versions of no document."""
    found: list[Row] = [a_patient(p) for p in PATIENTS]
    for n, patient in enumerate(PATIENTS):
        found += a_document(f"D{n}", patient)
        if n % 5 == 0:
            found += a_document(f"E{n}", patient, body=A_PDF._replace(content=f"D{n}"))
        if n % 7 == 0:
            found.append(a_version(f"V{n}", f"D{n}", PATIENTS[-n - 1], rank=2, body=NO_BODY))
        if n % 11 == 0:
            found.append(an_objection(patient))
    # A professional whose number is refused stands against documents of several patients.
    found.append(Row("practitioner", {"key": "X", "idnat": "123"}))
    for patient in PATIENTS[::4]:
        found += a_document(f"X{patient}", patient, practitioner="X")
    found += [*a_document("L1", None), *a_document("L2", None), *a_document("U1", "nobody")]
    found.append(a_version("W1", "gone", "P3"))
    found.append(a_version("W2", "gone", None, rank=2))
    return found


def written(work: Path) -> dict[str, list[str]]:
    """The lines of each verdict file; those of versions and obligations by document, since nothing is said of their order."""
    lines = {}
    for name in FILES:
        read = [repr(line) for line in pq.read_table(work / "verdicts" / f"{name}.parquet").to_pylist()]
        lines[name] = sorted(read) if name in ("versions", "obligations") else read
    return lines


@pytest.mark.parametrize("most", [1, 7, 50])
def test_narrow_ranges_find_what_one_range_finds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, most: int) -> None:
    work = practice(tmp_path, *rows())
    whole = verdicts.judge(work, clock=CLOCK, environment="sandbox"), written(work)
    monkeypatch.setattr(ranges, "_ROWS", most)
    ranged = verdicts.judge(work, clock=CLOCK, environment="sandbox"), written(work)
    assert ranged == whole
    # What the practice was made for is there: astray and repeated rows, each answered once.
    keys = [line for line in whole[1]["versions"] if "'gone'" in line]
    assert len(keys) == 1 and "'W2'" in keys[0]
    assert sum("'V7'" in line for line in whole[1]["versions"]) == 1
    assert sum("'practitioner': 'X'" in line and "PRO-ID" in line for line in whole[1]["decision"]) > 5
    assert any("DOC-DUPLICATE" in line for line in whole[1]["verdict"])
    assert len(whole[1]["decision"]) == len(set(whole[1]["decision"])) == 40 + 8 + 10 + 3
