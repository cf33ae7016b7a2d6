"""An alert sent to the people who keep the system: by mail (SMTP) or to an address (JSON POST). What is told, and whether it was told
already, belongs to `assets.alerts`; a message holds causes, counts and commands, never a value of a record.
"""

from __future__ import annotations

import smtplib
import ssl
import urllib.error
import urllib.request
from collections.abc import Sequence
from datetime import datetime
from email.message import EmailMessage
from email.utils import format_datetime
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

from transvase.errors import Said

_LOCAL = ("localhost", "127.0.0.1", "::1")


class NotTold(Exception):
    """The alert did not leave; `why` in both languages, without what the server wrote."""

    def __init__(self, french: str, english: str) -> None:
        super().__init__(english)
        self.why = Said(french, english)


class Mail(NamedTuple):
    """How mail leaves: `server` is `smtp://host:port` (STARTTLS, but on this machine) or `smtps://host:port`."""

    server: str
    sender: str
    recipients: Sequence[str]
    user: str
    password: str
    timeout: float


def tls(authority: Path | None) -> ssl.SSLContext:
    """TLS that trusts one authority, or those of the system. `NotTold` for a file that cannot serve."""
    try:
        context = ssl.create_default_context(cafile=str(authority) if authority else None)
    except (OSError, ValueError):
        raise NotTold(
            "le fichier alerts.authority n'est pas utilisable", "the file alerts.authority cannot be used"
        ) from None
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def send(mail: Mail, context: ssl.SSLContext, subject: str, body: str, ident: str, at: datetime) -> None:
    """Send one message. `ident` tells it from another one (Message-ID), `at` is aware. `NotTold` when the server did not take it."""
    parts = urlsplit(mail.server)
    host = parts.hostname or ""
    message = EmailMessage()
    message["Subject"], message["From"], message["To"] = subject, mail.sender, ", ".join(mail.recipients)
    message["Date"], message["Message-ID"] = format_datetime(at), f"<{ident}@{mail.sender.rpartition('@')[2]}>"
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(body)
    try:
        connection = (
            smtplib.SMTP_SSL(host, parts.port or 465, timeout=mail.timeout, context=context)
            if parts.scheme == "smtps"
            else smtplib.SMTP(host, parts.port or 587, timeout=mail.timeout)
        )
        with connection:
            if parts.scheme == "smtp" and host not in _LOCAL:
                connection.starttls(context=context)
            if mail.user:
                connection.login(mail.user, mail.password)
            if connection.send_message(message):
                raise NotTold("un destinataire a été refusé", "a recipient was refused")
    except ssl.SSLError:
        raise NotTold("connexion TLS refusée", "TLS connection refused") from None
    except smtplib.SMTPException as error:
        kind = type(error).__name__
        raise NotTold(f"le serveur de courrier refuse ({kind})", f"the mail server refuses ({kind})") from None
    except OSError as error:
        kind = type(error).__name__
        raise NotTold(f"serveur de courrier injoignable ({kind})", f"mail server out of reach ({kind})") from None


class _Straight(urllib.request.HTTPRedirectHandler):
    """An alert goes where the settings say, nowhere else."""

    def redirect_request(self, *_: object, **__: object) -> None:
        """No redirection is followed."""


def post(url: str, context: ssl.SSLContext, body: bytes, timeout: float) -> None:
    """POST a JSON document. `NotTold` unless the answer is 2xx."""
    request = urllib.request.Request(url, body, {"Content-Type": "application/json"}, method="POST")  # noqa: S310 - scheme checked by the settings
    opener = urllib.request.build_opener(_Straight, urllib.request.HTTPSHandler(context=context))
    try:
        with opener.open(request, timeout=timeout):
            return
    except urllib.error.HTTPError as error:
        raise NotTold(f"l'adresse répond {error.code}", f"the address answers {error.code}") from None
    except OSError as error:
        kind = type(error).__name__
        raise NotTold(f"adresse injoignable ({kind})", f"address out of reach ({kind})") from None
