"""What `pdfa.defects` finds in a PDF, told from the bytes alone for files of the plain form that most software writes, as long as nothing
but what surrounds the pages is amiss: colour intent, metadata, header.

Plain: a classic cross-reference table (two when linearized), every byte of the file accounted for by one of its objects, nothing rare.
An answer is what the full look would say; none means that the full look is needed, never that there is a defect. Reading is strict, in
time that grows with the text of the objects (bounded) and not with their images, so hostile bytes may come here in any process: no
library meets them but zlib, under a bound, and the reader of XMP.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator
from functools import lru_cache
from typing import Any, NamedTuple

from transvase.formats.pdfa import (
    ACTIONS,
    FILTERS,
    HIDDEN,
    INVISIBLE,
    MIRRORED,
    NO_VIEW,
    PRINT,
    STATES_AT_MOST,
    SUBSET,
    packet_differs,
    profile_serves,
)  # fmt: skip

_OBJECTS_AT_MOST = 5_000
# An array or a dictionary beyond the limits of annex C takes more text than this.
_TEXT_AT_MOST = 12_000
_ALL_TEXT_AT_MOST = 300_000
_CONTENT_AT_MOST = 1 << 20
_NESTED_AT_MOST = 20
_TRAILER_AT_MOST = 2_000
# Texts of objects that are remembered.
_KNOWN_AT_MOST = 500

_OPENING, _NO_VALUE = frozenset((b"<<", b"[")), frozenset((b">>", b"]", b"null"))
_SLASH = 47
_BLANKS = b"\0\t\n\f\r "
_W = rb"[\0\t\n\f\r ]"
_END = rb"(?=[\0\t\n\f\r ()<>\[\]{}/%]|\Z)"
# No escape but the one of a space.
_NAME = rb"/(?:[!\"$&'*+,\-.0-9:;=?@A-Z\\^_`a-z|~]|#20){1,120}+" + _END
_NUMBER = rb"[+-]?(?:\d{1,9}(?:\.\d{0,9}+)?+|\.\d{1,9}+)" + _END
_STRING = rb"\((?:[^()\\\r\n]|\\[nrtbf()\\]|\\[0-3][0-7]{2})*+\)|<[0-9A-Fa-f]*+>"
_NUMBERS = rb"\[(?:" + _W + rb"++|" + _NUMBER + rb")*+\]"

_HEADER = re.compile(rb"%PDF-1\.[0-7](?:\r\n?|\n)(?:%[^\r\n]*+(?:\r\n?|\n))?+[\r\n]*+")
_MARKED = re.compile(rb"%PDF-1\.[0-4](?:\r\n?|\n)%[^\r\n]*?[\x80-\xff]{4}")
_TAIL = re.compile(rb"startxref[\r\n ]++(\d{1,10}+)[\r\n ]++%%EOF(?:\r\n?|\n)?\Z")
_TABLE = re.compile(rb"xref(?:\r\n?|\n)(\d{1,6}+) (\d{1,6}+) ?(?:\r\n?|\n)")
_ROWS = re.compile(rb"(?:\d{10} (?:00000 n|\d{5} f)(?: \r| \n|\r\n))*+")
_TABLE_END = re.compile(rb"startxref[\r\n ]++\d{1,10}+[\r\n ]++%%EOF(?:\r\n?|\n|\Z)" + _W + rb"*+")
_TRAILER = frozenset((b"/Size", b"/Root", b"/Info", b"/ID", b"/DocChecksum", b"/Prev"))
_STREAM_END = re.compile(_W + rb"*+endstream" + _W + rb"++endobj" + _W + rb"++")
_REFERENCES = re.compile(rb"([1-9]\d{0,5}) 0 R")
_ESCAPE = re.compile(rb"\\(?:([0-3][0-7]{2})|(.))")
_LATIN = bytes((*range(32, 127), *range(161, 173), *range(174, 256)))
_ESCAPED = {b"n": b"\n", b"r": b"\r", b"t": b"\t", b"b": b"\b", b"f": b"\f"}
_FILTERS = frozenset(name.encode("latin-1") for name in FILTERS)
# The last alternative is what the plain form does not have, with all that follows it.
_TOKEN = re.compile(
    rb"[1-9]\d{0,5}+ 0 R" + _END + rb"|" + _NAME + rb"|" + _NUMBER + rb"|<<|>>|" + _STRING + rb"|" + _NUMBERS
    + rb"|\[|\]|(?:true|false|null)" + _END + rb"|[^\0\t\n\f\r ].*+", re.DOTALL,
)  # fmt: skip
# Where one of these stands, as a key or as a value, the full look has something to weigh.
_SUSPECT = frozenset(
    b"/" + name
    for name in b"""Collection NeedsRendering AcroForm AA JavaScript EmbeddedFiles EF OCProperties OC OCGs UserUnit Group Transparency
    ca CA BM SMask TR TR2 FFilter SMaskInData OPI Alternates Intent PS Subtype2 Ref PatternType Type3 Encrypt XFA DeviceCMYK LZWDecode
    Crypt ObjStm XRef Launch Sound Movie ResetForm ImportData SubmitForm Hide SetState Rendition""".split()
)
_TAKEN_AWAY = frozenset(b"/" + name for name in b"Version Extensions Perms Requirements Legal DSS AF".split())
_WEIGHED_HERE = _SUSPECT | {b"/ICCBased", b"/BaseFont", b"/Metadata"}
# Content: strings go first, whatever they hold; then words are what stands between blanks and delimiters.
_STRINGS = re.compile(_STRING)
_VALUE = rb"(?:" + _NAME + rb"|" + _NUMBER + rb"|\[(?:" + _W + rb"++|" + _NAME + rb"|" + _NUMBER + rb")*+\])"
_PROPERTIES = re.compile(rb"<<(?:" + _W + rb"*+" + _NAME + _W + rb"*+" + _VALUE + rb")*+" + _W + rb"*+>>")
_PROPERTY = re.compile(rb"(" + _NAME + rb")" + _W + rb"*+" + _VALUE)
_SPACED = bytes.maketrans(b"[]<>", b"    ")
_BUT_BRACKETS = bytes(set(range(256)) - set(b"[]<>"))
_SPACE_NAMED = re.compile(_NAME + rb"[\t\n\f\r ]++(?:cs|CS)(?=[\t\n\f\r /[<]|\Z)")
# Operators of the printers' colours, of intents, of images in the line; names that the content may not use.
_WEIGHED = frozenset((b"k", b"K", b"ri", b"BI", b"ID", b"EI", b"/DeviceCMYK"))


class _NotPlain(Exception):
    """The full look is needed."""


class _Stream(NamedTuple):
    """A stream object: its dictionary, and where its bytes and its object end."""

    keys: dict[bytes, Any]
    start: int
    end: int


class Plain(NamedTuple):
    """A file of the plain form. `found`: all that the full look finds, of "intent", "metadata" and "structure"; `kept`: first byte and
    end, by number, of the objects that something refers to, without information and metadata; `root`: number of the catalogue; `said`:
    entries of the information dictionary that XMP repeats."""

    found: frozenset[str]
    kept: dict[int, tuple[int, int]]
    root: int
    said: dict[str, str]


def read(body: bytes) -> Plain | None:
    """What the full look finds in this file, or None where that look is needed. Never raises."""
    try:
        return _Reading(body).told()
    except _NotPlain:
        return None


def conforms(body: bytes) -> bool:
    """Whether `pdfa.defects` certainly finds nothing against this file; False says nothing of it. Never raises."""
    plain = read(body)
    return plain is not None and not plain.found


def _sure(certain: object) -> None:
    if not certain:
        raise _NotPlain


def _number(reference: Any) -> bytes:
    """The number of the object that is referred to."""
    if type(reference) is not bytes or not reference.endswith(b" 0 R"):
        raise _NotPlain
    return reference[:-4]


class _Reading:
    """The objects of a file by number: a token (bytes), a list, a dictionary or a stream; references stay tokens."""

    def __init__(self, body: bytes) -> None:
        self.body = body
        self.objects: dict[int, Any] = {}
        self.trailer: dict[bytes, Any] = {}
        self.trailers: list[dict[bytes, Any]] = []
        self.places: dict[int, int] = {}
        self.spans: dict[int, tuple[int, int]] = {}
        self.text_left, self.content_left = _ALL_TEXT_AT_MOST, _CONTENT_AT_MOST
        self.referred: list[bytes] = []
        self.profiles: list[bytes] = []
        self.fonts: list[int] = []
        self.described: list[int] = []
        self.pages: set[bytes] = set()

    def told(self) -> Plain:
        marked = self.read()
        reference = self.trailer.get(b"/Root")
        root = self.dictionary(reference)
        _sure(root.get(b"/Type") == b"/Catalog" and type(root.get(b"/OpenAction", [])) is list)
        found = set() if marked and b"/ID" in self.trailer else {"structure"}
        if b"/OutputIntents" not in root:
            found.add("intent")
        else:
            _sure(self.intent(root) == 3)
        for profile in self.profiles:
            self.profile(profile)
        for held in self.objects.values():
            if type(held) is _Stream:
                self.stream(held)
        for number in self.fonts:
            self.font(self.objects[number])
        _sure(self.tree(root.get(b"/Pages"), b"", False, False, 0) > 0)
        info = self.dictionary(self.trailer[b"/Info"]) if b"/Info" in self.trailer else {}
        said = {key: _text(info[key.encode()]) for key in MIRRORED if key.encode() in info}
        if self.metadata_differs(root, said):
            found.add("metadata")
        kept: dict[int, tuple[int, int]] = {}
        if found:
            # What mending takes away, beside what is told above.
            _sure(root.keys().isdisjoint(_TAKEN_AWAY))
            referred = set(self.referred)
            for owner, key in ((root, b"/Metadata"), (self.trailer, b"/Info")):
                if key in owner and self.referred.count(gone := _number(owner[key])) == 1:
                    referred.discard(gone)
            kept = {number: span for number, span in self.spans.items() if b"%d" % number in referred}
        return Plain(frozenset(found), kept, int(_number(reference)), said)

    # -- The file -----------------------------------------------------------------------------------------------------------------

    def read(self) -> bool:
        """Read tables and objects; whether the header is the one that PDF/A-1 asks for."""
        body = self.body
        head, tail = _HEADER.match(body), _TAIL.search(body, max(0, len(body) - 64))
        if head is None or tail is None:
            raise _NotPlain
        place = int(tail[1])
        first, size, ends = self.table(place)
        self.trailer = trailer = self.trailers[0]
        tables = {place: ends}
        if b"/Prev" in trailer:
            # As in a linearized file: the table of the first page stands before its objects, and names the other.
            _sure(type(trailer[b"/Prev"]) is bytes and trailer[b"/Prev"].isdigit())
            place = int(trailer[b"/Prev"])
            _sure(place > ends)
            start, middle, tables[place] = self.table(place)
            _sure(start == 0 and middle == first and b"/Prev" not in self.trailers[1])
        else:
            _sure(first == 0)
        # The highest number is one of an object: what qpdf compares Size with.
        _sure(trailer.get(b"/Size") == b"%d" % size and size - 1 in self.places.values())
        _sure(tables[place] == len(body) and not tables.keys() & self.places.keys())
        starts = sorted([*self.places, *tables])
        _sure(starts[0] == head.end())
        streams = []
        for start, end in zip(starts, [*starts[1:], len(body)], strict=True):
            if start in tables:
                _sure(tables[start] == end)
                continue
            self.spans[self.places[start]] = (start, end)
            if self.object(self.places[start], start, end):
                streams.append(self.places[start])
        for number in streams:
            held = self.objects[number]
            _sure(_STREAM_END.fullmatch(body, held.start + self.length(held), held.end))
        _sure(set(map(int, set(self.referred))) <= self.objects.keys())
        return _MARKED.match(body) is not None

    def table(self, place: int) -> tuple[int, int, int]:
        """Read one table of references and its trailer: first number, number after its last, where it ends in the file."""
        body = self.body
        head = _TABLE.match(body, place)
        if head is None:
            raise _NotPlain
        first, count, start = int(head[1]), int(head[2]), head.end()
        _sure(0 < count <= _OBJECTS_AT_MOST)
        rows = body[start : start + 20 * count]
        _sure(len(rows) == 20 * count and _ROWS.fullmatch(rows) and (first or rows[:18] == b"0000000000 65535 f"))
        fields = rows.split()
        for number, (offset, kind) in enumerate(zip(fields[::3], fields[2::3], strict=True), first):
            if kind == b"n" and self.places.setdefault(int(offset), number) != number:
                raise _NotPlain
        after = body.find(b"startxref", start + 20 * count, start + 20 * count + _TRAILER_AT_MOST)
        end = _TABLE_END.match(body, after) if after >= 0 else None
        if end is None:
            raise _NotPlain
        trailer, weighed, referred = _value(body[start + 20 * count : after].strip(_BLANKS), b"trailer")
        _sure(type(trailer) is dict and trailer.keys() <= _TRAILER)
        self.noted(weighed, 0)
        self.referred += referred
        self.trailers.append(trailer)
        return first, first + count, end.end()

    def object(self, number: int, start: int, end: int) -> bool:
        """Read the object that takes these bytes; whether it is a stream, whose end is not looked at yet."""
        body = self.body
        at = body.find(b"stream", start, end)
        streams = at >= 0
        text = body[start : at if streams else end]
        size = len(text)
        self.text_left -= size
        if size >= _TEXT_AT_MOST or self.text_left <= 0:
            raise _NotPlain
        made, weighed, referred = (_known if size < _KNOWN_AT_MOST else _object)(text, number, not streams)
        if weighed:
            self.noted(weighed, number)
        self.referred += referred
        if not streams:
            self.objects[number] = made
            return False
        data = at + (8 if body[at + 6 : at + 8] == b"\r\n" else 7)
        if type(made) is not dict or body[data - 1] != 10:
            raise _NotPlain
        self.objects[number] = _Stream(made, data, end)
        return True

    def length(self, held: _Stream) -> int:
        length = held.keys.get(b"/Length")
        if type(length) is bytes and length.isdigit():
            return int(length)
        length = self.at(length)
        _sure(type(length) is bytes and length.isdigit())
        return int(length)

    def noted(self, tokens: tuple[bytes, ...], number: int) -> None:
        """Keep what needs a second look."""
        _sure(_SUSPECT.isdisjoint(tokens))
        if b"/ICCBased" in tokens:
            for place, token in enumerate(tokens):
                if token == b"/ICCBased":
                    _sure(tokens[place - 1] == b"[" and tokens[place + 2 : place + 3] == (b"]",))
                    self.profiles.append(tokens[place + 1])
        if b"/BaseFont" in tokens:
            _sure(tokens.count(b"/BaseFont") == 1)
            self.fonts.append(number)
        if b"/Metadata" in tokens:
            _sure(tokens.count(b"/Metadata") == 1)
            self.described.append(number)

    def at(self, value: Any) -> Any:
        """A value, or what it refers to."""
        if type(value) is bytes and value.endswith(b" R"):
            return self.objects.get(int(value[:-4]))
        return value

    def dictionary(self, value: Any) -> dict[bytes, Any]:
        found = self.at(value)
        if type(found) is not dict:
            raise _NotPlain
        return found

    def stream_at(self, value: Any) -> _Stream:
        found = self.at(value)
        if type(found) is not _Stream:
            raise _NotPlain
        return found

    def raw(self, held: _Stream) -> bytes:
        return self.body[held.start : held.start + self.length(held)]

    def decoded(self, held: _Stream) -> bytes:
        """The bytes of a stream that is not compressed, or in the usual way only."""
        way = held.keys.get(b"/Filter")
        if way is None:
            return self.raw(held)
        _sure(
            way in (b"/FlateDecode", [b"/FlateDecode"]) and b"/DecodeParms" not in held.keys and b"/DP" not in held.keys
        )
        data = _inflated(self.raw(held), self.content_left)
        self.content_left -= len(data)
        return data

    # -- What the full look weighs ------------------------------------------------------------------------------------------------

    def intent(self, root: dict[bytes, Any]) -> int:
        """Components of the output intent."""
        intents = self.at(root.get(b"/OutputIntents"))
        _sure(type(intents) is list and len(intents) == 1)
        intent = self.dictionary(intents[0])
        _sure(intent.get(b"/S") == b"/GTS_PDFA1")
        return self.profile(intent.get(b"/DestOutputProfile"))

    def profile(self, value: Any) -> int:
        held = self.stream_at(value)
        components = held.keys.get(b"/N", b"")
        _sure(type(components) is bytes and components.isdigit())
        way = held.keys.get(b"/Filter")
        _sure(way is None or (way in (b"/FlateDecode", [b"/FlateDecode"]) and b"/DecodeParms" not in held.keys))
        _sure(_serves(self.raw(held), way is not None, int(components)))
        return int(components)

    def stream(self, held: _Stream) -> None:
        keys = held.keys
        filters = keys.get(b"/Filter", [])
        for name in filters if type(filters) is list else [filters]:
            _sure(type(name) is bytes and name in _FILTERS)
        _sure(b"/F" not in keys)
        kind = keys.get(b"/Subtype", b"/")
        _sure(type(kind) is bytes and kind[:1] == b"/")
        if kind == b"/Image":
            _sure(keys.get(b"/BitsPerComponent", b"8") in (b"1", b"2", b"4", b"8"))
            _sure(keys.get(b"/Interpolate", b"false") == b"false")
        elif kind == b"/Form":
            self.content(self.decoded(held))

    def content(self, data: bytes) -> None:
        """Operators of a page or a form: none that the full look weighs, strings and arrays whole, states not too deep."""
        self.content_left -= len(data)
        _sure(self.content_left > 0)
        data = _STRINGS.sub(b" 0 ", data)
        _sure(len(data.translate(None, b"()%#{}\0\v")) == len(data))
        if b"<" in data or b">" in data:
            found = _PROPERTIES.findall(data)
            _sure(2 * len(found) == data.count(b"<") == data.count(b">"))
            for properties in set(found):
                names = _PROPERTY.findall(properties)
                _sure(len(names) == len(set(names)))
        # An array in an array, or across properties, is left to the full look.
        _sure(not data.translate(None, _BUT_BRACKETS).replace(b"[]", b"").replace(b"<<>>", b""))
        spaced = data.replace(b"/", b" /")
        # Without figures there are few words left; none that is weighed holds one.
        words = spaced.translate(_SPACED, b"0123456789.+-").split()
        _sure(_WEIGHED.isdisjoint(words))
        spaces = words.count(b"cs") + words.count(b"CS")
        _sure(not spaces or len(_SPACE_NAMED.findall(data)) == spaces)
        if words.count(b"q") > STATES_AT_MOST:
            depth = 0
            for word in spaced.translate(_SPACED).split():
                if word == b"q":
                    depth += 1
                    _sure(depth <= STATES_AT_MOST)
                elif word == b"Q":
                    depth -= 1

    def font(self, font: Any) -> None:
        _sure(type(font) is dict and b"/BaseFont" in font)
        kind, name, encoding = (font.get(key) for key in (b"/Subtype", b"/BaseFont", b"/Encoding"))
        _sure(type(kind) is bytes and type(name) is bytes and name[:1] == b"/")
        if kind == b"/Type0":
            _sure(encoding in (b"/Identity-H", b"/Identity-V"))
            return
        held = self.dictionary(font.get(b"/FontDescriptor"))
        program = next((key for key in (b"/FontFile2", b"/FontFile3", b"/FontFile") if key in held), None)
        if program is None:
            raise _NotPlain
        data = self.stream_at(held[program])
        _sure(program != b"/FontFile3" or data.keys.get(b"/Subtype") in (b"/Type1C", b"/CIDFontType0C"))
        subset = SUBSET.match(name.decode("latin-1")) is not None
        if kind in (b"/CIDFontType0", b"/CIDFontType2"):
            _sure(kind == b"/CIDFontType0" or b"/CIDToGIDMap" in font)
            _sure(not subset or b"/CIDSet" in held)
        elif kind == b"/TrueType":
            flags = held.get(b"/Flags", b"")
            _sure(type(flags) is bytes and flags.isdigit())
            symbolic = int(flags) & 4
            _sure(encoding is None if symbolic else encoding in (b"/WinAnsiEncoding", b"/MacRomanEncoding"))
        else:
            _sure(kind in (b"/Type1", b"/MMType1") and (not subset or b"/CharSet" in held))

    def tree(self, node: Any, parent: bytes, boxed: bool, resourced: bool, depth: int) -> int:
        """Number of pages under a node of the page tree, each looked at; `boxed` and `resourced` when a node above gives these."""
        _sure(type(node) is bytes and node.endswith(b" R") and node not in self.pages and depth < _NESTED_AT_MOST)
        self.pages.add(node)
        it = self.dictionary(node)
        _sure(it.get(b"/Parent", b"") == parent)
        if b"/MediaBox" in it:
            box = it[b"/MediaBox"]
            _sure(type(box) is bytes and box[:1] == b"[" and len(box[1:-1].split()) == 4)
            boxed = True
        if b"/Resources" in it:
            self.dictionary(it[b"/Resources"])
            resourced = True
        if it.get(b"/Type") == b"/Pages":
            kids = it.get(b"/Kids", b"")
            _sure(type(kids) is list)
            count = 0
            for kid in kids:
                count += self.tree(kid, node, boxed, resourced, depth + 1)
            _sure(it.get(b"/Count") == b"%d" % count)
            return count
        _sure(it.get(b"/Type") == b"/Page" and boxed and resourced and b"/Kids" not in it)
        if b"/Contents" in it:
            held = self.at(it[b"/Contents"])
            parts = held if type(held) is list else [it[b"/Contents"]]
            self.content(b"\n".join([self.decoded(self.stream_at(part)) for part in parts]))
        notes = self.at(it.get(b"/Annots", []))
        _sure(type(notes) is list)
        for note in notes:
            self.link(self.dictionary(note))
        return 1

    def link(self, note: dict[bytes, Any]) -> None:
        """An annotation, when it is a link that PDF/A-1 admits."""
        flags = note.get(b"/F", b"")
        _sure(note.get(b"/Subtype") == b"/Link" and type(flags) is bytes and flags.isdigit())
        _sure(b"/AP" not in note or self.dictionary(note[b"/AP"]).keys() == {b"/N"})
        _sure(int(flags) & (HIDDEN | NO_VIEW | INVISIBLE | PRINT) == PRINT)
        if b"/A" in note:
            action = self.dictionary(note[b"/A"])
            kind = action.get(b"/S")
            _sure(type(kind) is bytes and kind.decode("latin-1") in ACTIONS and b"/Next" not in action)

    def metadata_differs(self, root: dict[bytes, Any], said: dict[str, str]) -> bool:
        own = [self.trailer[b"/Root"]]
        place = root.get(b"/Metadata")
        if place is not None:
            own.append(place)
        numbers = [_number(reference) for reference in own]
        # The catalogue has one reader, and so has what it describes itself with; nothing else has metadata.
        _sure(all(self.referred.count(number) == 1 for number in numbers))
        _sure(sorted(self.described) == (sorted(map(int, numbers)) if place is not None else []))
        if place is None:
            return True
        held = self.stream_at(place)
        _sure(held.keys.get(b"/Type") == b"/Metadata")
        return b"/Filter" in held.keys or packet_differs(self.raw(held), said.items())


def _object(text: bytes, number: int, ended: bool) -> tuple[Any, tuple[bytes, ...], list[bytes]]:
    """`_value` of an object of that number, to its end or (`ended` not) to the bytes of its stream."""
    bare = text.rstrip(_BLANKS)
    if ended:
        _sure(bare.endswith(b"endobj") and len(bare) < len(text))
        bare = bare[:-6]
        _sure(bare[-1:] in b">]\0\t\n\f\r ")
        bare = bare.strip(_BLANKS)
    return _value(bare, b"%d 0 obj" % number)


# A software writes the same catalogue, intent, page or font in each of its files.
_known = lru_cache(maxsize=1_024)(_object)


def _value(text: bytes, head: bytes) -> tuple[Any, tuple[bytes, ...], list[bytes]]:
    """The value that follows `head`, with nothing before or after; its tokens when one needs a second look; the numbers that it refers
    to. Nobody changes what is returned."""
    _sure(text.startswith(head) and text[len(head) : len(head) + 1] in b"<[\0\t\n\f\r ")
    text = text[len(head) :]
    tokens = _TOKEN.findall(text)
    last = tokens[-1] if tokens else b""
    # Otherwise the last token may be the rest of a text that is not plain.
    _sure(last == b">>" or last == b"]" or last.isdigit() or (last[:1] == b"[" and last[-1:] == b"]"))
    rest = iter(tokens)
    made = _built(next(rest), rest, _NESTED_AT_MOST)
    _sure(next(rest, None) is None)
    weighed = () if _WEIGHED_HERE.isdisjoint(tokens) else tuple(tokens)
    return made, weighed, _REFERENCES.findall(text) if b" R" in text else []


def _built(token: bytes, rest: Iterator[bytes], depth: int) -> Any:
    """The value that begins with `token`."""
    if not depth:
        raise _NotPlain
    if token == b"<<":
        made: dict[bytes, Any] = {}
        for key in rest:
            if key == b">>":
                return made
            token = next(rest, b"null")
            if key[0] != _SLASH or key in made or token in _NO_VALUE:
                raise _NotPlain
            made[key] = _built(token, rest, depth - 1) if token in _OPENING else token
        raise _NotPlain
    if token == b"[":
        values: list[Any] = []
        for token in rest:
            if token == b"]":
                return values
            if token == b">>":
                raise _NotPlain
            values.append(_built(token, rest, depth - 1) if token in _OPENING else token)
        raise _NotPlain
    if token in _NO_VALUE:
        raise _NotPlain
    return token


def _inflated(data: bytes, at_most: int) -> bytes:
    reader = zlib.decompressobj()
    try:
        done = reader.decompress(data, max(at_most, 1))
    except zlib.error:
        raise _NotPlain from None
    _sure(reader.eof and not reader.unused_data)
    return done


@lru_cache(maxsize=16)
def _serves(data: bytes, deflated: bool, components: int) -> bool:
    """Whether a profile serves; a software gives the same one to all its files."""
    return profile_serves(_inflated(data, _CONTENT_AT_MOST) if deflated else data, components)


def _text(token: Any) -> str:
    """A string of the information dictionary."""
    if type(token) is not bytes:
        raise _NotPlain
    return _spelt(token)


@lru_cache(maxsize=256)
def _spelt(token: bytes) -> str:
    # A software names itself in each of its files.
    if token[:1] == b"<" and token != b"<<":
        _sure(len(token) % 2 == 0)
        value = bytes.fromhex(token[1:-1].decode("ascii"))
    else:
        _sure(token[:1] == b"(")
        value = token[1:-1]
        if b"\\" in value:
            value = _ESCAPE.sub(_unescaped, value)
    if value[:2] == b"\xfe\xff":
        try:
            return value[2:].decode("utf-16-be")
        except UnicodeDecodeError:
            raise _NotPlain from None
    # What PDFDocEncoding and Latin-1 have in common, and no mark of another encoding.
    _sure(not value.translate(None, _LATIN) and value[:2] not in (b"\xff\xfe", b"\xef\xbb"))
    return value.decode("latin-1")


def _unescaped(found: re.Match[bytes]) -> bytes:
    return bytes([int(found[1], 8)]) if found[1] else _ESCAPED.get(found[2], found[2])
