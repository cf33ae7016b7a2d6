"""Feeding the DMP."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from urllib.parse import urlsplit

import dagster as dg

from transvase.assets import feeding
from transvase.assets.archive import job_of
from transvase.assets.run import Run
from transvase.assets.verdicts import verdicts
from transvase.errors import EnvironmentMismatch, Said, SettingsInvalid, guarded
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
        with Ledger(run.work / LEDGER) as ledger:
            fed = feeding.feed(
                job_of(run),
                ledger,
                connect,
                limits,
                run.now or (lambda: datetime.now(place)),
                lambda done, total: run.progress("DMP", done, total, ""),
            )
        feeding.checked(fed, urlsplit(url).hostname or "")
    return dg.MaterializeResult(
        metadata={"envoyés": fed.sent, "nouveaux": fed.planned, **{f"état {s}": n for s, n in fed.states.items()}}
    )
