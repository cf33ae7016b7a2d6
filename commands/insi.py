"""Interroger INSi pour des patients nommés un à un, et comparer trait par trait. / Ask INSi about patients named one by one, and compare.

La recherche est réservée aux logiciels référentiels d'identités et suit la venue du patient : la liste est donnée, jamais la base entière.
/ A search follows a patient's visit: the list is given, never the whole base.
"""

from __future__ import annotations

import argparse
import sys
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlsplit

from transvase.commands.session import counted, run_of, with_clock, with_json, with_settings
from transvase.errors import BadCall, EnvironmentMismatch, Said, SettingsInvalid
from transvase.validators.insi import Agreement, Outcome, Traits

if TYPE_CHECKING:
    from transvase.assets.run import Run
    from transvase.exporters.insi import Caller
    from transvase.gateways.insi import Answer, Identity, Insi
    from transvase.ledger.insi import Answers, Journal

OPERATION = "rechercherInsAvecTraitsIdentite"
_MESSAGES = uuid.uuid5(uuid.NAMESPACE_URL, "urn:transvase:insi")
# The only public addresses of the service (sheet insi, 1): its test platform.
_TEST_PLATFORM = "qualiflps"
# A run that meets nothing but trouble ends: as many patients in a row without an answer.
_GIVE_UP = 3


def arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the command."""
    parser.add_argument("patient", nargs="*", help="clés des patients dans le logiciel / keys of the patients")
    parser.add_argument(
        "--list",
        type=Path,
        default=None,
        dest="file",
        metavar="FICHIER",
        help="liste de clés, une par ligne / list of keys, one a line",
    )
    parser.add_argument(
        "--show",
        action="store_true",
        help="montrer les valeurs qui diffèrent, sur un terminal seulement / show the values that differ, on a terminal only",
    )
    with_settings(parser, clock=False)
    with_clock(parser)
    with_json(parser)


def run(options: argparse.Namespace) -> int:
    """Ask, journal, compare, print. Exit 0 when every patient is found and agrees, 1 otherwise."""
    import orjson

    from transvase.ledger.insi import ANSWERS, JOURNAL, Answers, Journal

    # Values in a pipe, a log or a mail of the scheduler would stay there: they are for the eyes of somebody present.
    if options.show and (options.json or not sys.stdout.isatty()):
        raise BadCall(
            what=Said("--show n'écrit que sur un terminal", "--show writes on a terminal only"),
            mend=Said("les valeurs sont gardées dans le dossier de travail", "the values are kept in the work folder"),
        )
    session = run_of(options)
    keys = _keys(options, session.settings.insi.calls_per_run)
    client, caller, automatic = connected(session)
    if len(keys) > 1 and not automatic:
        raise BadCall(
            what=Said(
                "le certificat INSI-MANU veut un geste humain par appel",
                "certificate INSI-MANU wants a human act a call",
            ),
            mend=Said(
                "donnez un seul patient, ou un certificat INSI-AUTO", "give one patient, or a certificate INSI-AUTO"
            ),
        )
    # The day of the quota and the instant in the messages are true ones, but where nothing is real.
    if options.clock and session.settings.feed.environment != "sandbox":
        raise BadCall(
            what=Said("--clock ne sert que dans le bac à sable", "--clock is for the sandbox only"),
            mend=Said("retirez cette option", "remove that option"),
        )
    records = _records(session.work, keys)
    began = time.monotonic()

    def watch() -> datetime:
        # With --clock the time stands still; otherwise each call has its own.
        return session.clock if options.clock else session.clock + timedelta(seconds=time.monotonic() - began)

    with Journal(session.work / JOURNAL) as journal, Answers(session.work / ANSWERS) as answers:
        desk = Desk(session, client, caller, journal, answers, watch)
        options.recording.begin(session)
        results: list[Result] = []
        try:
            for result in desk.all(records):
                results.append(result)
                session.progress("INSi", len(results), len(records), "")
        finally:
            # Also of a search that was broken off: what left, left.
            options.recording.note("insi", _told(results, len(records), desk.calls))
        today, broken = journal.calls_on(f"{watch():%Y-%m-%d}"), journal.broken()
    if options.json:
        facts = [
            {"patient": r.patient, "outcome": r.outcome, "code": r.code, "calls": r.calls, "traits": r.traits}
            for r in results
        ]
        print(orjson.dumps({"patients": facts, "calls_today": today, "chain_broken_at": broken}).decode())
    else:
        print(
            "\n".join(
                _sentences(results, today, session.settings.insi.calls_per_day, broken, options.lang, options.show)
            )
        )
    return 0 if not broken and all(r.outcome == "equal" for r in results) else 1


def _told(results: list[Result], named: int, calls: int) -> dict[str, Any]:
    """What a record says of the run: how many patients were named, how many calls left, and what they came to."""
    return {"patients": named, "calls": calls, "outcomes": dict(Counter(r.outcome for r in results))}


def _keys(options: argparse.Namespace, most: int) -> list[str]:
    """The keys given, once each, in order; BadCall when there is none, or more than a run may ask about."""
    listed: list[str] = []
    if options.file is not None:
        try:
            listed = [line.strip() for line in options.file.read_text(encoding="utf-8-sig").splitlines()]
        except (OSError, UnicodeDecodeError):
            raise BadCall(
                what=Said(
                    f"--list : {options.file.name} n'est pas lisible", f"--list: {options.file.name} cannot be read"
                ),
                mend=Said("donnez un fichier texte, une clé par ligne", "give a text file, one key a line"),
            ) from None
    keys = list(dict.fromkeys(filter(None, (*options.patient, *listed))))
    if not keys:
        raise BadCall(
            what=Said("aucun patient n'est nommé", "no patient is named"),
            mend=Said("donnez des clés, ou --list avec une clé par ligne", "give keys, or --list with one key a line"),
        )
    if len(keys) > most:
        raise BadCall(
            what=Said(
                f"{len(keys)} patients pour {counted(most, 'appel', 'appels', 'call', 'calls', 'fr')} au plus",
                f"{len(keys)} patients for {counted(most, 'appel', 'appels', 'call', 'calls', 'en')} at most",
            ),
            mend=Said(
                "partagez la liste : INSi ne se parcourt pas ([insi] calls_per_run)",
                "split the list: INSi is not to be swept ([insi] calls_per_run)",
            ),
        )
    return keys


def connected(session: Run) -> tuple[Insi, Caller, bool]:
    """The client, what names the caller, and whether its certificate is for automatic calls.

    SettingsInvalid, EnvironmentMismatch, CertificateRefused."""
    from transvase import __version__
    from transvase.exporters.insi import Caller
    from transvase.gateways import insi
    from transvase.settings import key_password

    own, feed = session.settings.insi, session.settings.feed
    given = {n: getattr(own, n) or getattr(feed, n) for n in ("certificate", "key", "authority")}
    for name, value in {"url": own.url, "authorisation_number": own.authorisation_number, **given}.items():
        if not value:
            raise SettingsInvalid(
                name=f"insi.{name}",
                file="transvase.toml",
                what=Said("il est nécessaire pour interroger INSi", "it is needed to ask INSi"),
                mend=SettingsInvalid.MISSING,
            )
    host = urlsplit(own.url).hostname or ""
    kind = (
        "sandbox"
        if host in ("localhost", "127.0.0.1", "::1")
        else "test"
        if host.startswith(_TEST_PLATFORM)
        else "production"
    )
    # Real traits never leave for the sandbox or the test platform, nor invented ones for the service.
    if kind != feed.environment:
        raise EnvironmentMismatch(
            environment=feed.environment, what=Said("cette adresse d'INSi", "this address of INSi")
        )
    named = insi.certificate(given["certificate"])
    if named.name not in (insi.MANUAL, insi.AUTOMATIC) or not named.unit:
        raise _setting(
            "certificate",
            "INSi veut un certificat d'organisation à lui, nommé INSI-MANU ou INSI-AUTO, avec son unité (OU)",
            "INSi wants a certificate of its own, named INSI-MANU or INSI-AUTO, with its unit (OU)",
        )
    context = insi.tls(given["certificate"], given["key"], given["authority"], key_password())
    installation = uuid.uuid5(_MESSAGES, named.unit)
    caller = Caller(named.unit, own.authorisation_number, "Transvase", __version__, str(installation))
    return insi.Insi(own.url, context, own.timeout), caller, named.name == insi.AUTOMATIC


def _setting(name: str, fr: str, en: str) -> SettingsInvalid:
    return SettingsInvalid(name=f"insi.{name}", file="transvase.toml", what=Said(fr, en))


class Local(NamedTuple):
    """What the record holds of a patient; `barred` when its identity is doubtful or fictitious."""

    patient: str
    traits: Traits
    barred: bool


def _records(work: Path, keys: list[str]) -> list[Local]:
    """Their identities, in the order of the keys; BadCall when one is unknown, before any call."""
    from transvase.formats import canonical

    columns = ", ".join(f"coalesce({name}, '')" for name in Traits._fields)
    with canonical.connect(work) as base:
        found = base.execute(
            f"SELECT key, coalesce(doubtful, false) OR coalesce(fictitious, false), {columns} FROM patient WHERE list_contains($keys, key)",
            {"keys": keys},
        ).fetchall()
    known = {key: Local(key, Traits(*values), barred) for key, barred, *values in found}
    missing = len([key for key in keys if key not in known])
    if missing:
        raise BadCall(
            what=Said(
                counted(missing, "clé n'est pas", "clés ne sont pas", "", "", "fr") + " dans l'extraction",
                f"the extraction lacks {missing} of the keys",
            ),
            mend=Said("vérifiez la liste, ou lancez `transvase extract`", "check the list, or run `transvase extract`"),
        )
    return [known[key] for key in keys]


class Result(NamedTuple):
    """What came of a patient: `traits` tells the agreement of each trait by name when there was something to compare, or names those that
    keep the search from being made. `values` (name, record, INSi) is for a terminal only."""

    patient: str
    outcome: Outcome
    code: str
    calls: int
    traits: dict[str, Agreement | str]
    values: tuple[tuple[str, str, str], ...] = ()


class Desk:
    """One run: its client, its journal, its quota."""

    def __init__(
        self,
        session: Run,
        client: Insi,
        caller: Caller,
        journal: Journal,
        answers: Answers,
        now: Callable[[], datetime],
    ) -> None:
        self._environment, self._limits = session.settings.feed.environment, session.settings.insi
        self._client, self._caller, self._journal, self._answers, self._now = client, caller, journal, answers, now
        self.calls = 0

    def all(self, records: list[Local]) -> Iterator[Result]:
        """The result of each patient. Once the caller is refused, the quota used up or the service silent, the rest is not called."""
        silent, over = 0, False
        for record in records:
            result = Result(record.patient, "not_called", "", 0, {}) if over else self.one(record)
            silent = silent + 1 if result.outcome in ("later", "unreadable") else 0
            over = over or silent == _GIVE_UP or result.code in ("unreachable", "quota", *_OF_CALLER)
            yield result

    def one(self, record: Local) -> Result:
        """Search one patient, and compare what is found."""
        from transvase.exporters.insi import Search
        from transvase.ledger.insi import Call
        from transvase.validators import insi as rules

        if record.barred:
            return Result(record.patient, "blocked", "", 0, {})
        if lacking := rules.unsendable(record.traits):
            return Result(record.patient, "unsendable", "", 0, dict.fromkeys(lacking, "unsendable"))
        family = rules.written(record.traits.birth_family)
        plan, calls = rules.tries(record.traits), 0
        call, answer, step = None, None, next(plan)
        while True:
            moment = self._now()
            ident = uuid.uuid5(_MESSAGES, f"{record.patient} {moment.isoformat()} {self._journal.events()}")
            asked = Call(record.patient, OPERATION, step.criteria, f"uuid:{ident}", calls + 1)
            if self.calls >= self._limits.calls_per_run or not self._journal.reserve(
                asked, moment, self._limits.calls_per_day
            ):
                # Cut in the middle of a search: nothing may be concluded from its beginning.
                return Result(record.patient, "not_called", "quota", calls, {})
            call, calls, self.calls = asked, calls + 1, self.calls + 1
            search = Search(family, step.given, record.traits.sex, record.traits.birth_date, step.birth_place)
            answer = self._ask(search, ident, moment)
            self._journal.answered(call, self._now(), answer.code)
            try:
                step = plan.send({"found": "00", "none": "01", "several": "02"}.get(answer.kind, answer.kind))
            except StopIteration:
                break
        result = self._read(record, answer, calls, call)
        # Of a caller refused nothing is known about the patient.
        if result.outcome in rules.CONCLUSIVE:
            differing = tuple(n for n, agreement in result.traits.items() if agreement in ("differs", "former"))
            self._journal.concluded(call, self._now(), result.code, result.outcome, differing)
        return result

    def _ask(self, search: Any, ident: uuid.UUID, moment: datetime) -> Answer:
        from transvase.exporters.insi import by_traits

        message = by_traits(search, self._caller, ident, moment)
        return self._client.ask(message.content_type, message.parts)

    def _read(self, record: Local, answer: Answer, calls: int, call: Any) -> Result:
        from transvase.ledger.insi import Kept
        from transvase.validators import insi as rules

        found = answer.identity
        if found is None:
            return Result(record.patient, _OUTCOMES[answer.kind], answer.code, calls, {})
        there = _traits(found)
        former = [", ".join((m.ins, m.oid, m.since, m.until)) for m in found.former]
        self._answers.keep(call, self._now(), Kept(there.ins, there.ins_oid, "\n".join(former), *there[2:]))
        if rules.unusable(there.ins, there.ins_oid, self._environment):
            return Result(record.patient, "unusable", answer.code, calls, {})
        agreement = rules.compare(record.traits, there, [m.ins for m in found.former], self._environment)
        pairs = zip(Traits._fields, record.traits, there, strict=True)
        values = tuple(pair for pair in pairs if agreement[pair[0]] != "equal")
        return Result(record.patient, rules.outcome_of(agreement), answer.code, calls, {**agreement}, values)


def _traits(found: Identity) -> Traits:
    # The first given name may be left out of an answer; the list begins with it.
    first = found.first_given or found.given.split()[0]
    return Traits(
        found.active.ins,
        found.active.oid,
        found.family,
        found.given,
        first,
        found.sex,
        found.birth_date,
        found.birth_place,
    )


_OF_CALLER = ("desir_550", "desir_560")
_OUTCOMES: dict[str, Outcome] = {
    "none": "not_found",
    "several": "several",
    "incomplete": "unusable",
    "refused": "refused",
    "caller": "refused",
    "later": "later",
    "unreadable": "unreadable",
}

# Outcome: sentence, what to do; French then English.
WORDS: dict[Outcome, tuple[tuple[str, str], tuple[str, str]]] = {
    "equal": (("identité trouvée, elle concorde", "rien"), ("identity found, it agrees", "nothing")),
    "completes": (
        ("identité trouvée, la fiche est moins complète", "compléter la fiche après contrôle de l'identité du patient"),
        ("identity found, the record holds less", "complete the record once the patient's identity is checked"),
    ),
    "differs": (
        ("identité trouvée, elle diffère", "contrôler avec la pièce d'identité du patient ; ne rien remplacer sans ce contrôle"),
        ("identity found, it differs", "check against the patient's identity document; replace nothing before"),
    ),
    "unusable": (
        ("identité trouvée mais inutilisable (trait absent, autre environnement ou clé fausse)", "ne pas la reprendre"),
        ("identity found but unusable (missing trait, other environment or wrong key)", "do not take it"),
    ),
    "not_found": (
        ("aucune identité trouvée", "vérifier orthographe, date et prénoms sur la pièce d'identité, puis relancer"),
        ("no identity found", "check spelling, date and given names on the identity document, then try again"),
    ),
    "several": (
        ("plusieurs identités trouvées", "compléter les prénoms et le lieu de naissance, puis relancer"),
        ("several identities found", "complete given names and birth place, then try again"),
    ),
    "refused": (
        ("demande refusée par INSi", "voir le code ; desir_550 : numéro d'autorisation, desir_560 : certificat"),
        ("request refused by INSi", "see the code; desir_550: authorisation number, desir_560: certificate"),
    ),
    "later": (
        ("INSi n'a pas pu répondre", "relancer plus tard pour ce patient"),
        ("INSi could not answer", "try again later for this patient"),
    ),
    "unreadable": (
        ("la réponse n'est pas une réponse d'INSi", "vérifier l'adresse et le mandataire (proxy), puis relancer"),
        ("the answer is not one of INSi", "check the address and the proxy, then try again"),
    ),
    "blocked": (
        ("identité douteuse ou fictive : pas d'appel", "lever le doute avant d'interroger INSi"),
        ("doubtful or fictitious identity: no call", "settle the doubt before asking INSi"),
    ),
    "unsendable": (
        ("traits absents ou non transmissibles : pas d'appel", "corriger ces traits dans la fiche"),
        ("traits missing or not sendable: no call", "correct these traits in the record"),
    ),
    "not_called": (
        ("pas d'appel, ou recherche interrompue (quota, ou service arrêté)", "relancer pour ce patient, un autre jour si le quota est atteint"),
        ("no call, or search cut short (quota, or service stopped)", "try again for this patient, another day if the quota is used up"),
    ),
}  # fmt: skip
_TRAITS = {
    "ins": ("matricule INS", "matricule"),
    "ins_oid": ("OID du matricule", "OID of the matricule"),
    "birth_family": ("nom de naissance", "birth name"),
    "birth_given": ("prénoms de naissance", "birth given names"),
    "birth_first_given": ("premier prénom", "first given name"),
    "sex": ("sexe", "sex"),
    "birth_date": ("date de naissance", "birth date"),
    "birth_place_code": ("lieu de naissance (COG)", "birth place (COG)"),
}
_GROUPS: dict[str, tuple[str, str]] = {
    "equal": ("concordent", "agree"),
    "spelling": ("concordent à l'écriture près", "agree but for their writing"),
    "shorter": ("plus courts dans la fiche", "shorter in the record"),
    "absent": ("absents de la fiche", "absent from the record"),
    "former": ("anciens dans la fiche", "former ones in the record"),
    "differs": ("diffèrent", "differ"),
    "unsendable": ("à corriger", "to correct"),
}


def _sentences(
    results: list[Result], today: int, per_day: int, broken: int | None, language: str, show: bool
) -> Iterator[str]:
    at = 0 if language == "fr" else 1
    for result in results:
        sentence, mend = WORDS[result.outcome][at]
        yield f"{result.patient} : {f'{result.code}, ' if result.code else ''}{sentence}"
        for kind, label in _GROUPS.items():
            if names := [_TRAITS[name][at] for name, agreement in result.traits.items() if agreement == kind]:
                yield f"    {label[at]} : {', '.join(names)}"
        if show:
            yield from (
                f"    {_TRAITS[name][at]} : {here or '-'} | INSi : {there}" for name, here, there in result.values
            )
        yield f"    {('à faire', 'to do')[at]} : {mend}"
    calls = counted(today, "appel ce jour", "appels ce jour", "call today", "calls today", language)
    yield (f"{calls} sur {per_day}", f"{calls} out of {per_day}")[at]
    yield (
        "Comparaison stricte des traits : ce n'est pas l'opération officielle de vérification. Aucune fiche n'a été modifiée.",
        "A strict comparison of traits: not the official operation of verification. No record was changed.",
    )[at]
    if broken:
        yield (f"chaîne du journal rompue à l'événement {broken}", f"chain of the journal broken at event {broken}")[at]
