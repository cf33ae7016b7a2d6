"""The files of VIEWER/: the page with its script and texts, one small script per patient, one piece of the index per lot of patients.

A browser reads no neighbouring file of a local page but scripts, so data are scripts that call one function. Everything here is bytes of
values given; framing them into the archive belongs to `exporters.optional_part`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import orjson

from transvase.exporters.viewer import record
from transvase.exporters.viewer.labels import LANGUAGES, texts

FOLDER = "VIEWER"
_HERE = Path(__file__).parent


def _call(function: str, argument: Any) -> bytes:
    data = orjson.dumps(argument)
    # The name of a copy is that of the ZIP, whatever it holds.
    if b"\xe2\x80" in data or b"\xe2\x81" in data:
        data = record.UNSEEN.sub(lambda m: f"\\u{ord(m[0]):04x}", data.decode()).encode()
    return b"TRANSVASE." + function.encode() + b"(" + data + b");\n"


def page(practice: str, date: str, archive: str, shards: Iterable[int]) -> Iterator[tuple[str, bytes]]:
    """(path, bytes) of what does not depend on a patient. `date` is ISO, `shards` the names of the pieces of the index."""
    for name in ("index.html", "app.js", "style.css"):
        yield f"{FOLDER}/{name}", (_HERE / name).read_bytes()
    shape = {
        "sections": record.SECTIONS,
        "order": record.ORDER,
        "always": record.ALWAYS,
        "identity": record.IDENTITY,
        "told": record.TOLD,
    }
    yield f"{FOLDER}/labels.js", _call("labels", {**{language: texts(language) for language in LANGUAGES}, **shape})
    about = {
        "practice": record.inert(practice),
        "date": date,
        "archive": archive,
        "shards": [f"{number:06d}" for number in shards],
    }
    yield f"{FOLDER}/practice.js", _call("practice", about)


def patient(number: int, size: int, sha256: str, view: record.View, beside: bool) -> tuple[str, bytes]:
    """A patient's script, under their number in the whole export; the name of their ZIP is told by the index, since it depends on the
    archive they travel in. `size` and `sha256` are those of the ZIP; `beside` says that the copies of the documents are in the viewer."""
    facts = {"number": f"{number:06d}", "size": size, "sha256": sha256, "beside": beside, **view._asdict()}
    return f"{FOLDER}/data/{number // 1000:03d}/{number:06d}.js", _call("patient", facts)


def line(number: int, row: Any) -> list[str | None]:
    """What the list of patients holds of one: number in the whole export, names, birth date, sex, record number."""
    family, given = row.birth_family or row.used_family, row.birth_given or row.used_given
    used = " ".join(v for v in (row.used_family, row.used_given) if v and v not in (family, given))
    texts_of = (family, given, used, row.birth_date, row.sex, row.key)
    return [f"{number:06d}", *(record.inert(v) if v else None for v in texts_of)]


def shard(lines: Iterable[list[str | None]], number: int) -> bytes:
    """A piece of the index: the lines, each with the name of the patient's ZIP, counted from `number`."""
    return _call("index", [[f"PAT{number + rank:05d}.ZIP", *line] for rank, line in enumerate(lines)])


def shard_path(first: int) -> str:
    """Where the piece of the index is whose first patient has that number in the whole export."""
    return f"{FOLDER}/index/{first:06d}.js"
