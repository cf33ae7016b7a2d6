"""A sentence about a setting names the file that was read, whatever its name and whoever found the setting wrong."""

from __future__ import annotations

import pickle
import sys
from pathlib import Path

import pytest

from transvase.commands.main import main
from transvase.errors import Said, SettingsInvalid
from transvase.settings import chosen

ABSENT = "[work]\nfolder = 'work'\n"


@pytest.fixture
def cabinet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "work" / "runs").mkdir(parents=True)
    # What a ledger on a server needs is not there.
    monkeypatch.setitem(sys.modules, "psycopg", None)
    monkeypatch.delenv("TRANSVASE_SETTINGS", raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("words", "text", "name"),
    [
        pytest.param(("feed", "show"), "[work]\nfolder = 3\n", "work.folder", id="wrong type"),
        pytest.param(("feed", "show"), "[work\n", "(file)", id="no TOML"),
        pytest.param(
            ("feed", "show"),
            ABSENT + "[feed]\nledger = 'postgresql://u@h/b'\n",
            "feed.ledger",
            id="found by the ledger",
        ),
        pytest.param(("mss", "receive", "--into", "boite"), ABSENT, "mss.imap", id="found by a command"),
        pytest.param(("audit", "stamp"), ABSENT, "evidence.time_stamp_authority", id="missing"),
    ],
)
@pytest.mark.parametrize("given", ["option", "environment", "default"])
def test_the_file_that_was_read_is_named(
    cabinet: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    words: tuple[str, ...],
    text: str,
    name: str,
    given: str,
) -> None:
    file = cabinet / "reglages" / ("transvase.toml" if given == "default" else "nord.toml")
    file.parent.mkdir()
    file.write_text(text.replace("'work'", "'../work'"), encoding="utf-8")
    if given == "environment":
        monkeypatch.setenv("TRANSVASE_SETTINGS", str(file))
    elif given == "default":
        monkeypatch.chdir(file.parent)
    option = ("--settings", str(file)) if given == "option" else ()
    assert main([*words, *option]) == SettingsInvalid.exit_code
    said = capsys.readouterr().err
    assert said.startswith(f"transvase: Réglage {name} de {file.name} : ") and str(file.parent) not in said


def test_a_file_that_is_not_there_is_named(cabinet: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["feed", "show", "--settings", "absent.toml"]) == SettingsInvalid.exit_code
    assert "Réglage (file) de absent.toml : le fichier n'existe pas" in capsys.readouterr().err


def test_the_name_replaces_that_of_the_settings_file_only() -> None:
    facts = {"name": "a.b", "what": Said("x", "y"), "mend": SettingsInvalid.MISSING}
    ours = pickle.loads(pickle.dumps(SettingsInvalid(file=SettingsInvalid.FILE, **facts)))
    assert ours.of("nord.toml").facts == {**facts, "file": "nord.toml"}
    other = SettingsInvalid(file="TRANSVASE_OPERATOR", **facts)
    assert other.of("nord.toml") is other


def test_the_option_comes_before_the_environment(cabinet: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert chosen() == Path("transvase.toml")
    monkeypatch.setenv("TRANSVASE_SETTINGS", "nord.toml")
    assert (chosen(), chosen(Path("sud.toml"))) == (Path("nord.toml"), Path("sud.toml"))
