"""FHIR against the rules of the guides (`docs/reference/fhir-profiles.md`): nothing that we write breaks one, and each rule finds the
resource that breaks it."""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from transvase.exporters.fhir.bundle import document_bundle
from transvase.exporters.fhir.collection import collection_bundle
from transvase.model.record import ROW
from transvase.model.table import Column, Kind
from transvase.model.tables import TABLES

from . import fhir_samples
from .fhir_profiles import (
    INVARIANTS,
    Finding,
    Json,
    Rule,
    check,
    check_bundle,
    holders,
    holders_or_missing,
    items,
    keys,
    profiles_of,
    reach,
    rules,
    steps,
)

pytestmark = pytest.mark.slow
RULES = [rule for rule in rules() if rule.status != "unread"]

# -- what we write ------------------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def bundles(tmp_path_factory: pytest.TempPathFactory) -> list[Json]:
    """The document and the collection of each patient of an invented practice, and requests to the DMP."""
    work = fhir_samples.extracted(tmp_path_factory.mktemp("practice"), 20)
    return [*fhir_samples.bundles(work), *fhir_samples.requests()[:2]]


def test_nothing_of_an_invented_practice_breaks_a_rule(bundles: list[Json]) -> None:
    findings = Counter(finding.rule.name for bundle in bundles for finding in check_bundle(bundle))
    assert not findings
    claimed = {p for b in bundles for e in b["entry"] for p in profiles_of(e["resource"])} | {
        p for b in bundles for p in profiles_of(b)
    }
    # A profile that nothing claims would be checked of nothing.
    assert {rule.profile for rule in RULES} - claimed <= {
        "pdsm-simplified-publish",
        "bulk-manifest",
        "DeviceRequest",
        "*",
        *RARE,
    }


# Vital signs that the invented practice does not measure; hypothesis draws them.
RARE = {"bodytemp", "headcircum", "resprate", "heartrate", "oxygensat", "bmi"} | {
    f"fr-core-observation-{name}" for name in ["body-temperature", "head-circum", "resp-rate", "heartrate", "saturation-oxygen", "bmi"]
}  # fmt: skip


def test_the_request_of_iti_105_breaks_no_rule() -> None:
    assert check(fhir_samples.requests()[2]) == []


TEXTS = ["Pénicilline", "Aucune allergie connue", "Allergies", "<script>&", "  ", "a\x00b", "deux\nlignes", "Tabac"]
DATES = ["2019", "2019-03", "2019-03-28", "2019-02-31", "demain", "0000", "1900-01-01", "2031-01-01"]
INSTANTS = ["2019-03-28T09:30:00", "2019-03-31T02:30:00", "2019-10-27T02:30:00", "1905-06-01T12:00:00"]
NUMBERS = ["1.10", "007.5", "-0.50", "0", "1,5", "NaN", "2"]
SYSTEMS = ["2.16.840.1.113883.6.1", "0.4.0.127.0.16.1.1.2.1", "https://exemple.fr/codes", "maison"]
UNITS = ["kg", "cm", "mm[Hg]", "/min", "%", "Cel", "kg/m2", "comprimés"]
SIGNS = [
    "29463-7",
    "3141-9",
    "8302-2",
    "8480-6",
    "8462-4",
    "8867-4",
    "59408-5",
    "2708-6",
    "39156-5",
    "8310-5",
    "9279-1",
    "9843-4",
] + ["x y"]
DURATIONS = ["10 jours", "1 mois", "2 semaines", "un certain temps"]


def cell(table: str, column: Column) -> st.SearchStrategy[Any]:
    """Any value that a column may hold, hostile ones included; closed lists and references are respected."""
    kinds: dict[Kind, st.SearchStrategy[Any]] = {
        Kind.TEXT: st.sampled_from(TEXTS) | st.text(max_size=8),
        Kind.DATE: st.sampled_from(DATES),
        Kind.INSTANT: st.sampled_from(DATES + INSTANTS),
        Kind.INTEGER: st.integers(-2, 5),
        Kind.FLAG: st.booleans(),
        Kind.DECIMAL: st.sampled_from(NUMBERS),
    }
    named = {
        "system": SYSTEMS,
        "unit": UNITS,
        "duration": DURATIONS,
        "encounter": ["1", "2", "9"],
        "prescription": ["1", "2", "9"],
        "practitioner": ["d1", "d2", "parti"],
        "attending": ["d1", "parti"],
        "ins_oid": ["1.2.250.1.213.1.4.8", "1.2.250.1.213.1.4.9", "1.2.250.1.213.1.4.10", "1.2.3"],
    }
    if column.values:
        values: st.SearchStrategy[Any] = st.sampled_from(column.values)
    elif table == "vital_sign" and column.name == "code":
        values = st.sampled_from(SIGNS)
    elif column.name in named:
        values = st.sampled_from(named[column.name])
    elif column.name == "key":
        values = st.sampled_from(["1", "2", "3", "4"])
    else:
        values = kinds[column.kind]
    return values if column.required or column.name == "key" else st.none() | values


def rows(table: str, **fixed: Any) -> st.SearchStrategy[Any]:
    cells = {c.name: st.just(fixed[c.name]) if c.name in fixed else cell(table, c) for c in TABLES[table]}
    return st.builds(ROW[table], **cells)


WRITTEN = (
    "problem", "allergy", "treatment", "immunization", "lab_result", "vital_sign", "risk_factor", "encounter", "related_person",
    "prescription", "prescription_line",
)  # fmt: skip
DRAWN = st.fixed_dictionaries(
    {
        "record": st.fixed_dictionaries(
            {name: st.lists(rows(name), max_size=3, unique_by=lambda r: r.key) for name in WRITTEN}
        ),
        "practice": rows("practice", oid="1.2.250.1.999.7"),
        "practitioners": st.fixed_dictionaries({k: rows("practitioner", key=k) for k in ("d1", "d2")}),
        "patient": rows("patient", key="7"),
        "qualified": st.booleans(),
    }
)


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(DRAWN)
def test_no_record_whatever_makes_a_resource_that_breaks_a_rule(drawn: dict[str, Any]) -> None:
    document = document_bundle(created=fhir_samples.CREATED, identifier="1.2.3", **drawn)
    for content in (document, collection_bundle(created=fhir_samples.CREATED, **drawn)):
        assert list(map(str, check_bundle(orjson.loads(content)))) == []


# -- each rule finds what breaks it -------------------------------------------------------------------------------------------------------


def every(bundles: list[Json]) -> Iterator[tuple[Json, Callable[[str], Json | None]]]:
    for bundle in bundles:
        found = {e.get("fullUrl", ""): e["resource"] for e in bundle["entry"]}
        yield bundle, found.get
        for entry in bundle["entry"]:
            yield entry["resource"], found.get
            for one in entry["resource"].get("contained", []):
                yield one, found.get
    yield fhir_samples.requests()[2], lambda reference: None
    for sign, unit in SIGNS_AND_UNITS:
        yield from a_sign(sign, unit)
    for number in ("8", "9", "11"):
        yield from a_qualified_patient(number)
    yield MANIFEST, lambda reference: None


SIGNS_AND_UNITS = (
    ("8310-5", "Cel"), ("9843-4", "cm"), ("9279-1", "/min"), ("8867-4", "/min"), ("2708-6", "%"), ("39156-5", "kg/m2"),
)  # fmt: skip
MANIFEST = {
    "resourceType": "bulk-manifest",
    "transactionTime": fhir_samples.CREATED,
    "request": "transvase fhir",
    "requiresAccessToken": False,
    "output": [{"type": "Patient", "url": "Patient.ndjson", "count": 1}],
    "error": [],
}


def row(table: str, **values: Any) -> Any:
    return ROW[table](**{name: values.get(name) for name in ROW[table]._fields})


def a_sign(code: str, unit: str) -> Iterator[tuple[Json, Callable[[str], Json | None]]]:
    """A measure, of a patient who claims FR Core, in an encounter."""
    day = "2024-03-11T08:05:00"
    measure = row("vital_sign", key="1", encounter="e", code=code, label="x", value="7", unit=unit, measured=day)
    record = {"vital_sign": [measure], "encounter": [row("encounter", key="e", start=day)]}
    return collected(record, row("patient", key="7", birth_family="PAT", birth_given="ANNE", birth_first_given="ANNE"))


def a_qualified_patient(authority: str) -> Iterator[tuple[Json, Callable[[str], Json | None]]]:
    """A patient of each authority, to whom a device was prescribed."""
    patient = row(
        "patient",
        key="7",
        ins="279035121518989",
        ins_oid=f"1.2.250.1.213.1.4.{authority}",
        birth_family="PAT-TROIS",
        birth_given="DOMINIQUE MARIE",
        birth_first_given="DOMINIQUE",
        sex="F",
        birth_date="1979-03-28",
        birth_place_code="51215",
        document_checked=True,
        insi_confirmed=True,
    )
    prescribed = row("prescription", key="1", category="device", prescribed="2024-03-11T08:05:00", urgent=True)
    line = row("prescription_line", key="1", prescription="1", label="Lit médicalisé")
    return collected({"prescription": [prescribed], "prescription_line": [line]}, patient)


def collected(record: Any, patient: Any) -> Iterator[tuple[Json, Callable[[str], Json | None]]]:
    content = collection_bundle(
        record,
        practice=row("practice", key="1", name="Cabinet", oid="1.2.3"),
        practitioners={},
        patient=patient,
        created=fhir_samples.CREATED,
        qualified=True,
    )
    entries = orjson.loads(content)["entry"]
    found = {e["fullUrl"]: e["resource"] for e in entries}
    for entry in entries:
        yield entry["resource"], found.get


def broken(rule: Rule, resource: Json) -> Iterator[Json]:
    """Copies of a resource in which the rule should be broken."""
    if rule.invariant:
        for change in BREAKS[rule.invariant]:
            copied = copy.deepcopy(resource)
            place = next(iter(reach(copied, rule.element)), None) if rule.element else copied
            if not isinstance(place, dict):
                name = steps(rule.element)[-1][0]
                for holder in holders(copied, rule.element):
                    holder.update({k: change for k in keys(holder, name) if isinstance(holder.get(k), str)})
                yield copied
            elif change(place) is not False:
                yield copied
        return
    copied = copy.deepcopy(resource)
    name, filters = steps(rule.element)[-1]
    if rule.values.startswith("^"):
        for meta in holders_or_missing(copied, rule.element):
            meta.pop("profile", None)
        yield copied
        return
    for holder in holders(copied, rule.element):
        if rule.cardinality:
            least, most = rule.cardinality.split("..")
            if least != "0":
                gone = items(holder, name, filters)
                for key in keys(holder, name):
                    value = holder.pop(key, None)
                    holder.pop(f"_{key}", None)
                    if isinstance(value, list) and (left := [item for item in value if item not in gone]):
                        holder[key] = left
            elif most == "0":
                holder.setdefault(name.replace("[x]", "String"), {"use": "official"} if filters else "x")
                if filters:
                    holder[name] = [dict(filters)]
            else:
                held = items(holder, name, filters)
                one = held[0] if held else nested(filters)
                value = holder.get(name)
                rest = value if isinstance(value, list) else []
                holder[name] = [*rest, one, copy.deepcopy(one)]
        elif rule.values:
            for key in keys(holder, name) or [name]:
                value = holder.get(key)
                holder.pop(f"_{key}", None)
                holder[key] = "×" if not isinstance(value, dict) else {"coding": [{"code": "×"}], "code": "×"}
                if isinstance(value, list):
                    holder[key] = ["×"] if isinstance(value[0], str) else [{"coding": [{"code": "×"}], "code": "×"}]
        else:
            for key in keys(holder, name):
                wrong: Any = {"reference": "Substance/1"}
                holder[key] = [wrong] if isinstance(holder[key], list) else wrong
    yield copied


def nested(filters: tuple[tuple[str, str], ...]) -> Any:
    """The smallest item that filters take."""
    item: dict[str, Any] = {}
    for path, value in filters:
        here = item
        *upper, last = path.split(".")
        for name in upper:
            inner: dict[str, Any] = {}
            here[name] = [inner] if name == "coding" else inner
            here = inner
        here[last] = value
    return item or "x"


def drop(*names: str) -> Callable[[Json], Any]:
    return lambda place: [place.pop(n, None) for n in names]


def put(**values: Any) -> Callable[[Json], Any]:
    return lambda place: place.update(values)


ERROR = {"coding": [{"code": "entered-in-error"}]}
STATUS_URL = "https://hl7.fr/ig/fhir/core/StructureDefinition/fr-core-identity-reliability"
VALI = {"url": STATUS_URL, "extension": [{"url": "identityStatus", "valueCoding": {"code": "VALI"}}]}


def without_value(place: Json) -> Any:
    for key in ("value[x]",):
        for found in keys(place, key):
            place.pop(found, None)
    for name in ("component", "dataAbsentReason", "hasMember"):
        place.pop(name, None)


def first_entry_again(place: Json) -> Any:
    if place.get("type") != "document":
        return False
    place["entry"].append(copy.deepcopy(place["entry"][0]))
    return None


# What breaks each invariant, given the place where it is asked; a text takes the place of a primitive.
BREAKS: dict[str, list[Any]] = {
    "per-1": [put(somePeriod={"start": "2020-02-01", "end": "2020-01-31"})],
    "ref-1": [put(some={"reference": "#nobody"})],
    "cpt-2": [put(telecom=[{"value": "0102030405"}])],
    "qty-3": [put(valueQuantity={"value": 1, "code": "kg"})],
    "drt-1": [put(expectedSupplyDuration={"value": 1, "unit": "jours"})],
    "tim-5": [put(timing={"repeat": {"period": -1, "periodUnit": "d"}})],
    "tim-8": [put(timing={"repeat": {"period": 1}})],
    "txt-1": [put(text={"div": "<div><script>x</script></div>"})],
    "org-1": [drop("identifier", "name")],
    "name-or-identifier": [drop("identifier", "name")],
    "con-4": [put(abatementDateTime="2020", clinicalStatus={"coding": [{"code": "active"}]})],
    "con-5": [put(verificationStatus=ERROR, clinicalStatus={"coding": [{"code": "active"}]})],
    "ait-1": [drop("clinicalStatus")],
    "ait-2": [put(verificationStatus=ERROR)],
    "obs-3": [drop("low", "high", "text")],
    "obs-6": [put(dataAbsentReason={"text": "x"}, valueString="x")],
    "obs-7": [
        put(code={"coding": [{"code": "1"}]}, valueString="x", component=[{"code": {"coding": [{"code": "1"}]}}])
    ],
    "cmp-1": [drop("text", "entry", "section")],
    "cmp-2": [put(emptyReason={}, entry=[])],
    "bdl-3": [lambda place: place["entry"][0].update(request={}) if place.get("type") != "transaction" else False],
    "bdl-7": [lambda place: place["entry"].append(place["entry"][0])],
    "bdl-9": [lambda place: place.pop("identifier") if place["type"] == "document" else False],
    "bdl-10": [lambda place: place.pop("timestamp") if place["type"] == "document" else False],
    "bdl-11": [lambda place: place["entry"].reverse() if place["type"] == "document" else False],
    "bdl-ips-1": [first_entry_again],
    "vs-1": ["2020"],
    "vs-2": [without_value],
    "ips-pat-1": [drop("family", "given", "text")],
    "ips-comp-1": [drop("entry", "emptyReason")],
    "ips-2": [without_value],
    "ips-3": [put(component=[{"code": {"text": "x"}}])],
    "fr-core-1": [put(extension=[VALI], identifier=[])],
    "fr-core-2": [
        put(extension=[VALI], identifier=[{"use": "official", "system": "urn:oid:1.2.250.1.213.1.4.8"}, {"use": "official"}])
    ],
    "mhd-startswithoid": ["urn:uuid:x"],
    "mhd-closed": [put(request={"method": "DELETE"})],
}  # fmt: skip


def finds(rule: Rule, findings: list[Finding]) -> bool:
    return any(finding.rule == rule for finding in findings)


@pytest.fixture(scope="module")
def corpus(bundles: list[Json]) -> dict[str, list[tuple[Json, Any]]]:
    """Sound resources by profile."""
    found: dict[str, list[tuple[Json, Any]]] = {}
    shapes: set[tuple[str, frozenset[str]]] = set()
    for resource, resolve in every(bundles):
        for profile in profiles_of(resource):
            # One of each shape serves.
            shape = (profile, frozenset(shaped(resource)))
            if shape not in shapes:
                shapes.add(shape)
                found.setdefault(profile, []).append((resource, resolve))
    return found


def shaped(resource: Json) -> Iterator[str]:
    """What a resource has: the names of its elements, and the codes that tell the slices of the table."""
    waiting: list[tuple[str, Any]] = [("", {k: v for k, v in resource.items() if k != "entry"})]
    while waiting:
        path, value = waiting.pop()
        if isinstance(value, dict):
            waiting += [(f"{path}.{k}", v) for k, v in value.items()]
        elif isinstance(value, list):
            waiting += [(path, v) for v in value]
        elif path.endswith(("system", "use", "url", "type")) or "section" in path:
            yield f"{path}={value}"[:200] if "div" not in path and "title" not in path else path
        else:
            yield path


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_a_broken_resource_is_found(rule: Rule, corpus: dict[str, list[tuple[Json, Any]]]) -> None:
    for resource, resolve in corpus[rule.profile]:
        if rule.element and not rule.invariant and not holders(resource, rule.element):
            continue
        assert not finds(rule, check(resource, resolve))
        for spoilt in broken(rule, resource):
            if finds(rule, check(spoilt, resolve)):
                assert next(f for f in check(spoilt, resolve) if f.rule == rule).error == (rule.status == "read")
                return
    pytest.fail("no resource that we write could be broken in this way: the rule is of no use, or has no sample")


# -- the table ----------------------------------------------------------------------------------------------------------------------------


def test_a_rule_says_one_thing_and_where_it_was_read() -> None:
    for rule in rules():
        said = [rule.cardinality, rule.values, rule.targets, rule.invariant]
        assert rule.status in ("read", "memory", "unread")
        assert rule.source and rule.profile
        if rule.status != "unread":
            assert sum(map(bool, said)) == 1, rule.name
    assert {rule.invariant for rule in RULES if rule.invariant} == INVARIANTS.keys() == BREAKS.keys()
    assert len({rule[:6] for rule in rules()}) == len(rules()), "a rule stands twice"


def test_what_is_known_from_memory_only_says_so() -> None:
    assert all(("memory" in rule.source) == (rule.status == "memory") for rule in rules())
