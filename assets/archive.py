"""The portability archive: patient archives by bucket, made by a pool of processes inside one run, then sealed together."""

# Dagster reads the annotation of `context` itself and takes no text for it, hence no `from __future__ import annotations`.
import dagster as dg
import orjson

from transvase.assets import requests
from transvase.assets.run import SOFTWARE, Run
from transvase.assets.verdicts import verdicts
from transvase.errors import WorkMissing, guarded
from transvase.exporters import portability
from transvase.exporters.archive_set import Division
from transvase.exporters.portability import Job
from transvase.formats import canonical, files
from transvase.formats.encryption import recipient
from transvase.model.slot import BUCKETS, bucket_name
from transvase.settings import key_password

BUCKET_PARTITIONS = dg.StaticPartitionsDefinition([bucket_name(n) for n in range(BUCKETS)])


def job_of(run: Run) -> Job:
    """The export's job from the run."""
    canonical.manifest(run.work)
    if not (run.work / "verdicts" / "counts.json").is_file():
        raise WorkMissing(path=run.work.name, what="verdicts", command="check")
    return portability.job_of(
        run.work,
        run.practice,
        run.clock,
        SOFTWARE,
        run.schema,
        run.settings.time_zone,
        signing_key=run.settings.export.signing_key,
        signing_certificate=run.settings.export.signing_certificate,
        scope=run.scope,
        dpi=run.settings.export.rasterise_dpi if run.settings.export.rasterise else 0,
        viewer=run.settings.export.viewer,
        parquet=run.settings.export.parquet,
        fhir=run.settings.export.fhir,
    )


def division_of(run: Run) -> Division:
    """How the export leaves, by the settings and the request; SettingsInvalid before hours of work rather than after."""
    given = run.settings.export
    found = Division(
        recipient(given.recipient, given.passphrase_file, given.recipient_certificate, run.clock),
        given.part_size,
        delivery=requests.delivery(run),
    )
    found.budget()
    return found


@dg.asset(
    group_name="portability",
    partitions_def=BUCKET_PARTITIONS,
    backfill_policy=dg.BackfillPolicy.single_run(),
    deps=[verdicts],
    kinds={"zip"},
    description="Une archive IHE XDM par patient : synthèse, documents en CDA, copies PDF, données.",
)
def patient_archives(context: dg.AssetExecutionContext, run: dg.ResourceParam[Run]) -> dg.MaterializeResult[None]:
    """Write the patient archives of the buckets asked for."""
    with guarded():
        numbers = sorted(int(key.rsplit("-", 1)[1]) for key in context.partition_keys)
        job = job_of(run)
        portability.signer_of(job, key_password())
        division_of(run)
        requests.begin(run)
        found = portability.parts(
            job,
            range(numbers[0], numbers[-1] + 1),
            run.settings.work.workers,
            lambda patients, documents, total: run.progress("archives", patients, total, f"{documents} documents"),
        )
    return dg.MaterializeResult(
        metadata={"patients": sum(p.patients for p in found), "documents": sum(p.documents for p in found)}
    )


@dg.asset(
    group_name="portability",
    deps=[patient_archives],
    kinds={"zip"},
    description="L'archive de portabilité du cabinet : PA….ZIP avec MANIFEST.XML, DOCUMENTATION et TRANSVERSE.ZIP.",
)
def portability_archive(run: dg.ResourceParam[Run]) -> dg.MaterializeResult[None]:
    """Assemble the archive; every part must be there."""
    with guarded():
        job = job_of(run)
        out = files.private_folder(run.out)
        found = portability.parts(job, range(BUCKETS), run.settings.work.workers, lambda *_: None)
        run.progress("assemblage", 0, 1, "")
        facts = portability.assemble(
            job,
            found,
            out,
            run.contact,
            status="SAMPLE" if run.sample else "COMPLETE",
            password=key_password(),
            division=division_of(run),
        )
        requests.end(run, facts)
        run.progress("assemblage", 1, 1, "")
    return dg.MaterializeResult(
        metadata={
            "archive": dg.MetadataValue.path(out / facts["archive"]),
            "portée": facts["type"],
            "sha256": facts["sha256"],
            "patients": facts["patients"],
            "documents": facts["documents"],
            "sans patient connu": facts["orphans"],
            "formes": dg.MetadataValue.json(orjson.loads(orjson.dumps(facts["forms"]))),
            "octets": facts["size"],
            "archives": len(facts["archives"]),
        }
    )
