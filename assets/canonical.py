"""The canonical tables, as the assets a clinic recognises: one per table, made together in one pass over its database."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import dagster as dg

from transvase.assets.pace import pace_of
from transvase.assets.run import Run
from transvase.errors import guarded
from transvase.model.tables import TABLES
from transvase.settings import require_source, source_password
from transvase.sources import mapping
from transvase.sources.extract import extract
from transvase.validators.expectations import Background


@contextmanager
def _ended(checks: Background | None) -> Iterator[None]:
    """No process is left behind by an extraction that failed."""
    try:
        yield
    except BaseException:
        if checks is not None:
            checks.close()
        raise


# In the words of the screen.
_FATES = {
    "source": "de la source",
    "mapped": "reprises",
    "native": "gardées telles quelles",
    "excluded": "exclues avec motif",
}
_CHANGES = {"new": "nouvelles", "changed": "modifiées", "gone": "disparues"}


@dg.multi_asset(
    specs=[
        dg.AssetSpec(name, group_name="canonical", description=f"{t.meaning_fr} ({t.meaning})", kinds={"parquet"})
        for name, t in TABLES.items()
    ],
    name="extraction",
)
def canonical_tables(run: dg.ResourceParam[Run]) -> Iterator[dg.MaterializeResult[None]]:
    """Read the practice's database once; every cell is mapped, carried as native or excluded with a reason."""
    # Loaded beside a first reading; a later one seldom has anything to check again.
    standing = (run.work / "canonical" / "extraction.json").is_file()
    checks = Background() if run.again or not standing else None
    with guarded(), _ended(checks):
        source = mapping.load(run.settings.source.product)
        manifest = extract(
            source,
            require_source(run.settings),
            run.work,
            clock=run.clock,
            password=source_password(run.settings),
            documents=run.settings.source.documents,
            pace=pace_of(run),
            again=run.again,
            own=run.settings.practice.struct_idnat,
            progress=lambda step, done, total: run.progress("extraction", done, total, step),
        )
        if manifest.get("changes") != {}:
            checks = checks or Background()
            checks.start(run.work)
            run.background.append(checks)
        elif checks is not None:
            checks.close()
    cells = {"source": 0, "mapped": 0, "native": 0, "excluded": 0}
    for line in manifest["cells"]:
        for name in cells:
            cells[name] += line[name]
    for name in TABLES:
        metadata = {
            "dagster/row_count": manifest["rows"][name],
            "fichier": dg.MetadataValue.path(run.work / "canonical" / f"{name}.parquet"),
        }
        if name == "native":
            metadata |= {f"cellules {_FATES[k]}": v for k, v in cells.items()}
            for change, label in _CHANGES.items() if "changes" in manifest else ():
                metadata[f"lignes de la source {label}"] = sum(c[change] for c in manifest["changes"].values())
        yield dg.MaterializeResult(asset_key=name, metadata=metadata)
