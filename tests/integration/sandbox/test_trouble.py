"""Misbehaviour on demand: what the client sees, and whether the submission was registered."""

from __future__ import annotations

import http.client
import json
import time

import pytest

from transvase.sandbox.misbehaviour import Misbehaviour, Trouble


def registered(client, sent) -> bool:
    return sent.unique_id in {d["unique_id"] for d in client.state()["documents"]}


@pytest.mark.parametrize(
    ("trouble", "status", "media_type", "kept"),
    [
        ("http_500", 500, "text/plain", False),
        ("fault", 500, "application/soap+xml", False),
        ("html_200", 200, "text/html", False),
        ("html_502", 502, "text/html", False),
        ("overloaded", 503, "text/plain", False),
        ("slow", 200, "application/soap+xml", True),
        ("partial", 200, "application/soap+xml", True),
    ],
)
def test_an_answer_of_the_wrong_kind(client, message, trouble, status, media_type, kept):
    client.plan({"nth": 1, "trouble": trouble, "seconds": 0.2})
    sent = message()
    reply = client.send(sent)
    assert (reply.http, reply.media_type.partition(";")[0]) == (status, media_type)
    assert registered(client, sent) is kept
    # The trouble passes: the same message sent again is registered, or known.
    again = client.send(sent)
    assert again.status == ("Failure" if kept else "Success")


@pytest.mark.parametrize(("trouble", "kept"), [("cut", False), ("cut_after", True)])
def test_a_cut_connection(client, message, trouble, kept):
    client.plan({"nth": 1, "trouble": trouble})
    sent = message()
    with pytest.raises((http.client.HTTPException, OSError)):
        client.send(sent)
    assert registered(client, sent) is kept


def test_every_trouble_is_tested_here():
    tested = {"http_500", "fault", "html_200", "html_502", "overloaded", "slow", "partial"}
    assert tested | {"cut", "cut_after", "duplicate_answer"} == set(Trouble)


def test_slow(client, message):
    client.plan({"nth": 1, "trouble": "slow", "seconds": 0.5})
    before = time.monotonic()
    assert client.send(message()).status == "Success"
    assert time.monotonic() - before >= 0.5


def test_partial(client, message):
    client.plan({"nth": 1, "trouble": "partial"})
    reply = client.send(message())
    assert reply.status == "PartialSuccess"
    assert [e.get("severity").rpartition(":")[2] for e in reply.find(".//{*}RegistryError")] == ["Warning"]


def test_a_refused_submission_is_not_made_partial(client, message):
    client.plan({"nth": 1, "trouble": "partial"})
    sent = message()
    sent.entry.title = "Autre"
    assert client.send(sent).status == "Failure"


def test_overloaded_says_when_to_come_back(client, message):
    client.plan({"nth": 1, "trouble": "overloaded", "seconds": 7})
    sent = message()
    client.connection.request(
        "POST", "/si-dmp-server/v2/services/repository", sent.body(client.sandbox.url), sent.headers()
    )
    response = client.connection.getresponse()
    response.read()
    assert (response.status, response.getheader("Retry-After")) == (503, "7")


def test_a_duplicate_answer_meets_the_next_request(client, message):
    client.plan({"nth": 1, "trouble": "duplicate_answer"})
    first, second = message(), message()
    assert client.send(first).status == "Success"
    stale = client.send(second)
    assert stale.find(".//{*}RelatesTo")[0].text == first.message_id
    client.close()
    assert registered(client, second)


def test_a_plan_given_at_the_start_counts_from_the_first(start, connect, message):
    plan = {2: Misbehaviour(Trouble.HTTP_500), 3: Misbehaviour(Trouble.FAULT)}
    with start(plan=plan) as sandbox:
        client = connect(sandbox)
        assert [client.send(message()).http for _ in range(4)] == [200, 500, 500, 200]


def test_a_plan_given_later_counts_from_the_next(client, message):
    client.send(message())
    assert client.plan({"nth": 2, "trouble": "http_500"}).http == 200
    assert [client.send(message()).http for _ in range(3)] == [200, 500, 200]


def test_an_empty_plan_clears(client, message):
    client.plan({"nth": 1, "trouble": "http_500"})
    client.plan()
    assert client.send(message()).http == 200


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"\xff\xfe",
        b"[]",
        b'{"plan": [1]}',
        b'{"plan": [{"nth": 0, "trouble": "cut"}]}',
        b'{"plan": [{"nth": true, "trouble": "cut"}]}',
        b'{"plan": [{"nth": 1, "trouble": "rain"}]}',
        b'{"plan": [{"nth": 1}]}',
        b'{"plan": [{"nth": 1, "trouble": "slow", "seconds": -1}]}',
        b'{"plan": [{"nth": 1, "trouble": "slow", "seconds": NaN}]}',
        b'{"plan": [{"nth": 1, "trouble": "cut"}, {"nth": 1, "trouble": "cut"}]}',
        b'{"plan": [{"nth": 1, "trouble": "cut", "else": 1}]}',
    ],
)
def test_a_bad_plan(client, body):
    reply = client.request("POST", "/control", body)
    assert reply.http == 400
    assert json.loads(reply.body)["error"]


def test_counts_add_up(start, connect, message):
    with start() as sandbox:
        client = connect(sandbox)
        good, bad = message(), message()
        bad.entry.title = "Autre"
        client.send(good)
        client.send(bad)
        client.plan({"nth": 1, "trouble": "http_500"})
        client.send(message())
        assert client.state()["counts"] == {
            "received": 3,
            "accepted": 1,
            "refused": 1,
            "submission_sets": 1,
            "documents": 1,
            "approved": 1,
            "deprecated": 0,
        }
