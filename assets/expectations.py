"""The declarations of the canonical tables as asset checks (Great Expectations); the suites are in `validators.expectations`."""

from __future__ import annotations

from collections.abc import Iterator

import dagster as dg

from transvase.assets.run import Run
from transvase.errors import guarded
from transvase.model.tables import TABLES
from transvase.validators import data_docs
from transvase.validators.expectations import check_work, keep, kept

NAME = "declaration"


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
    """One check per canonical table. A broken declaration is a warning: bad rows go on, their verdicts say what they stop."""
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
            severity=dg.AssetCheckSeverity.WARN,
            metadata={
                "attentes": one.expectations,
                **{f"{name} ({one.rules.get(name, name)})": n for name, n in one.failed.items()},
                **({"Data Docs": dg.MetadataValue.url(docs.resolve().as_uri())} if docs.is_file() else {}),
            },
        )
