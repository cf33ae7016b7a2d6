"""What the quick reading says of a PDF, the full look says too: over the brought PDF, over files with one thing more, over mutations of
their bytes, of their objects and of their pages; and it ends soon whatever the bytes."""

from __future__ import annotations

import io
import random
import re
import time
import zlib
from functools import cache

import pikepdf
import pytest
from pikepdf import Array, Dictionary, Name, Stream, String

from transvase.exporters.pdf import beside, ladder
from transvase.formats import pdfa, pdfa_plain

from .brought import BROUGHT, HOSTILE, TEXT, annotated, appearance, changed, drawing, image, own, photograph, profile
from .samples import CREATED, FACTS


def found(body: bytes) -> set[str]:
    """What the full look finds; a file that cannot be opened is unreadable."""
    try:
        with pikepdf.open(io.BytesIO(body)) as pdf:
            return pdfa.defects(pdf, body)
    except Exception:
        return {"unreadable"}


def truetype(pdf: pikepdf.Pdf) -> Dictionary:
    program = next(it.FontFile2 for it in pdf.objects if isinstance(it, Dictionary) and "/FontFile2" in it)
    held = Dictionary(Type=Name.FontDescriptor, FontName=Name("/ABCDEF+X"), Flags=32, FontFile2=program)
    return pdf.make_indirect(
        Dictionary(Type=Name.Font, Subtype=Name.TrueType, BaseFont=Name("/ABCDEF+X"), Encoding=Name.WinAnsiEncoding, FirstChar=32, LastChar=33,
                   Widths=Array([1, 2]), FontDescriptor=pdf.make_indirect(held))
    )  # fmt: skip


def form(pdf: pikepdf.Pdf) -> Stream:
    content = b"q 0 0 1 rg 0 0 9 9 re f Q /P <</MCID 0/Lang (fr)>> BDC EMC"
    return pdf.make_indirect(
        Stream(pdf, content, {"/Type": Name.XObject, "/Subtype": Name.Form, "/BBox": Array([0, 0, 9, 9])})
    )


def opened(pdf: pikepdf.Pdf) -> None:
    pdf.Root.OpenAction = Array([pdf.pages[0].obj, Name.XYZ, None, None, 0])


LINK = {"Subtype": Name.Link, "F": 4, "A": Dictionary(S=Name.URI, URI=String("https://esante.gouv.fr"))}
# What a software adds to a PDF/A-1 file and may.
ADMITTED = {
    "nothing": lambda pdf: None,
    "link": annotated(**LINK),
    "link-drawn": annotated(**LINK, AP=appearance),
    "truetype": drawing(TEXT, Font={"H": truetype}),
    "form": drawing(b"q /F0 Do Q", XObject={"F0": form}),
    "image": drawing(b"q /I Do Q", XObject={"I": image(Interpolate=False)}),
    "photograph": drawing(b"q 90 0 0 60 100 300 cm /I Do Q", XObject={"I": photograph}),
    "profile": drawing(b"/P cs 1 0 0 sc 100 300 90 90 re f", ColorSpace=profile(2)),
    "opening": opened,
    "state": drawing(b"/X gs", ExtGState={"X": lambda pdf: Dictionary(Type=Name.ExtGState, SA=True, LW=1)}),
    "content": drawing(b"/P <</MCID 0/Lang (fr)>> BDC [(a\\(b) 1 <41>] TJ EMC /DeviceRGB cs 1 0 0 sc [1 2] 0 d"),
    "space-in-name": lambda pdf: pdf.Root.__setitem__("/ViewerPreferences", Dictionary(A=Name("/Times New Roman"))),
}


@cache
def conforming() -> dict[str, bytes]:
    """Files of several writers that need nothing: ours, qpdf's with and without compression, mended ones, drawn ones."""
    made = {"own": own(), "pdfa-by-attributes": BROUGHT["pdfa-by-attributes"][0]()}
    for name, change in ADMITTED.items():
        made[f"{name}-packed"] = changed(change, True)
        made[f"{name}-plain"] = changed(change, True, compress_streams=False)
    for name in ("no-xmp", "layers-shown", "link", "font-not-embedded"):
        made[f"brought-{name}"] = ladder.climb(BROUGHT[name][0](), dpi=40, **FACTS).pdf
    return made


@pytest.mark.parametrize("name", BROUGHT)
def test_the_quick_reading_tells_each_brought_pdf_as_the_full_look_does(name):
    body = BROUGHT[name][0]()
    # None of them is of so rare a form that the full look is needed to say yes.
    assert pdfa_plain.conforms(body) == (not found(body))
    plain = pdfa_plain.read(body)
    assert plain is None or plain.found == found(body)


def test_files_of_other_writers_are_of_the_plain_form():
    told = {name: (pdfa_plain.conforms(body), found(body)) for name, body in conforming().items()}
    assert told == dict.fromkeys(told, (True, set()))


def test_a_linearized_file_is_of_the_plain_form():
    body = changed(annotated(**LINK), True, linearize=True, object_stream_mode=pikepdf.ObjectStreamMode.disable)
    assert b"/Linearized" in body and not found(body) and pdfa_plain.conforms(body)


@pytest.mark.parametrize(
    ("content", "plain"),
    [(b"q " * 28 + b"Q " * 28, True), (b"q Q " * 40, True), (b"q " * 29 + b"Q " * 29, False), (b"0 0 0 1 k", False), (b"/DeviceCMYK cs", False),
     (b"/DeviceC#4dYK cs", False), (b"cs", False), (b"/Foo ri", False), (b"BI /W 1 /H 1 /CS /G /BPC 8 ID x EI", False), (b"(a", False),
     (b"[1 2", False), (b"] [", False), (b"<4z>", False), (b"< </A 1> >", False), (b"/P <</A 1/A 2>> BDC", False), (b"(k ri BI) Tj", True),
     (b"[(K) <6B>] TJ", True), (b"1 0 0 rg % K", False), (b"/k gs", True)],
)  # fmt: skip
def test_the_content_of_a_page_is_weighed(content, plain):
    body = changed(drawing(content, ExtGState={"k": lambda pdf: Dictionary()}), True)
    assert pdfa_plain.conforms(body) is plain
    assert not plain or not found(body)


# Of the brought PDF, those whose pages need no library to be brought up.
AT_ONCE = ("no-xmp", "only-intent-missing", "title-changed", "newer-version", "profile-of-then", "photograph")


# -- mutations -----------------------------------------------------------------------------------------------------------------

_NAMES = re.findall(
    r"\S+",
    """Type Pages Page Kids Count Parent MediaBox Resources Contents Metadata OutputIntents AA A S JavaScript URI GoTo Link Annots F Filter
FlateDecode LZWDecode DecodeParms Length Subtype Image Form SMask None Interpolate BaseFont FontDescriptor FontFile2 FontFile3 CIDSet
CIDToGIDMap Identity-H WinAnsiEncoding TrueType Type0 Type3 Type1 Flags ICCBased DeviceCMYK DeviceRGB N Group Transparency ca BM Multiply TR
OpenAction Names Encoding Info Title ID Root Size Prev AcroForm OCProperties UserUnit BitsPerComponent Next AP K Catalog #41A""",
)
_WORDS = [b"<<", b">>", b"[", b"]", b"null", b"true", b"0", b"1", b"-1", b"16", b".5", b"1.2.3", b"(a)", b"(a(b))", b"(", b")", b"<41>", b"<4>",
          b"% c\n", b"99 0 R", b"1 1 R", b"01 0 R", b"endobj", b"stream\n", b"\0", b"\x80", b"12345678901", b"[1 2 3]", b"<</S/GoTo>>", b" ", b"{",
          b"[/ICCBased 6 0 R]", *(b"%d 0 R" % n for n in range(1, 10)), *(b"/" + name.encode() for name in _NAMES)]  # fmt: skip
_DRAWN = [b"q ", b"q q q ", b"0 0 0 1 k ", b"/DeviceCMYK cs ", b"/DeviceRGB CS ", b"/Cs ri ", b"BI ID EI ", b"(a(b)) Tj ", b"[ ", b"] ", b"<< ",
          b">> ", b"<4 1>", b"%c\n", b"{ ", b") ", b"( ", b"cs ", b"1.2.3 ", b"null ", b"/P <</A 1/A 2>> BDC ", b"/P <</A[1/B]>> BDC ", b"/",
          b"/P<</A>>BDC ", b"\0", b"\x80"]  # fmt: skip
_TOKEN = re.compile(rb"\s+|/[^\s/<>()\[\]{}%]*|<<|>>|\((?:[^()\\]|\\.)*\)|[\[\]<>]|[^\s/<>()\[\]{}%]+", re.DOTALL)


def parted(body: bytes) -> tuple[bytes, dict[int, bytes], bytes]:
    """Header, objects by number in the order of the file, trailer."""
    table = int(re.search(rb"startxref\s+(\d+)", body[-64:])[1])
    head = re.compile(rb"xref\s+0 (\d+)\s+").match(body, table)
    rows = [body[head.end() + 20 * n :][:20] for n in range(int(head[1]))]
    starts = sorted((int(row[:10]), n) for n, row in enumerate(rows) if row[17:18] == b"n")
    ends = [start for start, _ in starts[1:]] + [table]
    trailer = body[head.end() + 20 * len(rows) : body.rindex(b"startxref")]
    return body[: starts[0][0]], {n: body[start:end] for (start, n), end in zip(starts, ends, strict=True)}, trailer


def joined(head: bytes, objects: dict[int, bytes], trailer: bytes) -> bytes:
    body, places = head, {}
    for number, source in objects.items():
        places[number] = len(body)
        body += source
    rows = [
        b"%010d 00000 n \n" % places[n] if n in places else b"0000000000 65535 f \n" for n in range(max(objects) + 1)
    ]
    return body + b"xref\n0 %d\n" % len(rows) + b"".join(rows) + trailer + b"startxref\n%d\n%%%%EOF\n" % len(body)


def reworded(text: bytes, chance: random.Random) -> bytes:
    """One to three words of a text taken, given, doubled, changed for another or damaged."""
    words = _TOKEN.findall(text) or [b""]
    for _ in range(chance.choice((1, 1, 2, 3))):
        at, other = chance.randrange(len(words)), chance.choice(_WORDS)
        match chance.randrange(6):
            case 0:
                words[at] = b""
            case 1:
                words.insert(at, other + b" ")
            case 2:
                words[at] = other
            case 3:
                words.insert(at, words[chance.randrange(len(words))])
            case 4:
                words[at:at] = [b"/", chance.choice(_NAMES).encode(), b" ", other, b" "]
            case _:
                spoilt = bytearray(words[at] or b" ")
                spoilt[chance.randrange(len(spoilt))] ^= 1 << chance.randrange(8)
                words[at] = bytes(spoilt)
    return b"".join(words)


def redrawn(source: bytes, start: int, chance: random.Random) -> bytes:
    """A stream with something more in it, its length and compression put right."""
    length = re.search(rb"/Length (\d+)", source[:start])
    if length is None:
        return source
    packed = b"FlateDecode" in source[:start]
    data, after = source[start : start + int(length[1])], source[start + int(length[1]) :]
    if packed:
        data = zlib.decompress(data)
    at = data.find(b" ", chance.randrange(len(data) + 1)) + 1
    data = data[:at] + chance.choice(_DRAWN) + data[at:]
    if packed:
        data = zlib.compress(data)
    return source[: length.start(1)] + b"%d" % len(data) + source[length.end(1) : start] + data + after


def mutated(body: bytes, chance: random.Random) -> bytes:
    if chance.random() < 0.2:
        spoilt = bytearray(body)
        for _ in range(chance.choice((1, 2))):
            spoilt[chance.randrange(len(spoilt))] = chance.choice((chance.randrange(256), *b"0123456789 /<>[]()\nfnR"))
        return bytes(spoilt)
    head, objects, trailer = parted(body)
    number = chance.choice(list(objects))
    start = re.search(rb"stream\r?\n", objects[number])
    match chance.randrange(8):
        case 0:
            trailer = reworded(trailer, chance)
        case 1:
            head = reworded(head, chance)
        case 2:
            del objects[number]
        case 3 | 4 if start is not None:
            objects[number] = redrawn(objects[number], start.end(), chance)
        case _:
            end = start.start() if start else len(objects[number])
            objects[number] = reworded(objects[number][:end], chance) + objects[number][end:]
    return joined(head, objects, trailer)


def test_what_is_told_of_a_mutation_is_all_that_the_full_look_finds():
    chance = random.Random(20261123)
    bodies = [body for name, body in conforming().items() if name != "pdfa-by-attributes"]
    bodies += 3 * [BROUGHT[name][0]() for name in AT_ONCE]
    assert joined(*parted(bodies[0])) == bodies[0]
    answers: dict[object, int] = {}
    for _ in range(1_200):
        body = mutated(chance.choice(bodies), chance)
        plain = pdfa_plain.read(body)
        told = None if plain is None else bool(plain.found)
        answers[told] = answers.get(told, 0) + 1
        assert plain is None or plain.found == found(body)
    # No answer is the only one.
    assert len(answers) == 3 and min(answers.values()) > 100


@pytest.mark.parametrize("name", AT_ONCE)
def test_what_is_mended_at_once_is_what_libraries_mend(name):
    body = BROUGHT[name][0]()
    once = ladder.at_once(body, title="Autre", created=CREATED, identifier="x")
    other = ladder.with_libraries(body, title="Autre", created=CREATED, identifier="x", dpi=0)
    assert (once.rung, once.reasons) == (other.rung, other.reasons) == ("mended", once.reasons)
    assert not found(once.pdf)
    with pikepdf.open(io.BytesIO(once.pdf)) as ours, pikepdf.open(io.BytesIO(other.pdf)) as theirs:
        assert dict(ours.docinfo) == dict(theirs.docinfo)
        assert ours.Root.Metadata.read_bytes() == theirs.Root.Metadata.read_bytes()
        assert (
            ours.Root.OutputIntents[0].DestOutputProfile.read_bytes()
            == theirs.Root.OutputIntents[0].DestOutputProfile.read_bytes()
        )
        contents = [
            [page.Contents.read_bytes() for page in pdf.pages if not isinstance(page.Contents, Array)]
            for pdf in (ours, theirs)
        ]
        assert contents[0] == contents[1]
    # Old information and metadata are gone, and nothing stands there that nothing refers to.
    assert all(b"%d 0 R" % number in once.pdf for number in parted(once.pdf)[1])
    assert once.pdf.count(b"<?xpacket begin") == 1


def test_the_objects_of_what_is_mended_at_once_are_those_that_came():
    body = BROUGHT["photograph"][0]()
    _, before, _ = parted(body)
    _, after, _ = parted(ladder.at_once(body, title="Autre", created=CREATED, identifier="x").pdf)
    other = [number for number in before if after.get(number) != before[number]]
    assert len(other) == 2 and all(b"/Catalog" in before[number] or b"/Producer" in before[number] for number in other)


def test_values_of_the_file_are_kept_and_those_of_the_caller_fill_the_rest():
    bare = changed(lambda pdf: pdf.trailer.__delitem__("/Info"))
    named = [changed(lambda pdf, a=a: pdf.docinfo.__setitem__("/Author", a)) for a in ("Dr Zoé (x) <&>", "Dr Жук")]
    for body, title, author in (
        (bare, "Autre", None),
        (named[0], "Compte rendu", "Dr Zoé (x) <&>"),
        (named[1], "Compte rendu", "Dr Жук"),
    ):
        once = ladder.at_once(body, title="Autre", created=CREATED, identifier="x")
        with pikepdf.open(io.BytesIO(once.pdf)) as pdf:
            assert str(pdf.docinfo["/Title"]) == title
            assert author is None or str(pdf.docinfo["/Author"]) == author
            assert pdfa.instant(str(pdf.docinfo["/CreationDate"])) == CREATED


# -- hostile bytes -------------------------------------------------------------------------------------------------------------


def declared(content: bytes = b"", **more: bytes) -> bytes:
    """Our file with the content of its first page, or the text of an object, replaced."""
    head, objects, trailer = parted(changed(declared=True, compress_streams=False))
    page = next(n for n, source in objects.items() if b"/Type /Page " in source)
    if content:
        number = int(re.search(rb"/Contents (\d+) 0 R", objects[page])[1])
        objects[number] = b"%d 0 obj\n<</Length %d/Filter/FlateDecode>>\nstream\n%b\nendstream\nendobj\n" % (
            number,
            len(content),
            content,
        )
    for source in more.values():
        objects[page] = objects[page].replace(b"/Type /Page ", b"/Type /Page /X " + source)
    return joined(head, objects, trailer)


ENDLESS = {
    "bomb": lambda: declared(zlib.compress(b"0 g " * (1 << 24), 9)),
    "many-words": lambda: declared(zlib.compress(b"q Q " * 200_000)),
    "opened-strings": lambda: declared(zlib.compress(b"(" * 900_000)),
    "opened-hexadecimal": lambda: declared(zlib.compress(b"<4" * 450_000)),
    "opened-properties": lambda: declared(zlib.compress(b"<</A 1" * 150_000)),
    "opened-arrays": lambda: declared(zlib.compress(b"[1 " * 300_000)),
    "escapes": lambda: declared(zlib.compress(b"(" + b"\\n" * 450_000)),
    "names": lambda: declared(zlib.compress(b"/A " * 300_000 + b"cs")),
    "deep-dictionary": lambda: declared(X=b"<</A " * 2_000 + b">>" * 2_000),
    "deep-array": lambda: declared(X=b"[" * 5_000 + b"]" * 5_000),
    "long-string": lambda: declared(X=b"(" + b"\\" * 10_000),
    "many-numbers": lambda: declared(X=b"[" + b"1 " * 5_000),
    "many-objects": lambda: b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n" + b"1 0 obj<<>>endobj\n" * 200_000,
    "blank": lambda: b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n" + b" " * 4_000_000,
    "ends": lambda: b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n" + b"startxref\n9\n%%EOF\n" * 200_000,
    **HOSTILE,
}


@pytest.mark.parametrize(
    ("old", "new"),
    [(rb"/Info \d+ 0 R", b"/Info<</Title(x)>>"), (rb"/Root \d+ 0 R", b"/Root<</Type/Catalog>>"), (rb"/Root \d+ 0 R", b"/Root[1]"), (rb"/Size \d+", b"/Size[1]"),
     (rb"/Metadata \d+ 0 R", b"/Metadata<</Type/Metadata>>"), (rb"/Metadata \d+ 0 R", b"/Metadata(a 0 R)"), (rb"/Pages \d+ 0 R", b"/Pages<<>>"),
     (rb"/Kids *\[[^\]]*\]", b"/Kids/None"), (rb"/Contents \d+ 0 R", b"/Contents[[1]]"), (rb"/Filter */\w+", b"/Filter[[/FlateDecode]]"),
     (rb"/BaseFont */[\w+-]+", b"/BaseFont<<>>"), (rb"/N 3", b"/N[3]"), (rb"/Length \d+", b"/Length<<>>"), (rb"/OutputIntents *\[", b"/OutputIntents[[")],
)  # fmt: skip
def test_a_value_of_another_kind_is_left_to_the_full_look(old, new):
    head, objects, trailer = parted(changed(declared=True))
    assert any(re.search(old, part) for part in (*objects.values(), trailer))
    objects = {number: re.sub(old, new, source, count=1) for number, source in objects.items()}
    body = joined(head, objects, re.sub(old, new, trailer))
    plain = pdfa_plain.read(body)
    assert plain is None or plain.found == found(body)
    assert ladder.climb(body, dpi=0, **FACTS).rung in ladder.RUNGS


@pytest.mark.parametrize("name", ENDLESS)
def test_hostile_bytes_are_read_in_bounded_time(name):
    body = ENDLESS[name]()
    before = time.process_time()
    told = pdfa_plain.conforms(body)
    # A hundred times an ordinary document; a reading that goes back on its steps would take minutes.
    assert time.process_time() - before < 1.5
    assert not told or not found(body)


def test_a_conforming_file_is_untouched_without_a_process():
    process = beside.Beside()
    assert process.climb(own(), dpi=0, **FACTS) == ladder.climb(own(), dpi=0, **FACTS)
    assert process._process is None
