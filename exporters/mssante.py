"""A document as an MSSanté message: headers, a short text, IHE_XDM.ZIP and the readable PDF (sheet `xdm-mssante.md`, 1 to 3).

Values in, bytes out: the same document to the same recipient at the same instant gives the same bytes and, whatever the instant, the
same Message-ID. Who receives is judged by `validators.recipients`; sending belongs to `gateways.mssante`. Headers are written here rather
than by the standard library, whose folding changes between versions.
"""

from __future__ import annotations

import base64
import hashlib
import re
from datetime import datetime
from email.utils import format_datetime
from typing import Any, Literal, NamedTuple
from urllib.parse import quote

from transvase.exporters import documents
from transvase.exporters.documents import Composed, Context
from transvase.exporters.patient_archive import index, issuer_lines
from transvase.formats import zip_stream
from transvase.formats.ascii_text import file_part, readme, transliterate
from transvase.formats.xds_metadata import source_id, submission_set
from transvase.formats.xds_xml import submit_objects_request
from transvase.model.clock import utc14
from transvase.model.identifiers import TRANSMISSIONS, arc, under

ARCHIVE = "IHE_XDM.ZIP"
# What the subject takes of the type's name (sheet, 3: second-hand).
_LABEL = 40
# Bytes of an encoded word, a multiple of 3: with its marks and the longest name before it, the line stays under 76 characters.
_WORD = 39
_LINE = 76
REPLACES = "[Annule et remplace]"


class Mailbox(NamedTuple):
    """An address and the label shown beside it (empty for none)."""

    address: str
    label: str = ""


class Letterhead(NamedTuple):
    """What the settings say of every message: who sends, the product's reference (X-MSS-NIL), whether a patient may answer, where the
    mark of a replacement stands in the subject (two product notes differ)."""

    sender: Mailbox
    product: str
    patient_answers: bool = False
    mark: Literal["before", "after"] = "before"


class Message(NamedTuple):
    """A message ready to leave; `id` with its angle brackets."""

    id: str
    data: bytes


def local_id(unique_id: str, destination: str) -> str:
    """Left part of the Message-ID of a document version for a destination of the ledger: a digest, so that it names nobody."""
    return hashlib.sha256(f"transvase mssante\0{unique_id}\0{destination}".encode()).hexdigest()[:40]


def message_id(unique_id: str, destination: str, sender: str) -> str:
    """Message-ID, under the domain of the sender's address (RFC 5322)."""
    return f"<{local_id(unique_id, destination)}@{sender.rpartition('@')[2]}>"


def patient_address(ins: str, domain: str) -> str:
    """Address of a citizen: the matricule's 15 characters, 2A and 2B kept (upper or lower case is unconfirmed: as the record has it)."""
    return f"{ins}@{domain}"


def compose(
    ctx: Context,
    letterhead: Letterhead,
    to: Mailbox,
    destination: str,
    patient: Any,
    composed: Composed,
    moment: datetime,
    *,
    qualified: bool,
    replaces: str = "",
) -> Message:
    """The message of one document to one recipient. `destination` is the ledger's; `composed` a document with its CDA (not `plain`);
    `moment` aware, in the practice's time; `replaces` the Message-ID of the version that this one cancels."""
    entry = composed.entry
    ident = message_id(entry.unique_id, destination, letterhead.sender.address)
    boundary = f"=_{local_id(entry.unique_id, destination)}"
    subject = f"XDM/1.0/DDM+{entry.type_code.display[:_LABEL].strip()} {_who(patient)}"
    if replaces:
        subject = f"{REPLACES} {subject}" if letterhead.mark == "before" else f"{subject} {REPLACES}"
    headers = [
        ("Message-ID", ident),
        ("Date", format_datetime(moment)),
        ("From", _mailbox(letterhead.sender)),
        ("To", _mailbox(to)),
        ("Subject", _encoded(subject)),
        ("Disposition-Notification-To", f"<{letterhead.sender.address}>"),
        ("X-MSS-CODECDA", entry.type_code.code),
        ("X-MSS-INS", "O" if qualified else "N"),
        ("X-MSS-NIL", letterhead.product),
    ]
    if replaces:
        headers += [("In-Reply-To", replaces), ("References", replaces)]
    final = destination == "mss_patient" and not letterhead.patient_answers
    if final:
        headers.append(("X-MSS-MES", "FIN"))
    headers += [("MIME-Version", "1.0"), ("Content-Type", f'multipart/mixed; boundary="{boundary}"')]
    text = _text(ctx, composed, bool(replaces), final)
    parts = (
        _part("text/plain; charset=utf-8", text.encode()),
        _part("application/zip", archive(ctx, destination, composed, moment), ARCHIVE),
        _part("application/pdf", composed.pdf, _pdf_name(patient, composed)),
    )
    mark = f"--{boundary}".encode()
    body = b"".join(mark + b"\r\n" + part for part in parts) + mark + b"--\r\n"
    head = "".join(_folded(name, value) for name, value in headers).encode("ascii")
    return Message(ident, head + b"\r\n" + body)


def archive(ctx: Context, destination: str, composed: Composed, moment: datetime) -> bytes:
    """IHE_XDM.ZIP: the CDA and its METADATA.XML in one submission set, in the order of the official archives."""
    entry = composed.entry
    submission = submission_set(
        [entry],
        unique_id=under(ctx.practice.oid, TRANSMISSIONS, arc("mssante", entry.unique_id, destination)),
        source_id=source_id(documents.custodian(ctx), ctx.practice.oid),
        time=utc14(moment),
    )
    metadata = submit_objects_request(submission, [entry], for_xdm=True).encode()
    files = [
        ("INDEX.HTM", index(ctx), True),
        ("README.TXT", _readme(ctx, entry.uri), True),
        ("IHE_XDM/", b"", False),
        ("IHE_XDM/SUBSET01/", b"", False),
        (f"IHE_XDM/SUBSET01/{entry.uri}", composed.data, True),
        ("IHE_XDM/SUBSET01/METADATA.XML", metadata, True),
    ]
    return zip_stream.build(files, moment.replace(tzinfo=None))


def _readme(ctx: Context, uri: str) -> bytes:
    return readme(
        [
            *issuer_lines(ctx),
            "Instructions :",
            "==============",
            "   . Cette archive IHE XDM contient un document d'un seul patient et ses metadonnees.",
            "",
            "Arborescence :",
            "==============",
            f"   {ARCHIVE}",
            "      INDEX.HTM",
            "      README.TXT",
            "      IHE_XDM",
            "         SUBSET01",
            f"            {uri}",
            "            METADATA.XML",
        ]
    )


def _who(patient: Any) -> str:
    """Birth name in capitals and first given name, without accents (ECO.2.1.3). The birth date is optional, so it stays inside."""
    family = transliterate(patient.birth_family or "").upper()
    given = transliterate(patient.birth_first_given or (patient.birth_given or "").split(" ")[0])
    return " ".join(f"{family} {given}".split())


def _pdf_name(patient: Any, composed: Composed) -> str:
    """Day of the act, type, birth name, given name (ECO.2.1.6; the file number is optional)."""
    entry = composed.entry
    family = (patient.birth_family or "").upper()
    given = patient.birth_first_given or (patient.birth_given or "").split(" ")[0]
    day = (entry.service_start_time or entry.creation_time)[:8]
    return f"{day}_{file_part(entry.type_code.display)}_{file_part(family)}_{file_part(given)}.pdf"


def _text(ctx: Context, composed: Composed, replaces: bool, final: bool) -> str:
    """The body: what comes, from whom, how to read it. It names no patient: the attachments do."""
    entry = composed.entry
    day = (entry.service_start_time or entry.creation_time)[:8]
    lines = [
        "Bonjour,",
        "",
        f"{ctx.practice.name} vous adresse un document de santé : {entry.type_code.display}, "
        f"acte du {day[6:8]}/{day[4:6]}/{day[:4]}.",
    ]
    if replaces:
        lines.append("Il annule et remplace celui d'un message précédent.")
    lines += [
        "",
        f"Pièces jointes : {ARCHIVE}, à intégrer par un logiciel, et le même document en PDF, à lire.",
    ]
    if final:
        lines += ["", "Ce message n'attend pas de réponse."]
    return "\r\n".join([*lines, ""])


def _part(kind: str, data: bytes, name: str = "") -> bytes:
    head = _folded("Content-Type", kind) + _folded("Content-Transfer-Encoding", "base64")
    if name:
        head += _disposition(name)
    return head.encode("ascii") + b"\r\n" + base64.encodebytes(data).replace(b"\n", b"\r\n")


def _disposition(name: str) -> str:
    """The header of an attachment under its name, which is not folded inside its quotes: not every reader undoes that. Beyond ASCII as
    RFC 2231 wants it."""
    plain = name if name.isascii() else ""
    if plain and not re.search(r'["\\\x00-\x1f\x7f]', plain) and len(plain) < _LINE:
        return f'Content-Disposition: attachment;\r\n filename="{plain}"\r\n'
    quoted = quote(name, safe="")
    pieces: list[str] = []
    while quoted:
        cut = 50
        # An octet is never cut in two.
        while "%" in quoted[max(cut - 2, 0) : cut] and cut < len(quoted):
            cut -= 1
        pieces.append(quoted[:cut])
        quoted = quoted[cut:]
    told = [f"filename*{n}*={'utf-8' + chr(39) * 2 if n == 0 else ''}{piece}" for n, piece in enumerate(pieces)]
    return _folded("Content-Disposition", "attachment; " + "; ".join(told))


def _mailbox(box: Mailbox) -> str:
    label = " ".join(box.label.split())
    if not label:
        return f"<{box.address}>"
    if label.isascii():
        escaped = re.sub(r"[\x00-\x1f\x7f]", "", label).replace("\\", "\\\\").replace('"', '\\"')
        return f'"{escaped}" <{box.address}>'
    return f"{_encoded(label)} <{box.address}>"


def _encoded(text: str) -> str:
    """A text as a header holds it: as it is when it is plain ASCII, else encoded words (RFC 2047)."""
    text = " ".join(re.sub(r"[\x00-\x1f\x7f]", " ", text).split())
    if text.isascii() and "=?" not in text and all(len(word) < _LINE for word in text.split(" ")):
        return text
    words, piece = [], b""
    for character in text:
        one = character.encode("utf-8", "replace")
        if len(piece) + len(one) > _WORD:
            words.append(piece)
            piece = b""
        piece += one
    words.append(piece)
    return " ".join(f"=?utf-8?B?{base64.b64encode(word).decode()}?=" for word in words)


def _folded(name: str, value: str) -> str:
    """A header, folded at its spaces before the 77th character where it can be."""
    lines, line = [], f"{name}:"
    for word in value.split(" "):
        if len(line) + 1 + len(word) > _LINE and line != f"{name}:":
            lines.append(line)
            line = ""
        line = f"{line} {word}"
    return "\r\n".join([*lines, line]) + "\r\n"
