"""The declarations of the canonical tables as asset checks (Great Expectations); the suites are in `validators.expectations`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import dagster as dg

from transvase.assets.run import Run
from transvase.errors import guarded
from transvase.model.tables import TABLES
from transvase.model.verdict import CATALOGUE
from transvase.validators import data_docs
from transvase.validators.expectations import check_work, keep, kept

NAME = "declaration"


def severity(rules: Iterable[str]) -> dg.AssetCheckSeverity:
    """That of a check, by what stands behind each of its failed expectations: rules of the catalogue, or a declaration."""
    named = (rule for told in rules for rule in told.split(", "))
    blocks = any(rule in CATALOGUE and CATALOGUE[rule].outcome for rule in named)
    return dg.AssetCheckSeverity.ERROR if blocks else dg.AssetCheckSeverity.WARN


@dg.multi_asset_check(
    specs=[
        dg.AssetCheckSpec(
            NAME, asset=name, description=f"La table {name} respecte sa déclaration (Great Expectations)."
        )
        for name in TABLES
    ],
    name="expectations",
    # Last of the steps that may run: the background process validates meanwhile, and nothing waits for a warning.
    op_tags={"dagster/priority": "-10"},
)
def expectations(run: dg.ResourceParam[Run]) -> Iterator[dg.AssetCheckResult]:
    """One check per canonical table: an error when the rule behind what failed blocks the rows it finds, else a warning. It is the
    verdicts that block, row by row: the others go on."""
    with guarded():
        run.progress("contrôles", 0, len(TABLES), "")
        checks = run.background.pop() if run.background else None
        found = (checks.result() if checks else None) or kept(run.work)
        if found is None:
            found = check_work(str(run.work))
        keep(run.work, found)
        run.progress("contrôles", len(TABLES), len(TABLES), "")
    if run.recording is not None:
        failed = {one.table: one.failed for one in found if not one.success}
        run.recording.note("expectations", {"tables": len(found), "failed": failed})
    docs = data_docs.index(run.work)
    for one in found:
        yield dg.AssetCheckResult(
            check_name=NAME,
            asset_key=one.table,
            passed=one.success,
            severity=severity(one.rules.values()),
            metadata={
                "attentes": one.expectations,
                **{f"{name} ({one.rules.get(name, name)})": n for name, n in one.failed.items()},
                **({"Data Docs": dg.MetadataValue.url(docs.resolve().as_uri())} if docs.is_file() else {}),
            },
        )
