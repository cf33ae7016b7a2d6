"""What `verify` finds inside an archive and how it tells it: one finding for each thing that can be wrong, on our archives, on those of
others, on plain XDM; the report's order and words; what it costs on archives made to hurt."""

from __future__ import annotations

import hashlib
import io
import json
import re
import struct
import subprocess
import sys
import time
import tracemalloc
import zipfile
from collections import Counter
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from transvase.formats import zip_stream
from transvase.formats.xdm import DEFECTS, REFUSALS
from transvase.validators.archive import Report, verify
from transvase.validators.archive_findings import FINDINGS, Found, found

NAME = "PA20261123T200000.ZIP"
CLOCK = datetime(2026, 11, 23, 20)
SUBSET = "IHE_XDM/SUBSET01/"
METADATA = f"{SUBSET}METADATA.XML"
SECOND = f"{SUBSET}DOC0002.XML"
Files = dict[str, bytes]


@pytest.fixture(scope="module")
def members(small) -> Files:
    return dict(small.members)


@pytest.fixture(scope="module")
def patient(small) -> Files:
    return small.inner("PAT00001.ZIP")


@pytest.fixture
def check(tmp_path: Path, members: Files) -> Callable[..., Report]:
    """Verify the archive with other members, listed as they are, beside a digest of itself: only its content can betray it."""

    def run(changes: Files, **options: Path) -> Report:
        path = tmp_path / NAME
        data = sealed({**members, **changes})
        path.write_bytes(data)
        path.with_name(f"{NAME}.sha256").write_text(hashlib.sha256(data).hexdigest())
        return verify(path, **options)

    return run


@pytest.fixture
def alone(tmp_path: Path) -> Callable[..., Report]:
    """Verify a plain XDM archive."""

    def run(files: Files, **options: Path) -> Report:
        path = tmp_path / "IHE_XDM.ZIP"
        path.write_bytes(zipped(files))
        return verify(path, **options)

    return run


def zipped(files: Files) -> bytes:
    return zip_stream.build([(n, d, bool(d)) for n, d in files.items()], CLOCK)


def sealed(files: Files) -> bytes:
    """The archive in our form, its manifest announcing the inner archives as they are."""
    text = files["MANIFEST.XML"].decode()
    for name, data in files.items():
        text = re.sub(
            rf"(<archiveid>{name}</archiveid>.*?<size>)\d+(</size><hash>)[0-9a-f]+",
            rf"\g<1>{len(data)}\g<2>{hashlib.sha256(data).hexdigest()}",
            text,
        )
    listed = {**files, "MANIFEST.XML": text.encode()}
    return zip_stream.build([(n, d, not n.endswith(".ZIP")) for n, d in listed.items()], CLOCK)


def ids(report: Report) -> list[str]:
    return sorted({f.id for f in report.findings})


def edited(files: Files, name: str, pattern: str, by: str) -> Files:
    """A text changed once; in METADATA.XML all that says its length stays true."""
    text = files[name].decode()
    changed = re.sub(pattern, by, text, count=1, flags=re.DOTALL)
    assert changed != text, pattern
    return {**files, name: changed.encode()}


def replaced(files: Files, body: bytes) -> Files:
    """The second document replaced by another, digest and size told anew: only what it is can betray it."""
    old = files[SECOND]
    text = files[METADATA].decode()
    for before, after in (
        (hashlib.sha1(old).hexdigest().upper(), hashlib.sha1(body).hexdigest().upper()),
        (f">{len(old)}<", f">{len(body)}<"),
    ):
        assert text.count(before) == 1
        text = text.replace(before, after)
    return {**files, SECOND: body, METADATA: text.encode()}


def without(files: Files, pattern: str) -> Files:
    left = {n: d for n, d in files.items() if not re.search(pattern, n)}
    assert len(left) < len(files)
    return left


def renamed(files: Files, pattern: str, by: str) -> Files:
    changed = {re.sub(pattern, by, n): d for n, d in files.items()}
    assert changed.keys() != files.keys()
    return changed


def data(files: Files, change: Callable[[dict], object]) -> Files:
    held = json.loads(files["DONNEES.JSON"])
    change(held)
    return {**files, "DONNEES.JSON": json.dumps(held).encode()}


# -- One patient's archive ----------------------------------------------------------------------------------------------------

# What is done to the archive, and every finding that follows.
CHANGES: dict[str, tuple[Callable[[Files], Files], list[str]]] = {
    "nothing": (lambda f: f, []),
    "title of the metadata": (
        lambda f: edited(f, METADATA, r'(Note de vaccination|Vaccination)([^"]*)"', r'Autre chose"'), ["ARC-META-DIFFERS"]),
    "uniqueId of the metadata": (
        lambda f: edited(f, METADATA, r'value="2\.999\.250\.1\.9\.\d+\.1"', 'value="2.999.250.1.9.5.1"'),
        ["ARC-DATA-LINES", "ARC-META-DIFFERS"]),
    "creationTime of the metadata": (
        lambda f: edited(f, METADATA, r'(name="creationTime".*?>)\d{4}(\d{10}<)', r"\g<1>1999\2"), ["ARC-META-DIFFERS"]),
    "patient of every document": (
        lambda f: {**f, METADATA: re.sub(rb'value="\d+(\^\^\^&amp;[\d.]+&amp;ISO\^(?:NH|PI))"', rb'value="1\1"', f[METADATA])},
        ["ARC-META-DIFFERS", "ARC-PATIENT-ID"]),
    "DONNEES.JSON gone": (lambda f: without(f, "DONNEES"), ["ARC-DATA-MISSING"]),
    "DONNEES.JSON cut": (lambda f: {**f, "DONNEES.JSON": f["DONNEES.JSON"][:-1]}, ["ARC-DATA-UNREADABLE"]),
    "DONNEES.JSON of another shape": (lambda f: {**f, "DONNEES.JSON": b'{"documents": [1]}'}, ["ARC-DATA-UNREADABLE"]),
    "line of a document gone": (lambda f: data(f, lambda d: d["documents"].pop()), ["ARC-DATA-LINES"]),
    "line of no document": (
        lambda f: data(f, lambda d: d["documents"].append({**d["documents"][0], "uri": "DOC0009.XML"})), ["ARC-DATA-LINES"]),
    "line of another identifier": (lambda f: data(f, lambda d: d["documents"][0].update(unique_id="1.2")), ["ARC-DATA-LINES"]),
    "readable copy gone": (lambda f: without(f, "PDF/.*vaccination"), ["ARC-PDF-MISSING"]),
    "readable copy of no document": (lambda f: {**f, "PDF/20000101_Autre_A_B.pdf": f[copy_of(f)]}, ["ARC-PDF-STRAY"]),
    "readable copy twice": (
        lambda f: {**f, copy_of(f).replace(".pdf", "_0003.pdf"): f[copy_of(f)]}, ["ARC-PDF-STRAY"]),
    "readable copy named after another day": (
        lambda f: renamed(f, r"PDF/\d{8}(_Note de vaccination)", r"PDF/20200101\1"), ["ARC-PDF-MISSING", "ARC-PDF-STRAY"]),
    "readable copy of other content": (lambda f: {**f, copy_of(f): f[copy_of(f)] + b"\n"}, ["ARC-PDF-CONTENT"]),
    "readable copy that declares nothing": (
        lambda f: {**f, synthesis(f): f[synthesis(f)].replace(b"pdfaid:part", b"pdfaid:trap")}, ["ARC-PDF-UNDECLARED"]),
    "original of no document": (lambda f: {**f, "ORIGINAUX/DOC0009.RTF": b"x"}, ["ARC-ORIGINAL-STRAY"]),
    "CDA that is none": (lambda f: replaced(f, b"<a/>"), ["ARC-CDA-UNREADABLE"]),
    "CDA that is not XML": (lambda f: replaced(f, b"<ClinicalDocument"), ["ARC-CDA-UNREADABLE"]),
    "CDA with a stylesheet elsewhere": (
        lambda f: replaced(f, b'<?xml-stylesheet href="a.xsl"?>' + f[SECOND].split(b"?>", 1)[1]
                           if f[SECOND].startswith(b"<?xml") else b'<?xml-stylesheet href="a.xsl"?>' + f[SECOND]),
        ["ARC-STYLESHEET"]),
    "CDA of another title": (
        lambda f: replaced(f, re.sub(rb"<title>[^<]*", b"<title>Autre", f[SECOND])), ["ARC-META-DIFFERS"]),
    "CDA without identifier": (
        lambda f: replaced(f, re.sub(rb"<id [^>]*>", b"", f[SECOND], count=1)), ["ARC-META-DIFFERS"]),
    "index to an absent entry": (
        lambda f: edited(f, "INDEX.HTM", "</body>", '<a href="ABSENT.HTM">x</a></body>'), ["ARC-LINK-BROKEN"]),
    "index to the network": (
        lambda f: edited(f, "INDEX.HTM", "</body>", '<img src="//tracker.invalid/a.png"/></body>'), ["ARC-LINK-OUTSIDE"]),
    "index that leads nowhere": (lambda f: edited(f, "INDEX.HTM", r'<a href="README.TXT">', "<a>"), ["ARC-LINK-README"]),
    "README with an accent": (lambda f: {**f, "README.TXT": "Médecin\r\n".encode()}, ["ARC-README"]),
    "README with other line ends": (
        lambda f: {**f, "README.TXT": f["README.TXT"].replace(b"\r\n", b"\n")}, ["ARC-README"]),
    "name that is not 8.3": (lambda f: {**f, "IHE_XDM/SUBSET01/longer name/": b""}, ["ARC-XDM-NAME"]),
    "README gone": (lambda f: without(f, r"^README"), ["ARC-LINK-BROKEN", "ARC-XDM-ROOT-FILE"]),
}  # fmt: skip


def copy_of(files: Files) -> str:
    return next(n for n in files if "Note de vaccination" in n)


def synthesis(files: Files) -> str:
    return next(n for n in files if n.startswith("PDF/") and "Synth" in n)


@pytest.mark.parametrize(("change", "expected"), CHANGES.values(), ids=CHANGES.keys())
def test_each_change_inside_a_patient_archive_is_told_and_nothing_else(check, patient, change, expected):
    changed = change(patient)
    # The bodies of the generator declare nothing: only the synthesis is PDF/A-1.
    known = set() if expected == ["ARC-PDF-UNDECLARED"] else {"ARC-PDF-UNDECLARED"}
    assert sorted(set(ids(check({"PAT00001.ZIP": zipped(changed)}))) - known) == expected


def test_port_38_copies_that_do_not_declare_pdf_a_are_counted(check, patient):
    def count(files: Files) -> int:
        met = [f for f in check({"PAT00001.ZIP": zipped(files)}).findings if f.id == "ARC-PDF-UNDECLARED"]
        return int(met[0].facts["count"]) if met else 0

    assert count(patient) == 2
    assert (
        count(
            {**patient, synthesis(patient): patient[synthesis(patient)].replace(b"<pdfaid:part>1", b"<pdfaid:part>2")}
        )
        == 3
    )


def test_port_51_two_documents_of_one_day_and_type_need_names_that_tell_which(check, practice, tmp_path):
    """In the larger practice some copies bear the rank of their document; without it, nobody can tell."""
    name = next(n for n in practice.patients if any(re.search(r"_\d{4}\.pdf$", f) for f in practice.inner(n)))
    files = practice.inner(name)
    numbered = next(f for f in files if re.search(r"_\d{4}\.pdf$", f))
    for other, expected in (
        (numbered, []),
        (numbered[:-9] + " bis.pdf", ["ARC-PDF-AMBIGUOUS"]),
        (numbered[:-8] + "9999.pdf", ["ARC-PDF-AMBIGUOUS"]),
    ):
        changed = {other if n == numbered else n: d for n, d in files.items()}
        path = tmp_path / NAME
        path.write_bytes(sealed({**practice.members, name: zipped(changed)}))
        assert [i for i in ids(verify(path)) if i.startswith("ARC-PDF-AM")] == expected


def test_what_did_not_arrive_is_counted_with_its_place(practice):
    report = verify(practice.path)
    lines = Counter(
        d["form"] for n in practice.patients for d in json.loads(practice.inner(n)["DONNEES.JSON"])["documents"]
    )
    orphans = {n: d for n, d in practice.inner("TRANSVERSE.ZIP").items() if "ORPHELIN/" in n}
    gone = {f.id: f.facts["count"] for f in report.elsewhere}
    assert gone == {
        "ARC-GONE-ABSENT": lines["absent"],
        "ARC-GONE-PLAIN": lines["plain"],
        "ARC-GONE-ORPHAN-ROWS": sum(d.count(b"\n") for n, d in orphans.items() if n.endswith(".JSONL")),
        "ARC-GONE-ORPHAN-BODIES": sum(not n.endswith(".JSONL") for n in orphans),
    }
    assert min(gone.values()) > 0, "the practice has one of each"


def test_a_document_that_repeats_another_is_told_by_the_line_that_says_which(check, patient):
    def again(held: dict) -> None:
        held["documents"].append({**held["documents"][0], "document": "copy", "form": "repeated"})

    report = check({"PAT00001.ZIP": zipped(data(patient, again))})
    assert report.problems == []
    assert [(f.id, f.facts) for f in report.elsewhere] == [("ARC-GONE-REPEATED", {"count": 1})]


@pytest.mark.shared
def test_documents_are_checked_against_a_schema_when_one_is_given(check, patient, shared):
    schema = shared / "cisis" / "xsd" / "CDA_extended.xsd"
    report = check({}, schema=schema)
    assert report.problems == []
    assert report.checked["documents against the schema"] == 3
    assert "ARC-NOT-SCHEMA" not in {f.id for f in report.not_checked}
    broken = replaced(patient, patient[SECOND].replace(b"<languageCode", b"<languagecode"))
    assert "ARC-CDA-SCHEMA" in ids(check({"PAT00001.ZIP": zipped(broken)}, schema=schema))
    assert "ARC-CDA-SCHEMA" not in ids(check({"PAT00001.ZIP": zipped(broken)}))


# -- Archives that we did not write -------------------------------------------------------------------------------------------


def foreign(members: Files) -> Files:
    """The same with a manifest of another vendor's namespace."""
    text = members["MANIFEST.XML"].replace(b"urn:transvase:portability:manifest:1", b"urn:other:manifest")
    assert text != members["MANIFEST.XML"]
    return {**members, "MANIFEST.XML": text}


def with_a_library(files: Files, comment: bytes = b"") -> bytes:
    """As any library would write it: folders, deflated archives, a comment."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as target:
        target.comment = comment
        target.writestr("DOCUMENTATION/", b"")
        for name, body in files.items():
            target.writestr(name, body)
    return out.getvalue()


def test_another_vendor_s_archive_may_have_any_container_form(members, tmp_path):
    path = tmp_path / NAME
    path.write_bytes(with_a_library(foreign({**members, "NOTICE.PDF": b"x"}), b"made by another vendor"))
    report = verify(path)
    assert report.problems == []
    assert "ARC-LAYOUT-OTHER" in ids(report)
    assert {"ARC-FORM-OTHER", "ARC-NOT-DIGEST"} <= {f.id for f in report.not_checked}
    assert report.arrived["documents"] == 3
    path.write_bytes(with_a_library({**members, "NOTICE.PDF": b"x"}, b"hidden"))
    assert {"ARC-LAYOUT", "ARC-COMMENT", "ARC-COMPRESSED"} <= set(ids(verify(path))), "ours has one form only"


def test_another_vendor_s_copies_may_follow_another_rule_and_it_says_so(members, patient, check):
    files = renamed(without(patient, "DONNEES"), r"PDF/\d+_", "PDF/copie_")
    report = check(foreign({**members, "PAT00001.ZIP": zipped(files)}))
    assert report.problems == []
    assert [f.facts for f in report.not_checked if f.id == "ARC-NOT-PAIRS"] == [{"count": 3}]
    assert "ARC-GONE-NOT-STATED" in {f.id for f in report.elsewhere}
    less = without(files, "vaccination")
    assert "ARC-PDF-MISSING" in ids(check(foreign({**members, "PAT00001.ZIP": zipped(less)})))


def test_differences_in_what_others_wrote_are_warnings(members, patient, check, alone):
    for change in ("title of the metadata", "creationTime of the metadata"):
        changed = CHANGES[change][0](patient)
        report = check(foreign({**members, "PAT00001.ZIP": zipped(changed)}))
        assert (report.problems, "ARC-META-CARRIED" in ids(report)) == ([], True)
        report = alone(changed)
        assert (report.problems, ids(report)) == ([], ["ARC-META-CARRIED"])


# -- Plain XDM ----------------------------------------------------------------------------------------------------------------

# Official archives with other findings than the link of their CDA to a stylesheet that is elsewhere (sheet xdm-mssante, 1).
DEVIATIONS = {
    "BIO-CR-BIO_2021.01_Auto-Presentable": ([], "it carries its own stylesheet"),
}


def test_the_69_official_archives_are_verified(shared):
    schema = shared / "cisis" / "xsd" / "CDA_extended.xsd"
    seen = {}
    for path in sorted((shared / "xdm-examples").glob("*.zip")):
        before = hashlib.sha256(path.read_bytes()).digest()
        report = verify(path, schema=schema)
        assert report.kind == "xdm"
        assert report.problems == [], path.stem
        assert report.arrived == {"patients": 1, "documents": 1}
        assert report.checked["documents against the schema"] == 1
        assert {f.id for f in report.not_checked} == {"ARC-NOT-ISSUER", "ARC-NOT-MODELS"}
        assert {f.id for f in report.elsewhere} == {"ARC-GONE-NOT-STATED"}
        assert hashlib.sha256(path.read_bytes()).digest() == before
        seen[path.stem] = ids(report)
    assert len(seen) == 69
    assert {n: i for n, i in seen.items() if i != ["ARC-STYLESHEET"]} == {n: i for n, (i, _) in DEVIATIONS.items()}


def test_a_patient_archive_alone_is_a_plain_xdm_archive(alone, patient):
    report = alone(patient)
    assert (report.kind, report.findings) == ("xdm", [])
    assert report.arrived == {"patients": 1, "documents": 3}


PLAIN: dict[str, tuple[Callable[[Files], Files], list[str]]] = {
    "document changed": (lambda f: {**f, SECOND: f[SECOND] + b" "}, ["ARC-XDM-HASH", "ARC-XDM-SIZE"]),
    "document gone": (lambda f: without(f, "DOC0002.XML"), ["ARC-XDM-URI"]),
    "document undescribed": (lambda f: {**f, f"{SUBSET}DOC0009.XML": b"x"}, ["ARC-XDM-UNDESCRIBED"]),
    "metadata gone": (lambda f: without(f, "METADATA"), ["ARC-XDM-NO-METADATA"]),
    "metadata not XML": (lambda f: {**f, METADATA: b"x"}, ["ARC-XDM-METADATA"]),
    "metadata of millions of tags": (lambda f: {**f, METADATA: noise(b"<a/>", 5_000_000)}, ["ARC-XDM-METADATA"]),
    "path going up": (lambda f: {**f, "../a": b"x"}, ["ARC-ZIP-PATH"]),
    "bomb": (lambda f: {**f, "A.TXT": bytes(30_000_000)}, ["ARC-ZIP-RATIO-ALL"]),
    "CDA of millions of tags": (lambda f: replaced(f, noise(b"<a/>", 4_000_001)), ["ARC-CDA-UNREADABLE-OTHER"]),
}


def noise(word: bytes, times: int) -> bytes:
    """Repeated, with enough that changes not to be refused as a bomb."""
    block = word * 500
    return b"".join(b"%b<!--%08x-->" % (block, n * 2654435761 % 2**32) for n in range(times // 500 + 1))


@pytest.mark.parametrize(("change", "expected"), PLAIN.values(), ids=PLAIN.keys())
def test_what_is_wrong_in_a_plain_archive_is_told(alone, patient, change, expected):
    files = change(patient)
    tracemalloc.start()
    report = alone(files)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert ids(report) == expected
    assert peak < 5_000_000 + 3 * max(map(len, files.values()))


def test_a_zip_of_neither_kind_says_so(alone):
    assert ids(alone({"A.TXT": b"x"})) == ["ARC-KIND"]


def test_an_authority_asks_for_a_signature_that_a_plain_archive_cannot_have(patient, tmp_path):
    path = tmp_path / "IHE_XDM.ZIP"
    path.write_bytes(zipped(patient))
    assert ids(verify(path, trusted=())) == ["ARC-SIGN-MISSING"]


@settings(max_examples=80, deadline=None)
@given(drawn=st.data())
def test_a_damaged_plain_archive_is_reported_and_never_raises(patient, tmp_path_factory, drawn):
    raw = bytearray(zipped(patient))
    if drawn.draw(st.booleans()):
        raw = raw[: drawn.draw(st.integers(0, len(raw) - 1))]
    else:
        raw[drawn.draw(st.integers(0, len(raw) - 1))] ^= drawn.draw(st.integers(1, 255))
    path = tmp_path_factory.mktemp("x") / "IHE_XDM.ZIP"
    path.write_bytes(raw)
    report = verify(path)
    for one in (*report.findings, *report.elsewhere, *report.not_checked):
        assert one.sentence("fr") and one.sentence("en")


def test_a_large_document_that_thousands_of_entries_name_is_read_once(alone, patient):
    body = patient[SECOND] + b"<!--" + noise(b" ", 3_000_000).replace(b"-->", b"").replace(b"<!--", b"") + b"-->"
    files = replaced(patient, body)
    text = files[METADATA].decode()
    (entry,) = [
        e
        for e in re.findall(r"<(?:\w+:)?ExtrinsicObject .*?</(?:\w+:)?ExtrinsicObject>", text, re.DOTALL)
        if "DOC0002.XML" in e
    ]
    files[METADATA] = text.replace(entry, entry + "".join(f"{entry[:-1]} >" for _ in range(2000))).encode()
    began = time.process_time()
    assert {"ARC-XDM-SAME-FILE", "ARC-XDM-SAME-ID"} <= set(ids(alone(files)))
    assert time.process_time() - began < 10


def test_metadata_and_manifests_of_millions_of_lines_are_refused_in_little_memory(alone, members, patient, tmp_path):
    start, end = patient[METADATA].split(b"</", 1)
    entries = noise(b"<rim:ExtrinsicObject/>", 300_000)
    lines = noise(b"<Archive/>", 150_000)
    manifest = members["MANIFEST.XML"].replace(b"<Archives>", b"<Archives>" + lines)
    assert manifest != members["MANIFEST.XML"]
    tracemalloc.start()
    assert ids(alone({**patient, METADATA: start + entries + b"</" + end})) == ["ARC-XDM-METADATA"]
    path = tmp_path / NAME
    path.write_bytes(sealed({**members, "MANIFEST.XML": manifest}))
    assert "ARC-MANIFEST" in ids(verify(path))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 150_000_000


def test_many_entries_and_many_findings_take_seconds(patient, tmp_path):
    """Forty thousand copies of no document, as many links, as many damaged entries."""
    files = {**patient, **{f"PDF/20261024_Note_{n:05d}.pdf": b"x" for n in range(40_000)}}
    files["INDEX.HTM"] = b"<a href='A'>" * 40_000
    raw = bytearray(zipped(files))
    for start in [m.start() for m in re.finditer(rb"PK\x01\x02", raw)][20:]:
        struct.pack_into("<I", raw, start + 16, 0)
    path = tmp_path / "IHE_XDM.ZIP"
    path.write_bytes(raw)
    began = time.process_time()
    report = verify(path)
    assert time.process_time() - began < 20
    assert len([f for f in report.findings if f.id == "ARC-ENTRY-DAMAGED"]) > 39_000
    assert [f.facts["count"] for f in report.findings if f.id == "ARC-LINK-BROKEN"] == [40_000]


# -- The catalogue ------------------------------------------------------------------------------------------------------------


def test_the_catalogue_has_both_languages_a_source_and_who_acts():
    assert {f"ARC-ZIP-{k.upper()}" for k in REFUSALS} | {f"ARC-XDM-{k.upper()}" for k in DEFECTS} <= FINDINGS.keys()
    for finding in FINDINGS.values():
        assert re.fullmatch(r"ARC-[A-Z0-9-]+", finding.id)
        assert finding.fr.endswith(".") and finding.en.endswith(".") and finding.source
        assert bool(finding.act_fr) == bool(finding.act), finding.id
        assert finding.act_fr or finding.severity != "block", f"{finding.id}: somebody must act"
        braces = re.compile(r"\{(\w+)\}")
        assert set(braces.findall(finding.fr)) == set(braces.findall(finding.en)), finding.id


@pytest.mark.parametrize("which", FINDINGS)
@pytest.mark.parametrize("language", ["fr", "en"])
def test_every_sentence_can_be_said(which, language):
    finding = FINDINGS[which]
    facts: dict[str, int | str] = dict.fromkeys(re.findall(r"\{(\w+)\}", finding.fr), 2)
    text = Found(which, facts).sentence(language)
    assert not re.search(r"[\[\]{}|]", text)
    assert text[0] == text[0].upper()


@pytest.mark.parametrize(
    ("count", "language", "text"),
    [
        (1, "fr", "PAT00001.ZIP : 1 copie lisible ne se déclare pas PDF/A-1."),
        (2, "fr", "PAT00001.ZIP : 2 copies lisibles ne se déclarent pas PDF/A-1."),
        (0, "fr", "PAT00001.ZIP : 0 copie lisible ne se déclare pas PDF/A-1."),
        (1, "en", "PAT00001.ZIP: 1 readable copy does not declare itself PDF/A-1."),
        (2, "en", "PAT00001.ZIP: 2 readable copies do not declare themselves PDF/A-1."),
        (0, "en", "PAT00001.ZIP: 0 readable copies do not declare themselves PDF/A-1."),
    ],
)
def test_counts_agree_with_their_nouns(count, language, text):
    assert found("ARC-PDF-UNDECLARED", "PAT00001.ZIP", count=count).sentence(language) == text


def test_a_finding_that_the_catalogue_does_not_have_cannot_be_met():
    with pytest.raises(KeyError):
        found("ARC-UNKNOWN")


# -- The command --------------------------------------------------------------------------------------------------------------


def command(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "transvase.commands.main", "verify", *map(str, arguments)],
        capture_output=True, text=True, timeout=120,
    )  # fmt: skip


def test_the_report_is_told_in_order_in_one_language_and_nothing_is_written(practice, tmp_path):
    before = {p: p.stat().st_mtime_ns for p in practice.path.parent.iterdir()}
    for language, titles, words, others in (
        ("fr", ("Arrivé :", "Pas arrivé, et où c'est :", "Non vérifié :", "Constats bloquants : rien", "Avertissements :", "Reste à faire :"),
         "archives de patients", r"\b(the|is|not|nothing|archive cannot)\b"),
        ("en", ("Arrived:", "Did not arrive, and where it is:", "Not checked:", "Findings that block: nothing", "Warnings:", "Remains to be done:"),
         "patient archives", r"\b(le|la|les|est|pas|rien|dans)\b"),
    ):  # fmt: skip
        done = command(practice.path, "--lang", language)
        assert done.returncode == 0
        verdict, *rest = done.stdout.splitlines()
        assert verdict.startswith(practice.path.name)
        assert next(line for line in rest if not line.startswith("  ")).startswith(titles[0])
        places = [done.stdout.index(f"\n{t}") for t in titles]
        assert places == sorted(places)
        assert f"{practice.facts['patients']} {words}" in done.stdout
        assert not re.search(others, re.sub(r"ARC-[A-Z-]+|IHE_XDM\S*", "", done.stdout))
    assert {p: p.stat().st_mtime_ns for p in practice.path.parent.iterdir()} == before


def test_one_and_several_blocking_findings_are_said_rightly(members, patient, tmp_path):
    path = tmp_path / NAME
    for change, verdict, error in (
        (lambda f: without(f, "DONNEES"), "1 constat bloquant,", "(anomalies : 1)"),
        (lambda f: without(f, "DONNEES|PDF/.*vaccination"), "2 constats bloquants,", "(anomalies : 2)"),
    ):
        path.write_bytes(sealed({**members, "PAT00001.ZIP": zipped(change(patient))}))
        done = command(path)
        assert done.returncode == 40
        assert verdict in done.stdout and error in done.stderr


def test_json_has_the_same_report_with_identifiers(practice, patient, members, tmp_path):
    path = tmp_path / NAME
    path.write_bytes(sealed({**members, "PAT00001.ZIP": zipped(without(patient, "DONNEES"))}))
    done = command(path, "--json")
    assert done.returncode == 40
    told = json.loads(done.stdout)
    assert list(told) == [
        "archive",
        "kind",
        "verdict",
        "arrived",
        "elsewhere",
        "unchecked",
        "findings",
        "remaining",
        "checked",
    ]
    first = told["findings"][0]
    assert first == {
        "id": "ARC-DATA-MISSING",
        "severity": "block",
        "facts": {"archive": "PAT00001.ZIP"},
        "sentence": "PAT00001.ZIP : DONNEES.JSON manque.",
        "source": FINDINGS["ARC-DATA-MISSING"].source,
    }
    acting = {i for r in told["remaining"] for i in r["findings"]}
    met = {f["id"] for part in ("findings", "elsewhere", "unchecked") for f in told[part]}
    assert acting == {i for i in met if FINDINGS[i].act}
    assert told["verdict"] == "blocked"
    assert json.loads(command(practice.path, "--json").stdout)["verdict"] == "nothing blocks"


def test_a_schema_that_is_none_is_a_bad_call(small, tmp_path):
    (tmp_path / "bad.xsd").write_text("<a/>")
    for bad in (tmp_path / "bad.xsd", tmp_path / "none.xsd"):
        done = command(small.path, "--schema", bad)
        assert (done.returncode, done.stdout) == (2, "")
        assert "--schema" in done.stderr


def test_nothing_of_a_patient_is_told_whatever_is_wrong(check, patient):
    person = json.loads(patient["DONNEES.JSON"])["patient"]
    values = {v for k, v in person.items() if k in ("birth_family", "birth_given", "ins", "key", "birth_date") and v}
    assert len(values) > 2
    for change, _ in [*CHANGES.values(), *list(PLAIN.values())[:4]]:
        report = check({"PAT00001.ZIP": zipped(change(patient))})
        told = " ".join(
            f.sentence(x) + repr(f.facts) for f in (*report.findings, *report.not_checked) for x in ("fr", "en")
        )
        assert not any(v in told for v in values)
