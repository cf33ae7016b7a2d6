"""The national models written from a patient's whole record, one at a time: the syntheses (VSM, IPS-FR), the vaccination history (VAC), the
documents of a care home (DLU, FLUDT, FLUDR) and the letter for a hospital (LDL-EES). They say what the record holds at the clock.

A discharge letter tells a stay, which a practice's record does not hold: its writer is `cda.ldl.discharge_body`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from transvase.exporters.cda import dlu, ips_fr, ldl, vac, vsm
from transvase.exporters.cda import header as cda_header
from transvase.exporters.documents import Context
from transvase.model.identifiers import SYNTHESES, arc, under
from transvase.model.record import Record


class Model(NamedTuple):
    """What a header and a body need: templateIds, type, title, documented act, and the body from record and root of identifiers."""

    templates: str
    type_code: str
    title: str
    event: str
    body: Callable[[Context, Record, str], str]


def _whole(module: Any) -> Model:
    return Model(
        module.TEMPLATES,
        module.TYPE_CODE,
        module.TITLE,
        module.EVENT,
        lambda ctx, record, ids: str(module.body(record, ids, None)),
    )


MODELS: dict[str, Model] = {
    "VSM": _whole(vsm),
    "IPS-FR": _whole(ips_fr),
    "VAC": Model(
        vac.TEMPLATES,
        vac.TYPE_CODE,
        vac.TITLE,
        vac.EVENT,
        lambda ctx, record, ids: vac.body(record.get("immunization", []), ids, None, ctx.signatories),
    ),
    "DLU": _whole(dlu.DLU),
    "FLUDT": _whole(dlu.FLUDT),
    "FLUDR": _whole(dlu.FLUDR),
    "LDL-EES": Model(
        ldl.ENTRY.templates,
        ldl.ENTRY.type_code,
        ldl.ENTRY.title,
        ldl.EVENT,
        # Why the patient is sent is the doctor's to write: the record does not say it, nor does the letter invent it.
        lambda ctx, record, ids: ldl.entry_body(record, ldl.EntryLetter(), ids),
    ),
}


def document(ctx: Context, name: str, patient: Any, record: Record, qualified: bool) -> bytes:
    """The document of a model of MODELS, signed by the attending doctor when known, with the software as device beside them. Its
    identifiers derive from the patient, the model and the clock."""
    model = MODELS[name]
    doctor = ctx.signatories.get(patient.attending or "")
    person = doctor or ctx.responsible
    arcs = (SYNTHESES, arc("model", name, patient.key))
    set_id = under(ctx.practice.oid, *arcs)
    head = cda_header.Heading(
        templates=model.templates,
        id=under(ctx.practice.oid, *arcs, f"{ctx.clock:%Y%m%d%H%M%S}"),
        set_id=set_id,
        version=1,
        replaces="",
        type_code=model.type_code,
        title=model.title,
        created=ctx.now,
        act=ctx.now,
        act_end="",
        event=model.event,
        extra_participants=vsm.attending_participant(doctor, ctx.structure if doctor else None),
    )
    target = cda_header.record_target(patient, ctx.practice.oid, qualified)
    return cda_header.document(
        head, target, person, person, ctx.structure, model.body(ctx, record, set_id), ctx.software
    ).encode()
