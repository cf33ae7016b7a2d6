"""Feeding the DMP."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from urllib.parse import urlsplit

import dagster as dg

from transvase.assets import feeding, signing
from transvase.assets.archive import job_of
from transvase.assets.run import Run
from transvase.assets.verdicts import verdicts
from transvase.errors import CertificateRefused, EnvironmentMismatch, Said, SettingsInvalid, guarded
from transvase.formats import structure_seal
from transvase.gateways import dmp
from transvase.ledger.submissions import Ledger
from transvase.model.clock import zone
from transvase.settings import key_password

LEDGER = "ledger.sqlite"


def connector(run: Run) -> tuple[str, Callable[[], dmp.Dmp]]:
    """The service's address and a function that opens a connection; SettingsInvalid when a setting is missing."""
    settings = run.settings.feed
    for name in ("url", "certificate", "key", "authority"):
        if not getattr(settings, name):
            raise SettingsInvalid(
                name=f"feed.{name}",
                file="transvase.toml",
                what=Said("il est nécessaire pour alimenter le DMP", "it is needed to feed the DMP"),
            )
    assert settings.certificate and settings.key and settings.authority
    local = urlsplit(settings.url).hostname in ("localhost", "127.0.0.1", "::1")
    # The sandbox must never be fed with real data by mistake, nor a national service with the sandbox's settings.
    if (settings.environment == "sandbox") != local:
        raise EnvironmentMismatch(
            environment=settings.environment, what=Said("cette adresse de service", "this service address")
        )
    context = dmp.tls(settings.certificate, settings.key, settings.authority, key_password())
    return settings.url, lambda: dmp.Dmp(settings.url, context, settings.timeout)


def proofs(run: Run, now: datetime) -> signing.Proofs | None:
    """What signs the requests, or None when no seal is configured, which production refuses. `now` is aware.

    SettingsInvalid, EnvironmentMismatch, CertificateRefused."""
    settings = run.settings.feed
    certificate, key = settings.seal_certificate, settings.seal_key
    if (certificate is None) != (key is None):
        raise SettingsInvalid(
            name="feed.seal_key" if key is None else "feed.seal_certificate",
            file="transvase.toml",
            what=Said("un cachet est un certificat et sa clé", "a seal is a certificate and its key"),
        )
    if settings.environment == "production" and not (certificate and settings.homologation_number):
        raise EnvironmentMismatch(
            environment=settings.environment,
            what=Said(
                "un envoi sans cachet ou sans numéro d'homologation", "sending without seal or homologation number"
            ),
        )
    if certificate is None or key is None:
        return None
    found = structure_seal.load(certificate, key, key_password(), now, dmp.DMP)
    if settings.certificate and found.holds(settings.certificate):
        raise CertificateRefused(
            service=dmp.DMP,
            reason=Said(
                f"{certificate.name} ouvre les connexions, le cachet est un autre certificat",
                f"{certificate.name} opens connections, the seal is another certificate",
            ),
        )
    return signing.Proofs(
        found, settings.vihf_mode, settings.vihf_digest, settings.signature_digest, settings.homologation_number
    )


@dg.asset(
    group_name="dmp",
    deps=[verdicts],
    kinds={"soap", "sqlite"},
    description="Alimentation du DMP : chaque document dû, une fois et une seule, selon le registre des envois.",
)
def dmp_submissions(run: dg.ResourceParam[Run]) -> dg.MaterializeResult[None]:
    """Feed what the verdicts allow."""
    with guarded():
        url, connect = connector(run)
        settings = run.settings.feed
        limits = feeding.Limits(settings.submissions_per_second, settings.daily_ceiling, settings.connections)
        place = zone(run.settings.time_zone)
        clock = run.now or (lambda: datetime.now(place))
        proven = proofs(run, clock())
        with Ledger(run.work / LEDGER) as ledger:
            fed = feeding.feed(
                job_of(run),
                ledger,
                connect,
                limits,
                clock,
                lambda done, total: run.progress("DMP", done, total, ""),
                proven,
            )
        feeding.checked(fed, urlsplit(url).hostname or "")
    return dg.MaterializeResult(
        metadata={"envoyés": fed.sent, "nouveaux": fed.planned, **{f"état {s}": n for s, n in fed.states.items()}}
    )
