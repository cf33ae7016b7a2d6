"""What the fast acceptor accepts, libxml2 finds well-formed and valid: the official documents, ours, and damaged copies of both.

By hand: `python tests/conformity/test_schema_acceptor.py SHARED 20000 [SEED]` prints what was damaged, accepted, and left to libxml2.
"""

from __future__ import annotations

import re
import sys
import zipfile
from base64 import b64encode
from collections import Counter
from pathlib import Path
from random import Random

import pytest
from lxml import etree

pytest.importorskip("numba")

from transvase.exporters.cda import vsm
from transvase.formats.schema_acceptor import Acceptor, compile_schema

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parent))
    from cda_damage import Damage
else:
    from .cda_damage import Damage
    from .test_vsm_conformity import DOCTOR, PRACTICE, VARIANTS, document

pytestmark = [pytest.mark.shared, pytest.mark.slow]

# Valid for libxml2 and left to it: the ways that a damage, or an official document, has to be so.
LEFT = [
    ("a byte order mark", rb"\A\xef\xbb\xbf"),
    ("a declaration of another version or encoding", rb"\A<\?xml [^>]*(?:1\.1|ISO-8859-1)"),
    ("a document type", rb"<!DOCTYPE"),
    ("a CDATA section", rb"<!\[CDATA\["),
    ("another document around the CDA", rb"<xsl:stylesheet"),
    ("white space by reference where there is no text", rb">\s*(?:&#10;|&#32;|&#9;)\s*<"),
    ("a namespace that is not an absolute URI of a plain form", rb"xmlns(?::\w+)?\s*=\s*[\"'](?![A-Za-z][\w.-]*:[\w./:-]+[\"'])"),
    ("xsi:nil", rb"xsi:nil"),
    ("an attribute of XML", rb"\sxml:(?:lang|space|id)"),
    ("a URI that is not of a plain form", rb"<(?:[\w:]*telecom|reference)\s[^>]*value"),
    ("an identifier with white space", rb"\s(?:ID|IDREF|referencedObject)\s*=\s*[\"'](?:\s[^\"']*|[^\"']*\s|[^\"']*&#[^\"']*|[^\"']*\s\s[^\"']*|)[\"']"),
    ("a number with a sign, an exponent, too many digits or without one", rb"value\s*=\s*[\"'](?:\+|-?INF|NaN|-?\.|[\d.]*\.[\"']|[\d.+-]*[eE]|\d{16})"),
    ("a list of no name, which libxml2 lets pass", rb"styleCode\s*=\s*[\"']\s*[\"']"),
]  # fmt: skip


class Truth:
    """The acceptor of the official schema, and what libxml2 says."""

    def __init__(self, shared: Path) -> None:
        path = shared / "cisis" / "xsd" / "CDA_extended.xsd"
        self.acceptor: Acceptor = compile_schema(path)
        self.schema = etree.XMLSchema(etree.parse(path))

    def valid(self, data: bytes) -> bool:
        parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=True)
        try:
            return bool(self.schema.validate(etree.fromstring(data, parser)))
        except (etree.XMLSyntaxError, ValueError):
            return False


def official(shared: Path) -> dict[str, bytes]:
    """Every example of CDA, in files and in archives."""
    found = {path.name: path.read_bytes() for path in sorted((shared / "cisis" / "exemples").iterdir())}
    for path in sorted((shared / "xdm-examples").glob("*.zip")):
        with zipfile.ZipFile(path) as archive:
            for member in archive.namelist():
                if re.search(r"/DOC[^/]*\.XML$", member, re.IGNORECASE):
                    found[f"{path.name}/{member}"] = archive.read(member)
    return found


def level_1(data: bytes, size: int) -> bytes:
    """The header of a document around bytes in base64."""
    coded = b64encode(bytes(range(256)) * (size // 256))
    body = data.index(b"<component>")
    text = b'<component><nonXMLBody><text mediaType="application/pdf" representation="B64">' + coded
    return data[:body] + text + b"</text></nonXMLBody></component></ClinicalDocument>"


def damaged(
    truth: Truth, documents: dict[str, bytes], count: int, seed: int
) -> tuple[Counter[tuple[str, bool, bool]], list[tuple[str, str, bytes]]]:
    """How often each damage gave (valid, accepted), and the documents valid but left."""
    names = sorted({name for data in documents.values() for name in re.findall(rb"<([A-Za-z][\w:.-]*)", data)})
    sources = [(name, source) for name, data in documents.items() if (source := whole(data, names))]
    random = Random(seed)
    found: Counter[tuple[str, bool, bool]] = Counter()
    left = []
    for _ in range(count):
        name, source = random.choice(sources)
        way, data = source.once(random)
        if random.random() < 0.1 and (again := whole(data, names)):
            second, data = again.once(random)
            way = f"{way}, {second}"
        accepted, valid = truth.acceptor.accepts(data), truth.valid(data)
        assert valid or not accepted, f"{way} of {name} (seed {seed}): accepted, and libxml2 refuses it"
        found[way, valid, accepted] += 1
        if valid and not accepted:
            left.append((name, way, data))
    return found, left


def whole(data: bytes, names: list[bytes]) -> Damage | None:
    """What damages a document; None when its tags are not balanced, those in comments being tags too, or too few."""
    try:
        source = Damage(data, names)
    except IndexError:
        return None
    return source if len(source.small) > 1 else None


def reason(data: bytes, before: bytes) -> str | None:
    """Why a document may be left to libxml2, by what stands where it first differs from the one that is accepted."""
    at = next((at for at, (a, b) in enumerate(zip(data, before, strict=False)) if a != b), 0)
    start, end = data.rfind(b"<", 0, at + 1), data.find(b">", at + 12)
    around = data[max(0, start - 1) : end + 2]
    for name, expression in LEFT:
        if re.search(expression, data[:60] if expression.startswith(rb"\A") else around):
            return name
    return None


@pytest.fixture(scope="module")
def truth(shared) -> Truth:
    return Truth(shared)


@pytest.fixture(scope="module")
def ours(shared) -> dict[str, bytes]:
    known = vsm.attending_participant(DOCTOR, PRACTICE)
    made = {
        name: document(vsm.body(record, "1.2.250.1.213.9.9.13.7"), known).encode() for name, record in VARIANTS.items()
    }
    made["with-pdf-copy"] = document(
        vsm.body(VARIANTS["full"], "1.2.250.1.213.9.9.13.7", b"%PDF-1.7 " + b"x" * 999), known
    ).encode()
    made["level-1"] = level_1(made["full"], 110_000)
    return made


def test_official_documents(truth, shared):
    documents = official(shared)
    valid = {name for name, data in documents.items() if truth.valid(data)}
    accepted = {name for name, data in documents.items() if truth.acceptor.accepts(data)}
    assert accepted <= valid
    assert len(documents) > 100
    assert len(accepted) / len(valid) > 0.85
    unexplained = {n for n in valid - accepted if not any(re.search(e, documents[n]) for _, e in LEFT)}
    assert not unexplained


def test_every_form_of_synthesis_that_we_write_is_accepted(truth, ours):
    assert {name for name, data in ours.items() if not truth.acceptor.accepts(data)} == set()
    assert {name for name, data in ours.items() if not truth.valid(data)} == set()


def test_damaged_documents(truth, shared, ours):
    examples = {
        n: d for n, d in official(shared).items() if len(d) < 60_000 and "zip/" not in n and truth.acceptor.accepts(d)
    }
    documents = examples | {name: data for name, data in ours.items() if len(data) < 60_000}
    found, left = damaged(truth, documents, 2_000, seed=20261123)
    verdicts: Counter[tuple[bool, bool]] = Counter()
    for (_, valid, accepted), count in found.items():
        verdicts[valid, accepted] += count
    assert verdicts[True, True] > 500, "too few damages leave a valid document for the test to mean anything"
    assert verdicts[False, False] > 500, "too few damages make a wrong document for the test to mean anything"
    assert verdicts[True, False] < 0.1 * verdicts[True, True]
    # Of two damages at once, the first may hide the one that is the reason.
    unexplained = [(name, way) for name, way, data in left if "," not in way and reason(data, documents[name]) is None]
    assert unexplained == []


def main() -> None:
    """The long run, over every official document, those of a practice too when a folder of them is given."""
    shared, count, seed = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]) if len(sys.argv) > 3 else 1
    truth = Truth(shared)
    documents = {name: data for name, data in official(shared).items() if truth.acceptor.accepts(data)}
    for folder in sys.argv[4:]:
        documents |= {str(path): path.read_bytes() for path in Path(folder).rglob("*.xml")}
    found, left = damaged(truth, documents, count, seed)
    for (way, valid, accepted), number in sorted(found.items()):
        if "," not in way:
            print(f"{way:<20} {'valid' if valid else 'wrong':<6} {'accepted' if accepted else 'left':<9} {number}")
    reasons = Counter(reason(data, documents[name]) for name, _, data in left)
    print(f"{len(documents)} documents, {count} damages, {len(left)} valid and left to libxml2:")
    for name, number in reasons.most_common():
        print(f"  {number:>5} {name}")
    for name, way, data in left:
        if reason(data, documents[name]) is None:
            at = next((at for at, (a, b) in enumerate(zip(data, documents[name], strict=False)) if a != b), 0)
            print(name, way, data[max(0, at - 80) : at + 80])


if __name__ == "__main__":
    main()
