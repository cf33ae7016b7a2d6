"""Thin Dagster assets: inputs, one call, metadata. No rule, no SQL, no wire format here: those live below."""
