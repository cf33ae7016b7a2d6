"""What keeps a PDF from being PDF/A-1b, as far as its structure tells (ISO 19005-1:2005), and whether it can be put right.

Looked at: file structure, fonts embedded, colours against the output intent, transparency, encryption, actions, attachments, external
and LZW streams, optional content, forms, annotations, XMP against the information dictionary. Not looked at: widths and outlines inside
font programs, operators of PDF 1.5 and later in pages, numbers beyond the limits of annex C. Nothing is written here.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta, timezone
from functools import lru_cache
from typing import Any, Literal, NamedTuple

from transvase.formats import xml_texts

Way = Literal["mend", "draw", "never"]


class Defect(NamedTuple):
    """`way`: mended without a visible change, only drawn as an image, or neither; `sentence_fr` completes what is said to people."""

    way: Way
    sentence_fr: str


DEFECTS: dict[str, Defect] = {
    "unreadable": Defect("never", "sa structure ne peut pas être lue"),
    "password": Defect("never", "il est protégé par un mot de passe"),
    "no-page": Defect("never", "il ne contient aucune page"),
    "beyond-limits": Defect("never", "il dépasse ce qui peut être converti (nombre de pages ou d'objets, taille, durée)"),
    "portfolio": Defect("never", "c'est un porte-documents, dont le contenu est dans ses pièces jointes"),
    "dynamic-form": Defect("never", "c'est un formulaire dynamique (XFA), que seul son éditeur affiche"),
    "unit": Defect("never", "l'unité de ses pages n'est pas le point"),
    "damaged": Defect("draw", "sa structure est abîmée"),
    "font": Defect("draw", "une police n'est pas incorporée"),
    "font-rules": Defect("draw", "une police incorporée n'est pas décrite comme PDF/A le demande"),
    "transparency": Defect("draw", "il emploie la transparence"),
    "colour": Defect("draw", "il emploie des couleurs d'imprimerie (CMJN) ou un profil de couleur récent"),
    "coding": Defect("draw", "il emploie un codage que PDF/A-1 n'admet pas"),
    "external": Defect("draw", "il renvoie à un fichier extérieur"),
    "layers": Defect("draw", "des calques y sont masqués"),
    "annotation": Defect("draw", "une annotation n'a pas d'apparence fixe"),
    "form-drawn": Defect("draw", "l'apparence de son formulaire dépend du lecteur ou d'un script"),
    "limits": Defect("draw", "un objet dépasse les limites de PDF/A-1"),
    "encrypted": Defect("mend", "il est chiffré"),
    "script": Defect("mend", "il contient un script ou une action"),
    "attachment": Defect("mend", "il contient une pièce jointe"),
    "form": Defect("mend", "son formulaire est modifiable ou porte des polices non incorporées"),
    "flags": Defect("mend", "une annotation peut être masquée à l'impression"),
    "layer": Defect("mend", "il contient des calques, tous visibles"),
    "group": Defect("mend", "il déclare un groupe de transparence sans rien de transparent"),
    "lzw": Defect("mend", "il emploie la compression LZW"),
    "font-details": Defect("mend", "la description d'une police incorporée est incomplète"),
    "image-hint": Defect("mend", "une image demande un lissage"),
    "intent": Defect("mend", "l'intention de couleur manque"),
    "metadata": Defect("mend", "ses métadonnées ne le déclarent pas PDF/A-1 ou ne concordent pas"),
    "structure": Defect("mend", "la structure du fichier n'est pas celle de PDF 1.4"),
}  # fmt: skip

# A record of a practice stays far below; walking so many takes some seconds.
OBJECTS_AT_MOST = 250_000
PAGES_AT_MOST = 5_000

FILTERS = {
    "/FlateDecode",
    "/ASCIIHexDecode",
    "/ASCII85Decode",
    "/RunLengthDecode",
    "/CCITTFaxDecode",
    "/JBIG2Decode",
    "/DCTDecode",
}
_ANNOTATIONS = {"/Text", "/Link", "/FreeText", "/Line", "/Square", "/Circle", "/Highlight", "/Underline", "/Squiggly", "/StrikeOut",
                "/Stamp", "/Ink", "/Popup", "/Widget"}  # fmt: skip
ACTIONS = {"/GoTo", "/GoToR", "/Thread", "/URI"}
NAMED = {"/NextPage", "/PrevPage", "/FirstPage", "/LastPage"}
SUBSET = re.compile(r"/[A-Z]{6}\+")
INVISIBLE, HIDDEN, PRINT, NO_VIEW = 1, 2, 4, 32
# Of the operators that matter here: colours, depth of the state, inline images.
_OPERATORS = "q Q k K cs CS ri BI ID EI"
# Words of qpdf 12; an unknown one counts as damage.
_HARMLESS = ("Resources is missing or invalid; repairing", "/Type key should be")
_TEXT_OPERATORS = "q Q Tf Tr Tj TJ ' \""
_INVISIBLE_TEXT = 3
STATES_AT_MOST = 28
_INTENTS = {"/RelativeColorimetric", "/AbsoluteColorimetric", "/Perceptual", "/Saturation"}


class _Drawn(Exception):
    """Enough is known: the file can only be drawn, or not even that."""


def way(found: set[str]) -> Way | None:
    """What can be done about these defects; None when there are none."""
    ways = {DEFECTS[name].way for name in found}
    for one in ("never", "draw", "mend"):
        if one in ways:
            return one
    return None


def defects(pdf: Any, body: bytes) -> set[str]:
    """Names of DEFECTS that an open `pikepdf.Pdf` of `body` shows. Ends at the first that mending cannot remove: a file that can only be
    drawn may have more."""
    look = _Look(pdf)
    try:
        look.document(body)
    except _Drawn:
        pass
    except (RecursionError, MemoryError):
        look.found.add("beyond-limits")
    except Exception:
        # qpdf quotes the file in its messages, and raises whatever a hostile one makes it stumble on.
        look.found.add("damaged")
    return look.found


class _Look:
    def __init__(self, pdf: Any) -> None:
        import pikepdf

        self.pdf = pdf
        self.kinds = pikepdf.ObjectType
        self.parse = pikepdf.parse_content_stream
        self.found: set[str] = set()
        self.seen: set[tuple[int, int]] = set()
        self.walked = 0
        self.colours: set[str] = set()
        # Fonts that are not embedded, and what draws with its resources: only a font that shows something counts.
        self.missing: set[tuple[int, int]] = set()
        self.owners: list[tuple[Any, Any]] = []

    def add(self, name: str) -> None:
        self.found.add(name)
        if DEFECTS[name].way != "mend":
            raise _Drawn

    def document(self, body: bytes) -> None:
        pdf = self.pdf
        root = pdf.Root
        if "/Collection" in root:
            self.add("portfolio")
        if root.get("/NeedsRendering") is True:
            self.add("dynamic-form")
        count = len(pdf.pages)
        if not count:
            self.add("no-page")
        if count > PAGES_AT_MOST or len(pdf.objects) > OBJECTS_AT_MOST:
            self.add("beyond-limits")
        self.warned()
        self.file(body)
        fields = self.form(root)
        self.actions(root, fields)
        self.layers(root)
        for page in pdf.pages:
            self.page(page.obj, fields)
        self.walk(root.Pages)
        if "/Outlines" in root:
            self.walk(root.Outlines)
        self.shown()
        self.rest(root)
        self.intent(root)
        if metadata_differs(pdf):
            self.add("metadata")
        self.warned()

    def warned(self) -> None:
        """What qpdf had to guess; an entry of a page that may be left out is written again by it, without any doubt."""
        for warning in self.pdf.get_warnings():
            self.add("structure" if any(said in str(warning) for said in _HARMLESS) else "damaged")

    # -- File ---------------------------------------------------------------------------------------------------------------------

    def file(self, body: bytes) -> None:
        trailer = self.pdf.trailer
        ends = body[body.rfind(b"%%EOF") + 5 :]
        whole = re.match(rb"%PDF-1\.[0-4](?:\r\n?|\n)%[^\r\n]*?[\x80-\xff]{4}", body) and ends in (
            b"",
            b"\n",
            b"\r",
            b"\r\n",
        )
        if not whole or "/ID" not in trailer or trailer.get("/Type") == "/XRef" or "/XRefStm" in trailer:
            self.add("structure")
        if self.pdf.is_encrypted:
            self.add("encrypted")

    # -- What a reader may do -----------------------------------------------------------------------------------------------------

    def form(self, root: Any) -> bool:
        form = root.get("/AcroForm")
        if form is None:
            return False
        fields = len(form.get("/Fields", []))
        if fields and form.get("/NeedAppearances") is True:
            self.add("form-drawn")
        if "/XFA" in form or form.get("/NeedAppearances") is True:
            self.add("form")
        return bool(fields)

    def actions(self, root: Any, fields: bool) -> None:
        names = root.get("/Names", {})
        scripts = "/JavaScript" in names
        if "/EmbeddedFiles" in names:
            self.add("attachment")
        opening = root.get("/OpenAction")
        if "/AA" in root or scripts or (opening is not None and self.is_dictionary(opening) and not allowed(opening)):
            # A script may fill the fields: what is then seen is not what the file holds.
            self.add("form-drawn" if fields and self.runs(root, scripts, opening) else "script")

    def runs(self, root: Any, scripts: bool, opening: Any) -> bool:
        return scripts or (self.is_dictionary(opening) and bool(opening.get("/S") == "/JavaScript"))

    def is_dictionary(self, value: Any) -> bool:
        return bool(getattr(value, "_type_code", None) == self.kinds.dictionary)

    def layers(self, root: Any) -> None:
        if "/OCProperties" not in root:
            return
        default = root.OCProperties.get("/D", {})
        shown = (
            default.get("/BaseState", "/ON") == "/ON"
            and not len(default.get("/OFF", []))
            and not len(default.get("/AS", []))
        )
        self.add("layer" if shown and "/OCGs" in root.OCProperties else "layers")

    # -- Pages --------------------------------------------------------------------------------------------------------------------

    def page(self, page: Any, fields: bool) -> None:
        if page.get("/UserUnit", 1) != 1:
            self.add("unit")
        if "/Contents" in page:
            self.stream_content(page)
            self.owners.append((page, page.get("/Resources")))
        if "/AA" in page:
            self.add("script")
        for annotation in page.get("/Annots", []):
            self.annotation(annotation, fields)

    def annotation(self, it: Any, fields: bool) -> None:
        kind = it.get("/Subtype")
        flags = int(it.get("/F", 0))
        if flags & (HIDDEN | NO_VIEW):
            # Not seen, so taken away with whatever else it has.
            self.add("flags")
            return
        if kind not in _ANNOTATIONS:
            self.add("annotation")
        if kind != "/Popup" and (not flags & PRINT or flags & INVISIBLE):
            self.add("flags")
        appearance = it.get("/AP")
        if kind in ("/Widget", "/FreeText", "/Stamp", "/Ink", "/Line", "/Square", "/Circle", "/Highlight", "/Underline", "/Squiggly",
                    "/StrikeOut") and (appearance is None or "/N" not in appearance):  # fmt: skip
            box = it.get("/Rect")
            if box is None or any(box[i] != box[i + 2] for i in (0, 1)):
                self.add("annotation")
        if appearance is not None and set(appearance.keys()) != {"/N"}:
            self.add("flags")
        if "/AA" in it or ("/A" in it and not allowed(it.A)):
            acts = [it.get("/A", {}), *(v for v in it.get("/AA", {}).values())] if kind == "/Widget" else []
            self.add("form-drawn" if any(a.get("/S") == "/JavaScript" for a in acts) else "script")

    def stream_content(self, owner: Any) -> None:
        """Colours, inline images and depth of the state in a page, a form, a pattern or a glyph."""
        depth = 0
        for instruction in self.parse(owner, _OPERATORS):
            operator = str(instruction.operator)
            if operator == "q":
                depth += 1
                if depth > STATES_AT_MOST:
                    self.add("limits")
            elif operator == "Q":
                depth -= 1
            elif operator in ("k", "K"):
                self.colours.add("/DeviceCMYK")
            elif operator in ("cs", "CS"):
                self.colours.add(str(instruction.operands[0]))
            elif operator == "ri":
                if instruction.operands[0] not in _INTENTS:
                    self.add("coding")
            elif operator == "INLINE IMAGE":
                image = instruction.iimage
                if any(name in ("/LZWDecode", "/LZW", "/Crypt") for name in map(str, image.filters)):
                    self.add("coding")
                if any(
                    str(name) in ("/DeviceCMYK", "/CMYK")
                    for name in (image.obj.get("/ColorSpace"), image.obj.get("/CS"))
                ):
                    self.colours.add("/DeviceCMYK")
                if image.obj.get("/Interpolate") is True or image.obj.get("/I") is True:
                    self.add("coding")

    # -- Every object -------------------------------------------------------------------------------------------------------------

    def rest(self, root: Any) -> None:
        """What is not reached from the pages. A form goes when the file is mended, so its fonts are no obstacle."""
        before = self.found
        if "/AcroForm" in root:
            self.found, self.missing = set(), set()
            try:
                self.walk(root.AcroForm)
                inside = bool(self.found - {"font-details"} or self.missing)
            except _Drawn:
                inside = True
            self.found = before | ({"form"} if inside else set())
        for key in root.keys():  # noqa: SIM118 - a pikepdf dictionary
            if key not in ("/Pages", "/Outlines", "/AcroForm", "/OutputIntents", "/Metadata", "/OCProperties", "/Perms", "/Names",
                           "/StructTreeRoot"):  # fmt: skip
                self.walk(root[key])

    def walk(self, start: Any) -> None:
        stack = [start]
        kinds = self.kinds
        while stack:
            it = stack.pop()
            kind = getattr(it, "_type_code", None)
            if kind is None:
                continue
            if kind == kinds.name_:
                name = str(it)
                if name in ("/DeviceCMYK", "/DeviceRGB"):
                    self.colours.add(name)
                elif len(name) > 128:
                    self.add("limits")
                continue
            if kind == kinds.string:
                if len(bytes(it)) > 65_535:
                    self.add("limits")
                continue
            if kind not in (kinds.array, kinds.dictionary, kinds.stream):
                continue
            if it.is_indirect:
                if it.objgen in self.seen:
                    continue
                self.seen.add(it.objgen)
            self.walked += 1
            if self.walked > 4 * OBJECTS_AT_MOST:
                self.add("beyond-limits")
            if kind == kinds.array:
                if len(it) > 8_191:
                    self.add("limits")
                stack += self.array(it)
            else:
                stack += self.dictionary(it, kind == kinds.stream)

    def array(self, it: Any) -> list[Any]:
        values = list(it)
        if len(values) > 1 and getattr(values[0], "_type_code", None) == self.kinds.name_ and values[0] == "/ICCBased":
            if not usable_profile(values[1]):
                self.add("colour")
            return []
        return values

    def dictionary(self, it: Any, is_stream: bool) -> Iterator[Any]:
        keys = it.keys()
        if len(keys) > 4_095:
            self.add("limits")
        if is_stream:
            self.stream(it, keys)
        if "/BaseFont" in keys or ("/Subtype" in keys and it.Subtype == "/Type3"):
            self.font(it)
        if "/Group" in keys and grouped(it.Group):
            self.add("group")
        for key in ("/ca", "/CA"):
            if key in keys and isinstance(it[key], (int, float)) | hasattr(it[key], "as_tuple") and it[key] != 1:
                self.add("transparency")
        if "/BM" in keys and it.BM not in ("/Normal", "/Compatible"):
            self.add("transparency")
        if "/SMask" in keys and it.SMask != "/None":
            self.add("transparency")
        if "/TR" in keys and "/Subtype" not in keys and it.TR != "/Identity":
            self.add("coding")
        if "/TR2" in keys and it.TR2 != "/Default":
            self.add("coding")
        if "/OC" in keys and self.is_dictionary(it.OC) and "/OCGs" in it.OC:
            # A membership may show when its layer does not.
            self.add("layers")
        if "/Metadata" in keys:
            self.add("metadata")
        if "/EF" in keys:
            self.add("attachment")
        if "/S" in keys and it.S == "/JavaScript":
            self.add("script")
        # Names of resources are anybody's choice, so no key is passed over but those of a font: thousands of widths.
        return (it[key] for key in keys if not ("/BaseFont" in keys and key in ("/W", "/Widths")))

    def stream(self, it: Any, keys: Any) -> None:
        if "/F" in keys or "/FFilter" in keys:
            self.add("external")
        filters = it.get("/Filter", [])
        for name in [filters] if getattr(filters, "_type_code", None) == self.kinds.name_ else list(filters):
            if name == "/LZWDecode":
                self.add("lzw")
            elif name not in FILTERS:
                self.add("coding")
        subtype = it.get("/Subtype")
        if subtype == "/Image":
            if (
                it.get("/SMaskInData", 0) != 0
                or "/OPI" in keys
                or "/Alternates" in keys
                or it.get("/BitsPerComponent", 8) == 16
            ):
                self.add("coding")
            if it.get("/Interpolate") is True:
                self.add("image-hint")
            if it.get("/Intent", "/Perceptual") not in _INTENTS:
                self.add("coding")
        elif subtype == "/PS" or any(k in keys for k in ("/PS", "/Subtype2", "/OPI", "/Ref")):
            self.add("coding")
        if subtype == "/Form" or it.get("/PatternType") == 1:
            self.stream_content(it)
            self.owners.append((it, it.get("/Resources")))

    def shown(self) -> None:
        """Whether a font that is not embedded shows text: one that is only named, or lays invisible text over a scan, does no harm."""
        if not self.missing:
            return
        for owner, resources in self.owners:
            fonts = resources.get("/Font", {}) if resources is not None else {}
            font, mode, before = "", 0, []
            for instruction in self.parse(owner, _TEXT_OPERATORS):
                operator, operands = str(instruction.operator), instruction.operands
                if operator == "Tf":
                    font = str(operands[0])
                elif operator == "Tr":
                    mode = int(operands[0])
                elif operator == "q":
                    before.append((font, mode))
                elif operator == "Q":
                    font, mode = before.pop() if before else (font, mode)
                elif mode != _INVISIBLE_TEXT and self.lacks(fonts.get(font)):
                    self.add("font")

    def lacks(self, font: Any) -> bool:
        """Whether the program of a font is not in the file; so for one that cannot be found."""
        if font is None:
            return True
        held = [font, *font.get("/DescendantFonts", [])]
        return any(one.objgen in self.missing for one in held)

    def font(self, font: Any) -> None:
        kind = font.get("/Subtype")
        if kind == "/Type3":
            for glyph in font.get("/CharProcs", {}).values():
                self.stream_content(glyph)
                self.owners.append((glyph, font.get("/Resources")))
            return
        if kind == "/Type0":
            encoding = font.get("/Encoding")
            if getattr(encoding, "_type_code", None) == self.kinds.name_ and encoding not in (
                "/Identity-H",
                "/Identity-V",
            ):
                self.add("font-rules")
            return
        held = font.get("/FontDescriptor")
        program = next((k for k in ("/FontFile2", "/FontFile3", "/FontFile") if held is not None and k in held), None)
        if program is None:
            if font.is_indirect:
                self.missing.add(font.objgen)
            else:
                self.add("font")
            return
        if program == "/FontFile3" and held.FontFile3.get("/Subtype") not in ("/Type1C", "/CIDFontType0C"):
            self.add("font-rules")
        subset = SUBSET.match(str(font.get("/BaseFont", ""))) is not None
        if kind in ("/CIDFontType0", "/CIDFontType2"):
            if kind == "/CIDFontType2" and "/CIDToGIDMap" not in font:
                self.add("font-details")
            if subset and "/CIDSet" not in held:
                self.add("font-details" if kind == "/CIDFontType2" and program == "/FontFile2" else "font-rules")
        elif kind == "/TrueType":
            encoding = font.get("/Encoding")
            plain = encoding in ("/WinAnsiEncoding", "/MacRomanEncoding") if encoding is not None else False
            if (int(held.get("/Flags", 0)) & 4 and encoding is not None) or (
                not int(held.get("/Flags", 0)) & 4 and not plain
            ):
                self.add("font-rules")
        elif subset and "/CharSet" not in held:
            self.add("font-rules")

    # -- Colour and metadata ------------------------------------------------------------------------------------------------------

    def intent(self, root: Any) -> None:
        families = {name for name in ("/DeviceCMYK", "/DeviceRGB") if name in self.colours}
        if "/DeviceCMYK" in families and own_intent(root) != 4:
            self.add("colour")
        if families == {"/DeviceCMYK", "/DeviceRGB"}:
            self.add("colour")
        if own_intent(root) is None or (own_intent(root) == 1 and families):
            self.add("intent")


def allowed(action: Any) -> bool:
    """Whether PDF/A-1 admits this action and those after it (6.6.1)."""
    try:
        kind = action.get("/S")
        return "/Next" not in action and (kind in ACTIONS or (kind == "/Named" and action.get("/N") in NAMED))
    except (AttributeError, TypeError):
        return False


def grouped(value: Any) -> bool:
    """Whether the value of a key `/Group` is a transparency group, and not a resource that bears that name."""
    try:
        return bool(value.get("/S") == "/Transparency")
    except (AttributeError, TypeError, ValueError):
        return False


def usable_profile(profile: Any) -> bool:
    """Whether an ICC stream is one that PDF 1.4 knows: version 2, as many components as it says."""
    return profile_serves(bytes(profile.read_bytes()), profile.get("/N"))


def profile_serves(data: bytes, components: Any) -> bool:
    """`usable_profile` of the bytes of a profile and the number of components that the file says."""
    head = data[:128]
    wanted = {b"GRAY": 1, b"RGB ": 3, b"CMYK": 4, b"Lab ": 3}.get(head[16:20])
    return len(head) == 128 and head[8] <= 2 and head[36:40] == b"acsp" and bool(wanted == components)


def own_intent(root: Any) -> int | None:
    """Number of components of the GTS_PDFA1 output intent; None when there is none that serves."""
    intents = [i for i in root.get("/OutputIntents", []) if i.get("/S") == "/GTS_PDFA1"]
    if len(intents) != 1 or len(root.OutputIntents) != 1:
        return None
    profile = intents[0].get("/DestOutputProfile")
    return int(profile.N) if profile is not None and usable_profile(profile) else None


# Keys of the information dictionary that XMP must repeat (6.7.3), with the property that does.
MIRRORED = {
    "/Title": ("http://purl.org/dc/elements/1.1/", "title"),
    "/Author": ("http://purl.org/dc/elements/1.1/", "creator"),
    "/Subject": ("http://purl.org/dc/elements/1.1/", "description"),
    "/Keywords": ("http://ns.adobe.com/pdf/1.3/", "Keywords"),
    "/Creator": ("http://ns.adobe.com/xap/1.0/", "CreatorTool"),
    "/Producer": ("http://ns.adobe.com/pdf/1.3/", "Producer"),
    "/CreationDate": ("http://ns.adobe.com/xap/1.0/", "CreateDate"),
    "/ModDate": ("http://ns.adobe.com/xap/1.0/", "ModifyDate"),
}
_QUALIFIED = {key: f"{{{space}}}{name}" for key, (space, name) in MIRRORED.items()}
_PART, _CONFORMANCE = (f"{{http://www.aiim.org/pdfa/ns/id/}}{name}" for name in ("part", "conformance"))
_DESCRIPTION, _ITEM = (f"{{http://www.w3.org/1999/02/22-rdf-syntax-ns#}}{name}" for name in ("Description", "li"))
_DATE = re.compile(
    r"(?:D:)?(\d{4})-?(\d{2})?-?(\d{2})?T?(\d{2})?:?(\d{2})?:?(\d{2})?(?:\.\d+)?(?:(Z)|([+-])(\d{2})[':]?(\d{2})?'?)?"
)


@lru_cache(maxsize=256)
def instant(text: str) -> datetime | None:
    """A date of PDF or XMP; without an offset it is taken as UTC. None when it is none."""
    read = _DATE.match(text.strip())
    if read is None:
        return None
    offset = timedelta(hours=int(read[9] or 0), minutes=int(read[10] or 0)) * (-1 if read[8] == "-" else 1)
    try:
        day = (int(read[1]), int(read[2] or 1), int(read[3] or 1))
        return datetime(*day, int(read[4] or 0), int(read[5] or 0), int(read[6] or 0), tzinfo=timezone(offset))
    except ValueError:
        return None


def metadata_differs(pdf: Any) -> bool:
    """Whether the XMP is not the unfiltered one of a PDF/A-1 file, or says otherwise than the information dictionary."""
    metadata = pdf.Root.get("/Metadata")
    if metadata is None or "/Filter" in metadata:
        return True
    info = pdf.trailer.get("/Info", {})
    return packet_differs(metadata.read_raw_bytes(), ((key, str(info[key])) for key in MIRRORED if key in info))


@lru_cache(maxsize=1)
def _parser() -> Any:
    from lxml import etree

    return etree.XMLParser(resolve_entities=False, no_network=True, huge_tree=False)


def _properties(packet: bytes) -> dict[str, str] | None:
    """Properties that an XMP packet says, under their names of lxml; None when it is not XML."""
    found = xml_texts.apart(packet)
    if found is None:
        return _read(packet)
    pieces, texts = found
    said = _known(pieces)
    return said and {name: value.translate(texts) for name, value in said.items()}


@lru_cache(maxsize=128)
def _known(pieces: tuple[bytes, ...]) -> dict[str, str] | None:
    """`_read` of a packet of which only the texts are missing: a software writes the same in each of its files."""
    return _read(xml_texts.marked(pieces))


def _read(packet: bytes) -> dict[str, str] | None:
    from lxml import etree

    try:
        tree = etree.fromstring(packet, _parser())
    except (etree.LxmlError, ValueError):
        return None
    said: dict[str, str] = {}
    for description in tree.iter(_DESCRIPTION):
        for name, value in description.attrib.items():
            said[str(name)] = str(value)
        for child in description:
            if isinstance(child.tag, str):
                items = [i.text or "" for i in child.iter(_ITEM)] if len(child) else []
                said[child.tag] = items[0] if len(items) == 1 else ", ".join(items) if items else child.text or ""
    return said


def packet_differs(packet: bytes, info: Iterable[tuple[str, str]]) -> bool:
    """`metadata_differs` of the bytes of an XMP packet and the entries of MIRRORED that the information dictionary has."""
    head = packet[: packet.find(b"?>") + 2]
    if len(packet) > 1 << 20 or b"bytes=" in head or b"encoding=" in head:
        return True
    said = _properties(packet.strip())
    if said is None:
        return True
    if said.get(_PART) != "1" or said.get(_CONFORMANCE) not in ("A", "B"):
        return True
    for key, mine in info:
        theirs = said.get(_QUALIFIED[key])
        if theirs is None:
            return True
        if (instant(mine) != instant(theirs)) if key.endswith("Date") else mine.strip() != theirs.strip():
            return True
    return False
