"""XDM archives: what a sound one gives, what each defect is called, what is never opened."""

from __future__ import annotations

import hashlib
import io
import struct
import zipfile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from transvase.formats import cda, xdm
from transvase.formats import xds_metadata as xm
from transvase.formats.xds_xml import submit_objects_request

SUBSET = "IHE_XDM/SUBSET01"
METADATA = f"{SUBSET}/METADATA.XML"


@pytest.fixture(scope="module")
def files(a_cda):
    """Entries of a sound archive of two documents."""
    bodies = {"DOC0001.XML": a_cda(), "DOC0002.XML": a_cda(("1.2.3.4.1", "1.2.3.4.9"))}
    entries = [
        xm.derive(cda.header(cda.parse(data)), data_sha1=hashlib.sha1(data).hexdigest(), size=len(data), uri=name)
        for name, data in bodies.items()
    ]
    submission = xm.submission_set(entries, unique_id="1.2.8", source_id="1.2.9", time="20260101000000")
    return {
        "INDEX.HTM": b"<html/>",
        "README.TXT": b"Emetteur",
        "IHE_XDM/": b"",
        f"{SUBSET}/": b"",
        **{f"{SUBSET}/{name}": data for name, data in bodies.items()},
        METADATA: submit_objects_request(submission, entries, for_xdm=True).encode(),
    }


def archive(files, compression=zipfile.ZIP_DEFLATED):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as target:
        for name, data in files.items():
            info = zipfile.ZipInfo(name)
            info.compress_type = zipfile.ZIP_STORED if name.endswith("/") else compression
            target.writestr(info, data)
    buffer.seek(0)
    return buffer


def edited(files, old, new, count=-1):
    text = files[METADATA].decode()
    assert old in text
    return {**files, METADATA: text.replace(old, new, count).encode()}


def test_a_sound_archive_has_no_problem_and_gives_its_documents(files):
    assert xdm.problems(archive(files)) == []
    with xdm.XdmArchive(archive(files)) as opened:
        assert opened.subsets == (SUBSET,)
        read = list(opened.documents())
    assert [d.entry.unique_id for d in read] == ["1.2.3.4.1", "1.2.3.4.9"]
    assert [d.body for d in read] == [files[f"{SUBSET}/DOC0001.XML"], files[f"{SUBSET}/DOC0002.XML"]]
    assert {d.submission.unique_id for d in read} == {"1.2.8"}


def test_an_archive_inside_an_archive_is_read_in_place(files):
    outer = io.BytesIO()
    with zipfile.ZipFile(outer, "w") as target:
        target.writestr("README.TXT", "x" * 500)
        target.writestr("PAT00001.ZIP", archive(files).getvalue())
    with zipfile.ZipFile(outer) as source, source.open("PAT00001.ZIP") as inner:
        assert xdm.problems(inner) == []


@pytest.mark.requirement("XDM-02")
def test_names_are_found_whatever_their_case_but_lower_case_is_a_problem(files):
    lower = archive({name.lower(): data for name, data in files.items()})
    assert len(list(xdm.XdmArchive(lower).documents())) == 2
    assert len([p for p in xdm.problems(lower) if "8.3" in p]) == len(files)
    assert len(xdm.problems(lower)) == len(files)


@pytest.mark.parametrize("name", ["PDF/20240328_CR_DURAND_Zoé.pdf", "ORIGINAUX/DOC0001.docx", "donnees.json"])
def test_what_a_portability_archive_adds_may_be_named_freely(files, name):
    assert xdm.problems(archive({**files, name: b"x"})) == []


BROKEN = {
    "INDEX.HTM missing": (lambda f: {n: d for n, d in f.items() if n != "INDEX.HTM"}, "INDEX.HTM is missing"),
    "README.TXT missing": (lambda f: {n: d for n, d in f.items() if n != "README.TXT"}, "README.TXT is missing"),
    "no submission folder": (
        lambda f: {n: d for n, d in f.items() if not n.startswith("IHE_XDM/SUB")},
        "holds no submission folder",
    ),
    "METADATA.XML missing": (lambda f: {n: d for n, d in f.items() if n != METADATA}, "METADATA.XML is missing"),
    "METADATA.XML not XML": (lambda f: {**f, METADATA: b"DURAND"}, "METADATA.XML is refused"),
    "metadata without document": (
        lambda f: edited(f, "ExtrinsicObject", "ExtrinsicThing"),
        "describe no document",
    ),
    "document changed": (
        lambda f: {**f, f"{SUBSET}/DOC0002.XML": f[f"{SUBSET}/DOC0002.XML"].replace(b"Paul", b"Jean")},
        "document 2: its SHA-1 hash differs",
    ),
    "line ends converted": (
        lambda f: {**f, f"{SUBSET}/DOC0001.XML": f[f"{SUBSET}/DOC0001.XML"].replace(b"\n", b"\r\n")},
        "document 1: its size differs",
    ),
    "document missing": (
        lambda f: {n: d for n, d in f.items() if not n.endswith("DOC0002.XML")},
        "document 2: its URI names no file",
    ),
    "URI empty": (lambda f: edited(f, ">DOC0002.XML<", "><"), "document 2: its URI names no file"),
    "URI going up": (lambda f: edited(f, ">DOC0002.XML<", ">../../README.TXT<"), "document 2: its URI names no file"),
    "URI of another document": (
        lambda f: edited(f, ">DOC0002.XML<", ">DOC0001.XML<"),
        "document 2: its URI names METADATA.XML or the file of an earlier document",
    ),
    "file nobody describes": (
        lambda f: {**f, f"{SUBSET}/DOC0003.XML": b"<x/>"},
        "is not described by the metadata",
    ),
    "no link to the set": (
        lambda f: edited(f, "AssociationType:HasMember", "AssociationType:Other"),
        "document 1: no HasMember association",
    ),
    "two submission sets": (
        lambda f: edited(
            f,
            "<rim:ExtrinsicObject",
            '<rim:RegistryPackage id="x"><rim:Classification classifiedObject="x" '
            'classificationNode="urn:uuid:a54d6aa5-d40d-43f9-88c5-b4633d873bdd"/></rim:RegistryPackage><rim:ExtrinsicObject',
            1,
        ),
        "hold 2 submission sets",
    ),
    "set without uniqueId": (
        lambda f: edited(f, "urn:uuid:96fdda7c-d067-4183-912e-bf5ee74998a8", "urn:uuid:0"),
        "the submission set has no uniqueId",
    ),
    "document without uniqueId": (
        lambda f: edited(f, "urn:uuid:2e82c1f6-a085-4c72-9da3-8640a32e42ab", "urn:uuid:0"),
        "document 1: it has no uniqueId",
    ),
    "same document twice": (
        lambda f: edited(f, 'value="1.2.3.4.9"', 'value="1.2.3.4.1"'),
        "document 2: its uniqueId is the one of an earlier document",
    ),
    "another patient's document": (
        lambda f: edited(f, 'value="279035121518989^', 'value="279035121518999^', 1),
        "document 1: its patientId is absent or differs",
    ),
    "name that is not 8.3": (
        lambda f: {**f, f"{SUBSET}/DURAND ZOE CR.XML": b"<x/>"},
        "is not in the 8.3 form",
    ),
    "file in IHE_XDM itself": (lambda f: {**f, "IHE_XDM/DURAND.XML": b"<x/>"}, "stands directly in IHE_XDM"),
    "folder that is no SUBSETnn": (
        lambda f: {**f, "IHE_XDM/DURAND/METADATA.XML": f[METADATA]},
        "A submission folder is not named SUBSETnn",
    ),
}


@pytest.mark.requirement("XDM-06", "XDM-11")
@pytest.mark.parametrize(("damage", "sentence"), BROKEN.values(), ids=BROKEN.keys())
def test_each_defect_is_said(files, damage, sentence):
    found = xdm.problems(archive(damage(files)))
    assert any(sentence in p for p in found), found
    assert "DURAND" not in " ".join(found)


@given(data=st.data())
@settings(max_examples=100, deadline=None)
def test_a_flipped_byte_never_changes_a_document_unreported(files, data):
    """Some bits of a deflate stream carry nothing (padding, mark of the last block): then the document read is still the same."""
    damaged = bytearray(archive(files).getvalue())
    with zipfile.ZipFile(io.BytesIO(damaged)) as source:
        info = source.getinfo(f"{SUBSET}/DOC0001.XML")
    start = info.header_offset + 30 + len(info.filename)
    damaged[data.draw(st.integers(start, start + info.compress_size - 1))] ^= data.draw(st.integers(1, 255))
    if not xdm.problems(io.BytesIO(damaged)):
        assert xdm.XdmArchive(io.BytesIO(damaged)).read(info.filename) == files[info.filename]


@given(data=st.data())
@settings(max_examples=200, deadline=None)
def test_a_damaged_archive_is_reported_or_read_and_never_raises(files, data):
    damaged = bytearray(archive(files).getvalue())
    if data.draw(st.booleans()):
        assert xdm.problems(io.BytesIO(bytes(damaged[: data.draw(st.integers(0, len(damaged) - 1))])))
    else:
        for _ in range(data.draw(st.integers(1, 3))):
            damaged[data.draw(st.integers(0, len(damaged) - 1))] ^= data.draw(st.integers(1, 255))
        xdm.problems(io.BytesIO(damaged))


UNSAFE_NAMES = {
    "absolute": "/etc/passwd",
    "going up": "IHE_XDM/../../DURAND",
    "going up at the end": "IHE_XDM/..",
    "here": "./DURAND",
    "empty step": "IHE_XDM//DURAND",
    "backslash": "IHE_XDM\\DURAND",
    "drive": "C:DURAND",
    "line break": "DURAND\n.XML",
    "NUL": "DOC0001.XML\x00.EXE",
    "same name": "README.TXT",
    "same name in another case": "readme.txt",
    "file with the name of a folder": "IHE_XDM",
}


@pytest.mark.parametrize("name", UNSAFE_NAMES.values(), ids=UNSAFE_NAMES.keys())
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_an_unsafe_name_is_refused(files, name):
    buffer = archive(files)
    placeholder = "Q" * len(name)
    with zipfile.ZipFile(buffer, "a") as target:
        target.writestr(placeholder, b"x")
    # Written under another name then renamed in the bytes, since the writer itself would clean some of these.
    data = io.BytesIO(buffer.getvalue().replace(placeholder.encode(), name.encode()))
    with pytest.raises(xdm.XdmRefused) as caught:
        xdm.XdmArchive(data)
    assert "DURAND" not in str(caught.value)
    data.seek(0)
    assert len(xdm.problems(data)) == 1


def with_directory_field(data, offset, form, value):
    """The archive with one field of every entry of its central directory changed."""
    raw = bytearray(data)
    place = raw.find(b"PK\x01\x02")
    while place >= 0:
        struct.pack_into(form, raw, place + offset, value)
        place = raw.find(b"PK\x01\x02", place + 4)
    return io.BytesIO(raw)


@pytest.mark.parametrize(
    ("offset", "form", "value", "reason"),
    [
        pytest.param(8, "<H", 1, "encrypted", id="encrypted"),
        pytest.param(8, "<H", 0x40, "encrypted", id="strongly encrypted"),
        pytest.param(10, "<H", 12, "compression method", id="bzip2"),
        pytest.param(10, "<H", 14, "compression method", id="LZMA"),
        pytest.param(38, "<I", 0o120777 << 16, "symbolic link", id="link"),
        pytest.param(24, "<I", 0xFFFFFFF0, "expands to more", id="declared huge"),
        pytest.param(24, "<I", 50_000_000, "compressed more than", id="declared beyond the ratio"),
    ],
)
def test_an_unsafe_entry_is_refused(files, offset, form, value, reason):
    with pytest.raises(xdm.XdmRefused, match=reason):
        xdm.XdmArchive(with_directory_field(archive(files).getvalue(), offset, form, value))


def test_a_bomb_is_refused_before_it_is_decompressed(files):
    with pytest.raises(xdm.XdmRefused, match="compressed more than"):
        xdm.XdmArchive(archive({**files, f"{SUBSET}/DOC0003.XML": bytes(20_000_000)}))


def test_many_small_bombs_are_refused_together(files):
    bombs = {f"{SUBSET}/B{n:05d}.XML": bytes(900_000) for n in range(60)}
    with pytest.raises(xdm.XdmRefused, match="compressed more than"):
        xdm.XdmArchive(archive({**files, **bombs}))


def test_too_many_entries_are_refused():
    with pytest.raises(xdm.XdmRefused, match="more than 50000 entries"):
        xdm.XdmArchive(archive({f"F{n}": b"" for n in range(50_001)}, zipfile.ZIP_STORED))


@pytest.mark.parametrize("shift", [-1, 1], ids=["larger than declared", "smaller than declared"])
def test_an_entry_whose_size_is_not_the_declared_one_is_refused(files, shift):
    name = f"{SUBSET}/DOC0001.XML"
    raw = bytearray(archive(files).getvalue())
    place = raw.rfind(name.encode()) - 46
    assert raw[place : place + 4] == b"PK\x01\x02"
    struct.pack_into("<I", raw, place + 24, len(files[name]) + shift)
    found = xdm.problems(io.BytesIO(raw))
    assert any("document 1" in p for p in found), found


@pytest.mark.parametrize(
    "data", [b"", b"PK", b"DURAND" * 100, b"PK\x05\x06" + bytes(18)], ids=["empty", "cut", "text", "void"]
)
def test_what_is_not_an_archive_is_a_problem(data):
    found = xdm.problems(io.BytesIO(data))
    assert found
    assert "DURAND" not in " ".join(found)


def test_asking_for_an_absent_entry_is_refused(files):
    with pytest.raises(xdm.XdmRefused, match="does not hold"):
        xdm.XdmArchive(archive(files)).read("IHE_XDM/SUBSET02/METADATA.XML")
