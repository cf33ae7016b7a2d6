"""The chain of run records gone through again, from the files alone: links, signatures and their certificates, time-stamps, and the two
registers against what each record saw of them. Reads only; the first link that does not hold ends it.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

from transvase.errors import Said, TransvaseError
from transvase.formats import cms
from transvase.gateways import time_stamps
from transvase.gateways.time_stamps import StampRefused
from transvase.ledger import engines
from transvase.ledger.engines import Place
from transvase.ledger.requests import REQUESTS, Requests
from transvase.ledger.runs import RUNS, Entry, Facts, Link, alive, digest, entries, name
from transvase.ledger.submissions import LEDGER, Ledger
from transvase.validators import seal

# A machine's clock may be a little ahead of the authority's.
_AHEAD = timedelta(minutes=5)


class Replay(NamedTuple):
    """What was gone through and found: `broken` is the first link that does not hold, `notes` what the reader must know beside it.
    `head` is the digest of the last record that holds, to be kept elsewhere."""

    records: int
    runs: int
    signed: int
    stamped: int
    head: str
    broken: Link | None
    notes: list[Said]


class Trust(NamedTuple):
    """What the reader relies on: authorities of the signatures and of the time-stamps (None: not given), and digests noted elsewhere."""

    signatures: Sequence[Any] | None = None
    stamps: list[Any] | None = None
    known: Sequence[str] = ()


def replay(work: Path, trust: Trust, ledger: Place | None = None) -> Replay:
    """Go through the chain of a work folder, whose ledger of submissions may stand elsewhere."""
    folder = work / RUNS
    found: list[Entry] = []
    broken: Link | None = None
    notes: list[Said] = []
    signed, stamps, unsigned, missing, ahead = 0, 0, [], [], []
    registers = [_Register(ledger or work / LEDGER, "sent", Ledger), _Register(work / REQUESTS, "requests", Requests)]
    try:
        for one in entries(folder, partial(_unsound, trust.signatures)):
            if isinstance(one, Link):
                broken = one
                break
            if (why := _against(registers, one)) is not None:
                broken = Link(one.number, why)
                break
            token = folder / f"{name(one.number)}.tsr"
            if token.is_file() and trust.stamps is not None:
                try:
                    at = time_stamps.check(token.read_bytes(), one.data, trust.stamps)
                except StampRefused as refusal:
                    broken = Link(one.number, Said(f"horodatage : {refusal.why.fr}", f"time-stamp: {refusal.why.en}"))
                    break
                stamps += 1
                if at < one.at - _AHEAD:
                    ahead.append(one.number)
            elif token.is_file():
                missing.append(0)
            elif one.facts.get("stamp"):
                missing.append(one.number)
            found.append(one)
            signed += bool(one.signature)
            if not one.signature:
                unsigned.append(one.number)
        if broken is None:
            broken = _beyond(registers, found)
    finally:
        for register in registers:
            register.close()
    seen = [digest(e.data) for e in found]
    if broken is None and (strange := [k for k in trust.known if k not in seen]):
        broken = Link(
            found[-1].number if found else 0,
            Said(
                f"l'empreinte notée ailleurs ({strange[0][:12]}…) n'est pas dans la chaîne",
                f"the digest noted elsewhere ({strange[0][:12]}…) is not in the chain",
            ),
        )
    notes += _said(folder, found, unsigned, missing, ahead, trust, signed)
    runs = sum(e.facts["kind"] == "opening" for e in found)
    return Replay(len(found), runs, signed, stamps, seen[-1] if seen else "", broken, notes)


def _unsound(trusted: Sequence[Any] | None, entry: Entry) -> Said | None:
    """Why the signature of an entry does not hold; None for one that does, or that is not signed."""
    if not entry.signature:
        return None
    try:
        signed = cms.verify(entry.signature, entry.data)
    except cms.CmsRefused:
        return Said(
            "sa signature est fausse : il a été changé, ou elle l'a été", "its signature is false: one was changed"
        )
    from cryptography.hazmat.primitives.serialization import Encoding

    if hashlib.sha256(signed.certificate.public_bytes(Encoding.DER)).hexdigest() != entry.facts["signer"]:
        return Said(
            "il est signé par un autre certificat qu'il ne dit", "it is signed by another certificate than it says"
        )
    if not signed.certificate.not_valid_before_utc <= entry.at <= signed.certificate.not_valid_after_utc:
        return Said("le certificat n'était pas valide à sa date", "the certificate was not valid at its date")
    if trusted is not None and not seal.reaches(signed.certificate, signed.others, entry.at, trusted):
        return Said(
            "le certificat n'est pas de l'autorité attendue", "the certificate is not of the expected authority"
        )
    return None


class _Register:
    """A register chained by digest, against what the records saw of it."""

    def __init__(self, path: Place, key: str, kind: Callable[[Any], Ledger | Requests]) -> None:
        self.key, self._path, self._kind = key, path, kind
        self._open: Ledger | Requests | None = None
        self._closing: Any = None
        self._said = {
            "sent": Said("le registre des envois", "the ledger of submissions"),
            "requests": Said("le registre des demandes", "the register of requests"),
        }[key]
        self.events = 0

    def differs(self, seen: Facts) -> Said | None:
        """Why the register is not the one that a record saw, or what came of it."""
        events, head = seen.get("events"), seen.get("head")
        if not isinstance(events, int) or not isinstance(head, str):
            # Unreadable when the record was written: it says so.
            return None
        said, before = self._said, self.events
        self.events = events
        if events < before:
            return Said(f"{said.fr} y est plus court qu'avant", f"{said.en} is shorter there than before")
        if not events:
            return None
        try:
            opened = self._opened()
            same = opened is not None and opened.digest_at(events) == head
        except (TransvaseError, sqlite3.Error):
            return Said(f"{said.fr} ne se lit plus", f"{said.en} can no longer be read")
        if opened is None:
            return Said(f"{said.fr} manque", f"{said.en} is missing")
        return None if same else Said(f"{said.fr} n'est pas celui qu'il a vu", f"{said.en} is not the one it saw")

    def broken(self) -> Said | None:
        """Why the register itself does not hold."""
        try:
            opened = self._opened()
            at = opened.broken() if opened is not None else None
        except (TransvaseError, sqlite3.Error):
            return Said(f"{self._said.fr} ne se lit plus", f"{self._said.en} can no longer be read")
        if at is None:
            return None
        return Said(f"{self._said.fr} est rompu à l'événement {at}", f"{self._said.en} is broken at event {at}")

    def _opened(self) -> Ledger | Requests | None:
        if self._open is None and engines.exists(self._path):
            self._open = self._kind(self._path)
        return self._open

    def close(self) -> None:
        """Close the file."""
        if self._open is not None:
            self._open.__exit__()


def _against(registers: list[_Register], entry: Entry) -> Said | None:
    for register in registers:
        seen = entry.facts.get(register.key)
        if isinstance(seen, dict) and (why := register.differs(seen)) is not None:
            return why
    return None


def _beyond(registers: list[_Register], found: list[Entry]) -> Link | None:
    """What moved after the last record: the registers must hold on their own."""
    for register in registers:
        if (why := register.broken()) is not None:
            return Link(found[-1].number if found else 0, why)
    return None


def _said(
    folder: Path,
    found: list[Entry],
    unsigned: list[int],
    missing: list[int],
    ahead: list[int],
    trust: Trust,
    signed: int,
) -> list[Said]:
    """What a reader must know beside a link that breaks."""
    notes: list[Said] = []
    if unsigned:
        notes.append(
            Said(
                f"{len(unsigned)} enregistrements sans signature (premier : {unsigned[0]}) : qui peut écrire le dossier peut les refaire",
                f"{len(unsigned)} records without signature (first: {unsigned[0]}): whoever can write the folder can remake them",
            )
        )
    if signed and trust.signatures is None:
        notes.append(
            Said(
                "chaîne des certificats non vérifiée : donnez evidence.authority ou --authority",
                "the chain of certificates was not verified: give evidence.authority or --authority",
            )
        )
    if 0 in missing:
        notes.append(
            Said(
                "horodatages non vérifiés : donnez evidence.time_stamp_certificate",
                "time-stamps not verified: give evidence.time_stamp_certificate",
            )
        )
    if late := [n for n in missing if n]:
        notes.append(
            Said(
                f"{len(late)} horodatages manquent (premier : {late[0]}) : `transvase audit stamp` les complète",
                f"{len(late)} time-stamps are missing (first: {late[0]}): `transvase audit stamp` completes them",
            )
        )
    if ahead:
        notes.append(
            Said(
                f"enregistrement {ahead[0]} : la machine était en avance sur l'autorité d'horodatage",
                f"record {ahead[0]}: the machine's clock was ahead of the time-stamping authority",
            )
        )
    for before, after in pairwise(found):
        if after.at < before.at:
            notes.append(
                Said(
                    f"enregistrement {after.number} : l'horloge de la machine a reculé",
                    f"record {after.number}: the machine's clock went back",
                )
            )
            break
    closed = {e.facts["run"] for e in found if e.facts["kind"] == "closing"}
    for entry in found:
        if entry.facts["kind"] == "opening" and entry.number not in closed:
            under_way = alive(folder, entry.number)
            notes.append(
                Said(
                    f"exécution {entry.number} {'en cours' if under_way else 'interrompue, la prochaine la clôt'}",
                    f"run {entry.number} {'under way' if under_way else 'interrupted, the next one closes it'}",
                )
            )
    return notes


def closings(work: Path) -> list[tuple[Facts, Facts | None, datetime | None]]:
    """Each run that the chain tells of, up to the first link that does not hold: opening, closing and its instant."""
    opened: dict[int, list[Any]] = {}
    for one in entries(work / RUNS):
        if isinstance(one, Link):
            break
        if one.facts["kind"] == "opening":
            opened[one.number] = [one.facts, None, None]
        else:
            opened[one.facts["run"]][1:] = [one.facts, one.at]
    return [(o, c, at) for o, c, at in opened.values()]
