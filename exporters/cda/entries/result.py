"""Laboratory results as a table for the reader: the section of the model holds text only. Their coded form is the CR-BIO."""

from __future__ import annotations

from typing import Any

from transvase.exporters.cda.entries.coding import cell
from transvase.exporters.cda.entries.dating import shown
from transvase.exporters.cda.entries.wording import label, words

COLUMNS = ("Date", "Analyse", "Code", "Résultat", "Unité", "Valeurs de référence", "Interprétation")

FLAGS = {
    "N": "Normal",
    "L": "Bas",
    "H": "Haut",
    "LL": "Très bas",
    "HH": "Très haut",
    "A": "Anormal",
    "AA": "Très anormal",
    "S": "Sensible",
    "I": "Intermédiaire",
    "R": "Résistant",
}


def bounds(low: str | None, high: str | None) -> str:
    """Values of reference for a reader."""
    if low and high:
        return f"{words(low)} - {words(high)}"
    if low:
        return f"≥ {words(low)}"
    return f"≤ {words(high)}" if high else ""


def latest(rows: list[Any], count: int) -> list[Any]:
    """The `count` most recent rows of `lab_result`, the latest first; ties by key, so that the order is always the same."""
    return sorted(rows, key=lambda row: (row.measured or "", row.key), reverse=True)[:count]


def write(rows: list[Any]) -> str:
    """Lines of the table. Digits stay as received: 1.10 is not 1.1."""
    return "".join(
        f"<tr><td>{shown(row.measured)}</td><td>{label(row.label)}</td><td>{cell(row.code, row.system)}</td>"
        f"<td>{words(row.value) or words(row.value_text)}</td><td>{words(row.unit)}</td>"
        f"<td>{bounds(row.low, row.high)}</td><td>{FLAGS.get(row.flag, '')}</td></tr>"
        for row in rows
    )
