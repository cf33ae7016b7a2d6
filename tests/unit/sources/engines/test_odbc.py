"""What needs no driver: addresses, dates in bytes, settings. Drivers are tested in `tests/integration/sources`."""

from __future__ import annotations

import struct
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transvase.errors import SourceUnreadable
from transvase.settings import Source
from transvase.sources.engines import odbc

DATE, TIME, STAMP = 91, 92, 93


@pytest.mark.parametrize(
    "address, parts",
    [
        ("odbc:DSN=cabinet;UID=lecteur", {"dsn": "cabinet", "uid": "lecteur"}),
        (
            "odbc:Driver={HFSQL};Server Name=srv;Database=Médical;UID=lecteur;",
            {"driver": "HFSQL", "server name": "srv", "database": "Médical", "uid": "lecteur"},
        ),
        ("odbc: DRIVER = {a}}b;=c} ; dbq=C:\\Base\\x.mdb", {"driver": "a}b;=c", "dbq": "C:\\Base\\x.mdb"}),
        ("odbc:Driver={sans fin", {"driver": "sans fin"}),
    ],
)
def test_an_address_is_read_in_parts(address, parts):
    assert odbc.parts_of(address) == parts


@pytest.mark.parametrize(
    "address", ["", "odbc:", "DSN=x", "odbc:mauvais", "odbc:UID=mauvais", "odbc:;;", "postgresql://mauvais@h/d"]
)
def test_an_address_that_is_none_is_refused_without_being_shown(address):
    with pytest.raises(SourceUnreadable) as error:
        odbc.parts_of(address)
    assert "mauvais" not in str(error.value)


@pytest.mark.parametrize(
    "address, name",
    [
        ("odbc:DSN=cabinet", "cabinet"),
        ("odbc:Driver=x;Database=base;Server=srv;UID=lecteur", "base@srv"),
        ("odbc:Driver=x;DBQ=C:\\Données\\cabinet.mdb", "cabinet.mdb"),
        ("odbc:Driver=x;Database=/srv/cabinet.db", "cabinet.db"),
        ("odbc:Driver=x", "ODBC"),
    ],
)
def test_messages_name_the_base_and_the_server_only(address, name):
    assert odbc._name(odbc.parts_of(address)) == name


@pytest.mark.parametrize(
    "kind, raw, text",
    [
        pytest.param(DATE, b"0000-00-00", "0000-00-00", id="zero date as text"),
        pytest.param(DATE, struct.pack("=hHH", 0, 0, 0), "0000-00-00", id="zero date as a structure"),
        pytest.param(DATE, struct.pack("=hHH", 2024, 2, 30), "2024-02-30", id="no day of the calendar"),
        pytest.param(DATE, struct.pack("=hHH", 44, 3, 15), "0044-03-15", id="first centuries"),
        pytest.param(TIME, struct.pack("=HHH", 25, 0, 1), "25:00:01", id="beyond a day"),
        pytest.param(TIME, b"-838:59:59", "-838:59:59", id="time as text"),
        pytest.param(STAMP, struct.pack("=hHHHHHI", 2024, 7, 1, 12, 0, 0, 0), "2024-07-01 12:00:00", id="whole second"),
        pytest.param(STAMP, struct.pack("=hHHHHHI", 2024, 7, 1, 12, 0, 0, 1), "2024-07-01 12:00:00.000000001", id="billionth"),
        pytest.param(STAMP, struct.pack("=hHHHHHI", 2024, 7, 1, 12, 0, 0, 120_000_000), "2024-07-01 12:00:00.12", id="hundredth"),
        pytest.param(STAMP, b"2024-07-01 12:00:00.5\0", "2024-07-01 12:00:00.5", id="text with its end"),
        pytest.param(DATE, b"", "", id="empty text"),
    ],
)  # fmt: skip
def test_a_date_keeps_what_the_driver_gives(kind, raw, text):
    assert odbc.moment(kind, raw) == text


@given(st.text(st.characters(codec="utf-8"), min_size=17, max_size=40))
def test_a_text_longer_than_a_structure_passes_whole(text):
    assert odbc.moment(STAMP, text.encode()) == text.rstrip("\0")


def test_an_absent_library_is_named_by_the_extra_that_brings_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "pyodbc", None)
    with pytest.raises(SourceUnreadable, match=r"transvase\[odbc\]"), odbc.opened("odbc:DSN=x", ""):
        pass


@pytest.mark.parametrize(
    "url",
    [
        "odbc:DSN=cabinet;UID=lecteur",
        "odbc:Driver={HFSQL};Server Name=srv;Database=x",
        "sqlserver://lecteur@srv/base",
        "firebird://lecteur@srv/base",
        "mysql://lecteur@srv/base",
    ],
)
def test_settings_take_the_addresses_of_each_kind(url):
    assert Source(url=url).url == url


@pytest.mark.parametrize(
    "url",
    [
        "odbc:DSN=x;PWD=secret",
        "odbc:DSN=x; Password = secret",
        "odbc:pwd={secret};DSN=x",
        "odbc:",
        "odbc:x",
        "sqlserver://u:secret@h/d",
        "sqlserver:///d",
        "oracle://u@h/d",
    ],
)
def test_settings_refuse_a_password_and_what_is_no_address(url):
    with pytest.raises(ValueError):
        Source(url=url)


@pytest.mark.parametrize("window", ["22:00", "22h-6h", "24:00-06:00", "06:00-06:00"])
def test_settings_refuse_hours_that_are_none(window):
    with pytest.raises(ValueError):
        Source(window=window)


def test_settings_refuse_a_rate_below_nothing():
    with pytest.raises(ValueError):
        Source(rows_per_second=-1)
