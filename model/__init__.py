"""Canonical data: declarations and values. No file, no network, no Dagster."""
