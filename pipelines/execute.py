"""Running a job in this process, for the command line: the same assets, the same event log, our errors as they were raised."""

from __future__ import annotations

import sqlite3
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import dagster as dg
import yaml  # type: ignore[import-untyped]
from dagster._core.instance import InstanceRef
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from transvase.assets.evidence import recorded
from transvase.assets.run import Run
from transvase.errors import DiskFull, HistoryDamaged, OutputUnwritable, TransvaseError
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
    with _told(), _instance(home(run.work)) as instance:
        definition = build(run).resolve_job_def(job)
        try:
            definition.execute_in_process(
                instance=instance,
                tags=EVERY_BUCKET if job in ("export", "everything") else None,
                run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
            )
        except dg.DagsterExecutionStepExecutionError as error:
            if isinstance(error.original_exc_info[1], TransvaseError):
                raise error.original_exc_info[1] from None
            raise


@contextmanager
def _instance(folder: Path) -> Iterator[dg.DagsterInstance]:
    """Dagster's instance of its home. HistoryDamaged when the file that describes it is not one."""
    try:
        described = InstanceRef.from_dir(str(folder), overrides=event_log.overrides(str(folder)))
        opened = dg.DagsterInstance.from_ref(described)
    except (dg.DagsterError, yaml.YAMLError, UnicodeDecodeError):
        raise HistoryDamaged(path=folder.name, reason="dagster.yaml") from None
    with opened as instance:
        yield instance


# The file is whole and its place is not: rights, another program, a disk that fails.
_OF_THE_PLACE = ("SQLITE_CANTOPEN", "SQLITE_READONLY", "SQLITE_IOERR", "SQLITE_BUSY", "SQLITE_LOCKED", "SQLITE_PERM")


@contextmanager
def _told() -> Iterator[None]:
    """Errors of the database where Dagster keeps the history of runs, beside the working copies, in a sentence of ours. Those of any other
    database (a source, a ledger) pass: their way does not lead through Dagster's storage."""
    try:
        yield
    except (SQLAlchemyError, sqlite3.Error) as error:
        frames = (frame.f_globals.get("__name__", "") for frame, _ in traceback.walk_tb(error.__traceback__))
        if not any(name.startswith(("dagster._core.storage.", event_log.__name__)) for name in frames):
            raise
        cause = error.orig if isinstance(error, DBAPIError) else error
        reason = getattr(cause, "sqlite_errorname", type(cause).__name__)
        # A full disk may strike there first.
        if reason == "SQLITE_FULL":
            raise DiskFull(path="dagster") from None
        if reason.startswith(_OF_THE_PLACE):
            raise OutputUnwritable(path="dagster", reason=reason) from None
        raise HistoryDamaged(path="dagster", reason=reason) from None
