"""Header of a CDA that its schema accepts, read piece by piece: what repeats from one document to the next (the patient, an author, the
structure) is parsed once. The same values as `cda.header(cda.parse(...))`, which reads every document this module declines.

Only sound on bytes that are known to be well-formed and valid: there, these elements stand in the header alone and never hold
themselves, so that their text can be cut out by name.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import pybase64

from transvase.formats import cda
from transvase.formats.cda import Act, CdaHeader, Id, Organization, Party, Patient
from transvase.formats.safe_xml import XmlRefused, element

# The header ends where the body begins; a comment, a CDATA section or a prefix would make cutting by name unsafe.
_BODY = re.compile(rb"<component><(structuredBody|nonXMLBody)[ >]")
_OPENING = re.compile(rb"\s*(?:<\?xml[^>]*\?>\s*)?<ClinicalDocument( [^>]*)>")
# The prefix of laboratory reports names a namespace of their own: none of its elements is one of those cut out.
_NAMESPACE = re.compile(rb'xmlns(?::xsi)?=|xmlns:lab="urn:oid:1\.3\.6\.1\.4\.1\.19376\.1\.3\.2"')
_PIECES = (b"recordTarget", b"author", b"custodian", b"legalAuthenticator", b"documentationOf")
_PIECE = re.compile(rb"<(" + b"|".join(_PIECES) + rb")[ >]")
_TIME = re.compile(rb'<time value="([0-9+\-.]*)"/>')
_INTERVAL = re.compile(
    rb'<effectiveTime>(?:<low value="([0-9+\-.]*)"/>)?(?:<high value="([0-9+\-.]*)"/>)?</effectiveTime>'
)

# Values of a document alone, in the order of the schema; one that an escape or a line break would change is not simple.
_CHANGING = tuple(
    map(
        re.compile,
        (
            rb'<id root="([^"&<\x00-\x20]*)"',
            rb"<title>([^<&>\x00-\x1f]*)</title>",
            rb'<effectiveTime value="([0-9+\-.]*)"',
            rb'<setId root="([^"&<\x00-\x20]*)"',
            rb'<versionNumber value="([0-9]{1,9})"',
        ),
    )
)


# The patient as `exporters.cda.header` writes one, of values that stand there as they are: no escape, no line break.
_V, _T = r'[^"&<>\x00-\x1f]*+', r"[^&<>\x00-\x1f]*+"
_TARGET = re.compile(
    f'<patientRole>(?P<ids>(?:<id extension="{_V}" root="{_V}"/>)+)'
    f'(?:<addr use="H">(?:<(?P<part>streetName|postalCode|city|country)>{_T}</(?P=part)>)+</addr>)?'
    f'(?:<telecom(?: use="{_V}")? value="{_V}"/>)*<patient classCode="PSN">'
    f'<name>(?P<names>(?:<(?P<name>family|given)(?: qualifier="(?:BR|CL)")?>{_T}</(?P=name)>)+)</name>'
    f'<administrativeGenderCode code="(?P<sex>{_V})" codeSystem="{_V}" displayName="{_V}"/><birthTime value="(?P<birth>{_V})"/>'
    f"(?:<birthplace><place><addr>(?:<county>(?P<county>{_T})</county>)?(?:<city>{_T}</city>)?</addr></place></birthplace>)?"
    "</patient></patientRole>"
)
_IDS = re.compile(r'<id extension="([^"]*)" root="([^"]+)"/>')
_NAMES = re.compile(r'<(family|given)(?: qualifier="(BR|CL)")?>([^<]*)<')


def header(data: bytes) -> CdaHeader | None:
    """Header of an accepted document; None when its form is not simple enough to be cut."""
    opening = _OPENING.match(data)
    body = _BODY.search(data, 0, 200_000)
    if opening is None or body is None:
        return None
    names, at, end = opening[1], opening.end(), body.start()
    # Without another prefix than xsi, every element of the header stands under the name by which it is cut out.
    if _stands(data, b"<!", at, end) or _stands(data, b"<?", at, end) or data.find(b"xmlns", at, end) >= 0:
        return None
    if names.count(b"xmlns") != len(_NAMESPACE.findall(names)):
        return None
    patient: Patient | None = None
    authors: list[Party] = []
    acts: list[Act] = []
    authenticator: Party | None = None
    custodian = Organization()
    rest = [data[opening.start() : at]]
    for kind, start, inner, close in _cut(data, at, end):
        rest.append(data[at:start])
        content = data[inner:close]
        at = close + len(kind) + 3
        if kind == b"recordTarget":
            if patient is not None:
                return None
            patient = _patient(names, content)
        elif kind == b"custodian":
            custodian = _custodian(names, content)
        elif kind == b"documentationOf":
            act = _act(names, content)
            if act is None:
                return None
            acts.append(act)
        else:
            found = _TIME.search(content)
            if found is None or content.count(b"<time") != 1 or b"<assigned" in content[: found.start()]:
                return None
            party = _party(names, kind, content[: found.start()] + content[found.end() :])
            party = party._replace(time=found[1].decode())
            if kind == b"author":
                authors.append(party)
            else:
                authenticator = party
    rest.append(data[at:end])
    # What is left, with the beginning of the body, which tells the level, is the same for many documents but for a few values.
    level = data.find(b">", body.end() - 1) + 1
    if body[1] == b"nonXMLBody":
        text = data.find(b">", level) + 1
        rest.append(data[end:text] + b"</text></nonXMLBody></component>")
    else:
        rest.append(data[end:level] + b"</structuredBody></component>")
    rest.append(b"</ClinicalDocument>")
    base = _rest(b"".join(rest))
    if base is None:
        return None
    return base._replace(
        patient=patient or Patient(),
        authors=tuple(authors),
        acts=tuple(acts),
        legal_authenticator=authenticator,
        custodian=custodian,
    )


# How a level-1 document written here begins its body and ends (`exporters.cda.level1`).
_HELD = b'<component><nonXMLBody><text mediaType="application/pdf" representation="B64">'
_END = b"</text></nonXMLBody></component></ClinicalDocument>"
# What UTF-8 can write and XML cannot hold: U+FFFE and U+FFFF.
_NO_CHARACTER = re.compile(rb"\xef\xbf[\xbe\xbf]")
# A piece of the header whose tag says more than its name.
_TAGGED = re.compile(rb"<(?:" + b"|".join(_PIECES) + rb")[\s/]")


def written(data: bytes) -> CdaHeader | None:
    """Header of a level-1 document that was written here and that nothing has validated; None when its form is another.

    Its elements stand where the writer puts them, as in a valid document; every byte of the header passes through the parser, in pieces,
    or through a pattern, and after the header there is nothing but base64."""
    start = data.find(_HELD)
    held = start + len(_HELD)
    end = data.find(b"<", held)
    if start < 0 or data[end:].rstrip(b"\n") != _END:
        return None
    without = data[:held] + _END
    try:
        pybase64.b64decode_as_bytearray(memoryview(data)[held:end], validate=True)
        return None if _TAGGED.search(without) or _NO_CHARACTER.search(without) else header(without)
    except ValueError:
        # No base64, no XML or no UTF-8.
        return None


def _rest(text: bytes) -> CdaHeader | None:
    """Header of what is no piece. Its values that change with each document are cut out in their order, which the schema fixes."""
    kept: list[bytes] = []
    values: list[bytes] = []
    at = 0
    for pattern in _CHANGING:
        found = pattern.search(text, at)
        if found is None:
            return None
        kept.append(text[at : found.start(1)])
        values.append(found[1])
        at = found.end(1)
    interval = _INTERVAL.search(text, at)
    low = high = b""
    if interval is not None:
        kept.append(text[at : interval.start()])
        at, low, high = interval.end(), interval[1] or b"", interval[2] or b""
    kept.append(text[at:])
    base = _constant(b"".join(kept))
    if base is None or (interval is not None and (base.encounter_low or base.encounter_high)):
        return None
    identifier, title, made, set_id, version = (v.decode() for v in values)
    return base._replace(
        id=Id(identifier, base.id.extension),
        title=title,
        effective_time=made,
        set_id=Id(set_id, base.set_id.extension),
        version=int(version),
        encounter_low=low.decode() or base.encounter_low,
        encounter_high=high.decode() or base.encounter_high,
    )


@lru_cache(maxsize=512)
def _constant(text: bytes) -> CdaHeader | None:
    try:
        return cda.header(element(text))
    except XmlRefused:
        return None


def _stands(data: bytes, mark: bytes, at: int, end: int) -> bool:
    """Whether a mark of two characters, of which the second is rare, stands there."""
    # One character is looked for many times faster than two.
    return data.find(mark[1], at, end) >= 0 and data.find(mark, at, end) >= 0


def _cut(data: bytes, at: int, end: int) -> Iterator[tuple[bytes, int, int, int]]:
    """The pieces in their order: name, place, and where its content begins and ends."""
    while (found := _PIECE.search(data, at, end)) is not None:
        inner = data.find(b">", found.end(1)) + 1
        closing = b"</%b>" % found[1]
        close = data.find(closing, inner)
        if close < 0:
            return
        yield found[1], found.start(), inner, close
        at = close + len(closing)


def _element(names: bytes, name: bytes, content: bytes) -> Any:
    """A piece as an element of its own, under the names of its document."""
    return element(b"<%b%b>%b</%b>" % (name, names, content, name))


@lru_cache(maxsize=64)
def _patient(names: bytes, content: bytes) -> Patient:
    found = _TARGET.fullmatch(content.decode())
    if found is None:
        return cda.patient(_element(names, b"recordTarget", content))
    first: dict[tuple[str, str], str] = {}
    given: list[str] = []
    for part, kind, name in _NAMES.findall(found["names"]):
        first.setdefault((part, kind), name)
        if part == "given" and not kind:
            given.append(name)
    return Patient(
        ids=tuple(Id(root, extension) for extension, root in _IDS.findall(found["ids"])),
        birth_family=first.get(("family", "BR"), ""),
        birth_given=first.get(("given", "BR"), ""),
        given_names=" ".join(given),
        used_family=first.get(("family", "CL"), "") or first.get(("family", ""), ""),
        used_given=first.get(("given", "CL"), ""),
        sex=found["sex"],
        birth=found["birth"],
        birth_place=found["county"] or "",
    )


@lru_cache(maxsize=64)
def _custodian(names: bytes, content: bytes) -> Organization:
    return cda.custodian(_element(names, b"custodian", content))


@lru_cache(maxsize=512)
def _party(names: bytes, kind: bytes, content: bytes) -> Party:
    node = _element(names, kind, content)
    return cda.author(node) if kind == b"author" else cda.entity(node)


@lru_cache(maxsize=512)
def _event(names: bytes, content: bytes) -> Act | None:
    return cda.act(_element(names, b"documentationOf", content))


def _act(names: bytes, content: bytes) -> Act | None:
    """An act, its interval read apart since it changes with each document."""
    if b"<effectiveTime" not in content:
        return _event(names, content)
    found = _INTERVAL.search(content)
    if found is None or b"<performer" in content[: found.start()]:
        return None
    act = _event(names, content[: found.start()] + content[found.end() :])
    if act is None or act.low or act.high:
        return None
    return act._replace(low=(found[1] or b"").decode(), high=(found[2] or b"").decode())
