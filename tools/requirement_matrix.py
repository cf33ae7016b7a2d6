"""What is asked of Transvase, the code that answers, the tests that prove it and how they last ended: read from the sheets' lists, the
catalogue of rules, the source and the results of a run of pytest. Laying it out belongs to `generate_docs.py` and to the audit report.

Three conventions tell what a test exercises, and no list is kept by hand: a name that holds `port_nn` (PORT), the marker
`requirement("DMP-07")` (lines of national-requirements.csv), and a rule's identifier among the strings of the test, of its parameters
or of the table they come from (rules of the catalogue).
"""

from __future__ import annotations

import ast
import csv
import hashlib
import io
import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from transvase.model.verdict import CATALOGUE

ROOT = Path(__file__).resolve().parent.parent
PORT = ROOT / "tools" / "port_ids.csv"
NATIONAL = ROOT / "docs" / "reference" / "national-requirements.csv"
REASONS = ROOT / "docs" / "reference" / "requirements-reasons.csv"
PACKAGES = (
    "validators",
    "exporters",
    "formats",
    "ledger",
    "gateways",
    "assets",
    "sources",
    "reports",
    "commands",
    "model",
)
# What nearly every test goes through says nothing of one requirement; the sandbox plays the service.
_COMMON = (
    "errors",
    "settings",
    "sandbox",
    "model",
    "sources.synthetic",
    "sources.mapping",
    "commands.main",
    "assets.run",
)
# Who calls comes after who does.
_DRIVERS = ("assets.", "sources.", "commands.", "validators.verdicts")
# How many modules a requirement is said to be answered by.
_MODULES = 3
GROUPS = {
    "RULE": "Rules of the verdicts",
    "PORT": "PORT: portability of the records",
    "DMP": "DMP: feeding the shared record",
    "VIHF": "VIHF: who asks, in every request to the DMP",
    "INSI": "INSi: asking for identities",
    "INS": "INS: national identity",
    "XDM": "XDM: archives",
    "MSS": "MSSanté: secure messages",
}


class Inconsistent(Exception):
    """The requirements, the code and the tests contradict each other: no matrix can be written from them."""


class Requirement(NamedTuple):
    """A line that is asked of Transvase, in our own words; `source` is the sheet and its section, or the text that a rule names."""

    id: str
    group: str
    level: str
    source: str
    fr: str
    en: str


class Line(NamedTuple):
    """A requirement with the symbols that answer it, the tests that exercise it, or why there is none."""

    requirement: Requirement
    code: tuple[str, ...]
    tests: tuple[str, ...]
    reason: str


class Result(NamedTuple):
    """How the tests of a requirement ended: numbers of test functions. `absent` did not run at all."""

    outcome: str
    passed: int
    failed: int
    skipped: int
    absent: int


def wanted() -> list[Requirement]:
    """Every requirement, in the order of the pages."""
    found = [
        Requirement(r.id, "RULE", "block" if r.outcome else "report", r.source, r.sentence_fr, r.sentence)
        for r in CATALOGUE.values()
    ]
    for row in _rows(PORT):
        found.append(
            Requirement(row["id"], "PORT", row["level"], "portability-requirements", row["mots"], row["words"])
        )
    for row in _rows(NATIONAL):
        group, source = row["id"].partition("-")[0], f"{row['sheet']} §{row['section']}"
        found.append(Requirement(row["id"], group, row["level"], source, row["mots"], row["words"]))
    if twice := [i for i, n in Counter(r.id for r in found).items() if n > 1]:
        raise Inconsistent(f"defined twice: {', '.join(twice)}")
    if unknown := {r.group for r in found} - set(GROUPS):
        raise Inconsistent(f"no such group: {', '.join(sorted(unknown))}")
    return found


def reasons() -> dict[str, str]:
    """Why a requirement has no test, or what is left open."""
    return {row["id"]: row["reason"] for row in _rows(REASONS)}


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


class _File:
    """The names that a file of tests defines at its top, those of ours that it imports, and those of other files of tests."""

    def __init__(self, path: Path) -> None:
        self.path = path
        within = [p / "conftest.py" for p in path.parents if p.is_relative_to(ROOT / "tests")]
        self.above = [p for p in within if p.is_file() and p != path]
        text = path.read_text(encoding="utf-8")
        self.tree = ast.parse(text)
        self.rules = {rule for rule in CATALOGUE if rule in text}
        self.defined: dict[str, list[ast.stmt]] = {}
        self.imported: dict[str, str] = {}
        self.elsewhere: dict[str, tuple[Path, str]] = {}
        self._used: dict[ast.AST, tuple[set[str], set[tuple[str, str]]]] = {}
        for node in self.tree.body:
            for name in _names_of(node):
                self.defined.setdefault(name, []).append(node)
        for node in ast.walk(self.tree):
            if isinstance(node, ast.ImportFrom):
                for one in node.names:
                    if (node.module or "").startswith("transvase"):
                        self.imported[one.asname or one.name] = f"{node.module}.{one.name}".removeprefix("transvase.")
                    elif node.level and node.module:
                        other = path.parents[node.level - 1].joinpath(*node.module.split(".")).with_suffix(".py")
                        self.elsewhere[one.asname or one.name] = (other, one.name)

    def used(self, node: ast.AST) -> tuple[set[str], set[tuple[str, str]]]:
        """The names that a part of the file uses, arguments included, and the members of what it imports from us."""
        if node not in self._used:
            names: set[str] = set()
            members: set[tuple[str, str]] = set()
            for part in ast.walk(node):
                if isinstance(part, ast.Name):
                    names.add(part.id)
                elif isinstance(part, ast.arg):
                    names.add(part.arg)
                elif isinstance(part, ast.Attribute) and getattr(part.value, "id", "") in self.imported:
                    members.add((part.value.id, part.attr))
            self._used[node] = (names, members)
        return self._used[node]


class _Files:
    """The files of tests, each read once."""

    def __init__(self) -> None:
        self._read: dict[Path, _File] = {}

    def __getitem__(self, path: Path) -> _File:
        if path not in self._read:
            self._read[path] = _File(path)
        return self._read[path]

    def holders(self, name: str, file: _File) -> Iterator[tuple[ast.stmt, _File]]:
        """What a name stands for in a file: defined there, in another file of tests, or as a fixture in a conftest above."""
        if name in file.defined:
            yield from ((node, file) for node in file.defined[name])
        elif name in file.elsewhere:
            path, there = file.elsewhere[name]
            if path.is_file():
                yield from ((node, self[path]) for node in self[path].defined.get(there, ()))
        else:
            for above in file.above:
                other = self[above]
                yield from ((node, other) for node in other.defined.get(name, ()))


def _names_of(node: ast.stmt) -> Iterator[str]:
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        yield node.name
    elif isinstance(node, ast.Assign | ast.AnnAssign):
        for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
            yield from (n.id for n in ast.walk(target) if isinstance(n, ast.Name))


class Tests:
    """The test functions by pytest's identifier, without their parameters, and the files that hold them."""

    def __init__(self) -> None:
        self.files = _Files()
        self.found: dict[str, tuple[ast.FunctionDef, _File]] = {}
        # In how many files of tests a module of ours is imported.
        self.everywhere: Counter[str] = Counter()
        for path in sorted((ROOT / "tests").rglob("test_*.py")):
            if path.parent == ROOT / "tests" / "docs":
                # Those speak of the pages, and of this matrix.
                continue
            file = self.files[path]
            self.everywhere.update({_module(symbol) for symbol in file.imported.values()})
            for node in file.tree.body:
                if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                    self.found[f"{path.relative_to(ROOT).as_posix()}::{node.name}"] = (node, file)

    def by_requirement(self) -> dict[str, list[str]]:
        """Requirement to the identifiers of the tests that exercise it, in order."""
        tests: dict[str, list[str]] = {}
        for test, (node, file) in self.found.items():
            for ident in sorted({*_stated(node), *_rules(node, file)}):
                tests.setdefault(ident, []).append(test)
        return tests

    def modules(self, test: str) -> set[str]:
        """The modules that a test goes through."""
        return {m for s in _symbols(*self.found[test], self.files) if (m := _module(s))}


def _stated(node: ast.FunctionDef) -> Iterator[str]:
    for group in re.findall(r"port_(\d\d(?:_and_\d\d)*)", node.name):
        yield from (f"PORT-{number}" for number in group.split("_and_"))
    for mark in node.decorator_list:
        if isinstance(mark, ast.Call) and isinstance(mark.func, ast.Attribute) and mark.func.attr == "requirement":
            yield from (str(a.value) for a in mark.args if isinstance(a, ast.Constant))


def _rules(node: ast.FunctionDef, file: _File) -> Iterator[str]:
    """Rules among the strings of a test, its docstring apart, and of the tables that its parameters are taken from."""
    if not file.rules:
        return
    seen: set[str] = set()
    parameters = len(node.decorator_list)
    for rank, first in enumerate([*node.decorator_list, *node.body]):
        waiting = [first]
        while waiting:
            one = waiting.pop()
            if isinstance(one, ast.Expr) and isinstance(one.value, ast.Constant):
                # A docstring says something to a reader and does nothing.
                continue
            for part in ast.walk(one):
                if isinstance(part, ast.Constant) and part.value in file.rules:
                    yield str(part.value)
                if rank < parameters and isinstance(part, ast.Name) and part.id not in seen:
                    seen.add(part.id)
                    waiting += [n for n in file.defined.get(part.id, ()) if isinstance(n, ast.Assign | ast.AnnAssign)]


def _is_text(node: Any) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


def _docstrings(node: ast.AST) -> list[ast.Constant]:
    """What stands as a statement says something to a reader and does nothing."""
    return [n.value for n in ast.walk(node) if isinstance(n, ast.Expr) and isinstance(n.value, ast.Constant)]


def _symbols(node: ast.stmt, file: _File, files: _Files) -> Iterator[str]:
    """Symbols of the package that a test calls, itself or by the fixtures and functions of the files of tests."""
    seen: set[tuple[Path, str]] = set()
    waiting: list[tuple[ast.AST, _File]] = [(node, file)]
    while waiting:
        one, here = waiting.pop()
        names, members = here.used(one)
        yield from (f"{here.imported[owner]}.{member}" for owner, member in members)
        for name in names:
            if name in here.imported:
                yield here.imported[name]
            elif (here.path, name) not in seen and not name.startswith("test_"):
                seen.add((here.path, name))
                waiting += files.holders(name, here)


def matrix() -> list[Line]:
    """Every requirement with its code and tests. Inconsistent when one has neither test nor reason, when a test names one that is unknown,
    or when a reason is left for one that has tests (a reason that begins with `open` says what is done in part)."""
    required, why, all_tests = wanted(), reasons(), Tests()
    tests = all_tests.by_requirement()
    known = {r.id for r in required}
    if stray := (set(tests) | set(why)) - known:
        raise Inconsistent(f"no such requirement: {', '.join(sorted(stray))}")
    if bare := [r.id for r in required if not tests.get(r.id) and not why.get(r.id)]:
        raise Inconsistent(f"{', '.join(bare)}: neither a test that exercises it nor a line in {REASONS.name}")
    if left := [i for i, text in why.items() if tests.get(i) and not text.startswith("open")]:
        raise Inconsistent(f"{', '.join(left)}: tested, take its line away from {REASONS.name}")
    rules = code_of_rules()
    if undone := [r.id for r in required if r.group == "RULE" and not rules.get(r.id)]:
        raise Inconsistent(f"{', '.join(undone)}: no code decides it")
    return [
        Line(
            r,
            tuple(rules[r.id]) if r.group == "RULE" else _code(tests.get(r.id, ()), all_tests),
            tuple(tests.get(r.id, ())),
            why.get(r.id, ""),
        )
        for r in required
    ]


def _code(tests: Iterable[str], all_tests: Tests) -> tuple[str, ...]:
    """The modules that the tests of a requirement go through: of those that half of them share, the ones that the fewest other tests go
    through. Where a test goes through nothing of its own, the sandbox judges what was sent."""
    told = Counter(m for test in tests for m in all_tests.modules(test))
    for common in (_COMMON, _COMMON[:2]):
        kept = {m: n for m, n in told.items() if not any(m == c or m.startswith(f"{c}.") for c in common)}
        if kept:
            most = max(kept.values())
            shared = [m for m, n in kept.items() if 2 * n >= most]
            return tuple(sorted(shared, key=lambda m: (m.startswith(_DRIVERS), all_tests.everywhere[m], m))[:_MODULES])
    return ()


def _module(symbol: str) -> str:
    """`exporters.vihf.assertion` to `exporters.vihf`; empty for what is no module of ours."""
    parts = symbol.split(".")
    for end in range(len(parts), 0, -1):
        if ROOT.joinpath(*parts[:end]).with_suffix(".py").is_file():
            return ".".join(parts[:end])
    return ""


def code_of_rules() -> dict[str, list[str]]:
    """Rule to `module:symbol` where its identifier, or that of its family (`PRO-ID-`), stands in a string of the code."""
    places: dict[str, str] = {}
    families = {rule[: m.end()] for rule in CATALOGUE for m in re.finditer("-", rule)}
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            text = path.read_text(encoding="utf-8")
            if path.name == "verdict.py" or "codes" in path.parts or not any(family in text for family in families):
                continue
            module = path.relative_to(ROOT).with_suffix("").as_posix().replace("/", ".")
            for node in ast.parse(text).body:
                if name := next(_names_of(node), ""):
                    spoken = _docstrings(node)
                    texts = (n.value for n in ast.walk(node) if _is_text(n) and n not in spoken)
                    places[f"{module}:{name}"] = "\n".join(texts)
    found: dict[str, list[str]] = {}
    for rule in CATALOGUE:
        own = [rule[: m.end()] for m in re.finditer("-", rule)]
        for text in (rule, *reversed(own)):
            held = re.compile(rf"(?<![\w-]){re.escape(text)}(?![\w-])")
            if decided := [p for p, strings in places.items() if text in strings and held.search(strings)]:
                # Who decides comes before who tells.
                found[rule] = [p for p in decided if p.startswith("validators.")] or decided
                break
    return found


# -- results ---------------------------------------------------------------------------------------------------------------


def outcomes(files: Iterable[Path]) -> tuple[str, dict[str, str]]:
    """Version and outcome of each test function by several runs of pytest (`--results`): any failure counts, a skip gives way to a run.
    Inconsistent when they are of several versions."""
    versions: set[str] = set()
    found: dict[str, str] = {}
    worst = ("skipped", "passed", "failed")
    for file in files:
        told = json.loads(file.read_text(encoding="utf-8"))
        versions.add(told["version"])
        for test, outcome in told["outcomes"].items():
            name = test.partition("[")[0]
            found[name] = max(found.get(name, "skipped"), outcome, key=worst.index)
    if len(versions) != 1:
        raise Inconsistent(f"results of {len(versions)} versions")
    return versions.pop(), found


def result(line: Line, found: dict[str, str]) -> Result:
    """How the tests of a requirement ended: failed when one did, passed when one passed and none failed, otherwise not run."""
    counts = Counter(found.get(test, "absent") for test in line.tests)
    outcome = "failed" if counts["failed"] else "passed" if counts["passed"] else "not-run"
    return Result(outcome, counts["passed"], counts["failed"], counts["skipped"], counts["absent"])


def packaged(lines: Iterable[Line]) -> str:
    """`model/requirements.csv`: what the audit report says of each requirement, without any result."""
    return _csv(
        ("id", "group", "fr", "en", "source", "tests"),
        (
            (*(line.requirement.id, line.requirement.group, line.requirement.fr, line.requirement.en, line.requirement.source),
             " ".join(t.removeprefix("tests/") for t in line.tests))
            for line in lines
        ),
    )  # fmt: skip


def packaged_results(lines: Sequence[Line], version: str, found: dict[str, str]) -> str:
    """`model/requirement_results.csv`: how the tests of each requirement ended, for that version and that matrix (its digest)."""
    of = hashlib.sha256(packaged(lines).encode()).hexdigest()
    return _csv(
        ("id", "version", "matrix", *Result._fields),
        ((line.requirement.id, version, of, *result(line, found)) for line in lines),
    )


def _csv(head: Iterable[str], rows: Iterable[Iterable[object]]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(head)
    writer.writerows(rows)
    return text.getvalue()
