"""Écrire un document structuré d'un patient d'après son dossier. / Write one structured document of a patient from the record."""

from __future__ import annotations

import argparse
from pathlib import Path

from transvase.commands.session import run_of, with_settings
from transvase.errors import BadCall, Said

MODELS = ("VSM", "IPS-FR", "VAC", "DLU", "FLUDT", "FLUDR", "LDL-EES")


def arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the command."""
    parser.add_argument("patient", help="clé du patient dans le logiciel / key of the patient in the software")
    parser.add_argument("--model", choices=MODELS, default="VSM", help="modèle (défaut : VSM) / model (default: VSM)")
    parser.add_argument("--out", type=Path, required=True, metavar="FICHIER", help="fichier à écrire / file to write")
    with_settings(parser)


def run(options: argparse.Namespace) -> int:
    """Write the document, checked against the schema when one is given. BadCall for an unknown patient or one without strict traits."""
    from transvase.assets.archive import job_of
    from transvase.exporters import patient_models
    from transvase.exporters.portability import open_context
    from transvase.formats import canonical, cda, files
    from transvase.model.request import Scope

    session = run_of(options)
    job = job_of(session)
    with canonical.connect(session.work, scope=Scope("UNITAIRE", patient=options.patient, judicial=True)) as base:
        ctx = open_context(job, base)
        found = [one for lot in canonical.plan(base, 1) for one in canonical.patients(base, lot)]
        if not found:
            raise BadCall(
                what=Said(
                    "l'extraction ne contient aucun patient de cette clé", "the extraction holds no patient of that key"
                ),
                mend=Said(
                    "vérifiez la clé, ou lancez `transvase extract`", "check the key, or run `transvase extract`"
                ),
            )
        (_, patient, record) = found[0]
        ((qualified, possible),) = base.execute(
            "SELECT qualified, header_possible FROM identities WHERE patient = $p", {"p": options.patient}
        ).fetchall()
    if not possible:
        raise BadCall(
            what=Said(
                "il manque à ce patient un trait que l'en-tête exige",
                "this patient lacks a trait that the header demands",
            ),
            mend=Said("`transvase explain` dit lequel", "`transvase explain` says which"),
        )
    data = patient_models.document(ctx, options.model, patient, record, qualified)
    if ctx.schema is not None and not ctx.schema.validate(cda.parse(data)):
        raise BadCall(
            what=Said("le document ne passe pas le schéma", "the document does not pass the schema"),
            mend=Said("vérifiez les dates et les codes du dossier", "check the dates and codes of the record"),
        )
    files.write(options.out, data)
    print(options.out)
    return 0
