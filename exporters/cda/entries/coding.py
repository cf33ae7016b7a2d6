"""The code of a row as a CDA concept: the system that the model asks for in `code`, any other beside it in `translation`.

The words of the record are always the `originalText`. No code is looked up or guessed here: a national code set that a
model closes has its generated module in `model/codes`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

from transvase.exporters.cda.entries.wording import words

# XSD: a code holds no white space, a code system is an OID. StrucMin: 128 characters at most for an OID.
_CODE = re.compile(r"[!-~]{1,64}").fullmatch
_OID = re.compile(r"(?=.{3,128}$)[0-2](\.(0|[1-9][0-9]*))+").fullmatch

# International Patient Summary, codes that say an absence; ANS value sets JDV_AbsentOrUnknown*.
ABSENCE = "2.16.840.1.113883.5.1150.1"

# The tag of the value of an observation.
VALUE = 'value xsi:type="CD"'


@dataclass(frozen=True, slots=True, eq=False)
class Asked:
    """The code system that a model asks for, one object for each. `national` gives the national form of a recorded code, empty when it
    has none."""

    system: str
    name: str
    national: Callable[[str], str]


def _formed(pattern: str) -> Callable[[str], str]:
    match = re.compile(pattern, re.ASCII).fullmatch
    return lambda code: code if match(code) else ""


_CIM10_FORM = re.compile(r"([A-Z]\d\d)(?:\.?(\d{1,3}))?(\.?\+\d{1,2})?", re.ASCII).fullmatch


def _cim10(code: str) -> str:
    """CIM-10 wants upper case and a dot after three characters; many products store neither."""
    found = _CIM10_FORM(code.upper())
    if not found:
        return ""
    stem, rest, extra = found.groups()
    return stem + (f".{rest}" if rest else "") + (extra or "")


CIM10 = Asked("2.16.840.1.113883.6.3", "CIM10", _cim10)
# Seven characters, then the activity and the phase.
CCAM = Asked("1.2.250.1.215.300.1", "CCAM", _formed(r"[A-Z]{4}\d{3}(\d{1,2})?"))
CIS = Asked("1.2.250.1.213.2.3.1", "CIS", _formed(r"\d{8}"))
ATC = "2.16.840.1.113883.6.73"
# Category letter, then up to six levels of two digits.
EMDN = Asked("1.2.250.1.213.2.68", "EMDN", _formed(r"[A-Z](\d\d){1,6}"))


def carried(code: str | None, system: str | None) -> bool:
    """True when CDA can hold the code: without white space, and of a system named by its OID."""
    return bool(code and system and _CODE(code) and _OID(system))


def _coordinates(asked: Asked, code: str | None, system: str | None) -> tuple[str, str]:
    """Attributes of the concept (without the label), attributes of its translation; empty when there is none."""
    if code is None or system is None or not carried(code, system):
        return "", ""
    original = f'code="{words(code)}" codeSystem="{system}"'
    if system == ABSENCE:
        return original, ""
    national = asked.national(code) if system == asked.system else ""
    if not national:
        return "", original
    return (
        f'code="{national}" codeSystem="{system}" codeSystemName="{asked.name}"',
        original if national != code else "",
    )


@lru_cache(maxsize=16384)
def _around(tag: str, asked: Asked, code: str | None, system: str | None, text: str) -> tuple[str, str]:
    """What stands before and after the reference of a `concept`: a practice says the same of many patients."""
    main, other = _coordinates(asked, code, system)
    if main:
        head = f'<{tag} {main} displayName="{text}">'
    elif other:
        head = f'<{tag} nullFlavor="OTH">'
    else:
        head = f"<{tag}>"
    beside = f'<translation {other} displayName="{text}"/>' if other else ""
    return f'{head}<originalText><reference value="#', f'"/></originalText>{beside}</{tag.partition(" ")[0]}>'


def concept(tag: str, asked: Asked, code: str | None, system: str | None, text: str, reference: str) -> str:
    """A coded element: `tag` with its attributes, `text` the escaped label, `reference` the XML ID of the words in the narrative.

    Asked system: the code. Another one: `nullFlavor="OTH"` and a translation. None: the words alone (the form of the ANS examples)."""
    before, after = _around(tag, asked, code, system, text)
    return f"{before}{reference}{after}"


@lru_cache(maxsize=16384)
def cell(code: str | None, system: str | None) -> str:
    """The code for a reader. Its system is written out when the entry cannot carry it, so that nothing is lost."""
    if not code:
        return ""
    if system and not carried(code, system):
        return words(f"{code} ({system})")
    return words(code)
