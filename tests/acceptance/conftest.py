"""A practice's folder as an operator has it: database, settings, working copies; and the command as they call it."""

from __future__ import annotations

import os
import re
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import pytest

from transvase.sandbox import authority
from transvase.sources import mapping
from transvase.sources.extract import extract
from transvase.sources.synthetic.practice import generate
from transvase.validators.verdicts import judge

CLOCK = datetime(2026, 11, 23, 20, tzinfo=ZoneInfo("Europe/Paris"))
COMMAND = str(Path(sys.executable).with_name("transvase"))
SETTINGS = """\
[source]
product = "synthetic"
path = "cabinet.sqlite3"

[work]
folder = "work"
workers = 1

[export]
folder = "out"

[feed]
url = "https://127.0.0.1:9/si-dmp-server/v2/services"
certificate = "keys/client.pem"
key = "keys/client.key"
authority = "keys/ca.pem"
"""


class Office(NamedTuple):
    """A folder to work in."""

    folder: Path

    @property
    def settings(self) -> Path:
        return self.folder / "transvase.toml"

    @property
    def database(self) -> Path:
        return self.folder / "cabinet.sqlite3"

    @property
    def work(self) -> Path:
        return self.folder / "work"

    @property
    def out(self) -> Path:
        return self.folder / "out"

    def run(self, *arguments: object, clock: bool = True, **options: Any) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.call(*arguments, clock=clock), cwd=self.folder, capture_output=True, text=True, timeout=120, **options
        )

    def start(self, *arguments: object) -> subprocess.Popen[str]:
        return subprocess.Popen(
            self.call(*arguments),
            cwd=self.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def call(self, *arguments: object, clock: bool = True) -> list[str]:
        extra = (
            ["--clock", CLOCK.isoformat()]
            if clock and arguments[0] in ("check", "extract", "export", "feed", "audit")
            else []
        )
        return [COMMAND, *map(str, arguments), *extra]

    def final_names(self) -> set[str]:
        """Finished things under their final names: what a failed command must leave as it was."""
        names = {p.name for p in self.out.glob("*")} if self.out.is_dir() else set()
        for name in ("canonical", "verdicts"):
            names |= {f"{name}/{p.name}" for p in (self.work / name).glob("*")}
        return {n for n in names if not n.startswith(".")}

    def sql(self, *statements: str) -> None:
        with sqlite3.connect(self.database) as base:
            for statement in statements:
                base.execute(statement)


def only_one_patient(path: Path) -> None:
    """Keep the newborn of the journeys, and of the practice what a check can do without: Great Expectations takes time per table."""
    base = sqlite3.connect(path)
    ((kept,),) = base.execute("SELECT PAT_ID FROM T_PATIENT ORDER BY substr(PAT_DTN, 7) DESC LIMIT 1").fetchall()
    for (table,) in base.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
        for column in [c[1] for c in base.execute(f"PRAGMA table_info({table})")]:
            if re.fullmatch("[A-Z]{3}_PAT", column) or (table, column) == ("T_PATIENT", "PAT_ID"):
                base.execute(f"DELETE FROM {table} WHERE {column} IS NOT ?", (kept,))
    base.execute("DELETE FROM T_DOC_CONTENU WHERE CNT_DOC NOT IN (SELECT DOC_ID FROM T_DOC)")
    for table in ("T_CORRESP", "T_RDV", "T_TRACE", "T_MESURE", "T_VACCIN"):
        base.execute(f"DELETE FROM {table}") if table in tables(base) else None
    base.commit()
    base.execute("VACUUM")
    base.close()


def tables(base: sqlite3.Connection) -> set[str]:
    return {t for (t,) in base.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}


def opened(folder: Path) -> Office:
    """An office with its database still to be read."""
    folder.mkdir(parents=True, exist_ok=True)
    office = Office(folder)
    office.settings.write_text(SETTINGS, encoding="utf-8")
    return office


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Office:
    """One patient, extracted and judged, with Dagster's home begun, so that a test pays for its own command only."""
    office = opened(tmp_path_factory.mktemp("office") / "template")
    generate(office.database, clock=CLOCK, document_size=500)
    only_one_patient(office.database)
    authority.create(office.folder / "keys", CLOCK)
    extract(mapping.load("synthetic"), office.database, office.work, clock=CLOCK)
    judge(office.work, clock=CLOCK, environment="sandbox")
    assert office.run("check").returncode in (0, 1)
    return office


@pytest.fixture
def office(template: Office, tmp_path: Path) -> Office:
    shutil.copytree(template.folder, tmp_path / "office")
    return Office(tmp_path / "office")


@pytest.fixture
def unread(office: Office) -> Office:
    """The same before its first extraction; Dagster's home is there."""
    for name in ("canonical", "verdicts", "bodies"):
        shutil.rmtree(office.work / name)
    return office


@pytest.fixture(scope="session")
def refused() -> Callable[..., str]:
    """`refused(done, code)`: one line says it, the exit code is the documented one, nothing else is on stderr but progress."""

    def check(done: subprocess.CompletedProcess[str], code: int) -> str:
        lines = done.stderr.splitlines()
        said = [line for line in lines if line.startswith("transvase: ")]
        assert (done.returncode, len(said)) == (code, 1), done.stderr
        progress = (
            "extraction : ",
            "contrôles : ",
            "verdicts : ",
            "archives : ",
            "assemblage : ",
            "DMP : ",
            "vérification : ",
        )
        assert [line for line in lines if line not in said and not line.startswith(progress)] == []
        assert "Traceback" not in done.stdout
        return said[0].removeprefix("transvase: ")

    return check


ROOT_USER = hasattr(os, "geteuid") and os.geteuid() == 0
