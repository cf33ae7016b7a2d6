"""Afficher le dictionnaire des données canoniques en Markdown. / Print the dictionary of canonical data."""

from __future__ import annotations

import argparse


def arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the command."""
    parser.add_argument("table", nargs="?", help="une table seulement / one table only")


def run(options: argparse.Namespace) -> int:
    """Print the dictionary."""
    from transvase.errors import BadCall, Said
    from transvase.model.tables import TABLES

    if options.table and options.table not in TABLES:
        raise BadCall(
            what=Said(f"aucune table {options.table}", f"no table {options.table}"),
            mend=f"tables : {', '.join(TABLES)}",
        )
    print(dictionary(options.lang, [options.table] if options.table else list(TABLES)), end="")
    return 0


def dictionary(language: str, names: list[str]) -> str:
    """The dictionary of some tables in Markdown, French (`fr`) or English."""
    from transvase.model.tables import TABLES

    french = language == "fr"
    out = []
    for name in names:
        table = TABLES[name]
        out.append(f"## {name}\n\n{table.meaning_fr if french else table.meaning}\n")
        flags = [f"pivot: {'oui' if table.pivot else 'non'}", f"export unitaire: {'oui' if table.unitary else 'non'}"]
        if not french:
            flags = [
                f"pivot: {'yes' if table.pivot else 'no'}",
                f"single-patient export: {'yes' if table.unitary else 'no'}",
            ]
        out.append(", ".join(flags) + "\n")
        out.append(
            "| colonne | type | sens |\n|---|---|---|" if french else "| column | type | meaning |\n|---|---|---|"
        )
        for column in table.columns:
            kind = column.kind.value + ("" if column.required else "?")
            if column.references:
                kind += f" -> {column.references}"
            meaning = column.meaning_fr if french else column.meaning
            if column.values:
                meaning += f" ({', '.join(column.values)})"
            out.append(f"| `{column.name}` | {kind} | {meaning} |")
        out.append("")
    return "\n".join(out)
