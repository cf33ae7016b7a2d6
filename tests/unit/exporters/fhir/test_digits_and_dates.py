"""Decimals keep their digits, dates their precision; what is neither is absent with a reason."""

from __future__ import annotations

import pytest

from transvase.exporters.fhir.primitive import code, date_time, decimal, french_date, text

REASON = "http://hl7.org/fhir/StructureDefinition/data-absent-reason"


@pytest.mark.parametrize(
    "received, written",
    [
        pytest.param("1.10", b"1.10", id="trailing zero"),
        pytest.param("123456789.123456789", b"123456789.123456789", id="more digits than a float"),
        pytest.param("0.000000001", b"0.000000001", id="no exponent"),
        pytest.param("-0.50", b"-0.50", id="negative"),
        pytest.param("0", b"0", id="zero"),
        pytest.param("007.50", b"7.50", id="JSON has no leading zeros"),
        pytest.param("000", b"0", id="nothing but zeros"),
    ],
)
def test_digits_of_a_result(document, received, written):
    content = document(raw=True, lab_result=[{"value": received, "unit": "g/L", "low": received}])
    assert b'"valueQuantity":{"value":' + written + b',"unit":"g/L"}' in content
    assert b'"low":{"value":' + written + b',"unit":"g/L"}' in content


@pytest.mark.parametrize("hostile", ["1,10", "1e5", "NaN", "<5", "1.", ".5", "١", '1,"x":2', "1.10\n", "--1", ""])
def test_what_is_no_number_never_enters_as_one(hostile):
    assert decimal(hostile) is None


def test_a_result_that_is_no_number_is_a_string(document, of_type):
    (seen,) = of_type(document(lab_result=[{"value": "<5", "unit": "g/L"}]), "Observation")
    assert seen["valueString"] == "<5 g/L" and "valueQuantity" not in seen


def test_a_number_and_a_text_are_both_kept(document, of_type):
    (seen,) = of_type(document(lab_result=[{"value": "5", "value_text": "hémolysé"}]), "Observation")
    assert seen["valueQuantity"] == {"value": 5} and seen["note"] == [{"text": "hémolysé"}]


def test_a_result_without_value_says_that_it_has_none(document, of_type):
    (seen,) = of_type(document(lab_result=[{}]), "Observation")
    assert seen["status"] == "final" and seen["dataAbsentReason"]["coding"][0]["code"] == "unknown"


@pytest.mark.parametrize(
    "recorded, written",
    [
        pytest.param("2019", "2019", id="year"),
        pytest.param("2019-03", "2019-03", id="month"),
        pytest.param("2019-03-28", "2019-03-28", id="day"),
        pytest.param("2019-03-28T09:30:00", "2019-03-28T09:30:00+01:00", id="winter"),
        pytest.param("2019-07-28T09:30:00", "2019-07-28T09:30:00+02:00", id="summer"),
        pytest.param("2019-10-27T01:30:00", "2019-10-27T01:30:00+02:00", id="before the change of the day"),
        pytest.param("2019-10-27T02:30:00", "2019-10-27T02:30:00+02:00", id="the hour that comes twice: the first"),
        pytest.param("2019-10-27T03:30:00", "2019-10-27T03:30:00+01:00", id="after the change of the day"),
        pytest.param("1905-06-01T12:00:00", "1905-06-01T11:50:39+00:00", id="local mean time had seconds"),
        pytest.param("2019-02-31", "", id="no such day"),
        pytest.param("2019-13", "", id="no such month"),
        pytest.param("2019-00-10", "", id="lunar month"),
        pytest.param("0000", "", id="no such year"),
        pytest.param("2019-03-28T24:30:00", "", id="no such hour"),
        pytest.param("2019-W03-1", "", id="week date"),
        pytest.param("20190328", "", id="basic format"),
        pytest.param("2019-03-28 09:30:00", "", id="no T"),
        pytest.param("２０１９", "", id="digits that are not ASCII"),
    ],
)
def test_date_and_time(recorded, written):
    assert date_time(recorded) == written


def test_an_impossible_date_is_an_error_and_stays_readable(document, of_type, section):
    bundle = document(problem=[{"onset": "2019-02-31", "resolved": "2019-02"}])
    (condition,) = of_type(bundle, "Condition")
    assert "onsetDateTime" not in condition
    assert condition["_onsetDateTime"]["extension"] == [{"url": REASON, "valueCode": "error"}]
    assert "31/02/2019 (date impossible)" in section(bundle, "11450-4")["text"]["div"]


@pytest.mark.parametrize("given, reason", [(None, "unknown"), ("2019-02-31", "error")])
def test_a_vaccination_without_usable_date(document, of_type, given, reason):
    (found,) = of_type(document(immunization=[{"given": given}]), "Immunization")
    assert "occurrenceDateTime" not in found and found["occurrenceString"].startswith("Date ")
    assert found["_occurrenceString"]["extension"][0]["valueCode"] == reason


@pytest.mark.parametrize(
    "start, stop, status",
    [
        pytest.param("2020-01-01", None, "active", id="goes on"),
        pytest.param("2020-01-01", "2021-06-30", "completed", id="ended"),
        pytest.param("2020-01-01", "2026-11-23", "active", id="ends today"),
        pytest.param("2020-01-01", "2026-11", "active", id="ends this month: not known to have ended"),
        pytest.param("2020-01-01", "2026-10", "completed", id="ended last month"),
        pytest.param("2020-01-01", "2030", "active", id="will end"),
        pytest.param("2020-01-01", "2021-02-31", "completed", id="ended, on an impossible day"),
    ],
)
def test_status_of_a_treatment(document, of_type, start, stop, status):
    (found,) = of_type(document(treatment=[{"start": start, "stop": stop}]), "MedicationStatement")
    assert found["status"] == status


def test_a_period_never_ends_before_it_starts(document, of_type):
    (found,) = of_type(document(treatment=[{"start": "2020-05-02", "stop": "2020-05-01"}]), "MedicationStatement")
    assert found["effectivePeriod"]["start"] == "2020-05-02" and "end" not in found["effectivePeriod"]
    assert found["effectivePeriod"]["_end"]["extension"][0]["valueCode"] == "error"


def test_a_period_of_unequal_precision_is_no_error(document, of_type):
    (found,) = of_type(document(treatment=[{"start": "2020-05-02", "stop": "2020"}]), "MedicationStatement")
    assert found["effectivePeriod"] == {"start": "2020-05-02", "end": "2020"}


@pytest.mark.parametrize(
    "recorded, written",
    [
        ("2019", "2019"),
        ("2019-03", "03/2019"),
        ("2019-03-28T09:30:00", "28/03/2019"),
        ("2019-13", "13/2019 (date impossible)"),
    ],
)
def test_date_for_a_reader(recorded, written):
    assert french_date(recorded) == written


@pytest.mark.parametrize("blank", [None, "", " ", "\n\t", "\u00a0"])
def test_blank_is_no_string(blank):
    assert text(blank) == ""


def test_characters_that_xml_forbids_are_visible_and_countable():
    assert text("a\x00b\ufffe\tc") == "a\ufffdb\ufffd\tc"


@pytest.mark.parametrize(
    "recorded, written", [(" I10 ", "I10"), ("A  B", "A B"), ("\u00a0", ""), ("G15_10/SM26", "G15_10/SM26")]
)
def test_codes_hold_no_stray_space(recorded, written):
    assert code(recorded) == written


def test_no_break_spaces_are_spaces():
    assert text("5\u00a0mg\u202f!\u2028fin\n") == "5 mg ! fin\n"
