"""Dire ce qu'un document est devenu et pourquoi : obligation, règles, envois. / Say what became of a document and why."""

from __future__ import annotations

import argparse
from typing import Any

from transvase.commands.session import run_of, with_json, with_settings
from transvase.errors import BadCall, Said


def arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the command."""
    parser.add_argument("document", help="clé du document dans le logiciel / key of the document")
    with_settings(parser, clock=False)
    with_json(parser)


def run(options: argparse.Namespace) -> int:
    """Print the decision on one document, its rules with their sources, and its submissions."""
    import orjson

    answer = explained(run_of(options), options.document)
    if options.json:
        print(orjson.dumps(answer).decode())
        return 0
    print("\n".join(sentences(answer, options.lang)))
    return 0


def explained(session: Any, document: str) -> dict[str, Any]:
    """The facts about a document, by reference; BadCall when the extraction does not hold it."""
    from transvase.assets.dmp import LEDGER
    from transvase.formats import canonical
    from transvase.ledger.submissions import Ledger
    from transvase.reports.findings import outcome_of

    with canonical.connect(session.work, threads=1) as base:
        if not (session.work / "verdicts" / "counts.json").is_file():
            from transvase.errors import WorkMissing

            raise WorkMissing(path=session.work.name, what="verdicts", command="check")
        rows = base.execute(
            "SELECT outcome, rule, obligation, effective_from, confirmed, dmp, mss_pro, mss_patient, state, left(act, 10), type_code "
            "FROM decision WHERE document = $d",
            {"d": document},
        ).fetchall()
        if not rows:
            raise BadCall(
                what=Said(
                    "aucun document de cette clé dans l'extraction", "the extraction holds no document of that key"
                ),
                mend=Said(
                    "vérifiez la clé, ou lancez `transvase extract`", "check the key, or run `transvase extract`"
                ),
            )
        names = (
            "outcome",
            "rule",
            "obligation",
            "effective_from",
            "confirmed",
            "dmp",
            "mss_pro",
            "mss_patient",
            "state",
            "act",
            "type_code",
        )
        answer: dict[str, Any] = {"document": document, **dict(zip(names, rows[0], strict=True))}
        answer["verdicts"] = [
            {"rule": r, "destination": d, "severity": s, "evidence": e}
            for r, d, s, e in base.execute(
                "SELECT rule, destination, severity, evidence FROM verdict WHERE (record_table = 'document' AND record_key = $d) OR "
                "(record_table = 'patient' AND record_key = (SELECT patient FROM document WHERE key = $d)) ORDER BY ALL",
                {"d": document},
            ).fetchall()
        ]
    answer["submissions"] = []
    if (session.work / LEDGER).is_file():
        with Ledger(session.work / LEDGER) as ledger:
            sent = ledger.outcomes().get(document)
            # What was sent beats what the verdicts allowed.
            answer["outcome"] = (outcome_of(sent[0], sent[1]) if sent else None) or answer["outcome"]
            answer["submissions"] = [
                dict(zip(("at", "event", "state", "code"), e, strict=True)) for e in ledger.of_document(document)
            ]
    return answer


_WORDS = {
    "fr": {
        "ledger": "registre", "obligation": "Obligation", "since": "depuis", "doubt": " (date non confirmée par nos sources)", "legs": "Volets",
        "pro": "MSSanté professionnels", "patient": "MSSanté patient", "act": "acte du", "exclusions": "Exclusions prévues",
        "none": "Obligation : aucune pour ce type de document.", "block": "bloque", "warning": "signale", "source": "Source",
        "true": "oui", "false": "non", "conditional": "selon les destinataires désignés par le patient",
        "due": "dû", "before": "antérieur à l'obligation", "excluded": "une exclusion s'applique",
        "undecidable": "les données ne disent pas si une exclusion s'applique",
    },
    "en": {
        "ledger": "ledger", "obligation": "Obligation", "since": "since", "doubt": " (date not confirmed by our sources)", "legs": "Legs",
        "pro": "MSSanté to professionals", "patient": "MSSanté to the patient", "act": "act of", "exclusions": "Exclusions of the list",
        "none": "Obligation: none for this type of document.", "block": "blocks", "warning": "reports", "source": "Source",
        "true": "yes", "false": "no", "conditional": "to those the patient designates",
        "due": "due", "before": "older than the obligation", "excluded": "an exclusion applies",
        "undecidable": "the data do not tell whether an exclusion applies",
    },
}  # fmt: skip


def sentences(answer: dict[str, Any], language: str) -> list[str]:
    """The same facts for a reader."""
    from transvase.model.codes.mandated_documents import CODES as MANDATED
    from transvase.model.outcome import OUTCOMES
    from transvase.model.verdict import CATALOGUE

    say, at = _WORDS[language], 0 if language == "fr" else 1
    last = answer["submissions"][-1]["state"] if answer["submissions"] else ""
    out = [
        f"Document {answer['document']} : {OUTCOMES[answer['outcome']][2 + at]}"
        + (f" ; {say['ledger']} : {last}" if last else "")
    ]
    if answer["obligation"]:
        row = MANDATED[answer["obligation"]]
        doubt = "" if answer["confirmed"] else say["doubt"]
        since = answer["effective_from"] if answer["effective_from"] > "0001" else "-"
        out.append(f"  {say['obligation']} : {row.label}, {say['since']} {since}{doubt} ; {row.legal_basis}")
        legs = f"DMP {say[row.dmp]}, {say['pro']} {say[row.mss_pro]}, {say['patient']} {say[row.mss_patient]}"
        out.append(f"  {say['legs']} : {legs} ; {say['act']} {answer['act']}")
        if row.exclusions:
            out.append(f"  {say['exclusions']} : {' ; '.join(row.exclusions)} ; {say[answer['state']]}")
    else:
        out.append(f"  {say['none']}")
    for verdict in answer["verdicts"]:
        rule = CATALOGUE[verdict["rule"]]
        out.append(
            f"  {rule.id} {say[verdict['severity']]} ({verdict['destination']}) : {rule[1 + at]} [{verdict['evidence']}]"
        )
        out.append(f"      {rule.unblock} {say['source']} : {rule.source}.")
    out += [f"  {e['at']} {e['event']} -> {e['state']} {e['code']}".rstrip() for e in answer["submissions"]]
    return out
