"""An e-prescription, a history of vaccinations and a note of one, byte for byte: a change of what we write is read like code.

`pytest tests/unit/exporters/cda/test_approved_documents.py --approve` rewrites them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from transvase.exporters.cda import ep_med_dm, vac, vac_note
from transvase.exporters.cda.header import Signatory
from transvase.model.record import ROW

APPROVED = Path(__file__).resolve().parents[3] / "golden" / "cda"
IDS = "2.999.250.13.7"
CIS, CIP, ATC = "1.2.250.1.213.2.3.1", "1.2.250.1.213.2.3.2", "2.16.840.1.113883.6.73"


def row(table: str, key: str, **values: Any) -> Any:
    kind = ROW[table]
    return kind(**{name: ({"key": key, "patient": "7"} | values).get(name) for name in kind._fields})


def e_prescription() -> str:
    order = row("prescription", "41", category="medication", prescribed="2026-01-02T09:30:00", valid_until="2026-04-02")
    dosed = row(
        "prescription_line", "1", prescription="41", label="METFORMINE 1000 mg, comprimé", code="3400999000031", system=CIP,
        dosage="1 comprimé matin et soir", duration="3 mois", renewals=2, long_term=True, work_related=False, off_label=False,
        unsubstitutable=True, unsubstitutable_reason="Excipient", start="2026-01-02", stop="2026-04-02", dose="1",
        dose_unit="comprimé", frequency=2, period="1", period_unit="d", route="Voie orale", route_code="20053000", quantity="3",
        quantity_unit="boîte", instruction="Pendant le repas",
    )  # fmt: skip
    words = row("prescription_line", "2", prescription="41", label="Tisane", dosage="Si besoin")
    return ep_med_dm.event(order) + ep_med_dm.validity(order) + ep_med_dm.body(order, [dosed, words], IDS, b"%PDF-1.7")


def vaccinations() -> str:
    given = row(
        "immunization", "1", label="Vaccin tétanique", assertion="affirmed", code="J07AM", system=ATC, lot="4456672",
        given="2026-01-02", dose=2, booster=True, route="Voie intramusculaire", route_code="20035000", site="Deltoïde gauche",
        site_code="16217701000119102", performer="Infirmière", reaction="Fièvre", comment="Usager informé",
    )  # fmt: skip
    denied = row("immunization", "2", label="Grippe", assertion="denied")
    asked = row("immunization", "3", label="Fièvre jaune", assertion="not_recorded")
    return vac.body([given, denied, asked], IDS)


def vaccination_note() -> str:
    given = row(
        "immunization", "1", label="Vaccin tétanique", assertion="affirmed", code="68747507", system=CIS, lot="4456672",
        given="2026-01-02", dose=2, booster=True, route="Voie intramusculaire", route_code="20035000", site="Deltoïde gauche",
        site_code="16217701000119102", performer="Infirmière", reaction="Fièvre", comment="Usager informé",
    )  # fmt: skip
    code = '<code code="G15_10/SM26" displayName="Médecin - Qualifié en Médecine Générale" codeSystem="1.2.250.1.213.1.1.4.5"/>'
    doctor = Signatory('root="1.2.250.1.71.4.2.1" extension="899900000000"', code, "<family>DUPONT</family>")
    return vac_note.body(given, IDS, doctor, b"%PDF-1.7")


def lines(text: str) -> str:
    """One element a line, so that a difference can be read."""
    return text.replace("><", ">\n<") + "\n"


@pytest.mark.parametrize(
    "name, document",
    [
        ("e-prescription-structured-and-in-words", e_prescription),
        ("vaccination-given-denied-and-not-recorded", vaccinations),
        ("vaccinations-unknown", lambda: vac.body([], IDS)),
        ("vaccination-note", vaccination_note),
    ],
)
def test_the_document_is_the_one_approved(name, document, request):
    path, found = APPROVED / f"{name}.xml", lines(document())
    if request.config.getoption("--approve"):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(found, encoding="utf-8")
    assert found == path.read_text(encoding="utf-8"), f"{path.name} changed; if intended: pytest --approve"
