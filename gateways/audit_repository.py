"""An audit repository (IHE ATNA, ITI-20) spoken to by syslog over TLS: frames of RFC 5425, messages of RFC 5424. What a message says
belongs to `exporters.audit_message`; what waits and in which order to `assets.evidence`.

Syslog answers nothing: a message counts as handed over once the connection took it and closed in order.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Sequence
from pathlib import Path

from transvase.errors import Said

# Security and authorization messages (10), notice (5).
_PRIORITY = 10 * 8 + 5
# PS3.15, A.6.1: what the body of the message is.
_MESSAGE_ID = "DICOM+RFC3881"
_SECONDS = 10.0


class NotSent(Exception):
    """The repository did not take the messages; `why` in both languages."""

    def __init__(self, french: str, english: str) -> None:
        super().__init__(english)
        self.why = Said(french, english)


def frame(instant: str, host: str, body: str) -> bytes:
    """A message of RFC 5424 in its frame: its length in bytes, a space, the message."""
    message = (
        f"<{_PRIORITY}>1 {instant} {host or '-'} Transvase - {_MESSAGE_ID} - ".encode()
        + b"\xef\xbb\xbf"
        + body.encode()
    )
    return b"%d " % len(message) + message


def tls(authority: Path | None, certificate: Path | None, key: Path | None, password: bytes | None) -> ssl.SSLContext:
    """TLS 1.2 or newer that trusts one authority alone. `NotSent` for a file that cannot serve."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        if authority is not None:
            context.load_verify_locations(authority)
        if certificate is not None:
            context.load_cert_chain(certificate, key, (lambda: password or b""))
    except (OSError, ValueError):
        raise NotSent(
            "un certificat, une clé ou une autorité de [evidence] n'est pas utilisable",
            "a certificate, a key or an authority of [evidence] cannot be used",
        ) from None
    return context


def send(address: str, context: ssl.SSLContext, frames: Sequence[bytes]) -> None:
    """Hand the frames over, in order, on one connection to `host:port`. `NotSent` when any may not have arrived."""
    host, _, port = address.rpartition(":")
    try:
        with (
            socket.create_connection((host, int(port)), _SECONDS) as plain,
            context.wrap_socket(plain, server_hostname=host) as secure,
        ):
            for one in frames:
                secure.sendall(one)
            # Waits for the other side to close TLS: all was received, which is the most that syslog lets one know.
            secure.unwrap()
    except ssl.SSLError:
        raise NotSent("connexion TLS refusée", "TLS connection refused") from None
    except TimeoutError:
        raise NotSent("pas de réponse à temps", "no answer in time") from None
    except OSError as error:
        kind = type(error).__name__
        raise NotSent(f"service injoignable ({kind})", f"service out of reach ({kind})") from None
