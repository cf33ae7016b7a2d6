"""What our writers cost beside the least that any writer of the same bytes could do, and beside the libraries that one would take instead.

The least is code generated from the result: a dict display with the values in a list, then orjson; one f-string; for a PDF page, its
operators joined from their operands, texts escaped, compressed and put after constant bytes, with no line to break nor column to place.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime
from io import BytesIO
from typing import Any
from zoneinfo import ZoneInfo

import orjson
import reference as ref

CREATED = "2026-11-23T20:00:00+01:00"
Pair = tuple[Callable[[], Any], Callable[[], Any]]


def repeated(work: Callable[[], Any], times: int) -> Callable[[], None]:
    """The same work several times: one takes less than the clock sees."""

    def again() -> None:
        for _ in range(times):
            work()

    return again


def compiled(source: str, values: list[Any]) -> Callable[[], Any]:
    """A function whose body is an expression of `v`, the list of values."""
    names: dict[str, Any] = {"v": values}
    exec(f"def made():\n    return {source}", names)
    made: Callable[[], Any] = names["made"]
    return made


def bundle() -> tuple[Callable[[], bytes], Callable[[], bytes], Callable[[], str], int]:
    """A document of 32 entries by us, by a dict and orjson, by fhir.resources from that dict; its number of bytes."""
    from fhir.resources.R4B.bundle import Bundle

    from transvase.exporters.fhir.bundle import document_bundle

    patient, people = ref.patient(), {"1": ref.practitioner()}
    record = ref.bundled(ref.record([ref.pdf(1), ref.pdf(2)]))

    practice = ref.practice()

    def ours() -> bytes:
        return document_bundle(
            record,
            practice=practice,
            practitioners=people,
            patient=patient,
            created=CREATED,
            identifier="1.2.250.1.999.1.1.8.1",
            qualified=True,
        )

    parsed = orjson.loads(ours())
    values: list[Any] = []

    def display(value: Any) -> str:
        if isinstance(value, dict):
            return "{" + ",".join(f"{k!r}:{display(x)}" for k, x in value.items()) + "}"
        if isinstance(value, list):
            return "[" + ",".join(map(display, value)) + "]"
        values.append(value)
        return f"v[{len(values) - 1}]"

    build = compiled(display(parsed), values)
    assert build() == parsed
    return ours, lambda: orjson.dumps(build()), lambda: Bundle(**parsed).model_dump_json(), len(ours())


def synthesis() -> tuple[Callable[[], str], Callable[[], str], Callable[[], bytes], int]:
    """The body of a VSM by us, by one f-string of the same text, by lxml elements; its number of bytes."""
    from lxml import etree

    from transvase.exporters.cda import vsm

    record = ref.record([ref.pdf(1), ref.pdf(2)])

    def ours() -> str:
        return vsm.body(record, "1.2.250.1.213.9.9.13.7")

    text = ours()
    # Every value of an attribute and every text is a value of the f-string.
    parts = re.split(r'(?<==")([^"]*)(?=")|(?<=>)([^<]+)(?=<)', text)
    values: list[str] = []
    pieces: list[str] = []
    for rank, part in enumerate(parts):
        if part is None:
            continue
        if rank % 3:
            values.append(part)
            pieces.append(f"{{v[{len(values) - 1}]}}")
        else:
            pieces.append(part.replace("{", "{{").replace("}", "}}"))
    build = compiled("f'''" + "".join(pieces).replace("\\", "\\\\").replace("'''", "\\'\\'\\'") + "'''", values)
    assert build() == text
    spaces = {None: "urn:hl7-org:v3", "xsi": "http://www.w3.org/2001/XMLSchema-instance"}
    parsed = etree.fromstring(
        f'<x xmlns="urn:hl7-org:v3" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">{text}</x>'
    )

    def plan(element: Any) -> Any:
        return element.tag, dict(element.attrib), element.text, element.tail, [plan(e) for e in element]

    planned = plan(parsed)

    def tree() -> bytes:
        def grow(step: Any, parent: Any) -> Any:
            tag, attributes, words, tail, inner = step
            made = etree.Element(tag, attributes, spaces) if parent is None else etree.SubElement(parent, tag, attributes)  # fmt: skip
            made.text, made.tail = words, tail
            for one in inner:
                grow(one, made)
            return made

        return bytes(etree.tostring(grow(planned, None), encoding="UTF-8"))

    return ours, build, tree, len(text.encode())


def pages() -> tuple[Callable[[], bytes], Callable[[], bytes], int]:
    """Pages of PDF/A-1b by us, and by their operators joined, compressed and put into the same file; the number of pages."""
    import pikepdf
    from isal import isal_zlib

    from transvase.exporters.pdf.writer import Heading, Paragraph, Table, text_document

    lines = [[f"2024-03-{i % 28 + 1:02}", f"Résultat {i}", f"{i}.10 g/L"] for i in range(120)]
    blocks = [Heading("Compte rendu", 1), Paragraph("Texte du compte rendu, en quelques lignes. " * 30), Table(lines)]
    moment = datetime(2026, 11, 23, 20, tzinfo=ZoneInfo("Europe/Paris"))

    def ours() -> bytes:
        return text_document("Compte rendu", blocks, created=moment, identifier="urn:uuid:1")

    written = ours()
    with pikepdf.open(BytesIO(written)) as file:
        # Each operator as a writer has it: what stands before its text, the text, what stands after.
        lines_of = [page.Contents.read_bytes().decode("latin-1").splitlines() for page in file.pages]
        contents = [[_operator(line) for line in page] for page in lines_of]
        frame = written[: len(written) - sum(len(page.Contents.read_raw_bytes()) for page in file.pages)]
    count = len(contents)

    def raw() -> bytes:
        streams = [
            isal_zlib.compress(
                "\n".join([f"{a}({_escaped(text)}){b}" if b else a for a, text, b in page]).encode("latin-1"),
                1,
            )
            for page in contents
        ]
        return frame + b"".join(streams)

    return ours, raw, count


def _operator(line: str) -> tuple[str, str, str]:
    found = re.fullmatch(r"(.*?)\((.*)\)(.*)", line)
    return (found[1], re.sub(r"\\([\\()])", r"\1", found[2]), found[3]) if found else (line, "", "")


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("(", "\\(").replace(")", "\\)")
