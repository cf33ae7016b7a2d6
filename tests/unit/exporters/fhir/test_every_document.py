"""What holds for any record whatever: R4 by an independent parser, references that resolve, the same bytes twice, no row lost."""

from __future__ import annotations

import re
import uuid
from datetime import datetime
from decimal import Decimal
from typing import Any
from xml.etree import ElementTree

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from transvase.exporters.fhir.bundle import document_bundle
from transvase.model.record import ROW
from transvase.model.table import Column, Kind
from transvase.model.tables import TABLES

CLINICAL = ("problem", "allergy", "treatment", "immunization", "lab_result", "vital_sign", "risk_factor")
KEYS = [str(n) for n in range(6)]
LABELS = [
    "Pénicilline",
    "Aucune allergie connue",
    "Allergies",
    "<script>&",
    "  ",
    "a\x00b\x1f",
    "deux\nlignes",
    "é\u2028\ufffe",
    "Tabac",
]
DATES = [
    "2019",
    "2019-03",
    "2019-03-28",
    "2019-02-31",
    "2019-13",
    "0000",
    "20190328",
    "2019-W03-1",
    "demain",
    "1900-01-01",
]
INSTANTS = [
    "2019-03-28T09:30:00",
    "2019-03-31T02:30:00",
    "2019-10-27T02:30:00",
    "1905-06-01T12:00:00",
    "2019-03-28T25:00:00",
]
NUMBERS = ["1.10", "007.5", "-0.50", "0", "123456789.123456789", "1,5", "NaN", "1e3", "١"]
SYSTEMS = ["2.16.840.1.113883.6.1", "2.16.840.1.113883.6.3", "https://exemple.fr/codes", "maison"]
SIGNS = ["29463-7", "3141-9", "8480-6", "8462-4", "8867-4", "59408-5", "x y", "\t"]


def cell(column: Column) -> st.SearchStrategy[Any]:
    """Any value that a column may hold, hostile ones included; only closed lists are respected."""
    kinds: dict[Kind, st.SearchStrategy[Any]] = {
        Kind.TEXT: st.sampled_from(LABELS) | st.text(max_size=12),
        Kind.DATE: st.sampled_from(DATES),
        Kind.INSTANT: st.sampled_from(DATES + INSTANTS),
        Kind.INTEGER: st.integers(-2, 5),
        Kind.FLAG: st.booleans(),
        Kind.DECIMAL: st.sampled_from(NUMBERS),
    }
    if column.values:
        values: st.SearchStrategy[Any] = st.sampled_from(column.values)
    elif column.name == "system":
        values = st.sampled_from(SYSTEMS)
    elif column.references == "practitioner":
        values = st.sampled_from(["d1", "d2", "parti"])
    elif column.name in ("key", "encounter"):
        values = st.sampled_from(KEYS)
    else:
        values = kinds[column.kind]
    return values if column.required else st.none() | values


def rows(table: str, **fixed: Any) -> st.SearchStrategy[Any]:
    return st.builds(
        ROW[table], **{c.name: st.just(fixed[c.name]) if c.name in fixed else cell(c) for c in TABLES[table]}
    )


VITAL = rows("vital_sign").flatmap(lambda r: st.sampled_from(SIGNS).map(lambda code: r._replace(code=code)))
RECORDS = st.fixed_dictionaries(
    {
        table: st.lists(VITAL if table == "vital_sign" else rows(table), max_size=3, unique_by=lambda r: r.key)
        for table in CLINICAL
    }
)
DOCUMENTS = st.fixed_dictionaries(
    {
        "record": RECORDS,
        "practice": rows("practice", oid="1.2.250.1.999.7"),
        "practitioners": st.fixed_dictionaries({k: rows("practitioner", key=k) for k in ("d1", "d2")}),
        "patient": rows("patient", ins_oid="1.2.250.1.213.1.4.8"),
        "qualified": st.booleans(),
    }
)


def written(drawn: dict[str, Any]) -> bytes:
    arguments = {k: v for k, v in drawn.items() if k != "record"}
    return document_bundle(drawn["record"], created="2026-11-23T10:00:00+01:00", identifier="1.2.3.4", **arguments)


def plain(value: Any, name: str = "") -> Any:
    """What must be equal after a parser that turns decimals into floats and instants into Python's: the two documented traps."""
    if isinstance(value, dict):
        return {k: plain(v, k) for k, v in value.items()}
    if isinstance(value, list):
        return [plain(v, name) for v in value]
    if isinstance(value, int | float | Decimal) and not isinstance(value, bool):
        return float(value)
    if isinstance(value, str) and re.fullmatch(r"\d{4}-\d\d-\d\dT.*", value):
        return datetime.fromisoformat(value)
    return value


def walk(value: Any, name: str = "") -> Any:
    yield name, value
    if isinstance(value, dict):
        for k, v in value.items():
            yield from walk(v, k)
    elif isinstance(value, list):
        for v in value:
            yield from walk(v, name)


GENERATED = settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)


@GENERATED
@given(DOCUMENTS)
def test_an_independent_parser_reads_it_and_writes_the_same(drawn):
    from fhir.resources.R4B.bundle import Bundle

    content = written(drawn)
    parsed = Bundle.model_validate_json(content)
    assert plain(orjson.loads(parsed.model_dump_json())) == plain(orjson.loads(content))


@GENERATED
@given(DOCUMENTS)
def test_references_resolve_and_all_is_reachable(drawn):
    bundle = orjson.loads(written(drawn))
    resources = {e["fullUrl"]: e["resource"] for e in bundle["entry"]}
    assert len(resources) == len(bundle["entry"]), "two entries under one name"
    assert all(url == f"urn:uuid:{r['id']}" and uuid.UUID(r["id"]).version == 5 for url, r in resources.items())
    links = {url: {v for n, v in walk(r) if n == "reference"} for url, r in resources.items()}
    assert set().union(*links.values()) <= set(resources)
    reached, waiting = set(), [bundle["entry"][0]["fullUrl"]]
    while waiting:
        url = waiting.pop()
        if url not in reached:
            reached.add(url)
            waiting.extend(links[url])
    assert reached == set(resources)


@GENERATED
@given(DOCUMENTS)
def test_each_row_is_a_resource_or_a_line(drawn):
    """Every affirmed or denied row, result and measure has a resource that names it; every other row is in a narrative."""
    bundle = orjson.loads(written(drawn))
    named = {i["value"] for e in bundle["entry"][2:] for i in e["resource"].get("identifier", [])}
    stated = {
        f"{table}/{r.key}"
        for table, found in drawn["record"].items()
        for r in found
        if getattr(r, "assertion", "affirmed") != "not_recorded"
    }
    assert {n for n in named if n.split("/")[0] in CLINICAL} == stated
    silent = sum(getattr(r, "assertion", "") == "not_recorded" for found in drawn["record"].values() for r in found)
    divs = "".join(s["text"]["div"] for s in bundle["entry"][0]["resource"]["section"])
    assert divs.count("<li>Non renseigné : ") == silent


@GENERATED
@given(DOCUMENTS)
def test_the_elements_that_nobody_may_omit(drawn):
    required = {
        "Composition": ("status", "type", "subject", "date", "author", "title", "custodian"),
        "Condition": ("subject", "code", "verificationStatus"),
        "AllergyIntolerance": ("patient", "code", "clinicalStatus", "verificationStatus"),
        "MedicationStatement": ("status", "subject", "medicationCodeableConcept"),
        "Immunization": ("status", "patient", "vaccineCode"),
        "Observation": ("status", "subject", "code"),
        "Procedure": ("status", "subject", "code"),
        "FamilyMemberHistory": ("status", "patient", "relationship"),
    }
    bundle = orjson.loads(written(drawn))
    for entry in bundle["entry"]:
        resource = entry["resource"]
        for name in required.get(resource["resourceType"], ()):
            assert resource.get(name), f"{resource['resourceType']}.{name}"
    for name, value in walk(bundle):
        assert value not in ("", [], {}, None), f"{name} is empty"
        assert not (name == "code" and isinstance(value, str) and (value != value.strip() or "  " in value))


@GENERATED
@given(DOCUMENTS)
def test_narratives_are_the_xhtml_that_fhir_allows(drawn):
    for section in orjson.loads(written(drawn))["entry"][0]["resource"]["section"]:
        tree = ElementTree.fromstring(section["text"]["div"])
        tags = {element.tag.removeprefix("{http://www.w3.org/1999/xhtml}") for element in tree.iter()}
        assert tags <= {"div", "ul", "li", "p"}
        assert "".join(tree.itertext()).strip()
        assert ("entry" in section) != ("emptyReason" in section)


@GENERATED
@given(DOCUMENTS)
def test_same_arguments_same_bytes(drawn):
    assert written(drawn) == written(drawn)


@pytest.mark.parametrize(
    "created", ["2026-11-23", "2026-11-23T10:00:00", "2026-13-23T10:00:00Z", "hier", "2026-11-23T10:00+01:00"]
)
def test_a_clock_without_offset_or_precision_is_refused(document, row, created):
    with pytest.raises(ValueError, match="instant of creation"):
        document_bundle(
            {}, practice=row("practice"), practitioners={}, patient=row("patient"), created=created, identifier="1.2"
        )


@pytest.mark.parametrize("identifier", ["", "1", "urn:oid:1.2", "1.02", "3.4.x"])
def test_an_identifier_that_is_no_oid_is_refused(row, identifier):
    arguments = {
        "practice": row("practice"),
        "practitioners": {},
        "patient": row("patient"),
        "created": "2026-11-23T10:00:00Z",
    }
    with pytest.raises(ValueError, match="OID"):
        document_bundle({}, identifier=identifier, **arguments)


@pytest.mark.parametrize("count", [0, 1, 5_000])
def test_any_number_of_rows(row, count):
    record = {
        table: [row(table, key=f"{n}", assertion="affirmed", label="Libellé") for n in range(count)]
        for table in ("problem", "allergy", "treatment")
    }
    bundle = orjson.loads(
        document_bundle(
            record,
            practice=row("practice"),
            practitioners={},
            patient=row("patient"),
            created="2026-11-23T10:00:00+01:00",
            identifier="1.2.3",
        )
    )
    kinds = [entry["resource"]["resourceType"] for entry in bundle["entry"]]
    assert len({entry["fullUrl"] for entry in bundle["entry"]}) == len(kinds)
    for kind in ("Condition", "AllergyIntolerance", "MedicationStatement"):
        assert kinds.count(kind) == count
