"""A message to the byte: headers as the sheet wants them, addresses, names, the same bytes for the same facts."""

from __future__ import annotations

import re
from datetime import datetime
from email.header import decode_header, make_header
from email.parser import BytesParser
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as some

from transvase.exporters import mssante
from transvase.exporters.cda.header import record_target
from transvase.exporters.documents import Composed, Context, compose
from transvase.exporters.documents import context as a_context
from transvase.exporters.mssante import Letterhead, Mailbox
from transvase.formats.ascii_text import file_part
from transvase.model.record import ROW
from transvase.sandbox import mail_rules

from ...builders import CLOCK, DOCTOR, OFFICE, a_document, a_patient  # noqa: TID252

GOLDEN = Path(__file__).resolve().parents[2] / "golden" / "mssante"
MOMENT = datetime(2026, 11, 23, 20, 0, tzinfo=ZoneInfo("Europe/Paris"))
SENDER = "cabinet.essai@bac-a-sable.mssante.fr"
GP = "anne.martin@medecin.mssante.fr"
PDF = b"%PDF-1.4\n% a document\n%%EOF\n"


def row(table: str, **values: Any) -> Any:
    return ROW[table](**dict.fromkeys(ROW[table]._fields) | values)


class Facts:
    """A patient and a document, as the extraction leaves them."""

    def __init__(self, *, rank: int = 1, previous: str = "", **traits: Any) -> None:
        self.patient = row("patient", **a_patient("P1").values | traits)
        document = a_document("D1", "P1")[0].values | {"practitioner": DOCTOR}
        self.ctx: Context = a_context(
            row("practice", **OFFICE[0].values), [row("practitioner", **OFFICE[1].values)], CLOCK, "Transvase essai"
        )
        version = row(
            "document_version", key="V1", document="D1", version=rank, detected="pdf", sha256="0", size=len(PDF)
        )
        target = record_target(self.patient, self.ctx.practice.oid, qualified=True)
        self.composed: Composed = compose(
            self.ctx, target, True, row("document", **document), version, f"2.999.1.{rank}", previous, PDF, "DOC0001"
        )

    def message(self, destination: str = "mss_pro:C1", **options: Any) -> mssante.Message:
        to = (
            Mailbox(GP, "Anne Martin")
            if destination != "mss_patient"
            else Mailbox(mssante.patient_address(self.patient.ins, mail_rules.CITIZENS))
        )
        letterhead = options.pop("letterhead", Letterhead(Mailbox(SENDER, "Cabinet des Tilleuls"), "NIL-1"))
        return mssante.compose(
            self.ctx, letterhead, to, destination, self.patient, self.composed, MOMENT, qualified=True, **options
        )


def head(message: mssante.Message) -> dict[str, str]:
    parsed = BytesParser().parsebytes(message.data, headersonly=True)
    return {n: str(make_header(decode_header(re.sub(r"\r\n ", " ", str(v))))) for n, v in parsed.items()}


CASES: dict[str, tuple[dict[str, Any], str, dict[str, Any]]] = {
    "to-a-professional": ({}, "mss_pro:C1", {}),
    "to-the-patient": ({}, "mss_patient", {}),
    "replacement": (
        {"rank": 2, "previous": "2.999.1.1"},
        "mss_pro:C1",
        {"replaces": f"<0123456789@{SENDER.split('@')[1]}>"},
    ),
}


@pytest.mark.requirement("XDM-01", "XDM-03", "MSS-01", "MSS-04")
@pytest.mark.parametrize("name", CASES)
def test_the_bytes_are_those_expected_and_a_stranger_takes_them(name: str, request: pytest.FixtureRequest) -> None:
    facts, destination, options = CASES[name]
    made = Facts(**facts)
    message = made.message(destination, **options)
    path = GOLDEN / f"{name}.eml"
    if request.config.getoption("--approve"):
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(message.data)
    assert message.data == path.read_bytes(), "read the difference, then pytest --approve"
    recipient = GP if destination != "mss_patient" else mssante.patient_address(made.patient.ins, mail_rules.CITIZENS)
    assert mail_rules.check(message.data, SENDER, recipient)


def test_the_same_facts_give_the_same_bytes_and_another_instant_the_same_message_id() -> None:
    facts = Facts()
    assert facts.message() == facts.message()
    letterhead = Letterhead(Mailbox(SENDER, "Cabinet"), "NIL-1")
    later = mssante.compose(
        facts.ctx,
        letterhead,
        Mailbox(GP),
        "mss_pro:C1",
        facts.patient,
        facts.composed,
        MOMENT.replace(hour=23),
        qualified=True,
    )
    assert later.id == facts.message().id and later.data != facts.message().data


@pytest.mark.requirement("MSS-05")
def test_each_destination_and_each_version_has_its_message_id() -> None:
    ids = {
        mssante.message_id(u, d, SENDER)
        for u in ("1.2.1", "1.2.2")
        for d in ("mss_patient", "mss_pro:C1", "mss_pro:C2")
    }
    assert len(ids) == 6 and all(re.fullmatch(r"<[0-9a-f]{40}@bac-a-sable\.mssante\.fr>", i) for i in ids)


@pytest.mark.requirement("MSS-08", "MSS-10", "MSS-12", "MSS-13", "MSS-14")
def test_headers_of_the_sheet() -> None:
    found = head(Facts().message())
    assert found["From"] == f'"Cabinet des Tilleuls" <{SENDER}>' and found["To"] == f'"Anne Martin" <{GP}>'
    assert found["Disposition-Notification-To"] == f"<{SENDER}>"
    assert (found["X-MSS-CODECDA"], found["X-MSS-INS"], found["X-MSS-NIL"]) == ("34874-8", "O", "NIL-1")
    assert "X-MSS-MES" not in found and "In-Reply-To" not in found


@pytest.mark.requirement("MSS-09", "MSS-17")
@pytest.mark.parametrize(("answers", "expected"), [(False, "FIN"), (True, None)])
def test_a_patient_is_told_whether_an_answer_is_read(answers: bool, expected: str | None) -> None:
    letterhead = Letterhead(Mailbox(SENDER, "Cabinet"), "NIL-1", patient_answers=answers)
    found = head(Facts().message("mss_patient", letterhead=letterhead))
    assert found.get("X-MSS-MES") == expected
    assert re.fullmatch(r"<[0-9A-Z]{15}@patient\.mssante\.fr>", found["To"])


@pytest.mark.requirement("MSS-02")
@pytest.mark.parametrize(
    ("traits", "who"),
    [
        ({"birth_family": "Núñez-Müller", "birth_first_given": "Éloïse"}, "NUNEZ-MULLER Eloise"),
        ({"birth_family": "D'ARTÆGNAN", "birth_first_given": "Zoë"}, "D'ARTAEGNAN Zoe"),
        ({"birth_family": "LE  GOFF", "birth_first_given": None, "birth_given": "ANNE MARIE"}, "LE GOFF ANNE"),
    ],
)
def test_the_subject_names_the_patient_as_prescribed_and_nothing_more(traits: dict[str, Any], who: str) -> None:
    made = Facts(**traits)
    subject = head(made.message())["Subject"]
    label = made.composed.entry.type_code.display[:40].strip()
    assert subject == f"XDM/1.0/DDM+{label} {who}"
    for private in (made.patient.birth_date, made.patient.ins, str(made.patient.birth_date)[:4]):
        assert private not in subject


@pytest.mark.requirement("MSS-05", "MSS-15")
@pytest.mark.parametrize(
    ("mark", "form"), [("before", r"\[Annule et remplace\] XDM.*"), ("after", r"XDM.* \[Annule et remplace\]")]
)
def test_the_mark_of_a_replacement_stands_where_the_settings_say(mark: Any, form: str) -> None:
    letterhead = Letterhead(Mailbox(SENDER, "Cabinet"), "NIL-1", mark=mark)
    found = head(Facts().message(letterhead=letterhead, replaces="<0123456789@x.mssante.fr>"))
    assert re.fullmatch(form, found["Subject"])
    assert found["In-Reply-To"] == found["References"] == "<0123456789@x.mssante.fr>"


def test_the_text_names_no_patient() -> None:
    made = Facts()
    parts = BytesParser().parsebytes(made.message().data).get_payload()
    text = parts[0].get_payload(decode=True).decode()  # type: ignore[index, union-attr]
    assert "Cabinet des Tilleuls" in text
    assert not any(str(v) in text for v in (made.patient.birth_family, made.patient.ins, made.patient.birth_date))


LABELS = some.text(max_size=200)


@pytest.mark.requirement("MSS-06")
@given(label=LABELS)
def test_whatever_a_label_holds_the_header_is_one_and_says_it(label: str) -> None:
    made = mssante._folded("From", mssante._mailbox(Mailbox(SENDER, label)))
    assert made.isascii() and made.endswith("\r\n") and max(map(len, made.split("\r\n"))) <= 998
    parsed = BytesParser().parsebytes(made.encode() + b"\r\n")
    assert parsed.keys() == ["From"] and f"<{SENDER}>" in str(parsed["From"])


@pytest.mark.requirement("MSS-06")
@given(
    text=some.text(
        some.characters(blacklist_categories=("Cs", "Cc", "Zl", "Zp", "Zs", "Cn", "Co")), min_size=1, max_size=150
    )
)
def test_an_encoded_subject_is_read_back(text: str) -> None:
    made = mssante._folded("Subject", mssante._encoded(text))
    value = str(BytesParser().parsebytes(made.encode() + b"\r\n")["Subject"])
    assert str(make_header(decode_header(re.sub(r"\r\n ", " ", value)))) == text
    assert all(len(line) <= 76 or " " not in line.strip() for line in made.split("\r\n"))


NAMES = some.text(some.characters(blacklist_categories=("Cs", "Cc", "Cn")), max_size=80)


@pytest.mark.requirement("MSS-04")
@example(name="20260302_CR_000000000000000 0.pdf")
@given(name=NAMES.map(lambda part: f"20260302_CR_{file_part(part)}.pdf"))
def test_whatever_a_file_name_holds_it_is_read_back(name: str) -> None:
    made = mssante._disposition(name)
    assert made.isascii()
    assert BytesParser().parsebytes(made.encode() + b"\r\n").get_filename() == name
