"""HTTP/1.1 over mutual TLS on asyncio: connections, framing, limits. What a request means belongs to its handler.

Strict on framing, since a lenient server hides a client that gets it wrong: one length, exact, no obsolete forms.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import re
import ssl
import traceback
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import NamedTuple

from transvase.sandbox.authority import Authority
from transvase.sandbox.service import accepting

HEAD_MAX = 32 * 1024
BODY_MAX = 120_000_000
"""Bytes. No limit of the DMP is public; a client kit binds itself to 50 MB, and a set may hold several documents."""
PATIENCE = 30.0
"""Seconds for the rest of a request once its head is read."""
IDLE = 300.0
"""Seconds between two requests of a connection."""

# Read-ahead of a connection; asyncio's 64 KiB would pause and resume the transport several times per document.
_BUFFER = 1024 * 1024
_CHUNK_LINE = re.compile(rb"([0-9A-Fa-f]{1,8})(?:;[^\r\n]*)?\r\n")
_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_log = logging.getLogger(__name__)


class Request(NamedTuple):
    """A request. Header names are in lower case; `structure` and `name` are the OU and the CN of the client certificate (empty when it
    has none)."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    structure: str
    name: str = ""


class Answer(NamedTuple):
    """An answer; `copies` above 1 is for troubles."""

    status: int
    media_type: str
    body: bytes
    headers: tuple[tuple[str, str], ...] = ()
    copies: int = 1


Handler = Callable[[Request], Awaitable[Answer | None]]
"""Gives the answer, or None to close the connection without one."""


class Refusal(Exception):
    """A request refused before its body means anything: HTTP status and one sentence that quotes nothing."""

    def __init__(self, status: int, reason: str, headers: tuple[tuple[str, str], ...] = ()) -> None:
        super().__init__(reason)
        self.answer = Answer(status, "text/plain; charset=UTF-8", f"{reason}\n".encode(), headers)


def context(authority: Authority) -> ssl.SSLContext:
    """TLS 1.2 or later, with a client certificate of the same authority required."""
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.minimum_version = ssl.TLSVersion.TLSv1_2
    tls.load_cert_chain(authority.server, authority.server_key)
    tls.load_verify_locations(authority.ca)
    tls.verify_mode = ssl.CERT_REQUIRED
    tls.verify_flags |= ssl.VerifyFlags.VERIFY_X509_STRICT
    return tls


def listening(
    handler: Handler, tls: ssl.SSLContext, host: str, port: int
) -> contextlib.AbstractAsyncContextManager[int]:
    """Serve until the block ends; gives the port (chosen by the system when `port` is 0)."""
    return accepting(lambda reader, writer: _converse(reader, writer, handler), tls, host, port, _BUFFER)


async def _converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, handler: Handler) -> None:
    try:
        structure = _of_subject(writer, "organizationalUnitName")
        name = _of_subject(writer, "commonName")
        keep = True
        while keep:
            try:
                request = await _read(reader, writer, structure)
                if request is None:
                    return
                keep = "close" not in request.headers.get("connection", "").lower()
                answer = await _handled(handler, request._replace(name=name))
            except Refusal as refusal:
                # Where the next request would begin is no longer certain.
                keep, answer = False, refusal.answer
            if answer is None:
                writer.transport.abort()
                return
            for _ in range(answer.copies):
                writer.write(_head(answer, keep) + answer.body)
            await writer.drain()
    except (OSError, EOFError, TimeoutError):
        # The peer is gone or silent: there is nobody to tell.
        writer.transport.abort()
    except asyncio.CancelledError:
        writer.transport.abort()
        raise
    finally:
        writer.close()


async def _handled(handler: Handler, request: Request) -> Answer | None:
    try:
        return await handler(request)
    except Refusal:
        raise
    except Exception as problem:
        # The exception's own text may quote the request: only its class and place are logged.
        place = traceback.extract_tb(problem.__traceback__)[-1]
        _log.error("Unexpected %s at %s:%s; report this.", type(problem).__name__, place.filename, place.lineno)
        return Answer(500, "text/plain; charset=UTF-8", b"The sandbox failed on this request.\n")


def _of_subject(writer: asyncio.StreamWriter, wanted: str) -> str:
    certificate = writer.get_extra_info("peercert") or {}
    pairs = (pair for group in certificate.get("subject", ()) for pair in group)
    return next((value for name, value in pairs if name == wanted), "")


def _head(answer: Answer, keep: bool) -> bytes:
    phrase = HTTPStatus(answer.status).phrase
    lines = [
        f"HTTP/1.1 {answer.status} {phrase}",
        f"Content-Type: {answer.media_type}",
        f"Content-Length: {len(answer.body)}",
    ]
    lines += [f"{name}: {value}" for name, value in answer.headers]
    lines.append(f"Connection: {'keep-alive' if keep else 'close'}")
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


async def _read(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, structure: str) -> Request | None:
    """The next request, None when the peer has closed between two. Raises `Refusal`."""
    try:
        async with asyncio.timeout(IDLE):
            head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.LimitOverrunError:
        raise Refusal(431, f"The head is above {HEAD_MAX} bytes.") from None
    except asyncio.IncompleteReadError:
        return None
    if len(head) > HEAD_MAX:
        raise Refusal(431, f"The head is above {HEAD_MAX} bytes.")
    method, path, headers = _parse(head)
    try:
        async with asyncio.timeout(PATIENCE):
            body = await _body(method, headers, reader, writer)
    except TimeoutError:
        raise Refusal(408, "The body did not come in time; is Content-Length exact?") from None
    return Request(method, path, headers, body, structure)


def _parse(head: bytes) -> tuple[str, str, dict[str, str]]:
    try:
        first, *lines = head[:-4].decode("ascii").split("\r\n")
    except UnicodeDecodeError:
        raise Refusal(400, "The head is not ASCII.") from None
    words = first.split(" ")
    if len(words) != 3 or not _TOKEN.fullmatch(words[0]) or not words[1].startswith("/"):
        raise Refusal(400, "The request line is malformed.")
    if words[2] != "HTTP/1.1":
        raise Refusal(505, "Only HTTP/1.1 is served.")
    headers: dict[str, str] = {}
    for line in lines:
        name, colon, value = line.partition(":")
        if not colon or not _TOKEN.fullmatch(name) or "\n" in value or "\r" in value:
            raise Refusal(400, "A header is malformed.")
        if name.lower() in headers:
            raise Refusal(400, "A header is repeated.")
        headers[name.lower()] = value.strip(" \t")
    if not headers.get("host"):
        raise Refusal(400, "Header Host is missing.")
    return words[0], words[1], headers


async def _body(
    method: str, headers: dict[str, str], reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> bytes:
    encoding, length = headers.get("transfer-encoding"), headers.get("content-length")
    if encoding is None and length is None:
        if method == "POST":
            raise Refusal(411, "A POST needs Content-Length or chunks.")
        return b""
    if encoding is not None and length is not None:
        raise Refusal(400, "Content-Length and Transfer-Encoding exclude each other.")
    if encoding is not None and encoding.lower() != "chunked":
        raise Refusal(501, "Transfer-Encoding is not chunked.")
    size = -1
    if length is not None:
        if not re.fullmatch(r"[0-9]{1,12}", length):
            raise Refusal(400, "Content-Length is not a number.")
        size = int(length)
        if size > BODY_MAX:
            raise Refusal(413, f"The body is above {BODY_MAX} bytes.")
    if headers.get("expect", "").lower() == "100-continue":
        writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
    return await reader.readexactly(size) if size >= 0 else await _chunks(reader)


async def _chunks(reader: asyncio.StreamReader) -> bytes:
    chunks: list[bytes] = []
    total = 0
    while True:
        line = _CHUNK_LINE.fullmatch(await _line(reader))
        if not line:
            raise Refusal(400, "The line of a chunk is malformed.")
        size = int(line[1], 16)
        total += size
        if total > BODY_MAX:
            raise Refusal(413, f"The body is above {BODY_MAX} bytes.")
        if size == 0:
            break
        chunk = await reader.readexactly(size + 2)
        if not chunk.endswith(b"\r\n"):
            raise Refusal(400, "A chunk is longer than it says.")
        chunks.append(chunk[:-2])
    if await _line(reader) != b"\r\n":
        raise Refusal(400, "Trailers are not accepted.")
    return b"".join(chunks)


async def _line(reader: asyncio.StreamReader) -> bytes:
    try:
        return await reader.readuntil(b"\r\n")
    except asyncio.LimitOverrunError:
        raise Refusal(400, "The line of a chunk is too long.") from None
