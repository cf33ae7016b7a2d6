"""FHIR resources that we wrote, read again by an independent reader (`fhir.resources`, R4B) on a stated sample: each must be read, and what
the reader would write of it must be the same.

Two things that it is known to change are allowed for: decimals become floats, instants Python's. A resource costs it about a hundred times
what writing one costs, hence a sample: all of a type up to PER_TYPE, then one in so many, spread over the whole file.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from datetime import datetime
from typing import Any

import orjson

PER_TYPE = 200
# References of those that differ that are kept.
_LISTED = 100
_INSTANT = re.compile(r"\d{4}-\d\d-\d\dT.*")


def differs(kind: str, content: bytes) -> bool:
    """Whether the reader refuses a resource of that type, in UTF-8 JSON, or would write another one."""
    # A second to import, and a run without FHIR never needs it.
    from fhir.resources.R4B import get_fhir_model_class

    try:
        told = get_fhir_model_class(kind).model_validate_json(content).model_dump_json()
        return bool(_plain(orjson.loads(told)) != _plain(orjson.loads(content)))
    except Exception:
        # Not its type, not its form, a resource inside of a type that it does not know: each has an error of its own.
        return True


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _plain(held) for name, held in value.items()}
    if isinstance(value, list):
        return [_plain(held) for held in value]
    if isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if isinstance(value, str) and _INSTANT.fullmatch(value):
        with suppress(ValueError):
            return datetime.fromisoformat(value)
    return value


class Sample:
    """What was read again of an export. `differing` are references (`Observation/<uuid>`) of at most a hundred of the `different`
    resources."""

    def __init__(self) -> None:
        self.read = self.of = self.different = 0
        self.differing: list[str] = []

    def passing(self, kind: str, count: int, chunks: Iterable[bytes]) -> Iterator[bytes]:
        """The chunks of a file of `count` resources of a type, one a line and each line whole in a chunk, some read in passing."""
        step = -(-count // PER_TYPE) or 1
        at = 0
        for chunk in chunks:
            lines = chunk.count(b"\n")
            if (first := -at % step) < lines:
                for line in chunk.split(b"\n")[first:lines:step]:
                    self._look(kind, line)
            at += lines
            yield chunk
        self.of += at

    def _look(self, kind: str, line: bytes) -> None:
        self.read += 1
        if differs(kind, line):
            self.different += 1
            if len(self.differing) < _LISTED:
                # A Bundle goes under the name of its patient, as its file does.
                named = "Patient" if kind == "Bundle" else kind
                found = re.search(f'"resourceType":"{named}","id":"([0-9a-f-]{{36}})"'.encode(), line)
                self.differing.append(f"{kind}/{found[1].decode() if found else '?'}")

    def facts(self) -> dict[str, Any]:
        """For JSON."""
        return {"read": self.read, "of": self.of, "different": self.different, "differing": self.differing}


def told(facts: dict[str, Any], language: str) -> str:
    """The sample in a line, for who exported."""
    read, of, different = facts["read"], facts["of"], facts["different"]
    listed = ", ".join(facts["differing"][:5]) + (", …" if different > 5 else "")
    if language == "fr":
        end = f"{different} à signaler à l'éditeur de Transvase : {listed}" if different else "aucune différence"
        return f"FHIR : {read} ressources sur {of} relues par un lecteur indépendant (fhir.resources), {end}"
    end = f"{different} to be told to Transvase's developers: {listed}" if different else "no difference"
    return f"FHIR: {read} of {of} resources read again by an independent reader (fhir.resources), {end}"
