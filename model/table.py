"""How a canonical table is declared: Arrow schema, meaning, closed lists, references, pivot scope.

Everything that depends on the shape of the data (extraction, expectations, data dictionary, JSON in the archive) reads
these declarations. No file and no network here; the tables themselves are in `model/tables/`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum

import pyarrow as pa


class Kind(Enum):
    """Logical type of a column. Dates and instants stay text: ISO 8601 local time whose length is its
    precision (`2019`, `2019-03`, `2019-03-28`, `2019-03-28T09:30:00`), so a partial or
    impossible date survives extraction."""

    TEXT = "text"
    DATE = "date"
    INSTANT = "instant"
    INTEGER = "integer"
    FLAG = "flag"
    DECIMAL = "decimal"

    @property
    def arrow(self) -> pa.DataType:
        """The Arrow type that carries it. Decimals are text: a laboratory's 1.10 is not 1.1."""
        if self is Kind.INTEGER:
            return pa.int64()
        if self is Kind.FLAG:
            return pa.bool_()
        return pa.string()


# ISO 8601 calendar date of reduced precision, or with a time to the second (local time of the practice).
DATE_FORM = r"^\d{4}(-(0[1-9]|1[0-2])(-(0[1-9]|[12]\d|3[01]))?)?$"
INSTANT_FORM = r"^\d{4}(-(0[1-9]|1[0-2])(-(0[1-9]|[12]\d|3[01])(T([01]\d|2[0-3]):[0-5]\d:[0-5]\d)?)?)?$"


@dataclass(frozen=True, slots=True)
class Column:
    """One column: `values` is a closed list when not empty, `references` names the table whose `key` it holds."""

    name: str
    kind: Kind
    meaning: str
    meaning_fr: str
    required: bool = False
    values: tuple[str, ...] = ()
    references: str = ""

    @property
    def form(self) -> str:
        """The regular expression that a text value must match, or an empty string."""
        return {Kind.DATE: DATE_FORM, Kind.INSTANT: INSTANT_FORM, Kind.DECIMAL: r"^-?\d+(\.\d+)?$"}.get(self.kind, "")


# Every canonical row says where it came from, so that the sum of cells can be checked (design, section 2).
ORIGIN = (
    Column("source_table", Kind.TEXT, "Table of the source that the row came from.", "Table d'origine.", required=True),
    Column("source_key", Kind.TEXT, "Key of the row in that table.", "Clé de la ligne d'origine.", required=True),
)


@dataclass(frozen=True, slots=True)
class Table:
    """A canonical table. `pivot` says whether the portability perimeter asks for it (PORT-20);
    `unitary` whether a single-patient export carries it without judicial requisition (PORT-21); `dated` names the column that
    places a row in time, which a targeted export selects by (PORT-23), empty for what describes the patient at all times."""

    name: str
    meaning: str
    meaning_fr: str
    own: tuple[Column, ...]
    pivot: bool = True
    unitary: bool = True
    dated: str = ""

    @property
    def columns(self) -> tuple[Column, ...]:
        """Declared columns followed by the two that name the source row."""
        return self.own + ORIGIN

    @property
    def schema(self) -> pa.Schema:
        """Arrow schema, in declared order."""
        return pa.schema([pa.field(c.name, c.kind.arrow) for c in self.columns])

    @property
    def select(self) -> str:
        """The columns for SQL, quoted: `end` is a column and a keyword."""
        return ", ".join(f'"{c.name}"' for c in self.columns)

    @property
    def of_patient(self) -> bool:
        """True when rows belong to a patient (column `patient`, or `key` of the table patient itself)."""
        return self.name == "patient" or any(c.name == "patient" for c in self.own)

    @property
    def patient_column(self) -> str:
        """The column holding the patient key; empty for tables of the practice."""
        if self.name == "patient":
            return "key"
        return "patient" if self.of_patient else ""

    def __iter__(self) -> Iterator[Column]:
        return iter(self.columns)

    def column(self, name: str) -> Column:
        """The column of that name; KeyError when the table has none."""
        for column in self.columns:
            if column.name == name:
                return column
        raise KeyError(name)
