"""Produire l'archive de portabilité PA….ZIP. Interrompu, relancé : les parties finies servent. / Make the portability archive."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from transvase.commands.session import counted, run_of, with_json, with_settings


def arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the command."""
    with_settings(parser)
    with_json(parser)
    parser.add_argument(
        "--sample",
        action="store_true",
        help="export d'essai pour qui reçoit : statut SAMPLE au manifeste / a trial for who receives",
    )


def run(options: argparse.Namespace) -> int:
    """Export the whole practice (MASSIF). Exit 1 when a document could not leave in the form asked."""
    import orjson

    from transvase.exporters.portability import facts_of
    from transvase.formats.fhir_reading import told
    from transvase.pipelines.execute import execute

    session = replace(run_of(options, resume=True), sample=options.sample)
    execute("export", session)
    facts = orjson.loads(facts_of(session.work, session.scope, session.sample).read_bytes())
    if options.json:
        print(orjson.dumps(facts).decode())
    else:
        print(summary(facts, str(session.settings.export.folder / facts["archive"]), options.lang))
        for line in division(facts, options.lang):
            print(line)
        if facts["fhir_sample"]:
            print(told(facts["fhir_sample"], options.lang))
    return 1 if incomplete(facts) else 0


def division(facts: dict[str, Any], language: str) -> Iterator[str]:
    """What an export in several archives adds to its summary: how many, the set manifest, and what is larger than asked."""
    french = language == "fr"
    if facts["set"]:
        count = counted(len(facts["archives"]), "archive", "archives", "archive", "archives", language)
        yield f"{facts['set']} : {count}" if french else f"{facts['set']}: {count}"
    for name in facts["oversize"]:
        yield (
            f"{name} : plus grande que demandé, un dossier ne se coupe pas"
            if french
            else f"{name}: larger than asked, a record is not split"
        )


def incomplete(facts: dict[str, object]) -> int:
    """Documents without a CDA or without content, and FHIR resources that an independent reader finds different: the archive is complete,
    these are listed."""
    forms: dict[str, int] = facts["forms"]  # type: ignore[assignment]
    reread: dict[str, int] = facts["fhir_sample"] or {}  # type: ignore[assignment]
    documents = forms.get("plain", 0) + forms.get("absent", 0) + int(facts["orphans"])  # type: ignore[call-overload]
    return int(documents + reread.get("different", 0))


_FORMS = {
    "structured": ("en CDA structuré", "en CDA structurés", "as structured CDA"),
    "written": ("en CDA de niveau 1", "en CDA de niveau 1", "as level-1 CDA"),
    "carried": ("CDA d'origine", "CDA d'origine", "own CDA"),
    "plain": ("en PDF sans CDA", "en PDF sans CDA", "as PDF without CDA"),
    "repeated": ("répété", "répétés", "repeated"),
    "absent": ("sans contenu", "sans contenu", "without content"),
}


def summary(facts: dict[str, object], path: str, language: str) -> str:
    """What was made, in two lines."""
    at = 0 if language == "fr" else 1
    forms: dict[str, int] = facts["forms"]  # type: ignore[assignment]
    parts = ", ".join(counted(n, *_FORMS[f], _FORMS[f][2], language) for f, n in forms.items())
    done = int(facts["documents"]) + int(facts["orphans"])  # type: ignore[call-overload]
    words = (("sur", "sans patient connu"), ("of", "without a known patient"))[at]
    patients = counted(int(facts["patients"]), "patient", "patients", "patient", "patients", language)  # type: ignore[call-overload]
    documents = counted(done, "document", "documents", "document", "documents", language)
    return (
        f"{path}\n{patients}, {documents} {words[0]} {facts['source_documents']} "
        f"(versions : {parts} ; {facts['orphans']} {words[1]})"
    )
