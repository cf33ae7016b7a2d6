"""The record of a run: what it was asked, what it read, made, sent and refused, by count and reason, written in the chain of
`ledger.runs`. An opening before anything is done, a closing whatever the end. No Dagster here: `pipelines` begins and ends it.

Every command that works on a practice loads this module: what only a run needs is imported where it is used. References, counts,
codes of closed lists and digests only; what others wrote in the work folder (an imported archive) is never copied as text.
"""

from __future__ import annotations

import functools
import hashlib
import platform
import re
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import orjson

from transvase import __version__
from transvase.assets.ledger_place import ledger_place
from transvase.assets.run import Run
from transvase.errors import Said, SettingsInvalid, TransvaseError
from transvase.formats import canonical, cms
from transvase.ledger import engines
from transvase.ledger.engines import Place
from transvase.ledger.requests import REQUESTS, Requests
from transvase.ledger.runs import Facts, Link, Runs, Signing, digest, entries
from transvase.ledger.submissions import Ledger
from transvase.model.clock import zone
from transvase.model.codes.type_codes import CODES as TYPES
from transvase.model.tables import TABLES
from transvase.settings import Settings, key_password, operator

_REPORTS = tuple(f"{name}{end}" for name in ("rapport", "report") for end in (".html", ".pdf", ".json", "-csv.zip"))
_HEX = re.compile(r"[0-9a-f]{64}")

# What cannot be read where a fact is looked for: the record says so and is written all the same.
_UNREADABLE = (OSError, ValueError, KeyError, TypeError, AttributeError, sqlite3.Error, TransvaseError)


class Recording:
    """The record of one run. `command` names what was asked; `who` the operator, when the command line says it."""

    def __init__(self, command: str, who: str = "") -> None:
        self.command = command
        self._who = who
        self._noted: Facts = {}
        self._run: Run | None = None
        self._runs: Runs | None = None
        self._number = 0
        self._before: dict[Path, tuple[int, ...]] = {}
        self._events = 0

    def begin(self, run: Run) -> None:
        """Write the opening, once. SettingsInvalid for a signing key or an authority that cannot serve; a run that cannot be recorded
        does not begin."""
        if self._runs is not None:
            return
        settings, at = run.settings, _now(run)
        signing, unsigned = _signing(settings, at)
        evidence = settings.evidence
        if evidence.time_stamp_authority and evidence.time_stamp_certificate is None:
            raise SettingsInvalid(
                name="evidence.time_stamp_certificate",
                file="transvase.toml",
                what=Said("il est nécessaire pour vérifier les jetons", "it is needed to verify the tokens"),
                mend=SettingsInvalid.MISSING,
            )
        runs = Runs(run.work, signing)
        self._number = runs.begin(
            {
                "command": self.command,
                "clock": run.clock.isoformat(),
                "scope": run.scope.kind,
                "request": run.request,
                "software": {
                    "version": __version__,
                    "python": platform.python_version(),
                    "dependencies": dependencies(),
                },
                "settings": settings_digest(settings),
                "operator": self._who or operator(settings),
                "host_role": evidence.host_role,
                "environment": settings.feed.environment,
                "unsigned": unsigned,
            },
            at,
        )
        self._run, self._runs = run, runs
        self._before = {path: _stat(path) for path in self._files(run)}
        self._events = _sent(ledger_place(run.settings), 0).get("events", 0)

    def note(self, name: str, facts: Facts) -> None:
        """Keep what a step counted: numbers and codes only."""
        self._noted[name] = facts

    def end(self, exit_code: int, error: TransvaseError | None = None) -> list[Said]:
        """Write the closing, once, if there was an opening, have it stamped, hand the access journal over; what could not be done and
        waits."""
        if self._runs is None or self._run is None:
            return []
        run, runs = self._run, self._runs
        self._run = self._runs = None
        stamped = bool(run.settings.evidence.time_stamp_authority)
        number = runs.end(
            self._number,
            {
                "outcome": "failed" if error else "done",
                "exit_code": exit_code,
                "error": {"code": error.exit_code, "name": type(error).__name__} if error else None,
                "noted": self._noted,
                **self._found(run),
            },
            _now(run),
            stamped=stamped,
        )
        waits = []
        if stamped and (why := stamp(run.settings, runs, [number]).get(number)) is not None:
            waits.append(
                Said(
                    f"pas d'horodatage ({why.fr}) ; `transvase audit stamp` le complétera",
                    f"no time-stamp ({why.en}); `transvase audit stamp` will complete it",
                )
            )
        if run.settings.evidence.audit_repository and (why := hand_over(run.settings, runs)) is not None:
            waits.append(
                Said(
                    f"journal d'accès non transmis ({why.fr}) ; la prochaine exécution le transmettra",
                    f"access journal not handed over ({why.en}); the next run will do it",
                )
            )
        return waits

    def _files(self, run: Run) -> Iterator[Path]:
        from transvase.exporters.portability import facts_of

        yield run.work / "canonical" / "extraction.json"
        yield run.work / "verdicts" / "counts.json"
        yield facts_of(run.work, run.scope, run.sample)
        yield from (run.settings.export.folder / name for name in _REPORTS)

    def _written(self, path: Path) -> bool:
        """This run wrote that file: files are replaced whole."""
        return _stat(path) != self._before.get(path)

    def _found(self, run: Run) -> Facts:
        """What stands at the end, each part with whether this run made it."""
        extraction, counts, archive, *reports = self._files(run)
        return {
            "inputs": _part(extraction, self._written(extraction), partial(_inputs, run)),
            "judged": _part(counts, self._written(counts), partial(_judged, run)),
            "archive": _part(archive, self._written(archive), _archive) if self._written(archive) else None,
            "reports": {p.name: _sha256(p) for p in reports if p.is_file() and self._written(p)},
            "sent": _sent(ledger_place(run.settings), self._events),
            "requests": _requests(run.work / REQUESTS),
        }


@contextmanager
def recorded(run: Run, command: str) -> Iterator[Run]:
    """The run with its record begun. A command ends its own, with its exit code; a run that brings none has one of its own here."""
    recording = run.recording or Recording(command)
    recording.begin(run)
    try:
        yield replace(run, recording=recording)
    except BaseException as error:
        if run.recording is None:
            known = error if isinstance(error, TransvaseError) else None
            # The first trouble is the one to tell; without its closing the run is told as interrupted.
            with suppress(TransvaseError):
                recording.end(known.exit_code if known else 70, known or _Unknown())
        raise
    if run.recording is None:
        recording.end(0)


class _Unknown(TransvaseError):
    """An error of a library."""

    exit_code = 70


def stamp(settings: Settings, runs: Runs, numbers: list[int]) -> dict[int, Said]:
    """Have entries stamped by the authority of the settings; why it failed, by number. The first failure ends the try."""
    from transvase.gateways import time_stamps

    evidence = settings.evidence
    assert evidence.time_stamp_certificate is not None
    for number in numbers:
        try:
            token = time_stamps.ask(
                evidence.time_stamp_authority,
                evidence.time_stamp_certificate,
                runs.data(number),
                evidence.time_stamp_timeout,
            )
        except time_stamps.StampRefused as refusal:
            return {number: refusal.why}
        runs.stamped(number, token)
    return {}


def hand_over(settings: Settings, runs: Runs) -> Said | None:
    """Send the audit repository the messages of the runs that it did not have yet, in order; why it did not take them, or None.

    The chain itself is what waits: `journal.json` beside it says up to which entry the repository took everything. A kill between the
    two sends the last ones again, never none."""
    from transvase.exporters.audit_message import message
    from transvase.gateways import audit_repository

    evidence = settings.evidence
    with runs.journal() as (taken, keep):
        openings: dict[int, Facts] = {}
        frames: list[bytes] = []
        last = taken
        for entry in entries(runs.folder):
            if isinstance(entry, Link):
                # What follows cannot be relied on; `transvase audit verify` says why.
                break
            if entry.facts["kind"] == "opening":
                openings[entry.number] = entry.facts
            elif entry.number > taken:
                last = entry.number
                body = message(openings[entry.facts["run"]], entry.facts, digest(entry.data))
                if body is not None:
                    instant = entry.at.isoformat(timespec="microseconds")
                    frames.append(audit_repository.frame(instant, evidence.host_role, body))
        try:
            if frames:
                context = audit_repository.tls(
                    evidence.audit_authority, evidence.audit_certificate, evidence.audit_key, key_password()
                )
                audit_repository.send(evidence.audit_repository, context, frames)
        except audit_repository.NotSent as refusal:
            return refusal.why
        keep(last)
    return None


@functools.cache
def dependencies() -> str:
    """SHA-256 of the versions installed when this process first asked, one `name==version` a line, sorted: two equal ones ran the same
    code."""
    from importlib.metadata import distributions

    lines = sorted({f"{re.sub('[-_.]+', '-', d.metadata['Name']).lower()}=={d.version}" for d in distributions()})
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def settings_digest(settings: Settings) -> str:
    """SHA-256 of every setting, in the order of their declaration. They hold no secret."""
    return hashlib.sha256(settings.model_dump_json().encode()).hexdigest()


def _now(run: Run) -> datetime:
    return run.now() if run.now else datetime.now(zone(run.settings.time_zone)).replace(microsecond=0)


def _signing(settings: Settings, at: datetime) -> tuple[Signing | None, str]:
    """Who signs, or None and why: `no-key`, or `certificate-dates` (nobody could verify such a signature)."""
    from transvase.exporters import seal

    export = settings.export
    signer = seal.load(str(export.signing_key or ""), str(export.signing_certificate or ""), key_password())
    if signer is None:
        return None, "no-key"
    if not signer.not_before <= at <= signer.not_after:
        return None, "certificate-dates"
    certificate = hashlib.sha256(signer.chain[0]).hexdigest()
    key, chain = signer.key, signer.chain
    return Signing(certificate, lambda data: cms.sign(data, key, chain)), ""


def _stat(path: Path) -> tuple[int, ...]:
    try:
        found = path.stat()
    except OSError:
        return ()
    return (found.st_ino, found.st_mtime_ns, found.st_size)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _part(path: Path, written: bool, tell: Callable[[Facts], Facts]) -> Facts | None:
    """Facts of a JSON file of the work folder; None when it is absent."""
    if not path.is_file():
        return None
    try:
        data = path.read_bytes()
        return {"written": written, "sha256": hashlib.sha256(data).hexdigest(), **tell(orjson.loads(data))}
    except _UNREADABLE:
        return {"written": written, "unreadable": True}


def _inputs(run: Run, manifest: Facts) -> Facts:
    source = run.settings.source
    cells = {
        kind: sum(int(line[kind]) for line in manifest["cells"]) for kind in ("source", "mapped", "native", "excluded")
    }
    mapping = str(manifest["mapping"])
    return {
        "kind": urlsplit(source.url).scheme or "file",
        "product": Path(source.product).name,
        "mapping": mapping if _HEX.fullmatch(mapping) else "",
        "extracted": datetime.fromisoformat(manifest["clock"]).isoformat(),
        "rows": {name: int(manifest["rows"].get(name, 0)) for name in TABLES},
        "cells": cells,
        "unreadable_values": int(manifest.get("unreadable", 0)),
    }


def _judged(run: Run, counts: Facts) -> Facts:
    types: dict[str, int] = {}
    with canonical.connect(run.work, threads=1) as base:
        for code, count in base.sql("SELECT type_code, count(*) FROM decision GROUP BY 1 ORDER BY 1").fetchall():
            # A type that is none of the national list may be a text of the practice.
            known = code if code in TYPES else "other"
            types[known] = types.get(known, 0) + count
    return {
        "environment": str(counts["environment"]),
        "documents_by_type": types,
        "documents_by_outcome": counts["documents"],
        "identities": counts["identities"],
        "verdicts": counts["verdicts"],
    }


def _archive(facts: Facts) -> Facts:
    kept = (
        "archive", "sha256", "size", "type", "status", "patients", "documents", "orphans", "source_documents", "forms", "signed",
        "schema_checked",
    )  # fmt: skip
    return {"facts": {name: facts[name] for name in kept}}


def _sent(place: Place, since: int) -> Facts:
    """The ledger of submissions: its head, what moved in this run, what stands, what is refused by code."""
    try:
        if not engines.exists(place):
            return {"events": 0, "head": ""}
        with Ledger(place) as ledger:
            events, head = ledger.head()
            moved = ledger.moved_since(since)
            refused = ledger.problems()
            states = ledger.counts()
    except _UNREADABLE:
        return {"unreadable": True}
    return {
        "events": events,
        "head": head,
        "moved": [{"event": e, "state": s, "code": c, "count": n} for e, s, c, n in moved],
        "states": states,
        "refused": [{"state": s, "code": c, "count": n} for s, c, n in refused],
    }


def _requests(path: Path) -> Facts:
    if not path.is_file():
        return {"events": 0, "head": ""}
    try:
        with Requests(path) as requests:
            events, head = requests.head()
            return {"events": events, "head": head, "states": requests.counts()}
    except _UNREADABLE:
        return {"unreadable": True}


def note_archive(path: Path) -> Any:
    """An archive that was read, as a record names it: by the digest of its bytes; a folder has none."""
    return {"sha256": _sha256(path), "size": path.stat().st_size} if path.is_file() else {"folder": True}
