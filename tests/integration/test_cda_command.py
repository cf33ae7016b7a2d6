"""`transvase cda`: one structured document of a patient, in each model, valid by the official rules and the same at the same clock."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from transvase.commands.cda import MODELS
from transvase.commands.main import main
from transvase.exporters import patient_models
from transvase.formats import cda
from transvase.sources.extract import extract
from transvase.sources.mapping import load
from transvase.sources.synthetic.practice import generate

from ..builders import CLOCK, judged, rows_of  # noqa: TID252


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cda")
    generate(folder / "cabinet.sqlite3", patients=3, clock=CLOCK, document_size=2000)
    extract(load("synthetic"), folder / "cabinet.sqlite3", folder / "work", clock=CLOCK)
    judged(folder / "work")
    path = folder / "transvase.toml"
    path.write_text(
        '[source]\nproduct = "synthetic"\npath = "cabinet.sqlite3"\n[work]\nfolder = "work"\n', encoding="utf-8"
    )
    return path


def patients(settings: Path) -> list[str]:
    return [
        key
        for (key,) in rows_of(settings.parent / "work", "SELECT key FROM patient WHERE birth_given IS NOT NULL AND birth_date IS NOT NULL ORDER BY key")
    ]  # fmt: skip


def written(settings: Path, patient: str, model: str, out: Path) -> int:
    clock = ("--clock", CLOCK.isoformat())
    return main(["cda", patient, "--model", model, "--out", str(out), "--settings", str(settings), *clock])


def test_the_models_are_those_of_the_exporter() -> None:
    assert set(MODELS) == set(patient_models.MODELS)


@pytest.mark.shared
def test_every_model_of_every_patient_passes_the_official_rules(settings: Path, tmp_path: Path, shared: Path) -> None:
    folder = tmp_path / "made"
    folder.mkdir()
    made = 0
    for patient in patients(settings)[:5]:
        for model in MODELS:
            out = folder / f"{patient}-{model}.xml"
            assert written(settings, patient, model, out) == 0
            assert cda.header(cda.parse(out.read_bytes())).level == 3
            made += 1
    assert made == 5 * len(MODELS)
    command = [
        sys.executable,
        str(shared / "tools" / "cda_check.py"),
        "--cisis",
        str(shared / "cisis"),
        "--by-template",
        "--strict",
    ]
    done = subprocess.run([*command, str(folder)], stdout=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 0, done.stdout[-2000:]
    assert f"{made} files, {made} valid" in done.stdout


def test_the_same_clock_gives_the_same_bytes(settings: Path, tmp_path: Path) -> None:
    patient = patients(settings)[0]
    for name in ("a.xml", "b.xml"):
        assert written(settings, patient, "IPS-FR", tmp_path / name) == 0
    assert (tmp_path / "a.xml").read_bytes() == (tmp_path / "b.xml").read_bytes()


def test_an_unknown_patient_is_one_sentence(settings: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert written(settings, "nobody", "VSM", tmp_path / "x.xml") == 2
    assert "aucun patient de cette clé" in capsys.readouterr().err
    assert not (tmp_path / "x.xml").exists()
