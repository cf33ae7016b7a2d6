"""The chain of run records: one canonical JSON file per entry in `runs/` of the work folder, an opening before a run and a closing
after it, each holding the digests of the entry before and of its signature. What a run did is told by `assets.evidence`; who signs
and how signatures and time-stamps are checked belong to `assets.replay`.

An entry is written once and never again: signature first, then the record under its final name, then `head.json`, which says how many
entries there are. A run holds a lock of its own as long as its process lives, so that a killed one is told from one under way.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from transvase.errors import OutputUnwritable, Said
from transvase.formats import files

RUNS = "runs"
FORMAT = "transvase-run/1"
_HEAD = "head.json"
_NOTHING = {"records": 0, "record": "", "signature": "", "open": [], "unstamped": []}

Facts = dict[str, Any]
# The detached signature of some bytes.
Sign = Callable[[bytes], bytes]


class Signing(NamedTuple):
    """Who signs the entries: SHA-256 of the certificate, and the function."""

    certificate: str
    sign: Sign


def name(number: int) -> str:
    """The name of an entry without its ending: `.json`, `.p7s` for its signature, `.tsr` for its time-stamp."""
    return f"{number:06d}"


def canonical(facts: Facts) -> bytes:
    """The one spelling of an entry: UTF-8 JSON, keys sorted, nothing between them."""
    return orjson.dumps(facts, option=orjson.OPT_SORT_KEYS)


def digest(data: bytes) -> str:
    """SHA-256 in hexadecimal, empty for what is not there."""
    return hashlib.sha256(data).hexdigest() if data else ""


class Lock:
    """A lock that goes with the process, however it ends, on every system: that of a database connection."""

    def __init__(self, path: Path, wait: float) -> None:
        self.path = path
        try:
            self._base = sqlite3.connect(path, isolation_level=None, timeout=wait, check_same_thread=False)
        except sqlite3.Error as error:
            raise _unwritable(path, error) from None
        try:
            self._base.execute("BEGIN EXCLUSIVE")
        except sqlite3.Error as error:
            self._base.close()
            if getattr(error, "sqlite_errorname", "").startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
                raise Held from None
            raise _unwritable(path, error) from None

    def release(self) -> None:
        """Let go."""
        self._base.close()


class Held(Exception):
    """Another process, or another run of this one, holds the lock."""


def _unwritable(path: Path, error: sqlite3.Error) -> OutputUnwritable:
    return OutputUnwritable(path=path.name, reason=getattr(error, "sqlite_errorname", type(error).__name__))


class Runs:
    """The records of a work folder, for writing. `at` is the instant of each entry, aware."""

    def __init__(self, work: Path, signing: Signing | None = None) -> None:
        self.folder = work / RUNS
        self._signing = signing
        self._lives: dict[int, Lock] = {}

    def begin(self, facts: Facts, at: datetime) -> int:
        """Write the opening of a run; its number. Runs that were killed are closed as interrupted first."""
        files.private_folder(self.folder)
        with self._turn():
            self._settle(at)
            head = self._head()
            number = self._next(head)
            with suppress(Held):
                self._lives[number] = Lock(self._lock(number), 0)
            self._write(
                {"kind": "opening", "unstamped": head["unstamped"], **facts}, number, at, open=[*head["open"], number]
            )
        return number

    def end(self, run: int, facts: Facts, at: datetime, *, stamped: bool = False) -> int:
        """Write the closing of a run; its number. `stamped` says that an authority is to stamp it."""
        with self._turn():
            head = self._head()
            number = self._next(head)
            self._write(
                {"kind": "closing", "run": run, "stamp": stamped, **facts},
                number,
                at,
                open=[n for n in head["open"] if n != run],
                unstamped=[*head["unstamped"], *([number] if stamped else [])],
            )
        self._released(run)
        return number

    def stamped(self, number: int, token: bytes) -> None:
        """Keep the time-stamp of an entry."""
        with self._turn():
            files.write(self.folder / f"{name(number)}.tsr", token)
            head = self._head()
            files.write(
                self.folder / _HEAD,
                canonical(head | {"unstamped": [n for n in head["unstamped"] if n != number]}),
            )

    @contextmanager
    def journal(self) -> Iterator[tuple[int, Callable[[int], None]]]:
        """Up to which entry the audit repository took everything, and a function that keeps another number. One at a time."""
        path = self.folder / "journal.json"
        with self._turn("journal.lock"):
            try:
                taken = int(orjson.loads(path.read_bytes())["taken"])
            except (OSError, ValueError, KeyError, TypeError):
                # Nothing taken yet, or nobody knows: twice is better than not at all.
                taken = 0
            yield taken, lambda number: files.write(path, canonical({"taken": number}))

    def data(self, number: int) -> bytes:
        """The bytes of an entry."""
        return (self.folder / f"{name(number)}.json").read_bytes()

    @contextmanager
    def _turn(self, name: str = "writing.lock") -> Iterator[None]:
        """One writer at a time: number and digest follow from what stands there."""
        try:
            lock = Lock(self.folder / name, 30)
        except Held:
            raise OutputUnwritable(path=RUNS, reason="SQLITE_BUSY") from None
        try:
            yield
        except OSError as error:
            raise files.output_error(error, self.folder) from None
        finally:
            lock.release()

    def _lock(self, number: int) -> Path:
        return self.folder / f"{name(number)}.lock"

    def _released(self, number: int) -> None:
        lock = self._lives.pop(number, None)
        if lock is not None:
            lock.release()
            with suppress(OSError):
                lock.path.unlink()

    def _settle(self, at: datetime) -> None:
        """Close what was killed: its opening stands alone, and nobody holds its lock."""
        for number in self._head()["open"]:
            if number in self._lives or alive(self.folder, number):
                continue
            head = self._head()
            self._write(
                {"kind": "closing", "run": number, "outcome": "interrupted", "exit_code": None},
                self._next(head),
                at,
                open=[n for n in head["open"] if n != number],
            )
        for path in self.folder.glob("[0-9]*.lock"):
            # Also of a run that was killed between its closing and this.
            if path.stem.isdecimal() and int(path.stem) not in self._lives and not alive(self.folder, int(path.stem)):
                with suppress(OSError):
                    path.unlink()

    def _head(self) -> Facts:
        """The last entry by `head.json`; caught up when a kill fell between an entry and its head."""
        found = read_head(self.folder)
        last = max(numbers(self.folder), default=0)
        if found is None:
            # Lost, or the first run. What stands there is gone on from, and says so (`replay` names it).
            return _NOTHING | ({"lost": True, **self._digests(last), "records": last} if last else {})
        if last == found["records"] + 1:
            entry = parsed(self.data(last))
            if entry is not None and entry.get("previous") == {k: found[k] for k in ("record", "signature")}:
                opened = [n for n in found["open"] if n != entry.get("run")]
                return (
                    found
                    | self._digests(last)
                    | {
                        "records": last,
                        "open": [*opened, last] if entry.get("kind") == "opening" else opened,
                    }
                )
        return found

    def _digests(self, number: int) -> Facts:
        path = self.folder / f"{name(number)}.p7s"
        return {"record": digest(self.data(number)), "signature": digest(path.read_bytes() if path.is_file() else b"")}

    def _next(self, head: Facts) -> int:
        # Never the number of an entry that was taken away: the hole must stay seen.
        return max([int(head["records"]), *numbers(self.folder)]) + 1

    def _write(self, facts: Facts, number: int, at: datetime, **changed: Any) -> None:
        head = self._head()
        entry = {
            **facts,
            "format": FORMAT,
            "number": number,
            "at": at.isoformat(),
            "previous": {"record": head["record"], "signature": head["signature"]},
            "signer": self._signing.certificate if self._signing else "",
        }
        if head.pop("lost", False):
            entry["head_lost"] = True
        data = canonical(entry)
        signature = self._signing.sign(data) if self._signing else b""
        # Signature first: a signed entry never stands without it.
        if signature:
            files.write(self.folder / f"{name(number)}.p7s", signature)
        files.write(self.folder / f"{name(number)}.json", data)
        head |= changed | {"records": number, "record": digest(data), "signature": digest(signature)}
        files.write(self.folder / _HEAD, canonical(head))


def alive(folder: Path, number: int) -> bool:
    """Whether the process of that run still lives."""
    path = folder / f"{name(number)}.lock"
    if not path.is_file():
        return False
    try:
        Lock(path, 0).release()
    except Held:
        return True
    return False


def numbers(folder: Path) -> list[int]:
    """Numbers of the entries that stand in a folder, in order."""
    return sorted(int(p.stem) for p in folder.glob("[0-9]*.json") if p.stem.isdecimal() and name(int(p.stem)) == p.stem)


def parsed(data: bytes) -> Facts | None:
    """The entry of these bytes; None when they are not the one spelling of an object of this format."""
    try:
        found = orjson.loads(data)
    except orjson.JSONDecodeError:
        return None
    return found if isinstance(found, dict) and found.get("format") == FORMAT and canonical(found) == data else None


def read_head(folder: Path) -> Facts | None:
    """What `head.json` says; None when it is absent or not of its form."""
    try:
        found = orjson.loads((folder / _HEAD).read_bytes())
    except (OSError, orjson.JSONDecodeError):
        return None
    whole = isinstance(found, dict) and found.keys() == _NOTHING.keys()
    return found if whole and all(type(found[k]) is type(v) for k, v in _NOTHING.items()) else None


class Entry(NamedTuple):
    """An entry as it stands: its bytes, its facts, its signature (empty when unsigned)."""

    number: int
    data: bytes
    facts: Facts
    signature: bytes

    @property
    def at(self) -> datetime:
        """Its instant by the machine's clock."""
        return datetime.fromisoformat(self.facts["at"])


class Link(NamedTuple):
    """A link of the chain that does not hold: the entry at fault, and why."""

    number: int
    why: Said


_ABSENT = Said("il manque", "it is missing")
_FORM = Said("ce n'est plus le fichier qui a été écrit", "it is no longer the file that was written")
_NUMBER = Said("il porte le numéro d'un autre", "it bears the number of another one")
_FOLLOWS = Said(
    "il ne suit pas celui d'avant : l'un des deux a été changé, ou un autre a été retiré",
    "it does not follow from the one before: one of the two was changed, or another one was taken away",
)
_SIGNATURE = Said(
    "sa signature n'est pas celle que le suivant a vue", "its signature is not the one that the next entry saw"
)
_UNSIGNED = Said("il se dit signé et sa signature manque", "it says that it is signed and its signature is missing")
_UNASKED = Said("une signature l'accompagne et il ne se dit pas signé", "a signature goes with an unsigned entry")
_RUN = Said("il clôt une exécution qui n'est pas ouverte", "it closes a run that is not open")
_LOST = Said(
    "la tête de chaîne avait disparu quand il a été écrit", "the head of the chain had gone when it was written"
)
_HEADLESS = Said(
    "la tête de chaîne (head.json) manque ou est illisible", "the head (head.json) is missing or unreadable"
)
_TAIL = Said("la tête de chaîne l'annonce et il manque", "the head of the chain tells of it and it is missing")
_LAST = Said("ce n'est pas celui que la tête de chaîne annonce", "it is not the one that the head tells of")


def entries(folder: Path, unsound: Callable[[Entry], Said | None] = lambda entry: None) -> Iterator[Entry | Link]:
    """The entries in order, then the first link of the chain that does not hold, if any, after which nothing is given.

    `unsound` says what is wrong with an entry by itself (its signature): asked before its links, so that a changed entry is told
    from one whose neighbour changed."""
    standing = numbers(folder)
    previous, opened = {"record": "", "signature": ""}, set[int]()
    last: Entry | None = None
    for number in range(1, max(standing, default=0) + 1):
        try:
            data = (folder / f"{name(number)}.json").read_bytes()
            path = folder / f"{name(number)}.p7s"
            signature = path.read_bytes() if path.is_file() else b""
        except OSError:
            yield Link(number, _ABSENT)
            return
        facts = parsed(data)
        if facts is None or not _formed(facts):
            yield Link(number, _FORM)
            return
        entry = Entry(number, data, facts, signature)
        if bool(facts["signer"]) != bool(signature):
            yield Link(number, _UNASKED if signature else _UNSIGNED)
            return
        if (why := unsound(entry)) is not None:
            yield Link(number, why)
            return
        if (why := _wrong(facts, number, previous, opened)) is not None:
            # What the entry saw of the signature before is told apart: there the record itself may be whole.
            changed = facts["previous"]["record"] == previous["record"] and why is _FOLLOWS
            yield Link(number - 1, _SIGNATURE) if changed else Link(number, why)
            return
        previous = {"record": digest(data), "signature": digest(signature)}
        last = entry
        yield last
    head = read_head(folder)
    if head is None:
        yield Link(last.number if last else 0, _HEADLESS)
    elif head["records"] > (last.number if last else 0):
        yield Link(last.number + 1 if last else 1, _TAIL)
    elif last is not None and not _announced(head, last, previous):
        yield Link(last.number, _LAST)


def _announced(head: Facts, last: Entry, digests: Facts) -> bool:
    """The head tells of the last entry, or of the one before when a kill fell between the two."""
    told = {"record": head["record"], "signature": head["signature"]}
    return (head["records"], told) == (last.number, digests) or (
        (head["records"], told) == (last.number - 1, last.facts["previous"])
    )


def _formed(facts: Facts) -> bool:
    try:
        aware = datetime.fromisoformat(facts["at"]).tzinfo is not None
    except (KeyError, TypeError, ValueError):
        return False
    previous = facts.get("previous")
    return (
        aware
        and isinstance(previous, dict)
        and previous.keys() == {"record", "signature"}
        and facts.get("kind") in ("opening", "closing")
        and isinstance(facts.get("signer"), str)
    )


def _wrong(facts: Facts, number: int, previous: Facts, opened: set[int]) -> Said | None:
    """Why an entry does not go on from the one before; `opened` follows the runs under way."""
    if facts.get("number") != number:
        return _NUMBER
    if facts.get("head_lost"):
        return _LOST
    if facts["previous"] != previous:
        return _FOLLOWS
    if facts["kind"] == "opening":
        opened.add(number)
    elif facts.get("run") in opened:
        opened.discard(facts["run"])
    else:
        return _RUN
    return None


def unstamped(work: Path) -> list[int]:
    """The entries that an authority was to stamp and that have no time-stamp, in order."""
    folder = work / RUNS
    waiting = []
    for number in numbers(folder):
        facts = parsed((folder / f"{name(number)}.json").read_bytes())
        if facts is not None and facts.get("stamp") and not (folder / f"{name(number)}.tsr").is_file():
            waiting.append(number)
    return waiting
