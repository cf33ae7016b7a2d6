"""One IHE XDM archive of a patient against itself: layout, digests, metadata against the CDA headers, schema, readable copies, links.

Works on an archive that stands alone as well as on the PATnnnnn.ZIP of a portability archive, ours or not. The outer ZIP, its manifest
and its signature belong to `archive`; sentences to `archive_findings`. One body is in memory at a time.
"""

from __future__ import annotations

import re
import zlib
from collections import Counter
from collections.abc import Callable, Generator, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple
from urllib.parse import unquote

from transvase.formats import cda, xdm
from transvase.formats.ascii_text import file_part
from transvase.formats.xds import DocumentEntry
from transvase.formats.xds_metadata import NotDerivable, patient_id, utc
from transvase.validators.archive_findings import Found, found, of_defect, of_refusal


class SchemaUnreadable(ValueError):
    """The file given as schema is none."""


Valid = Callable[[bytes, Any], bool]

# A record of thousands of documents takes some megabytes; as Python values it takes ten times more.
MAX_DATA_BYTES = 32_000_000
_MAX_TEXT_BYTES = 1_000_000
_CDA_TYPES = ("text/xml", "application/xslt+xml")
_HEADER = [cda.V3 + name for name in ("id", "code", "title", "effectiveTime", "recordTarget")]
_NOTHING: dict[str, str] = {}
_STYLESHEET = re.compile(rb"<\?xml-stylesheet\s[^>]*?href\s*=\s*[\"']([^\"'#][^\"']*)[\"']")
_LINK = re.compile(r"\s(?:href|src)\s*=\s*[\"']([^\"']*)[\"']", re.IGNORECASE)
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:|//")
# PDF/A forbids a filter on the metadata stream (ISO 19005-1, 6.7.2), so that the declaration is found without opening the file.
_PART = re.compile(rb"pdfaid:part\s*(?:=\s*[\"']|>)\s*1")
_PART_LENGTH = 64
_COPY = re.compile(r"PDF/[^/]+\.pdf", re.IGNORECASE)
_NOTICE = "_AVIS.pdf"
_ORIGINAL = re.compile(r"ORIGINAUX/(DOC\d{4,5})\.[^/]+", re.IGNORECASE)
_NUMBERED = re.compile(r"_(\d{4,5})\.pdf")


class How(NamedTuple):
    """How an archive is judged: `own` when Transvase made it (then every difference blocks), `portability` when it came in a portability
    archive (then it promises readable copies), `valid` tells whether bytes and parsed element of a CDA follow the schema."""

    own: bool
    portability: bool
    valid: Valid | None = None


@dataclass
class Tally:
    """What was met: counts of what arrived, of what did not by finding, of what was checked, of what was not by finding."""

    arrived: Counter[str] = field(default_factory=Counter)
    gone: Counter[str] = field(default_factory=Counter)
    checked: Counter[str] = field(default_factory=Counter)
    unchecked: Counter[str] = field(default_factory=Counter)


class _Line(NamedTuple):
    """A line of `documents` in DONNEES.JSON."""

    uri: str
    form: str
    unique_id: str


def schema(path: Path, many: bool) -> Valid:
    """What tells whether a CDA follows the schema of `path` (CDA_extended.xsd). With `many` documents the schema is also compiled, which
    takes a second and accepts twice as fast. `SchemaUnreadable` when the file is no schema."""
    from lxml import etree

    try:
        validator = etree.XMLSchema(etree.parse(path))
    except (etree.LxmlError, OSError):
        raise SchemaUnreadable("the file is not a readable schema") from None
    accepts: Callable[[bytes], bool] = lambda data: False  # noqa: E731
    if many:
        from transvase.formats.schema_acceptor import Unsupported, compile_schema

        with suppress(Unsupported):
            accepts = compile_schema(path).accepts
    return lambda data, root: accepts(data) or bool(validator.validate(root))


def person(cx: str) -> tuple[str, ...]:
    """Identifier and OID of a patient identifier in CX form, whose type may be told differently."""
    return (cx.split("^", 1)[0], *cx.split("&")[1:2])


def examine(file: BinaryIO, archive: str, listed_as: str, how: How, tally: Tally) -> Iterator[Found]:
    """What is wrong in an archive, named `archive` in the report; `listed_as` is its patientId in MANIFEST.XML, empty without one."""
    try:
        opened = xdm.XdmArchive(file)
    except xdm.XdmRefused as refusal:
        yield of_refusal(refusal, archive)
        return
    with opened:
        yield from _Patient(opened, archive, how, tally).findings(listed_as)


class _Patient:
    """One archive while it is examined."""

    def __init__(self, opened: xdm.XdmArchive, archive: str, how: How, tally: Tally) -> None:
        self.zip, self.archive, self.how, self.tally = opened, archive, how, tally
        # By submission folder and rank in its metadata.
        self.entries: dict[tuple[str, int], DocumentEntry] = {}
        # Length and CRC-32 of the PDF inside a document.
        self.embedded: dict[tuple[str, int], tuple[int, int]] = {}
        self.stylesheets = 0

    def met(self, which: str, **facts: int | str) -> Found:
        return found(which, self.archive, **facts)

    def findings(self, listed_as: str) -> Iterator[Found]:
        lines: list[_Line] | None = None
        if self.how.portability:
            lines = yield from self.lines()
        forms = {line.uri: line.form for line in lines or () if line.form != "repeated"}
        for one in xdm.examine(self.zip):
            if isinstance(one, xdm.Defect):
                yield of_defect(one, self.archive)
                continue
            self.entries[one.subset, one.rank] = one.entry
            # The synthesis has no line: it is ours.
            yield from self.document(
                one, written=self.how.own and forms.get(one.entry.uri, "written") in ("written", "structured")
            )
        self.tally.arrived["documents"] += len(self.entries)
        if self.stylesheets:
            yield self.met("ARC-STYLESHEET", count=self.stylesheets)
        said = {person(e.patient_id) for e in self.entries.values()}
        if listed_as and said and said != {person(listed_as)}:
            yield self.met("ARC-PATIENT-ID")
        if lines is not None:
            yield from self.accounted(lines)
        if self.how.portability:
            yield from self.copies()
            yield from self.originals()
        yield from self.links()
        yield from self.others()

    # -- Documents --------------------------------------------------------------------------------------------------------------

    def document(self, one: xdm.Examined, written: bool) -> Iterator[Found]:
        """A document against its metadata; `written` when Transvase wrote both."""
        if one.entry.mime_type not in _CDA_TYPES:
            return
        place: dict[str, int | str] = {"subset": one.subset, "document": one.rank}
        try:
            if one.body.count(b"<") > xdm.MAX_TAGS:
                raise cda.CdaUnreadable("too many tags")
            root = cda.parse(one.body)
        except cda.CdaUnreadable:
            yield self.met("ARC-CDA-UNREADABLE" if self.how.own else "ARC-CDA-UNREADABLE-OTHER", **place)
            return
        self.tally.checked["documents"] += 1
        self.stylesheets += _STYLESHEET.search(one.body, 0, 4096) is not None
        if self.how.valid is not None:
            self.tally.checked["documents against the schema"] += 1
            if not self.how.valid(one.body, root):
                yield self.met("ARC-CDA-SCHEMA" if written else "ARC-CDA-SCHEMA-CARRIED", **place)
        for attribute, said, derived in _compared(one.entry, root):
            if derived is None and not written:
                yield self.met("ARC-META-UNDERIVED", attribute=attribute, **place)
            elif said != derived:
                yield self.met("ARC-META-DIFFERS" if written else "ARC-META-CARRIED", attribute=attribute, **place)
        if self.how.own:
            try:
                pdf = cda.embedded_pdf(root)
            except cda.CdaUnreadable:
                pdf = None
            if pdf is not None:
                self.embedded[one.subset, one.rank] = (len(pdf), zlib.crc32(pdf))

    # -- DONNEES.JSON -----------------------------------------------------------------------------------------------------------

    def lines(self) -> Generator[Found, None, list[_Line] | None]:
        """The lines of DONNEES.JSON, None without them."""
        import orjson

        if "DONNEES.JSON" not in self.zip:
            if self.how.own:
                yield self.met("ARC-DATA-MISSING")
            self.tally.gone["ARC-GONE-NOT-STATED"] = 1
            return None
        if self.zip.size("DONNEES.JSON") > MAX_DATA_BYTES:
            self.tally.unchecked["ARC-NOT-DATA"] += 1
            return None
        try:
            documents = orjson.loads(self.zip.read("DONNEES.JSON"))["documents"]
            lines = [_Line(str(d["uri"]), str(d["form"]), str(d["unique_id"])) for d in documents]
        except (xdm.XdmRefused, orjson.JSONDecodeError, KeyError, TypeError):
            if self.how.own:
                yield self.met("ARC-DATA-UNREADABLE")
            self.tally.gone["ARC-GONE-NOT-STATED"] = 1
            return None
        for line in lines:
            if line.form in ("absent", "repeated", "plain"):
                self.tally.gone[f"ARC-GONE-{line.form.upper()}"] += 1
        return lines

    def accounted(self, lines: list[_Line]) -> Iterator[Found]:
        """Every document has its line and the reverse; the synthesis, which comes first, has none."""
        held = {e.uri: e.unique_id for e in self.entries.values()}
        carried = [line for line in lines if line.form not in ("absent", "repeated")]
        wanted = Counter(line.uri for line in carried)
        same = all(held.get(line.uri) == line.unique_id for line in lines if line.form != "absent")
        first = {e.uri for (_, rank), e in self.entries.items() if rank == 1}
        if not same or wanted != Counter(held.keys() - first):
            yield self.met("ARC-DATA-LINES")

    # -- Readable copies and originals ------------------------------------------------------------------------------------------

    def copies(self) -> Iterator[Found]:
        """PDF/ holds one copy of each document, and its name tells which (PORT-50, PORT-51)."""
        undeclared = 0
        names = [n for n in self.zip.names if _COPY.fullmatch(n)]
        if self.how.own:
            # A page that says why the copy beside it is no PDF/A-1 is the copy of nothing.
            among = set(names)
            names = [n for n in names if not (n.endswith(_NOTICE) and f"{n.removesuffix(_NOTICE)}.pdf" in among)]
        self.tally.arrived["readable copies"] += len(names)
        copies = set(names)
        for rank, name in enumerate(self.zip.names, 1):
            if name in copies:
                try:
                    undeclared += not _declares(self.zip.chunks(name))
                except xdm.XdmRefused:
                    yield self.met("ARC-ENTRY-DAMAGED", entry=rank)
        groups: dict[str, list[tuple[str, int]]] = {}
        for place, entry in self.entries.items():
            day = (entry.service_start_time or entry.creation_time)[:8]
            groups.setdefault(f"{day}_{file_part(entry.type_code.display)}_".casefold(), []).append(place)
        paired: dict[str, list[str]] = {}
        stray = 0
        for name in names:
            bare = name[4:].casefold()
            ends = [i + 1 for i, c in enumerate(bare) if c == "_"]
            group = next((bare[:end] for end in reversed(ends) if bare[:end] in groups), None)
            if group is None:
                stray += 1
            else:
                paired.setdefault(group, []).append(name)
        missing = sum(max(0, len(places) - len(paired.get(g, ()))) for g, places in groups.items())
        stray += sum(max(0, len(paired.get(g, ())) - len(places)) for g, places in groups.items())
        if stray and not self.how.own:
            # Others may name their copies otherwise: then only their number can be told.
            self.tally.unchecked["ARC-NOT-PAIRS"] += stray
            missing = max(0, len(self.entries) - len(names))
        elif stray:
            yield self.met("ARC-PDF-STRAY", count=stray)
        if missing:
            yield self.met("ARC-PDF-MISSING", count=missing)
        if ambiguous := sum(_ambiguous({rank for _, rank in groups[g]}, among) for g, among in paired.items()):
            yield self.met("ARC-PDF-AMBIGUOUS", count=ambiguous)
        if undeclared:
            yield self.met("ARC-PDF-UNDECLARED", count=undeclared)
        self.tally.checked["readable copies"] += len(names)
        for group, places in groups.items():
            held = {(self.zip.size(n), self.zip.crc(n)) for n in paired.get(group, ())}
            for place in places:
                if held and place in self.embedded and self.embedded[place] not in held:
                    yield self.met("ARC-PDF-CONTENT", subset=place[0], document=place[1])

    def originals(self) -> Iterator[Found]:
        """ORIGINAUX/ holds the source bytes of documents, under their numbers."""
        stems = {e.uri.rpartition(".")[0].upper() for e in self.entries.values()}
        named = [_ORIGINAL.fullmatch(n) for n in self.zip.names if n.upper().startswith("ORIGINAUX/") and n[-1] != "/"]
        self.tally.arrived["originals"] += len(named)
        if stray := sum(m is None or m[1].upper() not in stems for m in named):
            yield self.met("ARC-ORIGINAL-STRAY", count=stray)

    # -- The rest ---------------------------------------------------------------------------------------------------------------

    def links(self) -> Iterator[Found]:
        """Links of INDEX.HTM lead to entries of the archive (PORT-53)."""
        if not 0 <= self.zip.size("INDEX.HTM") <= _MAX_TEXT_BYTES:
            return
        try:
            text = self.zip.read("INDEX.HTM").decode("utf-8", "replace")
        except xdm.XdmRefused:
            return
        targets = [m.partition("#")[0].strip() for m in _LINK.findall(text)]
        outside = sum(_SCHEME.match(t) is not None and not t.lower().startswith(("mailto:", "tel:")) for t in targets)
        inside = [unquote(t).removeprefix("./") for t in targets if t and not _SCHEME.match(t)]
        if outside:
            yield self.met("ARC-LINK-OUTSIDE", count=outside)
        if broken := sum(t not in self.zip for t in inside):
            yield self.met("ARC-LINK-BROKEN", count=broken)
        if "README.TXT" not in (t.upper() for t in inside):
            yield self.met("ARC-LINK-README")

    def others(self) -> Iterator[Found]:
        """Entries that nothing above reads are read to their end, where their CRC is compared."""
        for rank, name in enumerate(self.zip.names, 1):
            if name.endswith("/") or name.upper().startswith("IHE_XDM/"):
                continue
            if self.how.portability and _COPY.fullmatch(name):
                continue
            chunks = self.zip.chunks(name)
            try:
                if name.upper() == "README.TXT" and self.how.portability:
                    if not plain_text(chunks):
                        yield self.met("ARC-README")
                else:
                    for _ in chunks:
                        pass
            except xdm.XdmRefused:
                yield self.met("ARC-ENTRY-DAMAGED", entry=rank)


def _compared(entry: DocumentEntry, root: Any) -> Iterator[tuple[str, object, object]]:
    """Attribute, what the metadata say, what follows from the header (sheet xdm-mssante, 2): None when nothing does. Only what is compared
    is read: the whole header takes three times as long."""
    # Backwards, so that the first of each counts.
    parts = {child.tag: child for child in root.iterchildren(*_HEADER, reversed=True)}
    code, title = parts.get(f"{cda.V3}code", _NOTHING), parts.get(f"{cda.V3}title")
    ident, time = parts.get(f"{cda.V3}id", _NOTHING), parts.get(f"{cda.V3}effectiveTime", _NOTHING)
    yield "uniqueId", entry.unique_id, cda.Id(ident.get("root", ""), ident.get("extension", "")).oid or None
    kind = (code.get("code", ""), code.get("codeSystem", ""))
    yield "typeCode", entry.type_code[:2], kind if kind[0] else None
    yield "title", entry.title.split(), [] if title is None else "".join(title.itertext()).split()
    try:
        created = utc(time.get("value", "")) or None
    except NotDerivable:
        created = None
    yield "creationTime", entry.creation_time, created
    target = parts.get(f"{cda.V3}recordTarget")
    try:
        who = None if target is None else person(patient_id(cda.patient(target)))
    except NotDerivable:
        who = None
    yield "patientId", person(entry.patient_id), who


def plain_text(chunks: Iterator[bytes]) -> bool:
    """Whether a text is seven-bit ASCII with CRLF and no other line end (PORT-54)."""
    good, before = True, b""
    for chunk in chunks:
        both = before + chunk
        good = good and chunk.isascii() and both.count(b"\r\n") == both.count(b"\n") == both[:-1].count(b"\r")
        before = chunk[-1:] if chunk.endswith(b"\r") else b""
    return good and not before


def _declares(chunks: Iterator[bytes]) -> bool:
    """Whether a PDF declares PDF/A-1 in its metadata; read to its end in any case."""
    declared, before = False, b""
    for chunk in chunks:
        if not declared:
            window = before + chunk if before else chunk
            at = window.find(b"pdfaid:part")
            while at >= 0 and not declared:
                declared = _PART.match(window, at) is not None
                at = window.find(b"pdfaid:part", at + 1)
            before = window[-_PART_LENGTH:]
    return declared


def _ambiguous(ranks: set[int], names: list[str]) -> int:
    """Copies of documents of one day and type that their names do not tell apart: one may go without number, the others bear the
    rank of their document."""
    if len(names) < 2:
        return 0
    told = [int(m[1]) if (m := _NUMBERED.search(n.casefold())) and int(m[1]) in ranks else 0 for n in names]
    bare = told.count(0)
    repeated = len(told) - bare - len(set(told) - {0})
    return (bare if bare > 1 else 0) + repeated
