"""Codes and words inside entries: the national code, the recorded one beside it, and nothing that CDA cannot hold."""

from __future__ import annotations

import pytest
from lxml import etree

from transvase.exporters.cda.entries import coding, dating, wording

CIM10, CCAM, CIS = coding.CIM10.system, coding.CCAM.system, coding.CIS.system
CISP = "2.16.840.1.113883.6.139"
CIP = "1.2.250.1.213.2.3.2"


def element(asked: coding.Asked, code: str | None, system: str | None) -> etree._Element:
    return etree.fromstring(coding.concept("code", asked, code, system, "Libellé", "p1"))


@pytest.mark.parametrize(
    ("asked", "code", "system", "national", "translation"),
    [
        pytest.param(coding.CIM10, "I10", CIM10, "I10", None, id="asked system"),
        pytest.param(coding.CIM10, "E119", CIM10, "E11.9", "E119", id="dot missing, recorded form kept beside"),
        pytest.param(coding.CIM10, "e11.9", CIM10, "E11.9", "e11.9", id="lower case"),
        pytest.param(coding.CIM10, "B24.+0", CIM10, "B24.+0", None, id="French extension"),
        pytest.param(coding.CIM10, "B24+9", CIM10, "B24+9", None, id="French extension without dot"),
        pytest.param(coding.CIM10, "HTA", CIM10, None, "HTA", id="not of the form"),
        pytest.param(coding.CIM10, "E11.9*", CIM10, None, "E11.9*", id="asterisk"),
        pytest.param(coding.CIM10, "K86", CISP, None, "K86", id="other system"),
        pytest.param(coding.CIM10, "I10", None, None, None, id="no system"),
        pytest.param(coding.CIM10, "I10", "CIM-10", None, None, id="system is not an OID"),
        pytest.param(coding.CIM10, "I10", "1.02.3", None, None, id="OID with a leading zero"),
        pytest.param(coding.CIM10, "I 10", CIM10, None, None, id="space"),
        pytest.param(coding.CIM10, "I10\n", CIM10, None, None, id="line feed"),
        pytest.param(coding.CIM10, "٣I1", CIM10, None, None, id="not ASCII"),
        pytest.param(coding.CIM10, None, CIM10, None, None, id="system alone"),
        pytest.param(coding.CIM10, "", "", None, None, id="empty"),
        pytest.param(coding.CCAM, "HHFA001", CCAM, "HHFA001", None, id="CCAM"),
        pytest.param(coding.CCAM, "HHFA00110", CCAM, "HHFA00110", None, id="CCAM with activity and phase"),
        pytest.param(coding.CCAM, "HHFA", CCAM, None, "HHFA", id="CCAM cut"),
        pytest.param(coding.CIS, "63564053", CIS, "63564053", None, id="CIS"),
        pytest.param(coding.CIS, "3400938022209", CIP, None, "3400938022209", id="CIP beside"),
        pytest.param(coding.CIS, "3400938022209", CIS, None, "3400938022209", id="CIP announced as CIS"),
        pytest.param(coding.CIM10, "<&>\"'", CISP, None, "<&>\"'", id="markup"),
    ],
)
def test_the_asked_code_stands_first_and_the_recorded_one_beside(asked, code, system, national, translation):
    found = element(asked, code, system)
    assert found.get("code") == national
    assert (found.get("codeSystem") is None) is (national is None)
    beside = found.find("translation")
    assert (beside.get("code") if beside is not None else None) == translation
    assert found.get("nullFlavor") == ("OTH" if translation and not national else None)
    assert found.find("originalText/reference").get("value") == "#p1"


@pytest.mark.parametrize(
    ("code", "system", "told"),
    [
        ("I10", CIM10, "I10"),
        ("I10", None, "I10"),
        ("I10", "CIM-10", "I10 (CIM-10)"),
        ("J 45", CIM10, f"J 45 ({CIM10})"),
        ("<", "&", "&lt; (&amp;)"),
        (None, CIM10, ""),
    ],
)
def test_a_code_that_no_element_holds_is_still_read(code, system, told):
    assert coding.cell(code, system) == told


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ("2019-03-28T09:30:00", "28/03/2019 09:30"),
        ("2019-03-28", "28/03/2019"),
        ("2019-03", "03/2019"),
        ("2019", "2019"),
        ("20190328", "20190328"),
        ("2019-W05-4", "2019-W05-4"),
        ("1-2-3-4", "1-2-3-4"),
        ("<1990>", "&lt;1990&gt;"),
        ("2019T<b>", "2019 &lt;b&gt;"),
        ("", ""),
        (None, ""),
    ],
)
def test_a_date_is_read_in_french_or_as_recorded(value, told):
    assert dating.shown(value) == told


@pytest.mark.parametrize(("value", "day"), [("1900-01-01T00:00:00", "19000101"), ("0001-01-01T00:00:00", "00010101")])
def test_an_instant_whose_zone_cda_cannot_write_keeps_its_day(value, day):
    assert dating.low(value) == f'<low value="{day}"/>'


@pytest.mark.parametrize(
    ("value", "escaped"),
    [
        ("Œdème d'œil", "Œdème d'œil"),
        ('<&>"', "&lt;&amp;&gt;&quot;"),
        ("a\x00b", "a\ufffdb"),
        ("\ud800", "\ufffd"),
        ("a\nb\tc", "a&#10;b&#9;c"),
        ("", ""),
        (None, ""),
    ],
)
def test_words_go_into_attributes_and_elements_alike(value, escaped):
    assert wording.words(value) == escaped
