"""Feeding the DMP."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from urllib.parse import urlsplit

import dagster as dg

from transvase.assets import feeding, signing
from transvase.assets.archive import job_of
from transvase.assets.ledger_place import ledger_place
from transvase.assets.quota import Limits
from transvase.assets.run import Run
from transvase.assets.verdicts import verdicts
from transvase.errors import CertificateRefused, EnvironmentMismatch, Said, SettingsInvalid, guarded
from transvase.exporters.portability import open_context
from transvase.formats import canonical, structure_seal
from transvase.gateways import certificates, dmp
from transvase.gateways.dmp_fhir import DmpFhir, access_token
from transvase.ledger.submissions import Ledger
from transvase.model.clock import zone
from transvase.model.hours import Window
from transvase.model.verdict import POLICIES
from transvase.settings import key_password


def connector(run: Run) -> tuple[str, Callable[[], dmp.Dmp | DmpFhir]]:
    """The service's address and a function that opens a connection of the route; SettingsInvalid when a setting is missing,
    EnvironmentMismatch for a route that the environment does not have."""
    settings = run.settings.feed
    for name in ("url", "certificate", "key", "authority"):
        if not getattr(settings, name):
            raise SettingsInvalid(
                name=f"feed.{name}",
                file="transvase.toml",
                what=Said("il est nécessaire pour alimenter le DMP", "it is needed to feed the DMP"),
                mend=SettingsInvalid.MISSING,
            )
    assert settings.certificate and settings.key and settings.authority
    local = urlsplit(settings.url).hostname in ("localhost", "127.0.0.1", "::1")
    # The sandbox must never be fed with real data by mistake, nor a national service with the sandbox's settings.
    if (settings.environment == "sandbox") != local:
        raise EnvironmentMismatch(
            environment=settings.environment, what=Said("cette adresse de service", "this service address")
        )
    context = dmp.tls(settings.certificate, settings.key, settings.authority, key_password())
    if settings.route == "soap":
        return settings.url, lambda: dmp.Dmp(settings.url, context, settings.timeout)
    if settings.environment == "production":
        # No server is announced, nor its security (sheet pdsm-fhir.md, 7).
        raise EnvironmentMismatch(
            environment=settings.environment,
            what=Said("la voie fhir, pas encore en service", "route fhir, not in service yet"),
        )
    bearer = settings.token_file

    def token() -> str:
        return access_token(bearer) if bearer else ""

    token()
    simplified = settings.fhir_publish == "simplified"
    return settings.url, lambda: DmpFhir(settings.url, context, settings.timeout, token, simplified=simplified)


def notices(run: Run, now: datetime) -> list[Said]:
    """What the operator must know before a certificate ends, one sentence each. `now` is aware.

    CertificateRefused when one has ended, with its date, or cannot be read."""
    settings = run.settings.feed
    found: list[Said] = []
    for file in dict.fromkeys((settings.certificate, settings.seal_certificate)):
        if file is None:
            continue
        end = certificates.expiry(file)
        if end.ended(now):
            raise CertificateRefused(service=dmp.DMP, reason=end.sentence(now))
        if end.near(now):
            found.append(end.sentence(now))
    return found


# OIDs for examples and tests (ISO/IEC 9834-1), and that of no registered organization: never a practice in service.
_NO_PRODUCTION = ("2.999",)


def guard(run: Run) -> None:
    """In production, only what is of production: the practice's OID, the OIDs of the matricules of what would leave.

    EnvironmentMismatch. The verdicts say the same of each patient; a working folder judged for another environment must not pass."""
    environment = run.settings.feed.environment
    if environment != "production":
        return
    with canonical.connect(run.work, threads=1) as base:
        oid = open_context(job_of(run), base).practice.oid
        strangers = base.execute(
            "SELECT count(*) FROM decision d JOIN patient p ON p.key = d.patient "
            "WHERE d.outcome = 'to_send' AND NOT coalesce(list_contains($oids, p.ins_oid), false)",
            {"oids": list(POLICIES[environment].oids)},
        ).fetchall()[0][0]
    if any(oid == root or oid.startswith(f"{root}.") for root in _NO_PRODUCTION):
        raise EnvironmentMismatch(
            environment=environment,
            what=Said("un OID de cabinet réservé aux exemples", "a practice OID that is reserved for examples"),
        )
    if strangers:
        raise EnvironmentMismatch(
            environment=environment,
            what=Said(
                f"{strangers} document{'s' * (strangers > 1)} dont le matricule n'est pas de production",
                f"{strangers} document{'s' * (strangers != 1)} whose matricule is not of production",
            ),
        )


def limits_of(run: Run) -> Limits:
    """The ceilings of the settings."""
    settings = run.settings.feed
    return Limits(
        settings.submissions_per_second, settings.daily_ceiling, settings.connections, Window.read(settings.window)
    )


def proofs(run: Run, now: datetime) -> signing.Proofs | None:
    """What signs the requests, or None when no seal is configured, which production refuses, or on the route fhir, which has no place
    for a signature. `now` is aware.

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
    if certificate is None or key is None or settings.route == "fhir":
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
    # Of the three runs of the night one must have fed by four in the morning.
    freshness_policy=dg.FreshnessPolicy.cron("0 4 * * *", timedelta(hours=8), "Europe/Paris"),
    check_specs=[
        dg.AssetCheckSpec("refus", asset="dmp_submissions", description="Aucun envoi n'est refusé ni mis de côté."),
        dg.AssetCheckSpec("doutes", asset="dmp_submissions", description="Aucun envoi n'est sans réponse certaine."),
    ],
    description="Alimentation du DMP : chaque document dû, une fois et une seule, selon le registre des envois.",
)
def dmp_submissions(run: dg.ResourceParam[Run]) -> dg.MaterializeResult:  # type: ignore[type-arg]  # Dagster reads it bare
    """Feed what the verdicts allow."""
    with guarded():
        url, connect = connector(run)
        place = zone(run.settings.time_zone)
        clock = run.now or (lambda: datetime.now(place))
        now = clock()
        ending = notices(run, now)
        proven = proofs(run, now)
        guard(run)
        with Ledger(ledger_place(run.settings), "dmp") as ledger:
            fed = feeding.feed(
                job_of(run),
                ledger,
                connect,
                limits_of(run),
                clock,
                lambda done, total: run.progress("DMP", done, total, ""),
                proven,
            )
        feeding.checked(fed, urlsplit(url).hostname or "")
    return dg.MaterializeResult(
        metadata={f"certificat {n}": said.fr for n, said in enumerate(ending, 1)}
        | {"envoyés": fed.sent, "nouveaux": fed.planned, **{f"état {s}": n for s, n in fed.states.items()}},
        check_results=[
            dg.AssetCheckResult(
                check_name=name,
                passed=not sum(fed.states.get(s, 0) for s in states),
                severity=dg.AssetCheckSeverity.ERROR if name == "refus" else dg.AssetCheckSeverity.WARN,
                metadata={s: fed.states.get(s, 0) for s in states},
            )
            for name, states in (("refus", ("refused", "set_aside")), ("doutes", ("to_query", "submitted")))
        ],
    )
