"""Reading an MSSanté mailbox: IMAP4rev1 over TLS with the structure's certificate. What a message means belongs to `formats.mail`.

Only what is asked for crosses the network: headers first, a message when it is wanted and of a size that can be taken.
"""

from __future__ import annotations

import imaplib
import re
import ssl
from collections.abc import Callable, Iterator
from contextlib import suppress
from email.parser import BytesParser
from typing import Any, NamedTuple

from transvase.errors import CertificateRefused, Said, ServiceUnreachable
from transvase.gateways.mssante import MSS, Endpoint, refused_by_tls, xoauth2

# Messages whose headers are asked for together.
_PAGE = 200
_FIELDS = "BODY.PEEK[HEADER.FIELDS (MESSAGE-ID CONTENT-TYPE IN-REPLY-TO)]"
_UID = re.compile(rb"\bUID (\d+)")
_SIZE = re.compile(rb"\bRFC822\.SIZE (\d+)")
# What a server may answer instead of a message: more is no answer to our question.
_MOST = 100_000


class Listed(NamedTuple):
    """A message of a folder before it is read: uid, bytes, three of its headers as written (empty when absent)."""

    uid: int
    size: int
    message_id: str
    content_type: str
    in_reply_to: str


class Mailbox:
    """One session, as a context manager. Every failure is ServiceUnreachable or CertificateRefused."""

    def __init__(
        self,
        server: Endpoint,
        context: ssl.SSLContext,
        timeout: float,
        address: str,
        token: Callable[[], str] | None = None,
    ) -> None:
        self._imap: imaplib.IMAP4
        try:
            if server.implicit:
                self._imap = imaplib.IMAP4_SSL(server.host, server.port, ssl_context=context, timeout=timeout)
            else:
                self._imap = imaplib.IMAP4(server.host, server.port, timeout=timeout)
        except (imaplib.IMAP4.error, OSError) as error:
            raise _hung_up(error) if server.implicit else _failed(error) from None
        try:
            if not server.implicit:
                self._imap.starttls(context)
            if self._imap.state != "AUTH":
                self._login(address, token)
        except (imaplib.IMAP4.error, OSError) as error:
            self._drop()
            raise _hung_up(error) from None
        except BaseException:
            self._drop()
            raise

    def _login(self, address: str, token: Callable[[], str] | None) -> None:
        first = xoauth2(address, token()) if token else ""
        try:
            self._imap.authenticate("XOAUTH2" if token else "EXTERNAL", lambda _: first.encode())
        except imaplib.IMAP4.abort:
            raise
        except imaplib.IMAP4.error:
            raise CertificateRefused(
                service=MSS,
                reason=Said("la boîte ne s'ouvre pas avec ce certificat ou ce jeton", "login refused"),
            ) from None

    def _drop(self) -> None:
        with suppress(imaplib.IMAP4.error, OSError):
            self._imap.shutdown()

    def __enter__(self) -> Mailbox:
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(imaplib.IMAP4.error, OSError):
            self._imap.logout()
        self._drop()

    def _asked(self, what: str, call: Callable[[], tuple[str, list[Any]]]) -> list[Any]:
        try:
            status, answer = call()
        except (imaplib.IMAP4.error, OSError) as error:
            raise _failed(error) from None
        if status != "OK":
            raise ServiceUnreachable(service=MSS, reason=f"IMAP {what}")
        return answer

    def open(self, folder: str, *, readonly: bool = True) -> None:
        """Select a folder, named in ASCII as IMAP writes it."""
        escaped = folder.replace("\\", "\\\\").replace('"', '\\"')
        self._asked("SELECT", lambda: self._imap.select(f'"{escaped}"', readonly))

    def holds(self, message_id: str) -> bool:
        """Whether the folder that is open holds a message of that Message-ID, angle brackets included."""
        found = self._asked("SEARCH", lambda: self._imap.uid("SEARCH", "HEADER", "Message-ID", f'"{message_id}"'))
        return any(part.split() for part in found if isinstance(part, bytes))

    def listed(self) -> Iterator[Listed]:
        """The messages of the folder that is open, the oldest first."""
        found = self._asked("SEARCH", lambda: self._imap.uid("SEARCH", "ALL"))
        uids = [int(n) for part in found if isinstance(part, bytes) for n in part.split() if n.isdigit()][:_MOST]
        for start in range(0, len(uids), _PAGE):
            page = ",".join(map(str, uids[start : start + _PAGE]))
            answer = self._asked(
                "FETCH",
                lambda page=page: self._imap.uid("FETCH", page, f"(UID RFC822.SIZE {_FIELDS})"),  # type: ignore[misc]
            )
            for part in answer:
                if not isinstance(part, tuple):
                    continue
                uid, size = _UID.search(part[0]), _SIZE.search(part[0])
                if uid is None or size is None:
                    continue
                fields = BytesParser().parsebytes(bytes(part[1]), headersonly=True)
                told = (" ".join(str(fields.get(n, "")).split()) for n in ("Message-ID", "Content-Type", "In-Reply-To"))
                yield Listed(int(uid[1]), int(size[1]), *told)

    def read(self, uid: int) -> bytes:
        """A message whole; empty when it has gone meanwhile. It is not marked as read."""
        answer = self._asked("FETCH", lambda: self._imap.uid("FETCH", str(uid), "(BODY.PEEK[])"))
        return next((bytes(part[1]) for part in answer if isinstance(part, tuple)), b"")

    def mark(self, uid: int) -> None:
        """Mark a message as read."""
        self._asked("STORE", lambda: self._imap.uid("STORE", str(uid), "+FLAGS", "(\\Seen)"))


def _failed(error: BaseException) -> CertificateRefused | ServiceUnreachable:
    """A server's words stay here: they may quote a record."""
    return refused_by_tls(error) or ServiceUnreachable(service=MSS, reason=f"IMAP {type(error).__name__}")


def _hung_up(error: BaseException) -> CertificateRefused | ServiceUnreachable:
    """The same for the first words under TLS: a server that does not know our certificate may end there without any."""
    if isinstance(error, imaplib.IMAP4.abort) and "EOF" in str(error) and refused_by_tls(error) is None:
        return CertificateRefused(
            service=MSS,
            reason=Said("il raccroche dès que la liaison TLS est établie", "it hangs up as soon as TLS is established"),
        )
    return _failed(error)
