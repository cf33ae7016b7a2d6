"""`transvase audit` as an operator calls it: what is written where, what Dagster keeps of it, what the run record and the audit repository
are told.
"""

from __future__ import annotations

import json
import sqlite3
import stat
from pathlib import Path

import pytest

from transvase.assets.report import PIECES, out_of
from transvase.assets.run import Run
from transvase.commands.main import main
from transvase.exporters.audit_message import message
from transvase.model.report import View
from transvase.pipelines.definitions import build
from transvase.settings import Export, Settings
from transvase.sources import mapping
from transvase.sources.extract import extract
from transvase.sources.synthetic.practice import generate
from transvase.validators.verdicts import judge

from ..builders import CLOCK  # noqa: TID252

FORMS = {f"{name}{end}" for name in ("rapport", "report") for end in (".html", ".pdf", ".json", "-csv.zip")}


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("office")
    generate(folder / "cabinet.sqlite3", clock=CLOCK, bodies=False)
    extract(mapping.load("synthetic"), folder / "cabinet.sqlite3", folder / "work", clock=CLOCK)
    judge(folder / "work", clock=CLOCK, environment="sandbox")
    (folder / "transvase.toml").write_text('[work]\nfolder = "work"\n[export]\nfolder = "out"\n', encoding="utf-8")
    return folder


def audit(office: Path, *arguments: object) -> int:
    given = ["audit", "--settings", office / "transvase.toml", "--clock", CLOCK.isoformat(), *arguments]
    return main([str(a) for a in given])


def last_closing(office: Path) -> tuple[dict, dict]:
    entries = [json.loads(p.read_bytes()) for p in sorted((office / "work" / "runs").glob("[0-9]*.json"))]
    return entries[-2], entries[-1]


def test_the_report_is_written_in_its_forms_and_recorded(office: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert audit(office) == 1
    said = capsys.readouterr().out
    assert {p.name for p in (office / "out").iterdir()} == FORMS | {PIECES}
    told = json.loads((office / "out" / "rapport.json").read_bytes())
    assert told["verdict"] in said and str(told["totals"]["documents"]) in said
    opening, closing = last_closing(office)
    assert set(closing["reports"]) == FORMS
    # Judging and reporting open no record.
    assert "annex" not in closing["noted"] and message(opening, closing, "0" * 64) is None


def test_json_gives_totals_that_add_up(office: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert audit(office, "--json") == 1
    told = json.loads(capsys.readouterr().out)
    assert sum(told["groups"].values()) == sum(told["outcomes"].values()) == told["in_view"] == told["documents"]
    assert told["missing"] > 0


def test_a_period_or_a_professional_has_a_folder_of_its_own(office: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = (office / "out" / "rapport.html").read_bytes() if (office / "out" / "rapport.html").is_file() else b""
    audit(office, "--from", "2026-06-01", "--to", "2026-10-31", "--json")
    part = json.loads(capsys.readouterr().out)
    assert 0 < part["in_view"] < part["documents"]
    folder = office / "out" / "rapport-2026-06-01_2026-10-31"
    assert {p.name for p in folder.iterdir()} == FORMS | {PIECES}
    assert before == ((office / "out" / "rapport.html").read_bytes() if before else b"")
    _, closing = last_closing(office)
    assert (
        closing["noted"]["narrowed"]["view"]["start"] == "2026-06-01"
        and len(closing["noted"]["narrowed"]["reports"]) == 6
    )


def test_folders_of_two_professionals_never_meet(tmp_path: Path) -> None:
    def folder(key: str) -> str:
        return out_of(Run(Settings(export=Export(folder=tmp_path)), CLOCK, view=View(practitioner=key))).name

    names = [folder(key) for key in ("1", "a/b", "a-b", "a b", "../x", "é")]
    assert len(set(names)) == len(names) and all("/" not in n and ".." not in n for n in names)


def test_the_annex_is_private_recorded_and_told_to_the_repository(
    office: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    annex = office / "annexe.csv"
    audit(office, "--annex", annex)
    assert stat.S_IMODE(annex.stat().st_mode) == 0o600
    assert str(annex) in capsys.readouterr().out
    opening, closing = last_closing(office)
    assert closing["noted"]["annex"]["documents"] == len(annex.read_text(encoding="utf-8-sig").splitlines()) - 1 > 0
    assert 'csd-code="110106"' in (message(opening, closing, "0" * 64) or "")


@pytest.mark.parametrize(
    "wrong",
    [("--from", "2026-13-01"), ("--to", "hier"), ("--from", "20260101"), ("--from", "2026-02-01", "--to", "2026-01-01"),
     ("runs", "--from", "2026-01-01"), ("verify", "--annex", "x.csv")],
)  # fmt: skip
def test_what_cannot_be_meant_is_refused_before_anything_runs(
    office: Path, wrong: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    assert audit(office, *wrong) == 2
    assert "Traceback" not in capsys.readouterr().err


def test_dagster_keeps_counts_links_a_drawing_and_the_check(office: Path) -> None:
    audit(office)
    found = b""
    for path in (office / "work" / "dagster").rglob("*.db"):
        with sqlite3.connect(path) as base:
            found += "\n".join(base.iterdump()).encode()
    for words in ("en une phrase", "rapport PDF", "data:image/svg+xml", "obligations", "en retard"):
        assert words.encode() in found or json.dumps(words)[1:-1].encode() in found, words


def test_the_screen_says_what_each_asset_is_in_french() -> None:
    definitions = build()
    specs = list(definitions.resolve_all_asset_specs())
    assert len(specs) > 25
    for spec in specs:
        # French first; the English of a table stands in brackets after it.
        assert spec.description and spec.description[0].isupper(), spec.key
    assert {s.key.to_user_string() for s in specs if s.freshness_policy} == {"dmp_submissions"}
