"""The graph of assets is reviewed: keys, groups, dependencies, checks, jobs and schedules stand in a golden file.

`pytest tests/test_graph.py --approve` rewrites it; the difference is then read like code."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

GOLDEN = Path(__file__).parent / "golden" / "graph.json"


def drawn() -> dict[str, Any]:
    """The graph as Dagster resolves it, in a stable order."""
    from transvase.pipelines.definitions import defs

    graph = defs.resolve_asset_graph()
    assets = {
        node.key.to_user_string(): {
            "group": node.group_name,
            "deps": sorted(k.to_user_string() for k in node.parent_keys),
            "partitions": len(node.partitions_def.get_partition_keys()) if node.partitions_def else 0,
            "checks": sorted(k.name for k in node.check_keys),
        }
        for node in graph.asset_nodes
    }
    jobs = {
        job.name: {
            "assets": sorted(k.to_user_string() for k in job.asset_layer.selected_asset_keys),
            "checks": len(job.asset_layer.asset_graph.asset_check_keys),
            "executor": job.executor_def.name,
        }
        for job in defs.resolve_all_job_defs()
        if not job.name.startswith("__")
    }
    schedules = {
        s.name: {
            "job": s.job_name,
            "cron": s.cron_schedule,
            "zone": s.execution_timezone,
            "status": s.default_status.value,
        }
        for s in defs.schedules or ()
    }
    return {"assets": dict(sorted(assets.items())), "jobs": dict(sorted(jobs.items())), "schedules": schedules}


def test_the_graph_is_the_one_reviewed(request):
    found = json.dumps(drawn(), indent=2, ensure_ascii=False) + "\n"
    if request.config.getoption("--approve"):
        GOLDEN.write_text(found, encoding="utf-8", newline="\n")
    assert found == GOLDEN.read_text(encoding="utf-8"), "if intended: pytest tests/test_graph.py --approve"


def test_every_canonical_table_is_an_asset_with_its_check():
    from transvase.model.tables import TABLES

    assets = drawn()["assets"]
    for name in TABLES:
        assert assets[name]["group"] == "canonical"
        assert assets[name]["checks"] == ["declaration"]


def test_every_job_runs_in_process_and_is_scheduled_or_called():
    graph = drawn()
    assert {j["executor"] for j in graph["jobs"].values()} == {"in_process"}
    assert {s["job"] for s in graph["schedules"].values()} <= set(graph["jobs"])
