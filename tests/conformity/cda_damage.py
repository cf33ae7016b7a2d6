"""Damages CDA documents in ways that a seed repeats: bytes, tags, attributes, text, order of elements. Only tests use it."""

# The pools are lists of words, not code.
# ruff: noqa: E501

from __future__ import annotations

import re
from collections.abc import Callable
from random import Random

_TAG = re.compile(rb"<(/?)([A-Za-z_][\w.:-]*)((?:\s+[\w.:-]+\s*=\s*(?:\"[^\"]*\"|'[^']*'))*)\s*(/?)>")
_ATTRIBUTE = re.compile(rb"(\s+)([\w.:-]+)(\s*=\s*)(\"[^\"]*\"|'[^']*')")

NASTY = b"<>&\"'/=:;]-!?#% \t\r\n\0\x01\x7f\x80\xbf\xc0\xc3\xe9\xed\xef\xf0\xf5\xff0aZ_."
TEXTS = [
    b" ", b"\n", b"\t", b"\r\n", b"x", "é".encode(), b"&amp;", b"&#233;", b"&#xE9;", b"&#10;", b"&#0;", b"&#xFFFE;", b"&#xD800;", b"&#x110000;",
    b"&lt;", b"&quot;", b"&apos;", b"&gt;", b"&nbsp;", b"&", b"&#;", b"&#x;", b"]]>", b"]]", b">", b"]]&gt;", b"<!-- c -->", b"<!-- a--b -->",
    b"<!---->", b"<!--->", "<!-- é -->".encode(), b"<!-- e --->", b"<?pi x?>", b"<?xml version='1.0'?>", b"<?p:i x?>",
    b"<?pi?>", b"<?pi>", b"<![CDATA[x]]>", b"<![CDATA[ ]]>", b"\xef\xbf\xbe", b"\xed\xa0\x80", b"\xc0\xaf", b"\xf4\x90\x80\x80", "🩺".encode(),
    "\ufeff".encode(), "\u0085".encode(), "\u2028".encode(), b"\x0b", b"<br/>", b"<content>x</content>", b"<reference value='#a'/>",
]  # fmt: skip
VALUES = [
    b"", b" ", b"  ", b"x", b"1", b"0", b"-1", b"+1", b"1.5", b"1e3", b"NaN", b"INF", b"-INF", b".5", b"5.", b"007", b"-0", b"0.0000", b"99999999999999999999",
    b"true", b"false", b"TRUE", b"a b", b" a", b"a ", b"a\tb", b"a\nb", b"a&#10;b", b"&#32;a", b"a&amp;b", b"&#97;", b"&lt;", "é".encode(), "🩺".encode(), b"<", b"&",
    b"2.16.840.1.113883.1.3", b"1.02.3", b"3.1", b"1.", b"1..2", b"abc-1", b"-abc", b"12345678-1234-1234-1234-123456789012", b"12345678-1234-1234-1234-12345678901",
    b"2024", b"20240328093000+0100", b"20240328093000.5+0100", b"20240328093000.5", b"202403280930001", b"20240328+01000", b"123456789", b"20240328093000+",
    b"#abc", b"tel:0383000000", b"tel:+33 3 83", b"mailto:a@b.fr", b"http://a/b?c=d#e", b"http://a:b/", b"http://[::1]/", b"::", b":", b"%zz", b"a%20b", b"//x", b"a:b:c", b"#a#b",
    b"http://a b", b"urn:oid:1.2", b"?", b"a|b", b"{}", b"\\", b"^", b"http:", b"http:/", b"http://", b"/a", b"./a", b"1:2", "#é".encode(), "http://é/".encode(), b"http://a:99999/",
    b"fr", b"fr-FR", b"a:b", b"1a", b"_a", b"a.b", b"a-b", b"H HP", b"H  HP", b" H ", b"H", b"HP WP", b"WP\tHP", b"QQ", b"BR", b"CL", b"SYNTH", b"F", b"UNK", b"NA", b"NI", b"OBS",
    b"EVN", b"RQO", b"COMP", b"PSN", b"TXT", b"B64", b"text/plain", b"application/pdf", b"aGVsbG8=", b"aGVsbG8", b"aGVs bG8=", b"CD", b"ST", b"hl7:CD", b"xs:string",
    b"POCD_HD000040", b"text/x-hl7-text+xml", b"left", b"center", b"Bold", b"Bold Italics", b"p1", b"p1 p2", b"p1  p2",
]  # fmt: skip
TYPES = [
    b"CD", b"CE", b"CV", b"CS", b"ST", b"ED", b"II", b"PQ", b"INT", b"REAL", b"BL", b"TS", b"IVL_TS", b"PIVL_TS", b"EIVL_TS", b"SXCM_TS", b"IVL_PQ", b"ANY", b"QTY", b"BIN",
    b"RTO_PQ_PQ", b"RTO", b"TEL", b"AD", b"PN", b"EN", b"ON", b"SC", b"MO", b"CO", b"GLIST_PQ", b"SLIST_PQ", b"SXPR_TS", b"ANYNonNull", b"BN", b"CR", b"URL", b"thumbnail",
    b"hl7:CD", b"x:CD", b" CD", b"CD ", b"cd", b"", b"xs:string", b"st", b"int", b"POCD_MT000040.Act", b"StrucDoc.Text", b"StrucDoc.Br", b"all.InfrastructureRoot.typeId",
    b"POCD_MT000040.InfrastructureRoot.typeId", b"adxp.city", b"en.family", b"HXIT_PQ", b"BXIT_CD", b"PPD_PQ", b"UVP_TS", b"IVXB_TS", b"IVXB_PQ", b"IVL_INT", b"hl7:IVL_TS",
]  # fmt: skip
ADDED = [
    b"nullFlavor", b"xsi:type", b"xsi:nil", b"xsi:schemaLocation", b"xsi:noNamespaceSchemaLocation", b"xsi:other", b"code", b"value", b"unit", b"ID", b"use", b"mediaType", b"representation",
    b"classCode", b"moodCode", b"typeCode", b"root", b"extension", b"xml:lang", b"xml:space", b"xml:id", b"xmlns:hl7", b"xmlns:xsi", b"xmlns:lab", b"xmlns:q", b"xmlns", b"sdtc:valueSet",
    b"unsorted", b"language", b"IDREF", b"referencedObject", b"styleCode", b"inverted", b"operator", b"institutionSpecified", b"partType", b"qualifier", b"isNotOrdered", b"bad",
]  # fmt: skip
NAMESPACES = [
    b"urn:hl7-org:v3", b"http://www.w3.org/2001/XMLSchema-instance", b"urn:hl7-org:sdtc", b"urn:oid:1.3.6.1.4.1.19376.1.3.2", b"urn:ihe:pharm:medication", b"urn:x", b"", b"x y",
    b"http://www.w3.org/XML/1998/namespace", b"http://www.w3.org/2000/xmlns/", b"urn:hl7-org:v3 ", b"urn:dicom-org:ps3-20", b"http://www.w3.org/2001/XMLSchema", b"x", b"http://a:b",
]  # fmt: skip


class Damage:
    """Damaged copies of one document."""

    def __init__(self, data: bytes, names: list[bytes]) -> None:
        self.data = data
        self.names = names
        self.elements: list[tuple[int, int, int, int]] = []
        """Start, end of the opening tag, start of the closing tag (the end when there is none), end."""
        stack: list[tuple[int, int]] = []
        for match in _TAG.finditer(data):
            if match[1]:
                start, opened = stack.pop()
                self.elements.append((start, opened, match.start(), match.end()))
            elif match[4]:
                self.elements.append((match.start(), match.end(), match.end(), match.end()))
            else:
                stack.append((match.start(), match.end()))
        self.elements.sort()
        self.small = [e for e in self.elements if e[3] - e[0] < 2000]
        self.ways: list[Callable[[Random], bytes]] = [
            self.byte, self.cut, self.noise, self.removed, self.doubled, self.moved, self.swapped, self.renamed, self.attribute_value,
            self.attribute_value, self.attribute_value, self.attribute_removed, self.attribute_doubled, self.attribute_added, self.attribute_added, self.typed,
            self.text, self.text, self.text_in_text, self.spaced, self.spaced_tag, self.quoted, self.declared, self.emptied, self.unwrapped, self.closed, self.after,
        ]  # fmt: skip

    def once(self, random: Random) -> tuple[str, bytes]:
        """The name of the damage, and the document."""
        way = random.choice(self.ways)
        return way.__name__, way(random)

    def byte(self, random: Random) -> bytes:
        at = random.randrange(len(self.data))
        new = bytes([random.choice(NASTY)])
        return self.data[:at] + random.choice([new, b"", new + self.data[at : at + 1]]) + self.data[at + 1 :]

    def cut(self, random: Random) -> bytes:
        return self.data[: random.choice([random.randrange(len(self.data)), len(self.data) - random.randrange(1, 30)])]

    def noise(self, random: Random) -> bytes:
        at = random.randrange(len(self.data))
        return self.data[:at] + random.randbytes(random.randrange(1, 5)) + self.data[at:]

    def removed(self, random: Random) -> bytes:
        start, _, _, end = random.choice(self.small)
        return self.data[:start] + self.data[end:]

    def doubled(self, random: Random) -> bytes:
        start, _, _, end = random.choice(self.small)
        return self.data[:end] + self.data[start:end] + self.data[end:]

    def moved(self, random: Random) -> bytes:
        start, _, _, end = random.choice(self.small)
        there = random.choice(self.elements)
        at = random.choice([there[0], there[1], there[2], there[3]])
        return self.data[:at] + self.data[start:end] + self.data[at:]

    def swapped(self, random: Random) -> bytes:
        at = random.randrange(len(self.elements) - 1)
        (a, _, _, b), (c, _, _, d) = self.elements[at], self.elements[at + 1]
        if c < b:
            return self.removed(random)
        return self.data[:a] + self.data[c:d] + self.data[b:c] + self.data[a:b] + self.data[d:]

    def renamed(self, random: Random) -> bytes:
        start, opened, closing, end = random.choice(self.elements)
        name = random.choice(self.names)
        tag = re.sub(rb"^<[\w.:-]+", b"<" + name, self.data[start:opened])
        inside = self.data[opened:closing]
        close = b"</" + name + b">" if closing < end else b""
        return self.data[:start] + tag + inside + close + self.data[end:]

    def _open_tag(self, random: Random, change: Callable[[bytes], bytes]) -> bytes:
        start, opened, _, _ = random.choice(self.elements)
        return self.data[:start] + change(self.data[start:opened]) + self.data[opened:]

    def _attribute(self, random: Random, change: Callable[[re.Match[bytes]], bytes]) -> bytes:
        def changed(tag: bytes) -> bytes:
            found = list(_ATTRIBUTE.finditer(tag))
            if not found:
                return tag
            one = random.choice(found)
            return tag[: one.start()] + change(one) + tag[one.end() :]

        return self._open_tag(random, changed)

    def attribute_value(self, random: Random) -> bytes:
        value = random.choice(VALUES)
        return self._attribute(random, lambda m: m[1] + m[2] + m[3] + b'"' + value + b'"')

    def attribute_removed(self, random: Random) -> bytes:
        return self._attribute(random, lambda m: b"")

    def attribute_doubled(self, random: Random) -> bytes:
        return self._attribute(random, lambda m: m[0] + m[0])

    def attribute_added(self, random: Random) -> bytes:
        name = random.choice(ADDED)
        value = random.choice(TYPES if name == b"xsi:type" else NAMESPACES if name.startswith(b"xmlns") else VALUES)
        added = b" " + name + b'="' + value + b'"'
        return self._open_tag(
            random,
            lambda tag: tag[: -2 if tag.endswith(b"/>") else -1] + added + (b"/>" if tag.endswith(b"/>") else b">"),
        )

    def typed(self, random: Random) -> bytes:
        found = list(re.finditer(rb'xsi:type="[^"]*"', self.data))
        if not found:
            return self.attribute_added(random)
        one = random.choice(found)
        return self.data[: one.start()] + b'xsi:type="' + random.choice(TYPES) + b'"' + self.data[one.end() :]

    def text(self, random: Random) -> bytes:
        at = random.choice(random.choice(self.elements)[:4])
        return self.data[:at] + random.choice(TEXTS) + self.data[at:]

    def text_in_text(self, random: Random) -> bytes:
        found = [e for e in self.elements if e[2] > e[1] and b"<" not in self.data[e[1] : e[2]]]
        if not found:
            return self.text(random)
        _, opened, closing, _ = random.choice(found)
        at = random.randrange(opened, closing + 1)
        return self.data[:at] + random.choice(TEXTS) + self.data[at:]

    def spaced(self, random: Random) -> bytes:
        start, opened, closing, end = random.choice(self.elements)
        at = random.choice([start, opened, closing, end])
        return self.data[:at] + random.choice([b" ", b"\n", b"\r", b"\t", b"\r\n  "]) + self.data[at:]

    def spaced_tag(self, random: Random) -> bytes:
        blank = random.choice([b" ", b"\n", b"\t", b"\r\n"])
        way = random.randrange(4)
        if way == 0:
            return self._attribute(random, lambda m: blank + m[2] + blank + b"=" + blank + m[4])
        if way == 1:
            return self._attribute(random, lambda m: m[2] + m[3] + m[4])
        if way == 2:
            return self._open_tag(
                random, lambda tag: tag[:-2] + blank + b"/>" if tag.endswith(b"/>") else tag[:-1] + blank + b">"
            )
        _, _, closing, end = random.choice(self.elements)
        return self.data[: max(closing, end - 1)] + blank + self.data[max(closing, end - 1) :]

    def quoted(self, random: Random) -> bytes:
        return self._attribute(random, lambda m: m[1] + m[2] + b"='" + m[4][1:-1] + b"'")

    def declared(self, random: Random) -> bytes:
        body = re.sub(rb"^\s*<\?xml [^>]*\?>", b"", self.data)
        return random.choice([
            b"", b"<?xml version='1.0'?>", b'<?xml version="1.1"?>', b'<?xml version="1.0" encoding="ISO-8859-1"?>', b'<?xml version="1.0" encoding="utf-8" standalone="yes"?>',
            b"\xef\xbb\xbf", b" <?xml version='1.0'?>", b"<!DOCTYPE ClinicalDocument>", b"<!-- c -->", b"<?xml?>", b"<?xml encoding='UTF-8'?>", b"<?XML version='1.0'?>", b"\n",
            b"<?xml version='1.0' standalone='maybe'?>", b"<?xml version='1.0'encoding='UTF-8'?>", b"<?xml version='1.0' encoding=\"UTF-8\" ?>\n<?a b?>", b"<?xml version='1.0' standalone='no' encoding='UTF-8'?>",
        ]) + body  # fmt: skip

    def emptied(self, random: Random) -> bytes:
        _, opened, closing, _ = random.choice(self.elements)
        return self.data[:opened] + self.data[closing:]

    def unwrapped(self, random: Random) -> bytes:
        start, opened, closing, end = random.choice(self.elements)
        return self.data[:start] + self.data[opened:closing] + self.data[end:]

    def closed(self, random: Random) -> bytes:
        start, opened, closing, end = random.choice(self.elements)
        if closing == end:
            name = re.match(rb"<([\w.:-]+)", self.data[start:opened])
            assert name
            return (
                self.data[: opened - 2]
                + b"></"
                + name[1]
                + random.choice([b">", b"x>", b" >", b""])
                + self.data[opened:]
            )
        return self.data[:closing] + b"</" + random.choice(self.names) + b">" + self.data[end:]

    def after(self, random: Random) -> bytes:
        return self.data + random.choice(TEXTS)
