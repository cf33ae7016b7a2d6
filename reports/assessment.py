"""The assessment that a clinic runs alone before anything moves: facts counted, what stands in the way, one page to share. It names no
patient and holds no value of a record: tables, columns, rules, counts. What is seen of the source itself comes from `sources.appraisal`;
who accepted what from `ledger.sign_offs`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from datetime import datetime
from html import escape
from pathlib import Path
from typing import Any, NamedTuple

import duckdb
import orjson

from transvase.formats import canonical
from transvase.model.table import Kind
from transvase.model.tables import TABLES
from transvase.model.verdict import CATALOGUE

Facts = dict[str, Any]


class Class(NamedTuple):
    """A class of what stands in the way: both labels, and whether somebody may accept it."""

    fr: str
    en: str
    signable: bool


# Closed: each thing in the way is of one class, and none of them can be waved through all at once.
CLASSES = {
    "version": Class("version inattendue", "unexpected version", False),
    "schema": Class("schéma inattendu", "unexpected schema", False),
    "partial": Class("base incomplète", "incomplete database", False),
    "space": Class("disque insuffisant", "not enough disk", False),
    "account": Class("somme des cellules inexacte", "sum of cells not exact", False),
    "loss": Class("perte de données", "loss of data", True),
    "documents": Class("documents illisibles", "unreadable documents", True),
    "identity": Class("identités non utilisables pour le DMP", "identities unusable for the DMP", True),
    "links": Class("liens rompus et clés en double", "broken links and repeated keys", True),
    "dates": Class("dates impossibles", "impossible dates", True),
    "encodings": Class("encodages qui mentent", "encodings that lie", True),
}
SIGNABLE = tuple(name for name, one in CLASSES.items() if one.signable)


class Blocker(NamedTuple):
    """Something in the way: its class, what was seen (counts and names), a sentence in both languages."""

    kind: str
    facts: Any
    fr: str
    en: str

    @property
    def digest(self) -> str:
        """Digest of what was seen: a sign-off holds for these facts and no others."""
        return hashlib.sha256(orjson.dumps([self.kind, self.facts], option=orjson.OPT_SORT_KEYS)).hexdigest()


def extracted(work: Path) -> Facts:
    """What the canonical tables and the verdicts of a work folder say. WorkMissing without them."""
    manifest = canonical.manifest(work)
    found = canonical.bounded(work, _asked)
    found["cells"] = {k: sum(c[k] for c in manifest["cells"]) for k in ("source", "mapped", "native", "excluded")}
    found["files"] = manifest["files"]
    found["unreadable"] = manifest["unreadable"]
    found["unread"] = len(manifest.get("unread", ()))
    return found


def _asked(base: duckdb.DuckDBPyConnection) -> Facts:
    def rows(query: str) -> list[tuple[Any, ...]]:
        found: list[tuple[Any, ...]] = base.sql(query).fetchall()
        return found

    dates, repeated, orphans = [], [], []
    for name, table in TABLES.items():
        if name == "native":
            continue
        wrong = [(c.name, _impossible(c.name, c.form)) for c in table.columns if c.kind in (Kind.DATE, Kind.INSTANT)]
        if wrong:
            ((*counts,),) = rows(f"SELECT {', '.join(f'count(*) FILTER (WHERE {w})' for _, w in wrong)} FROM {name}")
            dates += [{"table": name, "column": c, "rows": n} for (c, _), n in zip(wrong, counts, strict=True) if n]
        ((keys,),) = rows(f"SELECT count(*) FROM (SELECT key FROM {name} GROUP BY key HAVING count(*) > 1)")
        if keys:
            repeated.append({"table": name, "keys": keys})
        if table.of_patient and name != "patient":
            ((stray,),) = rows(
                f"SELECT count(*) FROM {name} WHERE patient IS NOT NULL AND patient NOT IN (SELECT key FROM patient)"
            )
            if stray:
                orphans.append({"table": name, "rows": stray})
    return {
        "documents": [
            {"kind": kind, "documents": n, "bytes": size, "damaged": damaged}
            for kind, n, size, damaged in rows(
                "SELECT coalesce(detected, 'absent'), count(*), coalesce(sum(size), 0)::BIGINT, count(damage) "
                "FROM document_version GROUP BY 1 ORDER BY 1"
            )
        ],
        "damages": [
            {"reason": reason, "documents": n}
            for reason, n in rows("SELECT damage, count(*) FROM document_version WHERE damage IS NOT NULL GROUP BY 1 ORDER BY 1")
        ],
        "dates": dates,
        "repeated": repeated,
        "orphans": orphans,
        "identities": dict(rows("SELECT status, count(*) FROM identities GROUP BY 1 ORDER BY 1")),
        "qualified": rows("SELECT count(*) FILTER (WHERE qualified) FROM identities")[0][0],
        "patients": rows("SELECT count(*) FROM patient")[0][0],
        "blocking": [
            {"rule": rule, "patients": n}
            for rule, n in rows(
                "SELECT rule, count(DISTINCT record_key) FROM verdict WHERE record_table = 'patient' AND severity = 'block' "
                "GROUP BY 1 ORDER BY 1"
            )
        ],
        "untyped": rows("SELECT count(*) FROM document WHERE type_code IS NULL")[0][0],
        "unknown_history": rows("SELECT count(*) FROM document WHERE fed_state = 'unknown'")[0][0],
        "oid": bool(rows("SELECT count(*) FROM practice WHERE oid IS NOT NULL")[0][0]),
    }  # fmt: skip


def _impossible(column: str, form: str) -> str:
    """SQL: the column holds something, and no day of the calendar."""
    return (
        f'"{column}" IS NOT NULL AND (NOT regexp_matches("{column}", \'{form}\') '
        f'OR (length("{column}") >= 10 AND try_cast(substr("{column}", 1, 10) AS DATE) IS NULL))'
    )


def blockers(facts: Facts) -> list[Blocker]:
    """What stands in the way, in the order of CLASSES; the facts of each hold counts and names only."""
    found = []
    if told := facts.get("version_refused"):
        found.append(
            Blocker(
                "version",
                told,
                f"La base est de version {told['found']['fr']}, la correspondance sert {told['served']}.",
                f"The database is of version {told['found']['en']}, the mapping serves {told['served']}.",
            )
        )
    if drift := facts["drift"]:
        shown = " ; ".join(drift[:5])
        found.append(
            Blocker(
                "schema", drift, f"{len(drift)} différences de schéma : {shown}.", f"{len(drift)} differences: {shown}."
            )
        )
    if gaps := facts["gaps"]:
        found.append(
            Blocker("partial", gaps, " ; ".join(g["fr"] for g in gaps) + ".", "; ".join(g["en"] for g in gaps) + ".")
        )
    if short := [d for d in facts["disks"] if d["free"] < d["needed"]]:
        # The bytes free change by themselves, and nobody signs for them.
        fr = ", ".join(f"{_bytes(d['needed'], 0)} pour {d['folder']}, {_bytes(d['free'], 0)} libres" for d in short)
        en = ", ".join(f"{_bytes(d['needed'], 1)} for {d['folder']}, {_bytes(d['free'], 1)} free" for d in short)
        found.append(Blocker("space", short, f"Il faut {fr}.", f"It takes {en}."))
    if inexact := facts.get("account"):
        found.append(
            Blocker(
                "account",
                inexact,
                f"Table {inexact['table']} : {inexact['source']} cellules, {inexact['accounted']} retrouvées.",
                f"Table {inexact['table']}: {inexact['source']} cells, {inexact['accounted']} accounted for.",
            )
        )
    left = [
        {"column": f"{t['table']}.{c['column']}", "cells": t["rows"], "reason": c["reason"]}
        for t in facts["tables"]
        for c in t["columns"]
        if c["disposition"] == "excluded" and t["rows"]
    ]
    if left:
        cells = sum(line["cells"] for line in left)
        found.append(
            Blocker(
                "loss",
                left,
                f"{cells} cellules de {len(left)} colonnes ne sortiront pas ; chacune a son motif dans l'annexe.",
                f"{cells} cells of {len(left)} columns will not leave; each has its reason in the annex.",
            )
        )
    if "cells" in facts:
        found += _of_the_record(facts)
    if lies := facts["encodings"]:
        found.append(
            Blocker(
                "encodings",
                lies,
                f"{len({(x['table'], x['column']) for x in lies})} colonnes ont des textes mal encodés (sur un échantillon).",
                f"{len({(x['table'], x['column']) for x in lies})} columns hold texts wrongly encoded (in a sample).",
            )
        )
    order = list(CLASSES)
    return sorted(found, key=lambda b: order.index(b.kind))


def _of_the_record(facts: Facts) -> list[Blocker]:
    """What an extraction tells, and nothing before it."""
    found = []
    damaged = sum(d["damaged"] for d in facts["documents"])
    empty = {d["kind"]: d["documents"] for d in facts["documents"] if d["kind"] in ("absent", "empty", "unknown")}
    if damaged or empty or facts["unread"]:
        n = damaged + sum(empty.values()) + facts["unread"]
        seen = {"damages": facts["damages"], "without": empty, "files": facts["files"]}
        if facts["unread"]:
            seen["unread"] = facts["unread"]
        found.append(
            Blocker(
                "documents",
                seen,
                f"{n} contenus sont abîmés, absents, vides ou d'une nature inconnue ; ils sortiront tels quels.",
                f"{n} bodies are damaged, absent, empty or of no known kind; they will leave as they are.",
            )
        )
    if facts["qualified"] < facts["patients"] or facts["blocking"]:
        seen = {k: facts[k] for k in ("patients", "qualified", "identities", "blocking")}
        found.append(
            Blocker(
                "identity",
                seen,
                f"{facts['qualified']} identités sur {facts['patients']} sont utilisables pour le DMP ; toutes sortent dans l'archive.",
                f"{facts['qualified']} of {facts['patients']} identities can be used for the DMP; all leave in the archive.",
            )
        )
    if facts["orphans"] or facts["repeated"] or facts["broken_links"]:
        stray = sum(o["rows"] for o in facts["orphans"])
        keys = sum(r["keys"] for r in facts["repeated"])
        names = sum(b["values"] - b["found"] for b in facts["broken_links"])
        found.append(
            Blocker(
                "links",
                {k: facts[k] for k in ("orphans", "repeated", "broken_links")},
                f"{stray} lignes de patients inconnus, {keys} clés en double, {names} valeurs qui ne désignent rien.",
                f"{stray} rows of unknown patients, {keys} repeated keys, {names} values that name nothing.",
            )
        )
    if facts["dates"]:
        n = sum(d["rows"] for d in facts["dates"])
        found.append(
            Blocker(
                "dates",
                facts["dates"],
                f"{n} dates n'existent pas ; elles sortiront comme elles ont été saisies.",
                f"{n} dates do not exist; they will leave as they were recorded.",
            )
        )
    return found


def verdict(found: Iterable[Blocker], signed: Mapping[str, Any]) -> str:
    """`go`, `sign` or `no-go`; `signed` holds the classes whose facts somebody accepted."""
    open_ = [b.kind for b in found if b.kind not in signed]
    if any(not CLASSES[kind].signable for kind in open_):
        return "no-go"
    return "sign" if open_ else "go"


def decisions(facts: Facts, missing: Iterable[str]) -> list[tuple[str, str]]:
    """What somebody must decide or complete, in both languages; `missing` are empty settings that an archive needs."""
    lines = [(f"Compléter le réglage {name}.", f"Fill in the setting {name}.") for name in missing]
    if "cells" in facts:
        if facts["untyped"]:
            n = facts["untyped"]
            lines.append(
                (
                    f"{n} documents ont un type sans équivalent national : compléter la correspondance, ou les laisser hors du DMP.",
                    f"{n} documents have a type without national equivalent: complete the mapping, or leave them out of the DMP.",
                )
            )
        if facts["unknown_history"]:
            n = facts["unknown_history"]
            lines.append(
                (
                    f"{n} documents dont nul ne sait s'ils ont déjà alimenté le DMP : dire à partir de quelle date ce n'était pas le cas "
                    "(feed.unknown_history_before).",
                    f"{n} documents of which nobody knows whether the DMP has them: say from which date on it has not "
                    "(feed.unknown_history_before).",
                )
            )
    lines += [
        (f"Sans requête, à confirmer : {name} ({reason}).", f"Without a query, to confirm: {name} ({reason}).")
        for name, reason in facts["unserved"].items()
    ]
    return lines


_ANSWER = {
    "go": ("Rien ne s'oppose au départ.", "Nothing stands in the way."),
    "sign": ("Des accords manquent avant le départ.", "Sign-offs are missing."),
    "no-go": ("Le départ est impossible en l'état.", "Not possible as it stands."),
}
_FAULTS = {
    "double": ("encodé deux fois", "encoded twice"),
    "lost": ("caractères perdus", "characters lost"),
    "controls": ("caractères de contrôle", "control characters"),
    "entities": ("entités HTML", "HTML entities"),
}
_FATES = {
    "mapped": ("reprise", "mapped"),
    "native": ("telle quelle", "native"),
    "excluded": ("exclue", "excluded"),
    "unknown": ("inconnue", "unknown"),
}
_CSS = """
:root{color-scheme:light}body{font:15px/1.45 system-ui,'Segoe UI',Roboto,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#111}
h1{font-size:1.6rem;margin:0}h2{font-size:1.15rem;margin:2rem 0 .5rem;border-bottom:1px solid #999}p.lead{font-size:1.2rem;font-weight:600}
table{border-collapse:collapse;width:100%;margin:.5rem 0}th,td{text-align:left;padding:.25rem .6rem .25rem 0;border-bottom:1px solid #ddd;
vertical-align:top;overflow-wrap:anywhere}td.n,th.n{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}.muted{color:#444}
@media print{body{margin:0;max-width:none;font-size:11px}h2{break-after:avoid}tr{break-inside:avoid}thead{display:table-header-group}}
"""


def html(facts: Facts, found: list[Blocker], signed: Mapping[str, tuple[str, str]], *, language: str = "fr") -> bytes:
    """The page. `facts` as the command gathered them; `signed` maps a class to (who, when). `language` is fr or en."""
    at = 0 if language == "fr" else 1

    def say(french: str, english: str) -> str:
        return english if at else french

    title = say("Évaluation avant départ", "Assessment before moving")
    clock = datetime.fromisoformat(facts["clock"])
    product = facts["product"] + (f", version {facts['version']}" if facts["version"] else "")
    out = [
        f'<!doctype html><html lang="{language}"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">',
        f"<title>{title}</title><style>{_CSS}</style></head><body><h1>{title}</h1>",
        f"<p class=muted>{escape(product)} · {escape(facts['source'])} · {clock:%d/%m/%Y %H:%M} · {escape(facts['software'])}</p>",
        f"<p class=lead>{_ANSWER[facts['answer']][at]}</p>",
        f"<h2>{say('Ce qui attend un accord, ou empêche', 'What awaits a sign-off, or prevents')}</h2>",
        _table(
            (say("Classe", "Class"), say("Constat", "Finding"), say("Accord", "Sign-off")),
            (
                (
                    f"{CLASSES[b.kind][at]} ({b.kind})",
                    (b.fr, b.en)[at],
                    say("impossible à accepter", "cannot be accepted")
                    if not CLASSES[b.kind].signable
                    else " · ".join(signed[b.kind])
                    if b.kind in signed
                    else say("à donner", "to be given"),
                )
                for b in found
            ),
            set(),
        )
        if found
        else f"<p>{say('Rien.', 'Nothing.')}</p>",
    ]
    if facts["record_broken"]:
        changed = say(
            "Le registre des accords a été modifié : ce qui suit la modification ne compte pas.",
            "The record of sign-offs was changed: what follows the change does not count.",
        )
        out.append(f"<p>{changed}</p>")
    weight = facts["weight"]
    took, rest = say("Durée estimée", "Estimated time"), say("du reste", "of the rest")
    measured = say("taux mesuré sur un échantillon, sur cette machine", "rate measured on a sample, on this machine")
    out += [
        f"<h2>{say('Place et durée', 'Room and time')}</h2>",
        f"<p>{took} : {_duration(weight['seconds'], at)} ({measured}). {_shown(weight['rows'])} {say('lignes', 'rows')}, "
        f"{_bytes(weight['body_bytes'], at)} {say('de documents', 'of documents')}, {_bytes(weight['other_bytes'], at)} {rest}.</p>",
        _table(
            (say("Disque de", "Disk of"), say("Nécessaire", "Needed"), say("Libre", "Free")),
            ((d["folder"], _bytes(d["needed"], at), _bytes(d["free"], at)) for d in facts["disks"]),
            {1, 2},
        ),
    ]
    if facts["tables"]:
        out += [
            f"<h2>{say('Schéma', 'Schema')}</h2>",
            f"<p>{say('Celui que la correspondance attend.', 'The one that the mapping expects.')}</p>"
            if not facts["drift"]
            else f"<ul>{''.join(f'<li>{escape(line)}</li>' for line in facts['drift'])}</ul>",
        ]
    if "cells" in facts:
        out += _extracted(facts, at)
    if facts["tables"]:
        out += _encodings(facts, at)
    lines = "".join(f"<li>{escape(line[at])}</li>" for line in facts["decisions"])
    out.append(f"<h2>{say('À décider', 'To be decided')}</h2><ul>{lines}</ul>")
    if facts["tables"]:
        out += _columns(facts, at)
    out.append("</body></html>\n")
    return "".join(out).encode()


def _encodings(facts: Facts, at: int) -> list[str]:
    def say(french: str, english: str) -> str:
        return english if at else french

    out = [f"<h2>{say('Encodages qui mentent', 'Encodings that lie')}</h2>"]
    sampled = say(
        f"Au plus {facts['sample']} lignes lues par table.", f"At most {facts['sample']} rows read from each table."
    )
    out.append(f"<p class=muted>{sampled}</p>")
    if facts["encodings"]:
        out.append(
            _table(
                (say("Colonne", "Column"), say("Défaut", "Fault"), say("Lignes", "Rows")),
                ((f"{e['table']}.{e['column']}", _FAULTS[e["fault"]][at], e["rows"]) for e in facts["encodings"]),
                {2},
            )
        )
    else:
        out.append(f"<p>{say('Aucun.', 'None.')}</p>")
    return out


def _columns(facts: Facts, at: int) -> list[str]:
    def say(french: str, english: str) -> str:
        return english if at else french

    return [
        f"<h2>{say('Tables et colonnes', 'Tables and columns')}</h2>",
        _table(
            ("Table", say("Lignes", "Rows"), *(_FATES[f][at] for f in _FATES)),
            (
                (t["table"], t["rows"], *(sum(c["disposition"] == f for c in t["columns"]) for f in _FATES))
                for t in facts["tables"]
            ),
            {1, 2, 3, 4, 5},
        ),
        f"<h2>{say('Annexe : chaque colonne', 'Annex: each column')}</h2>",
        _table(
            (say("Colonne", "Column"), say("Devenir", "Fate"), say("Cible ou motif", "Target or reason")),
            (
                (f"{t['table']}.{c['column']}", _FATES[c["disposition"]][at], c["reason"] or c["target"])
                for t in facts["tables"]
                for c in t["columns"]
            ),
            set(),
        ),
    ]


def _extracted(facts: Facts, at: int) -> list[str]:
    def say(french: str, english: str) -> str:
        return english if at else french

    cells = facts["cells"]
    unread = say(
        "Fichiers, entrées ou lignes illisibles, listés par `transvase extract`",
        "Files, entries or lines that cannot be read, listed by `transvase extract`",
    )
    links = [(f"{b['of']} → {b['in']}", b["values"] - b["found"]) for b in facts["broken_links"]]
    links += [(f"{o['table']}.patient", o["rows"]) for o in facts["orphans"]]
    links += [(f"{r['table']}.key ({say('en double', 'repeated')})", r["keys"]) for r in facts["repeated"]]
    return [
        f"<h2>{say('Somme des cellules', 'Sum of cells')}</h2>",
        f"<p><b>{_shown(cells['source'])}</b> = {_shown(cells['mapped'])} {say('reprises', 'mapped')} + {_shown(cells['native'])} "
        f"{say('telles quelles', 'native')} + {_shown(cells['excluded'])} {say('exclues avec motif', 'excluded with a reason')}.</p>",
        f"<h2>{say('Documents', 'Documents')}</h2>",
        _table(
            (say("Contenu", "Content"), say("Nombre", "Count"), say("Taille", "Size"), say("Abîmés", "Damaged")),
            ((d["kind"], d["documents"], _bytes(d["bytes"], at), d["damaged"]) for d in facts["documents"]),
            {1, 2, 3},
        ),
        f"<p>{unread} : {_shown(facts['unread'])}</p>" if facts["unread"] else "",
        f"<h2>{say('Identités', 'Identities')}</h2>",
        _table((say("Statut", "Status"), say("Patients", "Patients")), facts["identities"].items(), {1}),
        f"<p>{say('Utilisables pour le DMP', 'Usable for the DMP')} : {_shown(facts['qualified'])} / {_shown(facts['patients'])}</p>",
        _table(
            (say("Ce qui bloque", "What blocks"), say("Patients", "Patients"), say("Qui peut agir", "Who can act")),
            (
                (f"{b['rule']} : {CATALOGUE[b['rule']][1 + at]}", b["patients"], CATALOGUE[b["rule"]].unblock)
                for b in facts["blocking"]
            ),
            {1},
        ),
        f"<h2>{say('Liens rompus et clés en double', 'Broken links and repeated keys')}</h2>",
        _table((say("Lien", "Link"), say("Nombre", "Count")), links, {1})
        if links
        else f"<p>{say('Aucun.', 'None.')}</p>",
        f"<h2>{say('Dates impossibles', 'Impossible dates')}</h2>",
        _table(
            (say("Colonne", "Column"), say("Lignes", "Rows")),
            ((f"{d['table']}.{d['column']}", d["rows"]) for d in facts["dates"]),
            {1},
        )
        if facts["dates"]
        else f"<p>{say('Aucune.', 'None.')}</p>",
    ]


def _table(head: Iterable[str], rows: Iterable[Iterable[object]], numeric: set[int]) -> str:
    def line(cells: Iterable[object], tag: str = "td") -> str:
        inner = "".join(
            f"<{tag}{' class=n' if i in numeric else ''}>{escape(_shown(c))}</{tag}>" for i, c in enumerate(cells)
        )
        return f"<tr>{inner}</tr>"

    return f"<table><thead>{line(head, 'th')}</thead><tbody>{''.join(line(r) for r in rows)}</tbody></table>"


def _shown(value: object) -> str:
    # French readers group thousands with a thin space.
    return f"{value:,}".replace(",", "\u202f") if isinstance(value, int) and not isinstance(value, bool) else str(value)


def _bytes(number: int, at: int) -> str:
    for unit, size in (("T", 10**12), ("G", 10**9), ("M", 10**6), ("k", 10**3)):
        if number >= size:
            shown = f"{number / size:.1f}"
            return f"{shown if at else shown.replace('.', ',')} {unit}{'B' if at else 'o'}"
    return f"{number} {'B' if at else 'o'}"


def _duration(seconds: int, at: int) -> str:
    if seconds < 90:
        return f"{seconds} s"
    if seconds < 5400:
        return f"{round(seconds / 60)} min"
    return f"{seconds / 3600:.1f} h" if at else f"{seconds / 3600:.1f} h".replace(".", ",")


def room(facts: Facts, language: str) -> str:
    """The first thing said: what it will take, and what there is."""
    at = 0 if language == "fr" else 1
    words = (("durée estimée", "nécessaires", "libres"), ("estimated time", "needed", "free"))[at]
    disks = " ; ".join(
        f"{d['folder']} : {_bytes(d['needed'], at)} {words[1]}, {_bytes(d['free'], at)} {words[2]}"
        for d in facts["disks"]
    )
    return f"{words[0]} {_duration(facts['weight']['seconds'], at)} ; {disks}"


def answer(kind: str, language: str) -> str:
    """The verdict in one sentence."""
    return _ANSWER[kind][0 if language == "fr" else 1]
