"""The rules of the house that a machine can check. A message says what to do; the reasons are in CONTRIBUTING.md."""

from __future__ import annotations

import ast
import os
import re
import string
import subprocess
import sys
from collections.abc import Iterator
from importlib import import_module
from inspect import cleandoc, getmembers, isclass
from pathlib import Path

import pytest
import yaml

from transvase import errors, settings

ROOT = Path(__file__).resolve().parent.parent
KERNEL = ROOT / "src" / "transvase"
PACKAGES = sorted(p.parent.name for p in ROOT.glob("*/__init__.py") if p.parent.name != "tests")
MODULES = sorted(
    [*KERNEL.glob("*.py"), *(p for name in PACKAGES for p in (ROOT / name).rglob("*.py"))],
    key=lambda p: p.relative_to(ROOT).as_posix(),
)
ERRORS = [c for _, c in getmembers(errors, isclass) if issubclass(c, errors.TransvaseError)]


def place(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


# -- layout ----------------------------------------------------------------------------------------------------------------


def test_every_top_level_package_is_mounted_once():
    mounted = {p.name: p.resolve() for p in KERNEL.iterdir() if p.is_symlink()}
    assert mounted == {name: ROOT / name for name in PACKAGES}, "make the link: ln -s ../../NAME src/transvase/NAME"


def test_the_packages_of_the_design_are_there():
    assert {"assets", "commands", "exporters", "formats", "gateways", "ledger", "model", "pipelines", "reports", "sandbox", "sources",
            "validators"} == set(PACKAGES), "a new package: add it here, to GLOSSARY.md and to .importlinter"  # fmt: skip


@pytest.mark.parametrize("name", PACKAGES)
def test_a_package_says_what_belongs_in_it(name):
    tree = ast.parse((ROOT / name / "__init__.py").read_text(encoding="utf-8"))
    assert len(ast.get_docstring(tree) or "") > 40, f"{name}/__init__.py: what belongs here, what does not"


@pytest.mark.parametrize("path", MODULES, ids=place)
def test_a_module_opens_with_its_purpose(path):
    assert ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))), "say what belongs here and what does not"


# -- environment, clock, chance --------------------------------------------------------------------------------------------

ENVIRONMENT = {
    "src/transvase/settings.py": "the one reader of settings",
    "validators/expectations.py": "sets GX_ANALYTICS_ENABLED, which that library reads from the environment only",
    "commands/ui.py": "hands the environment to the process it starts",
}


def environment_uses(tree: ast.Module) -> int:
    names = {"environ", "environb", "getenv", "getenvb", "putenv"}
    return sum(
        (isinstance(n, ast.Attribute) and n.attr in names and isinstance(n.value, ast.Name) and n.value.id == "os")
        or (isinstance(n, ast.ImportFrom) and n.module == "os" and any(a.name in names for a in n.names))
        for n in ast.walk(tree)
    )


def test_only_settings_reads_the_environment():
    using = {place(p) for p in MODULES if environment_uses(ast.parse(p.read_text(encoding="utf-8")))}
    assert using == set(ENVIRONMENT), "take it as an argument; a use that has gone leaves the list too"


CLOCK_OR_CHANCE = {
    "commands/session.py": "the clock of a run when --clock does not give it",
    "commands/sandbox.py": "the sandbox's clock when --clock does not give it",
    "assets/evidence.py": "when a run really began and ended, in its record",
    "assets/dmp.py": "the feeder's watch: the ledger stamps each write",
    "pipelines/definitions.py": "a scheduled run begins now",
    "formats/encryption.py": "keys of an encrypted archive: each file has its own",
    "sources/sorting.py": "keys drawn to split a part, seeded by its length: the order of the rows does not depend on them",
}
# Draws from a generator seeded by the caller.
SEEDED = "sources/synthetic/"
_FORBIDDEN = {
    ("datetime", "now"), ("datetime", "utcnow"), ("datetime", "today"), ("date", "today"), ("time", "time"), ("time", "time_ns"),
    ("uuid", "uuid1"), ("uuid", "uuid4"), ("os", "urandom"), ("x509", "random_serial_number"),
}  # fmt: skip


def clock_or_chance(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            owner = node.value.id if isinstance(node.value, ast.Name) else getattr(node.value, "attr", "")
            if (owner, node.attr) in _FORBIDDEN:
                yield f"{owner}.{node.attr}"
        if isinstance(node, ast.Import):
            yield from (a.name for a in node.names if a.name in ("random", "secrets"))
        if isinstance(node, ast.ImportFrom) and node.module in ("random", "secrets", "uuid", "time", "os"):
            names = {a.name for a in node.names} & {"uuid1", "uuid4", "time", "time_ns", "urandom"}
            yield from names if node.module in ("uuid", "time", "os") else (f"from {node.module}",)


def test_clock_and_chance_are_arguments():
    using = {}
    for path in MODULES:
        if found := set(clock_or_chance(ast.parse(path.read_text(encoding="utf-8")))):
            using[place(path)] = found
    seeded = {p: u for p, u in using.items() if p.startswith(SEEDED)}
    assert seeded and all(u == {"from random"} for u in seeded.values()), "only `from random import Random`, seeded"
    others = set(using) - set(seeded)
    assert others == set(CLOCK_OR_CHANCE), "take the clock or the identifier as an argument; or give the reason here"


def test_every_generator_of_the_invented_practice_is_seeded():
    calls = 0
    for path in (ROOT / SEEDED).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Random":
                calls += 1
                assert node.args, f"{place(path)}:{node.lineno}: give Random its seed"
    assert calls


@pytest.mark.parametrize(
    "source",
    [
        pytest.param("import os\nos.environ['X']", id="environ"),
        pytest.param("from os import getenv", id="getenv imported"),
        pytest.param("import datetime\ndatetime.datetime.now()", id="now of the module"),
        pytest.param("from datetime import datetime\ndatetime.now()", id="now of the class"),
        pytest.param("from datetime import date\ndate.today()", id="today"),
        pytest.param("import uuid\nuuid.uuid4()", id="uuid4"),
        pytest.param("from uuid import uuid4", id="uuid4 imported"),
        pytest.param("import random", id="random"),
        pytest.param("from secrets import token_hex", id="secrets"),
    ],
)
def test_the_scans_see_what_they_look_for(source):
    tree = ast.parse(source)
    assert environment_uses(tree) or list(clock_or_chance(tree))


# -- errors, settings ------------------------------------------------------------------------------------------------------


def operating_codes() -> list[int]:
    text = (ROOT / "OPERATING.md").read_text(encoding="utf-8")
    return [int(c) for c in re.findall(r"^\| (\d+) \|", text, re.MULTILINE)]


def test_exit_codes_are_unique():
    codes = [c.exit_code for c in ERRORS]
    assert len(set(codes)) == len(codes), "each error has an exit code of its own"
    assert not {0, 1} & set(codes), "0 and 1 say that the command went to its end"


def test_exit_codes_are_those_of_the_operators_page():
    listed = operating_codes()
    assert listed == sorted(set(listed)), "OPERATING.md lists each code once, in order"
    assert set(listed) == {0, 1} | {c.exit_code for c in ERRORS}, (
        "the table of OPERATING.md and src/transvase/errors.py differ"
    )


def test_a_retired_exit_code_is_not_used_again():
    text = (ROOT / "OPERATING.md").read_text(encoding="utf-8")
    match = re.search(r"^Retired codes, never to be reused: (.+)\.$", text, re.MULTILINE)
    assert match, "OPERATING.md lists the retired codes"
    assert not {int(n) for n in re.findall(r"\d+", match[1])} & {c.exit_code for c in ERRORS}


@pytest.mark.parametrize("error", [e for e in ERRORS if e is not errors.TransvaseError], ids=lambda e: e.__name__)
def test_an_error_says_the_same_facts_in_both_languages(error):
    def facts(text: str) -> set[str]:
        return {name for _, name, _, _ in string.Formatter().parse(text) if name}

    assert facts(error.french) == facts(cleandoc(error.__doc__)), (
        "the French sentence and the docstring name other facts"
    )


def test_settings_hold_no_secret():
    # A setting may name the file that holds one.
    names = [n for _, s in sections() for n in s.model_fields if not n.endswith("_file")]
    assert names and not [n for n in names if re.search(r"password|secret|token|passphrase", n)]


def sections() -> Iterator[tuple[str, type[settings.Section]]]:
    for name, about in settings.Settings.model_fields.items():
        if isclass(about.annotation) and issubclass(about.annotation, settings.Section):
            yield name, about.annotation


def test_every_setting_says_what_it_means():
    silent = [
        f"{s}.{n}" for s, section in sections() for n, about in section.model_fields.items() if not about.description
    ]
    assert not silent


# -- Dagster ---------------------------------------------------------------------------------------------------------------


def test_the_projects_dagster_instance_is_that_of_the_command_line():
    from transvase.pipelines.execute import INSTANCE

    assert (ROOT / "dagster.yaml").read_text(encoding="utf-8") == INSTANCE
    assert yaml.safe_load(INSTANCE)["telemetry"] == {"enabled": False}


def test_the_workspace_names_the_code_location():
    (location,) = yaml.safe_load((ROOT / "workspace.yaml").read_text(encoding="utf-8"))["load_from"]
    module = import_module(location["python_module"]["module_name"])
    assert module.defs.resolve_asset_graph().get_all_asset_keys()
    assert "working_directory" not in location["python_module"], (
        "the root on the path would let validators/ hide a library"
    )


def test_the_screen_binds_to_loopback(monkeypatch, tmp_path):
    """`ui` starts one process; its arguments and environment are read instead of being run."""
    from transvase.commands import ui
    from transvase.commands.main import parser_of

    (tmp_path / "cabinet.sqlite3").touch()
    (tmp_path / "transvase.toml").write_text('[source]\npath = "cabinet.sqlite3"\n', encoding="utf-8")
    seen = {}
    monkeypatch.setattr(subprocess, "call", lambda command, env: seen.update(command=command, env=env) or 0)
    options = parser_of("ui").parse_args(["--settings", str(tmp_path / "transvase.toml")])
    assert ui.run(options) == 0
    assert seen["command"][seen["command"].index("--host") + 1] == "127.0.0.1"
    assert seen["env"]["PYTHONSAFEPATH"] == "1"
    assert Path(seen["env"]["DAGSTER_HOME"]).is_relative_to(tmp_path.resolve())


def test_the_screen_finds_what_stands_first_on_the_path(monkeypatch, tmp_path):
    """Dagster's own loader, as a process of the screen calls it, on a module that only the first place of PYTHONPATH holds."""
    from transvase.commands import ui
    from transvase.commands.main import parser_of

    library = tmp_path / "library"
    library.mkdir()
    (library / "standing_first.py").write_text("defs = 'found'\n", encoding="utf-8")
    (tmp_path / "cabinet.sqlite3").touch()
    (tmp_path / "transvase.toml").write_text('[source]\npath = "cabinet.sqlite3"\n', encoding="utf-8")
    script = (
        "from dagster._core.code_pointer import load_python_module as load; print(load('standing_first', None).defs)"
    )
    started = []
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join((str(library), str(tmp_path))))
    monkeypatch.setattr(subprocess, "call", lambda command, env: started.append(env) or 0)
    assert ui.run(parser_of("ui").parse_args(["--settings", str(tmp_path / "transvase.toml")])) == 0
    done = subprocess.run([sys.executable, "-c", script], env=started[0], capture_output=True, text=True, check=False)
    assert done.stdout == "found\n", done.stderr


# -- what the repository holds ---------------------------------------------------------------------------------------------

# Written in pieces, so that this file does not hold what it looks for.
_ELSEWHERE = [
    "/wo" + "rk/", "/ro" + "ot/", "/ho" + "me/", "/Us" + "ers/", "C:\\Us" + "ers",
    "pypi" + ".org", "pythonhosted" + ".org", "registry.npm" + "js", "gh" + "cr.io", "docker" + ".io", "proxy.go" + "lang",
    "--index" + "-url", "--extra-index" + "-url",
]  # fmt: skip


def repository_files() -> list[Path]:
    done = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=False,
    )
    if done.returncode:
        pytest.skip("needs a git checkout")
    return [
        p for name in done.stdout.decode().split("\0") if name and (p := ROOT / name).is_file() and not p.is_symlink()
    ]


def test_no_file_names_a_machine_or_a_package_registry():
    found = []
    for path in repository_files():
        data = path.read_bytes()
        if b"\0" in data:
            continue
        text = data.decode("utf-8", "replace")
        found += [f"{place(path)}: {mark}" for mark in _ELSEWHERE if mark in text]
    assert not found


def test_code_refers_to_no_unfinished_work():
    marks = re.compile(r"\b(TO" r"DO|FIX" r"ME|XX" r"X)\b")
    found = [place(p) for p in repository_files() if p.suffix in (".py", ".md", ".sql", ".toml") and marks.search(p.read_text(encoding="utf-8"))]  # fmt: skip
    assert not found, "finish it, or write in the page what is not there yet"
