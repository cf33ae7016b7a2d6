"""The whole of what was found of a database: tables, patients, links, findings; gathered in one order, and said as plain facts for a
program. How it is printed belongs to the command, what is written from it to `folder`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from transvase.sources.discover import links, roles
from transvase.sources.discover.links import Keys, Link, Patient
from transvase.sources.discover.profile import Table, profile
from transvase.sources.discover.roles import Attributes, Finding
from transvase.sources.view import View

# Shapes told of each column; rarer ones say little.
SHAPES = 4
Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Survey:
    """What was found. `patient` is None when no table looks like the patients'; then there are no links."""

    name: str
    kind: str
    sample: int
    tables: tuple[Table, ...]
    patient: Patient | None
    links: tuple[Link, ...]
    others: tuple[Link, ...]
    through: Mapping[str, tuple[Link, ...]]
    findings: tuple[Finding, ...]
    attributes: tuple[Attributes, ...]

    @property
    def owner(self) -> Mapping[str, Link]:
        """For each table with a column of the patient, the link to trust first."""
        return links.by_table(self.links)


def survey(view: View, kind: str, sample: int, progress: Progress = lambda done, total: None) -> Survey:
    """Read a database gently: each table once, at most `sample` of its rows, then the keys that the links need.

    Raises SourceUnreadable, SourceLocked."""
    declared = view.tables()
    tables = []
    for number, (name, columns) in enumerate(declared.items()):
        progress(number, len(declared))
        tables.append(profile(view, kind, name, columns, sample))
    keys = Keys(view, kind)
    patient = links.patient_table(tables, keys)
    direct = links.patient_links(tables, patient, keys) if patient else []
    others = links.other_links(tables, keys)
    persons = _persons(tables, patient, direct)
    progress(len(declared), len(declared))
    return Survey(
        view.name,
        kind,
        sample,
        tuple(tables),
        patient,
        tuple(direct),
        tuple(others),
        links.through(direct, others),
        tuple(f for t in tables for f in roles.findings(t, kind, t.name in persons)),
        tuple(found for t in tables if (found := roles.attributes(t))),
    )


def _persons(tables: Sequence[Table], patient: Patient | None, direct: Sequence[Link]) -> set[str]:
    """Tables whose row is a patient: theirs, and those with one row for each (their columns are attributes of the person)."""
    found = {patient.table} if patient else set()
    by_name = {t.name: t for t in tables}
    return found | {li.table for li in direct if by_name[li.table].column(li.column).unique}


def facts(found: Survey) -> dict[str, Any]:
    """The same for a program: JSON types only, and no value of a record."""
    seen: dict[tuple[str, str], list[dict[str, str]]] = {}
    for f in found.findings:
        seen.setdefault((f.table, f.column), []).append({"role": f.role, "fr": f.said.fr, "en": f.said.en})
    patient = found.patient
    return {
        "source": found.name,
        "kind": found.kind,
        "sample": found.sample,
        "patient": None
        if patient is None
        else {
            "table": patient.table,
            "key": patient.key,
            "score": patient.score,
            "why": [{"fr": w.fr, "en": w.en} for w in patient.why],
            "next": patient.next,
            "next_score": patient.next_score,
        },
        "links": [_link(li) for li in found.links],
        "other_links": [_link(li) for li in found.others],
        "through": {table: [_link(li) for li in path] for table, path in found.through.items()},
        "attributes": [a._asdict() for a in found.attributes],
        "tables": [
            {
                "name": t.name,
                "rows": t.rows,
                "read": t.read,
                "keys": [c.name for c in links.candidate_keys(t)],
                "columns": [
                    {
                        "name": c.name,
                        "type": c.declared,
                        "filled": c.filled,
                        "null": c.null,
                        "empty": c.empty,
                        "distinct": c.sketch.distinct,
                        "longest": c.longest,
                        "shapes": [[shape, rows] for shape, rows in c.shapes.most_common(SHAPES)],
                        "natures": dict(c.natures),
                        "seen": seen.get((t.name, c.name), []),
                    }
                    for c in t.columns
                ],
            }
            for t in found.tables
        ],
    }


def _link(link: Link) -> dict[str, Any]:
    return {
        "table": link.table,
        "column": link.column,
        "to_table": link.to_table,
        "to_column": link.to_column,
        "grade": link.grade,
        "found": link.found.found,
        "of": link.found.of,
        "covered": round(link.found.covered, 4),
        "rows": link.rows,
    }
