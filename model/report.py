"""The form of the audit report: sections of sentences, tables and bars in both languages, and the lists of records behind its figures.

What is counted belongs to `reports.findings`; how it is shown to the renderers (HTML, PDF, CSV, JSON), which all read this one tree.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Literal, NamedTuple

from transvase.errors import Said


class Figure(NamedTuple):
    """A number that opens on its records: `records` names their list, empty when it stands for no record."""

    amount: int
    records: str = ""


# What stands in a cell: None is shown as a dash.
Value = Said | str | int | Figure | None


class Column(NamedTuple):
    """A column of a table: `id` names it for programs; `kind` says how its values are shown."""

    id: str
    label: Said
    kind: Literal["text", "count", "euro"] = "text"


class Table(NamedTuple):
    """Rows of cells, one per column; `total` is the last one, set apart."""

    id: str
    title: Said
    columns: Sequence[Column]
    rows: Sequence[Sequence[Value]]
    total: Sequence[Value] | None = None
    note: Said | None = None


class Bars(NamedTuple):
    """Stacked bars: one per name, one segment per series (its key in STATUSES or DELAYS, a count per name)."""

    id: str
    title: Said
    names: Sequence[Said | str]
    series: Sequence[tuple[str, Sequence[int]]]


class Section(NamedTuple):
    """A part of the report, in reading order: sentences, bars, tables."""

    id: str
    title: Said
    lines: Sequence[Said] = ()
    bars: Sequence[Bars] = ()
    tables: Sequence[Table] = ()


class View(NamedTuple):
    """What the report is about: acts from `start` to `end` (ISO days, both included), of one professional (key); empty for all."""

    start: str = ""
    end: str = ""
    practitioner: str = ""

    @property
    def sentence(self) -> Said:
        """The same in words."""
        fr, en = [], []
        if self.start:
            fr.append(f"actes du {self.start} et après")
            en.append(f"acts of {self.start} and later")
        if self.end:
            fr.append(f"actes jusqu'au {self.end} inclus")
            en.append(f"acts up to and including {self.end}")
        if self.practitioner:
            fr.append(f"professionnel {self.practitioner}")
            en.append(f"professional {self.practitioner}")
        return Said(", ".join(fr) or "tout le cabinet, toutes les dates", ", ".join(en) or "whole practice, all dates")


WHOLE = View()


class Head(NamedTuple):
    """What the report is of, and by what it was made. `clock` is aware."""

    practice: str
    clock: datetime
    software: str
    environment: str
    view: View


class Report(NamedTuple):
    """The whole report. `facts` are the totals that a program asks for, by name; `lists` the number of records of each list."""

    head: Head
    verdict: Said
    addition: Said
    sections: Sequence[Section]
    facts: dict[str, int]
    lists: dict[str, int]

    def table(self, ident: str) -> Table:
        """A table by its id; KeyError when the report has none of that name."""
        for section in self.sections:
            for table in section.tables:
                if table.id == ident:
                    return table
        raise KeyError(ident)


# How a document of the view stands against the legal deadline, which is the day of the act. The order is that of every table.
STATUSES: dict[str, Said] = {
    "in_time": Said("Alimentés à temps", "Fed in time"),
    "late": Said("Alimentés en retard", "Fed late"),
    "undated": Said("Alimentés, délai inconnu", "Fed, delay unknown"),
    "adopted": Said("Alimentés par un logiciel précédent", "Fed by a former software"),
    "waiting": Said("À alimenter aujourd'hui", "To be fed today"),
    "missing": Said("Manquants", "Missing"),
    "refused": Said("Refusés", "Refused"),
    "blocked": Said("Bloqués", "Blocked"),
    "exempt": Said("Exemptés", "Exempt"),
}
# The same at the head of a column.
BRIEF: dict[str, Said] = {
    "in_time": Said("À temps", "In time"),
    "late": Said("En retard", "Late"),
    "undated": Said("Délai inconnu", "Delay unknown"),
    "adopted": Said("Repris", "Taken over"),
    "waiting": Said("Du jour", "Of today"),
    "missing": Said("Manquants", "Missing"),
    "refused": Said("Refusés", "Refused"),
    "blocked": Said("Bloqués", "Blocked"),
    "exempt": Said("Exemptés", "Exempt"),
}
FED = ("in_time", "late", "undated", "adopted")
# Not in the DMP although the deadline has passed.
UNMET = ("missing", "refused", "blocked")

DUES: dict[str, Said] = {
    "due": Said("Dus", "Due"),
    "presumed": Said("Présumés dus", "Presumed due"),
    "free": Said("Non dus", "Not due"),
}

DELAYS: dict[str, Said] = {
    "same_day": Said("le jour même", "same day"),
    "next_day": Said("le lendemain", "next day"),
    "week": Said("2 à 7 jours", "2 to 7 days"),
    "month": Said("8 à 31 jours", "8 to 31 days"),
    "later": Said("plus d'un mois", "more than a month"),
}


def said(value: Said | str, language: str) -> str:
    """A text in the report's language."""
    return (value.fr if language == "fr" else value.en) if isinstance(value, Said) else value


def number(value: Value) -> int:
    """The number of a cell; 0 for what is none."""
    return value.amount if isinstance(value, Figure) else value if isinstance(value, int) else 0


def grouped(value: int, language: str) -> str:
    """A number as people read it: thousands parted by a narrow space in French, by a comma in English."""
    return f"{value:,}".replace(",", "\u202f" if language == "fr" else ",")


def shown(value: Value, kind: str, language: str) -> str:
    """The text of a cell."""
    if value is None:
        return "–"
    if isinstance(value, Figure):
        value = value.amount
    if isinstance(value, int):
        text = grouped(value, language)
        return f"{text} €" if kind == "euro" else text
    return said(value, language)


def lines_of(values: Iterable[Said], language: str) -> list[str]:
    """Sentences in the report's language."""
    return [said(v, language) for v in values]
