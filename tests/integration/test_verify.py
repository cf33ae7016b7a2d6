"""`verify` against damaged, altered and hostile archives: nothing passes unseen, and nothing stops it but a report."""

from __future__ import annotations

import hashlib
import io
import json
import re
import struct
import subprocess
import sys
import tracemalloc
import zipfile
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import pytest
from hypothesis import Phase, example, given, settings
from hypothesis import strategies as st

from transvase.formats import zip_stream
from transvase.validators.archive import Report, verify

NAME = "PA20261123T200000.ZIP"
CLOCK = datetime(2026, 11, 23, 20)
MEMBERS = ("README.TXT", "MANIFEST.XML", "DOCUMENTATION/LISEZMOI.TXT", "TRANSVERSE.ZIP", "PAT00001.ZIP")


@pytest.fixture(scope="module")
def good(small) -> bytes:
    return small.path.read_bytes()


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("damaged")


@pytest.fixture(scope="module")
def check(good: bytes, place: Path) -> Callable[..., Report]:
    """Verify some bytes under the name of an archive, beside the digest of the good one, of themselves (`sealed`) or none."""

    def run(data: bytes, digest: str = "good", name: str = NAME) -> Report:
        path = place / name
        path.write_bytes(data)
        beside = place / f"{name}.sha256"
        beside.unlink(missing_ok=True)
        if digest != "none":
            value = hashlib.sha256(good if digest == "good" else data).hexdigest()
            beside.write_text(f"{value}  {name}\n")
        return verify(path)

    return run


def members(data: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return {i.filename: archive.read(i) for i in archive.infolist()}


def rebuilt(files: dict[str, bytes]) -> bytes:
    """An archive of our form: inner ZIP stored, the rest deflated."""
    return zip_stream.build([(n, d, not n.endswith(".ZIP")) for n, d in files.items()], CLOCK)


def relisted(files: dict[str, bytes]) -> bytes:
    """The same with a manifest that announces the inner archives as they are now: only their own content can betray them."""
    text = files["MANIFEST.XML"].decode()
    for name, data in files.items():
        text = re.sub(
            rf"(<archiveid>{name}</archiveid>.*?<size>)\d+(</size><hash>)[0-9a-f]+",
            rf"\g<1>{len(data)}\g<2>{hashlib.sha256(data).hexdigest()}",
            text,
        )
    return rebuilt({**files, "MANIFEST.XML": text.encode()})


# -- A good archive -----------------------------------------------------------------------------------------------------------


def test_a_good_archive_has_no_problem(practice):
    report = verify(practice.path)
    assert report.problems == []
    inner = [practice.inner(name) for name in practice.patients]
    files = [n.split("/")[0] for names in inner for n in names if n[-1] != "/" and not n.endswith("METADATA.XML")]
    cda = [n for names in inner for n in names if re.fullmatch(r"IHE_XDM/SUBSET01/DOC\d+\.XML", n)]
    assert report.checked == {
        "bytes": practice.path.stat().st_size,
        "patient archives": practice.facts["patients"],
        "documents": len(cda),
        "readable copies": files.count("PDF"),
    }
    assert report.arrived == {
        "patients": practice.facts["patients"],
        "documents": files.count("IHE_XDM"),
        "readable copies": files.count("PDF"),
        "originals": files.count("ORIGINAUX"),
        "transverse archives": 1,
        "transverse files": sum(n.startswith("TRANSVERSE/") for n in practice.inner("TRANSVERSE.ZIP")),
    }


def test_what_could_not_be_checked_is_said(small, check, good):
    assert any("SIGN.XML" in line for line in verify(small.path).unchecked)
    assert not any("No digest" in line for line in verify(small.path).unchecked)
    report = check(good, "none")
    assert report.problems == []
    assert any("No digest of the whole file" in line for line in report.unchecked)


def test_a_rebuilt_archive_is_as_good_as_its_content(check, good):
    """A check of the tools of this page: rebuilding alone raises nothing but the digest."""
    assert check(rebuilt(members(good)), "sealed").problems == []
    assert check(relisted(members(good)), "sealed").problems == []


# -- Changed bytes ------------------------------------------------------------------------------------------------------------


# Archives are large to print and shrink badly: a failing position is enough.
quick = settings(max_examples=300, deadline=None, phases=(Phase.explicit, Phase.reuse, Phase.generate))


@quick
@given(st.data())
def test_any_flipped_byte_is_reported(check, good, data):
    damaged = bytearray(good)
    damaged[data.draw(st.integers(0, len(good) - 1))] ^= 0xFF
    assert check(bytes(damaged)).problems


@quick
@given(st.data())
def test_any_flipped_bit_of_an_inner_archive_is_reported_without_the_digest(check, good, data):
    """The manifest alone covers the inner archives."""
    start, end = inner_range(good)
    damaged = bytearray(good)
    damaged[data.draw(st.integers(start, end - 1))] ^= 1 << data.draw(st.integers(0, 7))
    assert check(bytes(damaged), "none").problems


def inner_range(data: bytes) -> tuple[int, int]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        info = archive.getinfo("PAT00001.ZIP")
    start = info.header_offset + 30 + len(info.filename)
    return start, start + info.compress_size


def test_no_flipped_byte_outside_the_inner_archives_stops_the_verification(check, good):
    """Every byte of the local headers, the directory and the small members: a report, never an exception. Sampled by a prime
    in the deflated text, whole in the structures."""
    start, end = inner_range(good)
    with zipfile.ZipFile(io.BytesIO(good)) as archive:
        heads = [i.header_offset for i in archive.infolist()]
        manifest = archive.getinfo("MANIFEST.XML")
    wanted = {p for head in heads for p in range(head, head + 60)} | set(range(end, len(good)))
    wanted |= set(range(manifest.header_offset, manifest.header_offset + 100 + manifest.compress_size, 7))
    for at in sorted(p for p in wanted if not start <= p < end):
        damaged = bytearray(good)
        damaged[at] ^= 0xFF
        assert isinstance(check(bytes(damaged), "none"), Report)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_any_truncation_is_reported(check, good, data):
    length = data.draw(st.integers(0, len(good) - 1))
    assert check(good[:length]).problems
    assert check(good[:length], "none").problems


@settings(max_examples=60, deadline=None)
@given(st.binary(min_size=1, max_size=50))
@example(b"\0")
@example(b"PK\x05\x06" + bytes(18))
def test_appended_and_prepended_bytes_are_reported_even_without_the_digest(check, good, extra):
    assert check(good + extra, "none").problems
    assert check(extra + good, "none").problems


def test_bytes_hidden_between_two_members_are_reported_without_the_digest(check, good):
    with zipfile.ZipFile(io.BytesIO(good)) as archive:
        at = archive.getinfo("PAT00001.ZIP").header_offset
        directory = archive.start_dir
    hidden = bytearray(good[:at] + b"hidden" + good[at:])
    place = directory + 6
    while hidden[place : place + 4] == b"PK\x01\x02":
        length, extra, comment = struct.unpack_from("<3H", hidden, place + 28)
        (offset,) = struct.unpack_from("<I", hidden, place + 42)
        if offset >= at:
            struct.pack_into("<I", hidden, place + 42, offset + 6)
        place += 46 + length + extra + comment
    struct.pack_into("<I", hidden, place + 16, directory + 6)
    assert set(members(bytes(hidden))) == set(members(good)), "still a ZIP file to others"
    assert any("Bytes stand between" in p for p in check(bytes(hidden), "none").problems)


def test_a_comment_is_reported_without_the_digest(check, good):
    commented = bytearray(good + b"hello")
    struct.pack_into("<H", commented, len(good) - 2, 5)
    assert any("comment" in p for p in check(bytes(commented), "none").problems)


# -- Members ------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", MEMBERS)
def test_a_missing_member_is_named(check, good, name):
    files = members(good)
    if name.startswith("DOCUMENTATION"):
        files = {n: d for n, d in files.items() if not n.startswith("DOCUMENTATION")}
    else:
        del files[name]
    assert any(name.split("/")[0] in p for p in check(rebuilt(files), "sealed").problems)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("PAT00001.ZIP", "PAT00002.ZIP"),
        ("PAT00001.ZIP", "pat00001.zip"),
        ("PAT00001.ZIP", "../PAT00001.ZIP"),
        ("PAT00001.ZIP", "/PAT00001.ZIP"),
        ("TRANSVERSE.ZIP", "TRANSV.ZIP"),
        ("MANIFEST.XML", "MANIFEST.JSON"),
        ("README.TXT", "LISEZMOI.TXT"),
        ("DOCUMENTATION/LISEZMOI.TXT", "DOCUMENTATION/../../LISEZMOI.TXT"),
        ("DOCUMENTATION/LISEZMOI.TXT", "DOCUMENTATION\\LISEZMOI.TXT"),
    ],
)
def test_a_renamed_member_is_reported(check, good, old, new):
    files = {new if n == old else n: d for n, d in members(good).items()}
    assert check(rebuilt(files), "sealed").problems


@pytest.mark.parametrize("name", MEMBERS)
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_name_that_stands_twice_is_reported(check, good, name):
    files = [*members(good).items(), (name, members(good)[name])]
    double = zip_stream.build([(n, d, not n.endswith(".ZIP")) for n, d in files], CLOCK)
    assert any("same name twice" in p for p in check(double, "sealed").problems)


@pytest.mark.parametrize(
    "name", ["EXTRA.TXT", "PAT1.ZIP", "MANIFEST.JSON", "INDEX.HTM", "DOCUMENTATION.TXT", "CON", "é.txt"]
)
def test_a_member_outside_the_layout_is_reported(check, good, name):
    assert any("layout" in p for p in check(rebuilt({**members(good), name: b"x"}), "sealed").problems)


def test_swapped_members_are_reported(check, practice):
    """Two good patient archives under each other's name: each is whole, the pair is not."""
    files = dict(practice.members)
    files["PAT00001.ZIP"], files["PAT00002.ZIP"] = files["PAT00002.ZIP"], files["PAT00001.ZIP"]
    problems = check(rebuilt(files), "sealed").problems
    assert {p.split(":")[0] for p in problems} == {"PAT00001.ZIP", "PAT00002.ZIP"}


def test_an_inner_archive_that_is_not_in_the_manifest_is_reported(check, good):
    files = members(good)
    report = check(rebuilt({**files, "PAT00002.ZIP": files["PAT00001.ZIP"]}), "sealed")
    assert report.problems == ["PAT00002.ZIP is present but not in MANIFEST.XML."]


# -- Manifest -----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("pattern", "by"),
    [
        (r"<hash>[0-9a-f]", "<hash>g"),
        (r"<hash>[0-9a-f]{64}", "<hash>"),
        (r"<size>(\d+)", r"<size>1\1"),
        (r"<size>(\d+)", r"<size>-\1"),
        (r"<patientArchiveCount>1", "<patientArchiveCount>2"),
        (r"<patientArchiveCount>1", "<patientArchiveCount>one"),
        (r"<transverseArchiveCount>1", "<transverseArchiveCount>0"),
        (r"<type>PATIENT", "<type>TRANSVERSE"),
        (r"<type>PATIENT", "<type>OTHER"),
        (r"<patientId>[^<]*</patientId>", ""),
        (r"<type>TRANSVERSE</type>", "<type>TRANSVERSE</type><patientId>1^^^&amp;1.2&amp;ISO^PI</patientId>"),
        (r"<archiveid>PAT00001.ZIP", "<archiveid>PAT00009.ZIP"),
        (r"(?s)<Archive>.*?</Archive>", ""),
        (r"(?s)(<Archive>.*?</Archive>)", r"\1\1"),
        (r"(?s)<Archives>.*</Archives>", "<Archives/>"),
        (r"<Manifest ", "<!DOCTYPE Manifest [<!ENTITY x 'y'>]><Manifest "),
        (r"</Manifest>", ""),
        (r"Manifest", "Other"),
        (r"(?s).*", ""),
        (r"(?s)$", "<"),
    ],
)
def test_an_edited_manifest_is_reported(check, good, pattern, by):
    files = members(good)
    text = re.sub(pattern, by, files["MANIFEST.XML"].decode(), count=0 if pattern == "Manifest" else 1)
    assert text != files["MANIFEST.XML"].decode()
    assert check(rebuilt({**files, "MANIFEST.XML": text.encode()}), "sealed").problems


def test_the_published_example_s_spelling_of_types_is_read(check, good):
    """PORT-64: be tolerant on read."""
    files = members(good)
    text = (
        files["MANIFEST.XML"].decode().replace("<type>PATIENT", "<type>Patient").replace("<type>TRANS", "<type>Trans")
    )
    assert check(rebuilt({**files, "MANIFEST.XML": text.encode()}), "sealed").problems == []


# -- Hostile inner archives ---------------------------------------------------------------------------------------------------


def bomb(name: str, size: int) -> bytes:
    return zip_stream.build([(name, bytes(size), True)], CLOCK)


def zipped(files: dict[str, bytes]) -> bytes:
    return zip_stream.build([(n, d, True) for n, d in files.items()], CLOCK)


METADATA = "IHE_XDM/SUBSET01/METADATA.XML"


@pytest.mark.parametrize(
    "inner",
    [
        pytest.param(lambda files: b"", id="empty"),
        pytest.param(lambda files: b"not a zip at all", id="not-a-zip"),
        pytest.param(lambda files: zipped({}), id="no-member"),
        pytest.param(lambda files: bomb(METADATA, 60_000_000), id="bomb"),
        pytest.param(lambda files: zipped({n: d for n, d in files.items() if n != METADATA}), id="no-metadata"),
        pytest.param(
            lambda f: zipped({n: d + b" " * n.endswith("DOC0001.XML") for n, d in f.items()}), id="one-space-more"
        ),
        pytest.param(lambda files: zipped({**files, "../../etc/passwd": b"x"}), id="path-that-goes-up"),
        pytest.param(lambda files: zipped({**files, "IHE_XDM/SUBSET01/DOC9999.XML": b"x"}), id="undescribed-file"),
    ],
)
def test_a_bad_patient_archive_is_reported_even_when_the_manifest_lists_it_as_it_is(check, good, inner):
    files = members(good)
    files["PAT00001.ZIP"] = inner(members(files["PAT00001.ZIP"]))
    problems = check(relisted(files), "sealed").problems
    assert any(p.startswith("PAT00001.ZIP") for p in problems)


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"not a zip at all", id="not-a-zip"),
        pytest.param(zip_stream.build([], CLOCK), id="no-member"),
        pytest.param(bomb("TRANSVERSE/NATIVE.JSONL", 60_000_000), id="bomb"),
        pytest.param(
            zip_stream.build([("README.TXT", b"", False), ("TRANSVERSE/../x", b"", False)], CLOCK),
            id="path-that-goes-up",
        ),
        pytest.param(zip_stream.build([("README.TXT", b"", False)] * 2, CLOCK), id="same-name-twice"),
    ],
)
def test_a_bad_transverse_archive_is_reported_even_when_the_manifest_lists_it_as_it_is(check, good, data):
    problems = check(relisted({**members(good), "TRANSVERSE.ZIP": data}), "sealed").problems
    assert any(p.startswith("TRANSVERSE.ZIP") for p in problems)


@pytest.mark.parametrize("name", MEMBERS)
def test_a_bomb_in_the_outer_archive_is_reported_and_not_unpacked(check, good, name):
    """Sixty megabytes of one byte; memory stays within some megabytes."""
    files = members(good)
    text = files["MANIFEST.XML"].decode().replace("</Manifest>", "</Manifest>" + " " * 60_000_000)
    files[name] = text.encode() if name == "MANIFEST.XML" else bytes(60_000_000)
    data = zip_stream.build([(n, d, not n.endswith(".ZIP") or n == name) for n, d in files.items()], CLOCK)
    del files, text
    tracemalloc.start()
    problems = check(data, "sealed").problems
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert problems
    assert peak < 5_000_000 + len(data)


@pytest.mark.parametrize("method", [1, 12, 14, 93, 99])
def test_another_compression_method_is_reported(check, good, method):
    damaged = bytearray(good)
    with zipfile.ZipFile(io.BytesIO(good)) as archive:
        head, place = archive.getinfo("DOCUMENTATION/LISEZMOI.TXT").header_offset, archive.start_dir
    struct.pack_into("<H", damaged, head + 8, method)
    while damaged[place : place + 4] == b"PK\x01\x02":
        length, extra, comment = struct.unpack_from("<3H", damaged, place + 28)
        if struct.unpack_from("<I", damaged, place + 42)[0] == head:
            struct.pack_into("<H", damaged, place + 10, method)
        place += 46 + length + extra + comment
    assert check(bytes(damaged), "sealed").problems


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=300))
@example(b"")
@example(b"PK\x05\x06" + bytes(18))
@example(b"PK\x03\x04" + bytes(300))
def test_anything_else_is_no_archive(check, data):
    assert check(data, "sealed").problems
    assert check(data, "none").problems


def test_problems_name_members_and_quote_nothing_of_a_patient(check, good, small):
    files = members(good)
    person = json.loads(members(files["PAT00001.ZIP"])["DONNEES.JSON"])["patient"]
    files["PAT00001.ZIP"] = files["PAT00001.ZIP"].replace(b"PDF/", b"PDG/")
    text = " ".join([*check(rebuilt(files)).problems, *check(relisted(files)).problems])
    assert "PAT00001.ZIP" in text
    for value in (person["birth_family"], person["birth_given"], person["ins"], person["key"]):
        assert value not in text


# -- The command --------------------------------------------------------------------------------------------------------------


def command(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "transvase.commands.main", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=120,
    )


@pytest.mark.parametrize(
    ("edit", "digest", "code"),
    [
        pytest.param(lambda d: d, "good", 0, id="good"),
        pytest.param(lambda d: d, "none", 0, id="digest-removed"),
        pytest.param(lambda d: d[:-1], "good", 40, id="cut"),
        pytest.param(lambda d: d[:5000] + bytes([d[5000] ^ 0xFF]) + d[5001:], "good", 40, id="flipped"),
        pytest.param(lambda d: b"", "none", 40, id="empty"),
    ],
)
def test_exit_codes_of_the_command(good, place, check, edit, digest, code):
    check(edit(good), digest)
    done = command("verify", place / NAME)
    assert done.returncode == code
    assert "Traceback" not in done.stderr
    errors = [line for line in done.stderr.splitlines() if line.startswith("transvase: ")]
    assert len(errors) == (1 if code else 0)
    assert ("ARC-NOT-DIGEST" in done.stdout) is (digest == "none")


def test_a_missing_archive_is_a_bad_call(place):
    done = command("verify", place / "PA20260101T000000.ZIP")
    assert done.returncode == 2
    assert done.stderr.startswith("transvase: ")


def test_the_answer_as_json(good, place, check):
    check(good[:-1])
    done = command("verify", place / NAME, "--json")
    assert done.returncode == 40
    assert "ARC-DIGEST" in {f["id"] for f in json.loads(done.stdout)["findings"]}


def test_the_name_of_the_file_is_part_of_the_form(check, good):
    assert any("name is not of the form" in p for p in check(good, "sealed", "archive.zip").problems)
