"""The text of a section: what a person reads when their software shows nothing else. XHTML, escaped, in French.

Lines are made of words that `shown` has escaped, so that nothing is left to escape in them.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from transvase.exporters.fhir.primitive import Written, french_date, text, written
from transvase.formats.xml_text import text as escaped

# For a row whose label is empty in spite of the table's declaration.
_UNLABELLED = "sans libellé"

_OPEN = written('<div xmlns="http://www.w3.org/1999/xhtml" lang="fr" xml:lang="fr">')[1:-1]


def shown(words: str) -> Written:
    """Words of a line, escaped for XHTML then for the JSON string that the narrative is."""
    return written(escaped(words))[1:-1]


# Doses, units and values recur from patient to patient.
@lru_cache(maxsize=1 << 13)
def usual(words: str) -> Written:
    """As `shown`, for words that recur."""
    return shown(words)


@lru_cache(maxsize=1 << 13)
def label(words: str | None) -> Written:
    """The label of a row, which says when there is none."""
    return shown(text(words) or _UNLABELLED)


@lru_cache(maxsize=1 << 14)
def day(value: str) -> Written:
    """A date as a French reader writes it."""
    return shown(french_date(value))


def listing(lines: Sequence[Written]) -> Written:
    """Narrative of one item a line, at least one."""
    return f'{{"status":"generated","div":"{_OPEN}<ul><li>{"</li><li>".join(lines)}</li></ul></div>"}}'


def statement(words: str) -> Written:
    """Narrative of one sentence."""
    return f'{{"status":"generated","div":"{_OPEN}<p>{shown(words)}</p></div>"}}'
