"""Header of a CDA that its schema accepts, read around the values that change: what repeats from one document to the next (authors,
structure, act) is parsed once, and so is the patient. The same values as `cda.header(cda.parse(...))`, which reads every document this
module declines.

Only sound on bytes that are known to be well-formed and valid, or that `written` has looked at: there, these values stand in the header
alone, so that they can be cut out by name; what is left is parsed with marks in their places, and says where each belongs.
"""

from __future__ import annotations

import re
from functools import lru_cache

import pybase64

from transvase.formats import cda
from transvase.formats.cda import CdaHeader, Id, Patient
from transvase.formats.safe_xml import XmlRefused, element

# The header ends where the body begins; a comment, a CDATA section or a prefix would make cutting by name unsafe.
_BODY = re.compile(rb"<component><(structuredBody|nonXMLBody)[ >]")
_OPENING = re.compile(rb"\s*(?:<\?xml[^>]*\?>\s*)?<ClinicalDocument( [^>]*)>")
# The prefix of laboratory reports names a namespace of their own: none of its elements is one of those cut out.
_NAMESPACE = re.compile(rb'xmlns(?::xsi)?=|xmlns:lab="urn:oid:1\.3\.6\.1\.4\.1\.19376\.1\.3\.2"')
_TARGETED, _TARGETED_END, _NO_TARGET = b"<recordTarget>", b"</recordTarget>", b"<recordTarget/>"

# What stands in place of a value that changes while the rest is read: where it comes out, the value belongs.
_MARK = b"\x7f"
_VERSION = 999_999_999
# Values of a document alone, before its patient, in the order of the schema, and their marks; one that an escape or a line break would
# change is not simple.
_CHANGING = (
    (re.compile(rb'<id root="([^"&<\x00-\x20]*)"'), _MARK + b"id"),
    (re.compile(rb"<title>([^<&>\x00-\x1f]*)</title>"), _MARK + b"title"),
    (re.compile(rb'<effectiveTime value="([0-9+\-.]*)"'), _MARK + b"made"),
    (re.compile(rb'<setId root="([^"&<\x00-\x20]*)"'), _MARK + b"set"),
    (re.compile(rb'<versionNumber value="([0-9]{1,9})"'), b"%d" % _VERSION),
)
# After the patient, the times of those who take part and of the act.
_VALUE = b' value="'
_TIMED = (b"<time", b"<low", b"<high", b"<effectiveTime")
_TIME = b"0123456789+-."

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
    start = data.find(_TARGETED, at, end)
    close = data.find(_TARGETED_END, start, end)
    if start < 0 or close < 0 or names.count(b"xmlns") != len(_NAMESPACE.findall(names)):
        return None
    kept: list[bytes] = []
    values: list[bytes] = []
    at = opening.start()
    for pattern, mark in _CHANGING:
        found = pattern.search(data, at, start)
        if found is None:
            return None
        kept += (data[at : found.start(1)], mark)
        values.append(found[1])
        at = found.end(1)
    kept += (data[at:start], _NO_TARGET)
    after, *timed = data[close + len(_TARGETED_END) : end].split(_VALUE)
    kept.append(after)
    times: list[bytes] = []
    for part in timed:
        kept.append(_VALUE)
        if after.endswith(_TIMED):
            time, quote, part = part.partition(b'"')
            if not time or not quote or time.translate(None, _TIME):
                return None
            kept += (_MARK, b"%d" % len(times), quote)
            times.append(time)
        kept.append(part)
        after = part
    # The beginning of the body tells the level.
    level = data.find(b">", body.end() - 1) + 1
    if body[1] == b"nonXMLBody":
        text = data.find(b">", level) + 1
        kept.append(data[end:text] + b"</text></nonXMLBody></component></ClinicalDocument>")
    else:
        kept.append(data[end:level] + b"</structuredBody></component></ClinicalDocument>")
    base = _timed(b"".join(kept), tuple(times))
    if base is None:
        return None
    identifier, title, made, set_id, version = (v.decode() for v in values)
    return base._replace(
        id=Id(identifier, base.id.extension),
        title=title,
        effective_time=made,
        set_id=Id(set_id, base.set_id.extension),
        version=int(version),
        patient=_patient(names, data[start + len(_TARGETED) : close]),
    )


# How a level-1 document written here begins its body and ends (`exporters.cda.level1`).
_HELD = b'<component><nonXMLBody><text mediaType="application/pdf" representation="B64">'
_END = b"</text></nonXMLBody></component></ClinicalDocument>"
# What UTF-8 can write and XML cannot hold: U+FFFE and U+FFFF.
_NO_CHARACTER = re.compile(rb"\xef\xbf[\xbe\xbf]")


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
        return None if _NO_CHARACTER.search(without) else header(without)
    except ValueError:
        # No base64, no XML or no UTF-8.
        return None


@lru_cache(maxsize=512)
def _timed(text: bytes, times: tuple[bytes, ...]) -> CdaHeader | None:
    """Header of a document without its patient, its times in their places; the other values that change with it are marks."""
    base = _constant(text, len(times))
    if base is None:
        return None

    def told(value: str) -> str:
        return times[int(value[1:])].decode() if value[:1] == "\x7f" else value

    signed = base.legal_authenticator
    return base._replace(
        authors=tuple(one._replace(time=told(one.time)) for one in base.authors),
        legal_authenticator=signed and signed._replace(time=told(signed.time)),
        acts=tuple(
            one._replace(
                low=told(one.low), high=told(one.high), performer=one.performer._replace(time=told(one.performer.time))
            )
            for one in base.acts
        ),
        encounter_low=told(base.encounter_low),
        encounter_high=told(base.encounter_high),
    )


@lru_cache(maxsize=512)
def _constant(text: bytes, times: int) -> CdaHeader | None:
    """Header of a document out of which the patient and the values that change were cut: these are marks; None when one does not come
    out where it belongs."""
    try:
        document = element(text)
    except XmlRefused:
        return None
    base = cda.header(document)
    said = (base.id.root, base.title, base.effective_time, base.set_id.root)
    marks = tuple(mark.decode() for _, mark in _CHANGING[:4])
    if said != marks or base.version != _VERSION or text.count(b"<recordTarget") != 1:
        return None
    # The patient's place is one of the header's, and no mark came with the document.
    own = text.count(_MARK) == len(marks) + times and document.find(f"{cda.V3}recordTarget") is not None
    return base if own else None


def _stands(data: bytes, mark: bytes, at: int, end: int) -> bool:
    """Whether a mark of two characters, of which the second is rare, stands there."""
    # One character is looked for many times faster than two.
    return data.find(mark[1], at, end) >= 0 and data.find(mark, at, end) >= 0


@lru_cache(maxsize=64)
def _patient(names: bytes, content: bytes) -> Patient:
    found = _TARGET.fullmatch(content.decode())
    if found is None:
        return cda.patient(element(b"<recordTarget%b>%b</recordTarget>" % (names, content)))
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
