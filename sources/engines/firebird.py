"""Firebird as `sources.view.Tables`, by its wire protocol: no driver of the system is needed (firebirdsql is Python alone; the project's
own driver asks for a protobuf that Dagster refuses).

What is asked and what the server answers are here; that texts whose column names no character set are what a Windows program wrote is
said in `sources.sqlite.decode`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, NamedTuple
from urllib.parse import unquote, urlsplit

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
from transvase.sources.sqlite import decode, quoted
from transvase.sources.view import SourceColumn, Tables

KIND = "Firebird"
PORT = 3050
# Seconds that an answer may take before the server is held to be gone.
PATIENCE = 60.0
# Read only, one consistent view, and no lock that another would wait for: version 3, read, wait, concurrency.
_SNAPSHOT = bytes([3, 8, 6, 2])
# Numbers of types in RDB$FIELDS.
_SHORT, _LONG, _FLOAT, _DATE, _TIME, _CHAR, _INT64, _BOOLEAN, _DECFLOAT16, _DECFLOAT34, _INT128, _DOUBLE, _STAMP, _VARCHAR, _BLOB = (
    7, 8, 10, 12, 13, 14, 16, 23, 24, 25, 26, 27, 35, 37, 261,
)  # fmt: skip
_TIME_ZONED, _STAMP_ZONED = 28, 29
# Character sets that say nothing of the text, one that is bytes, and those whose name Python has not.
_SILENT, _OCTETS = ("", "NONE", "ASCII", "UTF8", "UNICODE_FSS"), "OCTETS"
_WORDS = {
    _SHORT: "smallint", _LONG: "integer", _FLOAT: "float", _DATE: "date", _TIME: "time", _CHAR: "char", _INT64: "bigint",
    _BOOLEAN: "boolean", _DECFLOAT16: "decfloat(16)", _DECFLOAT34: "decfloat(34)", _INT128: "int128", _DOUBLE: "double precision",
    _STAMP: "timestamp", _VARCHAR: "varchar", _BLOB: "blob", _TIME_ZONED: "time with time zone", _STAMP_ZONED: "timestamp with time zone",
}  # fmt: skip
_COLUMNS = """
SELECT TRIM(r.RDB$RELATION_NAME), TRIM(f.RDB$FIELD_NAME), t.RDB$FIELD_TYPE, t.RDB$FIELD_SUB_TYPE, t.RDB$FIELD_SCALE,
       TRIM(s.RDB$CHARACTER_SET_NAME), t.RDB$FIELD_LENGTH, t.RDB$DIMENSIONS
FROM RDB$RELATIONS r JOIN RDB$RELATION_FIELDS f ON f.RDB$RELATION_NAME = r.RDB$RELATION_NAME
JOIN RDB$FIELDS t ON t.RDB$FIELD_NAME = f.RDB$FIELD_SOURCE
LEFT JOIN RDB$CHARACTER_SETS s ON s.RDB$CHARACTER_SET_ID = t.RDB$CHARACTER_SET_ID
WHERE COALESCE(r.RDB$SYSTEM_FLAG, 0) = 0 AND r.RDB$VIEW_BLR IS NULL AND COALESCE(r.RDB$RELATION_TYPE, 0) IN (0, 2)
ORDER BY f.RDB$FIELD_POSITION
"""
_KEYS = """
SELECT TRIM(c.RDB$RELATION_NAME), TRIM(s.RDB$FIELD_NAME) FROM RDB$RELATION_CONSTRAINTS c
JOIN RDB$INDEX_SEGMENTS s ON s.RDB$INDEX_NAME = c.RDB$INDEX_NAME
WHERE c.RDB$CONSTRAINT_TYPE = 'PRIMARY KEY' ORDER BY s.RDB$FIELD_POSITION
"""
# Codes of the server (isc_...): login, no permission; file not found, not a database; lock conflict, deadlock.
_REFUSED, _MISSING, _LOCKED = {335544472, 335544352}, {335544344, 335544734}, {335544345, 335544336, 335544510}
_GONE = {335544721, 335544726, 335544727, 335544741, 335544375, 335544856}


class _Column(NamedTuple):
    """A column's type as RDB$FIELDS numbers it; its character set by name."""

    number: int
    sub: int
    scale: int
    charset: str
    length: int
    dimensions: int


@contextmanager
def opened(url: str, password: str) -> Iterator[Tables]:
    """The database of `firebird://user@server:port/alias` (or the path of its file on the server: `firebird://user@server//srv/x.fdb`,
    `firebird://user@server/C:/x.fdb`) in one read-only SNAPSHOT transaction. Views, temporary tables and the server's own are left out.

    Whole numbers, booleans, floats (the shortest decimal of a single one), texts and bytes come as such; decimals, dates, times and
    numbers of 128 bits as the text the server writes. `char(n)` comes without its padding. A text in a column that names no character
    set is UTF-8, else Windows-1252. A column that is an array is refused.

    Raises SourceMissing, SourceUnreachable, SourceRefused, SourceUnreadable, SourceLocked."""
    try:
        import firebirdsql
    except ImportError:
        reason = "driver missing: pip install 'transvase[firebird]'"
        raise SourceUnreadable(path=KIND, kind=KIND, reason=reason) from None
    name, where = _address(url, password)
    broken = (firebirdsql.Error, OSError, EOFError, UnicodeError)
    try:
        connection = _connected(where)
    except broken as error:
        raise _translated(error, name) from None
    try:
        try:
            found, kinds = _catalogue(connection)
        except broken as error:
            raise _translated(error, name) from None

        def forms(table: str, entry: Table) -> list[Form]:
            return [_form(name, table, column.name, kinds[table, column.name]) for column in entry.columns]

        yield CursorTables(name, KIND, found, connection.cursor, forms, broken, lambda e: _translated(e, name))
    finally:
        with suppress(*broken):
            connection.close()


def _address(url: str, password: str) -> tuple[str, dict[str, Any]]:
    """Name for messages, arguments for the driver."""
    try:
        parts = urlsplit(url)
        host, port, database = parts.hostname, parts.port, unquote(parts.path[1:])
    except ValueError:
        parts, host, port, database = None, None, None, ""
    if parts is None or parts.scheme != "firebird" or not host or not database:
        raise SourceUnreadable(path=KIND, kind=KIND, reason="its URL is not firebird://user@server/database")
    where = {
        "host": host,
        "port": port or PORT,
        "database": database,
        "user": unquote(parts.username or ""),
        "password": password or unquote(parts.password or ""),
        "charset": "NONE",
    }
    return f"{database.replace(chr(92), '/').rpartition('/')[2]}@{host}", where


def _connected(where: dict[str, Any]) -> Any:
    """A connection whose texts pass as the bytes they are, one character each: every column has its own character set, and the driver
    would read all of them in one."""
    from firebirdsql import Connection, fbcore

    vars(fbcore).update(ARC4=_Arc4, ChaCha20=_ChaCha)

    class Carrying(Connection):  # type: ignore[misc, unused-ignore]
        def str_to_bytes(self, text: Any) -> Any:
            return text.encode() if isinstance(text, str) else text

        def bytes_to_str(self, raw: Any) -> str:
            return bytes(raw).decode("latin-1")

    connection = Carrying(**where, timeout=PATIENCE)
    connection._initialize()
    return connection


class _Line:
    """What is sent and received, ciphered. The driver does it in Python, byte by byte: a document of 3 MB took half a minute."""

    def __init__(self, algorithm: Any) -> None:
        from cryptography.hazmat.primitives.ciphers import Cipher

        self._through = Cipher(algorithm, mode=None).encryptor()

    def encrypt(self, data: bytes) -> bytes:
        return self._through.update(bytes(data))

    # Both ciphers are streams.
    decrypt = translate = encrypt


class _Arc4(_Line):
    """The cipher of Firebird 3."""

    @staticmethod
    def new(key: bytes) -> _Line:
        from cryptography.hazmat.decrepit.ciphers.algorithms import ARC4

        return _Line(ARC4(bytes(key)))


class _ChaCha(_Line):
    """The ciphers of Firebird 4 and later: a counter of 64 or 32 bits, then the number used once."""

    @staticmethod
    def new(key: bytes, nonce: bytes) -> _Line:
        from cryptography.hazmat.primitives.ciphers.algorithms import ChaCha20

        return _Line(ChaCha20(bytes(key), bytes(16 - len(nonce)) + bytes(nonce)))


def _catalogue(connection: Any) -> tuple[dict[str, Table], dict[tuple[str, str], _Column]]:
    """Tables; and the numbers of each column's type."""
    # The driver's own transaction writes; this one is the same view for every statement, and cannot.
    connection._transaction = _snapshot(connection)
    cursor = connection.cursor()
    cursor.execute(_COLUMNS)
    columns: dict[str, list[SourceColumn]] = {}
    kinds: dict[tuple[str, str], _Column] = {}
    for table, column, number, sub, scale, charset, length, dimensions in cursor.fetchall():
        kind = _Column(number, sub or 0, scale or 0, charset or "", length or 0, dimensions or 0)
        name = _utf8(column)
        columns.setdefault(_utf8(table), []).append(SourceColumn(name, _word(kind)))
        kinds[_utf8(table), name] = kind
    cursor.execute(_KEYS)
    keys: dict[str, list[str]] = {}
    for table, column in cursor.fetchall():
        keys.setdefault(_utf8(table), []).append(_utf8(column))
    cursor.close()
    found = {t: Table(quoted(t), tuple(c), tuple(keys.get(t, ()))) for t, c in columns.items()}
    return found, kinds


def _snapshot(connection: Any) -> Any:
    from firebirdsql.fbcore import Transaction

    class Snapshot(Transaction):  # type: ignore[misc, unused-ignore]
        transaction_parameter_block = (_SNAPSHOT,) * 5

    made = Snapshot(connection)
    made.begin()
    return made


def _word(kind: _Column) -> str:
    """A type in SQL's words."""
    if kind.scale:
        return f"{'decimal' if kind.sub == 2 else 'numeric'}({_DIGITS.get(kind.number, 38)},{-kind.scale})"
    if kind.number == _BLOB:
        return f"blob sub_type {kind.sub}"
    word = _WORDS.get(kind.number, f"type {kind.number}")
    if kind.number in (_CHAR, _VARCHAR):
        return f"{word}({kind.length} bytes) {kind.charset}".rstrip()
    return word


_DIGITS = {_SHORT: 4, _LONG: 9, _INT64: 18}


def _form(name: str, table: str, column: str, kind: _Column) -> Form:
    place, number = quoted(column), kind.number
    if kind.dimensions or number not in _WORDS:
        what = f"table {table}, column {column}: its type is an array or one this reader does not know"
        raise SourceUnreadable(path=name, kind=KIND, reason=what)
    if number in (_DECFLOAT16, _DECFLOAT34, _INT128) or (kind.scale and number in (_SHORT, _LONG, _INT64)):
        return Form(place, str, _text)
    if number in (_SHORT, _LONG, _INT64):
        return Form(place, int)
    if number == _FLOAT:
        return Form(place, float, shortest)
    if number == _DOUBLE:
        return Form(place, float)
    if number == _BOOLEAN:
        return Form(place, bool)
    if number == _BLOB:
        return Form(place, str, _decoder(kind.charset)) if kind.sub == 1 else Form(place, bytes, bytes)
    if number in (_CHAR, _VARCHAR) and kind.charset == _OCTETS:
        # The driver strips what looks like blanks at the end of a CHAR.
        return Form(f"CAST({place} AS VARCHAR({kind.length}) CHARACTER SET OCTETS)", bytes, _bytes)
    if number in (_CHAR, _VARCHAR):
        return Form(f"TRIM(TRAILING FROM {place})" if number == _CHAR else place, str, _decoder(kind.charset))
    # Dates: the server's text knows no limit of a calendar.
    return Form(f"CAST({place} AS VARCHAR(64))", str)


def _bytes(text: str) -> bytes:
    return text.encode("latin-1")


def _utf8(text: str) -> str:
    return decode(_bytes(text)).rstrip(" ")


def _decoder(charset: str) -> Callable[[Any], str]:
    """What makes a text of what the driver carries, by the character set of its column."""
    from firebirdsql.consts import charset_map

    codec = None if charset in _SILENT else charset_map.get(charset, charset)
    if codec == "cp1252" or codec is None:
        # The bytes that Windows-1252 leaves unused keep their number.
        return lambda text: decode(_bytes(text)) if codec is None else _bytes(text).decode("cp1252", "transvase.unused")
    return lambda text: _bytes(text).decode(codec)


def _text(value: Any) -> str:
    return str(value) if isinstance(value, int) else plain(value)


def _translated(error: BaseException, name: str) -> TransvaseError:
    codes = set(getattr(error, "gds_codes", None) or ())
    if codes & _REFUSED:
        return SourceRefused(path=name)
    if codes & _MISSING:
        return SourceMissing(path=name)
    if codes & _LOCKED:
        return SourceLocked(path=name)
    if isinstance(error, UnicodeError):
        return SourceUnreadable(path=name, kind=KIND, reason="a text is not in the character set of its column")
    if isinstance(error, OSError | EOFError) or codes & _GONE or not codes:
        return SourceUnreachable(path=name)
    return SourceUnreadable(path=name, kind=KIND, reason=f"error {min(codes)}")
