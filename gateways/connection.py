"""One HTTPS connection under mutual TLS, kept between exchanges: a request in, an answer out, or why there is none.

What a service is asked, and what its answer means, belongs to `dmp` and `dmp_fhir`; here is only what the network may do to a request.
"""

from __future__ import annotations

import re
import socket
import ssl
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple
from urllib.parse import urlsplit

import httptools

from transvase.errors import CertificateRefused, Said

# A peer that closes without a word refuses no certificate: that comes as an alert.
_ENDED = (ssl.SSLEOFError, ssl.SSLZeroReturnError)
# Parts below this leave together, up to a megabyte; a larger one is not copied.
_SMALL, _TOGETHER = 1 << 16, 1 << 20
_BREAK = re.compile("[\r\n]")
# An answer of a service is small; a page of a proxy too.
_READ, _HEAD_AT_MOST, _ANSWER_AT_MOST = 1 << 16, 1 << 18, 1 << 26
# Seconds in which a refusal of our certificate comes.
_ALERT = 2.0


class Reply(NamedTuple):
    """An answer; header names are in lower case. `failure` is empty, or `unreachable` (no byte of the request can have arrived),
    `timeout` or `cut` (nobody knows). `fresh` when it is the first answer read on its connection."""

    status: int = 0
    headers: Mapping[str, str] = {}
    body: bytes = b""
    failure: str = ""
    fresh: bool = True


class Connection:
    """A connection to one address, opened when needed and reused; not shared between threads."""

    def __init__(self, url: str, context: ssl.SSLContext, timeout: float, service: Said) -> None:
        parts = urlsplit(url)
        self._host, self._port = parts.hostname or "", parts.port or 443
        self.path = parts.path
        self._context, self._timeout, self._service = context, timeout, service
        self._open: ssl.SSLSocket | None = None
        self._answered = False

    def close(self) -> None:
        """Close it; the next request opens another."""
        if self._open is not None:
            self._open.close()
            self._open = None

    def request(
        self,
        method: str,
        target: str,
        headers: Mapping[str, str],
        parts: Iterable[bytes] = (),
        length: int | None = None,
    ) -> Reply:
        """Send a request of `length` bytes (None for one without body) to a path under the address, and read the answer.

        CertificateRefused when TLS refuses us or the server's certificate."""
        fresh = self._open is None
        if self._open is None:
            self._open = self._opened()
            if self._open is None:
                return Reply(failure="unreachable")
        line = self._open
        version = line.version()
        try:
            for piece in _pieces(self._head(method, target, headers, length), parts):
                line.sendall(piece)
        except ssl.SSLError as error:
            # TLS 1.3 ends the handshake before the server has looked at our certificate: it hangs up on the first bytes.
            if fresh and (not isinstance(error, _ENDED) or version == "TLSv1.3"):
                self.close()
                raise self._refused(error) from None
        except OSError:
            # A server that refuses early answers and closes; its answer may still be read.
            pass
        try:
            answer = _read(line)
        except ssl.SSLError as error:
            self.close()
            if fresh and not isinstance(error, _ENDED):
                # With TLS 1.3 the refusal of our certificate arrives with the first read.
                raise self._refused(error) from None
            return self._cut()
        except TimeoutError:
            self.close()
            return Reply(failure="timeout")
        except OSError:
            answer = None
        if answer is None:
            self.close()
            return self._cut()
        self._answered = True
        if answer.last:
            self.close()
        return Reply(answer.status, answer.headers, b"".join(answer.parts), "", fresh)

    def _head(self, method: str, target: str, headers: Mapping[str, str], length: int | None) -> bytes:
        """Request line and headers. ValueError when a value would end its line."""
        host = self._host if self._host.isascii() else self._host.encode("idna").decode()
        host = f"[{host}]" if ":" in host else host
        lines = {"Host": host if self._port == 443 else f"{host}:{self._port}", **headers}
        if length is not None:
            lines["Content-Length"] = str(length)
        text = [f"{method} {self.path}{target} HTTP/1.1", *(f"{name}: {value}" for name, value in lines.items())]
        if any(_BREAK.search(line) for line in text):
            raise ValueError("a header holds the end of a line")
        return "\r\n".join((*text, "", "")).encode("latin-1")

    def _cut(self) -> Reply:
        # A service that has answered us once does not refuse who we are.
        if not self._answered and (reason := refusal(self._host, self._port, self._context)):
            raise CertificateRefused(service=self._service, reason=reason)
        return Reply(failure="cut")

    def _opened(self) -> ssl.SSLSocket | None:
        try:
            plain = socket.create_connection((self._host, self._port), self._timeout)
            # Our last bytes do not wait for the acknowledgement of those before.
            plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return self._context.wrap_socket(plain, server_hostname=self._host)
        except ssl.SSLCertVerificationError as error:
            raise CertificateRefused(
                service=self._service,
                reason=Said(
                    f"certificat du serveur : {error.verify_message}", f"server certificate: {error.verify_message}"
                ),
            ) from None
        except _ENDED:
            return None
        except ssl.SSLError as error:
            raise self._refused(error) from None
        except OSError:
            return None

    def _refused(self, error: ssl.SSLError) -> CertificateRefused:
        return CertificateRefused(service=self._service, reason=_reason(error))


def _pieces(head: bytes, parts: Iterable[bytes]) -> Iterator[bytes]:
    """What is written at once: each writing is a record of TLS and a call of the system."""
    together, size = [head], len(head)
    for part in parts:
        if len(part) >= _SMALL or size + len(part) > _TOGETHER:
            yield b"".join(together)
            together, size = [], 0
        if len(part) >= _SMALL:
            yield part
        else:
            together.append(part)
            size += len(part)
    yield b"".join(together)


class _Answer:
    """The first final answer that the parser meets; `last` when nothing more can be asked on its connection."""

    def __init__(self) -> None:
        self.status = 0
        self.headers: dict[str, str] = {}
        self.parts: list[bytes] = []
        self.headed = self.whole = self.last = False
        self.parser = httptools.HttpResponseParser(self)

    def on_message_begin(self) -> None:
        # Another answer right behind it belongs to no request of ours.
        self.last |= self.whole

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self.whole:
            self.headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_headers_complete(self) -> None:
        if not self.whole:
            self.status, self.headed = self.parser.get_status_code(), True

    def on_body(self, part: bytes) -> None:
        if not self.whole:
            self.parts.append(part)

    def on_message_complete(self) -> None:
        if self.whole:
            return
        if self.status < 200:
            # The request may go on: the answer is yet to come.
            self.headers, self.headed = {}, False
            return
        self.whole, self.last = True, not self.parser.should_keep_alive()


def _read(line: socket.socket) -> _Answer | None:
    """The answer to a request; None when what comes is cut short, is no HTTP or has no end. OSError and TimeoutError of the line."""
    answer, size = _Answer(), 0
    while True:
        data = line.recv(_READ)
        size += len(data)
        if not data:
            # Without a length, an answer ends with its connection.
            ended = answer.headed and answer.headers.keys().isdisjoint(("content-length", "transfer-encoding"))
            answer.last = True
            return answer if ended else None
        try:
            answer.parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            # After a whole answer, what follows it is no HTTP.
            answer.last = True
            return answer if answer.whole else None
        if answer.whole:
            return answer
        if size > (_ANSWER_AT_MOST if answer.headed else _HEAD_AT_MOST):
            return None


def refusal(host: str, port: int, context: ssl.SSLContext) -> str | Said:
    """Why the server refuses our certificate, empty when it does not: what a connection that says nothing is told within two seconds.

    Under TLS 1.3 the server looks at our certificate once the handshake is over for us. Its alert is lost when a request was already on the
    way, and some servers send none: they hang up. A server in good health waits for a request, so it hangs up on a silent client for
    nothing else than who that client is."""
    try:
        with (
            socket.create_connection((host, port), timeout=_ALERT) as plain,
            context.wrap_socket(plain, server_hostname=host) as secured,
        ):
            version = secured.version()
            try:
                spoken = secured.recv(1)
            except ConnectionError:
                spoken = b""
    except ssl.SSLError as error:
        return "" if isinstance(error, _ENDED) else _reason(error)
    except OSError:
        # Another trouble, or a server that waits for us to speak: the cut was no refusal.
        return ""
    if spoken or version != "TLSv1.3":
        return ""
    return Said("il raccroche dès que notre certificat est présenté", "it hangs up once our certificate is shown")


def _reason(error: ssl.SSLError) -> str:
    return (error.reason or "TLS failure").lower().replace("_", " ")
