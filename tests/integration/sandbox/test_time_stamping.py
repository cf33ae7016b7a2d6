"""The local time-stamping authority: openssl writes the requests and verifies the tokens; what is not a request of RFC 3161 is refused."""

from __future__ import annotations

import http.client
import ssl
import subprocess
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from transvase.gateways import time_stamps
from transvase.gateways.time_stamps import StampRefused
from transvase.sandbox.time_stamping import Misbehaviour, TimeStamping, Trouble

CLOCK = datetime(2026, 11, 23, 19, 0, tzinfo=UTC)
QUERY = "application/timestamp-query"


@pytest.fixture(scope="module")
def tsa(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TimeStamping]:
    with TimeStamping(tmp_path_factory.mktemp("tsa"), lambda: CLOCK) as authority:
        yield authority


def post(
    tsa: TimeStamping, body: bytes, method: str = "POST", path: str = "/tsa", kind: str = QUERY
) -> tuple[int, bytes]:
    context = ssl.create_default_context(cafile=str(tsa.ca))
    connection = http.client.HTTPSConnection("127.0.0.1", tsa.port, context=context, timeout=10)
    connection.request(method, path, body, {"Content-Type": kind})
    answer = connection.getresponse()
    data = answer.read()
    connection.close()
    return answer.status, data


@pytest.fixture
def openssl(program: Callable[[str], str], tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[bytes]]:
    (tmp_path / "data").write_bytes(b"a record")
    return lambda *words: subprocess.run([program("openssl"), "ts", *words], cwd=tmp_path, capture_output=True)


@pytest.mark.parametrize("digest", ["sha256", "sha384", "sha512"])
@pytest.mark.parametrize("options", [(), ("-cert",), ("-no_nonce", "-cert")])
def test_openssl_asks_and_verifies(tsa, openssl, tmp_path, digest, options):
    assert openssl("-query", "-data", "data", f"-{digest}", "-out", "q", *options).returncode == 0
    status, answer = post(tsa, (tmp_path / "q").read_bytes())
    (tmp_path / "r").write_bytes(answer)
    own = () if "-cert" in options else ("-untrusted", str(tmp_path / "own.pem"))
    if own:
        # Without certReq the token holds no certificate: the reader must have it.
        from cryptography.hazmat.primitives.serialization import Encoding

        (tmp_path / "own.pem").write_bytes(tsa._own.certificate.public_bytes(Encoding.PEM))
    done = openssl("-verify", "-queryfile", "q", "-in", "r", "-CAfile", str(tsa.ca), *own)
    assert (status, done.stdout) == (200, b"Verification: OK\n"), done.stderr
    text = openssl("-reply", "-in", "r", "-text").stdout.decode()
    assert "Time stamp: Nov 23 19:00:00 2026 GMT" in text and "Status: Granted." in text


GOOD = bytes.fromhex("3039020101" + "3031300d060960864801650304020105000420" + "11" * 32 + "0101ff")
REFUSED = {
    "nothing": b"",
    "no DER": b"<soap/>",
    "bytes after": GOOD + b"\x00",
    "cut": GOOD[:-1],
    "another version": GOOD.replace(b"\x02\x01\x01", b"\x02\x01\x02", 1),
    "a digest too short": bytes.fromhex("3038020101" + "3030300d060960864801650304020105000 41f".replace(" ", "") + "11" * 31 + "0101ff"),
    "an unknown algorithm": GOOD.replace(bytes.fromhex("0201050004"), bytes.fromhex("0209050004")),
    "certReq false, spelled out": GOOD[:-1] + b"\x00",
    "certReq twice": b"\x30\x3c" + GOOD[2:] + b"\x01\x01\xff",
    "a nonce after certReq": b"\x30\x3c" + GOOD[2:] + b"\x02\x01\x05",
    "another policy": b"\x30\x3d" + GOOD[2:-3] + b"\x06\x02\x2a\x03" + GOOD[-3:],
    "an extension": b"\x30\x3b" + GOOD[2:] + b"\xa0\x00",
    "an indefinite length": b"\x30\x80" + GOOD[2:] + b"\x00\x00",
}  # fmt: skip


def test_a_good_request_by_hand(tsa):
    status, answer = post(tsa, GOOD)
    assert status == 200 and answer.startswith(b"\x30\x82") and b"\x30\x03\x02\x01\x00" in answer[:12]


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_no_request_is_refused(tsa, openssl, tmp_path, name):
    status, answer = post(tsa, REFUSED[name])
    (tmp_path / "r").write_bytes(answer)
    text = openssl("-reply", "-in", "r", "-text").stdout.decode()
    assert status == 200 and "Status: Rejected." in text and "Failure info: unspecified" not in text


def test_only_posted_queries_are_served(tsa):
    assert post(tsa, GOOD, path="/")[0] == 404
    assert post(tsa, GOOD, method="PUT")[0] == 405
    assert post(tsa, GOOD, kind="application/octet-stream")[0] == 415


# -- our client against it -------------------------------------------------------------------------------------------------


def test_a_token_is_had_and_checked_again_offline(tsa):
    token = time_stamps.ask(tsa.url, tsa.ca, b"a record", 5)
    assert time_stamps.check(token, b"a record", time_stamps.authorities(tsa.ca)) == CLOCK
    with pytest.raises(StampRefused):
        time_stamps.check(token, b"another", time_stamps.authorities(tsa.ca))


@pytest.mark.parametrize("trouble", Trouble)
def test_what_the_authority_does_wrong_is_refused(tsa, trouble):
    tsa.plan = {tsa.received + 1: Misbehaviour(trouble, 1.0)}
    with pytest.raises(StampRefused) as refused:
        time_stamps.ask(tsa.url, tsa.ca, b"a record", 0.3)
    assert refused.value.why.fr and "http" not in refused.value.why.en


def test_a_server_of_an_unknown_authority_is_refused(tsa, tmp_path):
    with TimeStamping(tmp_path, lambda: CLOCK) as stranger, pytest.raises(StampRefused, match="TLS"):
        time_stamps.ask(stranger.url, tsa.ca, b"a record", 5)


def test_no_change_of_a_token_gives_another_instant(tsa):
    """Some bytes of an answer are under no signature; none of them moves the instant or the record it is for."""
    token = time_stamps.ask(tsa.url, tsa.ca, b"a record", 5)
    anchors = time_stamps.authorities(tsa.ca)
    passed = 0
    for at in range(len(token)):
        for bit in (1, 128):
            changed = token[:at] + bytes([token[at] ^ bit]) + token[at + 1 :]
            try:
                assert time_stamps.check(changed, b"a record", anchors) == CLOCK
                passed += 1
            except StampRefused:
                continue
    assert passed < len(token) / 20
    for cut in range(0, len(token), 7):
        with pytest.raises(StampRefused):
            time_stamps.check(token[:cut], b"a record", anchors)
