"""Lines that tell a count agree with it: one is never told in the plural."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

from transvase.commands.export import division, summary
from transvase.commands.extract import cells_line, changes_line, files_line, received_line
from transvase.commands.session import counted
from transvase.errors import Said
from transvase.reports.findings import _verdict

DUE = ("missing", "refused", "blocked", "waiting")
FORMS = ("structured", "written", "carried", "plain", "repeated", "absent")


def in_words(said: Said, language: str) -> str:
    return said.fr if language == "fr" else said.en


def exported(n: int) -> dict[str, Any]:
    return {
        "patients": n,
        "documents": n,
        "orphans": 0,
        "source_documents": n,
        "forms": dict.fromkeys(FORMS, n),
        "set": "LOT.JSON",
        "archives": ["a"] * n,
        "oversize": [],
    }


def received(n: int) -> dict[str, int]:
    parts = ("documents", "packaging", "aside")
    return {"items": n, "bytes": n} | dict.fromkeys(parts, n) | {f"{p}_bytes": n for p in parts}


LINES: dict[str, Callable[[int, str], str]] = {
    "export": lambda n, language: summary(exported(n), "P", language),
    "set": lambda n, language: " ".join(division(exported(n), language)),
    "cells": lambda n, language: cells_line(
        {"cells": [dict.fromkeys(("source", "mapped", "native", "excluded"), n)]}, language
    ),
    "changes": lambda n, language: changes_line({"patient": {"new": n, "changed": n, "gone": n}}, language),
    "files": lambda n, language: files_line({"named": n, "read": n, "absent": n}, language),
    "received": lambda n, language: received_line(received(n), language),
    "verdict": lambda n, language: in_words(_verdict(dict.fromkeys(DUE, n) | {"waiting": -2 * n}, n, n), language),
    "waiting": lambda n, language: in_words(_verdict(dict.fromkeys(DUE, 0) | {"waiting": n}, 0, 0), language),
}
# Of a word with another meaning, or the same in both numbers.
_SAME = {"dans", "sans", "sur", "as", "mis", "is"}


@pytest.mark.parametrize("language", ["fr", "en"])
@pytest.mark.parametrize("name", LINES)
def test_one_is_told_in_the_singular_and_several_in_the_plural(name: str, language: str) -> None:
    one, several = LINES[name](1, language), LINES[name](3, language)
    following = re.findall(r"\b1 (\w+)(?: (\w+))?", one)
    assert following
    assert not [word for pair in following for word in pair if word.endswith("s") and word not in _SAME]
    assert one.replace("1", "3") != several and re.search(r"\b3 (\w+ )?\w+s\b", several)


@pytest.mark.parametrize(("n", "fr", "en"), [(0, "0 mot", "0 words"), (1, "1 mot", "1 word"), (2, "2 mots", "2 words")])
def test_nothing_is_singular_in_french_and_plural_in_english(n: int, fr: str, en: str) -> None:
    assert (counted(n, "mot", "mots", "word", "words", "fr"), counted(n, "mot", "mots", "word", "words", "en")) == (
        fr,
        en,
    )
