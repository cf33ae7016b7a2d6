"""The order in which the characters of a line stand on the page, from left to right, when some are read from right to left.

A line of a French document goes from left to right; words of Hebrew, Arabic and their kin inside it are turned, numbers in them are
not: the rules of Unicode (UAX 9) for such a line, without embeddings and overrides, which `typeface` shows as `[U+XXXX]`, and without
pairs of brackets. Readers of PDF take the order of the page and turn these words back: search and copy find each as it was typed, and
a line of that direction whole. Lines are turned after they were cut; how characters look belongs to `typeface`.
"""

from __future__ import annotations

import re
import unicodedata

# Classes of Unicode: a letter read from right to left, a mark (of the letter before it), a number, its separator, a space, left to right.
_CLASSES = {"R": "R", "AL": "R", "NSM": "M", "EN": "N", "AN": "N", "ES": "S", "CS": "S", "WS": "W", "L": "L"}
# From the first letter read from right to left to the last with no word of another direction between, and the number that follows.
_TURNED = re.compile(r"R(?:[^L]*[RM])?(?:W?N(?:S?N)*)?")
_NUMBER = re.compile(r"N(?:S?N)*")
_ANY = re.compile("[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufeff]")
_MIRROR = str.maketrans("()[]{}<>«»", ")(][}{><»«")


def shown(line: str) -> str:
    """The characters of a line from left to right."""
    if not _ANY.search(line):
        return line
    kinds = "".join(_CLASSES.get(unicodedata.bidirectional(char), "O") for char in line)
    parts, end = [], 0
    for run in _TURNED.finditer(kinds):
        parts += [line[end : run.start()], _turned(line[run.start() : run.end()], run.group())]
        end = run.end()
    return "".join(parts) + line[end:]


def _turned(text: str, kinds: str) -> str:
    parts, end = [], 0
    for number in _NUMBER.finditer(kinds):
        parts += [text[end : number.start()].translate(_MIRROR), text[number.start() : number.end()][::-1]]
        end = number.end()
    parts.append(text[end:].translate(_MIRROR))
    return "".join(parts)[::-1]
