"""Code mappings as text of SQL, for the engines where no temporary table can be made: in a read-only transaction, or seen by one
connection only. What the codes mean belongs to the mapping folder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

Line = tuple[str, str, str]


def refuse_repeated(codes: Mapping[str, Sequence[Line]]) -> None:
    """ValueError, naming the mapping, when a local code stands twice in it."""
    for name, lines in codes.items():
        if len({local for local, _, _ in lines}) != len(lines):
            raise ValueError(name)


def as_values(codes: Mapping[str, Sequence[Line]]) -> str:
    """`WITH` and one table of texts `map_<name>(local, code, reason)` for each mapping, in standard SQL; empty when there is none.
    ValueError on a repeated local code."""
    refuse_repeated(codes)
    tables = []
    for name, lines in codes.items():
        rows = ", ".join("(" + ", ".join("'" + text.replace("'", "''") + "'" for text in line) + ")" for line in lines)
        body = f"VALUES {rows}" if lines else "SELECT CAST('' AS TEXT), CAST('' AS TEXT), CAST('' AS TEXT) WHERE 1 = 0"
        alias = "map_" + name
        tables.append('"' + alias.replace('"', '""') + f'"(local, code, reason) AS ({body})')
    return f"WITH {', '.join(tables)} " if tables else ""
