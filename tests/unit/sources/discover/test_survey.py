"""A survey of small databases written here, each with a habit of old products; what it finds, and what it must not believe."""

from __future__ import annotations

import base64
import json
import sqlite3
from pathlib import Path

import pytest

from transvase.sources.discover import folder, links, queries, reading
from transvase.sources.discover.survey import Survey, facts, survey
from transvase.sources.engines import sqlite
from transvase.sources.mapping import load

NAMES = ["Durand", "Le Gall", "Martin", "Petit", "Moreau", "Garcia", "Roux", "Fontaine", "Chevalier", "Robin"]
PEOPLE = 40


def made(path: Path, *statements: str, **tables: list[tuple]) -> Path:
    connection = sqlite3.connect(path)
    for statement in statements:
        connection.execute(statement)
    for name, rows in tables.items():
        connection.executemany(f"INSERT INTO {name} VALUES ({', '.join('?' * len(rows[0]))})", rows)
    connection.commit()
    connection.close()
    return path


def seen(path: Path, sample: int = 20_000) -> Survey:
    with sqlite.opened(path) as view:
        return survey(view, "sqlite", sample)


def roles_of(found: Survey, table: str) -> dict[str, dict[str, str]]:
    out: dict[str, dict[str, str]] = {}
    for f in found.findings:
        if f.table == table:
            out.setdefault(f.column, {})[f.role] = f.said.fr
    return out


def born(n: int) -> str:
    return f"{n % 28 + 1:02d}/{n % 12 + 1:02d}/{1930 + n}"


def fiches(path: Path, *more: str, **tables: list[tuple]) -> Path:
    """A product whose table of patients does not say so: glued names, no key declared, numbers that are not dense."""
    people = [(1007 + 37 * n, NAMES[n % 10], f"Prénom{n}", born(n), n % 2 + 1, f"0{n}") for n in range(PEOPLE)]
    return made(
        path,
        "CREATE TABLE FICHES (NUMFICHE INTEGER, NOMPAT TEXT, PRENOMPAT TEXT, DATENAISS TEXT, SEXE INTEGER, TELDOM TEXT)",
        *more,
        FICHES=people,
        **tables,
    )


# -- patients and links ----------------------------------------------------------------------------------------------------


def test_a_table_of_patients_that_does_not_say_so(tmp_path):
    visits = [(n, 1007 + 37 * (n % PEOPLE), f"2024{n % 12 + 1:02d}{n % 28 + 1:02d}") for n in range(300)]
    found = seen(
        fiches(tmp_path / "a.db", "CREATE TABLE CONSULTS (N INTEGER, NUMFICHE INTEGER, JOUR TEXT)", CONSULTS=visits)
    )
    assert (found.patient.table, found.patient.key) == ("FICHES", "NUMFICHE")
    (link,) = found.links
    assert (link.table, link.column, link.grade, link.found.share) == ("CONSULTS", "NUMFICHE", "sure", 1.0)


@pytest.mark.parametrize(
    ("column", "values", "grade"),
    [
        pytest.param("PATIENT_ID", range(1, 41), "sure", id="name and values"),
        pytest.param("PATIENT_ID", [*range(1, 31), *range(900, 910)], "sure", id="orphans"),
        pytest.param("PATIENT_ID", range(500, 540), "doubt", id="name without the values"),
        pytest.param("PATIENT_ID", [None] * 40, "name", id="never filled"),
        pytest.param("PATIENT_ID", [0] * 40, "name", id="zeros for nobody"),
        pytest.param("PATIENT_ID", [str(n) for n in range(1, 41)], "sure", id="kept as text"),
        pytest.param("USER_ID", range(1, 41), None, id="small numbers are found in any dense key"),
        pytest.param("QUANTITE", range(1, 41), None, id="a quantity"),
        pytest.param("FOREIGN_ID", range(1, 41), "doubt", id="refers to anything"),
        pytest.param("PATIENT_COMMENT", ["rien"] * 40, None, id="about the patient, no key"),
    ],
)  # fmt: skip
def test_a_column_of_small_numbers(tmp_path, column, values, grade):
    path = made(
        tmp_path / "a.db",
        "CREATE TABLE patients (id INTEGER PRIMARY KEY, nom TEXT, prenom TEXT, naissance TEXT)",
        f"CREATE TABLE lignes (no INTEGER PRIMARY KEY, {column})",
        "CREATE TABLE users (id INTEGER PRIMARY KEY, login TEXT)",
        patients=[(n, NAMES[n % 10], f"P{n}", born(n)) for n in range(1, PEOPLE + 1)],
        lignes=list(enumerate(values, 100)),
        users=[(n, f"u{n}") for n in range(1, 60)],
    )
    found = {li.column: li.grade for li in seen(path).links if li.table == "lignes"}
    assert found == ({column: grade} if grade else {})


def test_values_alone_say_it_when_chance_cannot(tmp_path):
    path = made(
        tmp_path / "a.db",
        "CREATE TABLE patients (cle TEXT PRIMARY KEY, nom TEXT, prenom TEXT, naissance TEXT)",
        "CREATE TABLE suivi (no INTEGER PRIMARY KEY, xref TEXT, autre TEXT)",
        patients=[(f"K{n * 7919:08d}", NAMES[n % 10], f"P{n}", born(n)) for n in range(1, PEOPLE + 1)],
        suivi=[(n, f"K{n * 7919:08d}", f"J{n * 7919:08d}") for n in range(1, PEOPLE + 1)],
    )
    assert [(li.column, li.grade) for li in seen(path).links] == [("xref", "values")]


def test_an_empty_table_is_told_by_its_name_and_type(tmp_path):
    path = made(
        tmp_path / "a.db",
        "CREATE TABLE patients (id INTEGER PRIMARY KEY, nom TEXT, prenom TEXT, naissance TEXT)",
        "CREATE TABLE vaccins (id INTEGER PRIMARY KEY, patient_id INTEGER, patient TEXT, patient_date DATE)",
        patients=[(n, NAMES[n % 10], f"P{n}", born(n)) for n in range(1, PEOPLE + 1)],
    )
    assert [(li.column, li.grade) for li in seen(path).links] == [("patient_id", "name")]


def test_a_flag_beside_a_link_is_no_link(tmp_path):
    path = made(
        tmp_path / "a.db",
        "CREATE TABLE patients (id INTEGER PRIMARY KEY, nom TEXT, prenom TEXT, naissance TEXT)",
        "CREATE TABLE docs (id INTEGER PRIMARY KEY, patient_id INTEGER, visible_patient INTEGER)",
        patients=[(n, NAMES[n % 10], f"P{n}", born(n)) for n in range(1, PEOPLE + 1)],
        docs=[(n, n % PEOPLE + 1, n % 2) for n in range(100, 300)],
    )
    assert {li.column: li.grade for li in seen(path).links}.get("visible_patient", "doubt") == "doubt"
    assert {li.column for li in seen(path).links if li.grade == "sure"} == {"patient_id"}


def test_a_link_through_another_table(tmp_path):
    path = fiches(
        tmp_path / "a.db",
        "CREATE TABLE T_DOC (DOC_ID INTEGER PRIMARY KEY, DOC_FICHE INTEGER, NUMFICHE INTEGER)",
        "CREATE TABLE T_CONTENU (CNT_ID INTEGER PRIMARY KEY, CNT_DOC INTEGER, CNT_N INTEGER)",
        T_DOC=[(n, 0, 1007 + 37 * (n % PEOPLE)) for n in range(1, 90)],
        T_CONTENU=[(n, n, 1) for n in range(1, 90)],
    )
    (steps,) = seen(path).through.values()
    assert [(li.table, li.column, li.to_table) for li in steps] == [("T_CONTENU", "CNT_DOC", "T_DOC")]


def test_a_directory_of_doctors_is_no_table_of_patients(tmp_path):
    path = made(
        tmp_path / "a.db",
        "CREATE TABLE medecins (id INTEGER PRIMARY KEY, nom TEXT, prenom TEXT, ville TEXT, tel TEXT)",
        medecins=[(n, NAMES[n % 10], f"P{n}", "Nancy", f"03{n}") for n in range(PEOPLE)],
    )
    found = seen(path)
    assert found.patient is None and found.links == ()


def test_a_sample_still_compares_with_every_key(tmp_path):
    visits = [(n, 1007 + 37 * (n % PEOPLE), "") for n in range(300)]
    path = fiches(tmp_path / "a.db", "CREATE TABLE CONSULTS (N INTEGER, NUMFICHE INTEGER, JOUR TEXT)", CONSULTS=visits)
    found = seen(path, sample=12)
    assert {t.name: t.read for t in found.tables} == {"CONSULTS": 12, "FICHES": 12}
    (link,) = found.links
    assert (link.grade, link.found) == ("sure", (12, 12, 12 / PEOPLE))


def test_a_key_of_a_long_table_is_counted_by_the_engine(tmp_path):
    rows = [(n, n if n < 90 else 1, NAMES[n % 10]) for n in range(1, 101)]
    path = made(tmp_path / "a.db", "CREATE TABLE t (a INTEGER, b INTEGER, c TEXT)", t=rows)
    (table,) = seen(path, sample=50).tables
    # b repeats itself only after the sample.
    assert [c.name for c in links.candidate_keys(table)] == ["a"]


def test_bodies_beyond_the_budget_end_the_reading(tmp_path, monkeypatch):
    monkeypatch.setattr(reading, "HEAVY", 1_000_000)
    path = made(
        tmp_path / "a.db",
        "CREATE TABLE t (a INTEGER, b BLOB)",
        t=[(n, b"%PDF-1.4" + bytes(200_000)) for n in range(600)],
    )
    (table,) = seen(path).tables
    assert 200 <= table.read < 600
    assert set(table.column("b").natures) == {"pdf+nul"} and table.column("b").longest == 69_632


# -- roles -----------------------------------------------------------------------------------------------------------------

PDF = base64.b64encode(b"%PDF-1.4" + b"x" * 90).decode()


@pytest.mark.parametrize(
    ("column", "values", "role", "said"),
    [
        ("d TEXT", [born(n) for n in range(40)], "date-text", "texte contenant des dates : JJ/MM/AAAA 100 %"),
        ("d TEXT", [f"2024-{n % 12 + 1:02d}-01" for n in range(39)] + ["inconnue"], "date-text", "texte contenant des dates : AAAA-MM-JJ 98 %"),
        ("d TEXT", ["12/25/2020", "01/02/2021", "03/04/2021", "05/30/2022"], "date-text", "texte contenant des dates : MM/JJ/AAAA 100 %"),
        ("d DATE", ["2024-01-01"] * 9, "date-text", "texte contenant des dates : AAAA-MM-JJ 100 %"),
        ("d INTEGER", [20240100 + n % 28 + 1 for n in range(60)], "date-number", "nombre contenant des dates : AAAAMMJJ 100 %"),
        ("date_maj INTEGER", [1_700_000_000 + n for n in range(9)], "date-number", "nombre contenant des instants : secondes depuis 1970"),
        ("v TEXT", ["1,5", "12", "130,25", "7"], "number-text", "texte contenant des nombres : décimales à virgule 50 %, entiers 50 %"),
        ("cp TEXT", ["54000", "54100", "57000"] * 4, "number-text", None),
        ("tel TEXT", ["0383000000", "0383000001", "0383000002"], "number-text", None),
        ("annee TEXT", ["1999", "2001", "2012", "2024"], "date-text", None),
        ("v TEXT", ["rien", "a b", "12"], "number-text", None),
        ("f TEXT", [rf"C:\DOCS\{n}.PDF" for n in range(9)], "path", "noms ou chemins de fichiers 100 % : leur contenu est peut-être hors de la base"),
        ("b BLOB", [b"%PDF-1.4 a", b"{\\rtf1 abcdefgh}", b"\xff\xd8\xff\xe0", b"II*\0aaaa"], "content", "contenus : JPEG 25 %, PDF 25 %, RTF 25 %, TIFF 25 %"),
        ("x TEXT", [f"<?xml version='1.0'?><d><c>{PDF}</c></d>"] * 3, "content", "contenus : XML+BASE64:PDF 100 %"),
        ("p TEXT", ['a:1:{s:3:"abc";i:1;}'] * 3, "content", "contenus : PHP 100 %"),
        ("x TEXT", ["Un texte ordinaire d'une ligne"] * 3, "content", None),
        ("supprime INTEGER", [0, 1, 0, 0], "deleted", "suppression logique ? (drapeau, 2 valeur(s))"),
        ("deleted_at TEXT", ["2024-01-01 10:00:00", None, "2024-01-02 10:00:00", "2024-02-02 10:00:00"], "deleted", "suppression logique ? (date)"),
        ("is_active BOOLEAN", [1, 1, 0], "deleted", "ligne active ou non ? (drapeau, 2 valeur(s))"),
        ("suppression_motif TEXT", ["erreur de saisie", "doublon du dossier", "autre chose", "patient parti"], "deleted", None),
        ("t TEXT", ["HÃ©lÃ¨ne", "Zoe", "NoÃ«l"], "encoding", "encodage : UTF-8 encodé deux fois, réparable, 2 valeurs"),
        ("m", [1, "un", 2.5, b"\1\2"], "mixed", "types mêlés : décimal 25 %, entier 25 %, octets 25 %, texte 25 %"),
        ("etat TEXT", ["P", "V", "A"] * 6, "codes", "liste fermée ? 3 codes"),
        ("etat INTEGER", [1, 2, 9] * 6, "codes", "liste fermée ? 3 codes"),
        ("flag INTEGER", [0, 1] * 9, "codes", None),
        ("motif TEXT", ["Fièvre", "Toux"] * 9, "codes", None),
        ("ville TEXT", ["Nancy", "Toul"] * 9, "codes", None),
        ("medecin_id INTEGER", [1, 2] * 9, "codes", None),
        ("etat TEXT", [f"c{n}" for n in range(41)] * 6, "codes", None),
    ],
)  # fmt: skip
def test_a_role(tmp_path, column, values, role, said):
    path = made(tmp_path / "a.db", f"CREATE TABLE t (a INTEGER PRIMARY KEY, {column})", t=list(enumerate(values, 1000)))
    assert roles_of(seen(path), "t").get(column.split()[0], {}).get(role) == said


MIXED = ["1,5", "non", "2024-01-01", "Aa b", "x9"]


@pytest.mark.parametrize(
    ("columns", "rows", "found"),
    [
        ("id, patient, champ TEXT, valeur TEXT", [(n, n % 9, f"c{n % 5}", MIXED[n % 5]) for n in range(50)], ("champ", "valeur", 5, False)),
        ("cle TEXT, valeur TEXT", [("a", "1"), ("b", "non"), ("c", "x y"), ("d", "12/3")], ("cle", "valeur", 4, False)),
        ("form_id INTEGER, field_id TEXT, field_value TEXT", [], ("field_id", "field_value", 0, True)),
        ("code TEXT, libelle TEXT", [("a", "Un"), ("b", "Deux mots")], None),
        ("client_id TEXT, source_value TEXT", [], None),
    ],
)  # fmt: skip
def test_attributes_kept_as_rows(tmp_path, columns, rows, found):
    path = made(tmp_path / "a.db", f"CREATE TABLE t ({columns})", **({"t": rows} if rows else {}))
    assert [a[1:] for a in seen(path).attributes] == ([found] if found else [])


# -- the folder ------------------------------------------------------------------------------------------------------------


def hostile(path: Path) -> Path:
    """Names that are keywords, hold quotes, blanks, lines and commas; a table without rows, one without a key."""
    return made(
        path,
        'CREATE TABLE "sel""ect, \'patients\n" ("id" INTEGER PRIMARY KEY, "no""m" TEXT, nom TEXT, prenom TEXT, naissance TEXT, "order" TEXT)',
        'CREATE TABLE "group" ("a,b" INTEGER, "patient\n" INTEGER)',
        'CREATE TABLE "é\u202e" (rowid TEXT)',
        **{
            '"sel""ect, \'patients\n"': [(n, "x", NAMES[n % 10], f"P{n}", born(n), "b") for n in range(1, PEOPLE + 1)],
            '"group"': [(1, n) for n in range(1, PEOPLE + 1)],
        },
    )


def written(path: Path, target: Path, sample: int = 20_000) -> Survey:
    with sqlite.opened(path) as view:
        found = survey(view, "sqlite", sample)
        folder.write(found, view, target)
    return found


def test_the_folder_of_hostile_names_is_a_mapping(tmp_path):
    found = written(hostile(tmp_path / "a b;'.db"), tmp_path / "m")
    mapping = load(str(tmp_path / "m"))
    live = {t.name: tuple(c.name for c in t.columns) for t in found.tables}
    assert mapping.drift(live) == []
    assert {use.disposition for use in mapping.columns.values()} == {"native"}
    assert found.patient.table == "sel\"ect, 'patients\n" and "patient" in mapping.queries
    with sqlite.opened(tmp_path / "a b;'.db") as view:
        answer = view.query(mapping.queries["patient"], 100)
        (rows,) = answer.batches
    at = answer.names.index
    assert len(rows) == PEOPLE and {r[at("source_table")] for r in rows} == {found.patient.table}
    assert {r[at("source_key")] for r in rows} == {str(n) for n in range(1, PEOPLE + 1)}


def test_the_folder_is_the_same_twice(tmp_path):
    for name in "mn":
        written(fiches(tmp_path / f"{name}.db"), tmp_path / name)
    one, two = (
        {p.relative_to(tmp_path / n): p.read_bytes() for p in (tmp_path / n).rglob("*") if p.is_file()} for n in "mn"
    )
    toml = Path("mapping.toml")
    assert one.pop(toml).replace(b'"m"', b'"n"') == two.pop(toml) and one == two


def test_a_database_without_patients_still_gives_a_mapping(tmp_path):
    written(made(tmp_path / "a.db", "CREATE TABLE t (a)"), tmp_path / "m")
    assert load(str(tmp_path / "m")).queries == {}


def test_an_empty_database_still_gives_a_mapping(tmp_path):
    written(made(tmp_path / "a.db"), tmp_path / "m")
    assert load(str(tmp_path / "m")).columns == {}


def test_dates_and_names_become_canonical(tmp_path):
    written(fiches(tmp_path / "a.db"), tmp_path / "m")
    with sqlite.opened(tmp_path / "a.db") as view:
        answer = view.query(load(str(tmp_path / "m")).queries["patient"], 100)
        (rows,) = answer.batches
    first = dict(zip(answer.names, rows[1], strict=True))
    assert first["birth_date"] == "1931-02-02" and first["sex"] == "F"
    # The product declares no key: the extraction names a row by its number, and so does the query.
    assert (first["key"], first["source_key"]) == ("1044", "2")
    assert first["birth_family"] == first["used_family"] == "Le Gall"


def test_codes_are_written_when_repeated_and_never_for_a_person(tmp_path):
    states = ["PREVU"] * 30 + ["VENU"] * 30 + ["RARISSIME"]
    path = fiches(
        tmp_path / "a.db",
        "CREATE TABLE RDV (N INTEGER PRIMARY KEY, NUMFICHE INTEGER, ETAT TEXT)",
        RDV=[(n, 1007 + 37 * (n % PEOPLE), s) for n, s in enumerate(states, 5000)],
    )
    written(path, tmp_path / "m")
    codes = load(str(tmp_path / "m")).codes
    assert {n: [c[0] for c in lines] for n, lines in codes.items()} == {"rdv_etat": ["PREVU", "VENU"]}
    everything = "".join(p.read_text(encoding="utf-8") for p in (tmp_path / "m").rglob("*") if p.is_file())
    assert "RARISSIME" not in everything and "Chevalier" not in everything and "Prénom1" not in everything


def test_no_value_is_among_the_facts(tmp_path):
    path = fiches(
        tmp_path / "a.db",
        "CREATE TABLE RDV (N INTEGER PRIMARY KEY, NUMFICHE INTEGER, ETAT TEXT)",
        RDV=[(n, 1007 + 37 * (n % PEOPLE), "PREVU") for n in range(5000, 5090)],
    )
    told = json.dumps(facts(seen(path)), ensure_ascii=False)
    held = {
        str(v)
        for name in ("FICHES", "RDV")
        for row in sqlite3.connect(path).execute(f"SELECT * FROM {name}")
        for v in row
    }
    assert {v for v in held if len(v) > 4 and v in told} == set()


def test_every_guess_is_marked(tmp_path):
    found = written(fiches(tmp_path / "a.db"), tmp_path / "m")
    text = (tmp_path / "m" / "sql" / "patient.sql").read_text(encoding="utf-8")
    guesses = [line for line in text.splitlines() if " AS " in line and "source_" not in line]
    assert len(guesses) > 5 and all(queries.CHECK in line for line in guesses)
    assert found.patient.table in text
