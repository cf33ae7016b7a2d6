"""Problems, history, acts and family history: rows of `problem`. The category is the section where the statement stands."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from transvase.formats.cda import CdaHeader
from transvase.sources.archive.statements import reading

_OBSERVED = {"1.2.250.1.213.1.1.3.37", "1.3.6.1.4.1.19376.1.5.3.1.4.5", "2.16.840.1.113883.10.20.1.28"}
_RELATIVE = {"1.2.250.1.213.1.1.3.51", "1.3.6.1.4.1.19376.1.5.3.1.4.13.3", "2.16.840.1.113883.10.20.1.22"}
_ACT = {"1.2.250.1.213.1.1.3.62", "1.3.6.1.4.1.19376.1.5.3.1.4.19", "2.16.840.1.113883.10.20.1.29"}
TEMPLATES: frozenset[str] = frozenset(_OBSERVED | _RELATIVE | _ACT)

# An adverse effect of a medicine has the template of a problem too: what it states is no disease of the patient.
_OTHERS = {"1.2.250.1.213.1.1.3.210": "an adverse effect of a medicine has no canonical table"}
# Sections whose acts were done; elsewhere (plan of care, results, recommendations) an act is no history.
_SURGERY, _HISTORY = "47519-4", "11348-0"


def read(entry: Any, document: CdaHeader) -> Iterator[tuple[str, dict[str, Any]]]:
    """One row, from the observation of a problem or of a relative, or from the procedure of the history of acts."""
    roots = reading.templates(entry)
    reason = next((why for root, why in _OTHERS.items() if root in roots), "")
    where = reading.section(entry)
    if entry.get("moodCode", "EVN") != "EVN":
        reason = "what is planned or asked has no canonical table"
    elif roots & _ACT and where != _SURGERY:
        reason = "an act outside the history of acts has no canonical table"
    if reason:
        yield reading.unrepresented(entry, reason)
        return
    category = "problem"
    if roots & _ACT:
        category = "surgery"
    elif roots & _RELATIVE:
        category = "family"
    elif where == _HISTORY:
        category = "history"
    said = reading.concept(reading.child(entry, "code" if roots & _ACT else "value"))
    if reading.silent(said):
        yield reading.unrepresented(entry, reading.SILENCE)
        return
    label = said.label or reading.words(reading.child(entry, "text"))
    label = label or (reading.UNLABELLED if said.code else "")
    certainty = reading.certainty(entry)
    if not label or certainty == "entered-in-error":
        yield reading.unrepresented(entry, "it holds no words" if not label else "it was entered in error")
        return
    start, end = reading.span(entry)
    yield (
        "problem",
        {
            "key": reading.key(entry, "problem"),
            "category": category,
            "code": said.code,
            "system": said.system,
            "label": label,
            "assertion": reading.assertion(entry, said, certainty),
            "onset": reading.date(start),
            "resolved": reading.date(end),
        },
    )
    yield from reading.losses(entry, said, certainty=certainty)
    if roots & _RELATIVE and reading.kinship(entry):
        yield reading.unrepresented(entry, "the kinship of a relative has no column")
