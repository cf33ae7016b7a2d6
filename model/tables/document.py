"""Canonical table `document`."""

from __future__ import annotations

from transvase.model.columns import ENCOUNTER, KEY, PRACTITIONER
from transvase.model.table import Column, Kind, Table

DOCUMENT = Table(
    "document",
    "A document of the record: one row whatever its versions.",
    "Un document du dossier, quelles que soient ses versions.",
    (
        KEY,
        Column(
            "patient",
            Kind.TEXT,
            "Patient the document belongs to; absent or unknown for an orphan.",
            "Patient concerné.",
            references="patient",
        ),
        PRACTITIONER,
        ENCOUNTER,
        Column("local_type", Kind.TEXT, "Type in the practice's own codes.", "Type local."),
        Column(
            "type_code",
            Kind.TEXT,
            "National type (JDV_J07) by the mapping; empty when unmapped.",
            "Type national (JDV_J07).",
        ),
        Column("title", Kind.TEXT, "Title as filed.", "Titre."),
        Column(
            "origin",
            Kind.TEXT,
            "Produced here, received, or from the patient.",
            "Produit ici, reçu, ou du patient.",
            required=True,
            values=("produced", "received", "patient"),
        ),
        Column("external_author", Kind.TEXT, "Author as written, when received.", "Auteur extérieur."),
        Column("act", Kind.INSTANT, "Start of the documented act, local time.", "Date de l'acte."),
        Column("act_end", Kind.INSTANT, "End of the act.", "Fin de l'acte."),
        Column("created", Kind.INSTANT, "When the document was made.", "Date de création."),
        Column(
            "hospital_stay",
            Kind.FLAG,
            "The act belongs to a hospital stay; empty when the software does not say.",
            "Acte d'un séjour hospitalier.",
        ),
        Column(
            "prior_agreement",
            Kind.FLAG,
            "The prescription needs a prior agreement (entente préalable); empty when unknown.",
            "Entente préalable.",
        ),
        Column(
            "constitutional_genetics",
            Kind.FLAG,
            "Constitutional genetics; empty when unknown.",
            "Génétique constitutionnelle.",
        ),
        Column("masked_ps", Kind.FLAG, "Masked to professionals.", "Masqué aux professionnels."),
        Column("invisible_patient", Kind.FLAG, "Invisible to the patient until announced.", "Invisible au patient."),
        Column(
            "invisible_representatives",
            Kind.FLAG,
            "Invisible to legal representatives.",
            "Invisible aux représentants légaux.",
        ),
        Column(
            "withheld",
            Kind.TEXT,
            "Reason recorded by the professional for not transmitting it.",
            "Motif de non-transmission.",
        ),
        Column(
            "withheld_by",
            Kind.TEXT,
            "Professional who decided not to transmit it.",
            "Auteur de la non-transmission.",
            references="practitioner",
        ),
        Column("withheld_at", Kind.INSTANT, "When that was decided.", "Date de la non-transmission."),
        Column(
            "visibility_by",
            Kind.TEXT,
            "Professional who restricted its visibility (the three flags above).",
            "Auteur de la restriction de visibilité.",
            references="practitioner",
        ),
        Column("visibility_at", Kind.INSTANT, "When it was restricted.", "Date de la restriction."),
        Column("visibility_reason", Kind.TEXT, "Reason of the restriction, as written.", "Motif de la restriction."),
        Column(
            "fed_state",
            Kind.TEXT,
            "What a former software did with it: never fed, fed, fed then deleted, unknown.",
            "Alimentation antérieure.",
            required=True,
            values=("never", "fed", "deleted", "unknown"),
        ),
        Column("fed_unique_id", Kind.TEXT, "uniqueId under which it was fed.", "uniqueId d'alimentation."),
        Column("fed_entry_uuid", Kind.TEXT, "entryUUID given by the DMP.", "entryUUID du DMP."),
        Column("fed_at", Kind.INSTANT, "When it was fed.", "Date d'alimentation."),
    ),
    dated="act",
)
