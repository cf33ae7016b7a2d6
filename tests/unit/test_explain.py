"""What `transvase explain` says of a document and of a patient: everything that decides, each line with its rule and its source."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from transvase.assets.run import Run
from transvase.commands.explain import explained, patient_explained, patient_sentences, run, sentences
from transvase.commands.main import parser_of
from transvase.errors import BadCall, WorkMissing
from transvase.ledger.insi import JOURNAL, Call, Journal
from transvase.model.verdict import CATALOGUE
from transvase.settings import Settings, Work

from ..builders import CLOCK, OFFICE, Row, a_document, a_patient, an_objection, judged, practice  # noqa: TID252

# Values of the record that no line may hold.
VALUES = (
    "MARTIN",
    "PAUL",
    "1980-01-15",
    "75056",
    "1800175990001",
    "VAUTRIN",
    "Claire",
    "Annonce à faire",
    "Cabinet des Tilleuls",
)


def session(folder: Path, *rows: Any, **options: Any) -> Run:
    work = practice(folder, *rows)
    judged(work, **options)
    return Run(Settings(work=Work(folder=work)), CLOCK)


def asked(folder: Path, *rows: Any, key: str = "D1", **options: Any) -> tuple[dict[str, Any], list[str], list[str]]:
    """The answer about a document, and its sentences in French and in English; no value of the record in any of them."""
    answer = explained(session(folder, *rows, **options), key)
    assert answer is not None
    french, english = sentences(answer, "fr"), sentences(answer, "en")
    assert not [v for v in VALUES for line in (*french, *english, str(answer)) if v in line]
    return answer, french, english


def asked_of_patient(folder: Path, *rows: Any, **options: Any) -> tuple[dict[str, Any], list[str]]:
    run = session(folder, *rows, **options)
    answer = patient_explained(run, "P1")
    assert answer is not None
    told = patient_sentences(answer, "fr")
    assert not [v for v in VALUES for line in (*told, *patient_sentences(answer, "en"), str(answer)) if v in line]
    return answer, told


def test_a_document_that_goes(tmp_path: Path) -> None:
    answer, french, english = asked(tmp_path, *OFFICE, a_patient(), a_document())
    assert french == [
        "Document D1 : À alimenter, pas encore envoyé",
        "  Obligation : Compte rendu opératoire, depuis 2023-12-31 ; CSP L.1111-15; arrêté 26/04/2022 annexe I",
        "  Exclusions prévues : aucune ; acte du 2026-03-02 ; dû",
        "  DMP : oui, la liste le demande",
        "  MSSanté professionnels : oui, la liste le demande",
        "  MSSanté patient : oui, la liste le demande",
        # The test identifiers of the structure are told in every environment that takes them.
        *(line for line in french[6:] if "STR-ID-" in line or "PRO-ID-" in line or line.startswith("      ")),
    ]
    assert len(english) == len(french)
    assert [leg["leg"] for leg in answer["legs"]] == ["dmp", "mss_pro", "mss_patient"]


def test_each_verdict_is_told_with_its_rule_its_source_and_who_can_act(tmp_path: Path) -> None:
    rows = (
        a_patient(document_checked=False),
        a_document(withheld="Annonce à faire", masked_ps=True),
        an_objection(key="O1", recorded_by=None),
    )
    answer, french, english = asked(tmp_path, *rows)
    rules = [v["rule"] for v in answer["verdicts"]]
    assert {*rules} == {
        "OBJ-DMP",
        "DOC-WITHHELD",
        "RNIV-STATUS",
        "VIS-MSS",
        "DOC-MASKED",
        "VIS-APART",
        "OBJ-INCOMPLETE",
    }
    for rule in rules:
        (line,) = [i for i, text in enumerate(french) if text.strip().startswith(f"{rule} ")]
        assert CATALOGUE[rule].sentence_fr in french[line]
        assert french[line + 1].strip() == f"{CATALOGUE[rule].unblock} Source : {CATALOGUE[rule].source}."
        assert any(CATALOGUE[rule].sentence in text for text in english)
    # Those that block come first.
    severities = [v["severity"] for v in answer["verdicts"]]
    assert severities == sorted(severities)
    assert {v["rule"]: v["record"] for v in answer["verdicts"]}["RNIV-STATUS"] == "patient:P1"


def test_an_objection_to_another_document_is_not_told(tmp_path: Path) -> None:
    rows = (a_patient(), a_document(), a_document("D2"), an_objection(key="O1", document="D2", recorded=None))
    answer, _, _ = asked(tmp_path, *rows)
    assert answer["verdicts"] == []


def test_who_held_it_back_and_when_is_told(tmp_path: Path) -> None:
    held = {
        "withheld": "Annonce",
        "withheld_by": "1",
        "withheld_at": "2026-03-02T10:30:00",
        "masked_ps": True,
        "visibility_by": None,
    }
    objection = an_objection(key="O1", recorded="2026-02-01", recorded_by="2")
    answer, french, english = asked(tmp_path, a_patient(), a_document(**held), objection)
    assert answer["acts"] == [
        {"act": "objection", "by": "2", "at": "2026-02-01"},
        {"act": "restricted", "by": None, "at": "2026-03-02"},
        {"act": "withheld", "by": "1", "at": "2026-03-02"},
    ]
    assert "  Non transmis : décidé par le professionnel 1, 2026-03-02" in french
    assert "  Visibilité restreinte par le professionnel (non enregistré), 2026-03-02" in french
    assert "  Objection of the patient, recorded by professional 2, 2026-02-01" in english
    # The reason is the professional's own words on a patient: it stays in the record.
    assert not any("Annonce" in line for line in french)


def test_the_author_and_the_structure_are_part_of_the_reasoning(tmp_path: Path) -> None:
    office, doctor = OFFICE
    nobody = Row("practitioner", doctor.values | {"idnat": None})
    nowhere = Row("practice", office.values | {"struct_idnat": None})
    answer, french, _ = asked(tmp_path, nowhere, nobody, a_patient(), a_document())
    told = {v["rule"]: v["record"] for v in answer["verdicts"] if v["severity"] == "block"}
    assert told == {"PRO-ID-EMPTY": f"practitioner:{doctor.values['key']}", "STR-ID-EMPTY": "practice:1"}
    assert answer["outcome"] == "author"
    assert french[3].startswith("  DMP : non, STR-ID-EMPTY, la structure")


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        pytest.param({"type_code": "57833-6", "hospital_stay": False, "prior_agreement": None}, ["presumed", "designated", "presumed"], id="undecidable"),
        pytest.param({"type_code": "96349-6", "hospital_stay": False}, ["doubt", "doubt", "doubt"], id="date not confirmed"),
        pytest.param({"type_code": "34112-3"}, ["doubt", "not asked", "not asked"], id="DMP only"),
        pytest.param({"type_code": "11488-4"}, ["OBL-NONE"] * 3, id="not on the list"),
        pytest.param({"fed_state": "fed"}, ["DOC-FED"] * 3, id="fed before"),
    ],
)  # fmt: skip
def test_why_of_each_leg(tmp_path: Path, facts: dict[str, Any], expected: list[str]) -> None:
    words = {
        "presumed": "présumé : une exclusion reste à renseigner",
        "designated": "aux seuls destinataires que le patient désigne (cellule non confirmée par nos sources)",
        "doubt": "date non confirmée par nos sources",
        "not asked": "non, la liste ne le demande pas",
    }
    _, french, _ = asked(tmp_path, a_patient(), a_document(**facts))
    told = [line for line in french if re.match(r"  (DMP|MSSanté \w+) : ", line)]
    assert len(told) == 3
    for line, word in zip(told, expected, strict=True):
        assert words.get(word, word) in line


def test_the_nearest_types_of_an_unmapped_one(tmp_path: Path) -> None:
    answer, french, _ = asked(tmp_path, a_patient(), a_document(local_type="Compte rendu opératoire", type_code=None))
    assert answer["proposals"][0]["code"] == "34874-8"
    assert len(answer["proposals"]) == 3
    assert any(line.startswith("  Types nationaux les plus proches : 34874-8 ") for line in french)


def test_older_documents_of_a_fed_history(tmp_path: Path) -> None:
    rows = (a_patient(), a_document(act="2020-05-04"))
    _, french, _ = asked(tmp_path, *rows, before_obligation=True)
    assert french[0] == "Document D1 : À alimenter, pas encore envoyé"
    assert any("OBL-BEFORE signale (dmp)" in line for line in french)


def test_a_qualified_patient(tmp_path: Path) -> None:
    answer, told = asked_of_patient(
        tmp_path, a_patient(), a_document(), a_document("D2", type_code="11488-4"), a_patient("P2")
    )
    assert told[:4] == [
        "Patient P1 : identité qualifiée",
        "  Statut RNIV : QUAL, qualifiée ; obtenue d'INSi oui, contrôlée sur pièce oui",
        "  Matricule : NIR-TEST ; autorité admise dans cet environnement",
        "  Traits stricts : tous présents",
    ]
    assert "  Documents : 2 (Type hors liste réglementaire 1, À alimenter, pas encore envoyé 1)" in told
    assert told[-1] == "  Il ne manque rien pour alimenter le DMP."
    assert {r for r in CATALOGUE if r.startswith(("INS-", "RNIV-"))} - set(answer["without_finding"]) == {
        "RNIV-PLACE-DATE"
    }


PATIENTS = [
    # facts, status, rules that block, rules that are not said to be without finding
    pytest.param({"document_checked": False}, "RECUP", {"RNIV-STATUS"}, set(), id="retrieved"),
    pytest.param({"insi_confirmed": False}, "VALI", {"RNIV-STATUS"}, set(), id="validated"),
    pytest.param({"doubtful": True}, "PROV", {"RNIV-STATUS", "RNIV-DOUBTFUL"}, set(), id="doubtful"),
    pytest.param(
        {"ins": None},
        "VALI",
        {"RNIV-STATUS", "INS-EMPTY"},
        {"INS-LENGTH", "INS-KEY_MISMATCH"},
        id="no matricule: its form is not judged",
    ),
    pytest.param({"sex": None, "birth_place_code": ""}, "QUAL", {"RNIV-TRAIT"}, set(), id="traits missing"),
    pytest.param({"dmp": "closed"}, "QUAL", {"DMP-NONE"}, set(), id="closed DMP"),
]


@pytest.mark.parametrize(("facts", "status", "rules", "silent"), PATIENTS)
def test_what_is_missing(tmp_path: Path, facts: dict[str, Any], status: str, rules: set[str], silent: set[str]) -> None:
    answer, told = asked_of_patient(tmp_path, a_patient(**facts))
    assert answer["status"] == status
    assert {v["rule"] for v in answer["verdicts"] if v["severity"] == "block"} == rules
    assert not (rules | silent) & set(answer["without_finding"])
    assert "  Ce qu'il manque :" in told
    assert {f"    {CATALOGUE[r].unblock}" for r in rules} <= set(told)


def test_what_insi_answered(tmp_path: Path) -> None:
    run = session(tmp_path, a_patient())
    with Journal(run.work / JOURNAL) as journal:
        call = Call("P1", "traits", "given-1", "m-1", 1)
        journal.reserve(call, CLOCK - timedelta(1), 10)
        journal.answered(call, CLOCK - timedelta(1), "00")
        journal.concluded(call, CLOCK - timedelta(1), "00", "differs", ("birth_family",))
    answer = patient_explained(run, "P1")
    assert answer is not None
    assert answer["insi"] == {"day": "2026-11-22", "code": "00", "outcome": "differs", "traits": "birth_family"}
    assert "  Dernier appel INSi conclu : 2026-11-22 00 differs birth_family" in patient_sentences(answer, "fr")


def test_who_is_not_in_the_extraction(tmp_path: Path) -> None:
    run = session(tmp_path, a_patient(), a_document())
    assert explained(run, "P1") is None
    assert patient_explained(run, "D1") is None
    assert explained(run, "' OR 1=1 --") is None


def test_before_any_verdict(tmp_path: Path) -> None:
    run = Run(Settings(work=Work(folder=practice(tmp_path, a_patient()))), CLOCK)
    for ask in (explained, patient_explained):
        with pytest.raises(WorkMissing):
            ask(run, "P1")


# The command: a document first, else a patient.


def command(folder: Path, *arguments: str) -> Any:
    settings = folder / "transvase.toml"
    settings.write_text(
        '[source]\nproduct = "synthetic"\npath = "none.sqlite3"\n\n[work]\nfolder = "."\n', encoding="utf-8"
    )
    return parser_of("explain").parse_args([*arguments, "--settings", str(settings)])


@pytest.mark.parametrize(
    ("arguments", "first"),
    [
        pytest.param(("K2",), "Document K2 : ", id="a document"),
        pytest.param(("P1",), "Patient P1 : ", id="a key that is no document"),
        pytest.param(("--patient", "K2"), "Patient K2 : ", id="a patient who has the key of a document"),
        pytest.param(("K2", "--json"), '{"document":"K2",', id="a document as JSON"),
        pytest.param(("--patient", "P1", "--json"), '{"patient":"P1",', id="a patient as JSON"),
        pytest.param(("P1", "--lang", "en"), "Patient P1 : identity qualified", id="in English"),
    ],
)
def test_what_is_asked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], first: str
) -> None:
    judged(practice(tmp_path, a_patient("P1"), a_patient("K2", birth_family="DURAND"), a_document("K2", "P1")))
    assert run(command(tmp_path, *arguments)) == 0
    assert capsys.readouterr().out.startswith(first)


@pytest.mark.parametrize("arguments", [(), ("D1", "--patient", "P1"), ("nobody",), ("--patient", "D1")])
def test_what_cannot_be_asked(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    judged(practice(tmp_path, a_patient(), a_document()))
    with pytest.raises(BadCall):
        run(command(tmp_path, *arguments))
