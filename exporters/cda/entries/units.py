"""Units of UCUM. Quantities of a laboratory: the unit as received, and its UCUM form when it is certain; units of an amount to take.

CDA wants UCUM, French laboratories write `UI/L` or `G/L`. A unit of this list is translated and the received one stands beside it;
any other is carried as received under `nullFlavor="OTH"`: a wrong unit is worse than none.
"""

from __future__ import annotations

import re
from functools import lru_cache

from transvase.exporters.cda.entries.wording import words

# ISO number without exponent; the digits of a laboratory are kept, 1.10 is not 1.1.
NUMBER = re.compile(r"-?[0-9]{1,64}(\.[0-9]{1,64})?").fullmatch

# Codes of UCUM that reports use, as the official terminology lists them (a test reads it there).
_LISTED = (
    "% /uL 10*3/L 10*3/uL 10*6/L 10*6/uL 10*9/L 10*12/L [IU]/L [IU]/mL m[IU]/L m[IU]/mL u[IU]/mL k[IU]/L U/L U/mL mU/L kU/L "
    "g g/L g/dL g/mL g/(24.h) mg/L mg/dL mg/mL mg/g mg/mmol mg/(24.h) ug/L ug/dL ug/mL ug/g ug/(24.h) ng/L ng/dL ng/mL pg pg/mL "
    "pg/L mol/L mmol/L mmol/mol mmol/(24.h) umol/L umol/g umol/(24.h) nmol/L nmol/(24.h) pmol/L fmol/L meq/L mosm/kg mosm/L "
    "fL pL mL L mL/min mL/(24.h) L/(24.h) s min h d mm mm/h mm[Hg] kPa [pH] Cel kg kg/m2 cm U/g [arb'U] [arb'U]/mL"
)
UCUM = frozenset(_LISTED.split())
# French writings of the same units. Case counts: G/L is 10*9/L and g/L is grams.
_WRITTEN = {
    "G/L": "10*9/L", "Giga/L": "10*9/L", "giga/L": "10*9/L", "10^9/L": "10*9/L", "10e9/L": "10*9/L", "10E9/L": "10*9/L",
    "T/L": "10*12/L", "Tera/L": "10*12/L", "Téra/L": "10*12/L", "téra/L": "10*12/L", "10^12/L": "10*12/L", "10e12/L": "10*12/L",
    "10E12/L": "10*12/L", "10^6/L": "10*6/L", "10^3/L": "10*3/L", "/mm3": "/uL", "/mm³": "/uL", "/µL": "/uL",
    "10^3/mm3": "10*3/uL", "10^6/mm3": "10*6/uL", "10^3/µL": "10*3/uL", "10^6/µL": "10*6/uL",
    "UI/L": "[IU]/L", "IU/L": "[IU]/L", "UI/mL": "[IU]/mL", "IU/mL": "[IU]/mL", "mUI/L": "m[IU]/L", "mIU/L": "m[IU]/L",
    "mUI/mL": "m[IU]/mL", "mIU/mL": "m[IU]/mL", "µUI/mL": "u[IU]/mL", "µIU/mL": "u[IU]/mL", "kUI/L": "k[IU]/L", "kIU/L": "k[IU]/L",
    "µg/L": "ug/L", "µg/dL": "ug/dL", "µg/mL": "ug/mL", "µg/g": "ug/g", "µg/24h": "ug/(24.h)", "µmol/L": "umol/L",
    "µmol/g": "umol/g", "µmol/24h": "umol/(24.h)", "mEq/L": "meq/L", "mOsm/kg": "mosm/kg", "mOsm/L": "mosm/L", "fl": "fL",
    "g/24h": "g/(24.h)", "mg/24h": "mg/(24.h)", "mmol/24h": "mmol/(24.h)", "nmol/24h": "nmol/(24.h)", "mL/24h": "mL/(24.h)",
    "L/24h": "L/(24.h)", "g/100mL": "g/dL", "g/100 mL": "g/dL", "mg/100mL": "mg/dL", "mmHg": "mm[Hg]", "mm Hg": "mm[Hg]",
    "mL/mn": "mL/min", "sec": "s", "seconde": "s", "secondes": "s", "°C": "Cel", "kg/m²": "kg/m2", "pH": "[pH]",
}  # fmt: skip
# Units of an amount to take, as practices write them, to UCUM. Any other stays words: an amount of tablets has no unit.
AMOUNTS = {u: u for u in ("g", "mg", "ug", "kg", "L", "mL", "mmol", "[IU]", "%")} | {"µg": "ug", "ml": "mL", "UI": "[IU]"}  # fmt: skip
_LITRE = re.compile(r"(?<=/)([mdµu]?)l\b")


@lru_cache(maxsize=4096)
def ucum(unit: str) -> str:
    """The UCUM code of a unit as received, empty when it is not certain."""
    # The two signs of micro, then the litre in small letters after a slash.
    plain = _LITRE.sub(r"\1L", unit.strip().replace("\u03bc", "µ"))
    if plain in UCUM:
        return plain
    return _WRITTEN.get(plain, "")


@lru_cache(maxsize=16384)
def quantity(tag: str, value: str, unit: str) -> str:
    """A PQ element: `tag` with its type if any, `value` matched by NUMBER, `unit` as received and not empty."""
    end = tag.partition(" ")[0]
    code = ucum(unit)
    beside = f'<translation value="{value}"><originalText>{words(unit)}</originalText></translation>'
    if not code:
        return f'<{tag} nullFlavor="OTH">{beside}</{end}>'
    if code == unit:
        return f'<{tag} value="{value}" unit="{words(code)}"/>'
    return f'<{tag} value="{value}" unit="{words(code)}">{beside}</{end}>'
