"""To whom the message of a document may go: the patient, and the professionals whom the record designates for them (sheet
`xdm-mssante.md`, 3; legs by `restrictions`). Which document goes at all is judged there; sending belongs to nobody here.

A correspondent is designated when the record names them for this patient; one of the whole practice is not. Their address is the
recorded one, or the only one that the directory publishes for a sure identifier: a name alone does not tell whose mailbox it is.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, NamedTuple

from transvase.model.codes.mandated_documents import CODES as MANDATED
from transvase.validators.restrictions import legs

# Health data never leave for an address outside the MSSanté space; that every domain of the space ends so is unconfirmed.
_ADDRESS = re.compile(r"[a-z0-9!#$%&'*+/=?^_`{|}~-]+(\.[a-z0-9!#$%&'*+/=?^_`{|}~-]+)*@([a-z0-9-]+\.)+mssante\.fr")
_CITIZEN = "patient.mssante.fr"


class Designated(NamedTuple):
    """A correspondent of a patient: `address` in lower case, or empty with `code`, a cause of `gateways.causes`. `same` are the keys of
    the rows of that patient that are the same person or mailbox, this one among them."""

    key: str
    label: str
    address: str
    code: str
    same: tuple[str, ...]


class Due(NamedTuple):
    """A leg of a document that may leave: leg `mss_pro` or `mss_patient`; `held` is the rule for which a person must decide first, or
    empty."""

    document: str
    leg: str
    held: str


def due(base: Any) -> list[Due]:
    """The legs that the verdicts answer by yes or under a condition. A condition that the law itself states ("X (*)") is met by a
    designated recipient; one that the record raises is for a person to settle."""
    rows = base.sql(
        f"SELECT document, leg, answer, reason FROM ({legs()}) WHERE leg <> 'dmp' AND answer <> 'no'"
    ).fetchall()
    return [
        Due(document, leg, "" if answer == "yes" or (leg == "mss_pro" and reason in MANDATED) else reason)
        for document, leg, answer, reason in rows
    ]


def designated(base: Any, patients: Iterable[str], own: str) -> dict[str, list[Designated]]:
    """Patient to their correspondents, each person or mailbox once. `own` is the practice's address, never a recipient."""
    rows = base.execute(
        "SELECT c.patient, c.key, c.family, coalesce(c.given, ''), lower(trim(coalesce(c.mssante, ''))), "
        "coalesce(nullif(trim(c.idnat), ''), m.idnat, ''), m.quality, coalesce(m.addresses, []), m.published "
        "FROM correspondent c LEFT JOIN correspondents m ON m.correspondent = c.key "
        "WHERE c.patient IN (SELECT unnest($patients)) ORDER BY c.patient, c.key",
        {"patients": sorted(set(patients))},
    ).fetchall()
    found: dict[str, list[Designated]] = {}
    names: dict[str, dict[str, int]] = {}
    for patient, key, family, given, recorded, idnat, quality, published, listed in rows:
        address, code = _address(recorded, quality, published, listed)
        if address and address == own.lower():
            continue
        people, places = found.setdefault(patient, []), names.setdefault(patient, {})
        marks = [m for m in (address, idnat and f"#{idnat}") if m]
        at = next((places[m] for m in marks if m in places), None)
        if at is None:
            at = len(people)
            people.append(Designated(key, f"{given} {family}".strip(), address, code, (key,)))
        else:
            known = people[at]
            if not known.address:
                known = known._replace(address=address, code=code)
            people[at] = known._replace(same=(*known.same, key))
        for mark in marks:
            places.setdefault(mark, at)
    return found


def _address(recorded: str, quality: str | None, published: list[str], listed: bool | None) -> tuple[str, str]:
    """An address, or why there is none."""
    if not recorded:
        sure = quality in ("identifier", "unchecked") and len(published) == 1
        if not sure:
            return "", "MssNoAddress"
        recorded = published[0]
    elif listed is False:
        return "", "MssUnpublished"
    if not _ADDRESS.fullmatch(recorded) or recorded.endswith(f"@{_CITIZEN}"):
        return "", "MssAddressForm"
    return recorded, ""
