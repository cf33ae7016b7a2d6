"""From a schema to an acceptor: what is needed, what is refused at once, and what an acceptor is worth afterwards."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from transvase.formats.schema_acceptor import Unsupported, compile_schema
from transvase.formats.schema_acceptor.tables import packed

SCHEMA = """<xs:element name="r"><xs:complexType mixed="true"><xs:choice minOccurs="0" maxOccurs="unbounded"><xs:element name="e">
<xs:complexType><xs:attribute name="v" type="word" use="required"/><xs:attribute name="ID" type="xs:ID"/></xs:complexType></xs:element>
</xs:choice></xs:complexType></xs:element>"""
GOOD = b'<r xmlns="urn:a">text<e v="a" ID="i"/><e v="a"/><e v="&#233;"/></r>'
BAD = b'<r xmlns="urn:a">text<e v="a" ID="i"/><e v="a"/><e v="a b"/></r>'

XSD = '<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema" targetNamespace="urn:a">{}</xs:schema>'

REFUSED = [
    ("a file that is not there", '<xs:include schemaLocation="absent.xsd"/>', "absent.xsd"),
    ("a file that is not XML", '<xs:include schemaLocation="broken.xsd"/>', "broken.xsd"),
    ("a redefinition", '<xs:redefine schemaLocation="a.xsd"/>', "redefine"),
    ("a name twice", '<xs:element name="x"/><xs:element name="x"/>', "x"),
    ("an import of another namespace", '<xs:import namespace="urn:c" schemaLocation="b.xsd"/>', "namespace"),
    ("no element", "", "without an element"),
]


@pytest.mark.parametrize(("content", "named"), [pytest.param(c, n, id=i) for i, c, n in REFUSED])
def test_a_schema_of_which_nothing_can_be_made(tmp_path, content, named):
    (tmp_path / "a.xsd").write_text(XSD.format(content), encoding="utf-8")
    (tmp_path / "b.xsd").write_text(XSD.format("").replace("urn:a", "urn:b"), encoding="utf-8")
    (tmp_path / "broken.xsd").write_text("<xs:schema", encoding="utf-8")
    with pytest.raises(Unsupported, match=named):
        packed(tmp_path / "a.xsd")


def test_a_file_is_not_taken_from_the_network(tmp_path):
    (tmp_path / "a.xsd").write_text(
        XSD.format('<xs:include schemaLocation="http://localhost:9/b.xsd"/>'), encoding="utf-8"
    )
    with pytest.raises(Unsupported):
        packed(tmp_path / "a.xsd")


def test_without_numba_the_caller_is_told(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "numba", None)
    with pytest.raises(Unsupported, match="numba is not installed"):
        compile_schema(tmp_path / "a.xsd")


def test_the_package_does_not_load_numba():
    code = "import sys, transvase.formats.schema_acceptor; sys.exit('numba' in sys.modules or 'numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_files_that_include_each_other(tmp_path):
    (tmp_path / "a.xsd").write_text(
        XSD.format('<xs:include schemaLocation="b.xsd"/><xs:element name="r"/>'), encoding="utf-8"
    )
    (tmp_path / "b.xsd").write_text(XSD.format('<xs:include schemaLocation="a.xsd"/>'), encoding="utf-8")
    with pytest.raises(Unsupported, match="without an element"):
        packed(tmp_path / "a.xsd")
    typed = '<xs:include schemaLocation="b.xsd"/><xs:element name="r"><xs:complexType/></xs:element>'
    (tmp_path / "a.xsd").write_text(XSD.format(typed), encoding="utf-8")
    assert packed(tmp_path / "a.xsd")


def test_a_pickled_acceptor_answers_as_before(judge):
    again = pickle.loads(pickle.dumps(judge.acceptor))
    assert [again.accepts(d) for d in (GOOD, BAD)] == [judge.acceptor.accepts(d) for d in (GOOD, BAD)] == [True, False]


def test_threads_do_not_disturb_each_other(judge):
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(judge.acceptor.accepts, [GOOD, BAD] * 500))
    assert answers == [True, False] * 500


def test_documents_do_not_disturb_each_other(judge):
    documents = [GOOD, BAD, GOOD[:-3], GOOD.replace(b'ID="i"', b'ID="j"'), b"<" * 40, GOOD]
    assert [judge(d) for d in documents] == ["accepted", "refused", "refused", "accepted", "refused", "accepted"]


WITH_BOUNDS = """
import sys
from pathlib import Path
from random import Random
from transvase.formats.schema_acceptor import compile_schema
acceptor = compile_schema(Path(sys.argv[1]))
good = sys.argv[2].encode()
assert acceptor.accepts(good)
random = Random(1)
tried = [good[:end] for end in range(len(good))] + [good[start:] for start in range(len(good))]
for _ in range(5000):
    at = random.randrange(len(good))
    tried.append(good[:at] + random.choice([b"", b"<", b"&", b"\\xc3", b"\\xe2", b"\\xf0", b"]", b"-", b"?", b"'", b":"]) + good[at + random.randrange(3):])
    tried.append(tried[-1][: random.randrange(len(good))])
for data in tried:
    acceptor.accepts(data)
print(len(tried))
"""


@pytest.mark.slow
def test_no_read_is_out_of_bounds(judge, tmp_path):
    """The same pass, compiled with checks of every index, on documents cut and damaged everywhere."""
    whole = '<?xml version="1.0"?><!-- é --><?p é?><r xmlns="urn:a" xmlns:b="urn:b">é&#233;]]<e v="é&amp;" ID="i"/><e v=\'a\'/><!--a--></r>'
    run = subprocess.run(
        [sys.executable, "-c", WITH_BOUNDS, str(judge.path), whole],
        env={**os.environ, "NUMBA_BOUNDSCHECK": "1", "NUMBA_CACHE_DIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr[-2000:]
    assert int(run.stdout) > 10_000
    assert list(tmp_path.rglob("*.nbc")), "the machine code is kept where NUMBA_CACHE_DIR says"
