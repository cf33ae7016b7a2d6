"""VIEWER/ in the archive: verified as the rest, taken away without harm, the same bytes twice, and ignored by an import."""

from __future__ import annotations

import hashlib
import zipfile
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from tests.integration.conftest import CLOCK, CONTACT, Exported, job, unzipped
from transvase.exporters import portability
from transvase.exporters.archive_set import Division
from transvase.formats import zip_stream
from transvase.model.request import Scope
from transvase.model.tables import TABLES
from transvase.sources.archive.importer import import_archive
from transvase.validators.archive import verify

Entries = list[tuple[str, bytes]]


def carried(work: Path, out: Path, scope: Scope | None = None, **options: object) -> Path:
    asked = job(work)._replace(viewer=True, **({"scope": scope} if scope else {}))
    facts = portability.export(asked, out, CONTACT, workers=1, **options)  # type: ignore[arg-type]
    return out / str(facts["archive"])


@pytest.fixture(scope="module")
def archive(practice: Exported, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return carried(practice.work, tmp_path_factory.mktemp("viewer"))


def entries(path: Path) -> Entries:
    with zipfile.ZipFile(path) as found:
        return [(i.filename, found.read(i)) for i in found.infolist()]


def rewritten(found: Entries, folder: Path) -> Path:
    """The entries again in our container form, without a digest beside them."""
    path = folder / f"PA{CLOCK:%Y%m%dT%H%M%S}.ZIP"
    path.write_bytes(
        zip_stream.build(
            [(n, d, not n.startswith(("PAT", "TRANSVERSE"))) for n, d in found], CLOCK.replace(tzinfo=None)
        )
    )
    return path


def blocking(path: Path) -> list[str]:
    return [f.id for f in verify(path).findings if f.severity == "block"]


def test_the_required_part_is_the_same_with_and_without(archive: Path, practice: Exported) -> None:
    shown = unzipped(archive.read_bytes())
    required = {n: d for n, d in shown.items() if not n.startswith("VIEWER/")}
    assert required.keys() == practice.members.keys()
    changed = {n for n, d in required.items() if practice.members[n] != d}
    assert changed <= {"README.TXT", "MANIFEST.XML"}
    assert not any(n.startswith("VIEWER/") for n in practice.members)


def test_each_patient_has_their_script_and_the_manifest_tells_the_list_of_digests(archive: Path) -> None:
    shown = unzipped(archive.read_bytes())
    sums = shown["VIEWER/SHA256.TXT"]
    assert hashlib.sha256(sums).hexdigest().encode() in shown["MANIFEST.XML"]
    told = dict(reversed(line.split("  ", 1)) for line in sums.decode().splitlines())  # type: ignore[misc]
    held = {n: hashlib.sha256(d).hexdigest() for n, d in shown.items() if n.startswith("VIEWER/") and d is not sums}
    assert told == held
    assert sum(n.startswith("VIEWER/data/") for n in held) == sum(n.startswith("PAT") for n in shown)


def test_it_verifies_and_says_what_was_checked(archive: Path) -> None:
    report = verify(archive)
    assert not report.problems
    assert report.checked["optional files"] == sum(n.startswith("VIEWER/") for n, _ in entries(archive))


def test_taken_away_the_archive_still_verifies_and_says_so(archive: Path, tmp_path: Path) -> None:
    report = verify(rewritten([e for e in entries(archive) if not e[0].startswith("VIEWER/")], tmp_path))
    assert not report.problems
    assert "ARC-GONE-OPTIONAL" in [f.id for f in report.elsewhere]


@pytest.mark.parametrize(
    "name", ["VIEWER/app.js", "VIEWER/index/000001.js", "VIEWER/data/000/000001.js", "VIEWER/SHA256.TXT"]
)
@pytest.mark.parametrize("how", ["changed", "missing", "added"])
def test_any_change_inside_is_found(archive: Path, tmp_path: Path, name: str, how: str) -> None:
    found = entries(archive)
    assert name in dict(found)
    if how == "changed":
        found = [(n, d.replace(b"0", b"1", 1) if n == name else d) for n, d in found]
    elif how == "missing":
        found = [e for e in found if e[0] != name]
    else:
        found.append((name + ".js", b"alert(1)"))
    assert blocking(rewritten(found, tmp_path)) == ["ARC-OPTIONAL"]


def test_a_folder_that_the_manifest_does_not_announce_is_refused(practice: Exported, tmp_path: Path) -> None:
    page = b"<script src=//example.invalid></script>"
    sums = f"{hashlib.sha256(page).hexdigest()}  VIEWER/index.html\n".encode()
    found = [*practice.members.items(), ("VIEWER/index.html", page), ("VIEWER/SHA256.TXT", sums)]
    assert blocking(rewritten(found, tmp_path)) == ["ARC-OPTIONAL"]


def test_twice_the_same_bytes(practice: Exported, archive: Path, tmp_path: Path) -> None:
    assert carried(practice.work, tmp_path).read_bytes() == archive.read_bytes()


def test_an_import_ignores_it(archive: Path, practice: Exported, tmp_path: Path) -> None:
    for name, path in (("with", archive), ("without", practice.path)):
        import_archive(path, tmp_path / name, clock=CLOCK)
    for table in TABLES:
        one, other = (pq.read_table(tmp_path / n / "canonical" / f"{table}.parquet") for n in ("with", "without"))
        assert one.equals(other), table


def test_the_record_of_one_patient_has_its_page_and_copies_beside(practice: Exported, tmp_path: Path) -> None:
    key = pq.read_table(practice.work / "canonical" / "document.parquet").column("patient").drop_null()[0].as_py()
    shown = unzipped(carried(practice.work, tmp_path, Scope("UNITAIRE", key)).read_bytes())
    inner = unzipped(shown["PAT00001.ZIP"])
    copies = {n: d for n, d in inner.items() if n.startswith("PDF/")}
    assert copies
    assert {n: shown[f"VIEWER/{n}"] for n in copies} == copies
    page = shown["VIEWER/dossier.html"].decode()
    assert page.count('href="PDF/') == len(copies)
    # PORT-21: what a record handed out leaves out is not in its reading either.
    assert b"Notes personnelles" not in shown["VIEWER/dossier.html"]
    assert b'"personal_note":' not in shown["VIEWER/data/000/000001.js"]


def test_each_archive_of_a_set_shows_its_own_patients(practice: Exported, tmp_path: Path) -> None:
    whole = practice.path.stat().st_size
    first = carried(practice.work, tmp_path, division=Division(part_size=whole // 2))
    found = sorted(tmp_path.glob("PA*.ZIP"))
    assert len(found) > 2 and first in found
    patients = 0
    for path in found:
        assert not blocking(path)
        shown = unzipped(path.read_bytes())
        zips = {n for n in shown if n.startswith("PAT")}
        told = b"".join(d for n, d in shown.items() if n.startswith("VIEWER/index/")).decode()
        assert {n for n in zips if f'"{n}"' in told} == zips
        assert f"PAT{len(zips) + 1:05d}" not in told
        for name in zips:
            assert hashlib.sha256(shown[name]).hexdigest() in str(
                [d for n, d in shown.items() if n.startswith("VIEWER/data/")]
            )
        assert path.stat().st_size <= whole // 2 or len(zips) == 1
        patients += len(zips)
    assert patients == len(practice.patients)
