"""What the local MSSanté operator wants of a message: headers, parts, addresses, and an archive that agrees with its document. Written
from the sheet xdm-mssante alone (1 to 3), so that the project's writer meets a second reading of it.

Answers are one sentence that quotes nothing; when and how they are given belongs to `mail`.
"""

from __future__ import annotations

import hashlib
import io
import re
import unicodedata
import zipfile
import zlib
from email.errors import MessageError
from email.header import decode_header, make_header
from email.message import Message
from email.parser import BytesParser
from email.utils import getaddresses, parsedate_to_datetime

from transvase.sandbox import document, forms, markup
from transvase.sandbox.document import Facts

CITIZENS = "patient.mssante.fr"
ADDRESS = re.compile(r"[A-Za-z0-9._+-]{1,64}@(?:[a-z0-9-]+\.)+mssante\.fr")
_RIM = "{urn:oasis:names:tc:ebxml-regrep:xsd:rim:3.0}"
_ONCE = ("From", "To", "Subject", "Date", "Message-ID", "MIME-Version", "Content-Type", "Disposition-Notification-To",
         "X-MSS-CODECDA", "X-MSS-INS", "X-MSS-NIL")  # fmt: skip
_MARK = "[Annule et remplace]"
_ENTRIES = ("INDEX.HTM", "README.TXT", "IHE_XDM/", "IHE_XDM/SUBSET01/")
_ENTRY_PATIENT, _ENTRY_ID = (
    "urn:uuid:58a6f841-87b3-4a3e-92fd-a8ffeff98427",
    "urn:uuid:2e82c1f6-a085-4c72-9da3-8640a32e42ab",
)
_SET_PATIENT, _SET_ID = "urn:uuid:6b5aea1a-874d-4603-a4bc-96a0a7b38446", "urn:uuid:96fdda7c-d067-4183-912e-bf5ee74998a8"
_SET_SOURCE = "urn:uuid:554ac39e-e3fe-47fe-b233-965d2a147832"
_EXPANDED = 200_000_000


class Wrong(ValueError):
    """The message is not taken; the text says why and quotes nothing."""


def citizen(address: str) -> str:
    """The matricule of a citizen's address, in upper case; empty for another address."""
    local, _, domain = address.partition("@")
    return local.upper() if domain.lower() == CITIZENS else ""


def check(data: bytes, sender: str, recipient: str) -> Message:
    """A message as received, parsed. Raises `Wrong`."""
    if any(byte > 127 for byte in data) or b"\n" in data.replace(b"\r\n", b"") or b"\r" in data.replace(b"\r\n", b""):
        raise Wrong("the message is not 7-bit lines that end with CRLF")
    if any(len(line) > 998 for line in data.split(b"\r\n")):
        raise Wrong("a line is above 998 characters")
    try:
        message = BytesParser().parsebytes(data)
    except (MessageError, ValueError, RecursionError):
        raise Wrong("the message cannot be read") from None
    for name in _ONCE:
        if len(message.get_all(name) or []) != 1 or not str(message[name]).strip():
            raise Wrong(f"header {name} does not stand exactly once")
    _headers(message, sender, recipient)
    facts = _attachments(message)
    _agreement(message, facts, recipient)
    return message


def text_of(value: object) -> str:
    """A header decoded (RFC 2047) and unfolded."""
    try:
        decoded = str(make_header(decode_header(re.sub(r"\r\n(?=[ \t])", "", str(value)))))
    except (MessageError, LookupError, ValueError):
        raise Wrong("a header is not encoded as RFC 2047 wants") from None
    if "\n" in decoded or "\r" in decoded:
        raise Wrong("a header holds a line break")
    return decoded


def _headers(message: Message, sender: str, recipient: str) -> None:
    ((label, address),) = getaddresses([str(message["From"])]) or [("", "")]
    if address != sender or not label:
        raise Wrong("From is not the sender with a label")
    if [a for _, a in getaddresses([str(message["To"])])] != [recipient]:
        raise Wrong("To is not the recipient alone")
    if [a for _, a in getaddresses([str(message["Disposition-Notification-To"])])] != [sender]:
        raise Wrong("Disposition-Notification-To is not the sender")
    domain = re.escape(sender.rpartition("@")[2])
    if not re.fullmatch(rf"<[A-Za-z0-9.-]{{8,64}}@{domain}>", str(message["Message-ID"])):
        raise Wrong("Message-ID is not of the sender's domain")
    try:
        if parsedate_to_datetime(str(message["Date"])).tzinfo is None:
            raise Wrong("Date has no offset")
    except (TypeError, ValueError):
        raise Wrong("Date is not a date") from None
    if str(message["X-MSS-INS"]) not in ("O", "N"):
        raise Wrong("X-MSS-INS is not O or N")
    final = message.get_all("X-MSS-MES") or []
    if final and (final != ["FIN"] or not citizen(recipient)):
        raise Wrong("X-MSS-MES is not FIN, or not to a citizen")


def _attachments(message: Message) -> Facts:
    parts = message.get_payload()
    if message.get_content_type() != "multipart/mixed" or not isinstance(parts, list) or len(parts) != 3:
        raise Wrong("the message is not multipart/mixed of a text, an archive and a PDF")
    text, archive, pdf = parts
    assert isinstance(text, Message) and isinstance(archive, Message) and isinstance(pdf, Message)
    if text.get_content_type() != "text/plain" or str(text.get_content_charset()).lower() != "utf-8":
        raise Wrong("the first part is not plain text in UTF-8")
    body = text.get_payload(decode=True)
    try:
        if not isinstance(body, bytes) or not body.decode("utf-8").strip():
            raise Wrong("the text is empty")
    except UnicodeDecodeError:
        raise Wrong("the text is not UTF-8") from None
    if archive.get_content_type() != "application/zip" or (archive.get_filename() or "").upper() != "IHE_XDM.ZIP":
        raise Wrong("the second part is not IHE_XDM.ZIP")
    copy = pdf.get_payload(decode=True)
    name = pdf.get_filename() or ""
    if pdf.get_content_type() != "application/pdf" or not isinstance(copy, bytes) or not copy.startswith(b"%PDF-"):
        raise Wrong("the third part is not a PDF")
    if not re.fullmatch(r"[0-9]{8}_[^_/\\]+_[^_/\\]+_[^/\\]+\.pdf", name):
        raise Wrong("the PDF is not named by date, type, name and given name")
    data = archive.get_payload(decode=True)
    return _archive(data if isinstance(data, bytes) else b"")


def _archive(data: bytes) -> Facts:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as opened:
            infos = opened.infolist()
            if sum(i.file_size for i in infos) > _EXPANDED:
                raise Wrong("the archive expands too much")
            if any(i.flag_bits for i in infos):
                raise Wrong("an entry of the archive bears a flag")
            held = {i.filename: opened.read(i) for i in infos}
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError):
        raise Wrong("IHE_XDM.ZIP cannot be read") from None
    names = list(held)
    if tuple(names[:4]) != _ENTRIES or names[-1] != "IHE_XDM/SUBSET01/METADATA.XML" or len(names) != len(infos):
        raise Wrong("the entries of the archive are not in the prescribed order")
    documents = [n.rpartition("/")[2] for n in names[4:-1]]
    if len(documents) != 1 or not re.fullmatch(r"DOC[0-9]{4}\.XML", documents[0]):
        raise Wrong("the archive does not hold one DOC0001.XML")
    cda = held[f"IHE_XDM/SUBSET01/{documents[0]}"]
    try:
        facts = document.read(cda)
        root = markup.parse(held[names[-1]])
    except (document.Unfit, markup.Malformed) as problem:
        raise Wrong(f"the archive: {problem}") from None
    _metadata(root, documents[0], cda, facts)
    return facts


def _metadata(root: markup.Element, name: str, cda: bytes, facts: Facts) -> None:
    packages, entries = list(root.iter(f"{_RIM}RegistryPackage")), list(root.iter(f"{_RIM}ExtrinsicObject"))
    links = list(root.iter(f"{_RIM}Association"))
    if (len(packages), len(entries), len(links)) != (1, 1, 1):
        raise Wrong("METADATA.XML does not hold one set, one document and one association")
    package, entry = packages[0], entries[0]
    ends = (links[0].get("sourceObject"), links[0].get("targetObject"))
    if ends != (package.get("id"), entry.get("id")) or not str(entry.get("id")).startswith("urn:uuid:"):
        raise Wrong("the association does not tie the document to the set")
    slots = {
        slot.get("name"): [markup.text(v) for v in slot.iter(f"{_RIM}Value")] for slot in entry.findall(f"{_RIM}Slot")
    }
    digest = hashlib.sha1(cda, usedforsecurity=False).hexdigest().upper()
    for slot, value in (("hash", digest), ("size", str(len(cda))), ("URI", name), ("languageCode", "fr-FR")):
        if slots.get(slot) != [value]:
            raise Wrong(f"slot {slot} of METADATA.XML does not agree with the document")
    if slots.get("creationTime") != [facts.created]:
        raise Wrong("creationTime of METADATA.XML does not agree with the document")
    if (facts.version > 1) != (slots.get("urn:action:extraMetadataSlot") == ["C"]):
        raise Wrong("the slot of replacements does not agree with versionNumber")
    inside, around = _identifiers(entry), _identifiers(package)
    if inside.get(_ENTRY_ID) != facts.unique_id:
        raise Wrong("uniqueId of METADATA.XML is not that of the document")
    root_oid, number = facts.patient_ids[0]
    if (
        inside.get(_ENTRY_PATIENT) != f"{number}^^^&{root_oid}&ISO^NH"
        or around.get(_SET_PATIENT) != inside[_ENTRY_PATIENT]
    ):
        raise Wrong("patientId of METADATA.XML is not that of the document")
    if not forms.is_oid(around.get(_SET_ID, "")) or not forms.is_oid(around.get(_SET_SOURCE, "")):
        raise Wrong("uniqueId or sourceId of the set is not an OID")


def _identifiers(element: markup.Element) -> dict[str, str]:
    return {e.get("identificationScheme"): e.get("value") for e in element.findall(f"{_RIM}ExternalIdentifier")}


def _agreement(message: Message, facts: Facts, recipient: str) -> None:
    """Headers against the document."""
    if str(message["X-MSS-CODECDA"]) != facts.code:
        raise Wrong("X-MSS-CODECDA is not the code of the document")
    root, number = facts.patient_ids[0]
    qualified = not forms.ins_problem(number, root)
    if str(message["X-MSS-INS"]) != ("O" if qualified else "N"):
        raise Wrong("X-MSS-INS does not agree with the document")
    if citizen(recipient) and citizen(recipient) != number:
        raise Wrong("the document is of another citizen than the recipient")
    subject = text_of(message["Subject"])
    bare = subject.removeprefix(f"{_MARK} ").removesuffix(f" {_MARK}")
    if bare != subject and not (str(message["In-Reply-To"] or "") and str(message["References"] or "")):
        raise Wrong("a replacement names no former message")
    who = f"{_plain(facts.traits['birth name']).upper()} {_plain(facts.traits['first given name'])}"
    pattern = rf"XDM/1\.0/DDM\+(.{{1,40}}) {re.escape(who)}( [0-9]{{2}}/[0-9]{{2}}/[0-9]{{4}})?"
    if not re.fullmatch(pattern, bare):
        raise Wrong("Subject is not of the form of a XDM message")


def _plain(text: str) -> str:
    return "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c))
