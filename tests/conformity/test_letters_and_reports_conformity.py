"""Every form of laboratory report and liaison letter that we write passes the official XSD and Schematrons, warnings included.

The official rules run once for each model, on a folder of all its variants and one broken document. More documents, by hand:
`TRANSVASE_CAMPAIGN=1000 pytest tests/conformity/test_letters_and_reports_conformity.py -k campaign`.
"""

from __future__ import annotations

import os
import re
from typing import Any

import pytest

from transvase.exporters.cda import ldl
from transvase.exporters.cda.entries import units

from . import letters_and_reports as cases

pytestmark = [pytest.mark.shared, pytest.mark.slow]

MADE = {"cr-bio": cases.reports(), "ldl-ees": cases.entry_letters(), "ldl-ses": cases.discharge_letters()}
DRAWN = 8
# A templateId that the model demands.
NEEDED = {
    "cr-bio": '<templateId root="1.2.250.1.213.1.1.2.243"/>',
    "ldl-ees": '<templateId root="1.3.6.1.4.1.19376.1.5.3.1.3.20"/>',
    "ldl-ses": '<templateId root="1.2.250.1.213.1.1.2.35.1"/>',
}


@pytest.fixture(scope="module")
def found(shared, tmp_path_factory, request) -> dict[str, dict[str, Any]]:
    """Findings of the official rules, by model and name."""
    files = {f"{model}.{name}": text for model, made in MADE.items() for name, text in made.items()}
    files |= {f"{m}.drawn-{n}": cases.drawn(m, n) for m in cases.MODELS for n in range(DRAWN)}
    for model, template in NEEDED.items():
        broken = files[f"{model}.full"].replace(template, "", 1)
        assert broken != files[f"{model}.full"]
        files[f"{model}.control"] = broken
    folder = tmp_path_factory.mktemp("structured")
    return cases.checked(files, folder, shared, request.config.cache.mkdir("schematron"))


NAMES = [(m, n) for m, made in MADE.items() for n in made] + [(m, f"drawn-{n}") for m in MADE for n in range(DRAWN)]


@pytest.mark.parametrize(("model", "name"), NAMES)
def test_passes_every_rule(found, model, name):
    report = found[f"{model}.{name}"]
    assert not report["xsd"]
    assert not report["findings"]
    assert report["valid"]
    assert report["fired"][cases.MODELS[model]]


@pytest.mark.parametrize("model", cases.MODELS)
def test_the_rules_do_fire(found, model):
    assert not found[f"{model}.control"]["valid"]


def test_twenty_documents_of_each_model_at_least():
    assert all(len(made) + DRAWN >= 20 for made in MADE.values())


@pytest.mark.parametrize("model", cases.MODELS)
def test_campaign(shared, tmp_path_factory, request, model):
    """As many drawn documents as asked, by lots, without one finding."""
    count = int(os.environ.get("TRANSVASE_CAMPAIGN", "0"))
    if not count:
        pytest.skip("by hand: TRANSVASE_CAMPAIGN=1000")
    cache = request.config.cache.mkdir("schematron")
    passed = 0
    for first in range(0, count, 250):
        folder = tmp_path_factory.mktemp("campaign")
        files = {str(n): cases.drawn(model, n) for n in range(first, min(first + 250, count))}
        for name, report in cases.checked(files, folder, shared, cache).items():
            assert report["valid"], (name, report["xsd"], report["findings"])
            assert not report["findings"], (name, report["findings"])
            passed += 1
    assert passed == count


# ------------------------------------------------------------------ closed lists of the official data


def concepts(shared, name: str) -> set[tuple[str, str]]:
    """Code and system of each concept of a value set."""
    from lxml import etree

    tree = etree.parse(str(shared / "cisis" / "jeuxDeValeurs" / f"{name}.xml"))
    return {(c.get("code"), c.get("codeSystem")) for c in tree.iter("{urn:ihe:iti:svs:2008}Concept")}


@pytest.mark.parametrize(
    ("choices", "name"),
    [
        (ldl.ARRIVALS, "JDV_ModaliteEntree_CISIS"),
        (ldl.DEPARTURES, "JDV_ModaliteSortie_CISIS"),
        (ldl.STATES, "JDV_StatutDoc_CISIS"),
    ],
)
def test_choices_are_those_of_the_value_set(shared, choices, name):
    assert {(c.code, c.system) for c in choices.values()} == concepts(shared, name)


def test_every_unit_is_one_of_the_official_terminology(shared):
    path = "cisis/schematrons/profils/terminologies/terminologie/2.16.840.1.113883.6.8.xml"
    listed = {
        code.replace("&apos;", "'")
        for code in re.findall(r"<code>([^<]*)</code>", (shared / path).read_text(encoding="utf-8"))
    }
    assert listed
    assert units.UCUM - listed == set()
    assert set(units._WRITTEN.values()) - units.UCUM == set()
