"""A level-1 document is written so that its canonical form is known without parsing it, and its patient read without a tree: whatever the
values, both are what libxml2 gives, or are declined."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from transvase.assets.signing import SAMPLED, Signer
from transvase.exporters import set_signature
from transvase.exporters.cda import header, level1
from transvase.formats import cda, cda_pieces, structure_seal
from transvase.formats.xds import DocumentEntry

OID = "2.999.1.1"
PDF = b"%PDF-1.4\n" + bytes(range(256))
# Markup, what canonical forms write otherwise, bidi and private characters, and anything at all.
TEXT = st.text("aé<>&\"'/=\t\n\r \x00\u2028\u202e\ue000\ufffe\U0001f600", max_size=8) | st.text(max_size=8)
MAYBE = st.none() | TEXT
PRACTITIONER = st.fixed_dictionaries(
    {
        "key": TEXT,
        "idnat": MAYBE,
        "specialty": st.sampled_from([None, "G15_10/SM26", "unknown"]),
        "active": st.just(True),
    }
    | dict.fromkeys(("prefix", "given", "suffix"), MAYBE)
    | {"family": TEXT}
)
PRACTICE = st.fixed_dictionaries(
    {"key": TEXT, "name": TEXT, "facility_type": st.sampled_from(["SA07", None]), "practice_setting": st.none()}
    | dict.fromkeys(("struct_idnat", "phone", "address", "postal_code", "city"), MAYBE)
)
PATIENT = st.fixed_dictionaries(
    {"key": TEXT, "ins": TEXT, "ins_oid": TEXT, "birth_family": TEXT, "sex": st.sampled_from(["F", "M", None, "<"])}
    | {"birth_date": st.sampled_from(["1950-02-28", "1950", None])}
    | dict.fromkeys(
        (
            "phone", "mobile", "email", "address", "postal_code", "city", "country", "birth_first_given", "birth_given",
            "used_family", "used_given", "birth_place_code", "birth_place",
        ),
        MAYBE,
    )
)  # fmt: skip


def document(patient, practitioner, practice, title, *, qualified=True, replaces="", end=""):
    """Its bytes, of rows given as dictionaries."""
    row = SimpleNamespace(**practice)
    by = header.signatory(SimpleNamespace(**practitioner), OID)
    heading = header.Heading(
        level1.TEMPLATES, "2.999.1", "2.999.2", 1, replaces, "11488-4", title, "20261123200000+0100", "20261123", end
    )
    target = header.record_target(SimpleNamespace(**patient), OID, qualified)
    text = header.document(heading, target, by, by, header.structure(row), level1.BODY)
    return level1.filled(text, PDF)


def plain(value: object) -> bool:
    """A value that stands in the document as it is, or escaped as the canonical form does."""
    return not isinstance(value, str) or not any(c < " " or c == ">" for c in value)


@settings(max_examples=400, deadline=None)
@given(
    PATIENT,
    PRACTITIONER,
    PRACTICE,
    TEXT,
    st.booleans(),
    st.sampled_from(["", "2.999.3"]),
    st.sampled_from(["", "20261124"]),
)
def test_any_values_give_the_canonical_form_of_the_parser(
    patient, practitioner, practice, title, qualified, replaces, end
):
    data = document(patient, practitioner, practice, title, qualified=qualified, replaces=replaces, end=end)
    found = level1.canonical(data)
    if found is None:
        assert not all(map(plain, (*patient.values(), *practitioner.values(), *practice.values(), title)))
    else:
        assert b"".join(found) == structure_seal.canonical(data, with_comments=True)
    for digest in ("sha1", "sha256"):
        assert set_signature.reference("1", data, digest, written=True) == set_signature.reference("1", data, digest)


@settings(max_examples=400, deadline=None)
@given(PATIENT, st.booleans())
def test_any_patient_is_read_as_the_parser_reads_them(patient, qualified):
    data = document(patient, ORDINARY["practitioner"], ORDINARY["practice"], "Compte rendu", qualified=qualified)
    found = cda_pieces.written(data)
    assert found is None or found == cda.header(cda.parse(data))


ORDINARY = {
    "patient": {
        "key": "12", "ins": "180017599000193", "ins_oid": "1.2.250.1.213.1.4.10", "birth_family": "DÜPONT-L'HÔTE",
        "sex": "F", "birth_date": "1980-01-31", "phone": "01 23 45 67 89", "mobile": "0612345678", "email": "a@b.fr",
        "address": "1 rue du Bac", "postal_code": "75007", "city": "Paris", "country": None, "birth_first_given": None,
        "birth_given": "MARIE ANNE", "used_family": "MARTIN", "used_given": "ANNE", "birth_place_code": "75107", "birth_place": "Paris",
    },
    "practitioner": {
        "key": "1", "idnat": "899700991005", "specialty": "G15_10/SM26", "active": True, "prefix": "DR", "given": "Claire",
        "family": "VAUTRIN", "suffix": None,
    },
    "practice": {
        "key": "1", "name": "Cabinet & Fils", "facility_type": "SA07", "practice_setting": None, "struct_idnat": "1990000713",
        "phone": "03", "address": "2 quai", "postal_code": "57000", "city": "Metz",
    },
    "title": "Lettre \"urgente\" d'adressage",
}  # fmt: skip


def test_an_ordinary_document_goes_the_short_way():
    data = document(**ORDINARY)
    assert level1.canonical(data) is not None
    assert cda_pieces._TARGET.fullmatch(data.decode().partition("<recordTarget>")[2].partition("</recordTarget>")[0])


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"<a/>",
        b'<?xml version="1.0" encoding="UTF-8"?>\n<a/>',
        b'<?xml version="1.0" encoding="UTF-8"?>\n<a x="&gt;"><t representation="B64">QUJD</t></a>\n',
        b'<?xml version="1.0" encoding="UTF-8"?>\n<a>&#13;<t representation="B64">QUJD</t></a>\n',
        b'<?xml version="1.0"?>\n<a><t representation="B64">QUJD</t></a>\n',
    ],
)
def test_other_bytes_are_declined(data):
    assert level1.canonical(data) is None


def test_a_writer_that_breaks_its_promise_is_found_out():
    """One document in so many has its digest taken from the parser too, the first of a run among them; then all have."""
    good, entry = document(**ORDINARY), DocumentEntry("1")
    code = b' codeSystem="2.16.840.1.113883.5.25"'
    label = b' displayName="Normal"'
    bad = good.replace(code + label, label + code)
    right = {data: set_signature.reference("1", data, "sha256") for data in (good, bad)}
    assert set_signature.reference("1", bad, "sha256", written=True) != right[bad]
    for first in (0, SAMPLED):
        signer = Signer.__new__(Signer)
        signer.proofs, signer.written, signer.trusted = SimpleNamespace(signature_digest="sha256"), 0, True
        for _ in range(first):
            assert signer.reference(entry, good, written=True) == right[good]
        for _ in range(SAMPLED):
            assert signer.reference(entry, bad, written=True) == right[bad]
        assert not signer.trusted
    # What was not made here promises nothing.
    assert signer.reference(entry, bad, written=False) == right[bad]


@pytest.mark.parametrize("identifier", ["a/>b", 'x"y', "1.2&3", "1<2"])
def test_an_identifier_that_is_no_oid_breaks_nothing(identifier):
    """A CDA of the record may bear anything as its id."""
    heading = header.Heading(
        level1.TEMPLATES, identifier, identifier, 2, identifier, "11488-4", "T", "20261123", "20261123", ""
    )
    by = header.signatory(SimpleNamespace(**ORDINARY["practitioner"]), OID)
    target = header.record_target(SimpleNamespace(**ORDINARY["patient"]), OID, True)
    text = header.document(
        heading, target, by, by, header.structure(SimpleNamespace(**ORDINARY["practice"])), level1.BODY
    )
    data = level1.filled(text, PDF)
    found = cda.header(cda.parse(data))
    assert (found.id.root, found.set_id.root, found.replaces.root) == (identifier,) * 3
    assert set_signature.reference("1", data, "sha256", written=True) == set_signature.reference("1", data, "sha256")
