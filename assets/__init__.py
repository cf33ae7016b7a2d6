"""Thin Dagster assets: inputs, one call, metadata. No rule, no SQL, no wire format here: those live below."""

import warnings

# Dagster marks single-run backfills as beta at every definition; the version is pinned and the graph is tested.
warnings.filterwarnings("ignore", message=".*backfill_policy.*")
