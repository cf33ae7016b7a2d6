"""The one code location: assets, checks, jobs, schedules. What an asset computes belongs to the layers below."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from string import Formatter

import dagster as dg

from transvase import errors
from transvase.assets import alerts, requests
from transvase.assets.archive import BUCKET_PARTITIONS, patient_archives, portability_archive
from transvase.assets.canonical import canonical_tables
from transvase.assets.dmp import dmp_submissions
from transvase.assets.evidence import Recording
from transvase.assets.expectations import expectations
from transvase.assets.mss import mss_messages
from transvase.assets.report import audit_report
from transvase.assets.run import Run
from transvase.assets.verdicts import verdicts
from transvase.errors import Defect, TransvaseError
from transvase.ledger.requests import NEAR, REQUESTS, Requests
from transvase.settings import located

_EXTRACT = dg.AssetSelection.assets(canonical_tables)
_ARCHIVE = dg.AssetSelection.assets(patient_archives, portability_archive)
_VERDICTS = dg.AssetSelection.assets(verdicts)
_DMP = dg.AssetSelection.assets(dmp_submissions)
_MSS = dg.AssetSelection.assets(mss_messages)
_REPORT = dg.AssetSelection.assets(audit_report)

# Every bucket in one run: the partitions are places in the export order, not units of scheduling.
EVERY_BUCKET = {
    "dagster/asset_partition_range_start": BUCKET_PARTITIONS.get_first_partition_key() or "",
    "dagster/asset_partition_range_end": BUCKET_PARTITIONS.get_last_partition_key() or "",
}


def _job(
    name: str, selection: dg.AssetSelection, description: str, buckets: bool = False
) -> dg.UnresolvedAssetJobDefinition:
    return dg.define_asset_job(
        name,
        selection=selection,
        description=description,
        executor_def=dg.in_process_executor,
        partitions_def=BUCKET_PARTITIONS if buckets else None,
        tags=EVERY_BUCKET if buckets else None,
    )


JOBS = (
    _job("extract", _EXTRACT, "Lire la base du cabinet et contrôler les tables."),
    _job("check", _VERDICTS, "Juger identités, obligations et documents."),
    _job("export", _VERDICTS | _ARCHIVE, "Produire l'archive de portabilité.", buckets=True),
    _job("request", _VERDICTS | _ARCHIVE, "Produire l'archive d'une demande de portabilité.", buckets=True),
    _job("feed", _VERDICTS | _DMP, "Alimenter le DMP."),
    _job("messages", _VERDICTS | _MSS, "Envoyer les messages MSSanté."),
    _job("audit", _REPORT, "Écrire le rapport d'audit."),
    _job("nightly", _EXTRACT | _VERDICTS | _DMP | _REPORT, "Chaque nuit : lire, juger, alimenter, rendre compte."),
    _job(
        "everything",
        dg.AssetSelection.all() - _MSS,
        "Toute la chaîne : extraction, archive, DMP, rapport.",
        buckets=True,
    ),
)

# An act is due the same day: once after the day's acts and before midnight, once in the night window for what was late or refused.
NIGHTLY = dg.ScheduleDefinition(
    name="nightly_feed",
    job_name="nightly",
    cron_schedule=["30 20 * * *", "30 23 * * *", "30 2 * * *"],
    execution_timezone="Europe/Paris",
    description="Alimentation du soir (le jour de l'acte) et de la nuit.",
)


@dg.resource(description="Réglages, horloge et enregistrement de l'exécution.")
def run_from_settings(context: dg.InitResourceContext) -> Iterator[Run]:
    """A run on the settings file that TRANSVASE_SETTINGS names, at the present time; that of a request when its tag names one.

    Every asset takes this resource, so no run of the screen, a schedule or a sensor goes without its record: begun before the first
    step, ended after the last."""
    run = Run(located(), datetime.now(UTC))
    number = context.run.tags.get(requests.TAG) if context.run else None
    recording = Recording(f"dagster {context.run.job_name}" if context.run else "dagster")
    kept = replace(requests.run_for(run, int(number)) if number else run, recording=recording)
    recording.begin(kept)
    try:
        yield kept
    finally:
        # A step that fails is told by its event, not here by an exception.
        error = _failure(context.instance, context.run.run_id) if context.instance and context.run else None
        for said in recording.end(error.exit_code if error else 0, error):
            if context.log is not None:
                context.log.warning(said.fr)


def _failure(instance: dg.DagsterInstance, run_id: str) -> TransvaseError | None:
    """The error of the first step of the run that failed, by its class; None when none did."""
    for entry in instance.all_logs(run_id, of_type=dg.DagsterEventType.STEP_FAILURE):
        event = entry.dagster_event
        told = event.step_failure_data.error if event is not None else None
        while told is not None:
            kind = getattr(errors, told.cls_name or "", None)
            if isinstance(kind, type) and issubclass(kind, TransvaseError):
                return _of_class(kind)
            told = told.cause
        return Defect(kind="Exception", place=event.step_key if event is not None else "")
    return None


def _of_class(kind: type[TransvaseError]) -> TransvaseError:
    """An error of that class for its name and code: its facts stayed in the step."""
    return kind(**dict.fromkeys((field for _, field, _, _ in Formatter().parse(kind.__doc__ or "") if field), ""))


@dg.sensor(
    job_name="request",
    minimum_interval_seconds=300,
    description="Produit les archives des demandes ouvertes, et annonce les échéances proches ou manquées.",
)
def portability_requests(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
    """One run for each open request, once: a failed one waits for the operator (`transvase request run`)."""
    run = Run(located(), datetime.now(UTC))
    with Requests(run.work / REQUESTS) as register:
        waiting = [r for r in register.all() if r.open]
    for request in waiting:
        if request.late(run.clock):
            context.log.warning(f"demande {request.number} : échéance manquée")
        elif request.scope.kind != "UNITAIRE" and request.awaited - run.clock < NEAR:
            context.log.warning(f"demande {request.number} : à remettre avant le {request.awaited:%Y-%m-%d %H:%M}")
    asked = [
        dg.RunRequest(run_key=f"demande-{r.number}", tags={**EVERY_BUCKET, requests.TAG: str(r.number)})
        for r in waiting
        if r.state in ("received", "acknowledged")
    ]
    return dg.SensorResult(run_requests=asked) if asked else dg.SkipReason("aucune demande à produire")


@dg.run_failure_sensor(
    name="alert_of_failure",
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Un travail a échoué : écrit le résumé et prévient ([alerts]), une fois par cause.",
)
def alert_of_failure(context: dg.RunFailureSensorContext) -> None:
    """Tell of a run that failed."""
    run, job = Run(located(), datetime.now(UTC)), context.dagster_run.job_name
    error = _failure(context.instance, context.dagster_run.run_id) or Defect(kind="Run", place=job)
    for why in alerts.tell(run, (f"{alerts.RUN} {job}",), [alerts.of_failure(job, error)], run.clock):
        context.log.warning(f"alerte non transmise : {why.fr}")


@dg.run_status_sensor(
    run_status=dg.DagsterRunStatus.SUCCESS,
    name="alert_of_state",
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Après chaque travail réussi : prévient de ce qui attend une personne (refus, échéances, certificats), une fois par cause.",
)
def alert_of_state(context: dg.RunStatusSensorContext) -> None:
    """Tell of what stands after a run that succeeded; its former failures are over."""
    run, job = Run(located(), datetime.now(UTC)), context.dagster_run.job_name
    found = alerts.standing(run, run.clock)
    for why in alerts.tell(run, (f"{alerts.RUN} {job}", alerts.STATE), found, run.clock):
        context.log.warning(f"alerte non transmise : {why.fr}")


def build(run: Run | None = None) -> dg.Definitions:
    """The definitions; `run` binds the settings and the clock of a command, else the settings file is read when a run starts."""
    return dg.Definitions(
        assets=[
            canonical_tables,
            verdicts,
            patient_archives,
            portability_archive,
            dmp_submissions,
            mss_messages,
            audit_report,
        ],
        asset_checks=[expectations],
        jobs=list(JOBS),
        schedules=[NIGHTLY],
        sensors=[portability_requests, alert_of_failure, alert_of_state],
        resources={"run": run_from_settings if run is None else dg.ResourceDefinition.hardcoded_resource(run)},
    )


defs = build()
