"""Any database that has an ODBC driver (HFSQL, 4D, Access on Windows...) as `sources.view.Tables`: the catalogue by ODBC's own functions,
rows by the plainest SELECT there is.

Why pyodbc: it asks a long value piece by piece, whatever its length, where a reader into Arrow must be told the longest one beforehand
and refuses what is longer; it reads an unsigned number whole; and a converter of ours takes dates in the bytes the driver gives, where
its own turn a zero date into a null, and refuse the 30th of February or an hour beyond 23. `bench/engines.py` compares.
"""

from __future__ import annotations

import codecs
import struct
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import PureWindowsPath
from typing import Any

from transvase.errors import (
    SourceLocked,
    SourceMissing,
    SourceRefused,
    SourceUnreachable,
    SourceUnreadable,
    TransvaseError,
)
from transvase.sources.engines.cursor import CursorTables, Form, Table, plain
from transvase.sources.engines.mariadb import shortest
from transvase.sources.sqlite import decode
from transvase.sources.view import SourceColumn, Tables

KIND = "ODBC"
SCHEME = "odbc:"
# Seconds that opening a connection may take.
PATIENCE = 10
# Numbers of ODBC's types (SQL_...), by what becomes of their values.
_BITS = {-7}
_WHOLE = {-6, 5, 4, -5}
_SINGLE = 7
_FLOAT = {6, 8}
_DECIMAL = {2, 3}
_TEXT = {1, 12, -1, -8, -9, -10, -11, -152}
_BINARY = {-2, -3, -4}
_DATE, _TIME = {91, 9}, {92, 10}
_MOMENT = _DATE | _TIME | {93, 11}
# Where a driver keeps a consistent view, this level gives it.
_REPEATABLE_READ = 4
_QUOTE, _LEVELS, _PRODUCT = 29, 72, 17
_DRIVER_MISSING = ("IM002", "IM003", "IM004", "IM005")
_REFUSED = ("28000", "42501")
_LOST = ("08001", "08004", "08007", "08S01", "HYT00", "HYT01", "57P01")
_NOT_THERE = ("3D000", "08002", "IM014")
# Codes of MariaDB's driver, which calls every failure HY000.
_NATIVE = {
    "(1045)": SourceRefused,
    "(1044)": SourceRefused,
    "(1698)": SourceRefused,
    "(1142)": SourceRefused,
    "(1049)": SourceMissing,
    "(1205)": SourceLocked,
    "(2002)": SourceUnreachable,
    "(2003)": SourceUnreachable,
    "(2006)": SourceUnreachable,
    "(2013)": SourceUnreachable,
}


@contextmanager
def opened(address: str, password: str) -> Iterator[Tables]:
    """The database of `odbc:` and an ODBC connection string without its password: `odbc:DSN=cabinet;UID=lecteur`, or
    `odbc:Driver={HFSQL};Server Name=...;Database=...;UID=lecteur`. `password` becomes its `PWD`.

    Tables are those that the driver calls TABLE, in the database it is connected to; one of another schema than most is named
    `schema.table`. The connection asks to be read only, and for one consistent view (REPEATABLE READ) where the driver knows one; nothing
    but SELECT is ever sent.

    Booleans, whole numbers, floats (the shortest decimal of a single one), texts and bytes come as such; decimals, dates and unsigned
    numbers of 64 bits as text with every digit. What a driver itself rounds or drops cannot be had back: SQLite's gives 15 digits of a
    float, and mdbtools' (Access) wrong numbers and dates, so that it is refused.

    Raises SourceMissing, SourceUnreachable, SourceRefused, SourceUnreadable, naming a driver that is missing."""
    try:
        import pyodbc  # type: ignore[import-not-found, unused-ignore]
    except ImportError:
        # The library is there but not the system's driver manager, or neither.
        reason = (
            "driver missing: pip install 'transvase[odbc]', and the driver manager (on Debian: apt install unixodbc)"
        )
        raise SourceUnreadable(path=KIND, kind=KIND, reason=reason) from None
    asked = parts_of(address)
    name = _name(asked)
    secret = f";PWD={{{password.replace('}', '}}')}}}" if password else ""
    # A pool would keep the connection, and its transaction, after the end.
    pyodbc.pooling = False
    text = address.removeprefix(SCHEME).rstrip("; ") + secret
    try:
        connection = pyodbc.connect(text, readonly=True, timeout=PATIENCE)
    except pyodbc.Error as error:
        raise _translated(error, name, asked) from None
    try:
        yield _tables(connection, name, asked)
    finally:
        with suppress(pyodbc.Error):
            connection.close()


def parts_of(address: str) -> dict[str, str]:
    """The parts of an address by their name in small letters. SourceUnreadable, without a word of it, when it is no ODBC address."""
    text = address.removeprefix(SCHEME)
    found: dict[str, str] = {}
    while text := text.lstrip("; "):
        key, equal, text = text.partition("=")
        if not equal or not key.strip():
            raise SourceUnreadable(
                path=KIND, kind=KIND, reason="its address is not odbc:DSN=name or odbc:Driver={...};..."
            )
        text = text.lstrip()
        if text.startswith("{"):
            value, text = _braced(text)
        else:
            value, _, text = text.partition(";")
        found.setdefault(key.strip().lower(), value.strip())
    if not address.startswith(SCHEME) or not {"dsn", "driver", "filedsn"} & set(found):
        raise SourceUnreadable(path=KIND, kind=KIND, reason="its address is not odbc:DSN=name or odbc:Driver={...};...")
    return found


def _braced(text: str) -> tuple[str, str]:
    """A value between braces, a closing one being written twice, and what follows it."""
    end = 1
    while (end := text.find("}", end)) >= 0 and text[end + 1 : end + 2] == "}":
        end += 2
    if end < 0:
        return text[1:], ""
    return text[1:end].replace("}}", "}"), text[end + 1 :]


def _name(asked: dict[str, str]) -> str:
    """How messages name the source: a base and its server, a file, a DSN."""
    # Of a path, of either system, the file's own name only.
    base = PureWindowsPath(asked.get("database") or asked.get("dbq") or asked.get("dsn") or "").name or KIND
    server = asked.get("server") or asked.get("server name") or asked.get("servername") or asked.get("host")
    return f"{base}@{server}" if server else base


def _tables(connection: Any, name: str, asked: dict[str, str]) -> CursorTables:
    import pyodbc

    def info(number: int) -> Any:
        # Some drivers know nothing of themselves.
        with suppress(pyodbc.Error):
            return connection.getinfo(number)
        return None

    if "mdbtools" in str(info(_PRODUCT)).lower():
        reason = "mdbtools' driver gives wrong numbers and dates: use Microsoft's, or export each table with mdb-export and the kind tabular"
        raise SourceUnreadable(path=name, kind=KIND, reason=reason)
    try:
        if (info(_LEVELS) or 0) & _REPEATABLE_READ:
            with suppress(pyodbc.Error):
                connection.set_attr(pyodbc.SQL_ATTR_TXN_ISOLATION, _REPEATABLE_READ)
        for kind in _MOMENT:
            connection.add_output_converter(kind, partial(moment, kind))
        codecs.lookup(CODEC)
        connection.setdecoding(pyodbc.SQL_CHAR, encoding=CODEC, ctype=pyodbc.SQL_CHAR)
        if any(maker in str(info(_PRODUCT)).lower() for maker in ("maria", "mysql")):
            # Its driver counts the letters Ø, Ù, Ú and Û as half a pair when it gives UTF-16, and cuts the end of their text: UTF-8 then.
            connection.setdecoding(pyodbc.SQL_WCHAR, encoding=CODEC, ctype=pyodbc.SQL_CHAR)
        mark = str(info(_QUOTE) or "").strip("\0 ")
        found, types = _catalogue(connection, asked, mark)
    except pyodbc.Error as error:
        raise _translated(error, name, asked) from None
    reader = _Reader(connection, name, mark, types)
    return CursorTables(
        name,
        KIND,
        found,
        connection.cursor,
        reader.forms,
        (pyodbc.Error, UnicodeError),
        lambda e: _translated(e, name, asked),
    )


def _catalogue(
    connection: Any, asked: dict[str, str], mark: str
) -> tuple[dict[str, Table], dict[str, dict[str, tuple[int, str]]]]:
    """Tables by the name they are given here; and of each, its columns' type as a number and as a word."""
    import pyodbc

    cursor = connection.cursor()
    catalog = ""
    with suppress(pyodbc.Error):
        # SQL_DATABASE_NAME: some drivers list every database of the server.
        catalog = str(connection.getinfo(16) or "")
    listed = [tuple(line)[:4] for line in cursor.tables(tableType="TABLE").fetchall()]
    # Some drivers list what is not a table whatever they were asked.
    listed = [
        line for line in listed if str(line[3]).upper() == "TABLE" and (not catalog or line[0] in (None, "", catalog))
    ]
    schemas = [str(line[1] or "") for line in listed]
    usual = max(sorted(set(schemas)), key=schemas.count, default="")
    found: dict[str, Table] = {}
    types: dict[str, dict[str, tuple[int, str]]] = {}
    for line, schema in zip(listed, schemas, strict=True):
        table = str(line[2])
        name = table if schema == usual else f"{schema}.{table}"
        place = quoted(table, mark) if schema == usual else f"{quoted(schema, mark)}.{quoted(table, mark)}"
        described = _columns(cursor, line[0], line[1], table)
        key: list[tuple[int, str]] = []
        with suppress(pyodbc.Error):
            # Not every driver knows keys; rows are then named by their number.
            lines = cursor.primaryKeys(table=table, catalog=line[0] or None, schema=line[1] or None).fetchall()
            key = [(int(k[4]), str(k[3])) for k in lines if k[2] == table]
        columns = tuple(SourceColumn(column, word) for column, _, word in described)
        names = [column for _, column in sorted(key)]
        found[name] = Table(place, columns, tuple(names) if set(names) <= {c.name for c in columns} else ())
        types[name] = {column: (number, word) for column, number, word in described}
    return found, types


def _columns(cursor: Any, catalog: str | None, schema: str | None, table: str) -> list[tuple[str, int, str]]:
    # The name is a pattern, where `_` and `%` stand for others: lines of tables that resemble it are left.
    lines = cursor.columns(table=table, catalog=catalog or None, schema=schema or None).fetchall()
    if not lines:
        lines = [line for line in cursor.columns().fetchall() if line[2] == table]
    kept = [line for line in lines if line[2] == table and (schema or "") == (line[1] or "")]
    return [(str(line[3]), int(line[4]), str(line[5] or "").lower()) for line in kept]


class _Reader:
    """How the columns of each table are read, which some drivers tell only when asked."""

    def __init__(self, connection: Any, name: str, mark: str, types: dict[str, dict[str, tuple[int, str]]]) -> None:
        self._connection = connection
        self._name = name
        self._mark = mark
        self._types = types
        # Whether dates come as bytes: not known before one that is not null was read.
        self._stored: bool | None = None

    def forms(self, name: str, table: Table) -> list[Form]:
        """Raises SourceUnreadable for a type that is none of those."""
        places = [quoted(column.name, self._mark) for column in table.columns]
        given = self._described(table, places)
        forms = []
        for column, place in zip(table.columns, places, strict=True):
            number, word = self._types[name][column.name]
            if number in _MOMENT and self._stored is None:
                self._try(table, place)
            form = self._form(place, number, word, given.get(column.name, object))
            if form is None:
                what = f"table {name}, column {column.name}: type {word or number} is none that ODBC reads as a value"
                raise SourceUnreadable(path=self._name, kind=KIND, reason=what)
            forms.append(form)
        return forms

    def _described(self, table: Table, places: list[str]) -> dict[str, type]:
        """Python types that pyodbc will give, as the driver describes an answer: it may differ from its catalogue."""
        import pyodbc

        cursor = self._connection.cursor()
        try:
            with suppress(pyodbc.Error):
                cursor.execute(f"SELECT {', '.join(places)} FROM {table.place} WHERE 1 = 0")
                return {c.name: d[1] for c, d in zip(table.columns, cursor.description, strict=True)}
            return {}
        finally:
            cursor.close()

    def _try(self, table: Table, place: str) -> None:
        """Whether the driver gives a date as bytes; some refuse, and give it only as a date of the calendar."""
        import pyodbc

        cursor = self._connection.cursor()
        try:
            cursor.execute(f"SELECT MIN({place}) FROM {table.place}")
            if cursor.fetchone()[0] is not None:
                self._stored = True
        except (pyodbc.Error, ValueError):
            self._connection.clear_output_converters()
            self._stored = False
        finally:
            cursor.close()

    def _form(self, place: str, number: int, word: str, given: type) -> Form | None:
        if number in _BITS:
            return Form(place, bool, bool)
        if number in _WHOLE:
            # Beyond what a signed number of 64 bits holds.
            return Form(place, str, str) if number == -5 and "unsigned" in word else Form(place, int, int)
        if number in _FLOAT:
            return Form(place, float)
        if number == _SINGLE:
            return Form(place, float, shortest)
        if number in _DECIMAL:
            return Form(place, str, _decimal)
        if number in _MOMENT:
            return Form(place, str, None if self._stored else _calendar)
        if number in _TEXT or (number in _BINARY and given is str):
            return Form(place, str)
        return Form(place, bytes, bytes) if number in _BINARY else None


def _decimal(value: Any) -> str:
    return value if isinstance(value, str) else plain(value)


def _calendar(value: Any) -> str:
    """A date as text; one that already is stays."""
    return value if isinstance(value, str) else str(value)


def moment(kind: int, raw: bytes) -> str:
    """A date, a time or both (`kind`, ODBC's number) as text, from the bytes of a driver: ODBC's structure, or the text itself, which is
    always longer."""
    if kind in _DATE and len(raw) == 6:
        year, month, day = struct.unpack("=hHH", raw)
        return f"{year:04d}-{month:02d}-{day:02d}"
    if kind in _TIME and len(raw) == 6:
        hour, minute, second = struct.unpack("=HHH", raw)
        return f"{hour:02d}:{minute:02d}:{second:02d}"
    if kind not in _DATE | _TIME and len(raw) == 16:
        year, month, day, hour, minute, second, billionths = struct.unpack("=hHHHHHI", raw)
        fraction = f".{billionths:09d}".rstrip("0") if billionths else ""
        return f"{year:04d}-{month:02d}-{day:02d} {hour:02d}:{minute:02d}:{second:02d}{fraction}"
    return decode(raw).rstrip("\0")


# Texts of narrow characters: what the driver gives is UTF-8, or what an old program wrote into it.
CODEC = "transvase_stored"


def _codec(name: str) -> codecs.CodecInfo | None:
    if name != CODEC:
        return None
    return codecs.CodecInfo(
        name=CODEC,
        encode=lambda text, errors="strict": (text.encode(), len(text)),
        decode=lambda raw, errors="strict": (decode(bytes(raw)), len(raw)),
    )


codecs.register(_codec)


def quoted(name: str, mark: str) -> str:
    """An identifier, between the marks of the driver; none when it knows no mark."""
    return mark + name.replace(mark, mark * 2) + mark if mark else name


def _translated(error: BaseException, name: str, asked: dict[str, str]) -> TransvaseError:
    state = error.args[0] if error.args and isinstance(error.args[0], str) else ""
    words = str(error.args[1]) if len(error.args) > 1 else ""
    if state in _DRIVER_MISSING or (state == "01000" and "open lib" in words):
        # Its name stands in our own address.
        wanted = asked.get("driver") or asked.get("dsn") or asked.get("filedsn") or ""
        return SourceUnreadable(
            path=name, kind=KIND, reason=f"no ODBC driver or DSN is installed here under the name {wanted}"
        )
    if isinstance(error, UnicodeError):
        return SourceUnreadable(path=name, kind=KIND, reason="a text is not in the character set the driver says")
    if native := next((kind for code, kind in _NATIVE.items() if code in words), None):
        return native(path=name)
    if state in _REFUSED:
        return SourceRefused(path=name)
    if state in _NOT_THERE:
        return SourceMissing(path=name)
    if state in _LOST:
        return SourceUnreachable(path=name)
    if state == "40001":
        return SourceLocked(path=name)
    return SourceUnreadable(path=name, kind=KIND, reason=f"SQLSTATE {state}" if state else "the driver gives no reason")
