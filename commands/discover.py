"""Découvrir une base inconnue et ébaucher sa correspondance, à corriger ensuite.
/ Discover an unknown database and draft its mapping, to be corrected."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from transvase.commands.session import Progress, counted, with_json
from transvase.errors import BadCall, Said

if TYPE_CHECKING:
    from transvase.sources.discover.survey import Survey

# Tables and links printed before the rest is counted; --json has them all.
_SHOWN = 40
_ROLES = ("content", "path", "date-text", "date-number", "number-text", "deleted", "mixed", "encoding")


def arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the command."""
    parser.add_argument(
        "where",
        help="fichier, dossier de CSV/Parquet, ou adresse (postgresql://, mariadb://, sqlserver://, firebird://, odbc:) / file, folder or address",
    )
    parser.add_argument("folder", type=Path, help="dossier de correspondance à écrire / mapping folder to write")
    parser.add_argument(
        "--kind",
        choices=("sqlite", "duckdb", "tabular", "postgresql", "mariadb", "sqlserver", "firebird", "odbc"),
        default=None,
        help="nature de la base (défaut : reconnue) / kind of database (default: recognised)",
    )
    parser.add_argument(
        "--sample",
        type=int,
        default=20_000,
        metavar="ROWS",
        help="lignes lues au plus par table (défaut : 20000) / rows read at most from each table",
    )
    with_json(parser)


def run(options: argparse.Namespace) -> int:
    """Read the database gently, write the folder, print what was found; never a value of a record."""
    from tempfile import TemporaryDirectory

    from transvase.settings import Settings, source_password
    from transvase.sources.connection import opened
    from transvase.sources.discover import folder
    from transvase.sources.discover.survey import facts, survey

    if options.sample < 1:
        raise BadCall(
            what=Said("--sample : au moins une ligne", "--sample: at least one row"),
            mend=Said("par exemple --sample 20000", "such as --sample 20000"),
        )
    target = options.folder.absolute()
    if target.exists() and not (target.is_dir() and not any(target.iterdir())):
        raise BadCall(
            what=Said(
                f"{target.name} existe et n'est pas un dossier vide", f"{target.name} exists and is no empty folder"
            ),
            mend=Said(
                "donnez un autre nom, rien n'est jamais écrasé", "give another name, nothing is ever overwritten"
            ),
        )
    kind = options.kind or kind_of(options.where)
    if kind in ("fhir", "cda"):
        # Nothing to discover: the mapping ships, and a resource or a document says itself what it is.
        raise BadCall(
            what=Said(
                f"{Path(options.where).name} est un dossier que la correspondance embarquée `{kind}` lit tel quel",
                f"{Path(options.where).name} is a folder that the embedded mapping `{kind}` reads as it is",
            ),
            mend=Said(
                f'écrivez product = "{kind}" et path dans [source], puis lancez `transvase extract`',
                f'write product = "{kind}" and path in [source], then run `transvase extract`',
            ),
        )
    progress = Progress(options.lang)
    step = "tables lues" if options.lang == "fr" else "tables read"
    with (
        TemporaryDirectory() as scratch,
        opened(kind, options.where, source_password(Settings()), Path(scratch)) as view,
    ):
        found = survey(view, kind, options.sample, lambda done, total: progress(step, done, total, ""))
        written = folder.write(found, view, target)
    if options.json:
        print(json.dumps({**facts(found), "written": {"folder": target.name, **written}}, ensure_ascii=False))
        return 0
    for line in (*_lines(found, options.lang), *_written(found, written, target, options)):
        # A name comes from the database, and may hold what a terminal obeys.
        print("".join(c if c.isprintable() else "?" for c in line))
    return 0


_SCHEMES = {
    "postgresql": "postgresql", "postgres": "postgresql", "mariadb": "mariadb", "mysql": "mariadb", "sqlserver": "sqlserver", "mssql": "sqlserver",
    "firebird": "firebird",
}  # fmt: skip


def kind_of(where: str) -> str:
    """The kind of what stands at a path or an address. BadCall when nothing says it, or when an address holds a password."""
    from urllib.parse import urlsplit

    from transvase.errors import SourceMissing

    if where.lower().startswith("odbc:"):
        return "odbc"
    if "://" in where:
        try:
            parts = urlsplit(where)
            kind = _SCHEMES.get(parts.scheme)
            secret = parts.password is not None
        except ValueError:
            kind, secret = None, False
        if secret:
            raise BadCall(
                what=Said("l'adresse contient un mot de passe", "the address holds a password"),
                mend=Said("donnez-le dans TRANSVASE_SOURCE_PASSWORD", "give it in TRANSVASE_SOURCE_PASSWORD"),
            )
        if kind:
            return kind
    path = Path(where)
    if path.is_dir():
        names = [p.name.lower() for p in path.rglob("*") if p.is_file()]
        if any(n.endswith((".ndjson", ".ndjson.gz")) for n in names):
            return "fhir"
        tables = any(n.endswith((".csv", ".tsv", ".parquet")) for n in names)
        return "cda" if not tables and any(n.endswith((".xml", ".cda", ".zip")) for n in names) else "tabular"
    if not path.is_file():
        raise SourceMissing(path=path.name)
    try:
        with path.open("rb") as file:
            start = file.read(16)
    except OSError:
        start = b""
    if start == b"SQLite format 3\0":
        return "sqlite"
    if start[8:12] == b"DUCK":
        return "duckdb"
    raise BadCall(
        what=Said(f"la nature de {path.name} n'est pas reconnue", f"the kind of {path.name} is not recognised"),
        mend=Said(
            "donnez --kind, ou le dossier qui contient les fichiers CSV ou Parquet",
            "give --kind, or the folder that holds the CSV or Parquet files",
        ),
    )


def _lines(found: Survey, language: str) -> Iterator[str]:
    at = 0 if language == "fr" else 1
    from transvase.sources.discover.links import candidate_keys
    from transvase.sources.discover.roles import percent

    def say(french: str, english: str) -> str:
        return english if at else french

    rows = sum(t.rows for t in found.tables)
    columns = sum(len(t.columns) for t in found.tables)
    empty = sum(1 for t in found.tables if not t.rows)

    def sum_of(n: int, one_fr: str, several_fr: str, one: str, several: str) -> str:
        return counted(n, one_fr, several_fr, one, several, language)

    many = sum_of(len(found.tables), "table", "tables", "table", "tables")
    void = sum_of(empty, "vide", "vides", "of them empty", "of them empty")
    across = sum_of(columns, "colonne", "colonnes", "column", "columns")
    deep = sum_of(rows, "ligne", "lignes", "row", "rows")
    most = sum_of(found.sample, "ligne lue", "lignes lues", "row read", "rows read")
    yield say(
        f"{found.name} ({found.kind}) : {many} dont {void}, {across}, {deep} ; au plus {most} par table.",
        f"{found.name} ({found.kind}): {many}, {void}, {across}, {deep}; at most {most} from each.",
    )
    yield ""
    yield say("Tables par nombre de lignes", "Tables by rows")
    full = sorted((t for t in found.tables if t.rows), key=lambda t: (-t.rows, t.name))
    for table in full[:_SHOWN]:
        keys = ", ".join(c.name for c in candidate_keys(table)[:3])
        yield (
            f"  {table.rows:>9}  {table.name}  "
            + f"({sum_of(len(table.columns), 'colonne', 'colonnes', 'column', 'columns')}"
            + (say(f" ; clés possibles : {keys})", f"; possible keys: {keys})") if keys else ")")
        )
    if len(full) > _SHOWN:
        yield say("  et ", "  and ") + sum_of(len(full) - _SHOWN, "autre", "autres", "more", "more")
    yield ""
    if found.patient is None:
        yield say(
            "Aucune table ne ressemble à celle des patients : ni noms, ni dates de naissance dans une table qui ait une clé.",
            "No table looks like the patients': no names nor dates of birth in a table with a key.",
        )
    else:
        patient = found.patient
        yield say(
            f"Table des patients : {patient.table}, clé {patient.key} (note {_decimal(patient.score)}"
            + (f" ; ensuite {patient.next}, {_decimal(patient.next_score)})" if patient.next else ")"),
            f"Table of patients: {patient.table}, key {patient.key} (score {patient.score:g}"
            + (f"; next {patient.next}, {patient.next_score:g})" if patient.next else ")"),
        )
        yield from (f"  - {why[at]}" for why in patient.why)
        yield ""
        yield say(
            "Colonnes qui disent à quel patient une ligne appartient (part des valeurs distinctes retrouvées dans sa clé)",
            "Columns that say to which patient a row belongs (share of distinct values found in the key)",
        )
        for link in (li for li in found.links if li.grade in ("sure", "values")):
            share = percent(link.found.found, link.found.of)
            alone = say(", par ses valeurs seules", ", by its values alone") if link.grade == "values" else ""
            of = say("sur", "of")
            yield f"  {share:>6}  {link.table}.{link.column} -> {link.to_column}  ({link.found.found} {of} {link.found.of}{alone})"
        by_name = [f"{li.table}.{li.column}" for li in found.links if li.grade == "name"]
        if by_name:
            yield say(
                "  d'après leur nom seul, faute de valeurs : ", "  by their name alone, for want of values: "
            ) + ", ".join(by_name)
        for link in (li for li in found.links if li.grade == "doubt"):
            share = percent(link.found.found, link.found.of)
            yield say("  douteux : ", "  doubtful: ") + f"{link.table}.{link.column} -> {link.to_column} {share}"
        for table_name, path in found.through.items():
            steps = " -> ".join(f"{li.to_table}.{li.to_column}" for li in path)
            yield (
                say("  par une autre table : ", "  through another table: ")
                + f"{table_name}.{path[0].column} -> {steps}"
            )
    for role in _ROLES:
        told = [f for f in found.findings if f.role == role]
        # A third of a large schema is often empty: a flag of deletion in a table without rows can wait.
        filled = {(t.name, c.name) for t in found.tables for c in t.columns if c.filled}
        told = [f for f in told if (f.table, f.column) in filled]
        if told:
            yield ""
            yield _TITLES[role][at]
            yield from (f"  {f.table}.{f.column} : {_short(f.said[at], _TITLES[role])}" for f in told)
    if found.attributes:
        yield ""
        yield say(
            "Attributs rangés en lignes (entité, attribut, valeur)",
            "Attributes kept as rows (entity, attribute, value)",
        )
        for a in found.attributes:
            how = (
                say("d'après les noms, table vide", "by names, empty table")
                if a.by_name
                else sum_of(a.distinct, "attribut", "attributs", "attribute", "attributes")
            )
            yield f"  {a.table} : {a.attribute} = {a.value} ({how})"


def _short(said: str, title: tuple[str, str]) -> str:
    """What was seen, without the words that its title has said already."""
    before, colon, after = said.partition(": ")
    return after if colon and title in _SAYING else f"{before}{colon}{after}"


def _decimal(number: float) -> str:
    return f"{number:g}".replace(".", ",")


_TITLES = {
    "content": ("Contenus", "Contents"),
    "path": ("Fichiers nommés", "Files named"),
    "date-text": ("Dates gardées en texte", "Dates kept as text"),
    "date-number": ("Dates gardées en nombre", "Dates kept as numbers"),
    "number-text": ("Nombres gardés en texte", "Numbers kept as text"),
    "deleted": ("Suppressions logiques", "Soft deletions"),
    "mixed": ("Types mêlés", "Mixed types"),
    "encoding": ("Encodages qui mentent", "Encodings that lie"),
}


# What is seen under these begins with the title itself.
_SAYING = [_TITLES[role] for role in ("content", "date-text", "date-number", "number-text", "mixed", "encoding")]


def _written(found: Survey, written: dict[str, Any], target: Path, options: argparse.Namespace) -> Iterator[str]:
    yield ""
    queries = ", ".join(f"{name} ({table})" for name, table in written["queries"].items()) or "-"
    key, where = ("url", options.where) if "://" in options.where else ("path", options.where)
    files = counted(len(written["files"]), "fichier", "fichiers", "file", "files", options.lang)
    if options.lang == "fr":
        yield f"Écrit dans {target.name} : {files} ; requêtes : {queries} ; listes de codes : {len(written['codes'])}."
        yield "Tout y est `native` et chaque supposition est marquée « à vérifier ». Pour l'essayer, dans transvase.toml :"
    else:
        yield f"Written in {target.name}: {files}; queries: {queries}; lists of codes: {len(written['codes'])}."
        yield "Everything there is `native` and each guess is marked « à vérifier ». To try it, in transvase.toml:"
    yield "  [source]"
    yield f"  product = {json.dumps(str(options.folder), ensure_ascii=False)}"
    yield f"  {key} = {json.dumps(where, ensure_ascii=False)}"
    yield (
        "  transvase check && transvase extract"
        if options.lang == "en"
        else "  puis transvase check, et transvase extract"
    )
