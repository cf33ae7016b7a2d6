"""The mapping folder to start from: every column accounted for as `native` with what was seen of it, the queries for which the evidence is
good, lists of codes to transcribe, and a reason for every table without a query. It extracts at once; somebody then corrects it.

What is written is in French, for who will correct it. The judging of columns belongs to `roles`, `links` and `concepts`.
"""

from __future__ import annotations

import csv
import io
import json
import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from transvase.formats import files
from transvase.model.tables import TABLES
from transvase.sources.discover import links, names, queries, roles
from transvase.sources.discover.queries import Query
from transvase.sources.discover.roles import percent, shares
from transvase.sources.discover.survey import Survey
from transvase.sources.tables import publish
from transvase.sources.view import View

# A name of `map_<name>` must fit PostgreSQL's 63 bytes.
_NAME = 50
_NUMBERS = {"bool": "booléens", "int": "nombres entiers", "float": "nombres décimaux"}


def write(found: Survey, view: View, folder: Path) -> dict[str, Any]:
    """Write the folder, which must not exist or be empty; what it holds, by file. The view is asked for the key of some rows only.

    Raises OutputUnwritable, DiskFull, SourceUnreadable."""
    written = queries.queries(found, view)
    building = files.private_folder(folder.with_name(f"{folder.name}.part"))
    try:
        shutil.rmtree(building)
        files.private_folder(building)
        codes = _codes(found)
        texts = {
            "mapping.toml": _head(found),
            "columns.csv": _columns(found, written, codes),
            "unserved.csv": _unserved(found, written),
            **{f"sql/{name}.sql": query.text for name, query in written.items()},
            **{f"mappings/{name}.csv": text for name, (_, _, text) in codes.items()},
        }
        for name, text in texts.items():
            files.private_folder((building / name).parent)
            files.write(building / name, text.encode())
        publish(building, folder)
    except OSError as error:
        raise files.output_error(error, folder) from None
    finally:
        shutil.rmtree(building, ignore_errors=True)
    return {
        "queries": {name: query.table for name, query in written.items()},
        "codes": sorted(codes),
        "files": sorted(texts),
    }


def product_of(found: Survey) -> str:
    """A name for the product: that of the database, without what a folder's name cannot hold."""
    stem = re.sub(r"\.(?:sqlite3?|db|duckdb|db3)$", "", found.name.partition("@")[0], flags=re.IGNORECASE)
    return re.sub(r"[^\w-]+", "-", stem).strip("-") or "produit"


def _head(found: Survey) -> str:
    rows = sum(t.rows for t in found.tables)
    lines = [
        "# Écrit par `transvase discover`, à relire : rien ici n'est sûr tant que personne ne l'a vérifié.",
        "# columns.csv garde tout en `native` : passez en `mapped` ce qu'une requête de sql/ reprend, en `excluded` (avec un motif) ce qui",
        "# ne doit pas sortir. unserved.csv donne une raison par table canonique sans requête ; mappings/ attend les codes nationaux.",
        f"product = {json.dumps(product_of(found), ensure_ascii=False)}",
        f'kind = "{found.kind}"',
        f'description = "Point de départ : {len(found.tables)} tables, {rows} lignes, {found.sample} lignes lues au plus par table."',
    ]
    if found.patient:
        lines.append(f"patient_table = {json.dumps(found.patient.table, ensure_ascii=False)}")
        why = " ; ".join(w.fr for w in found.patient.why)
        lines.append(f"# Pourquoi cette table : {_one_line(why)} ; clé {_one_line(found.patient.key)}.")
    return "\n".join(lines) + "\n"


def _columns(found: Survey, written: Mapping[str, Query], codes: Mapping[str, tuple[str, str, str]]) -> str:
    seen: dict[tuple[str, str], list[str]] = {}
    for table in found.tables:
        if attributes := next((a for a in found.attributes if a.table == table.name), None):
            sure = ", d'après les noms" if attributes.by_name else f", {attributes.distinct} attributs"
            seen[table.name, attributes.attribute] = [f"nom d'attribut (une ligne par attribut{sure})"]
            seen[table.name, attributes.value] = [f"valeur de l'attribut nommé par {attributes.attribute}"]
    for link in found.links:
        seen.setdefault((link.table, link.column), []).append(_of_patient(link))
    for link in found.others:
        seen.setdefault((link.table, link.column), []).append(
            f"lien vers {link.to_table}.{link.to_column} {percent(link.found.found, link.found.of)}"
        )
    for name, query in written.items():
        for canonical, used in query.used:
            seen.setdefault((query.table, used), []).append(
                f"repris par sql/{name}.sql ({name}.{canonical}), à vérifier"
            )
    for name, (table_name, coded, _) in codes.items():
        seen.setdefault((table_name, coded), []).append(f"codes dans mappings/{name}.csv")
    for f in found.findings:
        seen.setdefault((f.table, f.column), []).append(f.said.fr)
    out = _Csv("table", "column", "disposition", "target", "reason")
    for table in found.tables:
        keys = {c.name for c in links.candidate_keys(table)}
        for column in table.columns:
            reasons = seen.get((table.name, column.name), [])
            if column.name in keys:
                reasons = ["clé possible (toujours remplie, jamais deux fois la même)", *reasons]
            if not table.rows:
                reasons = [*reasons, "table vide"]
            elif not column.filled:
                reasons = [
                    *reasons,
                    "colonne vide" if table.read >= table.rows else "colonne vide dans les lignes lues",
                ]
            elif not reasons and column.shapes:
                reasons = [f"formes : {shares(column.shapes, column.filled, 2)}"]
            elif not reasons and set(column.kinds) <= set(_NUMBERS):
                reasons = [" et ".join(_NUMBERS[kind] for kind in sorted(column.kinds))]
            out.writerow((table.name, column.name, "native", "", " ; ".join(reasons)))
    return out.text


def _of_patient(link: links.Link) -> str:
    target = f"{link.to_table}.{link.to_column}"
    if link.grade == "name":
        return f"lien vers {target} d'après son nom (aucune valeur à comparer)"
    share = f"{percent(link.found.found, link.found.of)} ({link.found.found} valeurs distinctes sur {link.found.of})"
    return (
        f"lien vers {target} {share}"
        + {"sure": "", "values": ", par ses seules valeurs", "doubt": ", douteux"}[link.grade]
    )


def _codes(found: Survey) -> dict[str, tuple[str, str, str]]:
    """Files of codes of the tables that belong to patients: by name, the table, the column, the text."""
    belonging = {*found.owner, *found.through}
    tables = {t.name: t for t in found.tables}
    out: dict[str, tuple[str, str, str]] = {}
    for f in found.findings:
        if f.role != "codes" or f.table not in belonging:
            continue
        column = tables[f.table].column(f.column)
        text = _Csv("local", "code", "reason")
        for local, rows in roles.codes_of(column).items():
            text.writerow((local, "", f"à transcrire : {rows} lignes sur {tables[f.table].read} lues"))
        out[_free(names.plain(f"{f.table}_{f.column}"), out)] = (f.table, f.column, text.text)
    return out


def _free(name: str, taken: Mapping[str, Any]) -> str:
    base = re.sub(r"[^a-z0-9_]+", "_", name)[:_NAME]
    number, made = 1, base
    while made in taken:
        number += 1
        made = f"{base}_{number}"
    return made


def _unserved(found: Survey, written: Mapping[str, Query]) -> str:
    out = _Csv("table", "reason")
    for name in TABLES:
        if name in written or name == "native":
            continue
        alike = [f"{t.name} ({t.rows} lignes)" for t in found.tables if t.rows and queries.speaks_of(name, t.name)]
        reason = (
            f"à compléter ; tables dont le nom en parle : {', '.join(alike)}"
            if alike
            else "à compléter : aucune table reconnue par son nom"
        )
        out.writerow((name, reason))
    return out.text


def _one_line(text: str) -> str:
    return " ".join(text.split())


class _Csv:
    """Lines of a CSV file, as text."""

    def __init__(self, *header: str) -> None:
        self._file = io.StringIO(newline="")
        self._writer = csv.writer(self._file, lineterminator="\n")
        self._writer.writerow(header)

    def writerow(self, row: tuple[str, ...]) -> None:
        """Add a line."""
        self._writer.writerow(row)

    @property
    def text(self) -> str:
        """The whole file."""
        return self._file.getvalue()
