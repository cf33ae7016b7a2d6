"""The text of a section: what a person reads when their software shows nothing else. XHTML, escaped, in French."""

from __future__ import annotations

from collections.abc import Sequence

from transvase.exporters.fhir.primitive import Json
from transvase.formats.xml_text import text as escaped

_OPEN = '<div xmlns="http://www.w3.org/1999/xhtml" lang="fr" xml:lang="fr">'


def listing(lines: Sequence[str]) -> Json:
    """Narrative of one item a line; `lines` are unescaped and at least one."""
    flat = "".join(lines)
    # Nearly all sections need no escape, and finding that out costs a tenth of escaping them.
    if not flat.isprintable() or "&" in flat or "<" in flat or ">" in flat:
        lines = [escaped(line) for line in lines]
    return {"status": "generated", "div": f"{_OPEN}<ul><li>{'</li><li>'.join(lines)}</li></ul></div>"}


def statement(words: str) -> Json:
    """Narrative of one sentence."""
    return {"status": "generated", "div": f"{_OPEN}<p>{escaped(words)}</p></div>"}
