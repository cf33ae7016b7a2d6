"""The audit report as one self-contained HTML page, French first: verdict in one line, totals that add up, what is blocked and who can
act, what was not checked. Facts come from `findings`; records are named by reference only, patients never.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from html import escape

from transvase.model.codes.mandated_documents import CODES as MANDATED
from transvase.model.outcome import GROUPS, OUTCOMES
from transvase.model.verdict import CATALOGUE
from transvase.reports.findings import Findings

# Okabe-Ito colours with a hatch each: told apart by colour-blind readers and on a black and white print.
_INK = {"fed": "#0072B2", "pending": "#E69F00", "refused": "#D55E00", "blocked": "#000000", "exempt": "#BBBBBB"}
_LABELS = {
    "fr": {
        "title": "Rapport d'audit",
        "verdict_ok": "Tous les documents dus sont alimentés.",
        "verdict_todo": "{due} documents dus ne sont pas alimentés : {pending} en attente, {refused} refusés, {blocked} bloqués.",
        "account": "{n} documents sur {n} ont une issue et une seule.",
        "outcomes": "Issue des documents",
        "group": "Groupe",
        "outcome": "Issue",
        "count": "Nombre",
        "total": "Total",
        "input": "Documents lus dans la base",
        "obligations": "Obligations en vigueur à la date de l'acte",
        "obligation": "Obligation",
        "practitioners": "Par professionnel (référence interne)",
        "who": "Professionnel",
        "delays": "Délai entre l'acte et l'alimentation (échéance légale : le jour de l'acte)",
        "delay": "Délai",
        "identities": "Identités",
        "status": "Statut",
        "qualified": "Utilisables pour le DMP dans cet environnement",
        "findings": "Constats",
        "rule": "Règle",
        "sentence": "Constat",
        "destination": "Destination",
        "severity": "Effet",
        "unblock": "Qui peut agir",
        "source": "Source",
        "cells": "Reprise de la base",
        "archive": "Archive de portabilité",
        "unchecked": "Ce qui n'a pas été contrôlé",
        "block": "bloquant",
        "warning": "signalé",
        "none": "Aucune archive produite.",
        "unconfirmed": "date d'effet non confirmée par nos sources",
        "refusals": "Refus du DMP, par code",
    },
    "en": {
        "title": "Audit report",
        "verdict_ok": "Every document due has been fed.",
        "verdict_todo": "{due} documents due are not fed: {pending} pending, {refused} refused, {blocked} blocked.",
        "account": "{n} of {n} documents have one outcome and one only.",
        "outcomes": "Outcome of documents",
        "group": "Group",
        "outcome": "Outcome",
        "count": "Count",
        "total": "Total",
        "input": "Documents read from the database",
        "obligations": "Obligations in force at the date of the act",
        "obligation": "Obligation",
        "practitioners": "By professional (internal reference)",
        "who": "Professional",
        "delays": "Delay between act and feeding (legal deadline: the day of the act)",
        "delay": "Delay",
        "identities": "Identities",
        "status": "Status",
        "qualified": "Usable for the DMP in this environment",
        "findings": "Findings",
        "rule": "Rule",
        "sentence": "Finding",
        "destination": "Destination",
        "severity": "Effect",
        "unblock": "Who can act",
        "source": "Source",
        "cells": "Extraction",
        "archive": "Portability archive",
        "unchecked": "What was not checked",
        "block": "blocking",
        "warning": "reported",
        "none": "No archive was made.",
        "unconfirmed": "effective date not confirmed by our sources",
        "refusals": "Refusals of the DMP, by code",
    },
}
_DELAYS = {
    "same_day": ("le jour même", "same day"),
    "next_day": ("le lendemain", "next day"),
    "week": ("2 à 7 jours", "2 to 7 days"),
    "month": ("8 à 31 jours", "8 to 31 days"),
    "later": ("plus d'un mois", "more than a month"),
}
_STATUSES = {
    "QUAL": ("qualifiée", "qualified"),
    "RECUP": ("récupérée", "retrieved"),
    "VALI": ("validée", "validated"),
    "PROV": ("provisoire", "provisional"),
}
_FORMS = {
    "written": ("CDA de niveau 1 écrits", "level-1 CDA written"),
    "carried": ("CDA d'origine repris octet pour octet", "own CDA carried byte for byte"),
    "plain": ("sans CDA possible (traits du patient), PDF joint", "no CDA possible, PDF attached"),
    "repeated": ("même CDA qu'un autre document", "same CDA as another document"),
    "absent": ("sans contenu dans le logiciel", "no body in the software"),
}
_CSS = """
:root{color-scheme:light}body{font:15px/1.45 system-ui,'Segoe UI',Roboto,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#111}
h1{font-size:1.6rem;margin:0}h2{font-size:1.15rem;margin:2rem 0 .5rem;border-bottom:1px solid #999}p.lead{font-size:1.2rem;font-weight:600}
table{border-collapse:collapse;width:100%;margin:.5rem 0}th,td{text-align:left;padding:.25rem .6rem .25rem 0;border-bottom:1px solid #ddd;
vertical-align:top}td.n,th.n{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}tr.total td{font-weight:700;border-top:2px solid #111}
.key{display:inline-block;width:.8rem;height:.8rem;margin-right:.4rem;vertical-align:-1px;border:1px solid #333}small,.muted{color:#444}
svg{display:block;width:100%;height:auto;margin:.5rem 0}@media print{body{margin:0;max-width:none;font-size:11px}h2{break-after:avoid}tr{break-inside:avoid}}
"""


def _table(
    head: Iterable[str], rows: Iterable[Iterable[object]], numeric: set[int], total: Iterable[object] | None = None
) -> str:
    def line(cells: Iterable[object], tag: str = "td", extra: str = "") -> str:
        inner = "".join(
            f"<{tag}{' class=n' if i in numeric else ''}>{c if isinstance(c, _Markup) else escape(_shown(c))}</{tag}>"
            for i, c in enumerate(cells)
        )
        return f"<tr{extra}>{inner}</tr>"

    foot = line(total, extra=" class=total") if total else ""
    return f"<table><thead>{line(head, 'th')}</thead><tbody>{''.join(line(r) for r in rows)}{foot}</tbody></table>"


class _Markup(str):
    """Text that is already HTML."""


def _shown(value: object) -> str:
    # French readers group thousands with a thin space.
    return f"{value:,}".replace(",", "\u202f") if isinstance(value, int) and not isinstance(value, bool) else str(value)


def _bar(groups: dict[str, int], labels: dict[str, str]) -> str:
    """Share of each group as one stacked bar with its legend and numbers; hatches tell groups apart without colour."""
    total = sum(groups.values()) or 1
    patterns, pieces, x = [], [], 0.0
    angles = {"fed": None, "pending": 45, "refused": 135, "blocked": None, "exempt": 0}
    for name, n in groups.items():
        width = 1000 * n / total
        fill = _INK[name]
        if angles[name] is not None:
            patterns.append(
                f'<pattern id="p-{name}" width="8" height="8" patternUnits="userSpaceOnUse" patternTransform="rotate({angles[name]})">'
                f'<rect width="8" height="8" fill="{fill}"/><path d="M0 0H8" stroke="#fff" stroke-width="2"/></pattern>'
            )
            fill = f"url(#p-{name})"
        if n:
            pieces.append(
                f'<rect x="{x:.2f}" y="0" width="{max(width, 1):.2f}" height="46" fill="{fill}" stroke="#fff"><title>{escape(labels[name])} : {n}</title></rect>'
            )
        x += width
    described = ", ".join(f"{labels[g]} {n}" for g, n in groups.items())
    legend = " &nbsp; ".join(
        f'<span><span class="key" style="background:{_INK[g]}"></span>{escape(labels[g])} : {_shown(n)} ({100 * n / total:.1f} %)</span>'
        for g, n in groups.items()
    )
    return (
        f'<svg viewBox="0 0 1000 46" role="img" aria-label="{escape(described)}"><defs>{"".join(patterns)}</defs>{"".join(pieces)}</svg>'
        f"<p>{legend}</p>"
    )


def html(found: Findings, *, practice: str, clock: datetime, software: str, language: str = "fr") -> bytes:
    """The page. `clock` is aware; `practice` the structure's name; `language` fr or en."""
    say, at = _LABELS[language], 0 if language == "fr" else 1
    group_labels = {g: names[at] for g, names in GROUPS.items()}
    due = {g: sum(o[g] for o in found.obligations) for g in GROUPS}
    missing = due["pending"] + due["refused"] + due["blocked"]
    verdict = say["verdict_todo"].format(due=missing, **due) if missing else say["verdict_ok"]
    out = [
        f'<!doctype html><html lang="{language}"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">',
        f"<title>{say['title']}</title><style>{_CSS}</style></head><body><h1>{say['title']}</h1>",
        f"<p class=muted>{escape(practice)} · {clock:%d/%m/%Y %H:%M} · {escape(software)} · {escape(found.environment)}</p>",
        f"<p class=lead>{escape(verdict)}</p><p>{say['account'].format(n=_shown(found.documents))}</p>",
        _bar(found.groups, group_labels),
        f"<h2>{say['outcomes']}</h2>",
        _table(
            (say["group"], say["outcome"], say["count"]),
            ((group_labels[OUTCOMES[o].group], OUTCOMES[o][2 + at], n) for o, n in found.outcomes.items()),
            {2},
            (say["total"], say["input"], sum(found.outcomes.values())),
        ),
    ]
    names = list(GROUPS)
    heads = tuple(group_labels[g] for g in names)
    sums = [due[g] for g in names]
    out += [
        f"<h2>{say['obligations']}</h2>",
        _table(
            (say["obligation"], *heads, say["total"]),
            (
                (
                    MANDATED[o["name"]].label + ("" if o["confirmed"] else f" ({say['unconfirmed']})"),
                    *(o[g] for g in names),
                    sum(o[g] for g in names),
                )
                for o in found.obligations
            ),
            set(range(1, 7)),
            (say["total"], *sums, sum(sums)),
        ),
        f"<h2>{say['practitioners']}</h2>",
        _table(
            (say["who"], *heads, say["total"]),
            ((p["name"], *(p[g] for g in names), sum(p[g] for g in names)) for p in found.practitioners),
            set(range(1, 7)),
        ),
        f"<h2>{say['delays']}</h2>",
        _table(
            (say["delay"], say["count"]), ((_DELAYS[d][at], found.delays[d]) for d in _DELAYS if d in found.delays), {1}
        ),
    ]
    if found.refusals:
        out += [f"<h2>{say['refusals']}</h2>", _table(("Code", say["count"]), found.refusals.items(), {1})]
    out += [
        f"<h2>{say['identities']}</h2>",
        _table(
            (say["status"], say["count"]),
            [(f"{s} ({_STATUSES[s][at]})", found.identities.get(s, 0)) for s in _STATUSES],
            {1},
            (say["total"], found.patients),
        ),
        f"<p>{say['qualified']} : {_shown(found.qualified)}</p>",
        f"<h2>{say['findings']}</h2>",
        _table(
            (
                say["rule"],
                say["sentence"],
                say["destination"],
                say["severity"],
                say["count"],
                say["unblock"],
                say["source"],
            ),
            (
                (
                    v["rule"],
                    CATALOGUE[v["rule"]][1 + at],
                    v["destination"],
                    say[v["severity"]],
                    v["count"],
                    CATALOGUE[v["rule"]].unblock,
                    CATALOGUE[v["rule"]].source,
                )
                for v in found.rules
            ),
            {4},
        ),
        f"<h2>{say['cells']}</h2>",
        _cells(found, at),
        f"<h2>{say['archive']}</h2>",
        _archive(found, at) if found.export else f"<p>{say['none']}</p>",
        f"<h2>{say['unchecked']}</h2><ul>{''.join(f'<li>{escape(line)}</li>' for line in unchecked(found, at))}</ul>",
        "</body></html>\n",
    ]
    return "".join(out).encode()


def _cells(found: Findings, at: int) -> str:
    cells = found.extraction["cells"]
    sums = {k: sum(c[k] for c in cells) for k in ("source", "mapped", "native", "excluded")}
    words = (
        ("Cellules de la source", "reprises", "conservées telles quelles", "exclues avec motif"),
        ("Cells of the source", "mapped", "carried as native", "excluded with a reason"),
    )[at]
    return (
        f"<p>{words[0]} : <b>{_shown(sums['source'])}</b> = {_shown(sums['mapped'])} {words[1]} + {_shown(sums['native'])} {words[2]} "
        f"+ {_shown(sums['excluded'])} {words[3]}.</p>"
    )


def _archive(found: Findings, at: int) -> str:
    facts = found.export
    rows = [(_FORMS[f][at], n) for f, n in facts["forms"].items()]
    heads = (("Versions de documents", "Nombre"), ("Document versions", "Count"))[at]
    orphans = ("Documents sans patient connu, dans TRANSVERSE", "Documents without a known patient, in TRANSVERSE")[at]
    accounted = ("documents dans l'archive", "documents in the archive")[at]
    return (
        f"<p><b>{escape(facts['archive'])}</b> · {_shown(facts['patients'])} patients · {_shown(facts['documents'] + facts['orphans'])} / "
        f"{_shown(facts['source_documents'])} {accounted}<br><small>SHA-256 {escape(facts['sha256'])}</small></p>"
        + _table(heads, [*rows, (orphans, facts["orphans"])], {1})
    )


def unchecked(found: Findings, at: int) -> list[str]:
    """What no part of this run verified, in the report's language."""
    lines = [
        ("La conformité PDF/A-1 des PDF du cabinet, repris tels quels.", "PDF/A-1 conformity of the practice's PDF, carried as they came."),
        ("Les Schematrons CI-SIS (contrôlés sur nos modèles, pas à chaque document).", "CI-SIS Schematrons (checked on our models, not each document)."),
        ("L'existence du DMP avant l'envoi, quand le cabinet ne la connaît pas.", "The DMP's existence before sending, when the practice does not know it."),
        ("Les envois par MSSanté (non réalisés par cette version).", "MSSanté legs (not carried out by this version)."),
    ]  # fmt: skip
    if found.export and not found.export["schema_checked"]:
        lines.insert(
            0,
            (
                "Le schéma XSD CI-SIS des CDA écrits : aucun schéma n'a été fourni.",
                "The CI-SIS XSD of the CDA we write: no schema was given.",
            ),
        )
    return [line[at] for line in lines]
