"""Which columns of a table hold what a canonical table asks for: names in French and English, confirmed by what the columns hold. A guess
for somebody to check; the SQL that says it belongs to `folder`."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import NamedTuple

from transvase.sources.discover import names
from transvase.sources.discover.profile import Column, Table


class Concept(NamedTuple):
    """A canonical column: `name` matches the words of a column joined by `_`, without those of a patient; `fits` is told by its content."""

    name: re.Pattern[str]
    fits: Callable[[Column], bool]


def is_words(column: Column) -> bool:
    """Words, of any length below a page."""
    return column.family in ("text", "") and column.longest <= 400 and not is_date(column)


def _short(column: Column) -> bool:
    return column.longest <= 40 and column.family != "binary"


def is_date(column: Column) -> bool:
    """Dates, by type or by form."""
    # Zero dates and the like are as good as none, in a column that is a date by its type.
    return column.family == "date" or sum(column.dates.values()) >= 0.8 * column.filled > 0


def _few(column: Column) -> bool:
    return column.sketch.distinct <= 6 and column.longest <= 20 and column.family != "binary"


def _mail(column: Column) -> bool:
    return sum(n for shape, n in column.shapes.items() if "@" in shape or shape == "…") >= 0.5 * column.filled


def _concept(pattern: str, fits: Callable[[Column], bool]) -> Concept:
    return Concept(re.compile(pattern), fits)


_BORN = r"(?:de_?)?nais\w*"
PATIENT: Mapping[str, Concept] = {
    "ins": _concept(r"ins|matricule_?ins|num_?ins|ins_?matricule", _short),
    "ins_oid": _concept(r"ins_?oid|oid_?ins", _short),
    "birth_family": _concept(
        rf"nom_?(?:{_BORN}|jf|(?:de_?)?jeune_?fille|patronymique)|patronyme|birth_(?:family|last|l)_?name|birth_?lname|maiden(?:_?name)?"
        r"|original_?name",
        is_words,
    ),
    "used_family": _concept(
        r"nom(?:_?(?:usuel|usage|usu|d_usage|(?:de_?)?famille|marital|utilise))?|family_?name|last_?name|l_?name|surname|name_?family|family",
        is_words,
    ),
    "birth_given": _concept(rf"pren(?:om)?s(?:_?(?:{_BORN}|etat_civil))?|birth_?given|given_?names", is_words),
    "birth_first_given": _concept(r"prenom_?1|pren_?1|premier_?prenom|birth_?(?:first|f)_?name|birth_?fname", is_words),
    "used_given": _concept(
        r"pren(?:om)?(?:_?(?:usuel|usage|usu|utilise))?|first_?name|f_?name|given(?:_?name)?|forename|preferred_?name",
        is_words,
    ),
    "sex": _concept(r"(?:cod(?:e)?_?)?sexe?(?:_?code)?|gender|genre", _few),
    "birth_date": _concept(
        rf"d_?o_?b|birth(?:day)?_?date|birth_?day|date_?{_BORN}|dt_?{_BORN}|dtn|ddn|d_?nais\w*|nais\w*|date_?of_?birth",
        is_date,
    ),
    "birth_place_code": _concept(rf"lieu_?cog|cog(?:_?{_BORN})?|(?:code_?)?insee_?{_BORN}", _short),
    "birth_place": _concept(rf"(?:lieu|ville|commune)_?{_BORN}|lieu_?lib|birth_?place|place_?of_?birth", is_words),
    "address": _concept(
        r"(?:address_)?(?:street|line_?1)|address_?1?|adresse?_?1?|adr_?1?|rue|voie|addr_?1?", is_words
    ),
    "postal_code": _concept(r"(?:address_)?(?:zip(?:_?code)?|postal_?code|post_?code)|cp|cod(?:e)?_?post\w*", _short),
    "city": _concept(r"(?:address_)?(?:city|town)|ville|commune|localite", is_words),
    "country": _concept(r"(?:address_)?country(?:_?code)?|pays", is_words),
    "phone": _concept(r"(?:tel|phone|telephone)(?:_?(?:home|fixe|dom\w*|1|perso|number))?|home_?phone", _short),
    "mobile": _concept(
        r"(?:tel_?|phone_?|telephone_?)?(?:mobile|portable|port|gsm|cell(?:ulaire)?)(?:_?phone)?", _short
    ),
    "email": _concept(r"e?_?mail(?:_?address)?|courriel|mel|adresse_?(?:e_?)?mail", _mail),
    "death_date": _concept(
        r"(?:deceased|death)_?date|(?:date|dt)_?(?:de_?)?(?:deces|mort)|deces|date_?of_?death", is_date
    ),
    "created": _concept(r"(?:date_?)?(?:de_?)?(?:creation|created|cree|creat)(?:_?(?:date|at|on|le))?", is_date),
    "occupation": _concept(r"job|profession|prof|occupation|metier", is_words),
}
# What a table of persons has, with its weight as evidence: a practitioner has a name too, rarely a date of birth.
_MARKS = {
    "birth_date": 3.0, "ins": 3.0, "birth_family": 2.0, "sex": 2.0, "used_family": 1.0, "used_given": 1.0, "birth_first_given": 0.5,
    "birth_place": 0.5, "postal_code": 0.5, "city": 0.5, "death_date": 0.5, "phone": 0.5, "email": 0.5,
}  # fmt: skip


# NOMPAT, PATIENTNOM: what is left says which column it is.
_GLUED = re.compile(r"^patient_?(?=.)|(?<=.)_?(?:patient|pat)$")


def guesses(table: Table, concepts: Mapping[str, Concept]) -> dict[str, Column]:
    """The most filled column for each canonical one, of those whose name and content both fit; a column serves once, and one with no value
    in the rows read serves for nothing."""
    prefix = names.prefix_of([c.name for c in table.columns])
    named = {
        c.name: _GLUED.sub("", "_".join(w for w in names.own_tokens(c.name, prefix) if w not in names.PATIENT_WORDS))
        for c in table.columns
    }
    found: dict[str, Column] = {}
    for canonical, concept in concepts.items():
        fitting = [
            c
            for c in table.columns
            if c.filled and c not in found.values() and concept.name.fullmatch(named[c.name]) and concept.fits(c)
        ]
        if fitting:
            found[canonical] = max(fitting, key=lambda c: c.filled)
    return found


def likeness(found: Mapping[str, Column]) -> float:
    """How much the columns found by `guesses` are those of a person in care; 11 at most, some 3 for a practitioner."""
    return sum(_MARKS.get(name, 0.0) for name in found)
