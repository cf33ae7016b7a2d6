"""A body of the practice, whatever its kind, as a PDF that a person can read.

The reading of each kind belongs to its module (`rtf`, `markup`, `pictures`), the pages to `writer`. Nothing here decides
which document gets a PDF. What the PDF does not show is said in its notes, never passed over.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import NamedTuple

from transvase.exporters.pdf import markup, pictures, rtf
from transvase.exporters.pdf.writer import Block, Heading, PageBreak, Paragraph, TooLong, text_document, typeset
from transvase.formats.image import jpeg_problem, png_problem, tiff_problem
from transvase.formats.pdf import pdf_facts, pdf_problem

# How near the PDF is to what came, from nearest: the same bytes; the same pixels inside pages; pixels converted; text laid
# out again.
RUNGS = ("carried", "wrapped", "converted", "laid-out")

# Every note, with its sentence for people.
NOTES = {
    "pdf-encrypted": "Le PDF d’origine est chiffré ; il est transporté tel quel.",
    "pdf-not-declared-pdfa1": "Le PDF d’origine ne se déclare pas PDF/A-1 ; il est transporté tel quel.",
    "characters-as-codes": "Des caractères absents de la police sont écrits par leur code [U+XXXX].",
    "characters-undecodable": "Des octets sans caractère dans leur codage sont signalés par un losange.",
    "pictures-left-out": "Des images du document d’origine ne sont pas reproduites ; leur place est indiquée.",
    "hidden-text-left-out": "Du texte masqué ou supprimé dans le document d’origine n’est pas reproduit.",
    "source-unfinished": "Le document d’origine s’interrompt avant sa fin ; ce qui a pu être lu est reproduit.",
    "colours-converted": "Les couleurs ou niveaux de gris ont été convertis pour PDF/A.",
    "no-text": "Le document d’origine ne contient aucun texte.",
}

# Fifty megabytes of letters is no letter; laying them out would take half a minute.
_TEXT_AT_MOST = 50_000_000


class BodyUnreadable(Exception):
    """A body that cannot be shown. The text says its kind and why, never what it holds; the reference is the caller's."""

    def __init__(self, kind: str, reason: str) -> None:
        super().__init__(f"body of kind {kind}: {reason}")
        self.kind = kind
        self.reason = reason

    def __reduce__(self) -> tuple[object, ...]:
        return (BodyUnreadable, (self.kind, self.reason))


class Rendering(NamedTuple):
    """The PDF, its rung (one of RUNGS) and its notes (keys of NOTES, in that order)."""

    pdf: bytes
    rung: str
    notes: tuple[str, ...]


def render(body: bytes, detected: str, *, title: str, created: datetime, identifier: str) -> Rendering:
    """Make a body readable (PORT-38). `detected` is what `formats.sniff` said; `created` carries a time zone.

    Everything but a PDF that came as one becomes PDF/A-1b. Raises BodyUnreadable for a corrupt body, one beyond our
    limits, or a kind that has no readable form; the caller then writes a `notice`.
    """
    if detected == "pdf":
        return _carried(body)
    if detected in _IMAGE_PROBLEMS:
        if problem := _IMAGE_PROBLEMS[detected](body):
            raise BodyUnreadable(detected, problem)
        try:
            album = pictures.picture_document(body, detected, title=title, created=created, identifier=identifier)
        except ValueError as error:
            raise BodyUnreadable(detected, str(error)) from None
        except Exception:
            # On damaged pictures the decoders raise whatever they stumble on; nothing of it is worth keeping.
            raise BodyUnreadable(detected, "its picture cannot be decoded") from None
        return Rendering(album.pdf, *(("converted", ("colours-converted",)) if album.converted else ("wrapped", ())))
    if detected not in _READERS:
        raise BodyUnreadable(detected, "no readable form is known for this kind")
    if len(body) > _TEXT_AT_MOST:
        raise BodyUnreadable(detected, f"more than {_TEXT_AT_MOST // 1_000_000} MB of text")
    try:
        blocks, noted = _READERS[detected](body)
        if not blocks:
            noted.add("no-text")
            blocks = [Paragraph("[" + NOTES["no-text"] + "]")]
        result = typeset(title, blocks, created=created, identifier=identifier)
    except TooLong as error:
        raise BodyUnreadable(detected, str(error)) from None
    if result.coded:
        noted.add("characters-as-codes")
    return Rendering(result.pdf, "laid-out", tuple(note for note in NOTES if note in noted))


def notice(
    reason_fr: str, reference: str, *, created: datetime, identifier: str, title: str = "Contenu non affichable"
) -> bytes:
    """One page in French saying that the original content travels as it came, and why it is not shown here.

    `reason_fr` completes a sentence ("le fichier est tronqué"); `reference` is the internal one, never a patient's name.
    """
    blocks: list[Block] = [
        Paragraph(
            "Le contenu d’origine de ce document n’a pas pu être présenté sous forme lisible. "
            "Il est transmis tel quel, sans modification, avec cet avis."
        ),
        Heading("Motif", 2),
        Paragraph(reason_fr),
        Heading("Référence interne", 2),
        Paragraph(reference),
    ]
    return text_document(title, blocks, created=created, identifier=identifier)


def _carried(body: bytes) -> Rendering:
    if problem := pdf_problem(body):
        raise BodyUnreadable("pdf", problem)
    try:
        facts = pdf_facts(body)
    except ValueError as error:
        raise BodyUnreadable("pdf", str(error)) from None
    noted = {"pdf-encrypted": facts.encrypted, "pdf-not-declared-pdfa1": facts.pdfa_part != 1}
    return Rendering(body, "carried", tuple(note for note in NOTES if noted.get(note)))


def _decoded(body: bytes) -> tuple[str, set[str]]:
    """Text of a body: by its byte order mark, else UTF-8, else Windows-1252, which every older French software writes."""
    for bom, encoding in ((b"\xff\xfe", "utf-16-le"), (b"\xfe\xff", "utf-16-be")):
        if body.startswith(bom):
            text = body[2:].decode(encoding, "replace")
            return text.strip("\0"), {"characters-undecodable"} if "\ufffd" in text else set()
    body = body.strip(b"\0").removeprefix(b"\xef\xbb\xbf")
    try:
        return body.decode("utf-8"), set()
    except UnicodeDecodeError:
        text = body.decode("cp1252", "replace")
        return text, {"characters-undecodable"} if "\ufffd" in text else set()


def _is_utf8(body: bytes) -> bool:
    try:
        body.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _text(body: bytes) -> tuple[list[Block], set[str]]:
    text, noted = _decoded(body)
    # 1A closed files under CP/M and DOS, and still closes some exports.
    text = text.rstrip("\x1a\0")
    blocks: list[Block] = []
    for place, page in enumerate(text.split("\f")):
        if place:
            blocks.append(PageBreak())
        if page.strip():
            blocks.append(Paragraph(page.strip("\r\n").rstrip()))
    return (blocks if text.strip() else []), noted


def _rtf(body: bytes) -> tuple[list[Block], set[str]]:
    try:
        read = rtf.rtf_blocks(body)
    except ValueError as error:
        raise BodyUnreadable("rtf", str(error)) from None
    found = {
        "pictures-left-out": read.pictures > 0,
        "hidden-text-left-out": read.hidden,
        "source-unfinished": not read.complete,
    }
    return list(read.blocks), {note for note, applies in found.items() if applies}


def _html(body: bytes) -> tuple[list[Block], set[str]]:
    text, noted = _decoded(body)
    declared = markup.declared_encoding(body)
    # A page that is valid UTF-8 is UTF-8 whatever it says: pages saved again by another software keep the old words.
    if declared and "\ufffd" not in (chosen := body.decode(declared, "replace")) and not _is_utf8(body):
        text, noted = chosen, set()
    try:
        read = markup.html_blocks(text)
    except ValueError as error:
        raise BodyUnreadable("html", str(error)) from None
    return list(read.blocks), noted | ({"pictures-left-out"} if read.pictures else set())


def _xml(body: bytes) -> tuple[list[Block], set[str]]:
    try:
        return list(markup.xml_blocks(body).blocks), set()
    except ValueError as error:
        raise BodyUnreadable("xml", str(error)) from None


_IMAGE_PROBLEMS: dict[str, Callable[[bytes], str | None]] = {
    "jpeg": jpeg_problem,
    "png": png_problem,
    "tiff": tiff_problem,
}
_READERS: dict[str, Callable[[bytes], tuple[list[Block], set[str]]]] = {
    "text": _text,
    "rtf": _rtf,
    "html": _html,
    "xml": _xml,
}
