"""What is read of an HTTP answer, whatever the pieces in which it comes, against the standard library's reading of the same bytes."""

from __future__ import annotations

import http.client
import socket
from collections.abc import Iterable

import pytest

from transvase.gateways import connection

OK = b"HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\nContent-Length: 5\r\n\r\nhello"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n6;a=b\r\n world\r\n0\r\n\r\n"
# Name, bytes of the server before it closes, (status, body, nothing more can be asked) or None where nobody knows what was answered.
ANSWERS: list[tuple[str, bytes, tuple[int, bytes, bool] | None]] = [
    ("usual", OK, (200, b"hello", False)),
    ("chunked", CHUNKED, (200, b"hello world", False)),
    ("refused", OK.replace(b"200 OK", b"403 Forbidden"), (403, b"hello", False)),
    ("no reason", OK.replace(b"200 OK", b"503 "), (503, b"hello", False)),
    ("no content", b"HTTP/1.1 204 No Content\r\n\r\n", (204, b"", False)),
    ("empty", b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", (200, b"", False)),
    ("closing", OK.replace(b"Content-Type: text/xml", b"Connection: close"), (200, b"hello", True)),
    ("HTTP 1.0", OK.replace(b"HTTP/1.1", b"HTTP/1.0"), (200, b"hello", True)),
    ("ends with its connection", b"HTTP/1.1 200 OK\r\n\r\nhello", (200, b"hello", True)),
    ("continue first", b"HTTP/1.1 100 Continue\r\n\r\n" + OK, (200, b"hello", False)),
    ("nothing", b"", None),
    ("cut in its head", OK[:30], None),
    ("cut in its body", OK[:-1], None),
    ("cut in a chunk", CHUNKED[:-16], None),
    ("cut before the last chunk", CHUNKED[:-5], None),
    ("only continue", b"HTTP/1.1 100 Continue\r\n\r\n", None),
    ("no HTTP", b"hello\r\n\r\n", None),
    ("length is no number", OK.replace(b"Length: 5", b"Length: five"), None),
    ("two lengths", OK.replace(b"Content-Type: text/xml", b"Content-Length: 4"), None),
    ("length and chunks", CHUNKED.replace(b"\r\n\r\n5", b"\r\nContent-Length: 5\r\n\r\n5", 1), None),
    ("another protocol", b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\nhello", None),
]
# The standard library believes these.
STRICTER = {"cut in its head", "length is no number", "two lengths", "length and chunks", "another protocol"}


def answered(pieces: Iterable[bytes]) -> tuple[int, bytes, bool] | None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.settimeout(5)
        for piece in pieces:
            theirs.sendall(piece)
        theirs.close()
        found = connection._read(ours)
        return found and (found.status, b"".join(found.parts), found.last)


def standard(data: bytes) -> tuple[int, bytes, bool] | None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.settimeout(5)
        theirs.sendall(data)
        theirs.close()
        response = http.client.HTTPResponse(ours, method="POST")
        try:
            response.begin()
            return response.status, response.read(), response.will_close
        except (OSError, http.client.HTTPException):
            return None
        finally:
            response.close()


@pytest.mark.parametrize(("name", "data", "expected"), ANSWERS, ids=[a[0] for a in ANSWERS])
def test_answers(name: str, data: bytes, expected: tuple[int, bytes, bool] | None) -> None:
    assert answered([data]) == expected
    assert answered(bytes([byte]) for byte in data) == expected
    if name not in STRICTER:
        assert standard(data) == expected


def test_what_follows_an_answer_ends_the_connection() -> None:
    """An answer to nobody must not be taken for that of the next request."""
    assert answered([OK + OK.replace(b"hello", b"other")]) == (200, b"hello", True)
    assert answered([OK + b"garbage\r\n\r\n"]) == (200, b"hello", True)


def test_names_of_headers_are_in_lower_case_and_the_last_value_wins() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.sendall(b"HTTP/1.1 200 OK\r\nRetry-After: 3\r\nRETRY-AFTER: 4\r\nX: \xe9\r\nContent-Length: 0\r\n\r\n")
        found = connection._read(ours)
    assert found and found.headers == {"retry-after": "4", "x": "é", "content-length": "0"}


def test_an_endless_answer_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "_HEAD_AT_MOST", 1000)
    monkeypatch.setattr(connection, "_ANSWER_AT_MOST", 5000)
    monkeypatch.setattr(connection, "_READ", 500)
    assert answered([b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 1000]) is None
    assert answered([b"HTTP/1.1 200 OK\r\n\r\n" + b"y" * 10_000]) is None
    assert answered([b"HTTP/1.1 200 OK\r\nContent-Length: 3000\r\n\r\n" + b"y" * 3000]) == (200, b"y" * 3000, False)
