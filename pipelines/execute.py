"""Running a job in this process, for the command line: the same assets, the same event log, our errors as they were raised."""

from __future__ import annotations

from pathlib import Path

import dagster as dg
from dagster._core.instance import InstanceRef
from sqlalchemy.exc import OperationalError

from transvase.assets.evidence import recorded
from transvase.assets.run import Run
from transvase.errors import DiskFull, OutputUnwritable, TransvaseError
from transvase.formats.files import private_folder, write
from transvase.pipelines import event_log
from transvase.pipelines.definitions import EVERY_BUCKET, build

# The instance of a work folder: events beside the working copies, no telemetry. The project's own dagster.yaml says the same.
INSTANCE = """\
telemetry:
  enabled: false
nux:
  enabled: false
compute_logs:
  module: dagster._core.storage.noop_compute_log_manager
  class: NoOpComputeLogManager
run_queue:
  max_concurrent_runs: 1
python_logs:
  python_log_level: WARNING
"""


def home(work: Path) -> Path:
    """Dagster's home of a work folder, created on first use."""
    folder = private_folder(work / "dagster")
    if not (folder / "dagster.yaml").is_file():
        write(folder / "dagster.yaml", INSTANCE.encode())
    return folder


def execute(job: str, run: Run) -> None:
    """Run a job to its end, on record; raises the error of the asset that failed."""
    with recorded(run, job) as kept:
        _execute(job, kept)


def _execute(job: str, run: Run) -> None:
    folder = str(home(run.work))
    with dg.DagsterInstance.from_ref(InstanceRef.from_dir(folder, overrides=event_log.overrides(folder))) as instance:
        definition = build(run).resolve_job_def(job)
        try:
            definition.execute_in_process(
                instance=instance,
                tags=EVERY_BUCKET if job in ("export", "everything") else None,
                run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
            )
        except OperationalError as error:
            # Dagster keeps its events in SQLite beside the working copies: a full disk may strike there first.
            raise (
                DiskFull(path="dagster")
                if "full" in str(error.orig)
                else OutputUnwritable(path="dagster", reason="SQLite")
            ) from None
        except dg.DagsterExecutionStepExecutionError as error:
            if isinstance(error.original_exc_info[1], TransvaseError):
                raise error.original_exc_info[1] from None
            raise
