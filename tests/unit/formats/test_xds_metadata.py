"""XDS attributes from a CDA header, form by form. The comparison with the official archives is in tests/spec."""

from __future__ import annotations

import pytest

from transvase.formats import cda
from transvase.formats import xds_metadata as xm
from transvase.formats.cda import Coded, Id, Organization, Party, Patient
from transvase.model.codes.class_codes import CODES as CLASSES
from transvase.model.codes.format_codes import CODES as FORMATS
from transvase.model.codes.type_codes import CODES as TYPES

PS = xm.PROFESSIONALS
STRUCT = xm.STRUCTURES
INS = Id("1.2.250.1.213.1.4.8", "255081416802538")


@pytest.fixture
def derived(a_cda):
    """Entry of the small document with some texts replaced; keyword arguments go to `derive`."""

    def derive(*changes, template="", body="<structuredBody/>", **facts):
        header = cda.header(cda.parse(a_cda(*changes, template=template, body=body)))
        return xm.derive(header, **{"data_sha1": "ab" * 20, "size": 9, "uri": "DOC0001.XML", **facts})

    return derive


@pytest.mark.requirement("DMP-23")
@pytest.mark.parametrize(
    ("hl7", "utc"),
    [
        pytest.param("20240328093000+0100", "20240328083000", id="winter offset"),
        pytest.param("20240701093000+0200", "20240701073000", id="summer offset"),
        pytest.param("20240328003000+0100", "20240327233000", id="offset changes the day"),
        pytest.param("20240328003000-0400", "20240328043000", id="Guadeloupe"),
        pytest.param("20240328003000+0530", "20240327190000", id="half an hour"),
        pytest.param("20240328093000.1234+0100", "20240328083000", id="fraction of a second"),
        pytest.param("202403280930+0100", "20240328083000", id="minutes"),
        pytest.param("2024032809+0100", "20240328080000", id="hours"),
        pytest.param("20240328093000", "20240328083000", id="no offset: Paris in winter"),
        pytest.param("20240701093000", "20240701073000", id="no offset: Paris in summer"),
        pytest.param("20240328", "20240328000000", id="day: kept, not shifted"),
        pytest.param("20240328+0100", "20240328000000", id="day with an offset: kept"),
        pytest.param("202403", "20240301000000", id="month"),
        pytest.param("2024", "20240101000000", id="year"),
        pytest.param("", "", id="absent"),
    ],
)
def test_times_in_utc(hl7, utc):
    assert xm.utc(hl7) == utc


@pytest.mark.requirement("DMP-23")
@pytest.mark.parametrize(
    "hl7",
    [
        "20240230",
        "2024032825",
        "202",
        "20241",
        "2024-03-28",
        "20240328093000Z",
        "00000101",
        "20240328093000+9900",
        "٢٠٢٤",
    ],
)
def test_an_impossible_time_is_not_derived(hl7):
    with pytest.raises(xm.NotDerivable) as caught:
        xm.utc(hl7)
    assert hl7 not in str(caught.value)


@pytest.mark.requirement("DMP-31")
@pytest.mark.parametrize(
    ("party", "expected"),
    [
        pytest.param(
            Party((Id(PS, "801234567897"),), family="LEGRAND", given="Paul"),
            "801234567897^LEGRAND^Paul^^^^^^&1.2.250.1.71.4.2.1&ISO^D^^^IDNPS",
            id="professional",
        ),
        pytest.param(
            Party((Id("1.2.250.1.215.300.5", "123456789"), Id(PS, "801234567897")), family="LEGRAND", given="Paul"),
            "801234567897^LEGRAND^Paul^^^^^^&1.2.250.1.71.4.2.1&ISO^D^^^IDNPS",
            id="billing number beside the RPPS",
        ),
        pytest.param(
            Party((Id(PS, "3750803447/12"),), family="A", given="B"),
            "3750803447/12^A^B^^^^^^&1.2.250.1.71.4.2.1&ISO^D^^^EI",
            id="identifier given by a structure",
        ),
        pytest.param(
            Party((Id(PS, "3750803447/app"),), software="Logiciel", model="v2"),
            "3750803447/app^Logiciel^v2^^^^^^&1.2.250.1.71.4.2.1&ISO^U^^^RI",
            id="software",
        ),
        pytest.param(
            Party((INS,), family="A", given="B"),
            "255081416802538^A^B^^^^^^&1.2.250.1.213.1.4.8&ISO^D^^^NH",
            id="patient",
        ),
        pytest.param(
            Party((Id(PS, "8"),), family="A&B^C", given="D|E~F\\G"),
            "8^A\\T\\B\\S\\C^D\\F\\E\\R\\F\\E\\G^^^^^^&1.2.250.1.71.4.2.1&ISO^D^^^IDNPS",
            id="delimiters in names",
        ),
        pytest.param(Party(), "^^^^^^^^&&ISO^D^^^EI", id="nothing known"),
    ],
)
def test_persons_and_software_as_xcn(party, expected):
    assert xm.xcn(party) == expected


@pytest.mark.requirement("DMP-31")
@pytest.mark.parametrize(
    ("organization", "expected"),
    [
        pytest.param(
            Organization((Id(STRUCT, "1750512345"),), "Cabinet"),
            "Cabinet^^^^^&1.2.250.1.71.4.2.2&ISO^IDNST^^^1750512345",
            id="national",
        ),
        pytest.param(
            Organization((Id("1.3.2", "123456789"),), "SNR"), "SNR^^^^^&1.3.2&ISO^SIREN^^^123456789", id="SIREN"
        ),
        pytest.param(Organization((Id("1.2.9", "x"),), "A & B"), "A \\T\\ B^^^^^&1.2.9&ISO^XX^^^x", id="other root"),
        pytest.param(Organization((), "Cabinet"), "Cabinet", id="name alone"),
    ],
)
def test_structures_as_xon(organization, expected):
    assert xm.xon(organization) == expected


@pytest.mark.requirement("DMP-20", "DMP-28")
@pytest.mark.parametrize(
    ("ids", "patient_id", "source_patient_id", "further"),
    [
        pytest.param((INS, Id("1.2.5", "77")), "NH", "77^^^&1.2.5&ISO^PI", (), id="INS and local number"),
        pytest.param((Id("1.2.5", "77"), INS), "NH", "77^^^&1.2.5&ISO^PI", (), id="local number first"),
        pytest.param((INS,), "NH", "255081416802538^^^&1.2.250.1.213.1.4.8&ISO^NH", (), id="INS alone"),
        pytest.param((Id("1.2.5", "77"),), "PI", "77^^^&1.2.5&ISO^PI", (), id="no INS"),
        pytest.param(
            (INS, Id("1.2.5", "77"), Id("1.2.6", "88")),
            "NH",
            "77^^^&1.2.5&ISO^PI",
            ("PID-3|88^^^&1.2.6&ISO^PI",),
            id="two local",
        ),
        pytest.param((Id("1.2.250.1.213.1.4.2", "9"), INS), "NH", "", (), id="old INS-C yields"),
    ],
)
def test_identifiers_of_the_patient(ids, patient_id, source_patient_id, further):
    patient = Patient(ids=ids)
    expected = "255081416802538^^^&1.2.250.1.213.1.4.8&ISO^NH" if patient_id == "NH" else "77^^^&1.2.5&ISO^PI"
    assert xm.patient_id(patient) == expected
    assert xm.source_patient_id(patient) == (source_patient_id or expected)
    assert xm.source_patient_info(patient) == further


@pytest.mark.requirement("DMP-28")
def test_without_identifier_there_is_no_patient_id():
    with pytest.raises(xm.NotDerivable) as caught:
        xm.patient_id(Patient())
    assert caught.value.attribute == "patientId"


@pytest.mark.requirement("DMP-29")
@pytest.mark.parametrize(
    ("facts", "lines"),
    [
        pytest.param(
            {
                "birth_family": "PAT",
                "birth_given": "ANNE",
                "given_names": "ANNE LEA",
                "used_family": "MARTIN",
                "used_given": "LEA",
            },
            ("PID-5|PAT^ANNE^ANNE LEA^^^^L", "PID-5|MARTIN^LEA^^^^^D"),
            id="birth names and names in use",
        ),
        pytest.param(
            {"birth_family": "PAT", "birth_given": "ANNE", "used_family": "MARTIN"},
            ("PID-5|PAT^ANNE^^^^^L", "PID-5|MARTIN^^^^^^D"),
            id="given name in use is never filled from the one of birth",
        ),
        pytest.param({"used_family": "MARTIN"}, ("PID-5|MARTIN^^^^^^D",), id="only a name in use"),
        pytest.param({"birth": "19790328101500"}, ("PID-7|19790328",), id="birth date without time"),
        pytest.param({"sex": "F"}, ("PID-8|F",), id="woman"),
        pytest.param({"sex": "UN"}, ("PID-8|U",), id="undifferentiated"),
        pytest.param({"birth_place": "2A004"}, ("PID-11|^^^^^^BDL^^2A004",), id="born in Ajaccio"),
        pytest.param({}, (), id="nothing known"),
    ],
)
def test_source_patient_info(facts, lines):
    assert xm.source_patient_info(Patient(**facts)) == lines


@pytest.mark.requirement("DMP-25")
@pytest.mark.parametrize(
    ("ids", "expected"),
    [
        pytest.param((Id(STRUCT, "1750512345"),), f"{STRUCT}.1750512345", id="FINESS"),
        pytest.param((Id(STRUCT, "0123456789"),), "1.9.9", id="starts with 0: not an OID arc"),
        pytest.param((Id(STRUCT, "12A0000012"),), "1.9.9", id="Corsica: a letter"),
        pytest.param((Id("1.2.3.4"),), "1.2.3.4", id="OID without extension"),
        pytest.param((), "1.9.9", id="custodian without id"),
    ],
)
def test_source_id_is_a_legal_oid(ids, expected):
    assert xm.source_id(Organization(ids), "1.9.9") == expected


LEVEL_1 = '<nonXMLBody><text mediaType="{}" representation="B64">AA==</text></nonXMLBody>'


@pytest.mark.requirement("DMP-35")
@pytest.mark.parametrize(
    "code", [f for f in FORMATS.values() if f.templates and not f.media_type], ids=lambda f: f.code
)
def test_every_template_of_the_set_gives_its_format(derived, code):
    for root in code.templates:
        assert derived(template=f'<templateId root="{root}"/>').format_code == Coded(
            code.code, code.system, code.display
        )


@pytest.mark.requirement("DMP-35")
@pytest.mark.parametrize("code", [f for f in FORMATS.values() if f.media_type and f.templates], ids=lambda f: f.code)
def test_every_media_type_of_level_1_gives_its_format(derived, code):
    # Even beside the template of a model: the body decides.
    entry = derived(template='<templateId root="1.2.250.1.213.1.1.1.13"/>', body=LEVEL_1.format(code.media_type))
    assert entry.format_code == Coded(code.code, code.system, code.display)


@pytest.mark.requirement("DMP-35")
def test_the_last_known_template_names_the_model(derived):
    both = '<templateId root="1.2.250.1.213.1.1.1.13"/><templateId root="1.2.250.1.213.1.1.1.39"/><templateId root="1.2.9"/>'
    assert derived(template=both).format_code.code == "urn:ihe:pharm:pre:2010"


def test_a_structured_document_outside_the_models_has_the_format_that_says_so(derived):
    assert derived().format_code.code == "urn:asipSante:modelesHorsProfils:2011"


def test_an_unknown_level_1_media_type_is_not_derived(derived):
    with pytest.raises(xm.NotDerivable) as caught:
        derived(body=LEVEL_1.format("application/msword"))
    assert caught.value.attribute == "formatCode"


@pytest.mark.requirement("DMP-32")
@pytest.mark.parametrize("code", [t for t in TYPES.values() if t.class_code], ids=lambda t: t.code)
def test_every_type_has_the_class_of_ass_x04(derived, code):
    entry = derived(
        ('code="11488-4" codeSystem="2.16.840.1.113883.6.1"', f'code="{code.code}" codeSystem="{code.system}"')
    )
    assert entry.class_code.code == code.class_code
    assert entry.class_code.display == CLASSES[code.class_code].display
    assert entry.type_code == Coded(code.code, code.system, code.display or "CR de la maison")


@pytest.mark.parametrize("code", ["97694-4", "1-8"], ids=["in the set, without class", "outside the set"])
def test_a_type_without_class_asks_for_a_choice(derived, code):
    change = ('code="11488-4"', f'code="{code}"')
    with pytest.raises(xm.NotDerivable) as caught:
        derived(change)
    assert caught.value.attribute == "classCode"
    assert derived(change, class_code="10").class_code.code == "10"
    with pytest.raises(xm.NotDerivable):
        derived(change, class_code="12")


def test_a_choice_does_not_override_ass_x04(derived):
    assert derived(class_code="42").class_code.code == "10"


@pytest.mark.requirement("DMP-34", "DMP-48")
@pytest.mark.parametrize(
    ("header", "local", "expected"),
    [
        pytest.param("N", (), ["N"], id="normal"),
        pytest.param("N", ("INVISIBLE_PATIENT",), ["N", "INVISIBLE_PATIENT"], id="not yet announced"),
        pytest.param("R", ("MASQUE_PS",), ["N", "R", "MASQUE_PS"], id="restricted in the header"),
        pytest.param("L", (), ["N"], id="HL7 code that XDS metadata exclude"),
        pytest.param("N", ("N", "MASQUE_PS", "MASQUE_PS"), ["N", "MASQUE_PS"], id="each once"),
    ],
)
def test_confidentiality_starts_with_normal(derived, header, local, expected):
    entry = derived(
        ('confidentialityCode code="N"', f'confidentialityCode code="{header}"'), local_confidentiality=local
    )
    assert [c.code for c in entry.confidentiality] == expected


@pytest.mark.requirement("DMP-34")
@pytest.mark.parametrize("local", ["L", "SECRET"])
def test_a_local_confidentiality_outside_the_set_is_refused(derived, local):
    with pytest.raises(xm.NotDerivable) as caught:
        derived(local_confidentiality=(local,))
    assert caught.value.attribute == "confidentialityCode"


@pytest.mark.requirement("XDM-08")
@pytest.mark.parametrize(
    ("version", "deletion", "action"), [("1", False, ""), ("2", False, "C"), ("2", True, "D"), ("1", True, "D")]
)
def test_replacement_and_deletion_slot(derived, version, deletion, action):
    assert derived(('versionNumber value="1"', f'versionNumber value="{version}"'), deletion=deletion).action == action


@pytest.mark.requirement("DMP-26")
@pytest.mark.parametrize(
    ("old", "new", "attribute"),
    [
        pytest.param('<id root="1.2.3.4.1"/>', "", "uniqueId", id="no id"),
        pytest.param('<effectiveTime value="20240328093000+0100"/>', "", "creationTime", id="no date"),
        pytest.param('<code code="11488-4"', '<code nullFlavor="UNK"', "typeCode", id="no code"),
        pytest.param('<effectiveTime value="20240328', '<effectiveTime value="20249928', "time", id="impossible date"),
    ],
)
def test_what_is_mandatory_and_missing_is_named(derived, old, new, attribute):
    with pytest.raises(xm.NotDerivable) as caught:
        derived((old, new))
    assert caught.value.attribute == attribute


def test_what_is_optional_and_missing_stays_empty(derived, a_cda):
    document = a_cda().decode()
    start, end = document.index("<legalAuthenticator>"), document.index("<componentOf>")
    entry = derived((document[start:end], ""))
    assert (entry.legal_authenticator, entry.service_start_time, entry.practice_setting) == ("", "", Coded())


@pytest.mark.requirement("DMP-17")
def test_a_unique_id_holds_the_extension_when_there_is_one(derived):
    entry = derived(('<id root="1.2.3.4.1"/>', '<id root="1.2.3.4.1" extension="A7"/>'))
    assert entry.unique_id == "1.2.3.4.1^A7"
    assert entry.entry_uuid == xm.entry_uuid("1.2.3.4.1^A7") != xm.entry_uuid("1.2.3.4.1")


@pytest.mark.requirement("DMP-17")
def test_the_same_document_has_the_same_entry(derived):
    assert derived() == derived()


@pytest.mark.requirement("DMP-24")
def test_a_submission_takes_after_its_first_document(derived):
    entries = [derived(), derived(("1.2.3.4.1", "1.2.3.4.9"))]
    submission = xm.submission_set(entries, unique_id="1.2.8", source_id="1.2.9", time="20260101000000")
    lead = entries[0]
    assert (submission.title, submission.authors, submission.content_type, submission.patient_id) == (
        lead.title,
        lead.authors,
        lead.facility,
        lead.patient_id,
    )


@pytest.mark.requirement("DMP-24", "XDM-03")
def test_a_submission_is_of_one_patient(derived):
    other = derived(("279035121518989", "279035121518999"))
    with pytest.raises(xm.NotDerivable) as caught:
        xm.submission_set([derived(), other], unique_id="1.2.8", source_id="1.2.9", time="20260101000000")
    assert "2790" not in str(caught.value)
