"""Which rows of each canonical table a scope takes, as SQL conditions over the whole tables. One place: the archive, its counts and its
check select by these.
"""

from __future__ import annotations

from transvase.model.request import ACTIVITY, FOLLOWS, Scope
from transvase.model.tables import TABLES


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


def _period(scope: Scope, column: str) -> list[str]:
    """Days are compared as text, to the precision of the record: a row dated `2024` belongs to every period that touches 2024, and one
    without a date to none."""
    out = []
    if scope.start:
        out.append(f'left("{column}", 10) >= left({_text(scope.start)}, length(left("{column}", 10)))')
    if scope.end:
        out.append(f'left("{column}", 10) <= left({_text(scope.end)}, length(left("{column}", 10)))')
    return out


def conditions(scope: Scope) -> dict[str, str]:
    """Condition by table, without those that leave whole; none for the whole practice. In them `all_<table>` is a whole table and
    `patient` the patients of the scope; `delivered` those of the deliveries that `scope.after` names."""
    if scope.kind == "MASSIF":
        return _phase(scope)
    patients = _patients(scope)
    out = {"patient": patients}
    for name, table in TABLES.items():
        if name == "patient":
            continue
        if not scope.carries(name):
            out[name] = "false"
            continue
        tests = []
        if table.of_patient:
            mine = "patient IN (SELECT key FROM patient)"
            # The practice's address book belongs to nobody in particular.
            tests.append(f"(patient IS NULL OR {mine})" if name == "correspondent" else mine)
        owner = FOLLOWS.get(name)
        if owner is None:
            tests += _rows(scope, name)
        elif own := _rows(scope, owner):
            tests.append(f"{owner} IN (SELECT key FROM all_{owner} WHERE {' AND '.join(own)})")
        if tests:
            out[name] = " AND ".join(tests)
    return out


def _phase(scope: Scope) -> dict[str, str]:
    """Conditions of one delivery of a phased request. Rows of nobody known leave with the last one, so that none is left out; what
    belongs to the practice leaves with each, since each is complete in itself."""
    if not scope.active_since and not scope.after:
        return {}
    out = {}
    if scope.active_since:
        since = Scope("CIBLE", start=scope.active_since)
        active = " UNION ".join(
            f"SELECT patient FROM all_{name} WHERE patient IS NOT NULL AND {' AND '.join(_period(since, TABLES[name].dated))}"
            for name in ACTIVITY
        )
        out["patient"] = f"key IN ({active})"
        mine = "patient IN (SELECT key FROM patient)"
    else:
        out["patient"] = "key NOT IN (SELECT key FROM delivered)"
        mine = "(patient IS NULL OR patient NOT IN (SELECT key FROM delivered))"
    for name, table in TABLES.items():
        if table.of_patient and name != "patient":
            out[name] = f"(patient IS NULL OR {mine})" if name == "correspondent" else mine
    return out


def _rows(scope: Scope, name: str) -> list[str]:
    """Conditions on a row by itself, whoever its patient is."""
    dated = TABLES[name].dated
    tests = _period(scope, dated) if dated else []
    if name == "document" and scope.deselected:
        tests.append(f"key NOT IN ({', '.join(map(_text, scope.deselected))})")
    return tests


def _patients(scope: Scope) -> str:
    """Condition on `patient`."""
    if scope.kind == "UNITAIRE":
        return f"key = {_text(scope.patient)}"
    tests = []
    if scope.practitioner:
        # The médecin traitant refers; a patient who has none in the practice is attached to who saw or wrote.
        who = _text(scope.practitioner)
        seen = " UNION ".join(
            f"SELECT patient FROM all_{name} WHERE practitioner = {who}" for name in ("encounter", "document", "note")
        )
        tests.append(f"(attending = {who} OR (attending IS NULL AND key IN ({seen})))")
    if scope.start or scope.end:
        active = " UNION ".join(
            f"SELECT patient FROM all_{name} WHERE {' AND '.join(_period(scope, table.dated))}"
            for name, table in TABLES.items()
            if table.dated and table.of_patient and scope.carries(name)
        )
        tests.append(f"key IN ({active})")
    return " AND ".join(tests) or "true"
