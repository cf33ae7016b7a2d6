"""Handing a message to the MSSanté operator: SMTP over TLS 1.2 or newer with the structure's certificate. Bytes in, outcome out.

One recipient per message, so no answer is partial. Every way a sending may end is a value of a closed list; the server's words are not
kept, since they may quote a record. Reading mailboxes belongs to `mailbox`, what an outcome means for the ledger to the feeder.
"""

from __future__ import annotations

import re
import smtplib
import ssl
from base64 import b64encode
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Literal, NamedTuple
from urllib.parse import urlsplit

from transvase.errors import CertificateRefused, Said
from transvase.gateways import dmp
from transvase.gateways.dmp import Answer

MSS = Said("l'opérateur MSSanté", "the MSSanté operator")
# Refusals of who sends, whatever the message.
OF_CALLER = frozenset({"MssSenderRefused", "MssAuthentication"})

_ENDED = (ssl.SSLEOFError, ssl.SSLZeroReturnError)
# Enhanced status codes (RFC 3463) that tell more than the reply code.
_ENHANCED = {"5.2.2": "MssMailboxFull", "4.2.2": "MssMailboxFull", "5.2.3": "MssTooLarge", "5.3.4": "MssTooLarge"}
_TOO_LARGE = (552, 523)
Stage = Literal["greeting", "login", "sender", "recipient", "content"]


class Endpoint(NamedTuple):
    """A server of the operator. `implicit`: TLS from the first byte; else STARTTLS, without which nothing is said."""

    host: str
    port: int
    implicit: bool


def endpoint(url: str) -> Endpoint:
    """`smtp://` and `imap://` begin with STARTTLS (ports 587, 143), `smtps://` and `imaps://` with TLS (465, 993)."""
    parts = urlsplit(url)
    usual = {"smtp": 587, "smtps": 465, "imap": 143, "imaps": 993}[parts.scheme]
    return Endpoint(parts.hostname or "", parts.port or usual, parts.scheme.endswith("s"))


def tls(certificate: Path, key: Path, authority: Path, password: bytes | None) -> ssl.SSLContext:
    """A context for mutual TLS 1.2 or newer, trusting only `authority`. CertificateRefused names what cannot be used."""
    try:
        return dmp.tls(certificate, key, authority, password)
    except CertificateRefused as refused:
        raise CertificateRefused(service=MSS, reason=refused.facts["reason"]) from None


def refused_by_tls(error: BaseException | None) -> CertificateRefused | None:
    """The refusal of a certificate behind an error of the standard clients, which keep it as a context; None for anything else."""
    while error is not None:
        if isinstance(error, ssl.SSLCertVerificationError):
            words = error.verify_message
            return CertificateRefused(
                service=MSS, reason=Said(f"certificat du serveur : {words}", f"server certificate: {words}")
            )
        if isinstance(error, ssl.SSLError) and not isinstance(error, _ENDED):
            return CertificateRefused(service=MSS, reason=(error.reason or "TLS failure").lower().replace("_", " "))
        error = error.__context__
    return None


def xoauth2(address: str, token: str) -> str:
    """The initial answer of XOAUTH2, not yet in base64."""
    return f"user={address}\x01auth=Bearer {token}\x01\x01"


class Mailer:
    """A connection to the operator, opened when needed and reused; not shared between threads.

    `token` gives a Pro Santé Connect access token for XOAUTH2; without it the certificate alone says who we are (SASL EXTERNAL when the
    server offers it)."""

    def __init__(
        self,
        server: Endpoint,
        context: ssl.SSLContext,
        timeout: float,
        sender: str,
        token: Callable[[], str] | None = None,
    ) -> None:
        self._server, self._context, self._timeout = server, context, timeout
        self._sender, self._token = sender, token
        self._open: smtplib.SMTP | None = None

    def close(self) -> None:
        """Take leave; the next message opens another connection."""
        if self._open is not None:
            with suppress(smtplib.SMTPException, OSError):
                self._open.quit()
            self._forget()

    def _forget(self) -> None:
        if self._open is not None:
            self._open.close()
            self._open = None

    def send(self, recipient: str, data: bytes) -> Answer:
        """Send a message (CRLF lines, 7 bits) to one recipient.

        accepted: the operator took it. refused: this one will not pass. not_sent: surely not taken, a later try may pass. doubt: its
        last byte left and no answer came. CertificateRefused when TLS refuses us or the server's certificate."""
        reused = self._open is not None
        answer = self._begun(recipient, data)
        if answer is not None and answer.code == "MssCut" and reused:
            # The server had closed an idle connection: nothing had been said.
            answer = self._begun(recipient, data)
        return answer or self._content(data)

    def _begun(self, recipient: str, data: bytes) -> Answer | None:
        """Everything before the content; None when the server waits for it."""
        try:
            if self._open is None and (answer := self._opened()):
                return answer
            assert self._open is not None
            smtp, options = self._open, []
            if smtp.has_extn("size"):
                options.append(f"SIZE={len(data)}")
                announced = smtp.esmtp_features.get("size", "")
                if announced.isdigit() and 0 < int(announced) < len(data):
                    return Answer("refused", "MssTooLarge")
            code, text = smtp.mail(self._sender, options)
            if code != 250:
                return self._said("sender", code, text)
            code, text = smtp.rcpt(recipient)
            if code not in (250, 251):
                return self._said("recipient", code, text)
            code, text = smtp.docmd("DATA")
            return None if code == 354 else self._said("content", code, text)
        except (smtplib.SMTPException, OSError) as error:
            self._forget()
            if refusal := refused_by_tls(error):
                raise refusal from None
            if isinstance(error, smtplib.SMTPResponseException):
                return meaning("greeting", error.smtp_code, b"")
            return Answer("not_sent", "MssCut")

    def _opened(self) -> Answer | None:
        domain = self._sender.rpartition("@")[2]
        server = self._server
        try:
            smtp: smtplib.SMTP
            if server.implicit:
                smtp = smtplib.SMTP_SSL(server.host, server.port, domain, timeout=self._timeout, context=self._context)
            else:
                smtp = smtplib.SMTP(server.host, server.port, domain, timeout=self._timeout)
        except smtplib.SMTPConnectError as error:
            return self._said("greeting", error.smtp_code, b"")
        except (smtplib.SMTPException, OSError) as error:
            if refusal := refused_by_tls(error):
                raise refusal from None
            return Answer("not_sent", "MssUnreachable")
        self._open = smtp
        if not server.implicit:
            smtp.ehlo()
            if not smtp.has_extn("starttls"):
                self._forget()
                raise CertificateRefused(
                    service=MSS, reason=Said("le serveur ne propose pas TLS", "the server offers no TLS")
                )
            code, text = smtp.starttls(context=self._context)
            if code != 220:
                return self._said("greeting", code, text)
        self._greeted(smtp)
        offered = smtp.esmtp_features.get("auth", "").split()
        if self._token is not None:
            first = xoauth2(self._sender, self._token())
            code, text = smtp.docmd("AUTH", f"XOAUTH2 {b64encode(first.encode()).decode()}")
        elif "EXTERNAL" in offered:
            code, text = smtp.docmd("AUTH", "EXTERNAL =")
        else:
            return None
        return None if code == 235 else self._said("login", code, text)

    @staticmethod
    def _greeted(smtp: smtplib.SMTP) -> None:
        """The first exchange under TLS. With TLS 1.3 our side is done before the server has looked at our certificate: one that it does
        not know ends here, at times without a word."""
        version = getattr(smtp.sock, "version", lambda: None)()
        try:
            smtp.ehlo()
        except smtplib.SMTPServerDisconnected as error:
            if version != "TLSv1.3" or refused_by_tls(error) or isinstance(error.__context__, TimeoutError):
                raise
            raise CertificateRefused(
                service=MSS,
                reason=Said(
                    "il raccroche dès que la liaison TLS est établie", "it hangs up as soon as TLS is established"
                ),
            ) from None

    def _content(self, data: bytes) -> Answer:
        smtp = self._open
        assert smtp is not None
        try:
            # RFC 5321, 4.5.2: a line that begins with a dot has another before it.
            stuffed = re.sub(rb"(?m)^\.", b"..", data)
            smtp.send(stuffed if stuffed.endswith(b"\r\n") else stuffed + b"\r\n")
        except (smtplib.SMTPException, OSError):
            # Without the final dot nothing can have been taken.
            self._forget()
            return Answer("not_sent", "MssCut")
        try:
            smtp.send(b".\r\n")
            code, text = smtp.getreply()
        except (smtplib.SMTPException, OSError):
            self._forget()
            return Answer("doubt", "MssDoubt")
        if 200 <= code < 300:
            return Answer("accepted")
        if not 400 <= code < 600:
            self._forget()
            return Answer("doubt", "MssDoubt")
        return self._said("content", code, text)

    def _said(self, stage: Stage, code: int, text: bytes) -> Answer:
        """What a negative reply means; the connection is left as it was before the message."""
        if stage in ("greeting", "login") or code == 421 or self._open is None:
            self._forget()
        else:
            try:
                self._open.rset()
            except (smtplib.SMTPException, OSError):
                self._forget()
        return meaning(stage, code, text)


def meaning(stage: Stage, code: int, text: bytes) -> Answer:
    """Reply code, and the enhanced code at the head of its text, to an outcome of the closed list (RFC 5321, 4.2; sheet, 3)."""
    status = text[:16].decode("ascii", "replace").split(" ")[0]
    known = _ENHANCED.get(status, "")
    if stage == "login" and code != 454:
        return Answer("refused", "MssAuthentication")
    if 400 <= code < 500:
        ours = "MssMailboxBusy" if stage == "recipient" and code != 421 else "MssBusy"
        return Answer("not_sent", known or ours)
    if stage == "greeting" or not 500 <= code < 600:
        return Answer("not_sent", "MssBusy")
    if code in (530, 534, 535, 538):
        return Answer("refused", "MssAuthentication")
    if known:
        return Answer("refused", known)
    if code in _TOO_LARGE:
        return Answer("refused", "MssTooLarge")
    if stage == "sender":
        return Answer("refused", "MssSenderRefused")
    if stage == "recipient":
        return Answer("refused", "MssRejected" if code == 541 or status.startswith("5.7") else "MssMailboxUnknown")
    return Answer("refused", "MssContentRefused")
