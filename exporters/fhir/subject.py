"""What every resource of one document points to: the patient, the practice, the professionals; and the names of resources.

A name is a UUID version 5 derived from the practice's OID, the canonical table and the row's key: exporting again gives the same
names, another practice gives others. Writing the resources themselves belongs to their modules.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Container, Iterable, Mapping
from functools import lru_cache
from typing import Any

from transvase.exporters.fhir.primitive import Json, Written, text, written

_VARIANT = {digit: "89ab"[int(digit, 16) & 3] for digit in "0123456789abcdef"}


@lru_cache(maxsize=4096)
def _table(practice_oid: str, table: str) -> tuple[Any, Written]:
    """What the names, and what the identifiers, of all rows of a table begin with."""
    namespace = uuid.uuid5(uuid.NAMESPACE_OID, practice_oid)
    seed = hashlib.sha1(namespace.bytes + f"{table}/".encode(), usedforsecurity=False)
    return seed, f'{{"system":{written(f"urn:oid:{practice_oid}")},"value":"{table}/'


def names(practice_oid: str, table: str, keys: Iterable[str]) -> list[str]:
    """UUIDs of the rows `keys` of `table`: `uuid5(uuid5(NAMESPACE_OID, practice_oid), "table/key")`, six times faster."""
    copy, found = _table(practice_oid, table)[0].copy, []
    for key in keys:
        digest = copy()
        digest.update(key.encode())
        h = digest.hexdigest()
        found.append(f"{h[:8]}-{h[8:12]}-5{h[13:16]}-{_VARIANT[h[16]]}{h[17:20]}-{h[20:32]}")
    return found


def resource_id(practice_oid: str, table: str, key: str) -> str:
    """UUID of the row `key` of `table`, see `names`."""
    return names(practice_oid, table, (key,))[0]


def to(kind: str, name: str, relative: bool = False) -> Json:
    """A Reference to the resource `name` of type `kind`: by its URN inside a Bundle, whose entries have it as fullUrl; relative in files
    of one resource a line, which have no fullUrl."""
    return {"reference": f"{kind}/{name}" if relative else f"urn:uuid:{name}"}


def _within(key: str) -> Written:
    """A key, as it stands in a JSON string."""
    return written(text(key))[1:-1]


class Subject:
    """The references that the resources of one document share; `name` is that of the patient's resource, `professionals` fills with those
    that a row named."""

    __slots__ = (
        "_practitioners",
        "_references",
        "day",
        "encounters",
        "french",
        "name",
        "patient",
        "practice",
        "professionals",
        "relative",
        "system",
    )

    def __init__(
        self,
        practice: str,
        patient: str,
        practitioners: Mapping[str, Any],
        day: str,
        french: bool,
        relative: bool = False,
        encounters: Container[str] = (),
    ) -> None:
        """`practice` is its OID, `patient` the key, `day` the day of the document, `french` whether the patient's resource
        claims FR Core, which FR Core observations require of their subject; `relative` is the form of the references, see `to`;
        `encounters` are the keys of those that stand beside the resources, the only ones that may be referred to."""
        self.practice = practice
        self.relative = relative
        self.encounters = encounters
        self.system = f"urn:oid:{practice}"
        self.day = day
        self.french = french
        self.name = resource_id(practice, "patient", patient)
        self.patient = f'{{"reference":"{"Patient/" if relative else "urn:uuid:"}{self.name}"}}'
        self.professionals: list[Any] = []
        self._practitioners = practitioners
        self._references: dict[str, Written] = {}

    def identifiers(self, table: str, keys: Iterable[str]) -> list[Written]:
        """The Identifiers of source rows, so that a resource leads back to them."""
        begun = _table(self.practice, table)[1]
        # Most keys are numbers, which nothing can change.
        return [f'{begun}{key if key.isalnum() and key.isascii() else _within(key)}"}}' for key in keys]

    def identifier(self, table: str, key: str) -> Written:
        """As `identifiers`, of one row."""
        return self.identifiers(table, (key,))[0]

    def encounter(self, key: str | None) -> Written:
        """The member that refers to an encounter that stands beside the resources, after its comma; else nothing."""
        if not key or key not in self.encounters:
            return ""
        name = resource_id(self.practice, "encounter", key)
        return f',"encounter":{written(to("Encounter", name, self.relative))}'

    def professional(self, key: str) -> Written:
        """Reference to the role of a professional of the practice; to their local number alone when the record lacks them."""
        reference = self._references.get(key)
        if reference is None:
            row = self._practitioners.get(key)
            if row is None:
                number = {"system": f"{self.system}.2", "value": text(key) or "?"}
                reference = written({"type": "Practitioner", "identifier": number})
            else:
                self.professionals.append(row)
                role = resource_id(self.practice, "practitioner_role", key)
                reference = written(to("PractitionerRole", role, self.relative))
            self._references[key] = reference
        return reference
