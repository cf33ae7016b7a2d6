"""Shapes of the generated value sets. The sets themselves are the sibling modules, written by tools/generate_codes.py."""

from __future__ import annotations

from typing import NamedTuple


class Code(NamedTuple):
    """A coded value: code, OID of its code system (or a bare scheme name), name of the system, French label."""

    code: str
    system: str
    system_name: str
    display: str


class TypeCode(NamedTuple):
    """A document type. `class_code` follows ASS_X04 and is empty when ASS_X04 gives none.
    `current` is false for codes that only older documents carry; `in_dmp` when the DMP table ASS_X16 lists it."""

    code: str
    system: str
    system_name: str
    display: str
    class_code: str
    current: bool
    in_dmp: bool


class FormatCode(NamedTuple):
    """A document format. `templates` are the CDA templateIds that announce it (ASS_A11); `media_type` of a level-1 body."""

    code: str
    system: str
    system_name: str
    display: str
    templates: tuple[str, ...]
    media_type: str
    current: bool


class ConfidentialityCode(NamedTuple):
    """A confidentiality or visibility code and where it may stand: CDA header, XDS metadata."""

    code: str
    system: str
    system_name: str
    display: str
    in_header: bool
    in_metadata: bool


class SpecialtyCode(NamedTuple):
    """Profession and specialty of an author (JDV_J01); `active` is false for retired codes."""

    code: str
    system: str
    system_name: str
    display: str
    active: bool


class MandatedDocument(NamedTuple):
    """A row of the mandated list. `dmp`, `mss_pro`, `mss_patient` are "true", "false" or "conditional"; `effective_from`
    is an ISO date or empty (in force before the arrêté, date not researched); `confirmed` is false when our sources mark
    a cell of the row as unconfirmed, and every output that relies on it says so."""

    id: str
    label: str
    legal_basis: str
    dmp: str
    mss_pro: str
    mss_patient: str
    effective_from: str
    exclusions: tuple[str, ...]
    type_codes: tuple[str, ...]
    confirmed: bool
    note: str
