"""Values of attributes: built-in types, facets, lists, unions, white space."""

# The tables are lists of values, not code.
# ruff: noqa: E501

from __future__ import annotations

import re
from xml.sax.saxutils import quoteattr

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from transvase.formats.schema_acceptor.simple_types import builtin, pattern
from transvase.formats.schema_acceptor.unsupported import Unsupported


def restriction(base: str, *facets: tuple[str, str]) -> str:
    inside = "".join(f"<xs:{name} value={quoteattr(value)}/>" for name, value in facets)
    return f'<xs:simpleType><xs:restriction base="{base}">{inside}</xs:restriction></xs:simpleType>'


TYPES = {
    "text": restriction("xs:string", ("minLength", "1")),
    "short": restriction("xs:string", ("maxLength", "3")),
    "exact": restriction("xs:token", ("length", "2")),
    "code": restriction("word"),
    "oid": restriction("xs:string", ("pattern", r"[0-2](\.(0|[1-9][0-9]*))*")),
    "either": restriction("xs:string", ("pattern", "a+"), ("pattern", "b{2}")),
    "letters": restriction("xs:string", ("pattern", "[^0-9é]*")),
    "listed": restriction("xs:NMTOKEN", ("enumeration", "a"), ("enumeration", "b-c")),
    "spaced": restriction("xs:token", ("enumeration", "a b"), ("enumeration", "é")),
    "flag": restriction("xs:boolean", ("pattern", "true|false")),
    "count": restriction("xs:integer", ("minInclusive", "0"), ("maxInclusive", "20")),
    "share": restriction("xs:double", ("minInclusive", "0.0"), ("maxInclusive", "1.0")),
    "below": restriction("xs:integer", ("maxExclusive", "3")),
    "numbers": '<xs:simpleType><xs:list itemType="xs:integer"/></xs:simpleType>',
    "words": f'<xs:simpleType><xs:list>{restriction("xs:NMTOKEN", ("enumeration", "a"), ("enumeration", "ab"))}</xs:list></xs:simpleType>',
    "mixture": '<xs:simpleType><xs:union memberTypes="xs:integer word xs:boolean"/></xs:simpleType>',
    "union": f'<xs:simpleType><xs:union memberTypes="xs:integer">{restriction("xs:string", ("enumeration", "UNK"))}</xs:union></xs:simpleType>',
    "string": restriction("xs:string"),
    "lines": restriction("xs:normalizedString", ("enumeration", "a b")),
    **{name: restriction(f"xs:{name}") for name in (
        "token", "boolean", "decimal", "double", "float", "integer", "int", "short_", "byte", "long", "nonNegativeInteger", "positiveInteger", "unsignedByte",
        "NMTOKEN", "NMTOKENS", "NCName", "Name", "language", "anyURI", "base64Binary", "hexBinary", "date", "QName", "duration") if name != "short_"},
}  # fmt: skip
SCHEMA = (
    '<xs:element name="r"><xs:complexType><xs:choice minOccurs="0" maxOccurs="unbounded">'
    + "".join(
        f'<xs:element name="{name}"><xs:complexType><xs:attribute name="v">{made}</xs:attribute></xs:complexType></xs:element>'
        for name, made in TYPES.items()
    )
    + "</xs:choice></xs:complexType></xs:element>"
)

VALUES: dict[str, dict[str, list[str]]] = {
    "text": {"accepted": [" ", "a", "é", "&#10;"], "refused": [""]},
    "short": {"accepted": ["", "aé€", "🩺🩺🩺", "   "], "refused": ["aaaa", "ééé "]},
    "exact": {"accepted": ["ab", " éé ", "&#9;ab"], "refused": ["a", "a  b", "abc", ""]},
    "code": {"accepted": ["a", " a ", "é/1", "&amp;"], "refused": ["", " ", "a b", "a&#32;b"]},
    "oid": {
        "accepted": ["1", "2.16.840.1", "0.0.10"],
        "refused": ["", "3", "1.", "1..2", "1.02", " 1", "1 ", "2.16,840", "1.2.a"],
    },
    "either": {"accepted": ["a", "aaaa", "bb"], "refused": ["", "b", "bbb", "ab"]},
    "letters": {"accepted": ["", "abc ж\u20ac🩺"], "refused": ["a1", "é", "🩺0"]},
    "listed": {"accepted": ["a", "b-c", " a\n", "b&#45;c"], "refused": ["", "b", "A", "a b-c", "ab"]},
    "spaced": {"accepted": ["a b", " a\t\nb ", "é", "&#233;"], "refused": ["ab", "a", "e", "a&#160;b"]},
    "flag": {"accepted": ["true", " false "], "refused": ["1", "0", "TRUE", ""]},
    "count": {
        "accepted": ["0", "20", "007", " 3 "],
        "undecided": ["+3", "0000000000000000000000007"],
        "refused": ["-1", "21", "1.0", "", "99999999999999999999999"],
    },
    "share": {
        "accepted": ["0", "1", "0.5", "1.000", "0.000000000001"],
        "undecided": ["1e0", ".5", "+1", "0.12345678901234567890"],
        "refused": ["-0.1", "1.01", "1.000000000001", "NaN", "2", "INF"],
    },
    "below": {"undecided": ["1", "-5"], "refused": ["3"]},
    "numbers": {"accepted": ["", "1", "1 2 3", " 1  2\n3 "], "undecided": ["+1 2"], "refused": ["1,2", "1 a", "1.5"]},
    "words": {"accepted": ["", "a", "a ab a", " ab\ta "], "refused": ["aba", "b", "a b"]},
    "mixture": {"accepted": ["1", "a", "true", "é"], "refused": ["a b", ""]},
    "union": {"accepted": ["12", "UNK"], "undecided": [" 12 "], "refused": ["unk", "", "1.5"]},
    "string": {"accepted": ["", " a  b ", "&#10;&lt;"], "refused": []},
    "lines": {"accepted": ["a b", "a\tb", "a\nb", "a\r\nb", "a&#9;b"], "refused": ["a  b", " a b", "a\r\n\nb"]},
    "token": {"accepted": ["", " a  b ", "&#10;"], "refused": []},
    "boolean": {"accepted": ["true", "false", "1", "0", " 1 "], "refused": ["", "yes", "True", "01"]},
    "decimal": {
        "accepted": ["1", "-1.50", "007", " 2 "],
        "undecided": ["+1", ".5", "5.", "1234567890123456"],
        "refused": ["", ".", "1e3", "1,5", "--1", "-", "NaN", "1 2"],
    },
    "double": {
        "accepted": ["1", "-1.50"],
        "undecided": ["1e3", "INF", "-INF", "NaN", ".5", "1E-5", "1e"],
        "refused": ["", "e3", "Infinity", "1,5"],
    },
    "float": {"accepted": ["1.5"], "undecided": ["1234567.5"], "refused": ["x"]},
    "integer": {"accepted": ["0", "-12", "007"], "undecided": ["+1"], "refused": ["", "1.0", "1e3", "-"]},
    "int": {"accepted": ["999999999"], "undecided": ["2147483647"], "refused": ["2147483648", "x"]},
    "byte": {"accepted": ["-99"], "undecided": ["127"], "refused": ["128"]},
    "long": {"accepted": ["-999999999999999"], "refused": ["99999999999999999999", "1.5"]},
    "nonNegativeInteger": {"accepted": ["0", "12"], "refused": ["-1", ""]},
    "positiveInteger": {"accepted": ["1", "120"], "undecided": ["01"], "refused": ["0", "-1", "00"]},
    "unsignedByte": {"accepted": ["0", "99"], "undecided": ["255"], "refused": ["256", "-1"]},
    "NMTOKEN": {"accepted": ["a", "-1:b.é", " a "], "undecided": ["ж"], "refused": ["", "a b", "a,b", "a/b"]},
    "NMTOKENS": {"accepted": ["a", " a  -1 "], "undecided": ["", " "], "refused": ["a, b"]},
    "NCName": {"accepted": ["a", "_1.-é"], "undecided": ["ж"], "refused": ["", "1", "-a", "a:b", "a b"]},
    "Name": {"accepted": ["a:b", ":a"], "refused": ["", "1"]},
    "language": {"accepted": ["fr", "fr-FR", "x-klingon1"], "refused": ["", "fr_FR", "français", "fr-", "abcdefghi"]},
    "anyURI": {
        "accepted": ["", "#a", "tel:+33(0)1".replace("(0)", ""), "mailto:a@b.fr", "http://a.fr:8080/b?c=d#e", "urn:oid:1.2", "a/b.png", "#é", "http://a/%20"],
        "undecided": ["tel:01 02", "http://é/", "//a/b", "http://[::1]/", "/a"],
        "refused": ["%zz", ":", "http://a:b/", "#a#b", "::"],
    },
    "base64Binary": {"accepted": ["", "aGVsbG8=", "AAAA", "AA=="], "undecided": ["aGVs bG8=", "é"], "refused": ["a", "AAA", "AB==", "AAB=", "A==="]},
    "hexBinary": {"accepted": ["", "0aFF"], "refused": ["0", "0g"]},
    "date": {"undecided": ["2026-01-02"], "refused": ["x"]},
    "QName": {"undecided": ["a"], "refused": ["1"]},
    "duration": {"undecided": ["P1D"], "refused": ["x"]},
}  # fmt: skip


@pytest.mark.parametrize("name", TYPES)
def test_the_values_of_a_type(judge, name):
    found: dict[str, list[str]] = {}
    for value in (value for values in VALUES[name].values() for value in values):
        found.setdefault(judge(f'<r xmlns="urn:a"><{name} v="{value}"/></r>'), []).append(value)
    assert found == {verdict: values for verdict, values in VALUES[name].items() if values}


@given(st.sampled_from(sorted(TYPES)), st.text(st.sampled_from(" \t\n\r019abfHIN.+-:/#%=_é€🩺&<'\""), max_size=8))
@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_value_is_accepted_that_libxml2_refuses(judge, name, value):
    judge(f'<r xmlns="urn:a"><{name} v={quoteattr(value)}/></r>')


@given(st.sampled_from(sorted(TYPES)), st.text(st.characters(codec="utf-8"), max_size=4))
@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_character_is_accepted_that_libxml2_refuses(judge, name, value):
    judge(f'<r xmlns="urn:a"><{name} v={quoteattr(value)}/></r>')


SAME_IN_PYTHON = [
    "", "a", "ab|c", "(a|b)*c", "a{2}", "a{2,}", "a{1,3}b?", "[a-c]+", "[^a-c]", "[a\\-c]", "[a-]", "[-a]", "\\.", "\\\\", "[\\^a]", "é+", "[à-ÿ]", "[^é]", "(a|)b", "a+|b*", "(ab){0}c",
    "[0-9]{1,8}|([0-9]{9,14}|[0-9]{14,14}\\.[0-9]+)([+\\-][0-9]{1,4})?", "[€-🩺]", "[\u0080-\u07ff]", "[\u0800-\uffee]", "[\U00010000-\U0010ffff]",
]  # fmt: skip


@given(st.sampled_from(SAME_IN_PYTHON), st.data())
@settings(max_examples=300, deadline=None)
def test_a_pattern_reads_what_python_reads(text, data):
    letters = "abc-.^\\éàÿ€🩺0129+\u0080\u07ff\u0800\uffee\U00010000\U0010ffff"
    near = st.lists(st.sampled_from([*letters, "20240328", "093000.5", "+0100", "aaa", "bb"]), max_size=5).map("".join)
    word = data.draw(near)
    assert pattern(text).reads(word.encode()) is bool(re.fullmatch(text, word))


@pytest.mark.parametrize(
    "text",
    ["(a", "a)", "[a", "a{1", "a{2,1000}", "\\p{L}", "[\\p{L}]", "[a-z-[aeiou]]", "^a", "a$", "\\W", "\\D", "[^\\d]", "[^\\w]", "a**", "[]", "[z-a]", "\\", "[\\", "a{,3}", "\\i-[:]*("],
)  # fmt: skip
def test_a_pattern_that_is_not_handled_is_named(text):
    with pytest.raises(Unsupported):
        pattern(text)


@pytest.mark.parametrize("name", ["date", "dateTime", "QName", "NOTATION", "ENTITY", "ENTITIES", "nothing"])
def test_a_type_that_is_not_handled_is_named(name):
    with pytest.raises(Unsupported):
        builtin(name)
