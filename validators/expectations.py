"""Great Expectations suites built from the table declarations. No value of a record is kept: unexpected values are neither listed
nor sampled; which rows are concerned is for the verdicts to say.

Great Expectations takes seconds to load and its cost is fixed per validation, so one validation runs per table, on the distinct
values of each column where that changes nothing to the answer.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from transvase.formats import canonical, files
from transvase.formats.processes import deaf_to_interrupts
from transvase.model.table import Table
from transvase.model.tables import TABLES
from transvase.validators import data_docs

# Counts only: SUMMARY would copy failing values into results, Data Docs and Dagster.
RESULT_FORMAT = {"result_format": "SUMMARY", "partial_unexpected_count": 0}


class Checked(NamedTuple):
    """Result of a table's suite: columns and expectations that failed, with the number of distinct values concerned, and for each the
    rule of the catalogue that judges the same rows, or the declaration."""

    table: str
    success: bool
    expectations: int
    failed: dict[str, int]
    rules: dict[str, str] = {}


# Rules that say of each record what the expectation says of the column (`model.verdict.CATALOGUE`); the others are declarations only.
RULES: dict[tuple[str, str], str] = {
    ("patient", "birth_date"): "RNIV-DATE-IMPOSSIBLE, RNIV-DATE-PARTIAL",
    ("patient", "birth_family"): "RNIV-TRAIT",
    ("patient", "sex"): "RNIV-TRAIT",
    ("document", "act"): "DOC-DATE",
}


def rule_of(table: str, column: str) -> str:
    """The rule behind an expectation, else the declaration that it comes from."""
    return RULES.get((table, column)) or f"déclaration {table}.{'key' if column == 'rows_per_key' else column}"


def suite(table: Table) -> list[Any]:
    """The expectations that a declaration implies: required values, closed lists, forms of dates and decimals, one row per key."""
    import great_expectations.expectations as gxe

    def told(column: str) -> dict[str, Any]:
        return {"column": column, "notes": rule_of(table.name, column), "meta": {"rule": rule_of(table.name, column)}}

    found: list[Any] = [gxe.ExpectColumnValuesToBeBetween(**told("rows_per_key"), min_value=1, max_value=1)]
    for column in table.columns:
        if column.required:
            found.append(gxe.ExpectColumnValuesToNotBeNull(**told(column.name)))
        if column.values:
            found.append(gxe.ExpectColumnValuesToBeInSet(**told(column.name), value_set=list(column.values)))
        elif column.form:
            found.append(gxe.ExpectColumnValuesToMatchRegex(**told(column.name), regex=column.form))
    return found


def frame(base: Any, table: Table) -> Any:
    """One pandas frame per table whose columns hold what the suite must see.

    Closed lists, forms and absence are the same on distinct values as on all; a pattern's digits are reduced to one representative
    per distinct value of the first ten characters of instants, so that the frame does not grow with the practice."""
    import pandas as pd

    columns: dict[str, Any] = {}
    most = 1
    for column in table.columns:
        if not (column.required or column.values or column.form):
            continue
        value = f'"{column.name}"'
        # A required text column without a list or form needs only to know whether a null is there.
        shown = value if column.values or column.form else f"CASE WHEN {value} IS NULL THEN NULL ELSE '' END"
        if column.form and column.kind.value == "instant":
            # The day and the time are matched apart from each other by the form: their distinct pairs are many, their halves few.
            shown = f"CASE WHEN length({value}) = 19 THEN '2000-01-01' || substr({value}, 11) ELSE {value} END"
            days = f"SELECT DISTINCT left({value}, 10) AS v FROM {table.name} WHERE length({value}) = 19"
            rows = base.sql(f"SELECT DISTINCT {shown} AS v FROM {table.name} UNION {days}").fetchall()
        else:
            rows = base.sql(f"SELECT DISTINCT {shown} AS v FROM {table.name}").fetchall()
        columns[column.name] = [r[0] for r in rows]
        most = max(most, len(columns[column.name]))
    keys = base.sql(f"SELECT DISTINCT n FROM (SELECT count(*) AS n FROM {table.name} GROUP BY key)").fetchall()
    columns["rows_per_key"] = [r[0] for r in keys]
    # Columns of unequal length are filled with a value they already hold, so that filling adds nothing to check.
    return pd.DataFrame(
        {
            name: pd.Series(values + [values[0]] * (max(most, len(keys)) - len(values)))
            for name, values in columns.items()
        }
    )


def check_tables(
    base: Any, names: Iterator[str] | list[str], results: list[data_docs.Result] | None = None
) -> Iterator[Checked]:
    """Validate the tables; what Great Expectations found is added to `results` when given. Loads it, so it is called inside a run
    only."""
    os.environ.setdefault("GX_ANALYTICS_ENABLED", "False")
    warnings.filterwarnings("ignore", module="great_expectations")
    import great_expectations as gx

    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = {"globally": False}
    source = context.data_sources.add_pandas("canonical")
    for name in names:
        table = TABLES[name]
        if not base.sql(f"SELECT 1 FROM {name} LIMIT 1").fetchall():
            yield Checked(name, True, 0, {})
            continue
        rules = suite(table)
        batch = (
            source.add_dataframe_asset(name)
            .add_batch_definition_whole_dataframe("all")
            .get_batch({"dataframe": frame(base, table)})
        )
        result = batch.validate(gx.ExpectationSuite(name=name, expectations=rules), result_format=RESULT_FORMAT)
        if results is not None:
            results.append(data_docs.Result(name, bool(result.success), result))
        failed, causes = {}, {}
        for one in result.results:
            if one.success:
                continue
            config = one.expectation_config
            causes[f"{config.kwargs.get('column')} {config.type}"] = rule_of(name, config.kwargs.get("column"))
            # An exception inside Great Expectations counts as a failure; its text is not kept.
            count = (
                -1
                if (one.exception_info or {}).get("raised_exception")
                else int(one.result.get("unexpected_count") or 0)
            )
            failed[f"{config.kwargs.get('column')} {config.type}"] = count
        yield Checked(name, bool(result.success), len(rules), failed, causes)


def check_work(work: str) -> list[Checked]:
    """Every table of a work folder, its pages written too; a plain function, so that it can run in a process of its own."""
    results: list[data_docs.Result] = []
    with canonical.connect(Path(work), threads=1) as base:
        found = list(check_tables(base, list(TABLES), results))
    data_docs.write(Path(work), canonical.manifest(Path(work))["clock"], results)
    return found


# Beside the tables it speaks of, and replaced with them.
_KEPT = "declarations.json"


def keep(work: Path, found: list[Checked]) -> None:
    """Write down what was found, for the runs after which the tables are the same."""
    files.write(work / "canonical" / _KEPT, orjson.dumps([one._asdict() for one in found]))


def kept(work: Path) -> list[Checked] | None:
    """What was found of the tables that stand; None when they were not checked."""
    path = work / "canonical" / _KEPT
    return [Checked(**one) for one in orjson.loads(path.read_bytes())] if path.is_file() else None


def load() -> None:
    """Pay for the import of Great Expectations (seconds) before there is something to check."""
    os.environ.setdefault("GX_ANALYTICS_ENABLED", "False")
    import great_expectations.expectations as gxe

    # Touched so that a linter sees what the import is for: the classes are ready when the tables are.
    assert gxe.ExpectColumnValuesToNotBeNull


class Background:
    """The checks in a process beside the run: it loads Great Expectations while the database is read, then validates while the verdicts
    are given. Spawned, for every system."""

    def __init__(self) -> None:
        self._pool = ProcessPoolExecutor(1, mp_context=get_context("spawn"))
        with deaf_to_interrupts():
            self._pool.submit(load)
        self._found: Future[list[Checked]] | None = None

    def start(self, work: Path) -> None:
        """The tables are ready."""
        self._found = self._pool.submit(check_work, str(work))

    def result(self) -> list[Checked] | None:
        """What was found, waiting for it; None when nothing was started."""
        try:
            return None if self._found is None else self._found.result()
        finally:
            self.close()

    def close(self) -> None:
        """End the process."""
        self._pool.shutdown(wait=False, cancel_futures=True)
