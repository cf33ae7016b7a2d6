"""The canonical tables, as the assets a clinic recognises: one per table, made together in one pass over its database."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import dagster as dg

from transvase.assets.run import Run
from transvase.errors import guarded
from transvase.model.tables import TABLES
from transvase.settings import require_source, source_password
from transvase.sources import mapping
from transvase.sources.extract import extract
from transvase.validators.expectations import Background


@contextmanager
def _ended(checks: Background) -> Iterator[None]:
    """No process is left behind by an extraction that failed."""
    try:
        yield
    except BaseException:
        checks.close()
        raise


@dg.multi_asset(
    specs=[
        dg.AssetSpec(name, group_name="canonical", description=f"{t.meaning_fr} ({t.meaning})", kinds={"parquet"})
        for name, t in TABLES.items()
    ],
    name="extraction",
)
def canonical_tables(run: dg.ResourceParam[Run]) -> Iterator[dg.MaterializeResult[None]]:
    """Read the practice's database once; every cell is mapped, carried as native or excluded with a reason."""
    checks = Background()
    with guarded(), _ended(checks):
        source = mapping.load(run.settings.source.product)
        manifest = extract(
            source,
            require_source(run.settings),
            run.work,
            clock=run.clock,
            password=source_password(run.settings),
            documents=run.settings.source.documents,
            progress=lambda step, done, total: run.progress("extraction", done, total, step),
        )
        checks.start(run.work)
        run.background.append(checks)
    cells = {"source": 0, "mapped": 0, "native": 0, "excluded": 0}
    for line in manifest["cells"]:
        for name in cells:
            cells[name] += line[name]
    for name in TABLES:
        metadata = {
            "dagster/row_count": manifest["rows"][name],
            "file": dg.MetadataValue.path(run.work / "canonical" / f"{name}.parquet"),
        }
        if name == "native":
            metadata |= {f"cells {k}": v for k, v in cells.items()}
        yield dg.MaterializeResult(asset_key=name, metadata=metadata)
