"""What stands in the DMP by our account and no longer agrees with the record, with its remedy: an identity corrected or downgraded since,
a document filed under another patient, a restriction of visibility decided after the sending.

Deleting is an operator's act (`withdrawal`). Masking and unmasking are not a structure's: its certificate may feed, replace and delete
(sheet dmp-transactions.md, 4), so that remedy is said, to be done by a person.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal, NamedTuple

from transvase.errors import Said
from transvase.formats import canonical
from transvase.ledger.submissions import Ledger

Kind = Literal["identity", "patient", "visibility"]

SAID: dict[Kind, Said] = {
    "identity": Said(
        "identité qui n'est plus qualifiée : `feed delete DOCUMENT --by REF --reason identity`, ou requalifiez-la",
        "identity no longer qualified: `feed delete DOCUMENT --by REF --reason identity`, or qualify it again",
    ),
    "patient": Said(
        "classé depuis sous un autre patient : `feed delete DOCUMENT --by REF --reason patient`",
        "filed under another patient since: `feed delete DOCUMENT --by REF --reason patient`",
    ),
    "visibility": Said(
        "visibilité restreinte après l'envoi : le certificat d'une structure ne masque pas ; l'auteur le fait avec sa carte (accès web au "
        "DMP), ou le patient dans Mon espace santé",
        "visibility restricted after it was fed: a structure's certificate does not mask; the author does with their card (web access to "
        "the DMP), or the patient in Mon espace santé",
    ),
}


class Remedy(NamedTuple):
    """A document that stands in the DMP, and what is wrong with that; the sentence is `SAID[kind]`."""

    document: str
    kind: Kind


def remedies(work: Path, ledger: Ledger) -> list[Remedy]:
    """By document, in order. Nothing when the record was not judged yet."""
    if not (work / "verdicts" / "counts.json").is_file():
        return []
    fed = {document: at for document, state, _, at in ledger.latest() if state == "registered"}
    stands = {s.document: s.patient for s in ledger.select(("registered",)) if s.document in fed}
    found: list[Remedy] = []
    with canonical.connect(work, threads=1) as base:
        rows = base.execute(
            "SELECT d.key, d.patient, coalesce(i.qualified, false), d.visibility_at, "
            "coalesce(d.masked_ps, false) OR coalesce(d.invisible_patient, false) OR coalesce(d.invisible_representatives, false) "
            "FROM document d LEFT JOIN identities i ON i.patient = d.patient WHERE d.key IN (SELECT unnest($keys)) ORDER BY d.key",
            {"keys": sorted(stands)},
        ).fetchall()
    for document, patient, qualified, decided, restricted in rows:
        if patient != stands[document]:
            found.append(Remedy(document, "patient"))
        elif not qualified:
            found.append(Remedy(document, "identity"))
        if restricted and _later(decided or "", fed[document]):
            found.append(Remedy(document, "visibility"))
    return found


def _later(decided: str, fed: str) -> bool:
    """What was decided on the day of the sending, at an hour nobody knows, is later: it is looked at rather than passed over."""
    size = min(len(decided), 19)
    return size >= 10 and (decided[:size] > fed[:size] or (size == 10 and decided == fed[:10]))
