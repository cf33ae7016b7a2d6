"""What the fast acceptor costs beside libxml2, in the same run: `python bench/acceptor.py SCHEMA CDA…`.

A ratio is the median over rounds of the time of `accepts` over that of lxml's parse and XSD validation, taken in turns. Of the first
document a level-1 document is made too, 110 kB of it in one text.
"""

from __future__ import annotations

import statistics
import sys
import time
from base64 import b64encode
from collections.abc import Callable
from pathlib import Path

from lxml import etree

from transvase.formats.schema_acceptor import compile_schema

ROUNDS = 300


def spent(call: Callable[[], object]) -> float:
    began = time.perf_counter()
    call()
    return time.perf_counter() - began


def level_1(document: bytes) -> bytes:
    """The header of a document, around a PDF's size of base64."""
    body = document.index(b"<component>")
    text = b64encode(bytes(range(256)) * 322)
    coded = b'<component><nonXMLBody><text mediaType="application/pdf" representation="B64">' + text
    return document[:body] + coded + b"</text></nonXMLBody></component></ClinicalDocument>"


def main() -> int:
    if len(sys.argv) < 3:
        print(__doc__)
        return 2
    path = Path(sys.argv[1])
    first = spent(lambda: compile_schema(path))
    acceptor = compile_schema(path)
    again = spent(lambda: compile_schema(path))
    print(f"compile_schema: {first:.2f} s with numba's import or compilation, {again:.2f} s after")
    schema = etree.XMLSchema(etree.parse(path))
    documents = {Path(name).name: Path(name).read_bytes() for name in sys.argv[2:]}
    documents["level 1"] = level_1(next(iter(documents.values())))
    for name, data in documents.items():

        def libxml2(data: bytes = data) -> bool:
            parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=True)
            return bool(schema.validate(etree.fromstring(data, parser)))

        def accepts(data: bytes = data) -> bool:
            return acceptor.accepts(data)

        if not (libxml2() and accepts()):
            print(f"{name}: not accepted, or not valid")
            return 1
        pairs = [(spent(accepts), spent(libxml2)) for _ in range(ROUNDS)]
        ratio = statistics.median(a / b for a, b in pairs)
        fast, slow = (statistics.median(side) for side in zip(*pairs, strict=True))
        print(f"{name:<40} {len(data):>8} bytes  ratio {ratio:.3f}  ({fast * 1e6:.0f} µs beside {slow * 1e6:.0f} µs)")
    return 0


if __name__ == "__main__":
    sys.exit(main())
