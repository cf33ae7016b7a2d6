"""Our own check of FHIR resources against the table of rules of `docs/reference/fhir-profiles.csv`: R4 itself, FR Core, IPS and PDSm.

A rule is one fact of a profile: a cardinality, a closed list, the types that a reference may reach, or an invariant, a function here.
What the table says was read in the guides' sources; a fact known from memory only is a warning, and what was not read is not checked.
Nothing here knows how our exporters write.

Paths: `a.b`, a choice `value[x]`, and `a{k=v;k=v}` for the items of `a` whose `k` holds `v` (any of the values that the path `k` finds).
"""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

Json = dict[str, Any]
Resolve = Callable[[str], Json | None]

TABLE = Path(__file__).resolve().parents[2] / "docs" / "reference" / "fhir-profiles.csv"

# A resource that claims the key must also meet the rules of the value; every resource meets those of its type and of `*`.
PARENTS = {
    "fr-core-patient-ins": "fr-core-patient",
    **{
        f"fr-core-observation-{french}": core
        for french, core in {
            "bmi": "bmi",
            "body-height": "bodyheight",
            "body-weight": "bodyweight",
            "body-temperature": "bodytemp",
            "head-circum": "headcircum",
            "heartrate": "heartrate",
            "resp-rate": "resprate",
            "saturation-oxygen": "oxygensat",
            "bp": "bp",
        }.items()
    },
    **dict.fromkeys(
        ["bmi", "bodyheight", "bodyweight", "bodytemp", "headcircum", "heartrate", "resprate", "oxygensat", "bp"],
        "vitalsigns",
    ),
}


class Rule(NamedTuple):
    """One row of the table; empty cells say nothing."""

    profile: str
    element: str
    cardinality: str
    values: str
    targets: str
    invariant: str
    source: str
    status: str

    @property
    def name(self) -> str:
        kind = self.cardinality or self.invariant or ("targets" if self.targets else "values")
        return f"{self.profile} {self.element or '(resource)'} {kind}"


class Finding(NamedTuple):
    """A rule that a resource breaks; `error` unless the rule is known from memory only."""

    rule: Rule
    resource: str

    @property
    def error(self) -> bool:
        return self.rule.status == "read"

    def __str__(self) -> str:
        return f"{self.resource}: {self.rule.name}"


def rules() -> list[Rule]:
    """The whole table, what was not read included."""
    with TABLE.open(encoding="utf-8", newline="") as file:
        return [Rule(**row) for row in csv.DictReader(file)]


@cache
def _by_profile() -> dict[str, list[Rule]]:
    found: dict[str, list[Rule]] = {}
    for rule in rules():
        if rule.status != "unread":
            found.setdefault(rule.profile, []).append(rule)
    return found


# -- paths ----------------------------------------------------------------------------------------------------------------------------


@cache
def steps(path: str) -> tuple[tuple[str, tuple[tuple[str, str], ...]], ...]:
    """(name, filters) of each step."""
    found = []
    for part in re.findall(r"(?:[^.{]|\{[^}]*\})+", path):
        name, _, filters = part.partition("{")
        pairs = [pair.split("=", 1) for pair in filters.rstrip("}").split(";")] if filters else []
        found.append((name, tuple((k, v) for k, v in pairs)))
    return tuple(found)


def keys(holder: Json, name: str) -> list[str]:
    """The JSON names of an element: those of a choice, and a primitive that has its extension alone."""
    if name.endswith("[x]"):
        stem = name[:-3]
        named = {k.removeprefix("_") for k in holder if re.fullmatch(rf"_?{stem}[A-Z]\w*", k)}
    else:
        named = {name} if name in holder or f"_{name}" in holder else set()
    return sorted(named)


def items(holder: Json, name: str, filters: tuple[tuple[str, str], ...] = ()) -> list[Any]:
    """The occurrences of an element, each a value; a primitive with its extension alone is that extension's holder."""
    found: list[Any] = []
    for key in keys(holder, name):
        value = holder.get(key, holder.get(f"_{key}"))
        found += value if isinstance(value, list) else [value]
    return [item for item in found if all(expected in map(str, reach(item, path)) for path, expected in filters)]


def reach(value: Any, path: str) -> Iterator[Any]:
    """Every value at a path."""
    waiting = [value]
    for name, filters in steps(path) if path else ():
        waiting = [item for holder in waiting if isinstance(holder, dict) for item in items(holder, name, filters)]
    yield from waiting


def holders(resource: Json, path: str) -> list[Json]:
    """What holds the last step of a path."""
    *parents, _ = steps(path)
    waiting: list[Any] = [resource]
    for name, filters in parents:
        waiting = [item for holder in waiting if isinstance(holder, dict) for item in items(holder, name, filters)]
    return [item for item in waiting if isinstance(item, dict)]


# -- rules ----------------------------------------------------------------------------------------------------------------------------


def _counted(resource: Json, rule: Rule) -> bool:
    least, most = rule.cardinality.split("..")
    name, filters = steps(rule.element)[-1]
    counts = [len(items(holder, name, filters)) for holder in holders(resource, rule.element)]
    return all(int(least) <= count and (most == "*" or count <= int(most)) for count in counts)


def _allowed(value: Any, allowed: list[str]) -> bool:
    """A primitive, a Coding or a CodeableConcept of a closed list; an absent value with its reason is of any list."""
    if isinstance(value, dict) and "coding" in value:
        return any(_allowed(coding, allowed) for coding in value["coding"])
    if isinstance(value, dict):
        if "code" not in value:
            return "extension" in value
        return value["code"] in allowed or f"{value.get('system', '')}#{value['code']}" in allowed
    said = str(value).lower() if isinstance(value, bool) else str(value)
    return said in allowed or said.split("|")[0] in allowed


def _listed(resource: Json, rule: Rule) -> bool:
    if rule.values.startswith("^"):
        # One of the values is enough (meta.profile).
        wanted = rule.values[1:]
        *_, (last, filters) = steps(rule.element)
        return all(
            any(str(item).split("|")[0] == wanted for item in items(holder, last, filters))
            for holder in holders_or_missing(resource, rule.element)
        )
    allowed = rule.values.split("|")
    return all(_allowed(value, allowed) for value in reach(resource, rule.element))


def holders_or_missing(resource: Json, path: str) -> list[Json]:
    """As `holders` for `….resource.meta.profile`, a resource without `meta` counting as one whose `meta` is empty."""
    *upper, _meta, _profile = steps(path)
    waiting: list[Any] = [resource]
    for name, filters in upper:
        waiting = [item for holder in waiting if isinstance(holder, dict) for item in items(holder, name, filters)]
    return [item.get("meta", {}) for item in waiting]


def _reached(resource: Json, rule: Rule, resolve: Resolve) -> bool:
    return all(_target(resource, value, rule.targets.split("|"), resolve) for value in reach(resource, rule.element))


def _target(resource: Json, value: Any, allowed: list[str], resolve: Resolve) -> bool:
    if not isinstance(value, dict):
        return False
    reference = value.get("reference", "")
    if reference.startswith("#"):
        found = next((r for r in resource.get("contained", []) if r.get("id") == reference[1:]), None)
        kind = found["resourceType"] if found else ""
        return f"#{kind}" in allowed or kind in [a.split(":")[0] for a in allowed]
    found = resolve(reference) if reference else None
    if found is None:
        # By its name or its number alone: only its type can be looked at.
        kind = value.get("type") or ("" if "reference" not in value else reference.split("?")[0].split("/")[0])
        return kind in [a.split(":")[0] for a in allowed] or not kind
    claims = {c for claim in claimed(found) for c in (claim, PARENTS.get(claim, claim))}
    return any(
        kind == found["resourceType"] and (not profile or profile in claims)
        for kind, _, profile in (a.partition(":") for a in allowed)
    )


def claimed(resource: Json) -> list[str]:
    """The last part of each profile that a resource claims."""
    return [p.split("|")[0].rsplit("/", 1)[-1] for p in resource.get("meta", {}).get("profile", [])]


def profiles_of(resource: Json) -> list[str]:
    """Every profile whose rules hold for a resource: `*`, its type, what it claims, and their parents."""
    found = ["*", resource["resourceType"]]
    for profile in claimed(resource):
        while profile:
            found.append(profile)
            profile = PARENTS.get(profile, "")
    return list(dict.fromkeys(found))


def check(resource: Json, resolve: Resolve = lambda reference: None, *, contained: bool = False) -> list[Finding]:
    """The rules that a resource breaks, those of its contained resources included; the entries of a Bundle are not read. A manifest of
    Bulk Data is of the type `bulk-manifest`."""
    found: list[Finding] = []
    name = f"{resource.get('resourceType', '?')}/{resource.get('id', '')}"
    for profile in profiles_of(resource):
        for rule in _by_profile().get(profile, []):
            if contained and rule.invariant == "ref-1":
                # Read from the resource that contains it.
                continue
            if rule.cardinality:
                kept = _counted(resource, rule)
            elif rule.values:
                kept = _listed(resource, rule)
            elif rule.targets:
                kept = _reached(resource, rule, resolve)
            else:
                places = reach(resource, rule.element) if rule.element else [resource]
                kept = all(INVARIANTS[rule.invariant](place) for place in places)
            if not kept:
                found.append(Finding(rule, name))
    for one in resource.get("contained", []):
        found += check(one, resolve, contained=True)
    return found


def check_bundle(bundle: Json) -> list[Finding]:
    """The rules that a Bundle and its resources break; references are those of its entries."""
    by_url = {entry.get("fullUrl", ""): entry["resource"] for entry in bundle["entry"]}
    found = check(bundle)
    for entry in bundle["entry"]:
        found += check(entry["resource"], by_url.get)
    return found


# -- invariants -----------------------------------------------------------------------------------------------------------------------


def _codes(concept: Any) -> set[str]:
    return {coding.get("code", "") for coding in (concept or {}).get("coding", [])}


def _every(value: Any, name: str = "") -> Iterator[tuple[str, Json]]:
    """Every object of a resource with the name of its element; resources within are left to their own check."""
    if isinstance(value, dict):
        yield name, value
        for key, inner in value.items():
            if key not in ("contained", "resource"):
                yield from _every(inner, key)
    elif isinstance(value, list):
        for inner in value:
            yield from _every(inner, name)


def _ordered(place: Json) -> bool:
    def right(period: Json) -> bool:
        start, end = period.get("start", ""), period.get("end", "")
        size = min(len(start), len(end), 10)
        return not (start and end) or start[:size] <= end[:size]

    return all(right(p) for n, p in _every(place) if n.lower().endswith("period") and not n.startswith("_"))


def _resolved_inside(place: Json) -> bool:
    inside = place.get("contained", [])
    held = {"#" + one.get("id", "") for one in inside}
    every = [o for part in (place, *inside) for _, o in _every(part)]
    return all(o["reference"] in held for o in every if str(o.get("reference", "")).startswith("#"))


def _identified(place: Json) -> bool:
    """fr-core-1: an identity said VALI has one of the four matricules, in use."""
    wanted = {("8", "official"), ("9", "temp"), ("10", "official"), ("11", "official")}
    root = "urn:oid:1.2.250.1.213.1.4."
    held = {(i.get("system", "").removeprefix(root), i.get("use")) for i in place.get("identifier", [])}
    return not _valid(place) or bool(wanted & held)


def _valid(place: Json) -> bool:
    path = "extension{url=https://hl7.fr/ig/fhir/core/StructureDefinition/fr-core-identity-reliability}.extension{url=identityStatus}"
    return any(value.get("valueCoding", {}).get("code") == "VALI" for value in reach(place, path))


def _one_official(place: Json) -> bool:
    official = sum(i.get("use") == "official" for i in place.get("identifier", []))
    nia = any(
        i.get("system") == "urn:oid:1.2.250.1.213.1.4.9" and i.get("use") == "temp" for i in place.get("identifier", [])
    )
    return not _valid(place) or official == 1 or nia


def _tim_5(place: Json) -> bool:
    return all(float(r.get("period", 0)) >= 0 for n, r in _every(place) if n == "repeat")


def _tim_8(place: Json) -> bool:
    return all("period" not in r or "periodUnit" in r for n, r in _every(place) if n == "repeat")


def _has(place: Json, name: str) -> bool:
    return bool(keys(place, name))


def _entries(place: Json) -> list[Json]:
    return [entry for entry in place.get("entry", []) if isinstance(entry, dict)]


def _document_first(place: Json) -> bool:
    return place.get("type") != "document" or [
        entry["resource"]["resourceType"] == "Composition" for entry in _entries(place)[:1]
    ] == [True]


def _numbers(place: Json) -> bool:
    urls = [e["fullUrl"] for e in _entries(place) if "fullUrl" in e]
    return len(urls) == len(set(urls))


def _closed(entry: Json) -> bool:
    """The slices of MHD's Provide Document Bundle, which are closed."""
    kind, method = entry["resource"]["resourceType"], entry.get("request", {}).get("method")
    return (kind, method) in {
        ("List", "POST"),
        ("List", "PUT"),
        ("DocumentReference", "POST"),
        ("Parameters", "PATCH"),
        ("Binary", "POST"),
        ("Bundle", "POST"),
        ("Patient", "GET"),
        ("Patient", "POST"),
        ("Patient", "PUT"),
    }


def _bdl_3(place: Json) -> bool:
    wanted = place.get("type") in ("batch", "transaction", "history")
    return all(("request" in entry) == wanted for entry in _entries(place))


def _same_code(place: Json) -> bool:
    own = {(c.get("system"), c.get("code")) for c in place.get("code", {}).get("coding", [])}
    parts = {
        (c.get("system"), c.get("code"))
        for component in place.get("component", [])
        if isinstance(component, dict)
        for c in component.get("code", {}).get("coding", [])
    }
    return not _has(place, "value[x]") or not own & parts


def _ait_1(place: Json) -> bool:
    return "entered-in-error" in _codes(place.get("verificationStatus")) or "clinicalStatus" in place


def _ait_2(place: Json) -> bool:
    return "entered-in-error" not in _codes(place.get("verificationStatus")) or "clinicalStatus" not in place


def _con_4(place: Json) -> bool:
    ended = {"inactive", "resolved", "remission"}
    return not _has(place, "abatement[x]") or bool(ended & _codes(place.get("clinicalStatus")))


INVARIANTS: dict[str, Callable[[Any], bool]] = {
    "per-1": _ordered,
    "ref-1": _resolved_inside,
    "cpt-2": lambda p: all("system" in o for n, o in _every(p) if n == "telecom" and "value" in o),
    "qty-3": lambda p: all(
        "system" in o for n, o in _every(p) if re.search("(?i)quantity$|^low$|^high$|duration$", n) and "code" in o
    ),
    "drt-1": lambda p: all(
        o.get("system") == "http://unitsofmeasure.org" and "code" in o
        for n, o in _every(p)
        if n == "expectedSupplyDuration" and "value" in o
    ),
    "tim-5": _tim_5,
    "tim-8": _tim_8,
    "txt-1": lambda p: all(
        not re.search(r"<(?:script|form|iframe|object)|\son\w+=", o["div"]) for _, o in _every(p) if "div" in o
    ),
    "org-1": lambda p: _has(p, "identifier") or _has(p, "name"),
    "name-or-identifier": lambda p: _has(p, "identifier") or _has(p, "name"),
    "con-4": _con_4,
    "con-5": lambda p: "entered-in-error" not in _codes(p.get("verificationStatus")) or "clinicalStatus" not in p,
    "ait-1": _ait_1,
    "ait-2": _ait_2,
    "obs-3": lambda p: any(name in p for name in ("low", "high", "text")),
    "obs-6": lambda p: "dataAbsentReason" not in p or not _has(p, "value[x]"),
    "obs-7": _same_code,
    "cmp-1": lambda p: any(name in p for name in ("text", "entry", "section")),
    "cmp-2": lambda p: "emptyReason" not in p or "entry" not in p,
    "bdl-3": _bdl_3,
    "bdl-7": _numbers,
    "bdl-9": lambda p: p.get("type") != "document" or {"system", "value"} <= p.get("identifier", {}).keys(),
    "bdl-10": lambda p: p.get("type") != "document" or "timestamp" in p,
    "bdl-11": _document_first,
    "bdl-ips-1": lambda p: all(e["resource"]["resourceType"] != "Composition" for e in _entries(p)[1:]),
    "vs-1": lambda value: not isinstance(value, str) or len(value) >= 10,
    "vs-2": lambda p: (
        any(_has(p, name) for name in ("value[x]", "dataAbsentReason")) or "component" in p or "hasMember" in p
    ),
    "ips-pat-1": lambda name: any(part in name for part in ("family", "given", "text")),
    "ips-comp-1": lambda p: "emptyReason" in p or any("reference" in e for e in p.get("entry", [])),
    "ips-2": lambda p: _has(p, "value[x]") or any(n in p for n in ("hasMember", "component", "dataAbsentReason")),
    "ips-3": lambda p: (
        "component" not in p
        or any(_has(c, "value[x]") or "dataAbsentReason" in c for c in p["component"] if isinstance(c, dict))
    ),
    "fr-core-1": _identified,
    "fr-core-2": _one_official,
    "mhd-startswithoid": lambda value: str(value).startswith("urn:oid:"),
    "mhd-closed": _closed,
}
