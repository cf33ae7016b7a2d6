"""Answers of an operator and of recipients: each reply of SMTP, each notification, and messages nobody should trust."""

from __future__ import annotations

from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as some

from transvase.assets.inbox import examined
from transvase.formats import mail
from transvase.formats.mail import MailRefused, Receipt
from transvase.gateways import causes, mssante
from transvase.gateways.mssante import Stage, endpoint, meaning

# stage, reply code, text, outcome, cause
REPLIES = [
    ("greeting", 421, b"", "not_sent", "MssBusy"),
    ("greeting", 554, b"", "not_sent", "MssBusy"),
    ("login", 535, b"5.7.8 no", "refused", "MssAuthentication"),
    ("login", 454, b"4.7.0 later", "not_sent", "MssBusy"),
    ("sender", 451, b"4.3.0 later", "not_sent", "MssBusy"),
    ("sender", 452, b"4.3.1 full", "not_sent", "MssBusy"),
    ("sender", 530, b"5.7.0 who", "refused", "MssAuthentication"),
    ("sender", 550, b"5.7.1 no", "refused", "MssSenderRefused"),
    ("sender", 553, b"", "refused", "MssSenderRefused"),
    ("sender", 552, b"5.3.4 size", "refused", "MssTooLarge"),
    ("recipient", 421, b"4.3.2 bye", "not_sent", "MssBusy"),
    ("recipient", 450, b"4.2.1 busy", "not_sent", "MssMailboxBusy"),
    ("recipient", 452, b"4.2.2 full", "not_sent", "MssMailboxFull"),
    ("recipient", 550, b"5.1.1 unknown", "refused", "MssMailboxUnknown"),
    ("recipient", 553, b"", "refused", "MssMailboxUnknown"),
    ("recipient", 541, b"", "refused", "MssRejected"),
    ("recipient", 550, b"5.7.1 policy", "refused", "MssRejected"),
    ("recipient", 552, b"5.2.2 full", "refused", "MssMailboxFull"),
    ("recipient", 523, b"", "refused", "MssTooLarge"),
    ("content", 451, b"", "not_sent", "MssBusy"),
    ("content", 552, b"", "refused", "MssTooLarge"),
    ("content", 554, b"5.6.0 form", "refused", "MssContentRefused"),
    ("content", 550, b"\xff\xfe", "refused", "MssContentRefused"),
]


@pytest.mark.requirement("MSS-22")
@pytest.mark.parametrize(("stage", "code", "text", "kind", "cause"), REPLIES)
def test_each_reply(stage: Stage, code: int, text: bytes, kind: str, cause: str) -> None:
    assert meaning(stage, code, text) == (kind, cause, 0.0)


@pytest.mark.requirement("MSS-22")
@given(stage=some.sampled_from(get_args(Stage)), code=some.integers(-1, 999), text=some.binary(max_size=40))
def test_any_reply_is_an_outcome_whose_cause_is_told(stage: Stage, code: int, text: bytes) -> None:
    answer = meaning(stage, code, text)
    assert answer.kind in ("refused", "not_sent") and answer.code in causes.CAUSES


def test_who_is_refused_is_told_to_the_caller() -> None:
    assert {c for c in mssante.OF_CALLER if causes.CAUSES[c].scope == "caller"} == mssante.OF_CALLER


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("smtp://op.fr", ("op.fr", 587, False)),
        ("smtps://op.fr", ("op.fr", 465, True)),
        ("imap://op.fr:1143", ("op.fr", 1143, False)),
        ("imaps://op.fr", ("op.fr", 993, True)),
    ],
)
def test_addresses_of_servers(url: str, expected: tuple[str, int, bool]) -> None:
    assert endpoint(url) == expected


# Notifications. `{}` stands for the Original-Message-ID.

OURS = "<abc123@cabinet.mssante.fr>"


def report(
    kind: str, fields: str, third: str = f"Content-Type: text/rfc822-headers\r\n\r\nMessage-ID: {OURS}\r\n"
) -> bytes:
    return (
        f'Subject: x\r\nContent-Type: multipart/report; report-type={kind}; boundary="b"\r\n\r\n--b\r\nContent-Type: text/plain\r\n\r\nx\r\n'
        f"--b\r\nContent-Type: message/{kind}\r\n\r\n{fields}\r\n--b\r\n{third}\r\n--b--\r\n"
    ).encode()


def mdn(disposition: str, more: str = "", original: str = OURS) -> bytes:
    return report(
        "disposition-notification", f"Original-Message-ID: {original}\r\n{more}Disposition: {disposition}\r\n"
    )


def dsn(fields: str) -> bytes:
    return report("delivery-status", f"Reporting-MTA: dns; x\r\n\r\nFinal-Recipient: rfc822; a@b\r\n{fields}\r\n")


AUTO = "automatic-action/MDN-sent-automatically; "
NOTIFICATIONS = [
    pytest.param(mdn(f"{AUTO}processed"), Receipt("abc123", "delivered"), id="processed"),
    pytest.param(mdn("manual-action/MDN-sent-manually; displayed"), Receipt("abc123", "displayed"), id="displayed"),
    pytest.param(mdn(f"{AUTO}deleted"), Receipt("abc123", "delivered"), id="deleted without being read"),
    pytest.param(mdn(f"{AUTO}processed/Error: 902^patient inconnu"), Receipt("abc123", "returned", "Mdn902"), id="as the guide writes it"),
    pytest.param(mdn(f"{AUTO}processed/error", "Error: 904\r\n"), Receipt("abc123", "returned", "Mdn904"), id="as RFC 8098 writes it"),
    pytest.param(mdn(f"{AUTO}processed/Error: x"), Receipt("abc123", "returned", "Mdn906"), id="an error without number"),
    pytest.param(mdn(f"{AUTO}processed/Error: 9999"), Receipt("abc123", "returned", "Mdn906"), id="a number that nobody lists"),
    pytest.param(mdn(f"{AUTO}failed"), Receipt("abc123", "returned", "Mdn906"), id="failed"),
    pytest.param(mdn(f"{AUTO}processed", original="none"), None, id="about nothing"),
    pytest.param(dsn("Action: failed\r\nStatus: 5.1.1"), Receipt("abc123", "returned", "MssMailboxUnknown"), id="no mailbox"),
    pytest.param(dsn("Action: failed\r\nStatus: 5.2.2"), Receipt("abc123", "returned", "MssMailboxFull"), id="full"),
    pytest.param(dsn("Action: failed\r\nStatus: 5.3.4"), Receipt("abc123", "returned", "MssTooLarge"), id="size"),
    pytest.param(dsn("Action: failed\r\nStatus: 5.7.1"), Receipt("abc123", "returned", "MssRejected"), id="rejected"),
    pytest.param(dsn("Action: failed"), Receipt("abc123", "returned", "MssReturned"), id="without reason"),
    pytest.param(dsn("Action: delivered\r\nStatus: 2.0.0"), Receipt("abc123", "delivered"), id="delivered"),
    pytest.param(dsn("Action: delayed\r\nStatus: 4.4.1"), None, id="delayed says nothing yet"),
    pytest.param(
        b"Subject: =?utf-8?Q?=5BKO_Int=C3=A9gration_syst=C3=A8me_!=5D=5B901=5D_XDM/1.0/DDM+?=\r\nIn-Reply-To: " + OURS.encode() + b"\r\n\r\nx",
        Receipt("abc123", "returned", "Mdn901"),
        id="failed integration by plain mail",
    ),
    pytest.param(b"Subject: Re: bonjour\r\nIn-Reply-To: " + OURS.encode() + b"\r\n\r\nMerci", None, id="an answer of a person"),
]  # fmt: skip


@pytest.mark.requirement("MSS-20", "MSS-21")
@pytest.mark.parametrize(("data", "expected"), NOTIFICATIONS)
def test_each_notification(data: bytes, expected: Receipt | None) -> None:
    found = mail.receipt(mail.parse(data))
    assert found == expected
    assert found is None or not found.code or found.code in causes.CAUSES


def test_a_report_gives_no_archive_although_it_holds_our_message() -> None:
    inside = 'Content-Type: message/rfc822\r\n\r\nContent-Type: application/zip; name="IHE_XDM.ZIP"\r\n\r\nPK'
    message = mail.parse(report("disposition-notification", "Disposition: x\r\n", inside))
    assert mail.archives(message) == []


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b"x" * (mail.MAX_BYTES + 1), "large"),
        (b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n" * 1000, "parts"),
        (
            b"".join(b"Content-Type: multipart/mixed; BOUNDARY=b%d\r\n\r\n--b%d\r\n" % (n, n) for n in range(500)),
            "parts",
        ),
    ],
)
def test_what_could_exhaust_the_machine_is_refused_before_it_is_parsed(data: bytes, kind: str) -> None:
    with pytest.raises(MailRefused) as refused:
        mail.parse(data)
    assert refused.value.kind == kind


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("Anne <Anne@M.mssante.fr>", ("anne@m.mssante.fr", "Anne")),
        ("=?utf-8?B?w4lsb8Ovc2U=?= <e@m.fr>", ("e@m.fr", "Éloïse")),
        ("=?unknown?B?w4lsb8Ovc2U=?= <e@m.fr>", ("e@m.fr", "=?unknown?B?w4lsb8Ovc2U=?=")),
        ("nobody", ("", "")),
        ("", ("", "")),
        ("<not an address>", ("", "")),
    ],
)
def test_who_sent(value: str, expected: tuple[str, str]) -> None:
    assert mail.sender(mail.parse(f"From: {value}\r\n\r\nx".encode())) == expected


PIECES = some.lists(
    some.sampled_from(
        [b"--b\r\n", b"--b--\r\n", b"\r\n", b"Content-Type: multipart/report; boundary=b\r\n", b"Content-Type: message/rfc822\r\n",
         b"Content-Type: message/delivery-status\r\n", b"Content-Type: message/disposition-notification\r\n", b"PK\x03\x04",
         b"Content-Transfer-Encoding: base64\r\n", b"Content-Type: application/zip; name*=x''%zz\r\n", b"Disposition: a;b/Error:\r\n",
         b"Original-Message-ID: <a@b>\r\n", b"From: =?x?q?=ff?= <\r\n", b"Action: failed\r\n", b"Subject: =?utf-8?B?/?=\r\n", b"\xff\x00"]
    ) | some.binary(max_size=20),
    max_size=30,
)  # fmt: skip


@given(pieces=PIECES)
def test_any_bytes_are_a_message_read_or_refused(pieces: list[bytes]) -> None:
    try:
        message = mail.parse(b"".join(pieces))
        found = mail.receipt(message)
        assert found is None or (found.original and (not found.code or found.code in causes.CAUSES))
        mail.sender(message)
        for data in mail.archives(message):
            assert examined(data)[0]
    except MailRefused as refused:
        assert refused.kind in mail.REFUSALS
