"""The ledger on a PostgreSQL server, by the settings: the commands read and feed that one, and no file appears beside."""

from __future__ import annotations

import http.client
import json
import signal
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from transvase.assets import feeding
from transvase.assets.ledger_place import ledger_place
from transvase.assets.quota import Limits
from transvase.commands.main import main
from transvase.errors import LedgerUnreachable, SettingsInvalid
from transvase.exporters.portability import job_of
from transvase.gateways import dmp
from transvase.ledger.engines import Server
from transvase.ledger.submissions import LEDGER, Ledger
from transvase.sandbox.dmp import Sandbox
from transvase.settings import Feed, Settings, Work, load

from .. import ledgers  # noqa: TID252
from ..builders import CLOCK, OFFICE, a_document, a_patient, fed_practice, registered_patients  # noqa: TID252
from ..certificates import issued  # noqa: TID252

STRUCTURE = OFFICE[0].values["struct_idnat"]
ledger_server = ledgers.ledger_server


@pytest.mark.parametrize(
    "url",
    [
        "mysql://u@h/b",
        "postgresql://u:secret@h/b",
        "postgresql://u@h",
        "postgresql:///b",
        "postgresql://u@h/b?schema=x;drop",
        "postgresql://u@h/b?sslmode=disable",
    ],
)
def test_an_address_that_is_none_is_refused(tmp_path: Path, url: str) -> None:
    file = tmp_path / "transvase.toml"
    file.write_text(f'[feed]\nledger = "{url}"\n', encoding="utf-8")
    with pytest.raises(SettingsInvalid, match=r"feed\.ledger"):
        load(file)


def test_the_password_stands_in_a_file_or_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    url, secret = "postgresql://u@h/b?schema=nord", tmp_path / "secret"
    secret.write_text("un mot\nrien d'autre\n", encoding="utf-8")
    monkeypatch.setenv("TRANSVASE_LEDGER_PASSWORD", "celui-ci")
    place = ledger_place(Settings(feed=Feed(ledger=url, ledger_password_file=secret)))
    assert place == Server(url, "un mot") and place.name == "b/nord"
    assert ledger_place(Settings(feed=Feed(ledger=url))) == Server(url, "celui-ci")
    with pytest.raises(SettingsInvalid, match=r"feed\.ledger_password_file"):
        ledger_place(Settings(feed=Feed(ledger=url, ledger_password_file=tmp_path / "none")))
    assert ledger_place(Settings(work=Work(folder=tmp_path))) == tmp_path / LEDGER


def test_the_commands_use_the_server_alone(
    tmp_path: Path, ledger_server: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    place, work = ledgers.on(ledger_server), tmp_path / "work"
    keys = issued(tmp_path / "sandbox", structure=STRUCTURE)
    fed_practice(work, a_patient("P1"), a_document("D1"), a_document("D2"))
    (tmp_path / "secret").write_text(place.password, encoding="utf-8")
    patients = registered_patients(tmp_path / "patients.csv", "P1")
    with Sandbox(tmp_path / "sandbox", patients, CLOCK, structure=STRUCTURE) as service:
        (tmp_path / "transvase.toml").write_text(
            f'[work]\nfolder = "work"\n\n[feed]\nurl = "{service.url}"\ncertificate = "{keys.client}"\nkey = "{keys.client_key}"\n'
            f'authority = "{keys.ca}"\nledger = "{place.url}"\nledger_password_file = "secret"\n',
            encoding="utf-8",
        )

        def call(command: str, *words: str) -> int:
            return main([command, *words, "--settings", str(tmp_path / "transvase.toml"), "--clock", CLOCK.isoformat()])

        assert call("feed", "show") == 2
        capsys.readouterr()
        assert call("feed", "plan", "--json") == 0
        assert json.loads(capsys.readouterr().out)["waiting"] == 2
        with Ledger(place, "dmp") as ledger:
            context = tls(keys)
            job = job_of(work, {}, CLOCK, "Transvase essai", None, "Europe/Paris")
            limits = Limits(10_000, 30_000, 2)
            assert feeding.feed(job, ledger, lambda: dmp.Dmp(service.url, context, 20), limits, lambda: CLOCK).sent == 2
            assert ledger.broken() is None
        assert call("feed", "delete", "D1", "--by", "a2", "--reason", "error") == 0
        capsys.readouterr()
        assert call("feed", "show", "--json") == 0
        assert json.loads(capsys.readouterr().out)["states"] == {"deleted": 1, "registered": 1}
        assert main(["explain", "D1", "--json", "--settings", str(tmp_path / "transvase.toml")]) == 0
        assert json.loads(capsys.readouterr().out)["ledger"] == "deleted"
    assert not list(work.glob("ledger.sqlite*"))


def state(service: Sandbox, keys: Any) -> list[str]:
    """The uniqueId of each document that the registry holds."""
    connection = http.client.HTTPSConnection(urlsplit(service.url).netloc, context=tls(keys), timeout=20)
    connection.request("GET", "/control/state")
    documents = json.loads(connection.getresponse().read())["documents"]
    connection.close()
    return [d["unique_id"] for d in documents]


def tls(keys: Any) -> Any:
    return dmp.tls(keys.client, keys.client_key, keys.ca, None)


# Writes of a run, each dated by the clock: plan, intents and outcomes of two batches.
@pytest.mark.parametrize("instant", range(1, 9))
def test_a_session_lost_at_any_write_ends_the_run_in_one_sentence_and_sends_nothing_twice(
    tmp_path: Path, ledger_server: Any, instant: int, caplog: pytest.LogCaptureFixture
) -> None:
    place, work = ledgers.on(ledger_server), tmp_path / "work"
    keys = issued(tmp_path / "sandbox", structure=STRUCTURE)
    fed_practice(work, a_patient("P1"), *(a_document(f"D{n}") for n in range(18)))
    patients = registered_patients(tmp_path / "patients.csv", "P1")
    job = job_of(work, {}, CLOCK, "Transvase essai", None, "Europe/Paris")
    looks = 0

    def clock() -> datetime:
        nonlocal looks
        looks += 1
        if looks == instant:
            with ledgers.Hand(place) as hand:
                hand.rows("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'transvase'")
        return CLOCK

    with Sandbox(tmp_path / "sandbox", patients, CLOCK, structure=STRUCTURE) as service:

        def feed(now: Callable[[], datetime]) -> feeding.Fed:
            with Ledger(place, "dmp") as ledger:
                return feeding.feed(
                    job, ledger, lambda: dmp.Dmp(service.url, tls(keys), 20), Limits(10_000, 30_000, 2), now
                )

        with pytest.raises(LedgerUnreachable):
            feed(clock)
        # Nor does the driver say anything of its own.
        assert not caplog.records
        held = state(service, keys)
        feed(lambda: CLOCK)
        after = state(service, keys)
        assert after[: len(held)] == held and len(after) == len(set(after)) == 18
        with Ledger(place, "dmp") as ledger:
            assert ledger.counts() == {"registered": 18} and ledger.broken() is None


def test_a_server_that_goes_down_is_said_so_and_holds_everything_when_it_is_back(
    tmp_path: Path, ledger_server: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    place, work = ledgers.on(ledger_server), tmp_path / "work"
    fed_practice(work, a_patient("P1"), a_document("D1"))
    (tmp_path / "secret").write_text(place.password, encoding="utf-8")
    (tmp_path / "transvase.toml").write_text(
        f'[work]\nfolder = "work"\n\n[feed]\nledger = "{place.url}"\nledger_password_file = "secret"\n',
        encoding="utf-8",
    )

    def show() -> int:
        return main(["feed", "show", "--json", "--settings", str(tmp_path / "transvase.toml")])

    with Ledger(place, "dmp") as ledger:
        feeding.plan(job_of(work, {}, CLOCK, "Transvase essai", None, "Europe/Paris"), ledger, CLOCK)
        ledger_server.down(signal.SIGQUIT)
        try:
            with pytest.raises(LedgerUnreachable):
                ledger.waiting("to_submit", 1)
            assert show() == LedgerUnreachable.exit_code
        finally:
            ledger_server.up()
    said = capsys.readouterr()
    assert said.out == "" and said.err == (
        f"transvase: Le serveur du registre {place.name} ne répond pas, ou a coupé la session ; vérifiez qu'il est démarré, et son "
        "adresse dans [feed] ledger, puis relancez la même commande : ce qu'il a enregistré est gardé.\n"
    )
    assert show() == 0
    assert json.loads(capsys.readouterr().out)["states"] == {"to_submit": 1}
