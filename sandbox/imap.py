"""The least of IMAP4rev1 (RFC 3501) that serves a mailbox to its software: CAPABILITY, AUTHENTICATE, SELECT, EXAMINE, UID SEARCH, UID
FETCH, UID STORE, NOOP, CLOSE, LOGOUT, over TLS with a client certificate. Strict: what is not listed is BAD.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import re
import ssl
from email.message import Message
from email.parser import BytesParser

from transvase.sandbox.mailboxes import INBOX, SENT, Mailboxes
from transvase.sandbox.service import accepting

_LINE_MAX = 64 * 1024
_TOKEN = re.compile(r'"((?:[^"\\]|\\["\\])*)"|\(([^()]*(?:\([^()]*\)[^()]*)*)\)|([^\s()"]+)')
_FIELDS = re.compile(r"BODY\.PEEK\[HEADER\.FIELDS \(([A-Z -]+)\)\]", re.IGNORECASE)


class _Bad(Exception):
    """A command that is not understood: the text says why."""


def listening(
    mailboxes: Mailboxes, owner: str, token: str, tls: ssl.SSLContext, host: str, port: int
) -> contextlib.AbstractAsyncContextManager[int]:
    """Serve the mailbox `owner` until the block ends; gives the port. The certificate opens it (EXTERNAL), or `token` (XOAUTH2)."""
    return accepting(
        lambda reader, writer: _Session(mailboxes, owner, token, reader, writer).converse(), tls, host, port, _LINE_MAX
    )


class _Session:
    """One connection."""

    def __init__(
        self, mailboxes: Mailboxes, owner: str, token: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self._mailboxes, self._owner, self._token = mailboxes, owner, token
        self._reader, self._writer = reader, writer
        self._known = False
        self._folder = ""
        self._readonly = True

    async def converse(self) -> None:
        """Until the client leaves."""
        try:
            self._say("* OK IMAP4rev1 bac a sable")
            while line := await self._line():
                tag, _, rest = line.partition(" ")
                name, _, rest = rest.partition(" ")
                if not re.fullmatch(r"[A-Za-z0-9.]{1,32}", tag):
                    self._say("* BAD no tag")
                    continue
                try:
                    ended = await self._command(tag, name.upper(), rest)
                except _Bad as problem:
                    self._say(f"{tag} BAD {problem}")
                    ended = False
                await self._writer.drain()
                if ended:
                    return
        except (OSError, EOFError, asyncio.LimitOverrunError, ValueError):
            self._writer.transport.abort()
        finally:
            self._writer.close()

    def _say(self, line: str) -> None:
        self._writer.write(line.encode("ascii") + b"\r\n")

    async def _line(self) -> str:
        try:
            data = await self._reader.readuntil(b"\r\n")
        except asyncio.IncompleteReadError:
            return ""
        return data[:-2].decode("ascii")

    async def _command(self, tag: str, name: str, rest: str) -> bool:
        if name == "CAPABILITY":
            self._say(
                "* CAPABILITY IMAP4rev1 LOGINDISABLED SASL-IR AUTH=EXTERNAL" + " AUTH=XOAUTH2" * bool(self._token)
            )
        elif name == "LOGOUT":
            self._say("* BYE bye")
            self._say(f"{tag} OK done")
            return True
        elif name == "NOOP":
            pass
        elif name == "AUTHENTICATE":
            return await self._authenticate(tag, rest)
        elif not self._known:
            raise _Bad("not authenticated")
        elif name in ("SELECT", "EXAMINE"):
            return self._select(tag, rest, name == "EXAMINE")
        elif not self._folder:
            raise _Bad("no folder is selected")
        elif name == "CLOSE":
            self._folder = ""
        elif name == "UID":
            verb, _, words = rest.partition(" ")
            {"SEARCH": self._search, "FETCH": self._fetch, "STORE": self._store}.get(verb.upper(), _unknown)(words)
        else:
            raise _Bad("unknown command")
        self._say(f"{tag} OK done")
        return False

    async def _authenticate(self, tag: str, rest: str) -> bool:
        mechanism, _, first = rest.partition(" ")
        if not first:
            self._say("+ ")
            await self._writer.drain()
            first = await self._line()
        try:
            answer = "" if first == "=" else base64.b64decode(first, validate=True).decode()
        except ValueError:
            raise _Bad("the answer is not base64") from None
        if mechanism.upper() == "EXTERNAL" and not self._token:
            self._known = answer in ("", self._owner)
        elif mechanism.upper() == "XOAUTH2" and self._token:
            self._known = answer == f"user={self._owner}\x01auth=Bearer {self._token}\x01\x01"
        self._say(f"{tag} OK done" if self._known else f"{tag} NO authentication failed")
        return False

    def _select(self, tag: str, rest: str, readonly: bool) -> bool:
        (name,) = _words(rest) or [""]
        name = INBOX if name.upper() == INBOX else name
        if name not in (INBOX, SENT):
            self._folder = ""
            self._say(f"{tag} NO no such folder")
            return False
        self._folder, self._readonly = name, readonly
        uids = self._mailboxes.uids(self._owner, name)
        self._say("* FLAGS (\\Seen)")
        self._say(f"* {len(uids)} EXISTS")
        self._say("* 0 RECENT")
        self._say("* OK [UIDVALIDITY 1] ok")
        self._say(f"* OK [UIDNEXT {max(uids, default=0) + 1}] ok")
        self._say(f"{tag} OK [{'READ-ONLY' if readonly else 'READ-WRITE'}] done")
        return False

    def _search(self, words: str) -> None:
        keys = _words(words)
        uids = self._mailboxes.uids(self._owner, self._folder)
        if [k.upper() for k in keys] == ["UNSEEN"]:
            uids = [u for u in uids if (self._owner, self._folder, u) not in self._mailboxes.seen]
        elif len(keys) == 3 and keys[0].upper() == "HEADER":
            wanted = keys[2].lower()
            uids = [u for u in uids if wanted in str(self._head(u).get(keys[1], "")).lower()]
        elif [k.upper() for k in keys] != ["ALL"]:
            raise _Bad("search key")
        self._say(" ".join(["* SEARCH", *map(str, uids)]))

    def _head(self, uid: int) -> Message:
        return BytesParser().parsebytes(self._mailboxes.get(self._owner, self._folder, uid), headersonly=True)

    def _chosen(self, text: str) -> list[tuple[int, int]]:
        """(sequence number, uid) of a set of uids."""
        uids = self._mailboxes.uids(self._owner, self._folder)
        wanted: set[int] = set()
        for part in text.split(","):
            low, _, high = part.partition(":")
            if not low.isdigit() or not (high.isdigit() or high in ("", "*")):
                raise _Bad("set of uids")
            end = max(uids, default=0) if high == "*" else int(high or low)
            wanted.update(u for u in uids if int(low) <= u <= end)
        return [(n, u) for n, u in enumerate(uids, 1) if u in wanted]

    def _fetch(self, words: str) -> None:
        chosen, _, items = words.partition(" ")
        items = items.removeprefix("(").removesuffix(")").strip()
        fields = _FIELDS.search(items)
        rest = set(_FIELDS.sub("", items).upper().split())
        if rest - {"UID", "RFC822.SIZE", "FLAGS", "BODY.PEEK[]"}:
            raise _Bad("item")
        for number, uid in self._chosen(chosen):
            data = self._mailboxes.get(self._owner, self._folder, uid)
            told = [f"UID {uid}"]
            if "RFC822.SIZE" in rest:
                told.append(f"RFC822.SIZE {len(data)}")
            if "FLAGS" in rest:
                seen = (self._owner, self._folder, uid) in self._mailboxes.seen
                told.append(f"FLAGS ({chr(92) + 'Seen' if seen else ''})")
            literal, label = b"", ""
            if fields:
                names = fields[1].upper().split()
                head = BytesParser().parsebytes(data, headersonly=True)
                lines = [f"{n}: {v}\r\n" for n, v in head.items() if n.upper() in names]
                literal, label = (
                    "".join(lines).encode("ascii", "replace") + b"\r\n",
                    f"BODY[HEADER.FIELDS ({fields[1]})]",
                )
            elif "BODY.PEEK[]" in rest:
                literal, label = data, "BODY[]"
            start = f"* {number} FETCH ({' '.join(told)}"
            if label:
                self._writer.write(f"{start} {label} {{{len(literal)}}}\r\n".encode("ascii") + literal + b")\r\n")
            else:
                self._say(f"{start})")

    def _store(self, words: str) -> None:
        if self._readonly:
            raise _Bad("the folder is read-only")
        chosen, _, change = words.partition(" ")
        verb, _, flags = change.partition(" ")
        if verb.upper() not in ("+FLAGS", "-FLAGS") or flags.strip().lower() != "(\\seen)":
            raise _Bad("flags")
        for number, uid in self._chosen(chosen):
            key = (self._owner, self._folder, uid)
            (self._mailboxes.seen.add if verb[0] == "+" else self._mailboxes.seen.discard)(key)
            self._say(f"* {number} FETCH (UID {uid} FLAGS ({chr(92) + 'Seen' if verb[0] == '+' else ''}))")


def _unknown(words: str) -> None:
    raise _Bad("unknown command")


def _words(text: str) -> list[str]:
    """Quoted strings and atoms of a command."""
    found = []
    for quoted, group, atom in _TOKEN.findall(text):
        found.append(atom or group or re.sub(r"\\(.)", r"\1", quoted))
    return found
