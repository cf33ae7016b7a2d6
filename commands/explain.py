"""Dire ce qu'un document ou un patient est devenu et pourquoi. / Say what became of a document or a patient, and why."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from transvase.commands.session import run_of, with_json, with_settings
from transvase.errors import BadCall, Said, WorkMissing


def arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the command."""
    parser.add_argument(
        "key",
        nargs="?",
        default="",
        help="clé du document, ou du patient, dans le logiciel / key of the document, or of the patient",
    )
    parser.add_argument("--patient", default="", metavar="CLÉ", help="clé du patient / key of the patient")
    with_settings(parser, clock=False)
    with_json(parser)


def run(options: argparse.Namespace) -> int:
    """Print the decision on one document, its legs, its rules with their sources and its submissions; or the identity of a patient."""
    import orjson

    if bool(options.key) == bool(options.patient):
        raise BadCall(
            what=Said(
                "une clé est attendue, de document ou de patient", "one key is expected, of a document or a patient"
            ),
            mend=Said("par exemple `transvase explain 4012`", "such as `transvase explain 4012`"),
        )
    session = run_of(options)
    answer = explained(session, options.key) if options.key else None
    if answer is None:
        answer = patient_explained(session, options.patient or options.key)
    if answer is None:
        raise BadCall(
            what=Said(
                "aucun document ni patient de cette clé dans l'extraction"
                if options.key
                else "aucun patient de cette clé dans l'extraction",
                "the extraction holds no document nor patient of that key"
                if options.key
                else "the extraction holds no patient of that key",
            ),
            mend=Said("vérifiez la clé, ou lancez `transvase extract`", "check the key, or run `transvase extract`"),
        )
    if options.json:
        print(orjson.dumps(answer).decode())
        return 0
    print("\n".join((sentences if "document" in answer else patient_sentences)(answer, options.lang)))
    return 0


_DECISION = (
    "outcome", "rule", "obligation", "effective_from", "confirmed", "dmp", "mss_pro", "mss_patient", "state", "act", "type_code", "patient",
)  # fmt: skip


def explained(session: Any, document: str) -> dict[str, Any] | None:
    """The facts about a document, by reference: decision, legs, verdicts of the document, its patient, its author and the structure it
    leaves under, types proposed, submissions. None when the extraction holds no such document."""
    from transvase.assets.ledger_place import ledger_place
    from transvase.ledger import engines
    from transvase.ledger.submissions import Ledger
    from transvase.reports.findings import outcome_of
    from transvase.validators.documents import signatory
    from transvase.validators.restrictions import legs

    with _judged(session.work) as base:
        # What is asked below is written for a whole practice: it sees this document alone, and what it inherits from.
        for table, where in (
            ("document", "key = $d"),
            ("decision", "document = $d"),
            ("obligations", "document = $d"),
            (
                "verdict",
                "record_key = $d OR record_table IN ('practitioner', 'practice') OR patient = (SELECT patient FROM temp.document)",
            ),
        ):
            base.execute(f"CREATE TEMP TABLE {table} AS FROM main.{table} WHERE {where}", {"d": document}).fetchall()
        rows = base.sql(f"SELECT {', '.join(_DECISION)} FROM decision").fetchall()
        if not rows:
            return None
        answer: dict[str, Any] = {"document": document, **dict(zip(_DECISION, rows[0], strict=True))}
        answer["act"] = (answer["act"] or "")[:10]
        answer["legs"] = [
            dict(zip(("leg", "answer", "reason", "presumed", "confirmed"), r, strict=True))
            for r in base.execute(
                f"SELECT leg, answer, reason, presumed, confirmed FROM ({legs()}) WHERE document = $d "
                "ORDER BY list_position(['dmp', 'mss_pro', 'mss_patient'], leg)",
                {"d": document},
            ).fetchall()
        ]
        answer["verdicts"] = _verdicts(
            base,
            f"""(record_table = 'document' AND record_key = $d)
            OR (record_table = 'patient' AND record_key = (SELECT patient FROM document WHERE key = $d))
            OR (record_table, record_key) IN (SELECT (record_table, record_key) FROM ({signatory()}) WHERE document = $d)
            OR (record_table = 'objection' AND record_key IN (
              SELECT o.key FROM objection o JOIN document d ON o.patient = d.patient WHERE d.key = $d
              AND coalesce(o.document, d.key) = d.key AND coalesce(o.practitioner, d.practitioner, '') = coalesce(d.practitioner, '')))""",
            document,
        )
        answer["acts"] = [
            {"act": act, "by": by, "at": (at or "")[:10]}
            for act, by, at in base.execute(
                """SELECT 'withheld', withheld_by, withheld_at FROM document WHERE key = $d AND coalesce(withheld, '') <> ''
                UNION ALL SELECT 'restricted', visibility_by, visibility_at FROM document
                WHERE key = $d AND (masked_ps OR invisible_patient OR invisible_representatives)
                UNION ALL SELECT 'objection', o.recorded_by, o.recorded FROM objection o JOIN document d ON o.patient = d.patient
                WHERE d.key = $d AND coalesce(o.document, d.key) = d.key
                AND coalesce(o.practitioner, d.practitioner, '') = coalesce(d.practitioner, '') ORDER BY ALL""",
                {"d": document},
            ).fetchall()
        ]
        answer["proposals"] = []
        if any(v["rule"].startswith("DOC-TYPE-") for v in answer["verdicts"]):
            answer["proposals"] = _proposals(base, document)
    answer["ledger"], answer["submissions"] = "", []
    if engines.exists(place := ledger_place(session.settings)):
        with Ledger(place, "dmp") as ledger:
            sent = ledger.outcomes().get(document)
            answer["ledger"] = sent[0] if sent else ""
            # What was sent beats what the verdicts allowed.
            answer["outcome"] = (outcome_of(sent[0], sent[1]) if sent else None) or answer["outcome"]
            answer["submissions"] = [
                dict(zip(("at", "event", "state", "code"), e, strict=True)) for e in ledger.of_document(document)
            ]
    return answer


def patient_explained(session: Any, patient: str) -> dict[str, Any] | None:
    """The facts about a patient, by reference: status by its criteria, what each identity rule found, the last conclusion of INSi, what is
    known of the DMP, documents by outcome. None when the extraction holds no such patient."""
    from transvase.assets.ledger_place import ledger_place
    from transvase.ledger import engines
    from transvase.ledger.insi import JOURNAL
    from transvase.ledger.submissions import Ledger
    from transvase.reports.findings import outcome_of
    from transvase.validators.insi import evidence

    with _judged(session.work) as base:
        names = (
            "status",
            "qualified",
            "nature",
            "oid_accepted",
            "missing",
            "dmp",
            "insi_confirmed",
            "document_checked",
        )
        rows = base.execute(
            "SELECT i.status, i.qualified, i.nature, i.oid_accepted, i.missing, i.dmp, coalesce(p.insi_confirmed, false), "
            "coalesce(p.document_checked, false) FROM identities i JOIN patient p ON p.key = i.patient WHERE i.patient = $p",
            {"p": patient},
        ).fetchall()
        if not rows:
            return None
        answer: dict[str, Any] = {"patient": patient, **dict(zip(names, rows[0], strict=True))}
        answer["verdicts"] = _verdicts(base, "patient = $d AND record_table IN ('patient', 'objection')", patient)
        decided = dict(
            base.execute("SELECT document, outcome FROM decision WHERE patient = $p", {"p": patient}).fetchall()
        )
    found = {v["rule"] for v in answer["verdicts"]}
    answer["without_finding"] = [r for r in _always_checked(found) if r not in found]
    last = next((e for e in evidence(session.work / JOURNAL) if e.patient == patient), None)
    answer["insi"] = (
        {"day": last.day, "code": last.code, "outcome": last.outcome, "traits": last.traits} if last else None
    )
    if engines.exists(place := ledger_place(session.settings)):
        with Ledger(place, "dmp") as ledger:
            sent = ledger.outcomes()
        decided = {d: (outcome_of(*sent[d][:2]) if d in sent else None) or outcome for d, outcome in decided.items()}
    answer["documents"] = {o: list(decided.values()).count(o) for o in sorted(set(decided.values()))}
    return answer


def _judged(work: Path) -> Any:
    """A connection to the tables and the verdicts; WorkMissing without verdicts."""
    from transvase.formats import canonical

    base = canonical.connect(work, threads=1)
    if not (work / "verdicts" / "counts.json").is_file():
        base.close()
        raise WorkMissing(path=work.name, what="verdicts", command="check")
    return base


def _verdicts(base: Any, where: str, key: str) -> list[dict[str, Any]]:
    """Verdicts in the order of the catalogue, those that block first."""
    from transvase.model.verdict import CATALOGUE

    order = list(CATALOGUE)
    names = ("record", "rule", "destination", "severity", "evidence")
    rows = base.execute(
        "SELECT CASE record_table WHEN 'document' THEN '' ELSE record_table || ':' || record_key END, rule, destination, severity, evidence "
        f"FROM verdict WHERE {where} ORDER BY ALL",
        {"d": key},
    ).fetchall()
    found = [dict(zip(names, r, strict=True)) for r in rows]
    return sorted(found, key=lambda v: (v["severity"] != "block", order.index(v["rule"])))


def _proposals(base: Any, document: str) -> list[dict[str, str]]:
    """National types whose labels look most like the local one; their codes and labels."""
    from transvase.model.codes.type_codes import CODES

    rows = base.execute(
        "SELECT t.proposals FROM types t JOIN main.document e ON e.key = t.document "
        "JOIN document d ON d.local_type IS NOT DISTINCT FROM e.local_type AND d.type_code IS NOT DISTINCT FROM e.type_code "
        "WHERE d.key = $d",
        {"d": document},
    ).fetchall()
    return [{"code": c, "label": CODES[c].display} for (codes,) in rows for c in codes]


def _always_checked(found: set[str]) -> list[str]:
    """Identity rules that every pass applies to every patient. Those that need a table of the operator or a call are left out, as are the
    forms of a matricule that come after the first one it fails."""
    from transvase.model.verdict import CATALOGUE

    needing = {"RNIV-PLACE-DATE"}
    rules = [r for r in CATALOGUE if r.startswith(("INS-", "RNIV-", "PAT-")) and r not in needing]
    failed = next((i for i, r in enumerate(rules) if r in found and r.startswith("INS-") and r != "INS-OID"), None)
    if failed is None:
        return rules
    return [r for i, r in enumerate(rules) if not (r.startswith("INS-") and r != "INS-OID" and i > failed)]


_WORDS = {
    "fr": {
        "withheld": "Non transmis : décidé par le professionnel", "restricted": "Visibilité restreinte par le professionnel",
        "objection": "Opposition du patient, enregistrée par le professionnel", "nobody": "(non enregistré)", "no_day": "sans date",
        "ledger": "registre", "obligation": "Obligation", "since": "depuis", "doubt": " (date non confirmée par nos sources)", "legs": "Volets",
        "leg_dmp": "DMP", "leg_mss_pro": "MSSanté professionnels", "leg_mss_patient": "MSSanté patient", "act": "acte du",
        "exclusions": "Exclusions prévues", "without": "aucune", "none": "Obligation : aucune pour ce type de document.", "block": "bloque", "warning": "signale",
        "source": "Source", "yes": "oui", "no": "non", "conditional": "sous condition",
        "law": "la liste le demande", "not_asked": "la liste ne le demande pas", "designated": "aux seuls destinataires que le patient désigne",
        "unread": " (cellule non confirmée par nos sources)", "presumed": " (présumé : une exclusion reste à renseigner)",
        "due": "dû", "before": "antérieur à l'obligation", "excluded": "une exclusion s'applique",
        "undecidable": "les données ne disent pas si une exclusion s'applique", "proposals": "Types nationaux les plus proches",
        "patient": "Patient", "identity": "identité", "qualified": "qualifiée", "not_qualified": "non qualifiée pour le DMP",
        "status": "Statut RNIV", "PROV": "provisoire", "VALI": "validée", "RECUP": "récupérée", "QUAL": "qualifiée",
        "insi": "obtenue d'INSi", "checked": "contrôlée sur pièce", "nature": "Matricule", "no_nature": "sans autorité reconnue",
        "accepted": "autorité admise dans cet environnement", "refused_oid": "autorité non admise dans cet environnement",
        "traits": "Traits stricts", "complete": "tous présents", "missing": "il manque", "clear": "Règles sans constat",
        "call": "Dernier appel INSi conclu", "no_call": "Aucun appel INSi conclu par Transvase.", "dmp": "DMP d'après le logiciel",
        "active": "actif", "none_dmp": "inexistant", "closed": "fermé", "unknown": "inconnu, la réponse est celle du DMP",
        "documents": "Documents", "todo": "Ce qu'il manque", "nothing": "Il ne manque rien pour alimenter le DMP.",
    },
    "en": {
        "withheld": "Withheld, decided by professional", "restricted": "Visibility restricted by professional",
        "objection": "Objection of the patient, recorded by professional", "nobody": "(not recorded)", "no_day": "without a date",
        "ledger": "ledger", "obligation": "Obligation", "since": "since", "doubt": " (date not confirmed by our sources)", "legs": "Legs",
        "leg_dmp": "DMP", "leg_mss_pro": "MSSanté to professionals", "leg_mss_patient": "MSSanté to the patient", "act": "act of",
        "exclusions": "Exclusions of the list", "without": "none", "none": "Obligation: none for this type of document.", "block": "blocks", "warning": "reports",
        "source": "Source", "yes": "yes", "no": "no", "conditional": "conditional",
        "law": "the list asks for it", "not_asked": "the list does not ask for it", "designated": "to those only whom the patient designates",
        "unread": " (cell not confirmed by our sources)", "presumed": " (presumed: an exclusion is still to be told)",
        "due": "due", "before": "older than the obligation", "excluded": "an exclusion applies",
        "undecidable": "the data do not tell whether an exclusion applies", "proposals": "Nearest national types",
        "patient": "Patient", "identity": "identity", "qualified": "qualified", "not_qualified": "not qualified for the DMP",
        "status": "RNIV status", "PROV": "provisional", "VALI": "validated", "RECUP": "retrieved", "QUAL": "qualified",
        "insi": "obtained from INSi", "checked": "checked against a document", "nature": "Matricule", "no_nature": "of no known authority",
        "accepted": "authority accepted in this environment", "refused_oid": "authority not accepted in this environment",
        "traits": "Strict traits", "complete": "all present", "missing": "missing", "clear": "Rules without finding",
        "call": "Last INSi call concluded", "no_call": "No INSi call concluded by Transvase.", "dmp": "DMP by the software",
        "active": "active", "none_dmp": "none", "closed": "closed", "unknown": "unknown, the DMP will answer",
        "documents": "Documents", "todo": "What is missing", "nothing": "Nothing is missing to feed the DMP.",
    },
}  # fmt: skip


def sentences(answer: dict[str, Any], language: str) -> list[str]:
    """The facts about a document for a reader."""
    from transvase.gateways import causes
    from transvase.model.codes.mandated_documents import CODES as MANDATED
    from transvase.model.outcome import OUTCOMES

    say, at = _WORDS[language], 0 if language == "fr" else 1
    # The state of the newest version, which the last event may not be about.
    last = answer["ledger"]
    out = [
        f"Document {answer['document']} : {OUTCOMES[answer['outcome']][2 + at]}"
        + (f" ; {say['ledger']} : {last}" if last else "")
    ]
    if answer["obligation"]:
        row = MANDATED[answer["obligation"]]
        doubt = "" if answer["confirmed"] else say["doubt"]
        since = answer["effective_from"] if answer["effective_from"] > "0001" else "-"
        out.append(f"  {say['obligation']} : {row.label}, {say['since']} {since}{doubt} ; {row.legal_basis}")
        told = f"{say['act']} {answer['act']} ; {say[answer['state']]}"
        out.append(f"  {say['exclusions']} : {' ; '.join(row.exclusions) or say['without']} ; {told}")
    else:
        out.append(f"  {say['none']}")
    out += [f"  {say['leg_' + leg['leg']]} : {_leg(leg, answer, language)}" for leg in answer["legs"]]
    for one in answer["acts"]:
        out.append(f"  {say[one['act']]} {one['by'] or say['nobody']}, {one['at'] or say['no_day']}")
    out += _told(answer["verdicts"], language)
    if answer["proposals"]:
        out.append(f"  {say['proposals']} : " + " ; ".join(f"{p['code']} {p['label']}" for p in answer["proposals"]))
    out += [f"  {e['at']} {e['event']} -> {e['state']} {e['code']}".rstrip() for e in answer["submissions"]]
    why = next((e["code"] for e in reversed(answer["submissions"]) if e["state"] == last), "")
    if last in ("refused", "set_aside"):
        out.append(f"      {causes.of(why).sentence(language)}")
    return out


def _leg(leg: dict[str, Any], answer: dict[str, Any], language: str) -> str:
    """One leg: the answer, then why."""
    from transvase.model.verdict import CATALOGUE

    say, at = _WORDS[language], 0 if language == "fr" else 1
    reason = leg["reason"] or ""
    if reason in CATALOGUE:
        why = f"{reason}, {CATALOGUE[reason][1 + at][:1].lower()}{CATALOGUE[reason][1 + at][1:].rstrip('.')}"
    elif leg["answer"] == "conditional":
        why = say["designated"]
    else:
        why = say["law"] if leg["answer"] == "yes" else say["not_asked"]
    doubt = "" if leg["confirmed"] else say["doubt"] if not answer["confirmed"] else say["unread"]
    return f"{say[leg['answer']]}, {why}{say['presumed'] if leg['presumed'] and leg['answer'] == 'yes' else ''}{doubt}"


def _told(verdicts: list[dict[str, Any]], language: str) -> list[str]:
    """Two lines by verdict: the rule and what it found; who can act, and its source."""
    from transvase.model.verdict import CATALOGUE

    say, at = _WORDS[language], 0 if language == "fr" else 1
    out = []
    for verdict in verdicts:
        rule = CATALOGUE[verdict["rule"]]
        where = " ".join(filter(None, (verdict["record"], verdict["evidence"])))
        out.append(f"  {rule.id} {say[verdict['severity']]} ({verdict['destination']}) : {rule[1 + at]} [{where}]")
        out.append(f"      {rule.unblock} {say['source']} : {rule.source}.")
    return out


def patient_sentences(answer: dict[str, Any], language: str) -> list[str]:
    """The facts about a patient for a reader."""
    from transvase.model.outcome import OUTCOMES
    from transvase.model.verdict import CATALOGUE

    say, at = _WORDS[language], 0 if language == "fr" else 1

    def told(flag: bool) -> str:
        return say["yes"] if flag else say["no"]

    criteria = f"{say['insi']} {told(answer['insi_confirmed'])}, {say['checked']} {told(answer['document_checked'])}"
    authority = say["accepted"] if answer["oid_accepted"] else say["refused_oid"]
    traits = f"{say['missing']} {', '.join(answer['missing'])}" if answer["missing"] else say["complete"]
    out = [
        f"{say['patient']} {answer['patient']} : {say['identity']} {say['qualified'] if answer['qualified'] else say['not_qualified']}",
        f"  {say['status']} : {answer['status']}, {say[answer['status']]} ; {criteria}",
        f"  {say['nature']} : {answer['nature'] or say['no_nature']} ; {authority}",
        f"  {say['traits']} : {traits}",
    ]
    out += _told(answer["verdicts"], language)
    out.append(f"  {say['clear']} : {', '.join(answer['without_finding'])}")
    call = answer["insi"]
    out.append(
        f"  {say['call']} : {' '.join(filter(None, (call['day'], call['code'], call['outcome'], call['traits'])))}"
        if call
        else f"  {say['no_call']}"
    )
    out.append(f"  {say['dmp']} : {say['none_dmp' if answer['dmp'] == 'none' else answer['dmp']]}")
    counted = ", ".join(f"{OUTCOMES[o][2 + at]} {n}" for o, n in answer["documents"].items())
    out.append(f"  {say['documents']} : {sum(answer['documents'].values())}" + (f" ({counted})" if counted else ""))
    # The catalogue says who can act; one sentence per thing to do, whatever the number of rules that ask for it.
    todo = dict.fromkeys(
        CATALOGUE[v["rule"]].unblock
        for v in answer["verdicts"]
        if v["severity"] == "block" and v["destination"] == "dmp"
    )
    out += [f"  {say['todo']} :", *(f"    {one}" for one in todo)] if todo else [f"  {say['nothing']}"]
    return out
