"""The archive through the assets of the pipeline, as the commands ask for it: settings, trial, encryption, phases."""

from __future__ import annotations

import json
import shutil
import zipfile
from datetime import timedelta
from pathlib import Path

import duckdb
import orjson
import pyarrow.parquet as pq
import pyrage
import pytest

from transvase.commands.export import incomplete
from transvase.commands.main import main
from transvase.formats import canonical
from transvase.formats.fhir_reading import told
from transvase.formats.portability_manifest import read
from transvase.model.tables import TABLES
from transvase.sources.synthetic.practice import generate
from transvase.validators.archive import verify

from .conftest import CLOCK, prepare, unzipped


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("taches")
    generate(folder / "cabinet.sqlite3", patients=2, clock=CLOCK, document_size=500)
    return prepare(folder / "cabinet.sqlite3", folder / "work")


def settings(work: Path, folder: Path, lines: str) -> Path:
    path = folder / "transvase.toml"
    path.write_text(
        f'[work]\nfolder = "{work}"\nworkers = 1\n'
        f'[export]\nfolder = "{folder}/sortie"\nviewer = false\nparquet = true\nfhir = true\n{lines}\n',
        encoding="utf-8",
    )
    return path


def head(path: Path) -> object:
    with zipfile.ZipFile(path) as outer, outer.open("MANIFEST.XML") as file:
        return read(file)[0]


def test_port_15_a_trial_is_encrypted_as_the_delivery_and_says_what_it_is(
    work: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    identity = pyrage.x25519.Identity.generate()
    path = settings(work, tmp_path, f'recipient = "{identity.to_public()}"')
    assert main(["export", "--sample", "--settings", str(path), "--clock", CLOCK.isoformat(), "--json"]) in (0, 1)
    facts = json.loads(capsys.readouterr().out)
    assert (facts["status"], facts["encryption"], facts["viewer"], facts["parquet"], facts["fhir"]) == (
        "SAMPLE", "age", False, True, True,
    )  # fmt: skip
    assert [p.suffix for p in (tmp_path / "sortie").iterdir() if p.name.startswith("PA")].count(".ZIP") == 0
    plain = tmp_path / facts["archive"].removesuffix(".age")
    plain.write_bytes(pyrage.decrypt((tmp_path / "sortie" / facts["archive"]).read_bytes(), [identity]))
    assert not verify(plain).problems
    assert head(plain).status == "SAMPLE"  # type: ignore[attr-defined]
    members = unzipped(plain.read_bytes())
    assert "SAMPLE" in members["README.TXT"].decode()
    assert {n.split("/")[0] for n in members if "/" in n} == {"DOCUMENTATION", "PARQUET", "FHIR"}
    lines = sum(len(data.splitlines()) for name, data in members.items() if name.endswith(".ndjson"))
    sample = facts["fhir_sample"]
    assert sample["different"] == 0 and sample["of"] == lines >= sample["read"] > 50
    # The audit report speaks of the delivery.
    assert not (work / "export.json").exists()


def test_what_an_independent_reader_says_of_fhir_is_told_by_the_command_and_the_report(
    work: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(work, tmp_path / "work")
    path = settings(tmp_path / "work", tmp_path, "")
    words = ["--settings", str(path), "--clock", CLOCK.isoformat()]
    assert main(["export", *words]) in (0, 1)
    line = capsys.readouterr().out.splitlines()[-1]
    sample = json.loads((tmp_path / "work" / "export.json").read_bytes())["fhir_sample"]
    assert line == told(sample, "fr") and line.endswith("aucune différence")
    assert main(["audit", *words]) in (0, 1)
    (page,) = tmp_path.rglob("rapport.html")
    section = page.read_text(encoding="utf-8").split("relues par un lecteur indépendant", 1)[1][:3000]
    assert str(sample["read"]) in section and "Différentes à la relecture" in section


@pytest.mark.parametrize(("different", "count"), [(0, 0), (3, 3)])
def test_resources_that_differ_make_an_export_incomplete(different: int, count: int) -> None:
    facts = {"forms": {"written": 5}, "orphans": 0, "fhir_sample": {"different": different}}
    assert incomplete(facts) == count
    assert incomplete(facts | {"fhir_sample": None}) == 0


def test_both_phases_of_a_request_leave_by_the_command(
    work: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(work, tmp_path / "work")
    work = tmp_path / "work"
    gone = f"SELECT key FROM '{work}/canonical/patient.parquet' ORDER BY key LIMIT 3"
    for name in ("encounter", "document", "appointment"):
        table = work / "canonical" / f"{name}.parquet"
        dated = f'if(patient IN ({gone}), \'2024-01-02\', "{TABLES[name].dated}") AS "{TABLES[name].dated}"'
        held = duckdb.sql(f"SELECT * REPLACE ({dated}) FROM '{table}'").to_arrow_table()
        pq.write_table(held, table, **canonical.LAYOUT)
    path = settings(work, tmp_path, "")
    ((doctor,),) = duckdb.sql(f"SELECT min(key) FROM '{work}/canonical/practitioner.parquet'").fetchall()

    def call(*words: str, after: timedelta) -> int:
        return main(["request", *words, "--settings", str(path), "--clock", (CLOCK + after).isoformat()])

    assert call("new", "massif", "--by", doctor, "--phased", "2027-06-30", after=timedelta(0)) == 0
    patients = set()
    for number in (1, 2):
        assert call("run", "1", after=timedelta(days=number)) in (0, 1), capsys.readouterr().err
    archives = sorted((tmp_path / "sortie" / "demande-000001").glob("PA*.ZIP"))
    assert len(archives) == 2
    for archive in archives:
        assert not verify(archive).problems
        assert head(archive).status == "PARTIAL"  # type: ignore[attr-defined]
        members = unzipped(archive.read_bytes())
        here = {orjson.loads(line)["identifier"][-1]["value"] for line in members["FHIR/Patient.ndjson"].splitlines()}
        assert len(here) == sum(n.startswith("PAT") for n in members) and not here & patients
        patients |= here
    assert len(patients) == duckdb.sql(f"SELECT count(*) FROM '{work}/canonical/patient.parquet'").fetchall()[0][0]
