"""Invented people: identity traits, matricules, and the numbers of professionals.

A matricule takes its place of birth from commune numbers that no commune has (990 and above, 90 and above overseas), so
that none of them can be the number of a living person. Whether an identity is qualified belongs to the record.
"""

from __future__ import annotations

import unicodedata
from datetime import date
from functools import lru_cache
from random import Random
from typing import NamedTuple

from transvase.sources.synthetic import vocabulary as words
from transvase.sources.synthetic.vocabulary import Place

TEST_OID = "1.2.250.1.213.1.4.10"
PRODUCTION_OID = "1.2.250.1.213.1.4.8"


class Person(NamedTuple):
    """A person as civil status knows them; `matricule` is 15 characters. The product may know less, or otherwise."""

    family: str
    givens: tuple[str, ...]
    sex: str
    born: date
    place: Place
    matricule: str
    used_family: str = ""

    @property
    def strict_givens(self) -> str:
        """The list of given names as INSi writes it."""
        return " ".join(strict(g) for g in self.givens)


@lru_cache(maxsize=4096)
def strict(name: str) -> str:
    """A name as INSi writes it: A-Z, space, apostrophe, hyphen (ins-identity.md, section 4)."""
    plain = name.replace("œ", "oe").replace("Œ", "OE").replace("æ", "ae").replace("ı", "i").replace("ł", "l")
    return "".join(c for c in unicodedata.normalize("NFKD", plain) if not unicodedata.combining(c)).upper()


def ins_key(thirteen: str) -> str:
    """The two digits after the thirteen characters; 2A counts as 19 and 2B as 18 (ins-identity.md, section 1)."""
    return f"{97 - int(thirteen.replace('2A', '19').replace('2B', '18')) % 97:02d}"


def luhn(digits: str) -> str:
    """`digits` followed by their Luhn key (RPPS, FINESS, SIRET)."""
    total = sum(sum(divmod(int(d) * (2 - i % 2), 10)) for i, d in enumerate(reversed(digits)))
    return digits + str(-total % 10)


class Register:
    """Gives out matricules, each once."""

    def __init__(self) -> None:
        self._given: set[str] = set()

    def matricule(self, sex: str, born: date, place: Place, order: int) -> str:
        """A matricule of 15 characters nobody else of this practice has; `order` is where the search starts."""
        head = f"{1 if sex == 'M' else 2}{born.year % 100:02d}{born.month:02d}"
        if place.cog.startswith(("97", "98")):
            department, first, width = place.cog[:3], 90, 2
        else:
            department, first, width = place.cog[:2], 990, 3
        while True:
            order = order % 9990 + 1
            commune = first + (order - 1) // 999 % 10
            thirteen = f"{head}{department}{commune:0{width}d}{(order - 1) % 999 + 1:03d}"
            if thirteen not in self._given:
                self._given.add(thirteen)
                return thirteen + ins_key(thirteen)


# Upper bound of age, visits a year, share of the practice: a general practice of eastern France, rounded.
AGES = ((2, 6.0, 0.04), (15, 2.0, 0.17), (40, 2.4, 0.29), (65, 3.4, 0.31), (80, 5.0, 0.13), (98, 7.0, 0.06))


def visits_a_year(age: int) -> float:
    """How often a person of that age comes."""
    return next((rate for top, rate, _ in AGES if age < top), 7.0)


def draw_age(rng: Random) -> float:
    """An age in years, from the pyramid above."""
    at, low = rng.random(), 0
    for top, _, share in AGES:
        if at < share:
            return low + at / share * (top - low)
        at, low = at - share, top
    return 60.0


def draw_place(rng: Random, born: date) -> Place:
    """A place of birth: mostly the region, some Corsicans, overseas and abroad."""
    at = rng.random()
    if at < 0.76:
        pool: tuple[Place, ...] = words.BIRTHPLACES
    elif at < 0.80:
        pool = words.CORSICA if born.year >= 1976 else words.CORSICA_BEFORE_1976
    elif at < 0.85:
        pool = words.OVERSEAS
    else:
        pool = words.ABROAD
    return pool[int(rng.random() * len(pool))]


def draw_given(rng: Random, sex: str, born: date) -> tuple[str, ...]:
    """One to three given names of the generation."""
    pool = (words.GIVEN_F if sex == "F" else words.GIVEN_M)[born.year >= 1970]
    at = int(rng.random() * len(pool))
    count = 1 + int(rng.random() * 3)
    return tuple(pool[(at + 7 * i) % len(pool)] for i in range(count))


def draw_person(rng: Random, register: Register, today: date, index: int) -> Person:
    """A person alive today; `index` spreads the order numbers."""
    born = date.fromordinal(today.toordinal() - 20 - int(draw_age(rng) * 365.25))
    sex = "F" if rng.random() < 0.53 else "M"
    place = draw_place(rng, born)
    family = words.FAMILIES[int(rng.random() * len(words.FAMILIES))]
    used = ""
    if sex == "F" and today.year - born.year > 27 and rng.random() < 0.45:
        used = words.FAMILIES[int(rng.random() * len(words.FAMILIES))]
    givens = draw_given(rng, sex, born)
    return Person(family, givens, sex, born, place, register.matricule(sex, born, place, index), used)


def sibling(person: Person, register: Register, sex: str, givens: tuple[str, ...], index: int) -> Person:
    """A twin: same name, day and place of birth."""
    matricule = register.matricule(sex, person.born, person.place, index)
    return person._replace(sex=sex, givens=givens, matricule=matricule, used_family="")
