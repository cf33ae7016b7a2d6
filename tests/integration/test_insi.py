"""`transvase insi` on a few patients against the strict local INSi, over mutual TLS: each answer, fault and trouble, and what the user is
told; quota; journal; nothing of an identity outside the private file of answers."""

from __future__ import annotations

import contextlib
import csv
import hashlib
import http.client
import json
import re
import shutil
import socket
import sqlite3
import ssl
import sys
import threading
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from transvase.commands import insi as command
from transvase.commands.main import main
from transvase.errors import CertificateRefused
from transvase.exporters.insi import Caller, Search, by_traits
from transvase.gateways import insi as gateway
from transvase.ledger.insi import ANSWERS, JOURNAL, Journal
from transvase.sandbox import authority
from transvase.sandbox import insi as service
from transvase.sandbox.dmp import Sandbox
from transvase.sandbox.misbehaviour import Misbehaviour, Trouble
from transvase.validators.insi import Traits, evidence

from ..builders import CLOCK, TEST_OID, Row, a_patient, ins, practice  # noqa: TID252

STRUCTURE = authority.STRUCTURE
FORMER = ins(900)

# What the record holds, and what the directory answers for the same person.
PEOPLE: list[tuple[Row, dict[str, str] | None]] = [
    (a_patient("EQUAL1", birth_family="ZZÉGALE"), {"family": "ZZEGALE"}),
    (a_patient("PLACE2", birth_family="ZZLIEU", birth_place_code=None), {"family": "ZZLIEU"}),
    (a_patient("DATE3", birth_family="ZZSECOND", ins=FORMER, birth_first_given="PAUL"), {"family": "ZZSECOND", "former": FORMER}),
    (a_patient("NAME4", birth_family="ZZPRENOM"), {"family": "ZZPRENOM", "given": "JEAN MARC", "first_given": "JEAN"}),
    (a_patient("NONE5", birth_family="ZZABSENTE"), None),
    (a_patient("MANY6", birth_family="ZZHOMONYME", birth_place_code=None), {"family": "ZZHOMONYME"}),
    (a_patient("HOMONYM7", birth_family="ZZHOMONYME", birth_place_code="69123"), {"family": "ZZHOMONYME", "birth_place": "69123"}),
    (a_patient("DOUBT8", birth_family="ZZDOUTE", doubtful=True), {"family": "ZZDOUTE"}),
    (a_patient("DIGIT9", birth_family="ZZCHIFFRE 2", sex="UN"), {"family": "ZZCHIFFRE"}),
    (a_patient("OTHER10", birth_family="ZZNUMERO", ins=ins(901)), {"family": "ZZNUMERO"}),
]  # fmt: skip


class Place(NamedTuple):
    """A work folder and the keys of its services, made once; tests copy it."""

    folder: Path
    identities: Path
    patients: Path


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Place:
    folder = tmp_path_factory.mktemp("insi")
    practice(folder / "work", *(row for row, _ in PEOPLE))
    lines = []
    for row, there in PEOPLE:
        if there is not None:
            values = row.values
            person = {
                "ins": ins(int(re.sub(r"\D", "", values["key"]))), "oid": TEST_OID, "family": "", "given": "PAUL JEAN", "first_given": "PAUL",
                "sex": "M", "birth_date": "1980-01-15", "birth_place": "75056", "former": "",
            }  # fmt: skip
            lines.append({**person, **there})
    identities = folder / "identities.csv"
    with identities.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, service.Person._fields)
        writer.writeheader()
        writer.writerows(lines)
    (folder / "patients.csv").write_text("ins,oid,state\n")
    authority.create(folder / "keys", CLOCK, hostile=True)
    service.certificates(folder / "keys" / "insi", CLOCK, STRUCTURE)
    service.certificates(folder / "stranger", CLOCK, STRUCTURE)
    return Place(folder, identities, folder / "patients.csv")


class Desk:
    """A copy of the place with a running service, and the command as an operator calls it."""

    def __init__(self, made: Place, folder: Path, sandbox: Sandbox) -> None:
        self.made, self.folder, self.sandbox = made, folder, sandbox
        self.work, self.keys = folder / "work", folder / "keys"
        self.url = f"{sandbox.origin}{service.PATH}"
        self.settings: dict[str, object] = {
            "url": self.url,
            "certificate": "keys/insi/insi-auto.pem",
            "key": "keys/insi/insi-auto.key",
            "authority": "keys/ca.pem",
            "authorisation_number": service.AUTHORISATION,
        }
        self.environment = "sandbox"
        # Whether the clock of the command stands still.
        self.stopped = True

    def call(self, *arguments: object, **changed: object) -> int:
        lines = "".join(f"{n} = {json.dumps(v)}\n" for n, v in {**self.settings, **changed}.items() if v is not None)
        (self.folder / "transvase.toml").write_text(
            f'[work]\nfolder = "work"\n\n[feed]\nenvironment = "{self.environment}"\n\n[insi]\n{lines}',
            encoding="utf-8",
        )
        where = ["--settings", str(self.folder / "transvase.toml")]
        if self.stopped:
            where += ["--clock", CLOCK.isoformat()]
        return main(["insi", *map(str, arguments), *where])

    @property
    def events(self) -> list[tuple[Any, ...]]:
        with contextlib.closing(sqlite3.connect(self.work / JOURNAL)) as base:
            return base.execute(
                "SELECT patient, event, criteria, tries, code, outcome, traits FROM event ORDER BY number"
            ).fetchall()

    @property
    def criteria(self) -> list[str]:
        """What was searched with, call by call."""
        return [e[2] for e in self.events if e[1] == "sent"]

    @property
    def kept(self) -> list[dict[str, str]]:
        with contextlib.closing(sqlite3.connect(self.work / ANSWERS)) as base:
            base.row_factory = sqlite3.Row
            return [dict(row) for row in base.execute("SELECT * FROM insi_answer ORDER BY rowid")]


@pytest.fixture
def open_desk(made: Place, tmp_path: Path) -> Iterator[Any]:
    with contextlib.ExitStack() as stack:

        def start(*troubles: Misbehaviour | Trouble | None) -> Desk:
            shutil.copytree(made.folder / "work", tmp_path / "work")
            shutil.copytree(made.folder / "keys", tmp_path / "keys")
            plan = {
                n: t if isinstance(t, Misbehaviour) else Misbehaviour(t)
                for n, t in enumerate(troubles, 1)
                if t is not None
            }
            sandbox = stack.enter_context(
                Sandbox(tmp_path / "keys", made.patients, CLOCK, identities=made.identities, insi_plan=plan)
            )
            return Desk(made, tmp_path, sandbox)

        yield start


@pytest.fixture
def desk(open_desk: Any) -> Desk:
    found: Desk = open_desk()
    return found


# -- each answer -----------------------------------------------------------------------------------------------------------

TOLD = [
    # patient, exit, outcome, code, traits that are not equal, searches, a word of what is told in French
    ("EQUAL1", 0, "equal", "00", {"birth_family": "spelling"}, ["given-1"], "elle concorde"),
    ("PLACE2", 1, "completes", "00", {"birth_place_code": "absent"}, ["given-1"], "moins complète"),
    ("DATE3", 1, "differs", "00", {"ins": "former"}, ["given-1"], "ne rien remplacer sans ce contrôle"),
    ("NAME4", 1, "differs", "00", {"birth_given": "differs", "birth_first_given": "differs"}, ["given-1", "given-2"], "diffèrent : prénoms de naissance"),
    ("NONE5", 1, "not_found", "01", {}, ["given-1", "given-2", "all-given"], "aucune identité trouvée"),
    ("MANY6", 1, "several", "02", {}, ["given-1", "all-given"], "plusieurs identités"),
    ("HOMONYM7", 0, "equal", "00", {}, ["given-1", "all-given", "all-given+place"], "elle concorde"),
    ("DOUBT8", 1, "blocked", "", {}, [], "pas d'appel"),
    ("DIGIT9", 1, "unsendable", "", {"birth_family": "unsendable", "sex": "unsendable"}, [], "à corriger : nom de naissance, sexe"),
    ("OTHER10", 1, "differs", "00", {"ins": "differs"}, ["given-1"], "diffèrent : matricule INS"),
]  # fmt: skip


@pytest.mark.requirement("INSI-09", "INSI-23")
@pytest.mark.parametrize(
    ("patient", "exit_code", "outcome", "code", "traits", "searches", "told"), TOLD, ids=[t[0] for t in TOLD]
)
def test_what_each_patient_comes_to(desk, capsys, patient, exit_code, outcome, code, traits, searches, told) -> None:
    assert desk.call(patient, "--json") == exit_code
    (found,) = json.loads(capsys.readouterr().out)["patients"]
    assert (found["outcome"], found["code"], found["calls"]) == (outcome, code, len(searches))
    assert {n: a for n, a in found["traits"].items() if a != "equal"} == traits
    assert desk.criteria == searches
    assert desk.call(patient) == exit_code
    said = capsys.readouterr().out
    assert told in said and "n'est pas l'opération officielle" in said
    assert desk.call(patient, "--lang", "en") == exit_code
    assert "to do" in capsys.readouterr().out


def test_every_outcome_has_its_words_in_both_languages() -> None:
    from typing import get_args

    from transvase.validators.insi import Agreement, Outcome

    assert set(command.WORDS) == set(get_args(Outcome))
    assert {*get_args(Agreement), "unsendable"} == set(command._GROUPS)
    assert set(Traits._fields) == set(command._TRAITS)
    assert all(len({*fr, *en}) == 4 or fr[1] == "rien" for fr, en in command.WORDS.values())


@pytest.mark.requirement("INSI-21")
def test_the_record_is_not_changed_and_the_answer_is_kept_apart(desk) -> None:
    table = desk.work / "canonical" / "patient.parquet"
    before = hashlib.sha256(table.read_bytes()).hexdigest()
    assert desk.call("NAME4", "DATE3") == 1
    assert hashlib.sha256(table.read_bytes()).hexdigest() == before
    one, other = desk.kept
    assert (one["patient"], one["birth_given"], one["birth_first_given"]) == ("NAME4", "JEAN MARC", "JEAN")
    assert (other["ins"], other["ins_oid"], other["former"]) == (ins(3), TEST_OID, f"{FORMER}, {TEST_OID}, , ")


def test_a_list_is_asked_in_order_once_each_and_becomes_evidence(desk, capsys) -> None:
    listed = desk.folder / "liste.txt"
    listed.write_text("\ufeffNAME4\r\n\r\nNONE5\nEQUAL1\nNAME4\n", encoding="utf-8")
    assert desk.call("--list", listed, "OTHER10", "--json") == 1
    answer = json.loads(capsys.readouterr().out)
    assert [p["patient"] for p in answer["patients"]] == ["OTHER10", "NAME4", "NONE5", "EQUAL1"]
    assert (answer["calls_today"], answer["chain_broken_at"]) == (7, None)
    assert [(e.patient, e.code, e.outcome, e.traits) for e in evidence(desk.work / JOURNAL)] == [
        ("EQUAL1", "00", "equal", ""),
        ("NAME4", "00", "differs", "birth_given birth_first_given"),
        ("NONE5", "01", "not_found", ""),
        ("OTHER10", "00", "differs", "ins"),
    ]
    assert {e.day for e in evidence(desk.work / JOURNAL)} == {"2026-11-23"}


# -- troubles --------------------------------------------------------------------------------------------------------------

TROUBLES = [
    ("technical error", [Trouble.FAULT], "later", "insi_102", "relancer plus tard"),
    ("slow", [Misbehaviour(Trouble.SLOW, 5)], "later", "timeout", "relancer plus tard"),
    ("cut before it is read", [Trouble.CUT], "later", "cut", "relancer plus tard"),
    ("cut once it is read", [Trouble.CUT_AFTER], "later", "cut", "relancer plus tard"),
    ("overloaded", [Trouble.OVERLOADED], "later", "HTTP503", "relancer plus tard"),
    ("a page of a proxy with 200", [Trouble.HTML_200], "unreadable", "HTTP200", "proxy"),
    ("a page of a proxy with 502", [Trouble.HTML_502], "unreadable", "HTTP502", "proxy"),
    ("an error without SOAP", [Trouble.HTTP_500], "unreadable", "HTTP500", "proxy"),
    ("00 without a trait", [Trouble.PARTIAL], "unusable", "00", "ne pas la reprendre"),
    ("the answer written twice", [Trouble.DUPLICATE_ANSWER], "equal", "00", "elle concorde"),
]


@pytest.mark.requirement("INSI-13")
@pytest.mark.parametrize(
    ("troubles", "outcome", "code", "told"), [t[1:] for t in TROUBLES], ids=[t[0] for t in TROUBLES]
)
def test_what_each_trouble_comes_to(open_desk, capsys, troubles, outcome, code, told) -> None:
    desk = open_desk(*troubles)
    assert desk.call("EQUAL1", timeout=1.0) == (outcome != "equal")
    said = capsys.readouterr().out
    assert told in said and (outcome == "equal" or f"EQUAL1 : {code}, " in said)
    # Nothing is tried again by itself, and what is not a conclusion does not become evidence.
    assert desk.criteria == ["given-1"]
    assert [e.outcome for e in evidence(desk.work / JOURNAL)] == ([outcome] if code == "00" else [])


@pytest.mark.requirement("INSI-07")
def test_a_technical_error_in_the_middle_ends_the_search_without_conclusion(open_desk) -> None:
    desk = open_desk(None, Trouble.FAULT)
    assert desk.call("NONE5") == 1
    assert [(e[1], e[4], e[5]) for e in desk.events] == [
        ("sent", "", ""),
        ("answered", "01", ""),
        ("sent", "", ""),
        ("answered", "insi_102", ""),
    ]


def test_after_a_technical_error_the_next_patient_is_asked(open_desk, capsys) -> None:
    desk = open_desk(Trouble.FAULT)
    assert desk.call("NONE5", "EQUAL1", "--json") == 1
    assert [p["outcome"] for p in json.loads(capsys.readouterr().out)["patients"]] == ["later", "equal"]


def test_three_patients_in_a_row_without_an_answer_end_the_run(open_desk, capsys) -> None:
    desk = open_desk(*[Trouble.HTML_502] * 9)
    assert desk.call("EQUAL1", "PLACE2", "DATE3", "NAME4", "NONE5", "--json") == 1
    assert [p["outcome"] for p in json.loads(capsys.readouterr().out)["patients"]] == ["unreadable"] * 3 + [
        "not_called"
    ] * 2
    assert desk.sandbox.insi.received == 3


def test_nobody_at_the_address(desk, capsys) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        closed = f"https://127.0.0.1:{unused.getsockname()[1]}/insi"
    assert desk.call("EQUAL1", "PLACE2", "--json", url=closed) == 1
    one, other = json.loads(capsys.readouterr().out)["patients"]
    assert (one["outcome"], one["code"], other["outcome"]) == ("later", "unreachable", "not_called")


class Drip:
    """A server that sends one byte at a time, for ever."""

    def __init__(self, keys: authority.Authority) -> None:
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(keys.server, keys.server_key)
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = self._listening.getsockname()[1]
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def __enter__(self) -> Drip:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listening.close()
        self._thread.join()

    def _serve(self) -> None:
        with (
            contextlib.suppress(OSError),
            self._context.wrap_socket(self._listening.accept()[0], server_side=True) as connection,
        ):
            connection.recv(65536)
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
            while True:
                connection.sendall(b" ")
                time.sleep(0.05)


def test_a_server_that_drips_does_not_hold_the_caller(desk) -> None:
    files = authority.files(desk.keys)
    with Drip(files) as server:
        client = gateway.Insi(f"https://127.0.0.1:{server.port}/insi", context(desk), 0.5)
        began = time.monotonic()
        assert ask(client) == gateway.Answer("later", "timeout")
        assert time.monotonic() - began < 3


# -- certificates, environment, settings ------------------------------------------------------------------------------------


def context(desk: Desk, name: str = "insi/insi-auto", authority_: str = "ca.pem") -> ssl.SSLContext:
    return gateway.tls(desk.keys / f"{name}.pem", desk.keys / f"{name}.key", desk.keys / authority_, None)


CALLER = Caller(STRUCTURE, service.AUTHORISATION, "Transvase", "0.1.0", "b3549edd-4ae9-472a-b26f-fd2fb4ef397f")
_idents = iter(uuid.uuid5(uuid.NAMESPACE_OID, str(n)) for n in range(10_000))


def ask(client: gateway.Insi, caller: Caller = CALLER, **changed: str) -> gateway.Answer:
    search = Search("ZZEGALE", "PAUL", "M", "1980-01-15")._replace(**changed)
    message = by_traits(search, caller, next(_idents), CLOCK)
    return client.ask(message.content_type, message.parts)


@pytest.mark.requirement("INSI-13")
def test_faults_of_the_caller(desk) -> None:
    client = gateway.Insi(desk.url, context(desk), 20)
    assert ask(client).kind == "found"
    assert ask(client, CALLER._replace(authorisation="UNKNOWN")) == gateway.Answer("caller", "desir_550")
    assert ask(client, CALLER._replace(emitter="1990000788")) == gateway.Answer("refused", "Sender")
    # The certificate that feeds the DMP opens the connection here, but has not the name.
    assert ask(gateway.Insi(desk.url, context(desk, "client"), 20)) == gateway.Answer("caller", "desir_560")
    assert ask(gateway.Insi(desk.url, context(desk, "insi/insi-manu"), 20)).kind == "found"


def test_a_refused_caller_ends_the_run(desk, capsys) -> None:
    assert desk.call("EQUAL1", "PLACE2", "--json", authorisation_number="UNKNOWN") == 1
    one, other = json.loads(capsys.readouterr().out)["patients"]
    assert (one["outcome"], one["code"], other["outcome"]) == ("refused", "desir_550", "not_called")
    assert desk.sandbox.insi.received == 1


def test_a_certificate_of_an_unknown_authority_is_refused(desk, capsys) -> None:
    stranger = desk.made.folder / "stranger"
    changed = {"certificate": str(stranger / "insi-auto.pem"), "key": str(stranger / "insi-auto.key")}
    assert desk.call("EQUAL1", **changed) == CertificateRefused.exit_code
    assert "INSi" in capsys.readouterr().err
    assert desk.criteria == ["given-1"], "the journal knows that a call left"


def test_a_server_of_an_unknown_authority_is_refused(desk, capsys) -> None:
    assert desk.call("EQUAL1", authority="keys/insi/ca.pem") == CertificateRefused.exit_code
    assert "certificat du serveur" in capsys.readouterr().err
    assert desk.sandbox.insi.received == 0


REFUSED = [
    ("no address", "sandbox", {"url": None}, 11, "insi.url"),
    ("no authorisation number", "sandbox", {"authorisation_number": None}, 11, "insi.authorisation_number"),
    ("no certificate here nor for feeding", "sandbox", {"certificate": None}, 11, "insi.certificate"),
    ("no TLS", "sandbox", {"url": "http://127.0.0.1/insi"}, 11, "insi.url"),
    ("the certificate that feeds", "sandbox", {"certificate": "keys/client.pem", "key": "keys/client.key"}, 11, "INSI-MANU"),
    ("a file that is no certificate", "sandbox", {"certificate": "keys/client.key"}, 50, "client.key"),
    ("a key of another certificate", "sandbox", {"key": "keys/client.key"}, 50, "insi-auto.pem"),
    ("the sandbox with production", "production", {}, 53, "production"),
    ("the sandbox with test", "test", {}, 53, "test"),
    ("the test platform with production", "production", {"url": "https://qualiflps-services-ps-tlsm.ameli.fr:443/lps"}, 53, "production"),
    ("the test platform with the sandbox", "sandbox", {"url": "https://qualiflps-services-ps-tlsm.ameli.fr:443/lps"}, 53, "sandbox"),
    ("another host with test", "test", {"url": "https://insi.invalid/lps"}, 53, "test"),
    ("another host with the sandbox", "sandbox", {"url": "https://insi.invalid/lps"}, 53, "sandbox"),
    ("a quota that would sweep a base", "sandbox", {"calls_per_run": 501}, 11, "insi.calls_per_run"),
]  # fmt: skip


@pytest.mark.requirement("INSI-14", "INSI-20")
@pytest.mark.parametrize(
    ("environment", "changed", "exit_code", "told"), [r[1:] for r in REFUSED], ids=[r[0] for r in REFUSED]
)
def test_settings_that_let_nothing_leave(desk, capsys, environment, changed, exit_code, told) -> None:
    desk.environment = environment
    assert desk.call("EQUAL1", **changed) == exit_code
    assert told in capsys.readouterr().err
    assert desk.sandbox.insi.received == 0 and not (desk.work / JOURNAL).exists()


# -- explicit list, quota ---------------------------------------------------------------------------------------------------


def test_an_empty_call_and_an_empty_list_are_refused(desk, capsys) -> None:
    empty = desk.folder / "liste.txt"
    empty.write_text("\n  \n")
    for arguments in ((), ("--list", empty), ("--list", desk.folder / "absent.txt"), ("NOBODY", "EQUAL1")):
        assert desk.call(*arguments) == 2
        assert capsys.readouterr().err.count("\n") == 1
    assert desk.sandbox.insi.received == 0


@pytest.mark.requirement("INSI-16")
def test_more_patients_than_the_quota_are_refused_before_any_call(desk, capsys) -> None:
    assert desk.call("EQUAL1", "PLACE2", "DATE3", calls_per_run=2) == 2
    assert "3 patients pour 2 appels" in capsys.readouterr().err
    assert desk.sandbox.insi.received == 0


@pytest.mark.requirement("INSI-15")
def test_a_manual_certificate_is_for_one_patient_at_a_time(desk, capsys) -> None:
    manual = {"certificate": "keys/insi/insi-manu.pem", "key": "keys/insi/insi-manu.key"}
    assert desk.call("EQUAL1", "PLACE2", **manual) == 2
    assert "INSI-MANU" in capsys.readouterr().err
    assert desk.call("EQUAL1", **manual) == 0


@pytest.mark.requirement("INSI-16")
def test_the_quota_of_a_run_counts_calls_and_cuts_a_search_without_conclusion(desk, capsys) -> None:
    assert desk.call("NONE5", "EQUAL1", "--json", calls_per_run=2) == 1
    one, other = json.loads(capsys.readouterr().out)["patients"]
    assert (one["outcome"], one["code"], one["calls"], other["outcome"]) == ("not_called", "quota", 2, "not_called")
    assert evidence(desk.work / JOURNAL) == []


@pytest.mark.requirement("INSI-16")
def test_the_quota_of_a_day_holds_over_runs(desk, capsys) -> None:
    assert desk.call("EQUAL1", calls_per_day=2) == 0
    assert desk.call("EQUAL1", calls_per_day=2) == 0
    assert desk.call("EQUAL1", calls_per_day=2) == 1
    assert "2 appels ce jour sur 2" in capsys.readouterr().out
    assert desk.sandbox.insi.received == 2


# -- journal, privacy -------------------------------------------------------------------------------------------------------


def test_a_journal_tampered_with_is_said(desk, capsys) -> None:
    assert desk.call("EQUAL1") == 0
    with contextlib.closing(sqlite3.connect(desk.work / JOURNAL, isolation_level=None)) as base:
        base.execute("DROP TRIGGER event_kept")
        base.execute("UPDATE event SET outcome = 'differs' WHERE number = 3")
    capsys.readouterr()
    assert desk.call("EQUAL1") == 1
    assert "chaîne du journal rompue à l'événement 3" in capsys.readouterr().out


def test_nothing_of_an_identity_leaves_the_file_of_answers(desk, capsys, caplog) -> None:
    keys = [row.values["key"] for row, _ in PEOPLE]
    desk.call(*keys)
    desk.call(*keys, "--json", "--lang", "en")
    desk.call("EQUAL1", authorisation_number="UNKNOWN")
    shown = capsys.readouterr()
    with Journal(desk.work / JOURNAL) as journal:
        assert journal.broken() is None
    journal_bytes = b"".join(p.read_bytes() for p in desk.work.glob(f"{JOURNAL}*"))
    elsewhere = (shown.out + shown.err + caplog.text).encode() + journal_bytes
    values = {v for row, _ in PEOPLE for n, v in row.values.items() if n in ("ins", "birth_family", "birth_date")}
    values |= {v for _, there in PEOPLE if there for v in there.values()}
    assert len(values) > 15
    assert not [value for value in values if str(value).encode() in elsewhere]
    assert b"ZZNUMERO" in b"".join(p.read_bytes() for p in desk.work.glob(f"{ANSWERS}*")), (
        "the search sees what it looks for"
    )


def test_values_are_shown_on_a_terminal_only(desk, capsys, monkeypatch) -> None:
    assert desk.call("NAME4", "--show") == 2
    assert "ZZPRENOM" not in "".join(capsys.readouterr())
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    assert desk.call("NAME4", "--show", "--json") == 2
    assert desk.sandbox.insi.received == 0
    assert desk.call("NAME4", "--show") == 1
    assert "prénoms de naissance : PAUL JEAN | INSi : JEAN MARC" in capsys.readouterr().out


def test_a_matricule_of_another_environment_is_kept_for_review_but_not_compared(desk, capsys, monkeypatch) -> None:
    """Production settings on an answer with a test OID: only the address check is stepped over."""
    monkeypatch.setattr(command, "connected", lambda session: (gateway.Insi(desk.url, context(desk), 20), CALLER, True))
    desk.environment = "production"
    assert desk.call("EQUAL1") == 2
    assert "--clock" in capsys.readouterr().err and not (desk.work / JOURNAL).exists(), (
        "the day of the quota is the true one"
    )
    desk.stopped = False
    assert desk.call("EQUAL1", "--json") == 1
    (found,) = json.loads(capsys.readouterr().out)["patients"]
    assert (found["outcome"], found["traits"]) == ("unusable", {})
    assert len(desk.kept) == 1


# -- the local service is strict --------------------------------------------------------------------------------------------

SPOILT = [
    ("SOAP 1.1", b"http://www.w3.org/2003/05/soap-envelope", b"http://schemas.xmlsoap.org/soap/envelope/"),
    ("two patients", b"</soap:Body>", b'<r:RECSANSVITALE xmlns:r="http://www.cnamts.fr/INSiRecSans"/></soap:Body>'),
    ("two given names", b"<r:Sexe>", b"<r:Prenom>JEAN</r:Prenom><r:Sexe>"),
    ("no sex", b"<r:Sexe>M</r:Sexe>", b""),
    ("traits out of order", b"<r:Sexe>M</r:Sexe><r:DateNaissance>1980-01-15</r:DateNaissance>", b"<r:DateNaissance>1980-01-15</r:DateNaissance><r:Sexe>M</r:Sexe>"),
    ("a lower-case name", b"ZZEGALE", b"zzegale"),
    ("an accent", b"ZZEGALE", "ZZÉGALE".encode()),
    ("a date of another form", b"1980-01-15", b"19800115"),
    ("no message id", b"<wsa:MessageID>uuid:", b"<wsa:MessageID>"),
    ("another action", b"rechercherInsAvecTraitsIdentite</wsa:Action>", b"rechercherInsAvecCarteVitale</wsa:Action>"),
    ("a header too many", b"</soap:Header>", b"<wsa:To>x</wsa:To></soap:Header>"),
    ("a security header", b"</soap:Header>", b'<w:Security xmlns:w="http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd"/></soap:Header>'),
    ("a cover that is not empty", b"<b:COUVERTURE/>", b"<b:COUVERTURE>x</b:COUVERTURE>"),
    ("another version of the context", b'Version="01_02"', b'Version="01_03"'),
    ("an instant without milliseconds", b".000Z", b"Z"),
    ("no kind of IDAM", b' R="4"', b""),
    ("an installation that is no UUID", b"b3549edd-4ae9-472a-b26f-fd2fb4ef397f", b"1"),
    ("a document type", b'<?xml version="1.0" encoding="UTF-8"?>', b'<?xml version="1.0" encoding="UTF-8"?><!DOCTYPE a>'),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new"), [s[1:] for s in SPOILT], ids=[s[0] for s in SPOILT])
def test_the_local_service_refuses(running: Desk, old: bytes, new: bytes) -> None:
    message = by_traits(Search("ZZEGALE", "PAUL", "M", "1980-01-15"), CALLER, next(_idents), CLOCK)
    assert old in message.parts[0]
    spoilt = message.parts[0].replace(old, new)
    client = gateway.Insi(running.url, context(running), 20)
    assert client.ask(message.content_type, (spoilt,)) == gateway.Answer("refused", "Sender")


def test_the_local_service_takes_a_message_once(running: Desk) -> None:
    message = by_traits(Search("ZZEGALE", "PAUL", "M", "1980-01-15"), CALLER, next(_idents), CLOCK)
    client = gateway.Insi(running.url, context(running), 20)
    assert client.ask(message.content_type, message.parts).kind == "found"
    assert client.ask(message.content_type, message.parts) == gateway.Answer("refused", "Sender")


@pytest.fixture(scope="module")
def running(made: Place, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    folder = tmp_path_factory.mktemp("strict")
    shutil.copytree(made.folder / "keys", folder / "keys")
    with Sandbox(folder / "keys", made.patients, CLOCK, identities=made.identities) as sandbox:
        yield Desk(made, folder, sandbox)


def test_troubles_may_be_planned_by_a_running_client(running: Desk) -> None:
    connection = http.client.HTTPSConnection("127.0.0.1", running.sandbox.port, context=context(running), timeout=20)
    for body, status in ((b'{"plan": [{"nth": 1, "trouble": "fault"}]}', 200), (b"{", 400), (b'{"plan": 1}', 400)):
        connection.request("POST", service.CONTROL, body)
        response = connection.getresponse()
        assert (response.status, bool(response.read())) == (status, True)
    connection.close()
    client = gateway.Insi(running.url, context(running), 20)
    assert [ask(client).code, ask(client).code] == ["insi_102", "00"]


def test_without_a_directory_the_sandbox_has_no_insi(made: Place, tmp_path: Path) -> None:
    shutil.copytree(made.folder / "keys", tmp_path / "keys")
    files = authority.files(tmp_path / "keys")
    with Sandbox(tmp_path / "keys", made.patients, CLOCK) as sandbox:
        plain = gateway.tls(files.client, files.client_key, files.ca, None)
        assert ask(gateway.Insi(f"{sandbox.origin}/insi", plain, 20)) == gateway.Answer("unreadable", "HTTP404")
        insi_only = gateway.tls(
            tmp_path / "keys" / "insi" / "insi-auto.pem", tmp_path / "keys" / "insi" / "insi-auto.key", files.ca, None
        )
        with pytest.raises(CertificateRefused):
            ask(gateway.Insi(f"{sandbox.origin}/insi", insi_only, 20))


@pytest.mark.parametrize(
    "line",
    [
        pytest.param("180017599000116,1.2.250.1.213.1.4.8,A,B,B,M,1980-01-15,75056,", id="a production OID"),
        pytest.param("180017599000199,1.2.250.1.213.1.4.10,A,B,B,M,1980-01-15,75056,", id="a wrong key"),
        pytest.param("180017599000116,1.2.250.1.213.1.4.10,A,B", id="columns missing"),
    ],
)
def test_the_directory_takes_test_identities_only(tmp_path: Path, line: str) -> None:
    path = tmp_path / "identities.csv"
    path.write_text(",".join(service.Person._fields) + f"\n{line}\n", encoding="utf-8")
    with pytest.raises(ValueError, match=r"Line 2 of identities\.csv"):
        service.read_directory(path)
    path.write_text("ins,oid,state\n", encoding="utf-8")
    with pytest.raises(ValueError, match="header"):
        service.read_directory(path)
