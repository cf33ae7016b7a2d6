"""Every form that an answer of INSi may take, and what the client concludes (sheet insi, sections 4 and 5)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transvase.gateways.insi import FAULTS, Answer, Identity, Matricule, read_answer

SOAP = "http://www.w3.org/2003/05/soap-envelope"
RESULT = "http://www.cnamts.fr/INSiResultat"
NIR, NIA = "1.2.250.1.213.1.4.8", "1.2.250.1.213.1.4.9"


def envelope(body: str) -> bytes:
    """The form of the public samples: no header, the body under another prefix."""
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<soap:Envelope xmlns:soap="{SOAP}"><S:Body xmlns:S="{SOAP}">{body}</S:Body></soap:Envelope>'
    ).encode()


def result(code: str, individual: str = "", label: str = "OK") -> bytes:
    return envelope(
        f'<RESULTAT xmlns:ns2="http://www.cnamts.fr/INSiRecSans" xmlns="{RESULT}"><CR><CodeCR>{code}</CodeCR>'
        f"<LibelleCR>{label}</LibelleCR></CR>{individual}</RESULTAT>"
    )


def matricule(name: str, number: str = "180032B020401", key: str = "23", oid: str = NIR, dates: str = "") -> str:
    cle = f"<Cle>{key}</Cle>" if key else ""
    return f"<{name}><IdIndividu><NumIdentifiant>{number}</NumIdentifiant>{cle}</IdIndividu><OID>{oid}</OID>{dates}</{name}>"


TIQ = {
    "NomNaissance": "CORSE",
    "Prenom": "ANTHONY",
    "ListePrenom": "ANTHONY PAUL",
    "Sexe": "M",
    "DateNaissance": "1980-03-02",
    "LieuNaissance": "2B020",
}


def individual(active: str = "", histo: str = "", **traits: str | None) -> str:
    values = {n: v for n, v in {**TIQ, **traits}.items() if v is not None}
    tiq = "".join(f"<{n}>{v}</{n}>" for n, v in values.items())
    return f"<INDIVIDU>{active or matricule('INSACTIF')}{histo}<TIQ>{tiq}</TIQ></INDIVIDU>"


def fault(code: str, subcode: str = "", erreur: str = "", reason: str = "Le patient CORSE est inconnu") -> bytes:
    sub = f"<soap:Subcode><soap:Value>soap:{subcode}</soap:Value></soap:Subcode>" if subcode else ""
    detail = ""
    if erreur:
        detail = (
            f'<soap:Detail><siram:Erreur code="{erreur}" messageID="uuid:b3549edd-4ae9-472a-b26f-fd2fb4ef397f" severite="erreur" '
            f'xmlns:siram="urn:siram">{reason}</siram:Erreur></soap:Detail>'
        )
    return envelope(
        f"<soap:Fault><soap:Code><soap:Value>soap:{code}</soap:Value>{sub}</soap:Code><soap:Reason>"
        f'<soap:Text xml:lang="fr">{reason}</soap:Text></soap:Reason>{detail}</soap:Fault>'
    )


ACTIVE = Matricule("180032B020401", "23", NIR)
CORSE = Identity(ACTIVE, (), "CORSE", "ANTHONY PAUL", "ANTHONY", "M", "1980-03-02", "2B020")
FOUND = result("00", individual())
PAGE = b"<!DOCTYPE html><html><body><h1>Service indisponible</h1></body></html>"

ANSWERS = [
    # The three documented codes.
    ("one identity", 200, FOUND, Answer("found", "00", CORSE)),
    ("none", 200, result("01", label="Aucune identite trouvee"), Answer("none", "01")),
    ("several", 200, result("02", label="Plusieurs identites trouvees"), Answer("several", "02")),
    ("an NIA", 200, result("00", individual(matricule("INSACTIF", "1090763220888", "35", NIA))),
     Answer("found", "00", CORSE._replace(active=Matricule("1090763220888", "35", NIA)))),
    ("no first given name", 200, result("00", individual(Prenom=None)), Answer("found", "00", CORSE._replace(first_given=""))),
    ("a lunar date is kept as it is", 200, result("00", individual(DateNaissance="1980-13-00")), Answer("found", "00", CORSE._replace(birth_date="1980-13-00"))),
    ("a comment between elements", 200, result("00", individual(matricule("INSACTIF") + "<!-- NIR -->")), Answer("found", "00", CORSE)),
    # History: dates absent, an end before the beginning, the active one again, several.
    ("the active one in the history", 200, result("00", individual(histo=matricule("INSHISTO"))), Answer("found", "00", CORSE._replace(former=(ACTIVE,)))),
    ("an end before its beginning", 200,
     result("00", individual(histo=matricule("INSHISTO", dates="<DateDeb>2020-01-02</DateDeb><DateFin>2019-01-02</DateFin>"))),
     Answer("found", "00", CORSE._replace(former=(ACTIVE._replace(since="2020-01-02", until="2019-01-02"),)))),
    ("two former ones", 200, result("00", individual(histo=matricule("INSHISTO") + matricule("INSHISTO", "2090763220888", "", NIA))),
     Answer("found", "00", CORSE._replace(former=(ACTIVE, Matricule("2090763220888", "", NIA))))),
    # 00 that cannot serve.
    *((f"found without {name}", 200, result("00", individual(**{name: None})), Answer("incomplete", "00")) for name in TIQ if name != "Prenom"),
    ("found with an empty trait", 200, result("00", individual(LieuNaissance="")), Answer("incomplete", "00")),
    ("found without a key", 200, result("00", individual(matricule("INSACTIF", key=""))), Answer("incomplete", "00")),
    ("found without an OID", 200, result("00", individual(matricule("INSACTIF", oid=""))), Answer("incomplete", "00")),
    # Documented faults.
    ("technical error of the traits search", 500, fault("Receiver", "siram_40", "insi_102"), Answer("later", "insi_102")),
    ("technical error of the card search", 500, fault("Receiver", "siram_40", "insi_101"), Answer("later", "insi_101")),
    ("unknown authorisation number", 500, fault("Sender", "siram_100", "desir_550"), Answer("caller", "desir_550")),
    ("certificate not named as due", 500, fault("Sender", "", "desir_560"), Answer("caller", "desir_560")),
    # Others: by who is at fault; the code when it has the form of one.
    ("a fault of nobody knows, of the service", 500, fault("Receiver", "siram_41", "insi_199"), Answer("later", "insi_199")),
    ("a fault of nobody knows, of ours", 500, fault("Sender", "siram_101"), Answer("refused", "siram_101")),
    ("a fault without any code of theirs", 500, fault("Sender"), Answer("refused", "Sender")),
    ("a fault with status 200", 200, fault("Receiver"), Answer("later", "Receiver")),
    ("a code that is a sentence is not kept", 500, fault("Sender", "", "Patient CORSE 180032B020401"), Answer("refused", "Sender")),
    ("overloaded", 503, PAGE, Answer("later", "HTTP503")),
    ("too many calls", 429, b"", Answer("later", "HTTP429")),
    # What is no answer of INSi.
    ("a page of a proxy", 200, PAGE, Answer("unreadable", "HTTP200")),
    ("a page of a proxy in error", 502, PAGE, Answer("unreadable", "HTTP502")),
    ("plain text", 500, b"Internal Server Error\n", Answer("unreadable", "HTTP500")),
    ("nothing", 200, b"", Answer("unreadable", "HTTP200")),
    ("a result with an error status", 500, FOUND, Answer("unreadable", "HTTP500")),
    ("two bodies", 200, FOUND.replace(b"</S:Body>", b"</S:Body><soap:Body/>"), Answer("unreadable", "HTTP200")),
    ("two results", 200, envelope(f'<RESULTAT xmlns="{RESULT}"/><RESULTAT xmlns="{RESULT}"/>'), Answer("unreadable", "HTTP200")),
    ("a result of another namespace", 200, FOUND.replace(b"INSiResultat", b"INSiResultat2"), Answer("unreadable", "HTTP200")),
    ("an entity", 200, b'<!DOCTYPE x [<!ENTITY a "00">]>' + FOUND.split(b"?>", 1)[1], Answer("unreadable", "HTTP200")),
    ("code 03, whose meaning is not public", 200, result("03"), Answer("unreadable", "RESULTAT")),
    ("no code", 200, result(""), Answer("unreadable", "RESULTAT")),
    ("one identity but none given", 200, result("00"), Answer("unreadable", "RESULTAT")),
    ("none, with an identity", 200, result("01", individual()), Answer("unreadable", "RESULTAT")),
    ("several, with an identity", 200, result("02", individual()), Answer("unreadable", "RESULTAT")),
    ("two identities under 00", 200, result("00", individual() + individual()), Answer("unreadable", "RESULTAT")),
    ("two active matricules", 200, result("00", individual(matricule("INSACTIF") * 2)), Answer("unreadable", "RESULTAT")),
    ("a trait twice", 200, FOUND.replace(b"<Sexe>M</Sexe>", b"<Sexe>M</Sexe><Sexe>F</Sexe>"), Answer("unreadable", "RESULTAT")),
    ("a number too short", 200, result("00", individual(matricule("INSACTIF", "18003"))), Answer("unreadable", "RESULTAT")),
    ("digits of another script", 200, result("00", individual(matricule("INSACTIF", "١٨٠٠٣٢٠٢٠٢٠٤٠"))), Answer("unreadable", "RESULTAT")),
    ("a key of three digits", 200, result("00", individual(matricule("INSACTIF", key="123"))), Answer("unreadable", "RESULTAT")),
    ("an OID that is none", 200, result("00", individual(matricule("INSACTIF", oid="NIR"))), Answer("unreadable", "RESULTAT")),
    ("a former one that is none", 200, result("00", individual(histo=matricule("INSHISTO", "x"))), Answer("unreadable", "RESULTAT")),
    ("a date of another form", 200, result("00", individual(DateNaissance="02/03/1980")), Answer("unreadable", "RESULTAT")),
    ("a sex in words", 200, result("00", individual(Sexe="Masculin")), Answer("unreadable", "RESULTAT")),
    ("a name of a thousand letters", 200, result("00", individual(NomNaissance="A" * 1000)), Answer("unreadable", "RESULTAT")),
    ("a comment that cuts a value", 200, result("00", individual(NomNaissance="COR<!-- -->SE")), Answer("unreadable", "RESULTAT")),
]  # fmt: skip


@pytest.mark.requirement("INSI-09", "INSI-10", "INSI-11")
@pytest.mark.parametrize(("status", "body", "expected"), [a[1:] for a in ANSWERS], ids=[a[0] for a in ANSWERS])
def test_what_an_answer_says(status: int, body: bytes, expected: Answer) -> None:
    assert read_answer(status, body) == expected


@pytest.mark.requirement("INSI-13")
def test_every_documented_fault_is_in_the_table() -> None:
    assert set(FAULTS) <= {answer.code for _, _, _, answer in ANSWERS}


def test_the_label_is_the_official_one_whatever_the_server_writes() -> None:
    assert read_answer(200, result("01", label="CORSE ANTHONY inconnu")).label == "Aucune identite trouvee"
    assert read_answer(500, fault("Sender")).label == ""


@pytest.mark.requirement("INSI-12")
@pytest.mark.parametrize("cut", range(1, len(FOUND), 13))
def test_a_truncated_answer_finds_nobody(cut: int) -> None:
    assert read_answer(200, FOUND[:cut]).kind == "unreadable"


@given(st.binary(max_size=300), st.integers(100, 599))
def test_no_bytes_find_anybody(body: bytes, status: int) -> None:
    assert read_answer(status, body).kind in ("unreadable", "later")


@pytest.mark.requirement("INSI-12")
@given(st.data())
def test_a_spoilt_answer_never_gives_half_an_identity(data: st.DataObject) -> None:
    """Replace a run of bytes anywhere: an identity that comes out is whole and of the documented forms."""
    at = data.draw(st.integers(0, len(FOUND) - 1))
    long = data.draw(st.integers(0, 60))
    answer = read_answer(200, FOUND[:at] + data.draw(st.binary(max_size=8)) + FOUND[at + long :])
    assert (answer.identity is not None) == (answer.kind == "found")
    if answer.identity:
        assert all(answer.identity._replace(former=("x",), first_given="x"))
        assert len(answer.identity.active.ins) == 15
