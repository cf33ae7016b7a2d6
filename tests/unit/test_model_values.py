"""Small values of the model: slots and lots, derived identifiers, wire forms of time, file names, escaping."""

from __future__ import annotations

import itertools
import re
import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from transvase.exporters.cda import level1
from transvase.formats import ascii_text, xml_text
from transvase.model import identifiers
from transvase.model.clock import hl7, parse, utc14
from transvase.model.slot import BUCKETS, SLOTS, SLOTS_PER_BUCKET, lots, slot


@given(
    st.lists(st.tuples(st.integers(0, SLOTS - 1), st.integers(1, 400)), max_size=60, unique_by=lambda p: p[0]),
    st.integers(1, 500),
)
def test_lots_cover_every_patient_once_in_order(pairs: list[tuple[int, int]], most: int) -> None:
    ordered = sorted(pairs)
    found = list(lots(ordered, most))
    assert sum(lot.patients for lot in found) == sum(n for _, n in ordered)
    assert [lot.number for lot in found] == [1 + sum(x.patients for x in found[:i]) for i in range(len(found))]
    assert all(a.last < b.first for a, b in itertools.pairwise(found))
    # A lot goes beyond the limit only when one slot alone does.
    assert all(lot.patients <= most or lot.first == lot.last for lot in found)


@given(st.text(max_size=40))
def test_a_slot_is_stable_and_has_a_bucket(patient: str) -> None:
    assert slot(patient) == slot(patient)
    assert 0 <= slot(patient) // SLOTS_PER_BUCKET < BUCKETS


def test_slots_never_move() -> None:
    """The slot of a key is part of what finished work stands on: a change here would orphan it."""
    assert [slot(k) for k in ("1", "42", "PAT-0001", "é")] == [4023, 136, 2254, 3390]


@given(st.text(min_size=1, max_size=60), st.integers(1, 99))
def test_derived_identifiers_are_legal_and_distinct_by_version(key: str, version: int) -> None:
    oid = identifiers.unique_id("1.2.250.1.999.1.1", key, version)
    assert identifiers.is_oid(oid)
    assert oid.rpartition(".")[0] == identifiers.set_id("1.2.250.1.999.1.1", key)


@pytest.mark.parametrize(
    ("value", "legal"),
    [
        ("1.2.250.1.213", True),
        ("2.999", True),
        ("1.02.3", False),
        ("1.2.", False),
        ("3.1", False),
        ("", False),
        (None, False),
        ("1.2A.3", False),
        ("1." + "1" * 70, False),
    ],
)
def test_what_is_an_oid(value: str | None, legal: bool) -> None:
    assert identifiers.is_oid(value) is legal


@pytest.mark.parametrize(
    ("value", "wire"),
    [
        pytest.param("2026-01-02T10:15:00", "20260102101500+0100", id="winter time"),
        pytest.param("2026-07-02T10:15:00", "20260702101500+0200", id="summer time"),
        pytest.param("2026-01-02", "20260102", id="day"),
        pytest.param("2026-01", "202601", id="month"),
        pytest.param("2026", "2026", id="year"),
        pytest.param("2026-02-31", "", id="day that does not exist"),
        pytest.param("2026-13", "", id="month that does not exist"),
        pytest.param("31/02/2026", "", id="as typed"),
        pytest.param("1900-05-06T10:00:00", "19000506", id="before 1911 the offset had seconds"),
        pytest.param("", "", id="empty"),
        pytest.param(None, "", id="absent"),
    ],
)
def test_hl7_time_keeps_its_precision(value: str | None, wire: str) -> None:
    assert hl7(value) == wire


def test_xds_time_is_utc() -> None:
    moment = parse("2026-07-02T00:30:00")
    assert moment is not None
    assert utc14(moment) == "20260701223000"


@given(st.text(max_size=80) | st.text(st.sampled_from("&<>\"'\t\n\r\x01\ud800\ufffeé a")))
def test_any_text_survives_xml_but_for_what_xml_forbids(value: str) -> None:
    written = f'<a b="{xml_text.attribute(value)}">{xml_text.text(value)}</a>'
    root = etree.fromstring(
        written.encode("utf-8", "surrogatepass") if not re.search("[\ud800-\udfff]", written) else b""
    )
    kept = re.sub("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]", "\ufffd", value)
    assert root.get("b") == kept
    assert (root.text or "") == kept


@given(st.text(max_size=60), st.binary(min_size=1, max_size=200))
def test_a_pdf_is_found_again_in_its_level_1_body(title: str, pdf: bytes) -> None:
    import base64

    data = level1.filled(f"<d><title>{xml_text.text(title)}</title>{level1.BODY}</d>", pdf)
    root = etree.fromstring(data)
    assert base64.b64decode(root.findtext(".//text") or "") == pdf


@given(st.text(max_size=80))
def test_file_name_parts_suit_every_file_system(value: str) -> None:
    part = ascii_text.file_part(value)
    assert part
    assert not re.search(r'[\x00-\x1f<>:"/\\|?*]', part)
    assert len(part) <= 40
    assert not part.endswith((" ", "."))


@given(st.lists(st.text(max_size=40).filter(lambda t: "\n" not in t and "\r" not in t), max_size=5))
def test_readme_is_seven_bit_with_crlf(lines: list[str]) -> None:
    data = ascii_text.readme(lines)
    assert data.isascii()
    assert data.count(b"\r\n") == len(lines)


def test_accents_are_dropped_not_questioned() -> None:
    assert ascii_text.transliterate("Œuvre d'Hélène à Noël, 20 €") == "OEuvre d'Helene a Noel, 20 EUR"


@pytest.mark.parametrize("length", [11, 27, 28, 44, 60, 64])
def test_identifiers_are_legal_whatever_the_length_of_the_practice_oid(length):
    """XDS holds 64 characters: under a long OID the identifier is the UUID of its arcs, as stable as they are."""
    oid = "2.999." + "1" * (length - 6)
    made = [
        identifiers.unique_id(oid, "d1", 1),
        identifiers.unique_id(oid, "d1", 2),
        identifiers.unique_id(oid, "d2", 1),
        identifiers.set_id(oid, "d1"),
        identifiers.unique_id(oid + "2", "d1", 1),
        identifiers.under(oid, 7, 2**63 - 1, "20261123200000"),
    ]
    assert all(identifiers.is_oid(m) for m in made) and len(set(made)) == len(made)
    assert made[0] == identifiers.unique_id(oid, "d1", 1)
    assert made[5].startswith(oid if length <= 27 else "2.25.")


@given(st.text(), st.uuids())
def test_a_derived_uuid_is_that_of_the_standard_library(name: str, namespace: uuid.UUID) -> None:
    assert identifiers.uuid5(namespace, name) == str(uuid.uuid5(namespace, name))
