"""Dagster definitions, jobs, partitions, schedules, sensors, resources. What an asset computes belongs to the layers below."""
