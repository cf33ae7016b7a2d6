"""The official XDM archives as questions with answers: our metadata derived from DOC0001.XML, against their METADATA.XML.

Every attribute that follows from the CDA is compared, in every archive. Where a sample departs from the published value sets or
from the sheets, the departure is listed with its reason; one that is not listed fails, and so does one that no longer occurs.
"""

from __future__ import annotations

import hashlib
from operator import attrgetter
from typing import NamedTuple

import pytest

from transvase.formats import cda, xdm, xds_xml
from transvase.formats import xds_metadata as xm
from transvase.formats.xds import HAS_MEMBER, DocumentEntry, SubmissionSet

pytestmark = pytest.mark.shared

# Attribute -> where it stands in our values. Compared for all archives.
OF_THE_DOCUMENT = {
    "uniqueId": "unique_id",
    "mimeType": "mime_type",
    "hash": "sha1",
    "size": "size",
    "URI": "uri",
    "creationTime": "creation_time",
    "serviceStartTime": "service_start_time",
    "serviceStopTime": "service_stop_time",
    "languageCode": "language",
    "title": "title",
    "comments": "comments",
    "legalAuthenticator": "legal_authenticator",
    "patientId": "patient_id",
    "sourcePatientId": "source_patient_id",
    "sourcePatientInfo": "source_patient_info",
    "authors (person, institution, role, specialty)": "authors",
    "classCode": "class_code",
    "typeCode": "type_code",
    "formatCode: code": "format_code.code",
    "formatCode: codingScheme": "format_code.system",
    "formatCode: label": "format_code.display",
    "healthcareFacilityTypeCode": "facility",
    "practiceSettingCode": "practice_setting",
    "confidentialityCode": "confidentiality",
    "eventCodeList": "event_codes",
    "referenceIdList": "reference_ids",
    "availabilityStatus": "status",
    "extra metadata slot (C, D)": "action",
}
OF_THE_SUBMISSION = {
    "set: patientId": "patient_id",
    "set: sourceId": "source_id",
    "set: authors": "authors",
    "set: contentTypeCode": "content_type",
    "set: title": "title",
    "set: comments": "comments",
    "set: availabilityStatus": "status",
}
# Do not follow from the CDA. A new field must join one of the three lists.
NOT_COMPARED = {"entry_uuid", "logical_id", "repository_unique_id", "original_file_name", "replaces"}
NOT_COMPARED_IN_THE_SET = {"unique_id", "time", "entry_uuid"}


class Deviation(NamedTuple):
    """Samples whose attribute differs from what the value sets and sheets give, and why ours stands."""

    attribute: str
    reason: str
    archives: tuple[str, ...]


BIO_2021 = tuple(
    f"BIO-CR-BIO_2021.01_{x}"
    for x in ("Auto-Presentable", "CR-2nde-intention", "Microbiologie_V1", "Microbiologie_V2_Delete")
)
BIO_2024 = tuple(
    f"BIO-CR-BIO_2024.01_{x}"
    for x in (
        "CR-2nde-intention-PDF",
        "CRP_non_LOINC",
        "DEP-CCU-tout-structure",
        "Electrophorese",
        "Folates_nmol_par_Litre_2",
        "Glycemie_deux_unites_principales_mole_masse",
        "Glycemie_mmol_par_Litre_1",
        "Hemoglobine_g_par_Litre_1",
        "Microbiologie_V1",
        "TSH_1",
        "TSH_date_1",
    )
)
PRESCRIPTIONS = tuple(
    f"eP-MED-DM_{x}"
    for x in ("2022.01_PosoNonStruct", "2022.01_PosoStruct", "2023.01_PosoNonStruct", "2024.01_PosoStruct")
)
LEVEL_1 = ("BIO-CR-BIO_2021.01_CDA-R2-Niveau-1", "DOC_NON_STRUCTURE_CDA-R2-N1", "TLM-CR_2022.01")

DEVIATIONS = (
    Deviation(
        "sourcePatientInfo",
        "the sample fills the given name in use from the one of birth, which EXI ID 08 forbids (ins-identity.md, 4)",
        ("eDISP-MED_2024.01",),
    ),
    Deviation(
        "formatCode: codingScheme",
        "IHE formats belong to 1.3.6.1.4.1.19376.1.2.3 (JDV_J10); the samples give the scheme of the national ones",
        (*BIO_2021, *BIO_2024, *PRESCRIPTIONS, "IMG_CR_IMG_2024.01", "OPH-BRE_2022.02"),
    ),
    Deviation(
        "formatCode: codingScheme",
        "IHE formats belong to 1.3.6.1.4.1.19376.1.2.3 (JDV_J10); the samples give the scheme of the document types",
        LEVEL_1,
    ),
    Deviation(
        "formatCode: codingScheme",
        "national formats belong to TRE_A06 (JDV_J10); the samples give the scheme of the document types",
        ("CNAM-HR_2021.01", "CSE-CS8_2024.01", "CSE-CS9_2025.01", "CSE-CS24_2025.01", "VSM_1.4_2022.01"),
    ),
    Deviation(
        "formatCode: codingScheme",
        "national formats belong to TRE_A06 (JDV_J10); the samples give 1.2.250.1.213.1.1.4.328",
        ("BIO-TROD_2024.01_Angine", "BIO-TROD_2024.01_COVID-19_Grippe-A_Grippe-B"),
    ),
    Deviation(
        "formatCode: code",
        "the perinatal models have codes of 2023 in JDV_J10; the samples still give those of 2012",
        ("OBP-SAP_2024.01", "OBP-SCM_2024.01", "OBP-SEM_2024.01", "OBP-SNM_2024.01"),
    ),
    Deviation(
        "formatCode: label",
        "misspelt in the sample (acute accent for grave)",
        ("CARD-F-PRC-PPV_2022.01", "CSE-CS24_2025.01", "CSE-CS8_2024.01", "OBP-SCM_2024.01", "OBP-SNM_2024.01"),
    ),
    Deviation(
        "formatCode: label", "misspelt in the sample (space missing after the dash)", ("DLU-EHPAD-FLUDT_2022.01",)
    ),
    Deviation(
        "formatCode: label",
        "the label of JDV_J10 has changed since",
        (*PRESCRIPTIONS, "OPH-BRE_2022.02", "VAC_2023.01", "OBP-SEM_2024.01"),
    ),
    Deviation(
        "classCode",
        "ASS_X04 gives 11 (synthesis) for these types, the samples give 10 (report)",
        ("OBP-SCM_2024.01", "OBP-SEM_2024.01", "OBP-SNM_2024.01"),
    ),
    Deviation(
        "eventCodeList",
        "the rule is one code per serviceEvent/code; the sample adds the nine translations",
        ("IMG_CR_IMG_2024.01",),
    ),
    Deviation(
        "legalAuthenticator",
        "an identifier that a structure gave has type EI; the samples say IDNPS",
        ("CNAM-HR_2021.01", "eDISP-MED_2024.01"),
    ),
    Deviation(
        "legalAuthenticator",
        "a patient's identifier has type NH; the sample says IDNPS",
        ("VAC_2023.01",),
    ),
    Deviation(
        "mimeType",
        "a self-presenting CDA is application/xslt+xml; the sample says text/xml",
        ("BIO-CR-BIO_2021.01_Auto-Presentable",),
    ),
    Deviation(
        "extra metadata slot (C, D)",
        "a deletion is a fact of the message, not of the CDA, which is an ordinary second version",
        ("BIO-CR-BIO_2021.01_Microbiologie_V2_Delete",),
    ),
)


def archives(shared):
    found = sorted((shared / "xdm-examples").glob("*.zip"))
    assert len(found) == 69
    return found


def ours(path) -> tuple[DocumentEntry, SubmissionSet]:
    with path.open("rb") as file, xdm.XdmArchive(file) as archive:
        data = archive.read("IHE_XDM/SUBSET01/DOC0001.XML")
    header = cda.header(cda.parse(data))
    entry = xm.derive(header, data_sha1=hashlib.sha1(data).hexdigest(), size=len(data), uri="DOC0001.XML")
    source_id = xm.source_id(header.custodian, "none")
    return entry, xm.submission_set([entry], unique_id="1.2.3", source_id=source_id, time="20260101000000")


def theirs(path) -> xds_xml.Metadata:
    with path.open("rb") as file, xdm.XdmArchive(file) as archive:
        return archive.metadata("IHE_XDM/SUBSET01")


def test_every_field_is_compared_or_said_not_to_be():
    compared = {place.split(".")[0] for place in OF_THE_DOCUMENT.values()}
    assert compared | NOT_COMPARED == set(DocumentEntry._fields)
    assert set(OF_THE_SUBMISSION.values()) | NOT_COMPARED_IN_THE_SET == set(SubmissionSet._fields)


@pytest.mark.requirement("DMP-27", "XDM-07")
def test_derived_metadata_equal_the_official_ones_but_for_the_listed_deviations(shared):
    found = set()
    for path in archives(shared):
        entry, submission = ours(path)
        official = theirs(path)
        (document,) = official.entries
        for places, mine, sample in (
            (OF_THE_DOCUMENT, entry, document),
            (OF_THE_SUBMISSION, submission, official.submission),
        ):
            for attribute, place in places.items():
                if attrgetter(place)(mine) != attrgetter(place)(sample):
                    found.add((path.stem, attribute))
    listed = {(archive, d.attribute) for d in DEVIATIONS for archive in d.archives}
    assert sorted(found - listed) == [], "deviations that the table does not explain"
    assert sorted(listed - found) == [], "deviations of the table that no longer occur"


def test_no_deviation_is_listed_twice_or_without_reason():
    rows = [(archive, d.attribute) for d in DEVIATIONS for archive in d.archives]
    assert len(rows) == len(set(rows))
    assert all(d.reason and d.archives for d in DEVIATIONS)


@pytest.mark.requirement("XDM-08")
def test_given_as_a_deletion_the_deleted_version_has_the_slot_of_its_sample(shared):
    (path,) = [p for p in archives(shared) if "Delete" in p.name]
    with path.open("rb") as file, xdm.XdmArchive(file) as archive:
        data = archive.read("IHE_XDM/SUBSET01/DOC0001.XML")
        (sample,) = archive.metadata("IHE_XDM/SUBSET01").entries
    entry = xm.derive(cda.header(cda.parse(data)), data_sha1="", size=0, uri="", deletion=True)
    assert entry.action == sample.action == "D"


def test_official_archives_have_no_problem(shared):
    for path in archives(shared):
        with path.open("rb") as file:
            assert xdm.problems(file) == [], path.stem


@pytest.mark.requirement("XDM-07")
def test_official_metadata_are_written_and_read_back_unchanged(shared):
    for path in archives(shared):
        official = theirs(path)
        request = xds_xml.submit_objects_request(official.submission, official.entries, for_xdm=True)
        again = xds_xml.read_metadata(request.encode())
        assert again.submission == official.submission, path.stem
        assert again.entries == official.entries, path.stem
        (link,) = official.associations
        assert (link.kind, link.source, link.status) == (HAS_MEMBER, official.submission.entry_uuid, "Original")


def test_official_documents_give_their_pdf_and_their_text(shared):
    with_pdf = set()
    for path in archives(shared):
        with path.open("rb") as file, xdm.XdmArchive(file) as archive:
            document = cda.parse(archive.read("IHE_XDM/SUBSET01/DOC0001.XML"))
        header = cda.header(document)
        pdf = cda.embedded_pdf(document)
        if pdf is not None:
            assert pdf.startswith(b"%PDF-"), path.stem
            with_pdf.add(path.stem)
        lines = cda.narrative_text(document)
        assert lines[0] == header.title.strip(), path.stem
        assert (len(lines) > 5) == (header.level == 3), path.stem
        assert all(line == line.strip() and "\n" not in line for line in lines), path.stem
    assert set(LEVEL_1) <= with_pdf
    assert len(with_pdf) == 17
