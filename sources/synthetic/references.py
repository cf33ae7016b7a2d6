"""Local copies of national reference files as they would be for the invented practice: places of birth with the days when their code
was in force, and the two public extractions of professionals (ins-identity.md, section 4; practitioner-identifiers.md, section 6).

Same columns and layout as the real ones, nobody real in them. The practice itself does not need them: they are given to the checks.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from transvase.sources.synthetic import faulty
from transvase.sources.synthetic import vocabulary as words
from transvase.sources.synthetic.cabinet import PARTNERS, mailbox, rpps

_PERSON = (
    "Type d'identifiant PP", "Identifiant PP", "Identification nationale PP", "Code civilité d'exercice", "Libellé civilité d'exercice",
    "Code civilité", "Libellé civilité", "Nom d'exercice", "Prénom d'exercice", "Code profession", "Libellé profession",
    "Code catégorie professionnelle", "Libellé catégorie professionnelle", "Code type savoir-faire", "Libellé type savoir-faire",
    "Code savoir-faire", "Libellé savoir-faire", "Code postal (coord. structure)", "Libellé commune (coord. structure)",
)  # fmt: skip
_MAILBOX = ("Type de BAL", "Adresse BAL", "Type d'identifiant PP", "Identifiant PP", "Identification nationale PP")


class References(NamedTuple):
    """Paths of what was written."""

    cog: Path
    directory: Path
    mailboxes: Path


def write(folder: Path) -> References:
    """Write the three files into an existing folder; always the same bytes."""
    given = References(
        folder / "communes.csv",
        folder / "PS_LibreAcces_Personne_activite_202611230000.txt",
        folder / "Extraction_Correspondance_MSSante_202611230000.txt",
    )
    given.cog.write_text("\n".join(("code,start,end", *_places(), "")), encoding="utf-8", newline="\n")
    _pipes(given.directory, _PERSON, _people())
    _pipes(given.mailboxes, _MAILBOX, _mailboxes())
    return given


def _pipes(path: Path, head: Iterable[str], lines: Iterable[Iterable[str]]) -> None:
    # Each line ends with the delimiter, as published.
    path.write_text("".join("|".join(line) + "|\n" for line in (head, *lines)), encoding="utf-8", newline="\n")


def _places() -> Iterator[str]:
    """Corsica had one number until 1975 and two from 1976; the other places have had theirs since 1943, when numbers begin."""
    for place in (*words.BIRTHPLACES, *words.OVERSEAS, *words.ABROAD):
        yield f"{place.cog},1943-01-01,"
    for place in words.CORSICA_BEFORE_1976:
        yield f"{place.cog},1943-01-01,1975-12-31"
    for place in words.CORSICA:
        yield f"{place.cog},1976-01-01,"


def _known() -> Iterator[tuple[str, str, str, str]]:
    """RPPS, name, given name and national specialty of those that the directory lists."""
    for rank, (_, _, family, given, _, specialty, _, _) in enumerate(PARTNERS):
        yield rpps(200 + rank), family, given, specialty
    for rank, one in enumerate(faulty.STRANGERS):
        if one.kind == "CORRESPONDENT_UNKNOWN":
            continue
        yield one.number or rpps(920 + rank), one.family, one.given, faulty.SPECIALTY
        if one.kind == "CORRESPONDENT_AMBIGUOUS":
            yield rpps(940 + rank), one.family, one.given, faulty.SPECIALTY


def _people() -> Iterator[tuple[str, ...]]:
    for number, family, given, specialty in _known():
        profession, _, skill = specialty.removeprefix("G15_").partition("/")
        for postal, city in (("54000", "NANCY"), ("54200", "TOUL")):
            yield (
                "8", number, "8" + number, "DR", "Docteur", "M", "Monsieur", family.upper(), given.upper(), profession, "", "C", "Civil",
                "S", "Spécialité ordinale", skill, "", postal, city,
            )  # fmt: skip


def _mailboxes() -> Iterator[tuple[str, ...]]:
    for number, family, given, _ in _known():
        yield "PER", mailbox(given, family), "8", number, "8" + number
