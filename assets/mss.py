"""Messages by MSSanté: connections of the settings, and the asset that sends."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

import dagster as dg

from transvase.assets import messages
from transvase.assets.archive import job_of
from transvase.assets.dmp import guard
from transvase.assets.ledger_place import ledger_place
from transvase.assets.messages import Post
from transvase.assets.quota import Limits
from transvase.assets.run import Run
from transvase.assets.verdicts import verdicts
from transvase.errors import CertificateRefused, EnvironmentMismatch, Said, SettingsInvalid, guarded
from transvase.exporters.mssante import Letterhead
from transvase.exporters.mssante import Mailbox as Address
from transvase.formats import canonical
from transvase.gateways import certificates, mssante
from transvase.gateways.dmp_fhir import access_token
from transvase.gateways.mailbox import Mailbox
from transvase.gateways.mssante import Mailer
from transvase.ledger.submissions import Ledger
from transvase.model.clock import zone
from transvase.model.hours import Window
from transvase.settings import key_password
from transvase.validators import professional

_LOCAL = ("localhost", "127.0.0.1", "::1")


def _needed(run: Run, *names: str) -> None:
    for name in names:
        if not getattr(run.settings.mss, name):
            raise SettingsInvalid(
                name=f"mss.{name}",
                file="transvase.toml",
                what=Said("il est nécessaire pour les messages MSSanté", "it is needed for MSSanté messages"),
                mend=SettingsInvalid.MISSING,
            )


def _certificates(run: Run) -> tuple[Path, Path, Path]:
    found = []
    for name in ("certificate", "key", "authority"):
        path = getattr(run.settings.mss, name) or getattr(run.settings.feed, name)
        if path is None:
            raise SettingsInvalid(
                name=f"mss.{name}",
                file="transvase.toml",
                what=Said("il est nécessaire pour les messages MSSanté", "it is needed for MSSanté messages"),
                mend=SettingsInvalid.MISSING,
            )
        found.append(path)
    return found[0], found[1], found[2]


def _server(run: Run, url: str) -> mssante.Endpoint:
    """A server that the environment may speak to: EnvironmentMismatch otherwise."""
    environment = run.settings.feed.environment
    if (environment == "sandbox") != (urlsplit(url).hostname in _LOCAL):
        raise EnvironmentMismatch(
            environment=environment, what=Said("cette adresse de messagerie", "this mail server's address")
        )
    return mssante.endpoint(url)


def _token(run: Run) -> Callable[[], str] | None:
    file = run.settings.mss.token_file
    return None if file is None else lambda: access_token(file)


def mailer(run: Run) -> Mailer:
    """The connection that sends, not yet opened. SettingsInvalid, EnvironmentMismatch, CertificateRefused."""
    settings = run.settings.mss
    _needed(run, "address", "smtp")
    context = mssante.tls(*_certificates(run), key_password())
    return Mailer(_server(run, settings.smtp), context, settings.timeout, settings.address, _token(run))


def mailbox(run: Run) -> Callable[[], Mailbox] | None:
    """A function that opens the mailbox, or None without [mss] imap. Same errors as `mailer`; those of the connection when it is
    called."""
    settings = run.settings.mss
    if not settings.imap:
        if settings.sent_folder:
            _needed(run, "imap")
        return None
    _needed(run, "address")
    context, server, token = mssante.tls(*_certificates(run), key_password()), _server(run, settings.imap), _token(run)
    return lambda: Mailbox(server, context, settings.timeout, settings.address, token)


def post_of(run: Run) -> Post:
    """What the settings say of sending; SettingsInvalid when one that decides what leaves is missing."""
    settings = run.settings.mss
    _needed(run, "address", "product", "since")
    assert settings.since is not None
    letterhead = Letterhead(
        Address(settings.address, settings.label), settings.product, settings.patient_answers, settings.replacement_mark
    )
    return Post(
        letterhead,
        settings.patient_domain,
        settings.since,
        settings.professional_max_bytes,
        settings.sent_folder,
        settings.after_doubt_professional,
        settings.after_doubt_patient,
    )


def limits_of(run: Run) -> Limits:
    """The ceilings of the settings; messages leave one by one."""
    settings = run.settings.mss
    return Limits(settings.messages_per_second, settings.daily_ceiling, 1, Window.read(settings.window))


def notices(run: Run, now: datetime) -> list[Said]:
    """What the operator must know before the certificate ends. CertificateRefused when it has ended or cannot be read."""
    end = certificates.expiry(_certificates(run)[0])
    if end.ended(now):
        raise CertificateRefused(service=mssante.MSS, reason=end.sentence(now))
    return [end.sentence(now)] if end.near(now) else []


def names(run: Run) -> Callable[[Iterable[str]], dict[str, tuple[str, str]]]:
    """Who writes from an address: the practice's own correspondents when something was extracted, and the directory's extractions."""

    def found(addresses: Iterable[str]) -> dict[str, tuple[str, str]]:
        wanted = sorted(set(addresses))
        known: dict[str, tuple[str, str]] = {}
        if (run.work / "canonical" / "extraction.json").is_file():
            with canonical.connect(run.work, threads=1) as base:
                rows = base.execute(
                    "SELECT lower(trim(mssante)), min(coalesce(idnat, '')), min(trim(concat_ws(' ', given, family))) FROM correspondent "
                    "WHERE list_contains($wanted, lower(trim(mssante))) GROUP BY 1 HAVING count(DISTINCT coalesce(idnat, family)) = 1",
                    {"wanted": wanted},
                ).fetchall()
            known = {address: (idnat, name) for address, idnat, name in rows}
        directory = run.settings.directory
        if directory.mailboxes is not None:
            known |= professional.senders(directory.professionals, directory.mailboxes, wanted)
        return known

    return found


def watch(run: Run) -> Callable[[], datetime]:
    """The present time of the practice, from the run's clock."""
    if run.now:
        return run.now
    began, clock = time.monotonic(), run.clock.astimezone(zone(run.settings.time_zone))
    return lambda: clock + timedelta(seconds=int(time.monotonic() - began))


@dg.asset(
    group_name="mss",
    deps=[verdicts],
    kinds={"smtp", "sqlite"},
    description="Messages MSSanté : chaque document dû au patient et à ses correspondants, une fois et une seule.",
)
def mss_messages(run: dg.ResourceParam[Run]) -> dg.MaterializeResult[None]:
    """Send what the verdicts and the record's recipients allow."""
    with guarded():
        post, sender, box = post_of(run), mailer(run), mailbox(run)
        clock = watch(run)
        ending = notices(run, clock())
        guard(run)
        with Ledger(ledger_place(run.settings), messages.DESTINATIONS) as ledger:
            posted = messages.send(
                job_of(run),
                ledger,
                sender,
                box,
                post,
                limits_of(run),
                clock,
                lambda done, total: run.progress("MSSanté", done, total, ""),
            )
        messages.checked(posted, urlsplit(run.settings.mss.smtp).hostname or "")
    return dg.MaterializeResult(
        metadata={f"certificat {n}": said.fr for n, said in enumerate(ending, 1)}
        | {"envoyés": posted.sent, "nouveaux": posted.planned, "réponses": posted.answers}
        | {f"état {s}": n for s, n in posted.states.items()}
    )
