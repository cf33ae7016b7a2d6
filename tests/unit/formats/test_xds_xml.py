"""The ebRIM request: what is written can be read, points at itself, and holds nothing XML forbids."""

from __future__ import annotations

import contextlib
import re
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from transvase.formats import xds, xds_xml
from transvase.formats.cda import Coded
from transvase.formats.xds import Author, DocumentEntry, SubmissionSet
from transvase.formats.xds_metadata import entry_uuid

RIM = f"{{{xds_xml.RIM}}}"

# Any text XML 1.0 admits. Slot values are read without the spaces around them, which carry no meaning in XDS.
anything = st.text(
    st.characters(exclude_categories=("Cs", "Cc"), exclude_characters="\ufffe\uffff")
    | st.sampled_from("\t\n\r&<>\"'^|")
)
slot_value = anything.map(str.strip).filter(bool)
slot_values = st.lists(slot_value, max_size=3).map(tuple)
coded = st.builds(Coded, slot_value, slot_value, anything)
maybe_coded = coded | st.just(Coded())
authors = st.lists(st.builds(Author, slot_value | st.just(""), slot_values, slot_values, slot_values), max_size=3).map(
    tuple
)
oid = st.lists(st.integers(0, 10**9), min_size=3, max_size=6).map(lambda arcs: "1.2." + ".".join(map(str, arcs)))
text_or_none = slot_value | st.just("")


@st.composite
def entry(draw):
    unique_id = draw(oid)
    values = {
        name: draw(text_or_none)
        for name in (
            "repository_unique_id",
            "mime_type",
            "uri",
            "creation_time",
            "service_start_time",
            "service_stop_time",
            "language",
            "legal_authenticator",
            "source_patient_id",
            "action",
            "original_file_name",
            "replaces",
        )
    }
    return DocumentEntry(
        unique_id=unique_id,
        entry_uuid=entry_uuid(unique_id),
        logical_id=draw(st.just("") | st.just(entry_uuid(unique_id))),
        status=draw(st.sampled_from([xds.APPROVED, "urn:asip:ci-sis:2010:StatusType:Archived"])),
        sha1=draw(st.binary(min_size=20, max_size=20)).hex().upper(),
        size=draw(st.integers(0, 10**9)),
        title=draw(anything),
        comments=draw(anything),
        patient_id=draw(anything),
        source_patient_info=draw(slot_values),
        authors=draw(authors),
        class_code=draw(maybe_coded),
        type_code=draw(maybe_coded),
        format_code=draw(maybe_coded),
        facility=draw(maybe_coded),
        practice_setting=draw(maybe_coded),
        confidentiality=draw(st.lists(coded, max_size=4).map(tuple)),
        event_codes=draw(st.lists(coded, max_size=4).map(tuple)),
        reference_ids=draw(slot_values),
        **values,
    )


@st.composite
def submission(draw):
    unique_id = draw(oid)
    return SubmissionSet(
        unique_id=unique_id,
        source_id=draw(oid),
        patient_id=draw(anything),
        time=draw(text_or_none),
        authors=draw(authors),
        content_type=draw(maybe_coded),
        title=draw(anything),
        comments=draw(anything),
        entry_uuid=entry_uuid(unique_id),
    )


entries = st.lists(entry(), max_size=3, unique_by=lambda e: e.unique_id)


@given(submission(), entries)
@settings(max_examples=100, deadline=None)
def test_what_an_archive_says_is_read_back(of, documents):
    read = xds_xml.read_metadata(xds_xml.submit_objects_request(of, documents, for_xdm=True).encode())
    assert read.submission == of
    assert read.entries == documents


@pytest.mark.requirement("DMP-31", "DMP-37")
@given(submission(), entries)
@settings(max_examples=100, deadline=None)
def test_what_a_provide_and_register_says_is_read_back(of, documents):
    """Symbolic ids, and nothing of what only an archive or the registry gives."""
    read = xds_xml.read_metadata(xds_xml.submit_objects_request(of, documents, for_xdm=False).encode())
    assert read.submission == of._replace(entry_uuid="SubmissionSet01", status="")
    archive_only = dict.fromkeys(
        ("logical_id", "status", "uri", "repository_unique_id", "action", "original_file_name"), ""
    )
    assert read.entries == [
        e._replace(entry_uuid=f"Document{n:02d}", **archive_only) for n, e in enumerate(documents, 1)
    ]


A = DocumentEntry(
    "1.2.3.1",
    entry_uuid("1.2.3.1"),
    logical_id=entry_uuid("1.2.3.1"),
    sha1="AB" * 20,
    size=9,
    uri="DOC0001.XML",
    repository_unique_id="1.2.7",
    authors=(Author("8^A^B^^^^^^&1.2.250.1.71.4.2.1&ISO^D^^^IDNPS", ("S",), ("R",), ("X",)),) * 2,
    class_code=Coded("10", "1.2", "Compte rendu"),
    type_code=Coded("11488-4", "1.3", "CR"),
    format_code=Coded("f", "1.4", "F"),
    facility=Coded("SA07", "1.5", "Cabinet"),
    practice_setting=Coded("AMBULATOIRE", "1.6", "Ambulatoire"),
    confidentiality=(Coded("N", "1.7", "Normal"), Coded("MASQUE_PS", "1.8", "Masqué")),
    event_codes=(Coded("CS", "1.9", "Consultation"),),
    patient_id="279035121518989^^^&1.2.250.1.213.1.4.10&ISO^NH",
    title="Titre",
    comments="Remarque",
    original_file_name='lettre "1" & <2>.pdf',
)
B = A._replace(
    unique_id="1.2.3.2", entry_uuid=entry_uuid("1.2.3.2"), replaces="urn:uuid:00000000-0000-4000-8000-000000000001"
)
SET = SubmissionSet(
    "1.2.4", "1.2.5", A.patient_id, "20260101000000", A.authors, A.facility, "Titre", entry_uuid=entry_uuid("1.2.4")
)


def tree(for_xdm, **facts):
    return etree.fromstring(xds_xml.submit_objects_request(SET, [A, B], for_xdm=for_xdm, **facts))


@pytest.mark.requirement("XDM-10")
@pytest.mark.parametrize("for_xdm", [True, False])
def test_every_part_names_the_object_that_holds_it(for_xdm):
    """The official samples point classifications of the document at the submission set, and identifiers at a constant."""
    parts = 0
    for owner in tree(for_xdm).iter(f"{RIM}ExtrinsicObject", f"{RIM}RegistryPackage"):
        for part in owner.iter(f"{RIM}Classification", f"{RIM}ExternalIdentifier"):
            assert part.get("classifiedObject", part.get("registryObject")) == owner.get("id")
            parts += 1
    assert parts == 2 * 12 + 7


@pytest.mark.parametrize("for_xdm", [True, False])
def test_ids_are_unique_and_the_same_each_time(for_xdm):
    ids = [e.get("id") for e in tree(for_xdm).iter() if e.get("id")]
    assert len(ids) == len(set(ids))
    assert ids == [e.get("id") for e in tree(for_xdm).iter() if e.get("id")]


@pytest.mark.requirement("XDM-05")
def test_ids_of_an_archive_are_uuids_and_those_of_a_submission_symbols():
    uuid = re.compile(r"urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-5[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
    assert all(uuid.fullmatch(e.get("id")) for e in tree(True).iter() if e.get("id"))
    objects = [e.get("id") for e in tree(False).iter(f"{RIM}RegistryPackage", f"{RIM}ExtrinsicObject")]
    assert objects == ["SubmissionSet01", "Document01", "Document02"]


def test_children_stand_in_the_order_of_the_ebrim_schema():
    order = ["Slot", "Name", "Description", "VersionInfo", "Classification", "ExternalIdentifier"]
    for owner in tree(True).iter(f"{RIM}ExtrinsicObject", f"{RIM}RegistryPackage"):
        ranks = [order.index(etree.QName(child).localname) for child in owner]
        assert ranks == sorted(ranks)


@pytest.mark.requirement("XDM-05")
def test_what_only_an_archive_holds():
    slots = {s.get("name") for s in tree(True).iter(f"{RIM}Slot")} - {
        s.get("name") for s in tree(False).iter(f"{RIM}Slot")
    }
    assert slots == {"URI", "repositoryUniqueId", "urn:transvase:originalFileName"}
    for for_xdm in (True, False):
        for owner in tree(for_xdm).iter(f"{RIM}ExtrinsicObject"):
            assert ("lid" in owner.attrib, "status" in owner.attrib) == (for_xdm, for_xdm)
        assert {"hash", "size"} <= {s.get("name") for s in tree(for_xdm).iter(f"{RIM}Slot")}


@pytest.mark.requirement("DMP-41", "DMP-45")
@pytest.mark.parametrize("for_xdm", [True, False])
def test_associations(for_xdm):
    read = xds_xml.read_metadata(etree.tostring(tree(for_xdm)))
    of, (first, second) = read.submission.entry_uuid, (e.entry_uuid for e in read.entries)
    assert [(a.kind, a.source, a.target) for a in read.associations] == [
        (xds.HAS_MEMBER, of, first),
        (xds.HAS_MEMBER, of, second),
        (xds.REPLACES, second, B.replaces),
    ]
    assert {a.status for a in read.associations} == {"Original"}


@pytest.mark.requirement("DMP-41")
def test_a_signature_is_a_member_and_signs_the_set():
    signature = DocumentEntry("1.2.3.9", entry_uuid("1.2.3.9"), title="Source")
    read = xds_xml.read_metadata(etree.tostring(tree(False, signature=signature)))
    assert read.entries[-1].entry_uuid == "Signature01"
    assert [(a.kind, a.source, a.target) for a in read.associations][-2:] == [
        (xds.HAS_MEMBER, "SubmissionSet01", "Signature01"),
        (xds.SIGNS, "Signature01", "SubmissionSet01"),
    ]


ESCAPES = [
    ("&", "&amp;", "&amp;"),
    ("<", "&lt;", "&lt;"),
    (">", "&gt;", "&gt;"),
    ('"', "&quot;", '"'),
    ("\t", "&#9;", "\t"),
    ("\n", "&#10;", "\n"),
    ("\r", "&#13;", "&#13;"),
    ("é", "é", "é"),
    ("'", "'", "'"),
]


@pytest.mark.parametrize(("character", "in_attribute", "in_text"), ESCAPES, ids=[ascii(e[0]) for e in ESCAPES])
def test_escapes(character, in_attribute, in_text):
    written = xds_xml.submit_objects_request(
        SET, [A._replace(title=f"a{character}b", original_file_name=f"c{character}d")], for_xdm=True
    )
    assert f'value="a{in_attribute}b"' in written
    assert f"<rim:Value>c{in_text}d</rim:Value>" in written


FORBIDDEN = [chr(c) for c in range(32) if chr(c) not in "\t\n\r"] + ["\ud800", "\udfff", "\ufffe", "\uffff"]


@pytest.mark.parametrize("character", FORBIDDEN, ids=ascii)
@pytest.mark.parametrize("field", ["title", "original_file_name"])
def test_a_character_that_xml_forbids_is_refused_by_reference(character, field):
    with pytest.raises(xds_xml.MetadataUnwritable) as caught:
        xds_xml.submit_objects_request(SET, [A, B._replace(**{field: f"DURAND{character}"})], for_xdm=True)
    assert "1.2.3.2" in str(caught.value)
    assert f"U+{ord(character):04X}" in str(caught.value)
    assert "DURAND" not in str(caught.value)


def test_a_forbidden_character_of_the_submission_is_refused_too():
    with pytest.raises(xds_xml.MetadataUnwritable, match=r"1\.2\.4"):
        xds_xml.submit_objects_request(SET._replace(title="\x00"), [A], for_xdm=False)


WRITTEN = xds_xml.submit_objects_request(SET, [A, B], for_xdm=True)

NOT_METADATA = {
    "empty": b"",
    "not XML": b"DURAND",
    "DOCTYPE": b"<!DOCTYPE x>" + WRITTEN.encode(),
    "entity": b'<!DOCTYPE x [<!ENTITY e "DURAND">]>' + WRITTEN.encode(),
    "truncated": WRITTEN.encode()[:-40],
    "another XML": b"<html>DURAND</html>",
    "no submission set": WRITTEN.replace("a54d6aa5", "a54d6aa6").encode(),
    "two submission sets": re.sub(
        r"(<rim:RegistryPackage.*?</rim:RegistryPackage>)",
        lambda m: m[0] + m[0].replace(SET.entry_uuid, "urn:uuid:x"),
        WRITTEN,
    ).encode(),
}


@pytest.mark.parametrize("data", NOT_METADATA.values(), ids=NOT_METADATA.keys())
def test_what_is_not_the_metadata_of_one_submission_is_refused(data):
    with pytest.raises(xds_xml.MetadataUnreadable) as caught:
        xds_xml.read_metadata(data)
    assert "DURAND" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_reading_is_lenient():
    """Other prefixes, pretty printing, lower-case hash, a wrong label, parts in another order, a size that is no number."""
    odd = WRITTEN.replace("<rim:", "<ns2:").replace("</rim:", "</ns2:").replace("xmlns:rim", "xmlns:ns2")
    odd = odd.replace("<ns2:Value>", "<ns2:Value>\n   ")
    odd = odd.replace("XDSSubmissionSet.sourceId", "XDSSumissionSet.sourceId").replace("AB" * 20, "ab" * 20)
    assert xds_xml.read_metadata(odd.encode()) == xds_xml.read_metadata(WRITTEN.encode())
    (first, _) = xds_xml.read_metadata(WRITTEN.replace("<rim:Value>9<", "<rim:Value>neuf<").encode()).entries
    assert first.size == -1


@given(st.data())
@settings(max_examples=200, deadline=None)
def test_damaged_metadata_are_read_or_refused_and_nothing_else(data):
    damaged = bytearray(WRITTEN.encode())
    for _ in range(data.draw(st.integers(1, 3))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] ^= data.draw(st.integers(1, 255))
    with contextlib.suppress(xds_xml.MetadataUnreadable):
        xds_xml.read_metadata(bytes(damaged))


def test_writing_an_entry_costs_no_tree():
    """A ratio, so that it holds on any machine: an entry is written well before lxml has parsed what was written."""
    documents = [A._replace(unique_id=f"1.2.3.{n}", entry_uuid=entry_uuid(f"1.2.3.{n}")) for n in range(50)]
    written = xds_xml.submit_objects_request(SET, documents, for_xdm=True).encode()

    def best(work):
        times = []
        for _ in range(7):
            start = time.perf_counter()
            work()
            times.append(time.perf_counter() - start)
        return min(times)

    def build_tree():
        for node in etree.fromstring(written).iter():
            etree.SubElement(etree.Element("copy"), node.tag, node.attrib)

    assert best(lambda: xds_xml.submit_objects_request(SET, documents, for_xdm=True)) < best(build_tree)
