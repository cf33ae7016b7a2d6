"""The examples of the pages hold: each command line is one that the command takes, each TOML block is read by what reads such a file, and
the pages of the operator's own way (a request, a night) are run on the demonstration's practice.

Generated pages and the tutorial have tests of their own beside this one. A command that is not run here stands in a table with its reason.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import re
import shlex
import subprocess
import sys
import time
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from transvase import settings
from transvase.commands.main import COMMANDS, main, parser_of

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted(
    p for p in [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")] if p.parent != ROOT / "docs" / "reference"
)
BLOCK = re.compile(r"^ *```(\w*)\n(.*?)^ *```", re.MULTILINE | re.DOTALL)
CLOCK = "2026-11-23T20:00:00+01:00"


def place(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def blocks(page: Path) -> list[tuple[str, str]]:
    """Language and text of each block."""
    return BLOCK.findall(page.read_text(encoding="utf-8"))


def calls(text: str) -> list[list[str]]:
    """The words of each `transvase` call of a block: lines that begin with it or with `$ `, cut at `&&` and `;`."""
    found = []
    for line in text.splitlines():
        if not re.match(r"\s*(\$ )?transvase ", line) or "…/" in line:
            continue
        for part in re.split(r"&&|;", line.strip().removeprefix("$ ")):
            words = shlex.split(part, comments=True)
            assert words[0] == "transvase", f"not a call: {part}"
            # `a|b|c` stands for one of them.
            found.append([re.sub(r"\|.*", "", w) for w in words[1:]])
    return found


# -- a line is one that the command takes -----------------------------------------------------------------------------------


def taken(words: list[str]) -> None:
    """The parser takes the words, or the test fails with what it said."""
    assert words[0] in COMMANDS, f"no command {words[0]}"
    said = io.StringIO()
    try:
        with contextlib.redirect_stderr(said):
            parser_of(words[0]).parse_args(words[1:])
    except SystemExit:
        pytest.fail(f"transvase {shlex.join(words)}: {said.getvalue().splitlines()[-1]}")


@pytest.mark.parametrize("page", PAGES, ids=place)
def test_a_line_of_a_block_is_one_that_the_command_takes(page: Path) -> None:
    for _, text in blocks(page):
        for words in calls(text):
            taken(words)


@pytest.mark.parametrize("words", [["feed", "--nothing"], ["request", "new", "massif"], ["audit", "verify", "--known"]])
def test_a_line_that_the_command_refuses_is_seen(words: list[str]) -> None:
    with pytest.raises(pytest.fail.Exception):
        taken(words)


def options_of(parser: argparse.ArgumentParser) -> set[str]:
    """Every option of a command and of its acts."""
    found: set[str] = set()
    for action in parser._actions:
        found.update(action.option_strings)
        if isinstance(action, argparse._SubParsersAction):
            found = found.union(*(options_of(p) for p in action.choices.values()))
    return found


@pytest.mark.parametrize("page", PAGES, ids=place)
def test_options_named_in_a_sentence_exist(page: Path) -> None:
    text = BLOCK.sub("", page.read_text(encoding="utf-8"))
    for command, rest in re.findall(r"`transvase\s+([a-z]+)\b([^`]*)`", text):
        unknown = set(re.findall(r"(?<!\S)--[a-z-]+", rest)) - options_of(parser_of(command))
        assert not unknown, f"transvase {command} has no {', '.join(sorted(unknown))}"


# -- TOML -------------------------------------------------------------------------------------------------------------------

MAPPINGS = [tomllib.loads(p.read_text(encoding="utf-8")) for p in sorted((ROOT / "sources").glob("*/mapping.toml"))]
TOML = [
    pytest.param(text, id=f"{place(page)}-{number}")
    for page in PAGES
    for number, (language, text) in enumerate(blocks(page), 1)
    if language == "toml"
]


@pytest.mark.parametrize("text", TOML)
def test_a_toml_block_is_read_by_what_reads_such_a_file(text: str, tmp_path: Path) -> None:
    found = tomllib.loads(text)
    if set(found) <= set(settings.Settings.model_fields):
        file = tmp_path / "transvase.toml"
        file.write_text(text, encoding="utf-8")
        settings.load(file)
    else:
        assert all(any(key in m for m in MAPPINGS) for key in found), (
            "neither settings nor part of a mapping that ships"
        )
        for key, value in found.items():
            known: set[str] = set().union(*(set(m[key]) for m in MAPPINGS if isinstance(m.get(key), dict)))
            assert not isinstance(value, dict) or set(value) <= known | {"counter"}, f"[{key}] of no mapping that ships"


# -- links that leave -------------------------------------------------------------------------------------------------------

# Every address outside of the project that a page names. A new one is added here on purpose: no test asks the network.
OUTSIDE = {"https://age-encryption.org", "https://www.open-emr.org"}


def test_addresses_outside_are_known_and_whole() -> None:
    generated = (ROOT / "docs" / "reference").glob("*.md")
    found = {
        address
        for page in [*PAGES, *generated]
        for address in re.findall(r"\]\(([a-z]+:[^)\s]*)\)", page.read_text(encoding="utf-8"))
    }
    assert found == OUTSIDE
    assert all(re.fullmatch(r"https://[\w.-]+\.[a-z]+(/\S*)?", address) for address in OUTSIDE)


def test_a_picture_says_what_it_shows_and_is_used() -> None:
    shown = {}
    for page in PAGES:
        for alt, target in re.findall(r"!\[([^\]]*)\]\(([^)]+)\)", page.read_text(encoding="utf-8")):
            assert len(alt) > 15, f"{place(page)}: say what {target} shows"
            shown[(page.parent / target).resolve()] = alt
    assert set(shown) == set((ROOT / "docs" / "images").iterdir())


# -- run --------------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that the tutorial makes."""
    folder = tmp_path_factory.mktemp("practice") / "demo"
    assert main(["demo", str(folder), "--patients", "3"]) in (0, 1)
    return folder


# What stands for a key of the reader's own software.
KEYS = {"PROFESSIONNEL": "150100001", "DOSSIER": "200100001"}


@pytest.mark.slow
def test_requests_of_the_clinic_s_page(demo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(demo)
    page = ROOT / "docs" / "how-to" / "clinic.md"
    lines = [w for _, text in blocks(page) for w in calls(text) if w[0] == "request"]
    acts = ["new", "list", "acknowledge", "run"]
    assert {words[1] for words in lines} == set(acts)
    # As a reader would: all are registered first, and request 3, which two blocks run, is run once.
    once = dict.fromkeys(tuple(KEYS.get(w, w) for w in words) for words in lines)
    for words in sorted(once, key=lambda words: acts.index(words[1])):
        assert main([*words, "--clock", CLOCK]) in (0, 1), shlex.join(words)
    assert list((demo / "resultats" / "demande-000003").glob("PA*.ZIP"))


@pytest.fixture
def serving(demo: Path) -> Iterator[Any]:
    """A sandbox started by the line of the page, on ports of its own; what it printed."""
    page = (ROOT / "docs" / "how-to" / "nightly-feed.md").read_text(encoding="utf-8")
    (line,) = re.findall(r"^transvase sandbox (.+)$", page, re.MULTILINE)
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src"), "PYTHONSAFEPATH": "1"}
    process = subprocess.Popen(
        [sys.executable, "-m", "transvase.commands.main", "sandbox", *shlex.split(line), "--port", "0", "--clock", CLOCK],
        cwd=demo, env=environment, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        assert process.stdout is not None
        printed: list[str] = []
        end = time.monotonic() + 60
        while not printed or not printed[-1].startswith("since"):
            assert time.monotonic() < end
            got = process.stdout.readline()
            assert got, "the sandbox did not start"
            printed.append(got)
        yield "".join(printed)
    finally:
        # Not `terminate`: Dagster gives SIGTERM the fate of SIGINT, which a job in the background ignores, and so do its children.
        process.kill()
        process.wait(30)


@pytest.mark.slow
def test_a_night_of_the_nightly_page(
    demo: Path, serving: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(demo)
    found = blocks(ROOT / "docs" / "how-to" / "nightly-feed.md")
    (written,) = [text for language, text in found if language == "toml" and "essai" in text]
    (told,) = [text for language, text in found if language == "console"]
    (demo / "essai.toml").write_text(written + serving, encoding="utf-8")
    codes = []
    for words in calls(told):
        codes.append((words[0], main([*words, "--clock", CLOCK])))
    assert codes == [
        ("extract", 0), ("check", 1), ("feed", 0), ("feed", 0), ("feed", 0), ("feed", 0), ("audit", 1),
    ]  # fmt: skip
    assert "registered" in capsys.readouterr().out


def test_a_console_block_is_run_somewhere() -> None:
    """`console` is the promise that a test runs the block; the pages below are those that keep it."""
    assert {place(p) for p in PAGES if any(language == "console" for language, _ in blocks(p))} == {
        "docs/how-to/nightly-feed.md",
        "docs/tutorial/first-archive.md",
    }
