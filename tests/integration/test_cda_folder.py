"""A folder of CDA and XDM as a practice's source: every file is accounted for, what cannot be read is kept and listed, and the chain goes
on to an archive."""

from __future__ import annotations

import hashlib
import os
import shutil
import zipfile
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from transvase.errors import SourceMissing, SourceUnreadable
from transvase.exporters import portability
from transvase.sources import mapping
from transvase.sources.extract import extract
from transvase.validators.archive import verify
from transvase.validators.verdicts import judge

from .conftest import CLOCK, CONTACT, SOFTWARE

XXE = (
    b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]>'
    b'<ClinicalDocument xmlns="urn:hl7-org:v3"><title>&e;</title></ClinicalDocument>'
)


def extracted(folder: Path, work: Path, own: str = "") -> dict[str, Any]:
    return extract(mapping.load("cda"), folder, work, clock=CLOCK, own=own)


def table(work: Path, name: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = pq.read_table(work / "canonical" / f"{name}.parquet").to_pylist()
    return rows


def balanced(manifest: dict[str, Any]) -> bool:
    """Items and bytes in are items and bytes out, and the cells say the same."""
    found = manifest["received"]
    parts = ("documents", "aside", "packaging")
    (line,) = manifest["cells"]
    return (
        found["items"] == sum(found[p] for p in parts) == line["mapped"] + line["native"] + line["excluded"]
        and found["bytes"] == sum(found[f"{p}_bytes"] for p in parts)
        and line["source"] == found["items"]
    )


@pytest.fixture(scope="module")
def archives(small: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The patients' archives that our exporter wrote, as files of a folder, one of them unpacked."""
    folder = tmp_path_factory.mktemp("archives") / "dossier"
    folder.mkdir()
    for name in small.patients:
        (folder / name).write_bytes(small.members[name])
    return folder


def test_archives_of_ours_give_their_documents(archives: Path, small: Any, tmp_path: Path) -> None:
    manifest = extracted(archives, tmp_path / "work")
    assert balanced(manifest)
    ours = {
        hashlib.sha256(data).hexdigest()
        for name in small.patients
        for inside, data in small.inner(name).items()
        if inside.upper().startswith("IHE_XDM/") and "/DOC" in inside.upper()
    }
    assert ours and ours <= {v["sha256"] for v in table(tmp_path / "work", "document_version")}
    assert {d["origin"] for d in table(tmp_path / "work", "document")} == {"received"}
    assert manifest["rows"]["patient"] == 1


def test_an_unpacked_archive_is_the_packed_one(archives: Path, tmp_path: Path) -> None:
    tree = tmp_path / "tree" / "dossier"
    for packed in archives.iterdir():
        with zipfile.ZipFile(packed) as archive:
            archive.extractall(tree / packed.stem)
    packed, unpacked = extracted(archives, tmp_path / "a"), extracted(tree, tmp_path / "b")
    assert balanced(unpacked)
    assert {n: packed["received"][n] for n in ("items", "bytes")} == {
        n: unpacked["received"][n] for n in ("items", "bytes")
    }
    for name in ("patient", "document", "document_version"):
        before, after = (
            {r["key"] for r in table(tmp_path / w, name) if r.get("patient") or name == "patient"} for w in "ab"
        )
        assert before == after


def documents(folder: Path) -> list[bytes]:
    found = []
    for packed in sorted(folder.iterdir()):
        with zipfile.ZipFile(packed) as archive:
            found += [archive.read(n) for n in archive.namelist() if "/DOC" in n.upper() and n.upper().endswith(".XML")]
    return found


def test_bare_documents_and_the_chain_to_an_archive(archives: Path, tmp_path: Path) -> None:
    folder = tmp_path / "cda"
    (folder / "2024").mkdir(parents=True)
    for rank, data in enumerate(documents(archives)):
        (folder / ("2024" if rank % 2 else ".") / f"{rank}.xml").write_bytes(data)
    manifest = extracted(folder, tmp_path / "work")
    assert balanced(manifest) and manifest["unread"] == []
    assert manifest["received"]["documents"] == manifest["received"]["items"] == len(documents(archives))
    judge(tmp_path / "work", clock=CLOCK, environment="sandbox")
    practice = {"name": "Cabinet", "oid": "1.2.250.1.999.1", "facility_type": "SA07"}
    job = portability.job_of(tmp_path / "work", practice, CLOCK, SOFTWARE, None, "Europe/Paris")
    facts = portability.export(job, tmp_path, CONTACT, workers=1)
    assert verify(tmp_path / facts["archive"]).problems == []


def test_the_custody_of_the_practice_makes_a_document_its_own(archives: Path, tmp_path: Path) -> None:
    from transvase.formats import cda

    folder = tmp_path / "cda"
    folder.mkdir()
    (data, *_) = documents(archives)
    (folder / "a.xml").write_bytes(data)
    (number, *_) = (i.extension for i in cda.header(cda.parse(data)).custodian.ids)
    for own, origin in ((number, "produced"), ("", "received"), (f"{number}0", "received")):
        extracted(folder, tmp_path / "work", own)
        assert [(d["origin"], d["fed_state"]) for d in table(tmp_path / "work", "document")] == [(origin, "unknown")]


def bomb() -> bytes:
    import io

    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("IHE_XDM/SUBSET01/DOC0001.XML", b"0" * 50_000_000)
    return out.getvalue()


HOSTILE: dict[str, bytes] = {
    "empty.xml": b"",
    "xxe.xml": XXE,
    "cut.xml": b'<?xml version="1.0"?><ClinicalDocument xmlns="urn:hl7-org:v3"><title>',
    "deep.xml": b'<ClinicalDocument xmlns="urn:hl7-org:v3">' + b"<a>" * 100_000,
    "scan.pdf": b"%PDF-1.4\n%%EOF\n",
    "bomb.zip": bomb(),
    "cut.zip": b"PK\x03\x04 cut",
    "noise.bin": bytes(range(256)),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_what_cannot_be_read_is_listed_and_kept(archives: Path, tmp_path: Path, name: str) -> None:
    folder = tmp_path / "cda"
    folder.mkdir()
    (folder / "a.xml").write_bytes(documents(archives)[0])
    (folder / name).write_bytes(HOSTILE[name])
    manifest = extracted(folder, tmp_path / "work")
    assert balanced(manifest)
    assert manifest["rows"]["patient"] == 1 and manifest["received"]["documents"] == 1 == manifest["received"]["aside"]
    # By rank, never by name: a name may hold a patient's.
    assert len(manifest["unread"]) >= 1 and all(line.startswith("file 2") for line in manifest["unread"])
    digest = hashlib.sha256(HOSTILE[name]).hexdigest()
    assert (tmp_path / "work" / "bodies" / digest[:2] / digest).read_bytes() == HOSTILE[name]
    assert [v["patient"] for v in table(tmp_path / "work", "document_version") if v["sha256"] == digest] == [None]


def test_a_damaged_entry_is_counted_though_nothing_of_it_can_be_kept(archives: Path, tmp_path: Path) -> None:
    folder = tmp_path / "xdm"
    folder.mkdir()
    packed = next(archives.iterdir())
    with zipfile.ZipFile(packed) as archive:
        info = next(i for i in archive.infolist() if "/DOC" in i.filename.upper())
    data = bytearray(packed.read_bytes())
    data[info.header_offset + 60 + info.compress_size // 2] ^= 0xFF
    (folder / "a.zip").write_bytes(data)
    manifest = extracted(folder, tmp_path / "work")
    assert balanced(manifest)
    assert any("damaged" in line for line in manifest["unread"])


def test_a_folder_that_did_not_change_is_not_read_again(archives: Path, tmp_path: Path) -> None:
    folder, work = tmp_path / "docs", tmp_path / "work"
    shutil.copytree(archives, folder)
    first, one = extracted(folder, work), sorted(p for p in folder.iterdir() if p.is_file())[0]
    kept = (work / "canonical" / "document.parquet").stat().st_ino
    second = extracted(folder, work)
    assert second["changes"] == {} and second["received"] == first["received"]
    assert (work / "canonical" / "document.parquet").stat().st_ino == kept
    # Another practice reads the same files otherwise.
    assert "changes" not in extracted(folder, work, own="1990000000")
    extracted(folder, work)
    (folder / "one-more.xml").write_bytes(XXE)
    assert extracted(folder, work)["changes"] == {"files": {"new": 1, "changed": 0, "gone": 0}}
    one.unlink()
    os.utime(folder / "one-more.xml", ns=(1, 1))
    third = extracted(folder, work)
    assert third["changes"] == {"files": {"new": 0, "changed": 1, "gone": 1}} and balanced(third)
    # No name of a file, which may hold a patient's.
    names = (work / "canonical" / "source_rows.parquet").read_bytes() + (
        work / "canonical" / "source_changes.parquet"
    ).read_bytes()
    assert b"one-more" not in names


def test_links_are_not_followed_and_an_empty_folder_is_refused(archives: Path, tmp_path: Path) -> None:
    folder = tmp_path / "cda"
    folder.mkdir()
    (folder / "lien.xml").symlink_to("/etc/passwd")
    with pytest.raises(SourceUnreadable):
        extracted(folder, tmp_path / "work")
    with pytest.raises(SourceMissing):
        extracted(tmp_path / "absent", tmp_path / "work")


@pytest.mark.shared
def test_official_archives(shared: Path, tmp_path: Path) -> None:
    folder = tmp_path / "xdm"
    folder.mkdir()
    for path in sorted((shared / "xdm-examples").glob("*.zip"))[::6]:
        shutil.copy(path, folder / path.name)
    manifest = extracted(folder, tmp_path / "work")
    assert balanced(manifest)
    assert manifest["rows"]["document"] >= len(list(folder.iterdir())) - 2
    assert manifest["rows"]["patient"] >= 1
