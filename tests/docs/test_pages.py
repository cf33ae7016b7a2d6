"""Pages say what the code does: generated ones are up to date, links and commands exist, each command is told and has help."""

from __future__ import annotations

import ast
import csv
import re
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

from transvase import settings
from transvase.commands.main import COMMANDS, parser_of, usage
from transvase.model.tables import TABLES

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "changelog").glob("*.md")])
WRITTEN = [p for p in PAGES if p.parent != ROOT / "docs" / "reference"]


def place(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def targets() -> set[str]:
    return set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))


# -- generated -------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def generator():
    return runpy.run_path(str(ROOT / "tools" / "generate_docs.py"))


def test_generated_pages_are_those_of_the_code(generator):
    stale = [
        n
        for n, make in generator["PAGES"].items()
        if (ROOT / "docs/reference" / n).read_text(encoding="utf-8") != make()
    ]
    assert not stale, "run python tools/generate_docs.py and read the difference"


def test_no_page_stands_beside_the_generated_ones(generator):
    assert {p.name for p in (ROOT / "docs" / "reference").glob("*.md")} == set(generator["PAGES"])


def test_check_exits_1_on_a_difference():
    page = ROOT / "docs" / "reference" / "outcomes.md"
    script = (
        "import sys, runpy, pathlib; sys.argv = ['generate_docs.py', '--check']; "
        f"m = runpy.run_path({str(ROOT / 'tools' / 'generate_docs.py')!r}); m['PAGES'].clear(); "
        "m['PAGES'].update({'outcomes.md': lambda: 'other'}); sys.exit(m['main']())"
    )
    before = page.read_bytes()
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert (done.returncode, page.read_bytes()) == (1, before)
    assert "outcomes.md" in done.stdout


def test_the_page_tells_every_environment_variable(generator):
    """One function reads the environment (the house rules say that only `settings` does), and refuses a name that is not told."""
    tree = ast.parse(Path(settings.__file__).read_text(encoding="utf-8"))
    read = {"environ", "environb", "getenv", "getenvb"}
    readers = [
        getattr(node, "name", "outside a function")
        for node in tree.body
        for part in ast.walk(node)
        if (isinstance(part, ast.Attribute) and part.attr in read)
        or (isinstance(part, ast.alias) and part.name in read)
    ]
    assert readers == ["_environment"]
    with pytest.raises(KeyError):
        settings._environment("TRANSVASE_UNTOLD")
    page = generator["PAGES"]["settings.md"]()
    assert [name for name in settings.ENVIRONMENT if f"| `{name}` |" not in page] == []
    # Told and not read would be as wrong: each is a name that a reader of the environment passes on.
    named = [n.value for n in ast.walk(tree) if isinstance(n, ast.Constant) and n.value in settings.ENVIRONMENT]
    assert [name for name in settings.ENVIRONMENT if named.count(name) < 2] == []


def test_requirements_are_numbered_once_and_in_order():
    with (ROOT / "tools" / "port_ids.csv").open(encoding="utf-8", newline="") as file:
        ids = [r["id"] for r in csv.DictReader(file)]
    assert ids == sorted(set(ids)) and all(re.fullmatch(r"PORT-\d\d", i) for i in ids)


def test_reasons_are_two_columns():
    with (ROOT / "docs/reference/requirements-reasons.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file))
    assert rows[0] == ["id", "reason"] and all(len(r) == 2 and r[1].strip() for r in rows), (
        "quote a reason that holds a comma"
    )


# -- commands --------------------------------------------------------------------------------------------------------------


def test_help_lists_every_command_and_every_command_is_a_module():
    # `import` is a word of the language: its module has an underscore.
    modules = {p.stem.rstrip("_") for p in (ROOT / "commands").glob("*.py")} - {
        "__init",
        "__init__",
        "ledger_words",
        "main",
        "session",
    }
    assert modules == set(COMMANDS)
    assert [
        line.split()[0] for line in usage().splitlines() if line.startswith("  ") and "COMMANDE" not in line
    ] == list(COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_and_each_of_its_options_have_help(name):
    parser = parser_of(name)
    assert parser.description and " / " in COMMANDS[name], "French / English"
    assert [a.dest for a in parser._actions if not a.help] == []
    assert parser.format_help()


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_is_told_in_a_page_that_somebody_wrote(name):
    assert any(f"transvase {name}" in p.read_text(encoding="utf-8") for p in WRITTEN), "tell when to use it"


@pytest.mark.parametrize("page", PAGES, ids=place)
def test_commands_that_a_page_names_exist(page):
    text = page.read_text(encoding="utf-8")
    code = "\n".join([*re.findall(r"```.*?\n(.*?)```", text, re.DOTALL), *re.findall(r"`([^`\n]+)`", text)])
    assert set(re.findall(r"(?:^|[`$ &;])transvase ([a-z]+)", code, re.MULTILINE)) <= set(COMMANDS)
    for line in re.findall(r"^(?:\$ )?make ((?:[a-z-]+ ?)+)", code, re.MULTILINE):
        assert set(line.split()) <= targets(), "the Makefile has no such task"
    assert {
        p for p in re.findall(r"(?:python|pytest) ((?:tools|tests)/[\w/.]+)", code) if not (ROOT / p).exists()
    } == set()


def test_the_readme_gives_the_two_commands():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert "\nmake demo" in text and "\nmake test" in text


def test_the_help_of_make_names_every_task():
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    (phony,) = re.findall(r"^\.PHONY: (.+)$", text, re.MULTILINE)
    assert set(re.findall(r"^([a-z-]+):.*## ", text, re.MULTILINE)) == set(phony.split())


# -- links, words ----------------------------------------------------------------------------------------------------------


def anchors(path: Path) -> set[str]:
    titles = re.findall(r"^#+ (.+)$", path.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", t.lower()).replace(" ", "-") for t in titles}


@pytest.mark.parametrize("page", PAGES, ids=place)
def test_relative_links_resolve(page):
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    broken = []
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"[a-z]+:", target):
            continue
        name, _, anchor = target.partition("#")
        path = (page.parent / name).resolve() if name else page
        if not path.exists() or not path.is_relative_to(ROOT) or (anchor and anchor not in anchors(path)):
            broken.append(target)
    assert not broken


@pytest.mark.parametrize("page", WRITTEN, ids=place)
def test_files_that_a_page_names_in_code_exist(page):
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    named = set(
        re.findall(
            r"`((?:tests|tools|docs|src|model|sources|exporters|ledger|formats)/[\w./-]+\.(?:py|md|json|csv))`", text
        )
    )
    assert {n for n in named if not (ROOT / n).exists()} == set()


def test_every_page_is_reached_from_the_readme():
    reached, todo = set(), [ROOT / "README.md"]
    while todo:
        page = todo.pop()
        if page in reached or page.suffix != ".md":
            continue
        reached.add(page)
        for target in re.findall(r"\]\(([^)\s#]+)[^)]*\)", page.read_text(encoding="utf-8")):
            if not re.match(r"[a-z]+:", target) and (page.parent / target).is_file():
                todo.append((page.parent / target).resolve())
    assert set(PAGES) - reached == set()


def test_the_glossary_has_every_table_and_every_package():
    text = (ROOT / "GLOSSARY.md").read_text(encoding="utf-8")
    packages = {p.parent.name for p in ROOT.glob("*/__init__.py")} - {"tests"}
    assert {n for n in [*TABLES, *packages] if f"`{n}`" not in text} == set()


def test_decisions_are_numbered_and_have_three_parts():
    pages = sorted((ROOT / "docs" / "adr").glob("[0-9]*.md"))
    assert [p.name[:4] for p in pages] == [f"{n:04d}" for n in range(1, len(pages) + 1)]
    for page in pages:
        text = page.read_text(encoding="utf-8")
        assert text.startswith(f"# {page.name[:4]}. "), page.name
        assert re.findall(r"^\*\*(\w+)\.\*\* \S", text, re.MULTILINE) == ["Context", "Decision", "Consequence"], (
            page.name
        )


def test_pictures_are_small():
    assert [p.name for p in (ROOT / "docs" / "images").iterdir() if p.stat().st_size > 200_000] == []
