"""What an independent reader says of a resource, and which resources of a file it is shown."""

from __future__ import annotations

import orjson
import pytest

from transvase.formats.fhir_reading import PER_TYPE, Sample, differs, told

NAME = "c0ffee00-0000-5000-8000-000000000001"
OBSERVATION = {
    "resourceType": "Observation",
    "id": NAME,
    "status": "final",
    "code": {"text": "Glycémie"},
    "effectiveDateTime": "2026-01-02T08:00:00+01:00",
    "valueQuantity": {"value": 1.10, "unit": "g/L"},
}


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({}, id="as it is"),
        pytest.param({"effectiveDateTime": "2026-01"}, id="a date of a month"),
        pytest.param({"valueQuantity": {"value": 3}}, id="a whole number"),
        pytest.param({"code": {"text": "2026-01-02T soir"}}, id="words that begin as an instant"),
        pytest.param({"effectiveDateTime": "2026-01-02T08:00:00.5Z"}, id="tenths of a second"),
    ],
)
def test_what_the_reader_writes_the_same(changes):
    assert not differs("Observation", orjson.dumps(OBSERVATION | changes))


@pytest.mark.parametrize(
    "kind, content",
    [
        pytest.param("Observation", orjson.dumps({**OBSERVATION, "status": None}), id="status missing"),
        pytest.param("Observation", orjson.dumps(OBSERVATION | {"weight": 3}), id="element unknown"),
        pytest.param("Observation", orjson.dumps(OBSERVATION | {"valueString": "1,10"}), id="two values"),
        pytest.param("Observation", orjson.dumps(OBSERVATION | {"effectiveDateTime": "2026-02-31"}), id="no such day"),
        pytest.param("Observation", orjson.dumps(OBSERVATION | {"code": []}), id="list for an object"),
        pytest.param("Patient", orjson.dumps(OBSERVATION), id="another type"),
        pytest.param("Vache", orjson.dumps(OBSERVATION | {"resourceType": "Vache"}), id="no type of FHIR"),
        pytest.param("Bundle", b'{"resourceType":"Bundle","type":"document","entry":[{"resource":{"resourceType":"Vache"}}]}', id="no type inside"),
        pytest.param("Observation", orjson.dumps(OBSERVATION)[:-1], id="cut"),
        pytest.param("Observation", b"", id="empty"),
        pytest.param("Observation", orjson.dumps(OBSERVATION).replace("é".encode(), b"\xe9"), id="not UTF-8"),
        pytest.param("Observation", b"[" * 100_000, id="nested without end"),
    ],
)  # fmt: skip
def test_what_the_reader_refuses_or_changes(kind, content):
    assert differs(kind, content)


def file_of(count: int, broken: frozenset[int] = frozenset()) -> list[bytes]:
    return [orjson.dumps(OBSERVATION | ({"status": 3} if n in broken else {})) + b"\n" for n in range(count)]


@pytest.mark.parametrize(
    "count, read", [(0, 0), (1, 1), (PER_TYPE, PER_TYPE), (PER_TYPE + 1, PER_TYPE // 2 + 1), (5 * PER_TYPE, PER_TYPE)]
)
@pytest.mark.parametrize("cut", [1, 3, 7, 10_000])
def test_all_of_a_small_file_and_as_many_of_a_large_one_however_it_comes(count, read, cut):
    lines = file_of(count)
    chunks = [b"".join(lines[at : at + cut]) for at in range(0, count, cut)]
    sample = Sample()
    assert list(sample.passing("Observation", count, iter(chunks))) == chunks
    assert (sample.read, sample.of, sample.different) == (read, count, 0)


def test_the_sample_spreads_over_the_file():
    # One line in five is read, the first among them.
    for broken, found in ((0, 1), (5 * PER_TYPE - 5, 1), (1, 0)):
        sample = Sample()
        list(sample.passing("Observation", 5 * PER_TYPE, file_of(5 * PER_TYPE, frozenset({broken}))))
        assert sample.different == found


def test_what_differs_is_counted_and_named_by_reference_alone():
    sample = Sample()
    list(sample.passing("Observation", 150, file_of(150, frozenset(range(120)))))
    bundle = {"resourceType": "Bundle", "entry": [{"resource": {"resourceType": "Patient", "id": NAME}}]}
    list(sample.passing("Bundle", 1, [orjson.dumps(bundle) + b"\n"]))
    assert sample.facts() == {"read": 151, "of": 151, "different": 121, "differing": [f"Observation/{NAME}"] * 100}
    other = Sample()
    list(other.passing("Bundle", 1, [orjson.dumps(bundle) + b"\n"]))
    assert other.facts()["differing"] == [f"Bundle/{NAME}"]


def test_it_is_told_in_a_line():
    some = {"read": 200, "of": 1000, "different": 0, "differing": []}
    assert (
        told(some, "fr")
        == "FHIR : 200 ressources sur 1000 relues par un lecteur indépendant (fhir.resources), aucune différence"
    )
    assert (
        told(some, "en")
        == "FHIR: 200 of 1000 resources read again by an independent reader (fhir.resources), no difference"
    )
    bad = some | {"different": 7, "differing": [f"Observation/{n}" for n in range(7)]}
    assert told(bad, "fr").endswith(
        "7 à signaler à l'éditeur de Transvase : Observation/0, Observation/1, Observation/2, Observation/3, Observation/4, …"
    )
    assert "Observation/4, …" in told(bad, "en")
