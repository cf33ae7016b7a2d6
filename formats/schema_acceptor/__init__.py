"""A fast answer to one question: is this document surely well-formed and valid against this schema?

A schema is compiled to tables, and one pass over the bytes follows them. The answer has one side: True means that libxml2 would find the
document well-formed and valid; False means that this was not decided here, and libxml2 is to be asked. It is made for the documents that
the project writes; what it leaves to libxml2 is listed under `Acceptor.accepts`. Error messages, repairs and other readings of a document
do not belong here.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from transvase.formats.schema_acceptor import tables as _tables
from transvase.formats.schema_acceptor.unsupported import Unsupported

__all__ = ["Acceptor", "Unsupported", "compile_schema"]

_DECLARATION = re.compile(
    rb"<\?xml[ \t\r\n]+version[ \t\r\n]*=[ \t\r\n]*(?:\"1\.0\"|'1\.0')"
    rb"(?:[ \t\r\n]+encoding[ \t\r\n]*=[ \t\r\n]*(?:\"[Uu][Tt][Ff]-8\"|'[Uu][Tt][Ff]-8'))?"
    rb"(?:[ \t\r\n]+standalone[ \t\r\n]*=[ \t\r\n]*(?:\"(?:yes|no)\"|'(?:yes|no)'))?[ \t\r\n]*\?>"
)
# Positions are 64 bits wide; this is the limit that the project sets to any XML that it reads.
MAX_BYTES = 200_000_000


class Acceptor:
    """A compiled schema. It may be pickled; one call at a time uses it, which the interpreter's lock ensures between threads."""

    def __init__(self, tables: _tables.Tables) -> None:
        from transvase.formats.schema_acceptor.walk import scratch, walk

        self._tables = tables
        self._walk: Any = walk
        self._room = scratch(len(tables.words))

    def __reduce__(self) -> tuple[type[Acceptor], tuple[_tables.Tables]]:
        return Acceptor, (self._tables,)

    def accepts(self, data: bytes) -> bool:
        """Whether libxml2 (without its size limits) surely finds these bytes well-formed, and valid against the schema.

        False also for what is left to libxml2: a BOM, an encoding other than UTF-8, a DOCTYPE, CDATA sections, more than 200 levels, 64
        attributes or 64 namespace declarations; names with letters beyond ASCII; attributes of the namespace of XML, xsi:nil; roots out of
        the main namespace; elements that match a wildcard or stand for another by substitution, that have a fixed or default value or an
        identity constraint; xs:all; counts above 400; types with dates, QName, NOTATION or entities; white space by reference between
        elements; numbers of more than 15 digits, with a plus sign or an exponent; URIs of an odd form; identifiers written with references
        or white space around them, more than 8192 of them, and references to none; a comment within simple content; values of more than
        64 kB whose white space or references must be resolved."""
        import numpy

        size = len(data)
        if not 8 <= size <= MAX_BYTES:
            return False
        declaration = _DECLARATION.match(data)
        start = declaration.end() if declaration else 0
        whole = numpy.frombuffer(data, numpy.uint8)
        # The eight bytes that begin at each position.
        eights = numpy.ndarray((size - 7,), numpy.uint64, data, 0, (1,))
        return bool(self._walk(whole, eights, start, self._tables, self._room))


def compile_schema(path: Path) -> Acceptor:
    """The acceptor of a schema (XSD 1.0), whose included and imported files are read from disk.

    Parts that are not handled make the documents that use them undecided. `Unsupported` when nothing can be done: numba is not installed, a
    file is missing, redefined or declares a name twice."""
    try:
        import numba  # noqa: F401
    except ImportError:
        raise Unsupported("numba is not installed") from None
    return Acceptor(_tables.packed(path))
