"""The reference patient of the design (section 10) in memory: sixty coded rows, two documents of an 80 kB PDF, and the floor that
reads, hashes and writes those two PDFs. Nothing random: the same bytes in every run."""

from __future__ import annotations

import hashlib
import os
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from transvase.exporters.pdf import container
from transvase.model.record import ROW, Record

CLOCK = datetime(2026, 11, 23, 20, 0, tzinfo=ZoneInfo("Europe/Paris"))
PDF_BYTES = 80_000


def row(table: str, **values: Any) -> Any:
    """A row with only the columns that matter."""
    blank = dict.fromkeys(ROW[table]._fields)
    return ROW[table](**{**blank, "source_table": "t", "source_key": values.get("key", "1"), **values})


def pdf(number: int, size: int = PDF_BYTES) -> bytes:
    """A PDF/A-1b of about so many bytes (5 kB at least) as level 1 wants it: one page that shows an image which does not shrink, like a
    scan."""
    content, resources, image = _scan(number, container.FIRST_FREE, size)
    identity = container.Identity("Compte rendu de consultation", CLOCK, f"bench {number}", "fr-FR")
    return container.document(identity, [container.Page(content, resources)], [image])


def undeclared(number: int, size: int = PDF_BYTES) -> bytes:
    """The same page as a software that knows nothing of PDF/A writes it: no XMP, no output intent, no identifier."""
    content, resources, image = _scan(number, 6, size)
    page = b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 595.28 841.89]/Resources<<%b>>/Contents 4 0 R>>" % resources
    sources = [
        b"<</Type/Catalog/Pages 2 0 R>>", b"<</Type/Pages/Kids[3 0 R]/Count 1>>", page, container.stream(b"", content),
        b"<</Producer(Scan)>>", image,
    ]  # fmt: skip
    body, offsets = b"%PDF-1.4\n", []
    for place, source in enumerate(sources, 1):
        offsets.append(len(body))
        body += b"%d 0 obj\n%b\nendobj\n" % (place, source)
    table = b"xref\n0 %d\n0000000000 65535 f \n" % (len(sources) + 1)
    table += b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    return body + table + b"trailer<</Size 7/Root 1 0 R/Info 5 0 R>>\nstartxref\n%d\n%%%%EOF\n" % len(body)


_WIDTH = 280


class _Vocabulary:
    """What the rows of a patient say: for the reference patient one label a row, for the others one of hundreds, and dates of their own."""

    def __init__(self, number: int) -> None:
        self.number = number

    def one(self, label: str, i: int, size: int) -> str:
        """A label of `size` different ones; the reference patient's is that of its row."""
        return f"{label} {i if not self.number else (self.number * 31 + i * 17) % size}"

    def day(self, fixed: str, i: int) -> str:
        """A date as precise as the fixed one, which is the reference patient's."""
        if not self.number:
            return fixed
        return (date(2008, 1, 1) + timedelta(days=(self.number * 131 + i * 89) % 6_000)).isoformat()[: len(fixed)]


def _scan(number: int, place: int, size: int) -> tuple[bytes, bytes, bytes]:
    """Operators of a page, its resources and the image that they draw, which is object `place`."""
    height = max((size - 5_000) // _WIDTH, 1)
    noise = b"".join(hashlib.sha256(f"{number} {i}".encode()).digest() for i in range(_WIDTH * height // 32 + 1))
    image = container.deflated(
        b"/Type/XObject/Subtype/Image/Width %d/Height %d/ColorSpace/DeviceGray/BitsPerComponent 8" % (_WIDTH, height),
        noise[: _WIDTH * height],
    )
    return b"q 595.28 0 0 841.89 0 0 cm /I Do Q", b"/XObject<</I %d 0 R>>" % place, image


def practice() -> Any:
    return row(
        "practice", key="1", name="Cabinet du Banc d'essai", struct_idnat="1990000000", oid="1.2.250.1.999.1.1", facility_type="SA08",
        practice_setting="AMBULATOIRE", address="1 rue des Mirabelles", postal_code="54000", city="Nancy", phone="0383000000",
    )  # fmt: skip


def practitioner() -> Any:
    return row(
        "practitioner", key="1", idnat="899900000000", family="MIRABEL", given="Anne", prefix="MME", suffix="DR", specialty="G15_10/SM26",
        active=True,
    )  # fmt: skip


_GIVEN = (
    "DOMINIQUE",
    "CAMILLE",
    "CLAUDE",
    "ANNE-MARIE",
    "JEAN",
    "FRANÇOISE",
    "ÉLODIE",
    "MAXENCE",
    "NOÉMIE",
    "PAUL",
    "YVES",
    "ZOÉ",
)
_TOWNS = (("75007", "Paris"), ("54000", "Nancy"), ("69003", "Lyon"), ("29200", "Brest"), ("67000", "Strasbourg"))


def _letters(number: int) -> str:
    return "".join(chr(65 + number // 26**place % 26) for place in range(3))


def patient(number: int = 0) -> Any:
    """The reference patient; with a number, somebody else of the same practice: another name, birth, address and INS of tests."""
    if not number:
        return row(
            "patient", key="1", ins="279035121518989", ins_oid="1.2.250.1.213.1.4.10", birth_family="PAT-TROIS",
            birth_given="DOMINIQUE MARIE-LOUISE", birth_first_given="DOMINIQUE", used_family="PAT-TROIS", sex="F", birth_date="1979-03-28",
            birth_place_code="51215", birth_place="DOMPREMY", address="28 avenue de Breteuil", postal_code="75007", city="Paris",
            attending="1",
        )  # fmt: skip
    family, first = f"PAT-{_letters(number)}", _GIVEN[number % len(_GIVEN)]
    birth = date(1935, 1, 1) + timedelta(days=number * 397 % 30_000)
    digits = f"{1 + number % 2}{birth:%y%m}51215{number % 1000:03d}"
    postal_code, city = _TOWNS[number % len(_TOWNS)]
    return row(
        "patient", key=str(number + 1), ins=f"{digits}{97 - int(digits) % 97:02d}", ins_oid="1.2.250.1.213.1.4.10", birth_family=family,
        birth_given=f"{first} {_GIVEN[number * 7 % len(_GIVEN)]}", birth_first_given=first, used_family=family, sex="MF"[number % 2],
        birth_date=birth.isoformat(), birth_place_code="51215", birth_place="DOMPREMY", address=f"{number} rue des Mirabelles",
        postal_code=postal_code, city=city, attending="1",
    )  # fmt: skip


def record(bodies: list[bytes], number: int = 0) -> Record:
    """Sixty coded rows of the synthesis, and the two documents; with a number, those of `patient(number)`: other dates, and labels and
    dosages out of vocabularies of the size that a practice uses."""
    key, shown = str(number + 1), _Vocabulary(number)
    found: Record = {
        "problem": [],
        "allergy": [],
        "treatment": [],
        "risk_factor": [],
        "document": [],
        "document_version": [],
    }
    for i in range(24):
        found["problem"].append(
            row("problem", key=f"p{i}", patient=key, category=("problem", "history", "surgery")[i % 3], code="I10", system="2.16.840.1.113883.6.3",
                label=shown.one("Hypertension essentielle, suivi", i, 300), assertion="affirmed", onset=shown.day("2019-03", i),
                recorded=f"{shown.day('2020-01-02', i)}T10:00:00")
        )  # fmt: skip
    for i in range(8):
        found["allergy"].append(
            row(
                "allergy",
                key=f"a{i}",
                patient=key,
                label=shown.one("Pénicilline", i, 40),
                assertion="affirmed",
                onset=shown.day("2001", i),
            )
        )
    for i in range(22):
        found["treatment"].append(
            row("treatment", key=f"t{i}", patient=key, code="3400930000000", system="1.2.250.1.213.2.3.2", label=shown.one("RAMIPRIL 5 mg comprimé", i, 500),
                dosage=f"{1 + (i * number) % 4} comprimé le matin", start=shown.day("2021-05-06", i), assertion="affirmed", long_term=True)
        )  # fmt: skip
    for i in range(6):
        found["risk_factor"].append(
            row(
                "risk_factor",
                key=f"r{i}",
                patient=key,
                category="tobacco",
                label="Tabac",
                value=f"{10 + number % 30} par jour",
                assertion="affirmed",
            )
        )
    act = shown.day("2026-01-02", 0)
    for i, body in enumerate(bodies):
        found["document"].append(
            row("document", key=f"d{key}-{i}", patient=key, practitioner="1", local_type="CR", type_code="11488-4", title="Compte rendu de consultation",
                origin="produced", act=f"{act}T10:00:00", created=f"{act}T10:05:00", fed_state="never")
        )  # fmt: skip
        found["document_version"].append(
            row("document_version", key=f"v{key}-{i}", patient=key, document=f"d{key}-{i}", version=1, created=f"{act}T10:05:00",
                media_type="application/pdf", file_name=f"cr-{i}.pdf", sha256=hashlib.sha256(body).hexdigest(), size=len(body), detected="pdf")
        )  # fmt: skip
    return found


# Resources of a bundle that no row makes: Composition, patient, author, their role, practice, software.
_FRAME = 6
BUNDLE_ENTRIES = 32


def bundled(whole: Record) -> Record:
    """The rows of the synthesis that make a bundle of BUNDLE_ENTRIES, in the same proportions."""
    names = ("problem", "allergy", "treatment", "risk_factor")
    total = sum(len(whole[name]) for name in names)
    kept = BUNDLE_ENTRIES - _FRAME
    found: Record = {name: whole[name][: len(whole[name]) * kept // total] for name in names}
    found["problem"] = whole["problem"][: len(found["problem"]) + kept - sum(len(rows) for rows in found.values())]
    return found


def floor(paths: list[list[Path]], out: Path, patients: int) -> None:
    """Read the two PDFs of a patient, SHA-256, write the same bytes, one sync: the least any export could do."""
    with out.open("wb") as file:
        for rank in range(patients):
            for path in paths[rank % len(paths)]:
                data = path.read_bytes()
                hashlib.sha256(data).digest()
                file.write(data)
        file.flush()
        # Synced once, as a part file is.
        os.fsync(file.fileno())
