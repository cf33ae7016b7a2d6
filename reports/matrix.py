"""The annex of the audit report: every rule and requirement, what this practice's period found of it, the tests that exercise it and how
they last ended for this version. What is asked is read by `model.requirements`; counting the findings belongs to `findings`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from transvase.errors import Said
from transvase.model.report import Column, Section, Table, Value
from transvase.model.requirements import Requirement, Result

_ID = Column("id", Said("Exigence", "Requirement"))
_TITLE = Column("title", Said("Ce qui est demandé", "What is asked"))
_SOURCE = Column("source", Said("Source", "Source"))
_BLOCKED = Column("blocked", Said("Bloque", "Blocks"), "count")
_REPORTED = Column("reported", Said("Signale", "Reports"), "count")
_TESTS = Column("tests", Said("Essais", "Tests"), "count")
_ENDED = Column("result", Said("Dernier résultat", "Last result"))
_UNKNOWN = Said("non joint", "not held")
_REASON = Said("sans essai, raison écrite", "no test, reason written")


def section(
    asked: Sequence[Requirement], blocked: Mapping[str, int], reported: Mapping[str, int], software: str
) -> Section:
    """The annex. `blocked` and `reported` are the findings of each rule in the view; `software` is its name and version."""
    rules: list[list[Value]] = [
        [r.id, r.title, r.source, blocked.get(r.id, 0), reported.get(r.id, 0), len(r.tests), _ended(r)]
        for r in asked
        if r.group == "RULE"
    ]
    others: list[list[Value]] = [[r.id, r.title, r.source, len(r.tests), _ended(r)] for r in asked if r.group != "RULE"]
    return Section(
        "matrix",
        Said("Annexe : règles et exigences, essais qui les couvrent", "Annex: rules and requirements, tests that cover them"),
        (_summary(asked, software),),
        (),
        (
            Table(
                "matrix_rules",
                Said("Règles, et ce que la période en dit", "Rules, and what the period says of them"),
                (_ID, _TITLE, _SOURCE, _BLOCKED, _REPORTED, _TESTS, _ENDED),
                rules,
            ),
            Table(
                "matrix_requirements",
                Said("Portabilité, DMP, INSi, INS, MSSanté", "Portability, DMP, INSi, INS, MSSanté"),
                (_ID, _TITLE, _SOURCE, _TESTS, _ENDED),
                others,
            ),
        ),
    )  # fmt: skip


def _summary(asked: Sequence[Requirement], software: str) -> Said:
    tested = [r for r in asked if r.tests]
    ended = [r.result.outcome for r in tested if r.result]
    fr = f"{len(asked)} règles et exigences : {len(tested)} ont des essais, {len(asked) - len(tested)} une raison écrite de n'en pas avoir. "
    en = f"{len(asked)} rules and requirements: {len(tested)} have tests, {len(asked) - len(tested)} a written reason to have none. "
    if not ended:
        return Said(
            f"{fr}Les résultats des essais de {software} ne sont pas joints à cette copie du logiciel.",
            f"{en}The results of the tests of {software} are not held by this copy of the software.",
        )
    passed, failed = ended.count("passed"), ended.count("failed")
    rest = len(tested) - passed - failed
    return Said(
        f"{fr}Essais de {software} : {passed} couvertes et réussies, {failed} en échec, {rest} non exécutées.",
        f"{en}Tests of {software}: {passed} covered and passed, {failed} failed, {rest} not run.",
    )


def _ended(one: Requirement) -> Said:
    if not one.tests:
        return _REASON
    return _UNKNOWN if one.result is None else _told(one.result)


def _told(result: Result) -> Said:
    if result.outcome == "not-run":
        return Said("non exécuté", "not run")
    if result.outcome == "failed":
        return Said(f"échec ({result.failed})", f"failed ({result.failed})")
    left = result.skipped + result.absent
    return Said(
        f"réussi ({result.passed}{f', {left} non exécutés' if left else ''})",
        f"passed ({result.passed}{f', {left} not run' if left else ''})",
    )
