"""Dagster keeps the history of runs in databases of its own under the work folder: what a run says when they are damaged, and that errors
of any other database keep their name."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from transvase.assets.run import Progress, Run, silent
from transvase.commands.main import main
from transvase.errors import Defect, HistoryDamaged, OutputUnwritable
from transvase.pipelines.execute import execute
from transvase.settings import Settings, Work

from ..builders import CLOCK, a_document, a_patient, fed_practice  # noqa: TID252


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A practice one run of which is in the history."""
    work = fed_practice(tmp_path_factory.mktemp("office") / "work", a_patient("P1"), a_document("D1"))
    judge(work)
    return work


@pytest.fixture
def work(office: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(office, tmp_path / "work"))


def judge(work: Path, progress: Progress = silent) -> None:
    execute("check", Run(Settings(work=Work(folder=work)), CLOCK, progress))


def other(file: Path) -> None:
    """Another file under the name."""
    file.write_bytes(b"no database " * 1000)


def cut(file: Path) -> None:
    """What a copy that was interrupted leaves."""
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])


def emptied(file: Path) -> None:
    """The layout of another version."""
    with sqlite3.connect(file) as base:
        names = [name for (name,) in base.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        for name in names:
            if not name.startswith(("sqlite_", "alembic")):
                base.execute(f'DROP TABLE "{name}"')
    base.close()


def no_yaml(file: Path) -> None:
    """A file of settings that is none."""
    file.write_text("telemetry: [\n", encoding="utf-8")


def unknown(file: Path) -> None:
    """A setting that Dagster does not know."""
    file.write_text("nonsense: 1\n", encoding="utf-8")


@pytest.mark.parametrize(
    ("name", "damage"),
    [
        ("history/runs.db", other),
        ("history/runs.db", cut),
        ("history/runs.db", emptied),
        ("history/runs/index.db", other),
        ("history/runs/index.db", cut),
        ("history/runs/index.db", emptied),
        ("schedules/schedules.db", other),
        ("dagster.yaml", no_yaml),
        ("dagster.yaml", unknown),
    ],
)
def test_a_damaged_history_is_said_so(work: Path, name: str, damage: Callable[[Path], None]) -> None:
    damage(work / "dagster" / name)
    with pytest.raises(HistoryDamaged, match=r"Folder dagster of the work folder is damaged \((SQLITE_|dagster\.yaml)"):
        judge(work)
    shutil.rmtree(work / "dagster")
    judge(work)


def test_the_command_ends_in_that_sentence_and_its_code(work: Path, capsys: pytest.CaptureFixture[str]) -> None:
    other(work / "dagster" / "history" / "runs.db")
    (work.parent / "cabinet.sqlite3").touch()
    (work.parent / "transvase.toml").write_text('[work]\nfolder = "work"\n', encoding="utf-8")
    assert main(["audit", "--settings", str(work.parent / "transvase.toml")]) == HistoryDamaged.exit_code
    (line,) = capsys.readouterr().err.splitlines()
    assert line == (
        "transvase: Le dossier dagster du dossier de travail est abîmé (SQLITE_NOTADB) ; supprimez-le et relancez la même commande : "
        "il tient l'historique des exécutions et aucune donnée du cabinet."
    )


@pytest.mark.parametrize("name", ["runs.db", "runs/*-*.db", "**/*.db"])
def test_a_history_damaged_under_a_run_is_said_so_too(work: Path, name: str) -> None:
    def progress(*_: object) -> None:
        for file in (work / "dagster" / "history").glob(name):
            emptied(file)

    with pytest.raises(HistoryDamaged):
        judge(work, progress)


def test_a_history_that_cannot_be_opened_asks_for_its_rights(work: Path) -> None:
    file = work / "dagster" / "history" / "runs.db"
    file.unlink()
    file.mkdir()
    with pytest.raises(OutputUnwritable, match=r"^dagster cannot be written \(SQLITE_CANTOPEN\)"):
        judge(work)


def test_an_error_of_another_database_is_not_taken_for_one_of_the_history(work: Path) -> None:
    def progress(*_: object) -> None:
        raise sqlite3.DatabaseError("of a source")

    with pytest.raises(Defect, match=r"^DatabaseError in verdicts\.py:"):
        judge(work, progress)
