"""What names suggest, as vendors write them."""

from __future__ import annotations

import pytest

from transvase.sources.discover import names


@pytest.mark.parametrize(
    ("name", "words"),
    [("PatientId", ("patient", "id")), ("PATIENT_ID", ("patient", "id")), ("idPatient", ("id", "patient")), ("Né le", ("ne", "le")),
     ("adresse2", ("adresse", "2")), ("RDV", ("rdv",)), ("", ())],
)  # fmt: skip
def test_tokens(name, words):
    assert names.tokens(name) == words


@pytest.mark.parametrize(
    ("columns", "prefix"),
    [
        (["PAT_ID", "PAT_NOM", "PAT_PRENOM"], "pat"),
        (["id", "nom", "prenom"], ""),
        (["PAT_ID", "NOM", "PRENOM"], ""),
        (["a_b"], ""),
        ([], ""),
    ],
)
def test_prefix_of(columns, prefix):
    assert names.prefix_of(columns) == prefix


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("patient_id", 1.0),
        ("PatientID", 1.0),
        ("IDPAT", 1.0),
        ("CODPAT", 1.0),
        ("NUMPATIENT", 1.0),
        ("pid", 1.0),
        ("pc_pid", 1.0),
        ("PRO_PAT", 1.0),
        ("ipp", 1.0),
        ("malade", 1.0),
        ("patient_dob_usage", 0.5),
        ("patient_signature", 0.5),
        ("pid_holder", 0.5),
        ("encounter", 0.0),
        ("path", 0.0),
        ("pattern_id", 0.0),
        ("id", 0.0),
    ],
)
def test_says_patient(name, said):
    assert names.says_patient(names.tokens(name)) == said


def test_a_product_has_words_of_its_own():
    assert names.says_patient(("dossier", "id")) == 0.0
    assert names.says_patient(("dossier", "id"), ["dossier"]) == 1.0


@pytest.mark.parametrize(
    ("column", "table", "score"),
    [("doc_id", "T_DOC", 1.0), ("examination_id", "libreosteoweb_examination", 0.5), ("procedure_order_id", "procedure_order", 1.0),
     ("list_id", "lists", 1.0), ("order_id", "T_DOC", 0.0), ("id", "T_DOC", 0.0)],
)  # fmt: skip
def test_names_table(column, table, score):
    assert names.names_table(names.tokens(column), names.subject(table)) == score
