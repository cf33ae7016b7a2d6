"""Every setting: type, default, meaning. Read once from `transvase.toml`, then passed down; nothing else reads the environment.

Secrets are never in the file: a setting names a file, or an environment variable holds the value (`TRANSVASE_KEY_PASSWORD`).
"""

from __future__ import annotations

import os
import re
import tomllib
from datetime import date
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from transvase.errors import Said, SettingsInvalid, SourceMissing

FILE = SettingsInvalid.FILE

# Every environment variable, with its meaning for people; no other is read.
ENVIRONMENT = {
    "TRANSVASE_SETTINGS": "Settings file of a run started by Dagster's screen or schedule, or by a command without `--settings`.",
    "TRANSVASE_OPERATOR": "Who runs, in the record of each run: a login or a national identifier.",
    "TRANSVASE_SOURCE_PASSWORD": "Password of the database's server (`source.url`), when `source.password_file` names no file.",
    "TRANSVASE_LEDGER_PASSWORD": "Password of the ledger's server (`feed.ledger`), when `feed.ledger_password_file` names no file.",
    "TRANSVASE_SMTP_PASSWORD": "Password of the mail server of alerts (`alerts.smtp`), when `alerts.password_file` names no file.",
    "TRANSVASE_KEY_PASSWORD": "Password of every private key that the settings name, and of the one that `--key` names. Never in the settings file.",
}


class Section(BaseModel):
    """A table of the settings file; an unknown name is an error, so that a typing slip does not silently keep a default."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Source(Section):
    """Where the records are."""

    product: str = Field(
        "synthetic", description="Mapping: the name of an embedded one, or the path of a mapping folder."
    )
    path: Path = Field(
        Path("cabinet.sqlite3"),
        description="Database of the practice, or folder of CSV and Parquet files, of FHIR NDJSON (product `fhir`), or of CDA and XDM "
        "(product `cda`); read only, never written.",
    )
    url: str = Field(
        "",
        description="Address of a server, such as `postgresql://lecteur@serveur/base`, `mariadb://…`, `sqlserver://…` or "
        "`firebird://…`; for any other engine `odbc:` and an ODBC connection string. Then `path` is not read. The password stands in "
        "`password_file`, or in the environment as `TRANSVASE_SOURCE_PASSWORD`.",
    )
    password_file: Path | None = Field(None, description="File whose first line is the password of that address.")
    documents: Path | None = Field(
        None,
        description="Folder of the files that the database names, when the software keeps documents beside it; of the same name as in "
        "the software's paths.",
    )
    rows_per_second: float = Field(
        0, ge=0, description="Ceiling of rows read in a second, for a database at work; 0 for none."
    )
    window: str = Field(
        "",
        description="Hours during which the database is read, such as 22:00-06:00; empty for any hour.",
        pattern=r"^(([01][0-9]|2[0-3]):[0-5][0-9]-([01][0-9]|2[0-3]):[0-5][0-9])?$",
    )

    @field_validator("window")
    @classmethod
    def _two_times(cls, value: str) -> str:
        start, _, end = value.partition("-")
        if value and start == end:
            raise ValueError("must begin and end at different times")
        return value

    @field_validator("url")
    @classmethod
    def _server(cls, value: str) -> str:
        if not value:
            return value
        if value.startswith("odbc:"):
            if re.search(r"[:;{\s](pwd|password|motdepasse)\s*=", value, re.IGNORECASE):
                raise ValueError("must hold no password: use password_file or TRANSVASE_SOURCE_PASSWORD")
            if not re.match(r"odbc:\s*[A-Za-z]", value) or "=" not in value:
                raise ValueError("must be odbc:DSN=… or odbc:Driver={…};…")
            return value
        parts = urlsplit(value)
        if parts.scheme not in ("postgresql", "mariadb", "mysql", "sqlserver", "firebird") or not parts.hostname:
            raise ValueError(
                "must be postgresql://…, mariadb://…, sqlserver://…, firebird://…, with a server, or odbc:…"
            )
        if parts.password is not None:
            raise ValueError("must hold no password: use password_file or TRANSVASE_SOURCE_PASSWORD")
        return value


class Practice(Section):
    """What the database does not say of the practice; an empty value keeps what the database says."""

    name: str = Field("", description="Name of the structure.")
    struct_idnat: str = Field("", description="National structure identifier with its prefix (Struct_IdNat).")
    oid: str = Field(
        "", description="OID under which patients and documents are numbered.", pattern=r"^([0-2](\.(0|[1-9]\d*))+)?$"
    )
    facility_type: str = Field("", description="Kind of structure, JDV_J02 code such as SA07.")
    contact_name: str = Field("", description="Contact Portabilité: name (PORT-04).")
    contact_email: str = Field("", description="Contact Portabilité: e-mail (PORT-04).")
    contact_phone: str = Field("", description="Contact Portabilité: telephone (PORT-04).")


class Work(Section):
    """Working copies: canonical tables, bodies, verdicts, ledger. They hold health data and are created private."""

    folder: Path = Field(Path("transvase-work"), description="Folder of the working copies.")
    workers: int = Field(2, ge=1, le=64, description="Processes inside the heavy assets.")


class Export(Section):
    """The portability archive."""

    folder: Path = Field(Path("transvase-out"), description="Folder that receives the archive and the report.")
    signing_key: Path | None = Field(
        None, description="PEM private key that signs SIGN.XML; the archive is unsigned without it."
    )
    signing_certificate: Path | None = Field(None, description="PEM certificate of that key.")
    rasterise: bool = Field(
        True,
        description="Whether the pages of a PDF that cannot be made PDF/A-1 otherwise (a font is not embedded, say) leave as images with "
        "their text searchable, the PDF as it came beside them; false leaves such a PDF as it came.",
    )
    rasterise_dpi: int = Field(150, ge=72, le=600, description="Dots per inch of those images.")
    viewer: bool = Field(
        True,
        description="Add VIEWER/, optional pages that a person opens in a browser without network to read the records.",
    )
    parquet: bool = Field(
        False,
        description="Add PARQUET/, the optional copy of the records as Parquet tables, for analysis.",
    )
    fhir: bool = Field(
        False,
        description="Add FHIR/, the optional copy of the records as FHIR resources, one file per type (NDJSON).",
    )
    recipient: str = Field(
        "",
        description="Public age key (`age1…`) of who receives: the archive is encrypted for it, and is in clear without any.",
    )
    passphrase_file: Path | None = Field(
        None,
        description="File whose first line is the passphrase that encrypts the archive (age), instead of `recipient`.",
    )
    recipient_certificate: Path | None = Field(
        None,
        description="PEM certificate (RSA) of who receives: the archive is encrypted for it (CMS), at most a gigabyte a file, instead of "
        "`recipient`.",
    )
    part_size: int = Field(
        0,
        ge=0,
        description="Bytes that a file may hold: beyond, the export is several archives and a set manifest. 0 for any size.",
    )


class Feed(Section):
    """Feeding the DMP."""

    environment: Literal["sandbox", "test", "production"] = Field(
        "sandbox", description="Which OIDs and services are accepted."
    )
    route: Literal["soap", "fhir"] = Field(
        "soap",
        description="How the DMP is spoken to: SOAP (XDS.b), in service today, or FHIR (PDSm), announced; production takes soap only.",
    )
    url: str = Field(
        "",
        description="Base address of the services: of soap up to and without `/repository`, of fhir up to and without "
        "`/DocumentReference`.",
    )
    fhir_publish: Literal["bundle", "simplified"] = Field(
        "bundle",
        description="How a document leaves by the route fhir: transaction (ITI-65), or DocumentReference alone (ITI-105).",
    )
    token_file: Path | None = Field(
        None,
        description="File whose first line is the access token of the route fhir, read again for each request: another program renews "
        "it. None is sent without it.",
    )
    certificate: Path | None = Field(None, description="PEM certificate of the structure (ORG AUTH_CLI).")
    key: Path | None = Field(None, description="PEM private key of that certificate.")
    authority: Path | None = Field(None, description="PEM of the authorities trusted for the service.")
    seal_certificate: Path | None = Field(
        None, description="PEM certificate of the structure's seal (ORG SIGN); without it nothing is signed."
    )
    seal_key: Path | None = Field(None, description="PEM private key of the seal.")
    vihf_mode: Literal["INDIRECTE", "DIRECTE"] = Field(
        "INDIRECTE",
        description="Authentication mode that the VIHF states: certificates of the structure, or of a card.",
    )
    vihf_digest: Literal["sha256", "sha1"] = Field("sha256", description="Digest of the VIHF's signature.")
    signature_digest: Literal["sha1", "sha256"] = Field(
        "sha1", description="Digest of the submission set's signature; the public samples have sha1."
    )
    homologation_number: str = Field("", description="Number of the DMP-compatibilité, put in the VIHF.")
    submissions_per_second: float = Field(4.5, gt=0, description="Ceiling; the public figure is under 5 a second.")
    daily_ceiling: int = Field(
        30_000, ge=0, description="Submissions a day; above 30,000 the Assurance Maladie is told first."
    )
    window: str = Field(
        "",
        description="Hours during which something is sent, such as 21:00-06:00; empty for any hour.",
        pattern=r"^(([01][0-9]|2[0-3]):[0-5][0-9]-([01][0-9]|2[0-3]):[0-5][0-9])?$",
    )
    connections: int = Field(2, ge=1, le=16, description="Simultaneous connections.")
    timeout: float = Field(60.0, gt=0, description="Seconds without an answer before the outcome is in doubt.")
    ledger: str = Field(
        "",
        description="Ledger of submissions on a server, when several machines feed one practice: `postgresql://user@server/base`, with "
        "`?schema=` for another schema than `transvase` (one schema is one practice); empty for a file of the work folder. The password "
        "stands in `ledger_password_file`, or in the environment as `TRANSVASE_LEDGER_PASSWORD`.",
    )
    ledger_password_file: Path | None = Field(
        None, description="File whose first line is the password of that address."
    )
    unknown_history_before: date | None = Field(
        None,
        description="Cut-off decided by the operator: a document of unknown history made on or after it counts as never fed.",
    )
    before_obligation: bool = Field(
        False, description="Also feed documents older than the effective date of their obligation."
    )
    without_obligation: bool = Field(
        False, description="Also feed what the practice produced of a current national type that no obligation names."
    )

    @field_validator("window")
    @classmethod
    def _two_times(cls, value: str) -> str:
        start, _, end = value.partition("-")
        if value and start == end:
            raise ValueError("must begin and end at different times")
        return value

    @field_validator("ledger")
    @classmethod
    def _server(cls, value: str) -> str:
        parts = urlsplit(value)
        if value and (parts.scheme != "postgresql" or not parts.hostname or not parts.path.strip("/")):
            raise ValueError("must be postgresql://user@server/base")
        if parts.password is not None:
            raise ValueError("must hold no password: use ledger_password_file or TRANSVASE_LEDGER_PASSWORD")
        if parts.query and not re.fullmatch(r"schema=[A-Za-z_][A-Za-z0-9_]{0,62}", parts.query):
            raise ValueError("takes ?schema= and nothing else, a name of letters, digits and _")
        return value

    @field_validator("url")
    @classmethod
    def _https(cls, value: str) -> str:
        if value and not value.startswith("https://"):
            raise ValueError("must start with https://")
        return value.rstrip("/")


class Insi(Section):
    """Calls to INSi, one patient at a time. The environment is that of [feed]."""

    url: str = Field("", description="Address of the service, path included.")
    certificate: Path | None = Field(
        None, description="PEM certificate named INSI-MANU or INSI-AUTO; that of [feed] when absent."
    )
    key: Path | None = Field(None, description="PEM private key of that certificate; that of [feed] when absent.")
    authority: Path | None = Field(
        None, description="PEM of the authorities trusted for the service; that of [feed] when absent."
    )
    authorisation_number: str = Field("", description="Number that the CNDA gave to the software (IDAM).")
    calls_per_run: int = Field(
        50, ge=1, le=500, description="Ceiling of calls in a run; a patient with several given names may take several."
    )
    calls_per_day: int = Field(200, ge=0, le=2000, description="Ceiling of calls in a local day, whoever makes them.")
    timeout: float = Field(30.0, gt=0, le=300, description="Seconds that a connection, then a whole call, may take.")

    @field_validator("url")
    @classmethod
    def _https(cls, value: str) -> str:
        if value and not value.startswith("https://"):
            raise ValueError("must start with https://")
        return value


class Mss(Section):
    """Messages by MSSanté, to patients and to their correspondents. The environment is that of [feed]."""

    address: str = Field(
        "",
        description="Mailbox that sends and receives, applicative or of the structure; empty for no messages.",
        pattern=r"^([a-z0-9._+-]+@[a-z0-9.-]+)?$",
    )
    label: str = Field("", description="Label shown beside it; the name of the practice when empty.")
    product: str = Field(
        "", description="Reference of the product (Convergence), put in X-MSS-NIL.", pattern=r"^[A-Za-z0-9._/-]{0,64}$"
    )
    smtp: str = Field(
        "",
        description="Operator's server for sending, such as `smtp://operateur.fr:587` (STARTTLS) or `smtps://operateur.fr:465`.",
        pattern=r"^(smtps?://[A-Za-z0-9.-]+(:[0-9]{1,5})?)?$",
    )
    imap: str = Field(
        "",
        description="Operator's server for reading, such as `imaps://operateur.fr:993` or `imap://operateur.fr:143` (STARTTLS); without "
        "it answers are not read.",
        pattern=r"^(imaps?://[A-Za-z0-9.-]+(:[0-9]{1,5})?)?$",
    )
    certificate: Path | None = Field(
        None, description="PEM certificate of the structure (ORG AUTH_CLI); that of [feed] when absent."
    )
    key: Path | None = Field(None, description="PEM private key of that certificate; that of [feed] when absent.")
    authority: Path | None = Field(
        None, description="PEM of the authorities trusted for the operator; that of [feed] when absent."
    )
    token_file: Path | None = Field(
        None,
        description="File whose first line is a Pro Santé Connect access token (XOAUTH2), which another program renews; without it the "
        "certificate says who sends.",
    )
    since: date | None = Field(
        None, description="First day of the acts whose documents leave by message; nothing leaves without it."
    )
    patient_domain: str = Field(
        "patient.mssante.fr",
        description="Domain of citizens; that of the test platform is not in our sources, the operator gives it.",
        pattern=r"^[a-z0-9.-]+$",
    )
    professional_max_bytes: int = Field(
        10_000_000,
        ge=100_000,
        description="Largest message to a professional; what the operator's server announces prevails when it is less.",
    )
    sent_folder: str = Field(
        "",
        description="IMAP folder where the operator itself files every message it takes: after a doubt, absent there means not sent. Leave "
        "it empty unless the operator says so.",
        pattern=r"^[ -~]*$",
    )
    after_doubt_professional: Literal["ask", "resend"] = Field(
        "ask",
        description="After a doubt without that folder: a person asks the recipient, or the same message leaves again.",
    )
    after_doubt_patient: Literal["ask", "resend"] = Field(
        "resend", description="The same for a patient: the Message-ID is the same, a repetition does no harm."
    )
    patient_answers: bool = Field(
        False, description="The patient may answer; otherwise messages bear `X-MSS-MES: FIN`."
    )
    replacement_mark: Literal["before", "after"] = Field(
        "before", description="Where `[Annule et remplace]` stands in the subject; two product notes differ."
    )
    messages_per_second: float = Field(1.0, gt=0, description="Ceiling of messages a second.")
    daily_ceiling: int = Field(2000, ge=0, description="Messages a day.")
    window: str = Field(
        "",
        description="Hours during which messages leave, such as 08:00-19:00; empty for any hour.",
        pattern=r"^(([01][0-9]|2[0-3]):[0-5][0-9]-([01][0-9]|2[0-3]):[0-5][0-9])?$",
    )
    timeout: float = Field(60.0, gt=0, description="Seconds without an answer before the outcome is in doubt.")

    @field_validator("window")
    @classmethod
    def _two_times(cls, value: str) -> str:
        start, _, end = value.partition("-")
        if value and start == end:
            raise ValueError("must begin and end at different times")
        return value


class Directory(Section):
    """Local copies of public lists that verdicts may consult; without a list nothing is said of what it would tell."""

    places: Path | None = Field(
        None,
        description="CSV of places of birth (code, start, end): says whether a COG code was in force at the birth.",
    )
    professionals: Path | None = Field(
        None,
        description="Copy of PS_LibreAcces_Personne_activite_*.txt: correspondents are matched against it.",
    )
    mailboxes: Path | None = Field(
        None, description="Copy of Extraction_Correspondance_MSSante_*.txt: published MSSanté addresses."
    )


class Evidence(Section):
    """Run records: who runs, on which machine, and who stamps. They are signed with the key of [export]."""

    operator: str = Field(
        "",
        description="Who runs the commands: a login or a national identifier, never a name; TRANSVASE_OPERATOR, then `--operator`, "
        "come first.",
        pattern=r"^([A-Za-z0-9][A-Za-z0-9._@-]{0,63})?$",
    )
    host_role: str = Field(
        "",
        description="What this machine is for, such as `serveur-cabinet`; its own name is not recorded.",
        pattern=r"^([A-Za-z0-9][A-Za-z0-9._-]{0,63})?$",
    )
    authority: Path | None = Field(
        None,
        description="PEM of the authorities that the signatures of the records must reach, for `transvase audit verify`.",
    )
    time_stamp_authority: str = Field(
        "", description="Address of a time-stamping service (RFC 3161); empty for no time-stamp."
    )
    time_stamp_certificate: Path | None = Field(
        None,
        description="PEM of the authorities of that service: its tokens must reach one of them. Its TLS certificate may too.",
    )
    time_stamp_timeout: float = Field(
        10.0, gt=0, le=120, description="Seconds without an answer before a time-stamp is left for later."
    )

    audit_repository: str = Field(
        "",
        description="Audit repository of the structure (IHE ATNA), such as `journal.exemple.fr:6514`: syslog over TLS; empty for none.",
        pattern=r"^([A-Za-z0-9.-]+:[0-9]{1,5})?$",
    )
    audit_authority: Path | None = Field(None, description="PEM of the authorities trusted for that repository.")
    audit_certificate: Path | None = Field(None, description="PEM certificate presented to it, when it asks for one.")
    audit_key: Path | None = Field(None, description="PEM private key of that certificate.")

    @field_validator("time_stamp_authority")
    @classmethod
    def _https(cls, value: str) -> str:
        if value and not (value.startswith("https://") and urlsplit(value).hostname):
            raise ValueError("must start with https://")
        return value


class Alerts(Section):
    """Who is told of a run that failed, of refusals, of deadlines: one alert per problem. Sent by Dagster's sensors."""

    smtp: str = Field(
        "",
        description="Mail server, such as `smtp://serveur:587` (STARTTLS) or `smtps://serveur:465`; empty for no mail.",
        pattern=r"^(smtps?://[A-Za-z0-9.-]+(:[0-9]{1,5})?)?$",
    )
    sender: str = Field("", description="Address that the mail comes from.", pattern=r"^([^@\s]+@[A-Za-z0-9.-]+)?$")
    recipients: tuple[str, ...] = Field((), description="Addresses that the mail goes to.")
    user: str = Field("", description="Login on the mail server; empty for none.")
    password_file: Path | None = Field(
        None, description="File whose first line is its password; else `TRANSVASE_SMTP_PASSWORD`."
    )
    webhook: str = Field("", description="Address that receives each alert as a JSON document (POST); empty for none.")
    authority: Path | None = Field(
        None, description="PEM of the authorities trusted for both; those of the system when absent."
    )
    timeout: float = Field(10.0, gt=0, le=120, description="Seconds without an answer before an alert waits.")

    @field_validator("webhook")
    @classmethod
    def _safe(cls, value: str) -> str:
        parts = urlsplit(value)
        local = parts.scheme == "http" and parts.hostname in ("localhost", "127.0.0.1", "::1")
        if value and not ((parts.scheme == "https" and parts.hostname) or local):
            raise ValueError("must start with https:// (http:// on this machine only)")
        return value

    @model_validator(mode="after")
    def _whole(self) -> Alerts:
        if self.smtp and not (self.sender and self.recipients):
            raise ValueError("smtp needs sender and recipients")
        return self


class Settings(Section):
    """The whole file."""

    source: Source = Source()
    practice: Practice = Practice()
    work: Work = Work()
    export: Export = Export()
    feed: Feed = Feed()
    insi: Insi = Insi()
    mss: Mss = Mss()
    directory: Directory = Directory()
    evidence: Evidence = Evidence()
    alerts: Alerts = Alerts()
    time_zone: str = Field("Europe/Paris", description="Time zone of the practice's clock.")

    @field_validator("time_zone")
    @classmethod
    def _known(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise ValueError("must be a time zone such as Europe/Paris") from None
        return value


def load(file: Path) -> Settings:
    """The settings of a file, relative paths taken from its folder. SettingsInvalid names the first wrong one."""
    try:
        text = file.read_text(encoding="utf-8")
    except FileNotFoundError:
        what = Said("le fichier n'existe pas, lancez `transvase init`", "the file does not exist, run `transvase init`")
        raise SettingsInvalid(name="(file)", file=file.name, what=what) from None
    except (OSError, UnicodeDecodeError) as error:
        kind = type(error).__name__
        what = Said(f"il n'est pas lisible ({kind})", f"it cannot be read ({kind})")
        raise SettingsInvalid(name="(file)", file=file.name, what=what) from None
    try:
        settings = Settings.model_validate(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise SettingsInvalid(
            name="(file)", file=file.name, what=Said(f"ce n'est pas du TOML : {error}", f"it is not TOML: {error}")
        ) from None
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(str(part) for part in first["loc"])
        raise SettingsInvalid(name=name, file=file.name, what=_sentence(first["type"], first["msg"])) from None
    return anchored(settings, file.resolve().parent)


def _sentence(kind: str, message: str) -> Said:
    if kind == "extra_forbidden":
        return Said("ce réglage n'existe pas", "no such setting")
    english = message[0].lower() + message[1:]
    return Said(f"{_FRENCH.get(kind, 'valeur refusée')} ({english})", english)


# Kinds of refusals of the settings library, for French readers; its own words follow in brackets.
_FRENCH = {
    "int_parsing": "un nombre entier est attendu",
    "int_type": "un nombre entier est attendu",
    "float_parsing": "un nombre est attendu",
    "float_type": "un nombre est attendu",
    "bool_parsing": "true ou false est attendu",
    "bool_type": "true ou false est attendu",
    "string_type": "un texte est attendu",
    "string_pattern_mismatch": "la forme n'est pas celle attendue",
    "literal_error": "valeur inconnue",
    "greater_than": "nombre trop petit",
    "greater_than_equal": "nombre trop petit",
    "less_than_equal": "nombre trop grand",
    "date_from_datetime_parsing": "une date AAAA-MM-JJ est attendue",
    "value_error": "valeur refusée",
}


def anchored(settings: Settings, folder: Path) -> Settings:
    """The same settings with relative paths made absolute from `folder`."""

    def at(path: Path | None) -> Path | None:
        return None if path is None else folder / path

    product = settings.source.product
    if (folder / product).is_dir() and any(mark in product for mark in ("/", "\\", ".")):
        product = str(folder / product)
    source = settings.source.model_copy(
        update={
            "path": at(settings.source.path),
            "password_file": at(settings.source.password_file),
            "documents": at(settings.source.documents),
            "product": product,
        }
    )
    work = settings.work.model_copy(update={"folder": at(settings.work.folder)})
    export = settings.export.model_copy(
        update={
            "folder": at(settings.export.folder),
            "signing_key": at(settings.export.signing_key),
            "signing_certificate": at(settings.export.signing_certificate),
            "passphrase_file": at(settings.export.passphrase_file),
            "recipient_certificate": at(settings.export.recipient_certificate),
        }
    )
    feed = settings.feed.model_copy(
        update={
            "token_file": at(settings.feed.token_file),
            "certificate": at(settings.feed.certificate),
            "key": at(settings.feed.key),
            "authority": at(settings.feed.authority),
            "seal_certificate": at(settings.feed.seal_certificate),
            "seal_key": at(settings.feed.seal_key),
            "ledger_password_file": at(settings.feed.ledger_password_file),
        }
    )
    insi = settings.insi.model_copy(
        update={
            "certificate": at(settings.insi.certificate),
            "key": at(settings.insi.key),
            "authority": at(settings.insi.authority),
        }
    )
    mss = settings.mss.model_copy(
        update={name: at(getattr(settings.mss, name)) for name in ("certificate", "key", "authority", "token_file")}
    )
    directory = settings.directory.model_copy(
        update={name: at(getattr(settings.directory, name)) for name in Directory.model_fields}
    )
    evidence = settings.evidence.model_copy(
        update={
            n: at(getattr(settings.evidence, n)) for n, about in Evidence.model_fields.items() if about.default is None
        }
    )
    alerts = settings.alerts.model_copy(
        update={name: at(getattr(settings.alerts, name)) for name in ("password_file", "authority")}
    )
    return settings.model_copy(
        update={
            "source": source,
            "work": work,
            "export": export,
            "feed": feed,
            "insi": insi,
            "mss": mss,
            "directory": directory,
            "evidence": evidence,
            "alerts": alerts,
        }
    )


def require_source(settings: Settings) -> Path | str:
    """Where the records are: the server's address, else the database's path; SourceMissing when nothing stands there."""
    if settings.source.url:
        return settings.source.url
    if not settings.source.path.exists():
        raise SourceMissing(path=settings.source.path.name)
    return settings.source.path


def source_password(settings: Settings) -> str:
    """Password of the server's address: of its file, else of the environment; empty without one. SettingsInvalid for an unreadable
    file."""
    return _password(settings.source.password_file, "source.password_file", "TRANSVASE_SOURCE_PASSWORD")


def ledger_password(settings: Settings) -> str:
    """Password of the ledger's server, as that of the source."""
    return _password(settings.feed.ledger_password_file, "feed.ledger_password_file", "TRANSVASE_LEDGER_PASSWORD")


def _environment(name: str) -> str:
    """What a variable of ENVIRONMENT holds, empty without it; the one place that reads the environment. KeyError for another name."""
    if name not in ENVIRONMENT:
        raise KeyError(name)
    return os.environ.get(name, "")


def _password(file: Path | None, name: str, variable: str) -> str:
    if file is None:
        return _environment(variable)
    try:
        return file.read_text(encoding="utf-8").partition("\n")[0].rstrip("\r")
    except (OSError, UnicodeDecodeError) as error:
        kind = type(error).__name__
        what = Said(f"il n'est pas lisible ({kind})", f"it cannot be read ({kind})")
        raise SettingsInvalid(name=name, file=file.name, what=what) from None


def alert_password(alerts: Alerts) -> str:
    """Password of the mail server: of its file, else of the environment; empty without one. SettingsInvalid for an unreadable file."""
    if alerts.password_file is None:
        return _environment("TRANSVASE_SMTP_PASSWORD")
    try:
        return alerts.password_file.read_text(encoding="utf-8").partition("\n")[0].rstrip("\r")
    except (OSError, UnicodeDecodeError) as error:
        kind = type(error).__name__
        what = Said(f"il n'est pas lisible ({kind})", f"it cannot be read ({kind})")
        raise SettingsInvalid(name="alerts.password_file", file=alerts.password_file.name, what=what) from None


def operator(settings: Settings) -> str:
    """Who runs, by the environment, else by the settings; SettingsInvalid for what is no reference."""
    given = _environment("TRANSVASE_OPERATOR")
    if not given:
        return settings.evidence.operator
    if not is_reference(given):
        what = Said(
            "une référence est attendue (lettres, chiffres, . _ @ -), pas un nom",
            "a reference is expected (letters, digits, . _ @ -), not a name",
        )
        raise SettingsInvalid(name="evidence.operator", file="TRANSVASE_OPERATOR", what=what)
    return given


def is_reference(text: str) -> bool:
    """Whether a text is a reference of an operator: no space, no accent, so that no one writes a sentence there."""
    return re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,63}", text) is not None


def key_password() -> bytes | None:
    """Password of the service key, from the environment only."""
    value = _environment("TRANSVASE_KEY_PASSWORD")
    return value.encode() if value else None


def chosen(given: Path | None = None) -> Path:
    """The settings file: the one given, else the one that TRANSVASE_SETTINGS names, else `transvase.toml` in the current folder."""
    return given or Path(_environment("TRANSVASE_SETTINGS") or FILE)


def located() -> Settings:
    """The settings of that file when none is given."""
    return load(chosen())
