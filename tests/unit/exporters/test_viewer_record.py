"""What the viewer and the readable page show of a record: every section worded, text inert, order, events, series."""

from __future__ import annotations

import html as markup
import re
import unicodedata
from datetime import datetime
from html.parser import HTMLParser
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from transvase.exporters import readable_page
from transvase.exporters.viewer import members
from transvase.exporters.viewer.labels import LANGUAGES, texts
from transvase.exporters.viewer.record import IDENTITY, ORDER, SECTIONS, Place, inert, people, reading, series, view
from transvase.model.record import ROW, Record
from transvase.model.tables import TABLES

CLOCK = datetime(2026, 11, 23, 20, 0, tzinfo=ZoneInfo("Europe/Paris"))
PLAIN = {"text", "long", "date", "flag", "person", "lines", "number", "copy", "uri"}
# Where the values of a group are declared.
GROUPS = {"assertion": ("problem", "assertion"), "problem": ("problem", "category"), "severity": ("allergy", "severity"),
          "risk_factor": ("risk_factor", "category"), "flag_code": ("lab_result", "flag"), "lab_status": ("lab_result", "status"),
          "mode": ("encounter", "mode"), "prescription": ("prescription", "category"), "origin": ("document", "origin"),
          "status": ("appointment", "status"), "role": ("related_person", "role"), "scope": ("objection", "scope"),
          "sex": ("patient", "sex")}  # fmt: skip


def row(table: str, **values: Any) -> Any:
    blank = dict.fromkeys(ROW[table]._fields)
    return ROW[table](**{**blank, "key": "1", **({"patient": "p"} if "patient" in blank else {}), **values})


PATIENT = row("patient", key="p", birth_family="DUPONT", birth_given="ANNE", birth_date="1950-03-04", sex="F")


def shown(record: Record, patient: Any = PATIENT, places: tuple[Place, ...] = ()) -> Any:
    return view(patient, record, True, places, {"d": "Dr Anne Martin"})


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_section_column_and_coded_value_is_worded(language: Any) -> None:
    said = texts(language)
    kinds = {kind for columns in (*SECTIONS.values(), IDENTITY) for _, kind in columns} - PLAIN
    assert kinds == {*GROUPS, "form"}
    for group, (table, column) in GROUPS.items():
        values = next(c.values for c in TABLES[table].columns if c.name == column)
        assert values and all(f"{group}.{value}" in said["code"] for value in values), group
    assert all(
        f"form.{form}" in said["code"] for form in ("carried", "structured", "written", "plain", "repeated", "absent")
    )
    assert set(SECTIONS) == set(ORDER) <= set(said["section"])
    assert all(column in said["column"] for columns in (*SECTIONS.values(), IDENTITY) for column, _ in columns)


def test_both_languages_say_the_same_things_with_the_same_facts() -> None:
    french, english = map(texts, LANGUAGES)
    for group, found in french.items():
        assert found.keys() == english[group].keys()
        for key, text in found.items():
            assert set(re.findall(r"\{\w+\}", text)) == set(re.findall(r"\{\w+\}", english[group][key])), key


def test_the_script_asks_for_no_text_that_is_missing() -> None:
    script = next(
        data for name, data in members.page("Cabinet", "2026-11-23", "PA.ZIP", [1]) if name.endswith("app.js")
    ).decode()
    said = texts("fr")
    asked = set(re.findall(r'\bsay\("(\w+)"', script)) - {"integrity_"}
    assert len(asked) > 40 and asked <= set(said["say"])
    assert {"integrity_good", "integrity_bad", "integrity_listed"} <= set(said["say"])
    assert set(re.findall(r'\bsection\("(\w+)"', script)) <= set(said["section"])


@given(st.text())
def test_inert_text_has_nothing_unseen_and_keeps_the_rest(text: str) -> None:
    found = inert(text)
    assert inert(found) == found
    for sign in found:
        assert sign in "\t\n" or unicodedata.category(sign) not in ("Cc", "Cs", "Zl", "Zp")
        assert unicodedata.bidirectional(sign) not in ("LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI")
    kept = [c for c in text if unicodedata.category(c) in ("Lu", "Ll", "Lo", "Nd")]
    assert [c for c in found if unicodedata.category(c) in ("Lu", "Ll", "Lo", "Nd")] == kept


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("Gorge rouge < 3 jours", "Gorge rouge < 3 jours"),
        (r"{\rtf1\ansi\ansicpg1252\deff0{\fonttbl{\f0 Arial;}}\f0 Pas d'effet ind\'e9sirable.\par Revoir.\par}",
         "Pas d'effet indésirable.\nRevoir."),
        ("<p>Poids <b>stable</b>.</p><p>Revoir &agrave; 3 mois.</p><script>alert(1)</script>", "Poids stable.\nRevoir à 3 mois."),
        (r"{\rtf1 " + "{" * 500, ""),
        ("<b", "<b"),
    ],
)  # fmt: skip
def test_a_note_is_read_as_its_author_read_it(text: str, read: str) -> None:
    assert reading(text) == read


def test_newest_first_and_undated_last() -> None:
    notes = [
        row("note", key=str(n), recorded=day, text=f"n{n}")
        for n, day in enumerate((None, "2024-01-02T10:00", "2025", "2024-05"))
    ]
    assert [cells[0] for cells in shown({"note": notes}).tables["note"]] == [
        "2025",
        "2024-05",
        "2024-01-02T10:00",
        None,
    ]


def test_results_of_one_day_are_one_event() -> None:
    day = [row("lab_result", key=str(n), label=f"L{n}", value="1", measured=f"2024-01-02T0{n}:00") for n in range(3)]
    other = row("lab_result", key="9", label="L9", value="1", measured="2024-01-03T07:00")
    visit = row("encounter", start="2024-01-02T09:00", reason="suivi")
    assert shown({"lab_result": [*day, other], "encounter": [visit]}).timeline == [
        ("2024-01-03", "lab_result", 0, 1),
        ("2024-01-02", "encounter", 0, 1),
        ("2024-01-02", "lab_result", 1, 3),
    ]


def test_series_are_of_one_unit_and_leave_out_what_is_no_measure() -> None:
    def result(n: int, **values: Any) -> Any:
        return row(
            "lab_result", key=str(n), **{"label": "Glucose", "unit": "g/L", "measured": f"2024-01-0{n}", **values}
        )

    rows = [result(1, value="1.2", low="0.7", high="1.1"), result(2, value="1.0", low="0.7", high="1.1"), result(3, value="7", unit="mmol/L"),
            result(4, value_text="Négatif"), result(5, value="9", status="cancelled"), result(6, value="nan"), result(7, value="inf"),
            result(8, value="8.0", measured=None)]  # fmt: skip
    (one,) = series("lab_result", shown({"lab_result": rows}).tables["lab_result"])
    assert one == ("Glucose", "g/L", [("2024-01-01", 1.2), ("2024-01-02", 1.0)], 0.7, 1.1)


def test_a_statement_of_absence_is_told_apart_from_nothing_recorded() -> None:
    denied = [row("allergy", label="Pénicilline", assertion="denied")]
    page = readable_page.html(shown({"allergy": denied}), practice="C", clock=CLOCK, archive="PAT00001.ZIP").decode()
    assert "absence affirmée" in page.split('id="p-problem"')[0]
    assert "Aucune donnée enregistrée." in page.split('id="p-problem"')[1]


def test_people_are_named_as_on_a_letter() -> None:
    found = people(
        [row("practitioner", key="d", given="Anne", family="Martin", suffix="DR"), row("practitioner", key="e")]
    )
    assert found == {"d": "Dr Anne Martin", "e": ""}


class _Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}


HOSTILE = st.text(alphabet=st.sampled_from("<>\"'&=/;:()`{}\u202e\u2028\x00\nabonclikscrpt")) | st.sampled_from(
    [
        "<script>alert(1)</script>",
        '" onmouseover="alert(1)',
        "</style><img src=x onerror=alert(1)>",
        "javascript:alert(1)",
    ]
)


@settings(deadline=None)
@given(HOSTILE)
def test_no_value_becomes_markup(value: str) -> None:
    record: Record = {
        "allergy": [row("allergy", label=value, reaction=value, assertion="affirmed")],
        "note": [row("note", title=value, text="x" + value, practitioner=value, recorded=value)],
        "vital_sign": [
            row("vital_sign", key=str(n), label=value, unit=value, value=str(n), measured="2024") for n in range(2)
        ],
        "document": [row("document", key="d1", title=value, local_type=value, external_author=value, act=value)],
        "document_version": [row("document_version", key="v1", document="d1")],
    }
    patient = PATIENT._replace(birth_family=value, important=value, address=value)
    places = (Place("d1", "v1", "written", "DOC0002.XML", f"PDF/{value}.pdf"),)
    one = shown(record, patient, places)
    for beside in (False, True):
        parser = _Tags()
        parser.feed(
            readable_page.html(one, practice=value, clock=CLOCK, archive="PAT00001.ZIP", copies_beside=beside).decode()
        )
        assert not parser.tags & {"script", "img", "iframe", "object", "form", "link", "base"}
        assert not any(name.startswith("on") or name == "style" for name in parser.attributes)
    script = members.patient(1, 1, "0" * 64, one, False)[1]
    # One call, one line: nothing of a value ends the text it stands in.
    assert script.count(b"\n") == 1 and script.startswith(b"TRANSVASE.patient({") and script.endswith(b"});\n")
    assert not re.search("[\u2028\u2029\u202a-\u202e]", script.decode())


def test_the_page_is_the_same_twice_and_speaks_both_languages() -> None:
    record: Record = {"note": [row("note", title="Suivi", text="Bien", recorded="2024-03-28T10:00", practitioner="d")]}
    pages = {
        lang: readable_page.html(shown(record), practice="Cabinet", clock=CLOCK, archive="PAT00001.ZIP", language=lang)
        for lang in LANGUAGES
    }
    assert pages["fr"] == readable_page.html(shown(record), practice="Cabinet", clock=CLOCK, archive="PAT00001.ZIP")
    assert "28/03/2024\u00a010:00 · Suivi" in pages["fr"].decode() and "Dr Anne Martin" in pages["fr"].decode()
    assert '<html lang="en">' in pages["en"].decode() and "2024-03-28\u00a010:00 · Suivi" in pages["en"].decode()
    assert "Consultation notes" in markup.unescape(pages["en"].decode())
