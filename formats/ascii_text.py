"""Seven-bit text for README files (PORT-54) and names that every file system takes (PORT-50)."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

_LIGATURES = str.maketrans({"œ": "oe", "Œ": "OE", "æ": "ae", "Æ": "AE", "ß": "ss", "’": "'", "‘": "'", "«": '"', "»": '"', "–": "-",
                            "—": "-", "€": "EUR", "…": "...", "°": "o", "\u00a0": " ", "\u202f": " "})  # fmt: skip
# Refused by at least one of the file systems an archive meets: the control characters and these.
_REFUSED = re.compile(r'[\x00-\x1f\x7f<>:"/\\|?*]+')


def transliterate(value: str) -> str:
    """ASCII of a text: accents dropped, ligatures opened, anything else a question mark."""
    plain = unicodedata.normalize("NFKD", value.translate(_LIGATURES))
    return "".join(c for c in plain if not unicodedata.combining(c)).encode("ascii", "replace").decode()


def readme(lines: list[str]) -> bytes:
    """Lines as 7-bit ASCII with CRLF."""
    return "".join(transliterate(line) + "\r\n" for line in lines).encode("ascii")


@lru_cache(maxsize=65536)
def file_part(value: str, most: int = 40) -> str:
    """A part of a file name: refused characters become a hyphen, spaces stay, no dot or space at an end."""
    kept = _REFUSED.sub("-", unicodedata.normalize("NFC", value))[:most].strip(" .")
    return kept or "-"
