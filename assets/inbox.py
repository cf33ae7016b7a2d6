"""Receiving messages: the XDM archives of a mailbox, each examined and filed for `transvase import` or the source kind `cda`, with who
sent it. No Dagster in this module; answers to our own messages belong to `messages`.

`xdm/` holds the archives alone, `messages.jsonl` what was done with each message, `correspondents.csv` who wrote. A message that cannot
be taken is said in one line, and the others go on.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple

import orjson

from transvase.formats import files, mail
from transvase.formats.sniff import sniff
from transvase.formats.xdm import Defect, XdmArchive, XdmRefused, examine
from transvase.gateways.mailbox import Listed, Mailbox
from transvase.ledger.mail import Handled, digest

JOURNAL, ARCHIVES, CORRESPONDENTS = "messages.jsonl", "xdm", "correspondents.csv"
# What an archive may expand to: far above any message of documents, far under what fills a disk.
MAX_EXPANDED = 400_000_000
# Defects after which nobody can tell whose document it is, or whether it is the one that was sent; others are noted beside it.
FATAL = frozenset({"hash", "size", "unread", "patient", "same-id"})


class Taken(NamedTuple):
    """Counts of a run: messages looked at for the first time, archives filed, and (digest of the message, why) of each refused one."""

    messages: int
    filed: int
    refused: list[tuple[str, str]]


# Addresses to (national identifier, name).
Names = Callable[[Iterable[str]], dict[str, tuple[str, str]]]


def receive(box: Mailbox, into: Path, names: Names) -> Taken:
    """File what the mailbox holds and was not filed before. ServiceUnreachable, CertificateRefused, DiskFull, OutputUnwritable: what was
    filed before them stays, and the next run goes on."""
    files.private_folder(into)
    archives = files.private_folder(into / ARCHIVES)
    handled = Handled(into / JOURNAL)
    box.open("INBOX", readonly=False)
    looked, filed, refused = 0, 0, []
    for one in list(box.listed()):
        name = digest(one.message_id or f"uid {one.uid}")
        if name in handled or one.content_type.lower().startswith("multipart/report"):
            continue
        looked += 1
        reason, count = _one(box, one, name, archives, handled)
        filed += count
        if reason:
            refused.append((name, reason))
    _correspondents(into, names)
    return Taken(looked, filed, refused)


def _one(box: Mailbox, one: Listed, name: str, archives: Path, handled: Handled) -> tuple[str, int]:
    """Deal with a message: why it is refused in whole or in part (empty: not), and how many archives were filed."""
    if one.size > mail.MAX_BYTES:
        handled.add(name, "refused", reason="large")
        return "large", 0
    try:
        message = mail.parse(box.read(one.uid))
        found = mail.archives(message)
    except mail.MailRefused as refusal:
        handled.add(name, "refused", reason=refusal.kind)
        return refusal.kind, 0
    if not found:
        handled.add(name, "other")
        return "", 0
    who, kept, reasons, defects = mail.sender(message), [], [], set()
    for rank, data in enumerate(found, 1):
        reason, wrong = examined(data)
        if reason:
            reasons.append(reason)
            continue
        defects |= wrong
        kept.append(f"{name}-{rank}.zip")
        files.write(archives / kept[-1], data)
    # The archives are on the disk before the line that says so: a kill in between files them again under the same names.
    what = "filed" if kept else "refused"
    facts = {
        "address": who.address,
        "label": who.label,
        "files": kept,
        "defects": sorted(defects),
        "reason": " ".join(reasons),
    }
    handled.add(name, what, **facts)
    box.mark(one.uid)
    return " ".join(reasons), len(kept)


def examined(data: bytes) -> tuple[str, set[str]]:
    """Why an archive is not taken (a kind of `formats.xdm`, or `expands`, `no-cda`; empty when it is), and the defects it is taken with."""
    defects: set[str] = set()
    documents = 0
    try:
        with XdmArchive(io.BytesIO(data)) as archive:
            if sum(max(archive.size(n), 0) for n in archive.names) > MAX_EXPANDED:
                return "expands", set()
            for found in examine(archive):
                if isinstance(found, Defect):
                    defects.add(found.kind)
                else:
                    documents += sniff(found.body) == "cda"
    except XdmRefused as refusal:
        return refusal.kind, set()
    if fatal := sorted(defects & FATAL):
        return fatal[0], set()
    return ("" if documents else "no-cda"), defects


def _correspondents(into: Path, names: Names) -> None:
    """Who wrote, from the journal: address, label as sent, and what the directory says of the address."""
    labels: dict[str, str] = {}
    for line in (into / JOURNAL).read_bytes().splitlines() if (into / JOURNAL).is_file() else ():
        facts = orjson.loads(line)
        if facts["what"] == "filed" and facts["address"]:
            labels[facts["address"]] = facts["label"]
    known = names(labels)
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(("address", "label", "idnat", "name"))
    writer.writerows((address, label, *known.get(address, ("", ""))) for address, label in sorted(labels.items()))
    files.write(into / CORRESPONDENTS, out.getvalue().encode())
