"""National identifiers of professionals and structures, what a document inherits from them, and correspondents against the public
extractions (sheet practitioner-identifiers). Every number here is invented; those with a true key were given one by the formula."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from transvase.errors import BadCall
from transvase.model.verdict import CATALOGUE
from transvase.validators.professional import PS_IDNAT, STRUCT_IDNAT, luhn, professional_fault, structure_fault

from ..builders import NIR_OID, Judged, Row, a_document, a_patient, judged, practice  # noqa: TID252

B, W = "block", "warning"


def keyed(digits: str) -> str:
    """The digits and their Luhn key, by the schoolbook: double every second one from the right, sum the digits."""
    total = sum(int(c) for i, d in enumerate(reversed(digits)) for c in str(int(d) * (2 if i % 2 == 0 else 1)))
    return digits + str(-total % 10)


def unkeyed(number: str) -> str:
    """The same number with another key."""
    return number[:-1] + str((int(number[-1]) + 1) % 10)


RPPS, FINESS, SIREN = keyed("9970099100"), keyed("99000071"), keyed("99800072")
SIRET = keyed(SIREN + "0001")


def asked(expression: str, value: str | None) -> Any:
    import duckdb

    return duckdb.execute(f"SELECT {expression} FROM (SELECT ?::VARCHAR AS v)", [value]).fetchall()[0][0]


@given(some.text("0123456789", min_size=1, max_size=20))
def test_the_key_is_that_of_the_schoolbook(digits: str) -> None:
    assert asked(luhn("v"), keyed(digits)) is True
    assert asked(luhn("v"), unkeyed(keyed(digits))) is False


PROFESSIONALS = [
    pytest.param("8" + RPPS, None, id="RPPS"),
    pytest.param("8" + unkeyed(RPPS), "KEY RPPS", id="RPPS, wrong key"),
    pytest.param("8" + RPPS[:10], "FORM RPPS", id="RPPS of ten digits"),
    pytest.param("8" + RPPS + "1", "FORM RPPS", id="RPPS of twelve digits"),
    pytest.param("8" + RPPS[:10] + "O", "FORM RPPS", id="RPPS with a letter"),
    pytest.param("8" + RPPS[:10] + "\uff11", "FORM RPPS", id="full-width digit"),
    pytest.param("8" + RPPS + "\n", "FORM RPPS", id="line end"),
    pytest.param(RPPS, "PREFIX", id="RPPS without prefix"),
    pytest.param("0541234567", None, id="ADELI: its key is not enforced"),
    pytest.param("02A1234567", None, id="ADELI of Corsica"),
    pytest.param("00B1022322", "TEST ADELI", id="ADELI of the test kit"),
    pytest.param("054123456", "FORM ADELI", id="ADELI of eight characters"),
    pytest.param("154123456701/jdupont", None, id="someone in a cabinet ADELI"),
    pytest.param(f"3{FINESS}/42", None, id="someone in a FINESS"),
    pytest.param(f"3{unkeyed(FINESS)}/42", "KEY FINESS", id="someone in a wrong FINESS"),
    pytest.param("30B0007712/42", "TEST FINESS", id="someone in a test FINESS"),
    pytest.param(f"3{FINESS}", "FORM FINESS", id="a FINESS alone is nobody"),
    pytest.param(f"1{FINESS}", "FORM ADELI", id="a FINESS under the prefix of structures"),
    pytest.param(f"4{SIREN}/a b", None, id="someone in a SIREN"),
    pytest.param(f"4{unkeyed(SIREN)}/x", "KEY SIREN", id="someone in a wrong SIREN"),
    pytest.param(f"5{SIRET}/x", None, id="someone in a SIRET"),
    pytest.param(f"5{unkeyed(SIRET)}/x", "KEY SIRET", id="someone in a wrong SIRET"),
    pytest.param("535600000000015/x", None, id="La Poste: another rule, nothing is said"),
    pytest.param(f"6{RPPS}001/x", None, id="someone in a cabinet RPPS"),
    pytest.param(f"6{unkeyed(RPPS)}001/x", "KEY RPPS", id="someone in a wrong cabinet RPPS"),
    *(pytest.param(p + RPPS, "PREFIX", id=f"prefix {p}") for p in "279"),
    pytest.param("", "EMPTY", id="empty"),
    pytest.param("  ", "EMPTY", id="blank"),
    pytest.param(None, "EMPTY", id="absent"),
]
STRUCTURES = [
    pytest.param("1" + FINESS, None, id="FINESS"),
    pytest.param("1" + unkeyed(FINESS), "KEY FINESS", id="FINESS, wrong key"),
    pytest.param("12A0007712", None, id="FINESS of Corsica: its key is not known"),
    pytest.param("10B0007712", "TEST FINESS", id="FINESS of the test kit"),
    pytest.param("1" + FINESS[:8], "FORM FINESS", id="FINESS of eight characters"),
    pytest.param("2" + SIREN, None, id="SIREN"),
    pytest.param("2" + unkeyed(SIREN), "KEY SIREN", id="SIREN, wrong key"),
    pytest.param("3" + SIRET, None, id="SIRET"),
    pytest.param("3" + unkeyed(SIRET), "KEY SIRET", id="SIRET, wrong key"),
    pytest.param("335600000000015", None, id="La Poste: another rule, nothing is said"),
    pytest.param("3" + FINESS, "FORM SIRET", id="a FINESS under the prefix of professionals"),
    pytest.param("4" + RPPS + "001", None, id="RPPS and rank"),
    pytest.param("4" + unkeyed(RPPS) + "001", "KEY RPPS", id="RPPS and rank, wrong key"),
    pytest.param("4" + RPPS, "FORM RPPS", id="RPPS without rank"),
    pytest.param("054123456701", None, id="cabinet ADELI"),
    pytest.param("5" + SIRET, "TECHNICAL", id="the prefix of professionals for a SIRET"),
    pytest.param("R10100000123456", "TECHNICAL", id="technical number of the directory"),
    pytest.param(None, "EMPTY", id="absent"),
]


@pytest.mark.requirement("DMP-21")
@pytest.mark.parametrize(("value", "fault"), PROFESSIONALS)
def test_identifiers_of_professionals(value: str | None, fault: str | None) -> None:
    assert asked(professional_fault("v"), value) == fault


@pytest.mark.requirement("DMP-22")
@pytest.mark.parametrize(("value", "fault"), STRUCTURES)
def test_identifiers_of_structures(value: str | None, fault: str | None) -> None:
    assert asked(structure_fault("v"), value) == fault


@pytest.mark.requirement("DMP-22")
def test_the_two_tables_of_prefixes_differ() -> None:
    numbers = {"FINESS", "SIREN", "SIRET", "RPPS"}
    people = {v.number: k for k, v in PS_IDNAT.items() if v.form.endswith("/.+")}
    places = {v.number: k for k, v in STRUCT_IDNAT.items()}
    assert {n: (places[n], people[n]) for n in numbers} == {"FINESS": ("1", "3"), "SIREN": ("2", "4"), "SIRET": ("3", "5"), "RPPS": ("4", "6")}  # fmt: skip
    assert set(PS_IDNAT) == set("0134568")


@given(some.text(max_size=30))
def test_any_text_has_an_answer(value: str) -> None:
    text = value.replace("\0", "")
    kinds = {"EMPTY", "PREFIX", "TECHNICAL", "FORM", "TEST", "KEY", None}
    for expression in (professional_fault("v"), structure_fault("v")):
        found = asked(expression, text)
        assert (found.split()[0] if found else None) in kinds


# What stands against the professional, the structure, and the documents that leave under them.


def a_professional(key: str = "DR1", idnat: str | None = "8" + RPPS, **facts: Any) -> Row:
    return Row("practitioner", {"key": key, "practice": "S1", "idnat": idnat, "family": "VAUTRIN", "active": True, "specialty": "G15_10/SM26"} | facts)  # fmt: skip


def a_structure(key: str = "S1", struct_idnat: str | None = "1" + FINESS, **facts: Any) -> Row:
    values = {"name": "Cabinet", "oid": "2.25.1", "facility_type": "SA07", "practice_setting": "AMBULATOIRE"}
    return Row("practice", {"key": key, "struct_idnat": struct_idnat} | values | facts)


def run(folder: Path, *rows: Any, environment: str = "production", **options: Any) -> Judged:
    patient = a_patient(ins_oid=NIR_OID if environment == "production" else "1.2.250.1.213.1.4.10")
    return judged(practice(folder, patient, *rows), environment=environment, **options)


SEVERITIES = [
    # identifier, rule, in production, elsewhere
    pytest.param(None, "PRO-ID-EMPTY", B, B, id="none"),
    pytest.param("2" + RPPS, "PRO-ID-PREFIX", B, B, id="prefix"),
    pytest.param("8" + RPPS[:9], "PRO-ID-FORM", B, B, id="form"),
    pytest.param("00B1022322", "PRO-ID-TEST", B, W, id="test identifier"),
    pytest.param("8" + unkeyed(RPPS), "PRO-ID-KEY", B, W, id="key"),
    pytest.param(f"4{unkeyed(SIREN)}/x", "PRO-ID-KEY", W, W, id="key of a SIREN, read on no genuine number"),
]


@pytest.mark.parametrize("environment", ["production", "test", "sandbox"])
@pytest.mark.parametrize(("idnat", "rule", "strict", "lenient"), SEVERITIES)
def test_a_professional_blocks_their_documents(
    tmp_path: Path, environment: str, idnat: str | None, rule: str, strict: str, lenient: str
) -> None:
    rows = (
        a_structure(),
        a_professional(),
        a_professional("DR2", idnat),
        a_document("D1"),
        a_document("D2", practitioner="DR2"),
    )
    found = run(tmp_path, *rows, environment=environment)
    severity = strict if environment == "production" else lenient
    assert found.rules("practitioner", "DR2") == {rule: severity}
    assert found.rules("practitioner", "DR2", "portability") == {rule: W}
    assert found.rules("practitioner", "DR1") == {}
    assert found.decisions["D1"]["outcome"] == "to_send"
    expected = ("author", rule) if severity == B else ("to_send", None)
    assert (found.decisions["D2"]["outcome"], found.decisions["D2"]["rule"]) == expected


@pytest.mark.parametrize("environment", ["production", "test", "sandbox"])
@pytest.mark.parametrize(
    ("number", "rule", "strict", "lenient"),
    [
        pytest.param(None, "STR-ID-EMPTY", B, B, id="none"),
        pytest.param("3" + FINESS, "STR-ID-FORM", B, B, id="form"),
        pytest.param("10B0007712", "STR-ID-TEST", B, W, id="test identifier"),
        pytest.param("1" + unkeyed(FINESS), "STR-ID-KEY", B, W, id="key"),
        pytest.param("2" + unkeyed(SIREN), "STR-ID-KEY", W, W, id="key of a SIREN"),
        pytest.param("R10100000123456", "STR-ID-TECHNICAL", W, W, id="technical number"),
    ],
)
def test_the_structure_blocks_every_document(
    tmp_path: Path, environment: str, number: str | None, rule: str, strict: str, lenient: str
) -> None:
    rows = (a_structure("S1", number), a_structure("S2"), a_professional(practice="S2"), a_document())
    found = run(tmp_path, *rows, environment=environment)
    severity = strict if environment == "production" else lenient
    assert found.rules("practice", "S1") == {rule: severity}
    assert found.decisions["D1"]["outcome"] == ("author" if severity == B else "to_send")


def test_only_the_structure_that_documents_bear_blocks_them(tmp_path: Path) -> None:
    found = run(tmp_path, a_structure("S1"), a_structure("S2", None), a_professional(practice="S2"), a_document())
    assert found.rules("practice", "S2") == {"STR-ID-EMPTY": B}
    assert found.decisions["D1"]["outcome"] == "to_send"


@pytest.mark.parametrize(
    ("given", "outcome"), [("1" + FINESS, "to_send"), ("1" + FINESS[:8], "author"), ("", "author")]
)
def test_the_operators_identifier_stands_in_place_of_the_databases(tmp_path: Path, given: str, outcome: str) -> None:
    found = run(
        tmp_path, a_structure("S1", None), a_structure("S2"), a_professional(), a_document(), struct_idnat=given
    )
    assert found.decisions["D1"]["outcome"] == outcome


@pytest.mark.parametrize("unknown", [None, "DR9"])
def test_a_document_without_known_author_is_signed_by_the_first_who_works_there(
    tmp_path: Path, unknown: str | None
) -> None:
    gone, lead = a_professional("DR1", None, active=False), a_professional("DR2")
    document = a_document(practitioner=unknown)
    assert run(tmp_path / "a", a_structure(), gone, lead, document).decisions["D1"]["outcome"] == "to_send"
    wrong = a_professional("DR2", "8" + RPPS[:10])
    assert run(tmp_path / "b", a_structure(), gone, wrong, document).decisions["D1"]["rule"] == "PRO-ID-FORM"


def test_a_received_document_inherits_nothing(tmp_path: Path) -> None:
    found = run(tmp_path, a_structure("S1", None), a_professional(idnat=None), a_document(origin="received"))
    assert found.decisions["D1"]["rule"] == "DOC-RECEIVED"


def test_what_the_patient_lacks_comes_before_what_the_author_lacks(tmp_path: Path) -> None:
    rows = (a_structure("S1", None), a_professional(idnat=None), a_patient("P2", ins=None), a_document("D2", "P2"))
    assert run(tmp_path, *rows).decisions["D2"]["rule"] == "INS-EMPTY"


# Correspondents.


def a_correspondent(key: str = "C1", **facts: Any) -> Row:
    sound = {
        "key": key,
        "idnat": "8" + RPPS,
        "family": "Castelnau",
        "given": "Henri",
        "specialty": "G15_10/SM04",
        "mssante": "henri.castelnau@exemple.mssante.fr",
        "phone": "0300000103",
        "city": "Nancy",
    }
    return Row("correspondent", sound | facts)


# Labels as published once, with the empty last column; columns that we do not read stand between those that we do.
DIRECTORY_HEAD = (
    "Type d'identifiant PP|Identifiant PP|Identification nationale PP|Nom d'exercice|Prénom d’exercice|Code profession|"
    "Libellé profession|Code savoir-faire|Libellé savoir-faire|Code postal (coord. structure)|Libellé commune (coord. structure)|"
)
MAILBOX_HEAD = (
    "Type de BAL|Adresse BAL|Type d'identifiant PP|Identifiant PP|Identification nationale PP|Raison sociale|"
)
OTHER, THIRD = keyed("9970099101"), keyed("9970099102")


def person(
    rpps: str, family: str = "CASTELNAU", given: str = "HENRI", city: str = "NANCY", profession: str = "10"
) -> str:
    return (
        f"8|{rpps}|8{rpps}|{family}|{given}|{profession}|Médecin|SM04|Cardiologie et maladies vasculaires|54000|{city}|"
    )


def published(
    folder: Path, people: list[str], boxes: Sequence[tuple[str, str]] = (), encoding: str = "utf-8"
) -> dict[str, Path]:
    folder.mkdir(exist_ok=True)
    directory, mailboxes = (
        folder / "PS_LibreAcces_Personne_activite.txt",
        folder / "Extraction_Correspondance_MSSante.txt",
    )
    directory.write_bytes("\n".join([DIRECTORY_HEAD.replace("’", "'"), *people, ""]).encode(encoding))
    lines = [f'PER|{address}|8|{rpps}|8{rpps}|CABINET "DU PONT|' for rpps, address in boxes]
    mailboxes.write_bytes("\n".join([MAILBOX_HEAD, *lines, ""]).encode(encoding))
    return {"directory": directory, "mailboxes": mailboxes}


def table(work: Path) -> dict[str, dict[str, Any]]:
    import pyarrow.parquet as pq

    return {r["correspondent"]: r for r in pq.read_table(work / "verdicts" / "correspondents.parquet").to_pylist()}


QUALITIES = [
    # the correspondent, the directory, quality, identifier found, candidates
    pytest.param({}, [person(RPPS)], "identifier", RPPS, 1, id="same identifier"),
    pytest.param({}, [person(RPPS, "AUTRE", "NOM", "BREST")], "identifier", RPPS, 1, id="the identifier prevails over the name"),
    pytest.param({}, [person(RPPS), person(RPPS, city="TOUL"), person(OTHER)], "identifier", RPPS, 1, id="several activities"),
    pytest.param({"idnat": None}, [person(RPPS)], "name", RPPS, 1, id="name, profession and city"),
    pytest.param({"idnat": None, "city": "Saint-Dié"}, [person(RPPS, city="SAINT DIE CEDEX")], "name", RPPS, 1, id="city spelt otherwise"),
    pytest.param({"idnat": None, "specialty": "Cardiologie et maladies vasculaires"}, [person(RPPS)], "name", RPPS, 1, id="specialty in words"),
    pytest.param({"idnat": None}, [person(RPPS), person(RPPS, city="TOUL")], "name", RPPS, 1, id="one person, two places"),
    pytest.param({"idnat": "8" + THIRD}, [person(RPPS)], "name", RPPS, 1, id="an identifier that the directory has not"),
    pytest.param({"idnat": None}, [person(RPPS), person(OTHER)], "ambiguous", None, 2, id="two persons"),
    pytest.param({"idnat": None, "city": None}, [person(RPPS)], "ambiguous", None, 1, id="no city to compare"),
    pytest.param({"idnat": None, "given": None}, [person(RPPS)], "ambiguous", None, 1, id="no given name to compare"),
    pytest.param({"idnat": None, "specialty": None}, [person(RPPS)], "ambiguous", None, 1, id="no profession to compare"),
    pytest.param({"idnat": None}, [person(RPPS, given="PAUL")], "none", None, 0, id="another given name"),
    pytest.param({"idnat": None}, [person(RPPS, profession="60")], "none", None, 0, id="another profession"),
    pytest.param({"idnat": None}, [person(RPPS, city="BREST")], "none", None, 0, id="another city"),
    pytest.param({}, [], "none", None, 0, id="an empty directory"),
]  # fmt: skip
RULE = {"name": {"COR-BY-NAME": W}, "ambiguous": {"COR-AMBIGUOUS": W}, "none": {"COR-NOT-FOUND": W}, "identifier": {}}


@pytest.mark.parametrize("encoding", ["utf-8", "latin-1", "utf-8-sig"])
@pytest.mark.parametrize(("facts", "people", "quality", "found", "candidates"), QUALITIES)
def test_a_correspondent_in_the_directory(
    tmp_path: Path, encoding: str, facts: dict[str, Any], people: list[str], quality: str, found: str | None, candidates: int
) -> None:  # fmt: skip
    files = published(tmp_path / "annuaire", people, encoding=encoding)
    judgement = run(tmp_path, a_correspondent(**facts), directory=files["directory"])
    row = table(tmp_path)["C1"]
    assert (row["quality"], row["idnat"], row["candidates"]) == (quality, found and "8" + found, candidates)
    assert judgement.rules("correspondent", "C1", "portability") == RULE[quality]
    assert judgement.rules("correspondent", "C1") == {}


@pytest.mark.requirement("MSS-23")
@pytest.mark.parametrize(
    ("facts", "boxes", "addresses", "says"),
    [
        pytest.param({}, [(RPPS, "Henri.Castelnau@exemple.mssante.fr")], ["henri.castelnau@exemple.mssante.fr"], True, id="published"),
        pytest.param({}, [(RPPS, "b@x.mssante.fr"), (RPPS, "a@x.mssante.fr")], ["a@x.mssante.fr", "b@x.mssante.fr"], False, id="others are published"),
        pytest.param({}, [(OTHER, "a@x.mssante.fr")], [], False, id="none is published"),
        pytest.param({"mssante": None}, [(RPPS, "a@x.mssante.fr")], ["a@x.mssante.fr"], None, id="none is recorded"),
        pytest.param({"idnat": None}, [(RPPS, "a@x.mssante.fr")], ["a@x.mssante.fr"], None, id="known by name: nothing is compared"),
    ],
)  # fmt: skip
def test_the_published_mailboxes(
    tmp_path: Path, facts: dict[str, Any], boxes: list[tuple[str, str]], addresses: list[str], says: bool | None
) -> None:
    files = published(tmp_path / "annuaire", [person(RPPS)], boxes)
    judgement = run(tmp_path, a_correspondent(**facts), **files)
    row = table(tmp_path)["C1"]
    assert (row["addresses"], row["published"]) == (addresses, says)
    assert ("COR-MAILBOX" in judgement.rules("correspondent", "C1", "portability")) is (says is False)


def test_mailboxes_without_a_directory_are_joined_on_the_recorded_identifier(tmp_path: Path) -> None:
    files = published(tmp_path / "annuaire", [], [(RPPS, "a@x.mssante.fr")])
    run(tmp_path, a_correspondent(), mailboxes=files["mailboxes"])
    row = table(tmp_path)["C1"]
    assert (row["quality"], row["published"], row["addresses"]) == ("unchecked", False, ["a@x.mssante.fr"])


def test_nothing_is_said_of_correspondents_when_nothing_is_configured(tmp_path: Path) -> None:
    found = run(tmp_path, a_correspondent(), a_correspondent("C2", idnat=None))
    assert {r["quality"] for r in table(tmp_path).values()} == {"unchecked"}
    assert found.verdicts == {}


def test_what_is_recorded_of_a_correspondent(tmp_path: Path) -> None:
    rows = (
        a_correspondent("C1", mssante=None, phone=" "),
        a_correspondent("C2", mssante=None),
        a_correspondent("C3", phone=None),
        a_correspondent("C4", idnat="8" + unkeyed(RPPS), patient="P1"),
    )
    found = run(tmp_path, *rows)
    assert found.carrying("COR-COORDINATES", "portability") == {"C1"}
    assert found.carrying("PRO-ID-KEY", "portability") == {"C4"}
    assert [f.evidence for f in found.verdicts["correspondent", "C4"]] == ["correspondent.idnat RPPS"]


@pytest.mark.parametrize(
    "content",
    [None, b"", b"\xff\xfe\x00", b"a|b|\n1|2|\n", b"Identification nationale PP,Adresse BAL\n8,a@b\n"],
    ids=["absent", "empty", "binary", "other columns", "commas"],
)
@pytest.mark.parametrize("which", ["directory", "mailboxes"])
def test_what_is_no_extraction_is_refused(tmp_path: Path, which: str, content: bytes | None) -> None:
    path = tmp_path / "fichier.txt"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(BadCall, match=r"fichier\.txt"):
        run(tmp_path, a_correspondent(), **{which: path})


def test_hostile_lines_of_an_extraction_stay_text(tmp_path: Path) -> None:
    people = [person(RPPS, family="O'NEIL \"; DROP"), person(OTHER), "8|court", "|" * 40, '"|"|"|"']
    files = published(tmp_path / "annuaire", people)
    text = files["directory"].read_bytes()
    try:
        run(tmp_path, a_correspondent(idnat="8" + OTHER), directory=files["directory"])
    except BadCall as refused:
        # Lines with too many columns: refused as a whole, and nothing of them is quoted.
        assert "NEIL" not in str(refused)
    files["directory"].write_bytes(text.replace(b"|" * 40, b"|"))
    run(tmp_path, a_correspondent(idnat="8" + OTHER), directory=files["directory"])
    assert table(tmp_path)["C1"]["quality"] == "identifier"


UNCODED = [
    # what is recorded, what the operator's settings say, rules for either destination
    pytest.param({}, {}, "", set(), id="codes of the three sets"),
    pytest.param({"specialty": None}, {}, "", {"PRO-SPECIALTY"}, id="no specialty"),
    pytest.param({"specialty": "G15_10/SM99"}, {}, "", {"PRO-SPECIALTY"}, id="a specialty of no edition"),
    pytest.param({}, {"facility_type": None}, "", {"STR-FACILITY"}, id="no facility type"),
    pytest.param({}, {"facility_type": "Cabinet"}, "", {"STR-FACILITY"}, id="a label for a facility type"),
    pytest.param({}, {"facility_type": None}, "SA07", set(), id="the facility type of the settings"),
    pytest.param({}, {}, "SA99", {"STR-FACILITY"}, id="a wrong one in the settings"),
    pytest.param({}, {"practice_setting": "ambulatoire"}, "", {"STR-SETTING"}, id="a setting in small letters"),
]


@pytest.mark.requirement("DMP-36")
@pytest.mark.parametrize(("who", "where", "given_type", "rules"), UNCODED)
def test_codes_that_metadata_demand(
    tmp_path: Path, who: dict[str, Any], where: dict[str, Any], given_type: str, rules: set[str]
) -> None:
    rows = (a_structure(**where), a_professional(**who), a_document(practitioner="DR1"))
    work = run(tmp_path, *rows, facility_type=given_type)
    for destination in ("dmp", "portability"):
        found = work.rules("practitioner", "DR1", destination) | work.rules("practice", "S1", destination)
        assert {
            r: s for r, s in found.items() if r in ("PRO-SPECIALTY", "STR-FACILITY", "STR-SETTING")
        } == dict.fromkeys(rules, W)
    # The documents say that it is not defined: they leave.
    assert work.decisions["D1"]["outcome"] == "to_send"


def test_every_rule_of_professionals_is_met() -> None:
    met = {p.values[1] for p in SEVERITIES} | {
        "STR-ID-EMPTY",
        "STR-ID-FORM",
        "STR-ID-TEST",
        "STR-ID-KEY",
        "STR-ID-TECHNICAL",
    }
    met |= set().union(*(p.values[3] for p in UNCODED))
    met |= {"COR-BY-NAME", "COR-AMBIGUOUS", "COR-NOT-FOUND", "COR-MAILBOX", "COR-COORDINATES"}
    assert met == {r for r in CATALOGUE if r.startswith(("PRO-", "STR-", "COR-"))}
