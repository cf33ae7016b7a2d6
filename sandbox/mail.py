"""A local MSSanté operator: SMTP with STARTTLS (aiosmtpd) and IMAP over TLS, a client certificate for both, one mailbox for the practice.

What a message must be is told by `mail_rules`; here are envelopes, answers of recipients, and the troubles of the plan. A recipient
answers each message it takes by a disposition notification, as a software that files documents does.
"""

from __future__ import annotations

import asyncio
import contextlib
import csv
import enum
import hashlib
import json
import ssl
from collections.abc import AsyncIterator, Mapping
from datetime import datetime
from email.utils import format_datetime
from pathlib import Path
from typing import Any

from transvase.sandbox import authority, imap, mail_rules, server
from transvase.sandbox.authority import Authority
from transvase.sandbox.mailboxes import INBOX, SENT, Mailboxes
from transvase.sandbox.service import InThread

HOST = "127.0.0.1"
OWNER = "cabinet.essai@bac-a-sable.mssante.fr"
PRODUCT = "TRANSVASE-BAC-A-SABLE"
"""A reference for X-MSS-NIL: any is taken, none is not."""
SIZE = 25_000_000
"""Bytes of a message, announced by SMTP: what Mon espace santé takes."""
PLAN = "mail-plan.json"


class MailTrouble(enum.StrEnum):
    """What may go wrong with a message, and whether it is delivered all the same."""

    SHUT = "shut"
    """Not delivered; 421 at MAIL, and the connection ends."""
    BUSY = "busy"
    """Not delivered; 451 at MAIL."""
    MAILBOX_BUSY = "mailbox_busy"
    """Not delivered; 450 at RCPT."""
    REFUSED = "refused"
    """Not delivered; 550 5.1.1 at RCPT."""
    CONTENT = "content"
    """Not delivered; 554 after the content."""
    CUT = "cut"
    """Not delivered; cut once the content is read."""
    CUT_AFTER = "cut_after"
    """Delivered; cut without an answer."""
    SLOW = "slow"
    """Delivered; the answer comes after a second."""
    BOUNCE = "bounce"
    """Taken, then returned: mailbox closed (DSN)."""
    MDN_ERROR = "mdn_error"
    """Delivered; the recipient's software cannot file it (901)."""
    DISPLAYED = "displayed"
    """Delivered; the recipient answers that it was displayed."""
    SILENT = "silent"
    """Delivered; no answer ever comes."""


class Operator:
    """The mailboxes, and what is said at each step of SMTP (handler of aiosmtpd). `plan` gives the trouble of the nth message, from 1."""

    def __init__(
        self,
        mailboxes: Mailboxes,
        patients: Path,
        clock: datetime,
        plan: Mapping[int, MailTrouble] | None = None,
        *,
        owner: str = OWNER,
        token: str = "",
        files_sent: bool = True,
        control: Path | None = None,
    ) -> None:
        self.mailboxes, self.owner, self.token = mailboxes, owner, token
        self.received = self.refused = 0
        self.reasons: list[str] = []
        self._clock, self._files_sent, self._control = clock, files_sent, control
        self._plan = dict(plan or {})
        with patients.open(encoding="utf-8", newline="") as file:
            self._citizens = {row["ins"].upper() for row in csv.DictReader(file) if row["state"] == "active"}

    def plan(self, *troubles: MailTrouble) -> None:
        """The troubles of the next messages, in order."""
        self._plan |= {self.received + n: trouble for n, trouble in enumerate(troubles, 1)}

    def _trouble(self) -> MailTrouble | None:
        return self._plan.get(self.received)

    # -- steps of SMTP, as aiosmtpd calls them ---------------------------------------------------------------------------------

    async def auth_EXTERNAL(self, smtp: Any, args: list[str]) -> Any:
        """The certificate says who it is."""
        from aiosmtpd.smtp import AuthResult

        return AuthResult(success=not self.token, handled=False)

    async def auth_XOAUTH2(self, smtp: Any, args: list[str]) -> Any:
        """A Pro Santé Connect token."""
        import base64

        from aiosmtpd.smtp import AuthResult

        expected = f"user={self.owner}\x01auth=Bearer {self.token}\x01\x01".encode()
        given = base64.b64decode(args[1]) if len(args) > 1 else b""
        return AuthResult(success=bool(self.token) and given == expected, handled=False)

    async def handle_MAIL(self, smtp: Any, session: Any, envelope: Any, address: str, options: list[str]) -> str:
        """A transaction begins."""
        self.received += 1
        self._read_control()
        trouble = self._trouble()
        if trouble is MailTrouble.SHUT:
            smtp.transport.write(b"421 4.3.2 closing\r\n")
            smtp.transport.close()
            return "421 4.3.2 closing"
        if trouble is MailTrouble.BUSY:
            return "451 4.3.0 try later"
        if self.token and not session.authenticated:
            return "530 5.7.0 authentication required"
        if address != self.owner:
            return "553 5.7.1 not a mailbox of this certificate"
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return "250 2.1.0 OK"

    async def handle_RCPT(self, smtp: Any, session: Any, envelope: Any, address: str, options: list[str]) -> str:
        """A recipient: a citizen that has a mailbox, or any address of the space that is not a citizen's."""
        trouble = self._trouble()
        if trouble is MailTrouble.MAILBOX_BUSY:
            return "450 4.2.1 mailbox busy"
        if trouble is MailTrouble.REFUSED or not mail_rules.ADDRESS.fullmatch(address):
            return "550 5.1.1 no such mailbox"
        number = mail_rules.citizen(address)
        if number and number not in self._citizens:
            return "550 5.1.1 no such mailbox"
        if envelope.rcpt_tos:
            return "452 4.5.3 one recipient"
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 OK"

    async def handle_DATA(self, smtp: Any, session: Any, envelope: Any) -> str:
        """The content: checked, delivered on the disk, then answered."""
        (recipient,) = envelope.rcpt_tos
        trouble = self._trouble()
        if trouble is MailTrouble.CUT:
            smtp.transport.abort()
            return "421 4.3.0"
        if trouble is MailTrouble.CONTENT:
            return "554 5.6.0 content refused"
        try:
            message = mail_rules.check(envelope.content, self.owner, recipient)
        except mail_rules.Wrong as wrong:
            self.refused += 1
            self.reasons.append(str(wrong))
            return f"554 5.6.0 {wrong}"
        if self._files_sent:
            self.mailboxes.put(self.owner, SENT, envelope.content)
        if trouble is not MailTrouble.BOUNCE:
            self.mailboxes.put(recipient, INBOX, envelope.content)
        if trouble is not MailTrouble.SILENT:
            self._answer(str(message["Message-ID"]), recipient, envelope.content, trouble)
        if trouble is MailTrouble.CUT_AFTER:
            smtp.transport.abort()
        elif trouble is MailTrouble.SLOW:
            await asyncio.sleep(1)
        return "250 2.0.0 taken"

    def _read_control(self) -> None:
        """The plan left in a file, once: a list of troubles for the next messages, beginning with this one."""
        if self._control is None or not self._control.is_file():
            return
        with contextlib.suppress(ValueError, OSError):
            rows = json.loads(self._control.read_text(encoding="utf-8"))
            self._control.unlink()
            self._plan |= {self.received + n: MailTrouble(str(name)) for n, name in enumerate(rows)}

    # -- answers of recipients -------------------------------------------------------------------------------------------------

    def _answer(self, original: str, recipient: str, content: bytes, trouble: MailTrouble | None) -> None:
        if trouble is MailTrouble.BOUNCE:
            kind, part = (
                "delivery-status",
                "Reporting-MTA: dns; bac-a-sable.mssante.fr\r\n\r\nFinal-Recipient: rfc822; ",
            )
            part += f"{recipient}\r\nAction: failed\r\nStatus: 5.1.1\r\nDiagnostic-Code: smtp; 550 5.1.1\r\n"
            subject = "Undelivered Mail Returned to Sender"
        else:
            state = {
                MailTrouble.MDN_ERROR: "automatic-action/MDN-sent-automatically; processed/Error: 901^auteur non autorise",
                MailTrouble.DISPLAYED: "manual-action/MDN-sent-manually; displayed",
            }.get(trouble, "automatic-action/MDN-sent-automatically; processed")  # type: ignore[arg-type]
            kind = "disposition-notification"
            part = (
                f"Final-Recipient: rfc822; {recipient}\r\nOriginal-Message-ID: {original}\r\nDisposition: {state}\r\n"
            )
            subject = "Accuse"
        data = report(kind, subject, part, original, recipient, self.owner, content, self._clock)
        self.mailboxes.put(self.owner, INBOX, data)

    def duplicates(self) -> int:
        """Messages that a mailbox holds more than once, by Message-ID."""
        seen: set[tuple[str, str]] = set()
        count = 0
        for address, data in self.mailboxes.all():
            if address == self.owner:
                continue
            head = data.partition(b"\r\n\r\n")[0].decode("ascii", "replace")
            name = next((line for line in head.split("\r\n") if line.lower().startswith("message-id:")), "")
            count += (address, name) in seen
            seen.add((address, name))
        return count


def report(
    kind: str, subject: str, fields: str, original: str, author: str, to: str, content: bytes, clock: datetime
) -> bytes:
    """A multipart/report (RFC 6522) about a message: text, machine part, the message itself."""
    mark = hashlib.sha256(f"{kind} {original} {author}".encode()).hexdigest()[:24]
    head = (
        f"From: <{author}>\r\nTo: <{to}>\r\nSubject: {subject}\r\nDate: {format_datetime(clock)}\r\n"
        f"Message-ID: <{mark}@bac-a-sable.mssante.fr>\r\nMIME-Version: 1.0\r\n"
        f'Content-Type: multipart/report; report-type={kind}; boundary="={mark}"\r\n\r\n'
    )
    parts = (
        f"--={mark}\r\nContent-Type: text/plain\r\n\r\nReponse automatique.\r\n"
        f"--={mark}\r\nContent-Type: message/{kind}\r\n\r\n{fields}\r\n"
        f"--={mark}\r\nContent-Type: message/rfc822\r\n\r\n"
    )
    return (head + parts).encode("ascii") + content + f"\r\n--={mark}--\r\n".encode("ascii")


@contextlib.asynccontextmanager
async def listening(
    operator: Operator, keys: Authority, smtp_port: int, imap_port: int
) -> AsyncIterator[tuple[int, int]]:
    """Serve both protocols until the block ends; gives (SMTP port, IMAP port)."""
    from aiosmtpd.smtp import SMTP

    tls: ssl.SSLContext = server.context(keys)

    def protocol() -> Any:
        return SMTP(
            operator,
            data_size_limit=SIZE,
            hostname="bac-a-sable.mssante.fr",
            ident="bac a sable",
            tls_context=tls,
            require_starttls=True,
            auth_exclude_mechanism=["LOGIN", "PLAIN"],
            timeout=60,
            enable_SMTPUTF8=False,
        )

    loop = asyncio.get_running_loop()
    listener = await loop.create_server(protocol, HOST, smtp_port)
    try:
        async with imap.listening(operator.mailboxes, operator.owner, operator.token, tls, HOST, imap_port) as chosen:
            yield listener.sockets[0].getsockname()[1], chosen
    finally:
        listener.close()


class MailSandbox(InThread[tuple[int, int]]):
    """A local operator in a thread, as a context manager; `smtp` and `imap` are the addresses for the settings, `operator` what it
    received. Messages stand under `folder / "mail"`: a new object on the same folder goes on. Raises `OSError` (port, folder)."""

    def __init__(
        self,
        folder: Path,
        patients: Path,
        clock: datetime,
        plan: Mapping[int, MailTrouble] | None = None,
        *,
        structure: str = authority.STRUCTURE,
        owner: str = OWNER,
        token: str = "",
        files_sent: bool = True,
        hostile: bool = False,
        ports: tuple[int, int] = (0, 0),
    ) -> None:
        super().__init__("mail", ports)
        self.authority = authority.open_or_create(folder, clock, structure=structure, hostile=hostile)
        self.operator = Operator(
            Mailboxes(folder / "mail"),
            patients,
            clock,
            plan,
            owner=owner,
            token=token,
            files_sent=files_sent,
            control=folder / PLAN,
        )

    @property
    def smtp(self) -> str:
        """`smtp://127.0.0.1:port`, STARTTLS."""
        return f"smtp://{HOST}:{self.port[0]}"

    @property
    def imap(self) -> str:
        """`imaps://127.0.0.1:port`."""
        return f"imaps://{HOST}:{self.port[1]}"

    def _listening(self) -> contextlib.AbstractAsyncContextManager[tuple[int, int]]:
        return listening(self.operator, self.authority, *self.port)
