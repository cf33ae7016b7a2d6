"""Bodies open with independent readers, are what they declare, and fail exactly where the truth says so."""

from __future__ import annotations

import io
import subprocess
import sys
from collections import Counter

import pikepdf
import pytest
from lxml import etree
from PIL import Image

from transvase.sources.synthetic import bodies


def readable(media: str, data: bytes) -> bool:
    try:
        if media == "application/pdf":
            with pikepdf.open(io.BytesIO(data)) as pdf:
                assert pdf.check_pdf_syntax() == []
                return data.rstrip().endswith(b"%%EOF") and 1 <= len(pdf.pages) <= 3
        if media.startswith("image/"):
            Image.open(io.BytesIO(data)).load()
            return True
        if media == "text/xml":
            return etree.fromstring(data).tag == "{urn:hl7-org:v3}ClinicalDocument"
        if media == "application/rtf":
            return data.startswith(b"{\\rtf1") and data.endswith(b"}")
        return bool(data.decode("cp1252"))
    except (pikepdf.PdfError, OSError, etree.XMLSyntaxError):
        return False


def test_only_the_planted_bodies_do_not_open(three_hundred):
    truth = three_hundred.census.truth
    rows = three_hundred.all("SELECT CNT_ID, CNT_MIME, CNT_BLOB FROM T_DOC_CONTENU ORDER BY CNT_ID")
    # One in five of the PDF, and all the rest: opening three thousand PDF says no more and takes a minute.
    planted = {*truth["EMPTY_BODY"], *truth["CORRUPT_BODY"], *truth["MISDECLARED_BODY"]}
    chosen = [r for i, r in enumerate(rows) if r[1] != "application/pdf" or i % 5 == 0 or str(r[0]) in planted]
    assert {r[1] for r in chosen} == {
        "application/pdf",
        "application/rtf",
        "text/plain",
        "text/xml",
        "image/jpeg",
        "image/tiff",
    }
    unreadable = {str(key) for key, media, body in chosen if not readable(media, body)}
    assert unreadable == planted


def test_pdf_hold_french_text_and_scans_an_image(three_hundred):
    body = three_hundred.one(
        "SELECT CNT_BLOB FROM T_DOC_CONTENU JOIN T_DOC ON DOC_ID = CNT_DOC WHERE DOC_TYPE = 'CR_IMG' AND CNT_MIME = 'application/pdf' LIMIT 1"
    )
    with pikepdf.open(io.BytesIO(body)) as pdf:
        page = pdf.pages[0]
        text = page.Contents.read_bytes().decode("cp1252")
        assert "Centre d'imagerie des Ducs" in text
        assert "é" in text
        (image,) = page.images.values()
        assert pikepdf.PdfImage(image).as_pil_image().width > 100


def test_bodies_are_all_different(three_hundred):
    counted = Counter(hash(b) for (b,) in three_hundred.all("SELECT CNT_BLOB FROM T_DOC_CONTENU WHERE CNT_BLOB <> x''"))
    assert max(counted.values()) == 2
    assert sum(n > 1 for n in counted.values()) == 1


def test_some_texts_are_in_the_encoding_of_windows(three_hundred):
    texts = [bytes(b) for (b,) in three_hundred.all("SELECT CNT_BLOB FROM T_DOC_CONTENU WHERE CNT_MIME = 'text/plain'")]
    valid = []
    for text in texts:
        try:
            text.decode()
            valid.append(True)
        except UnicodeDecodeError:
            valid.append(False)
    assert True in valid
    assert False in valid


@pytest.mark.parametrize("mean", [3_000, 24_000, 80_000, 400_000])
def test_the_pool_of_sizes_has_the_mean_it_promises(mean):
    sizes = bodies.sizes(mean)
    assert sum(sizes) / len(sizes) == pytest.approx(mean, rel=0.001)
    assert sizes == sorted(sizes)


@pytest.mark.parametrize("text, written", [("é", "\\'e9"), ("{a}", "\\{a\\}"), ("ż", "\\u380?"), ("\\", "\\\\")])
def test_rtf_escapes(text, written):
    assert f" {written}\\par" in bodies.rtf([text])


@pytest.mark.parametrize("how, left", [("empty", 0), ("cut", 50), ("head", 20), ("", 100)])
def test_damages(how, left):
    from transvase.sources.synthetic.record import spoiled

    assert len(spoiled(b"x" * 100, how)) == left


@pytest.mark.shared
def test_cda_pass_the_rules_of_the_ci_sis(three_hundred, shared, tmp_path):
    folder = tmp_path / "cda"
    folder.mkdir()
    spoiled = set(three_hundred.census.truth["CORRUPT_BODY"])
    kept: Counter[tuple[str, bool]] = Counter()
    for key, kind, body in three_hundred.all(
        "SELECT CNT_ID, DOC_TYPE, CNT_BLOB FROM T_DOC_CONTENU JOIN T_DOC ON DOC_ID = CNT_DOC WHERE CNT_MIME = 'text/xml' ORDER BY CNT_ID"
    ):
        # One file a type and level, and a second where the patient has no INS.
        sort = (kind + "3" * (b"structuredBody" in body), b'root="1.2.250.1.213.1.4.10"' in body)
        if str(key) not in spoiled and not kept[sort]:
            kept[sort] += 1
            (folder / f"{key}.xml").write_bytes(body)
    assert {level for level, _ in kept} >= {"CR_BIO3", "CR_SPE", "LDL_SOR"}
    assert {qualified for _, qualified in kept} == {True, False}
    command = [
        sys.executable,
        str(shared / "tools/cda_check.py"),
        "--by-template",
        "--strict",
        "--cache",
        str(tmp_path / "cache"),
        str(folder),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-3000:]
    assert f"{len(list(folder.iterdir()))} valid, 0 failed" in done.stdout
