"""The queries of a starter mapping, written where the evidence is good: a table whose name and columns are convincing, and whose rows say
to whom they belong. Each column is a guess and says so. What convinces is in `concepts` and `links`."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from transvase.sources.connection import COPIED
from transvase.sources.discover import concepts, links, names, roles
from transvase.sources.discover.concepts import Concept
from transvase.sources.discover.profile import Column, Table
from transvase.sources.discover.reading import place_of, quoted
from transvase.sources.discover.survey import Survey
from transvase.sources.tables import as_text
from transvase.sources.view import View

CHECK = "-- à vérifier"
# Rows whose key is compared with their cells.
_ROWS = 1000
_TEXT = {"mariadb": "CHAR", "duckdb": "VARCHAR", "tabular": "VARCHAR", **dict.fromkeys(COPIED, "VARCHAR")}
# UTF-8 that was encoded twice, undone by the engines that can.
_REPAIR = {
    "mariadb": "CONVERT(CAST(CONVERT({} USING latin1) AS BINARY) USING utf8mb4)",
    "postgresql": "convert_from(convert_to({}, 'WIN1252'), 'UTF8')",
}
_IN_USE = {"birth_family": "used_family", "birth_first_given": "used_given"}
_ROW_NUMBER = {
    "sqlite": "rowid",
    "duckdb": "rowid",
    "tabular": "rowid",
    "postgresql": "ctid",
    **dict.fromkeys(COPIED, "rowid"),
}


class Query(NamedTuple):
    """A query: the table it reads, its text, and the columns it uses with the canonical ones that they become."""

    table: str
    text: str
    used: tuple[tuple[str, str], ...]


class _Kind(NamedTuple):
    """A canonical table that may be guessed: the words that name it, the columns it may have, those without which it is not written."""

    words: frozenset[str]
    concepts: Mapping[str, Concept]
    needed: tuple[str, ...]


def _kind(words: Sequence[str], needed: Sequence[str], **columns: Concept) -> _Kind:
    return _Kind(frozenset(words), columns, tuple(needed))


def _dated(pattern: str) -> Concept:
    return Concept(re.compile(pattern), concepts.is_date)


def _worded(pattern: str) -> Concept:
    return Concept(re.compile(pattern), concepts.is_words)


_START = _dated(
    r"(?:date|dt|jour)?_?(?:deb|debut|start|begin)(?:_?(?:date|time))?|date|dt|date_?(?:heure|time)|event_?date|(?:date|dt)_?(?:rdv|acte|consult\w*|seance|encounter)"
)
_END = _dated(r"(?:date|dt)?_?(?:fin|end)(?:_?(?:date|time))?")
_KINDS = {
    "practitioner": _kind(
        ["practitioner", "praticien", "medecin", "doctor", "provider", "interv", "intervenant", "therapeute", "utilisateur", "user"],
        ["family"],
        family=concepts.PATIENT["used_family"],
        given=concepts.PATIENT["used_given"],
    ),
    "encounter": _kind(
        ["encounter", "consultation", "consult", "visite", "visit", "examination", "acte", "seance", "passage"],
        ["start"],
        start=_START,
        end=_END,
        reason=_worded(r"motif|reason|reason_?description|objet"),
    ),
    "appointment": _kind(
        ["appointment", "rdv", "rendezvous", "agenda", "event", "calendar"], ["start"], start=_START, end=_END,
        label=_worded(r"lib(?:elle)?|label|title|titre|objet|motif"),
    ),
    "note": _kind(
        ["note", "pnote", "observation"],
        ["text"],
        text=_worded(r"te?xte?|body|contenu|content|note|observation|commentaire"),
        title=_worded(r"titre|title|objet|subject"),
        recorded=_dated(r"date|dt|(?:date|dt)_?(?:saisie|creation|note)|created(?:_?at)?"),
    ),
}  # fmt: skip
# Words by which a table is told to somebody who looks for a canonical one.
_SPEAKING: Mapping[str, frozenset[str]] = {
    **{name: kind.words for name, kind in _KINDS.items()},
    "practice": frozenset(["practice", "cabinet", "struct", "structure", "facility", "office", "etablissement"]),
    "patient": names.PATIENT_WORDS,
    "related_person": frozenset(
        ["proche", "contact", "parent", "children", "child", "famille", "employer", "guardian", "tuteur"]
    ),
    "correspondent": frozenset(["corresp", "correspondant", "correspondent", "doctor", "regulardoctor", "referral"]),
    "personal_note": frozenset(["perso", "personal"]),
    "problem": frozenset(
        ["problem", "atcd", "antecedent", "diagnostic", "diagnosis", "pathologie", "history", "list", "issue"]
    ),
    "allergy": frozenset(["allergy", "allergie", "allerg", "intolerance", "list"]),
    "treatment": frozenset(["treatment", "traitement", "ttt", "medication", "drug", "list"]),
    "risk_factor": frozenset(["fdr", "risque", "risk", "tabac", "alcool", "history"]),
    "immunization": frozenset(["immunization", "vaccin", "vaccination", "vaccine"]),
    "vital_sign": frozenset(["vital", "const", "constante", "mesure", "biometrie"]),
    "lab_result": frozenset(["bio", "biologie", "labo", "lab", "result", "resultat", "analyse"]),
    "prescription": frozenset(["prescription", "ordo", "ordonnance", "order"]),
    "prescription_line": frozenset(["ordo", "lig", "ligne", "posologie", "prescription"]),
    "dispensation": frozenset(["dispensation", "delivrance", "sale"]),
    "document": frozenset(["doc", "document", "courrier", "letter", "fichier", "file", "piece"]),
    "document_version": frozenset(["doc", "document", "contenu", "version", "blob", "piece"]),
    "access_log": frozenset(["trace", "log", "audit", "journal", "access"]),
    "objection": frozenset(["oppos", "opposition", "consent", "consentement", "objection"]),
    "billing": frozenset(["facture", "billing", "invoice", "paiement", "paiment", "payment", "fse", "recette"]),
}


def speaks_of(canonical: str, table: str) -> bool:
    """Whether a table's name has a word of a canonical table."""
    return not _SPEAKING.get(canonical, frozenset()).isdisjoint({*names.tokens(table), *names.subject(table)})


def queries(found: Survey, view: View) -> dict[str, Query]:
    """The queries to write, by canonical table. The view is asked for the keys of some rows. Raises SourceUnreadable."""
    if found.patient is None:
        return {}
    tables = {t.name: t for t in found.tables}
    home = tables[found.patient.table]
    out = {"patient": _patient(found, view, home)}
    for name, kind in _KINDS.items():
        if best := _best(found, name, kind):
            out[name] = _query(
                found, view, name, best, concepts.guesses(best, kind.concepts), found.owner.get(best.name)
            )
    return out


def _best(found: Survey, name: str, kind: _Kind) -> Table | None:
    """The table with most rows whose name ends with a word of the kind and that has the columns needed; linked to the patient by values,
    except for practitioners."""
    fitting = []
    for table in found.tables:
        subject = names.subject(table.name)
        if (
            not table.rows
            or found.patient is None
            or table.name == found.patient.table
            or kind.words.isdisjoint(subject[-1:])
        ):
            continue
        link = found.owner.get(table.name)
        if (name == "practitioner") == (link is not None) or (link is not None and link.grade != "sure"):
            continue
        if set(kind.needed) <= set(concepts.guesses(table, kind.concepts)):
            fitting.append(table)
    return max(fitting, key=lambda t: t.rows) if fitting else None


def _patient(found: Survey, view: View, table: Table) -> Query:
    guessed = concepts.guesses(table, concepts.PATIENT)
    assert found.patient is not None
    return _query(found, view, "patient", table, guessed, None)


def _query(
    found: Survey,
    view: View,
    name: str,
    table: Table,
    guessed: Mapping[str, Column],
    link: links.Link | None,
) -> Query:
    kind = found.kind
    row = _row_key(found, view, table)
    key = _key(found, table)
    own = _text(kind, key) if key else row
    lines = [f"  {own} AS {quoted(kind, 'key')}, {CHECK} : clé, renvoyée par les autres tables"]
    used: list[tuple[str, str]] = [("key", key)] if key else []
    if link is not None:
        lines.append(f"  {_text(kind, link.column)} AS patient, {CHECK} : {_told(link)}")
        used.append(("patient", link.column))
    for canonical, column in guessed.items():
        value, more = _expression(kind, canonical, column), _form(column)
        other = guessed.get(_IN_USE.get(canonical, ""))
        if other is not None and column.filled < other.filled:
            value = f"COALESCE({value}, {_expression(kind, canonical, other)})"
            more = f" : rempli seulement quand il diffère de {_safe(other.name)} ?"
        lines.append(f"  {value} AS {quoted(kind, canonical)}, {CHECK}{more}")
        used.append((canonical, column.name))
    if name == "patient":
        lines += _names_completed(kind, guessed)
    lines.append(f"  '{_literal(kind, table.name)}' AS source_table,")
    lines.append(f"  {row} AS source_key")
    taken = {column for _, column in used}
    head = [
        f"-- Écrit par `transvase discover` : {_safe(table.name)}, {table.rows} lignes. Chaque ligne marquée est une supposition."
    ]
    head += [
        f"-- {_safe(f.column)} : {f.said.fr}."
        for f in found.findings
        if f.table == table.name and f.role in ("encoding", "deleted") and (f.role == "deleted" or f.column in taken)
    ]
    head += [
        f"-- Réparation de {_safe(c.name)}, pour les seules valeurs qui font l'aller-retour : {_REPAIR[kind].format(quoted(kind, c.name))}"
        for c in table.columns
        if c.name in taken and c.faults["double"] and kind in _REPAIR
    ]
    text = "\n".join([*head, "SELECT", *lines, f"FROM {place_of(kind, table.name)}"]) + "\n"
    return Query(table.name, text, tuple(used))


def _key(found: Survey, table: Table) -> str:
    """The key that other tables refer to most; else the first one."""
    if found.patient is not None and found.patient.table == table.name:
        return found.patient.key
    called = Counter(li.to_column for li in found.others if li.to_table == table.name)
    keys = [c.name for c in links.candidate_keys(table)]
    return max(keys, key=lambda name: (called[name], -keys.index(name)), default="")


def _names_completed(kind: str, guessed: Mapping[str, Column]) -> list[str]:
    """The name and given name of birth, from those in use, when the product has one of each only."""
    out = []
    for wanted, other in _IN_USE.items():
        if wanted not in guessed and other in guessed:
            value = _expression(kind, other, guessed[other])
            out.append(f"  {value} AS {wanted}, {CHECK} : le produit semble n'en avoir qu'un, repris de {other}")
    return out


def _expression(kind: str, canonical: str, column: Column) -> str:
    """SQL of a column in its canonical form; what has another form is left as recorded."""
    text = _text(kind, column.name)
    if canonical in ("birth_date", "death_date", "created", "start", "end", "recorded"):
        return _date(kind, canonical, column, text)
    if canonical == "sex":
        words = f"LOWER({text})"
        return (
            f"CASE WHEN {words} IN ('f', 'female', 'femme', 'feminin', 'féminin', '2') THEN 'F' "
            f"WHEN {words} IN ('m', 'h', 'male', 'homme', 'masculin', '1') THEN 'M' ELSE NULLIF({text}, '') END"
        )
    return f"NULLIF({text}, '')"


def _date(kind: str, canonical: str, column: Column, text: str) -> str:
    form = roles.main_date(column)
    instant = canonical in ("start", "end", "recorded")
    if found := re.match(r"(JJ|MM)([-/.])(JJ|MM)\2AAAA", form):
        sign = found[2]
        first, second = f"SUBSTR({text}, 1, 2)", f"SUBSTR({text}, 4, 2)"
        ordered = (second, first) if found[1] == "JJ" else (first, second)
        made = _joined(kind, f"SUBSTR({text}, 7, 4)", "'-'", ordered[0], "'-'", ordered[1])
        return f"CASE WHEN {text} LIKE '__{sign}__{sign}____' THEN {made} ELSE NULLIF({text}, '') END"
    if form == "AAAAMMJJ":
        made = _joined(kind, f"SUBSTR({text}, 1, 4)", "'-'", f"SUBSTR({text}, 5, 2)", "'-'", f"SUBSTR({text}, 7, 2)")
        return f"CASE WHEN {text} LIKE '________' THEN {made} ELSE NULLIF({text}, '') END"
    if instant and "HH:MM" in form:
        seconds = f"SUBSTR({text}, 12, 8)" if form.endswith("SS") else _joined(kind, f"SUBSTR({text}, 12, 5)", "':00'")
        made = _joined(kind, f"SUBSTR({text}, 1, 10)", "'T'", seconds)
        shape = "____-__-__ __:__" + (":__" if form.endswith("SS") else "")
        return f"CASE WHEN {text} LIKE '{shape}%' THEN {made} ELSE NULLIF({text}, '') END"
    day = text if instant else f"SUBSTR({text}, 1, 10)"
    return f"NULLIF(NULLIF({day}, ''), '0000-00-00')"


def _joined(kind: str, *parts: str) -> str:
    return f"CONCAT({', '.join(parts)})" if kind == "mariadb" else " || ".join(parts)


def _text(kind: str, column: str) -> str:
    return f"CAST({quoted(kind, column)} AS {_TEXT.get(kind, 'TEXT')})"


def _form(column: Column) -> str:
    form = roles.main_date(column)
    return f" ({form})" if form not in ("", "zéros") and column.dates[form] * 2 > column.filled else ""


def _told(link: links.Link) -> str:
    return f"vers {_safe(link.to_table)}.{_safe(link.to_column)}, {roles.percent(link.found.found, link.found.of)} des valeurs"


def _row_key(found: Survey, view: View, table: Table) -> str:
    """SQL that names a row as the extraction does: the columns of its key when some rows show them, else the engine's row number."""
    kind = found.kind
    key = _key(found, table)
    # The key that others refer to comes first: it may be equal to another one in these rows only.
    short = [c.name for c in table.columns if c.filled and c.longest <= 64 and c.family != "binary"]
    short.sort(key=lambda name: name != key)
    asked = [name for name in short if name in {c.name for c in links.candidate_keys(table)}] or short
    rows: list[tuple[Any, ...]] = next(iter(view.rows(table.name, asked, _ROWS).batches), [])
    if rows and (single := _matching(rows, [r[0] for r in rows], asked)):
        return _text(kind, single)
    if asked != short:
        rows = next(iter(view.rows(table.name, short, _ROWS).batches), [])
    parts = [r[0].split("|") for r in rows]
    if rows and len({len(p) for p in parts}) == 1 and len(parts[0]) > 1:
        columns = [_matching(rows, [p[place] for p in parts], short) for place in range(len(parts[0]))]
        if all(columns):
            return _joined(kind, *[piece for c in columns for piece in ("'|'", _text(kind, c))][1:])
    if kind in _ROW_NUMBER:
        return f"CAST({_ROW_NUMBER[kind]} AS {_TEXT.get(kind, 'TEXT')})"
    return _text(kind, key or table.columns[0].name)


def _matching(rows: Sequence[tuple[Any, ...]], keys: Sequence[str], columns: Sequence[str]) -> str:
    """The first column whose cells are the keys; empty when none is."""
    for place, column in enumerate(columns, 1):
        if all(r[place] is not None and as_text(r[place]) == key for r, key in zip(rows, keys, strict=True)):
            return column
    return ""


def _literal(kind: str, text: str) -> str:
    # Only MariaDB reads a backslash as more than itself.
    return (text.replace("\\", "\\\\") if kind == "mariadb" else text).replace("'", "''")


def _safe(name: str) -> str:
    """A name inside a comment of one line."""
    return " ".join(name.split())
