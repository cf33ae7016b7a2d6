"""PDF as practices have them, each with one thing that PDF/A-1 refuses, and the rung each must reach."""

from __future__ import annotations

import io
import zlib
from collections.abc import Callable
from typing import Any

import pikepdf
from pikepdf import Array, Dictionary, Name, Stream, String

from transvase.exporters.pdf.icc import srgb
from transvase.exporters.pdf.writer import Heading, PageBreak, Paragraph, Table, text_document

from .samples import CREATED, image_bytes


def own() -> bytes:
    """Two pages of ours, PDF/A-1b from the start."""
    blocks = [
        Heading("Motif"),
        Paragraph("Dyspnée d’effort, œdème ≤ 2 cm"),
        Table([["Examen", "Valeur"], ["Sodium", "140"]]),
    ]
    return text_document(
        "Compte rendu", [*blocks, PageBreak(), Paragraph("Suite")], created=CREATED, identifier="DOC-1"
    )


def saved(pdf: pikepdf.Pdf, **options: Any) -> bytes:
    out = io.BytesIO()
    pdf.save(out, **{"static_id": True, **options})
    return out.getvalue()


def changed(change: Callable[[pikepdf.Pdf], None] = lambda pdf: None, declared: bool = False, **options: Any) -> bytes:
    """Our two pages as another software would have written them: fonts embedded, nothing of PDF/A but what is `declared`."""
    with pikepdf.open(io.BytesIO(own())) as pdf:
        if not declared:
            del pdf.Root.Metadata
            del pdf.Root.OutputIntents
        change(pdf)
        return saved(pdf, **options)


def with_object(**entries: Any) -> Callable[[pikepdf.Pdf], None]:
    def change(pdf: pikepdf.Pdf) -> None:
        for key, value in entries.items():
            pdf.Root[f"/{key}"] = value

    return change


def beside(font: Callable[[pikepdf.Pdf], Any]) -> Callable[[pikepdf.Pdf], Any]:
    """A font as an object of its own."""
    return lambda pdf: pdf.make_indirect(font(pdf))


def drawing(operators: bytes, **resources: Any) -> Callable[[pikepdf.Pdf], None]:
    """Something more on the first page, with what it needs."""

    def change(pdf: pikepdf.Pdf) -> None:
        page = pdf.pages[0]
        for kind, named in resources.items():
            if f"/{kind}" not in page.Resources:
                page.Resources[f"/{kind}"] = Dictionary()
            for name, make in named.items():
                page.Resources[f"/{kind}"][f"/{name}"] = make(pdf)
        page.contents_add(Stream(pdf, operators), prepend=False)

    return change


def state(**entries: Any) -> dict[str, Any]:
    return {"X": lambda pdf: Dictionary(Type=Name.ExtGState, **entries)}


def image(**entries: Any) -> Callable[[pikepdf.Pdf], Any]:
    def make(pdf: pikepdf.Pdf) -> Any:
        given = {k: v(pdf) if callable(v) else v for k, v in entries.items()}
        base = {
            "Type": Name.XObject,
            "Subtype": Name.Image,
            "Width": 4,
            "Height": 4,
            "ColorSpace": Name.DeviceGray,
            "BitsPerComponent": 8,
        }
        return pdf.make_indirect(
            Stream(pdf, bytes(range(0, 256, 16)), {**{f"/{k}": v for k, v in {**base, **given}.items()}})
        )

    return make


def helvetica(pdf: pikepdf.Pdf) -> Any:
    return Dictionary(Type=Name.Font, Subtype=Name.Type1, BaseFont=Name.Helvetica, Encoding=Name.WinAnsiEncoding)


def annotated(**entries: Any) -> Callable[[pikepdf.Pdf], None]:
    def change(pdf: pikepdf.Pdf) -> None:
        given = {k: v(pdf) if callable(v) else v for k, v in entries.items()}
        it = Dictionary(Type=Name.Annot, Rect=Array([100, 300, 200, 340]), **given)
        pdf.pages[0].obj.Annots = pdf.make_indirect(Array([pdf.make_indirect(it)]))

    return change


def appearance(pdf: pikepdf.Pdf) -> Any:
    form = Stream(
        pdf,
        b"0 0 1 rg 0 0 100 40 re f",
        {"/Type": Name.XObject, "/Subtype": Name.Form, "/BBox": Array([0, 0, 100, 40])},
    )
    return Dictionary(N=pdf.make_indirect(form))


def form(**entries: Any) -> Callable[[pikepdf.Pdf], None]:
    """A field that shows a blue box; the fonts of the form are not embedded, as almost everywhere."""

    def change(pdf: pikepdf.Pdf) -> None:
        annotated(Subtype=Name.Widget, FT=Name.Tx, T=String("nom"), V=String("x"), F=4, AP=appearance)(pdf)
        fonts = Dictionary(Font=Dictionary(Helv=helvetica(pdf)))
        given = {k: v(pdf) if callable(v) else v for k, v in entries.items()}
        pdf.Root.AcroForm = Dictionary(Fields=Array(list(pdf.pages[0].obj.Annots)), DR=fonts, **given)

    return change


def script(pdf: pikepdf.Pdf | None = None) -> Any:
    return Dictionary(S=Name.JavaScript, JS=String("app.alert(1)"))


def layers(**default: Any) -> Callable[[pikepdf.Pdf], None]:
    def change(pdf: pikepdf.Pdf) -> None:
        layer = pdf.make_indirect(Dictionary(Type=Name.OCG, Name=String("calque")))
        given = {k: Array([layer]) if v is True else v for k, v in default.items()}
        pdf.Root.OCProperties = Dictionary(OCGs=Array([layer]), D=Dictionary(Order=Array([layer]), **given))
        drawing(b"q /I Do Q", XObject={"I": image(OC=layer)})(pdf)

    return change


def photograph(pdf: pikepdf.Pdf) -> Any:
    base = {"/Type": Name.XObject, "/Subtype": Name.Image, "/Width": 60, "/Height": 40, "/BitsPerComponent": 8}
    entries = {**base, "/ColorSpace": Name.DeviceRGB, "/Filter": Name.DCTDecode}
    return pdf.make_indirect(Stream(pdf, image_bytes("jpeg", "RGB"), entries))


def lzw(data: bytes) -> bytes:
    """LZW that never leaves nine bits: the table is cleared before it grows."""
    codes = []
    for place, byte in enumerate(data):
        codes += [256, byte] if place % 200 == 0 else [byte]
    bits = "".join(f"{code:09b}" for code in [*codes, 257])
    bits += "0" * (-len(bits) % 8)
    return int(bits, 2).to_bytes(len(bits) // 8, "big")


def lzw_content(pdf: pikepdf.Pdf) -> None:
    pdf.pages[0].obj.Contents = pdf.make_indirect(
        Stream(pdf, lzw(pdf.pages[0].Contents.read_bytes()), {"/Filter": Name.LZWDecode})
    )


def attached(pdf: pikepdf.Pdf) -> None:
    pdf.attachments["note.txt"] = pikepdf.AttachedFileSpec(pdf, b"bonjour", filename="note.txt")


def launched(pdf: pikepdf.Pdf) -> None:
    annotated(Subtype=Name.Link, F=4, A=Dictionary(S=Name.Launch, F=String("calc.exe")))(pdf)


def undescribed(pdf: pikepdf.Pdf) -> None:
    for it in pdf.objects:
        if isinstance(it, Dictionary) and "/CIDSet" in it:
            del it.CIDSet


def profile(version: int) -> dict[str, Any]:
    data = bytearray(srgb())
    data[8] = version
    return {"P": lambda pdf: Array([Name.ICCBased, pdf.make_indirect(Stream(pdf, bytes(data), {"/N": 3}))])}


def turned(pdf: pikepdf.Pdf) -> None:
    drawing(b"BT /H 20 Tf 100 400 Td (Bonjour tourne) Tj ET", Font={"H": helvetica})(pdf)
    pdf.pages[0].obj.Rotate = 90
    pdf.pages[0].obj.CropBox = Array([50, 100, 450, 700])


def resized(side: int) -> Callable[[pikepdf.Pdf], None]:
    def change(pdf: pikepdf.Pdf) -> None:
        drawing(b"BT /H 900 Tf 100 400 Td (Grand) Tj ET", Font={"H": helvetica})(pdf)
        pdf.pages[0].obj.MediaBox = Array([0, 0, side, side])

    return change


def without_pages() -> bytes:
    return saved(pikepdf.new())


def broken_table() -> bytes:
    body = changed()
    at = body.rindex(b"xref", 0, body.rindex(b"startxref"))
    return body[:at] + body[at:].replace(b" 00000 n", b"7 0000 n")


def attributes() -> bytes:
    """Our file whose XMP names PDF/A-1 by attributes, which is as good."""
    body = own()
    old = b"<pdfaid:part>1</pdfaid:part><pdfaid:conformance>B</pdfaid:conformance></rdf:Description>"
    start = body.index(b'xmlns:pdfaid="http://www.aiim.org/pdfa/ns/id/">')
    new = b'xmlns:pdfaid="http://www.aiim.org/pdfa/ns/id/" pdfaid:part="1" pdfaid:conformance="B"/>'
    length = len(b'xmlns:pdfaid="http://www.aiim.org/pdfa/ns/id/">' + old)
    return body[:start] + new.ljust(length) + body[start + length :]


TEXT = b"BT /H 20 Tf 100 400 Td (Bonjour) Tj ET"
NO_FORM = b"0.2 g 300 300 100 100 re f"

# name: (how it is made, rung, reasons that must be among those told)
BROUGHT: dict[str, tuple[Callable[[], bytes], str, set[str]]] = {
    "pdfa": (own, "untouched", set()),
    "pdfa-by-attributes": (attributes, "untouched", set()),
    "no-xmp": (changed, "mended", {"metadata"}),
    "only-intent-missing": (lambda: changed(lambda pdf: pdf.Root.__delitem__("/OutputIntents"), True), "mended", {"intent"}),
    "title-changed": (lambda: changed(lambda pdf: pdf.docinfo.__setitem__("/Title", "Autre"), True), "mended", {"metadata"}),
    "object-streams": (lambda: changed(object_stream_mode=pikepdf.ObjectStreamMode.generate), "mended", {"structure"}),
    "newer-version": (lambda: changed(declared=True, force_version="1.7"), "mended", {"structure"}),
    "encrypted-open": (lambda: changed(encryption=pikepdf.Encryption(owner="o", user="")), "mended", {"encrypted"}),
    "encrypted-old": (lambda: changed(encryption=pikepdf.Encryption(owner="o", user="", R=3, aes=False, metadata=False)), "mended", {"encrypted"}),
    "password": (lambda: changed(encryption=pikepdf.Encryption(owner="o", user="secret")), "carried", {"password"}),
    "script-on-opening": (lambda: changed(with_object(OpenAction=script()), True), "mended", {"script"}),
    "script-by-name": (lambda: changed(with_object(Names=Dictionary(JavaScript=Dictionary(Names=[String("a"), script()]))), True), "mended", {"script"}),
    "script-with-fields": (lambda: changed(lambda pdf: (form()(pdf), with_object(OpenAction=script())(pdf))), "rasterised", {"form-drawn"}),
    "launch": (lambda: changed(launched), "mended", {"script"}),
    "page-group": (lambda: changed(lambda pdf: pdf.pages[0].obj.__setitem__("/Group", Dictionary(S=Name.Transparency, CS=Name.DeviceRGB))), "mended", {"group"}),
    "half-opaque": (lambda: changed(drawing(b"q /X gs 1 0 0 rg 90 600 300 200 re f Q", ExtGState=state(ca=0.5))), "rasterised", {"transparency"}),
    "blended": (lambda: changed(drawing(b"q /X gs 1 1 0 rg 90 600 300 200 re f Q", ExtGState=state(BM=Name.Multiply))), "rasterised", {"transparency"}),
    "opaque-state": (lambda: changed(drawing(b"q /X gs 1 0 0 rg 90 100 30 20 re f Q", ExtGState=state(ca=1, BM=Name.Normal))), "mended", set()),
    "soft-mask": (lambda: changed(drawing(b"q 200 0 0 200 100 300 cm /I Do Q", XObject={"I": image(SMask=image())})), "rasterised", {"transparency"}),
    "smoothed-image": (lambda: changed(drawing(b"q 200 0 0 200 100 300 cm /I Do Q", XObject={"I": image(Interpolate=True)})), "mended", {"image-hint"}),
    "font-not-embedded": (lambda: changed(drawing(TEXT, Font={"H": helvetica})), "rasterised", {"font"}),
    "font-of-its-own": (lambda: changed(drawing(TEXT, Font={"H": beside(helvetica)})), "rasterised", {"font"}),
    "font-named-only": (lambda: changed(drawing(b"BT /H 12 Tf 14 TL ET", Font={"H": beside(helvetica)})), "mended", set()),
    "font-of-a-recognised-scan": (lambda: changed(drawing(b"BT 3 Tr " + TEXT[3:], Font={"H": beside(helvetica)})), "mended", set()),
    "page-without-resources": (lambda: changed(lambda pdf: pdf.add_blank_page().obj.__delitem__("/Resources")), "mended", {"structure"}),
    "font-not-described": (lambda: changed(undescribed), "mended", {"font-details"}),
    "attachment": (lambda: changed(attached), "mended", {"attachment"}),
    "attachment-shown": (lambda: changed(annotated(Subtype=Name.FileAttachment, F=4, AP=appearance)), "rasterised", {"annotation"}),
    "portfolio": (lambda: changed(with_object(Collection=Dictionary(View=Name.D))), "carried", {"portfolio"}),
    "form": (lambda: changed(form()), "mended", {"form"}),
    "form-without-appearance": (lambda: changed(form(NeedAppearances=True)), "rasterised", {"form-drawn"}),
    "xfa-static": (lambda: changed(form(XFA=String("<xdp/>"))), "mended", {"form"}),
    "xfa-dynamic": (lambda: changed(with_object(NeedsRendering=True)), "carried", {"dynamic-form"}),
    "layers-shown": (lambda: changed(layers()), "mended", {"layer"}),
    "layers-hidden": (lambda: changed(layers(OFF=True)), "rasterised", {"layers"}),
    "four-inks": (lambda: changed(drawing(b"0 1 1 0 k 100 300 90 90 re f")), "rasterised", {"colour"}),
    "four-inks-image": (
        lambda: changed(drawing(b"q 9 0 0 9 100 300 cm /I Do Q", XObject={"I": image(ColorSpace=Name.DeviceCMYK, Width=2, Height=2)})),
        "rasterised", {"colour"},
    ),
    "profile-of-today": (lambda: changed(drawing(b"/P cs 1 0 0 sc 100 300 90 90 re f", ColorSpace=profile(4))), "rasterised", {"colour"}),
    "profile-of-then": (lambda: changed(drawing(b"/P cs 1 0 0 sc 100 300 90 90 re f", ColorSpace=profile(2))), "mended", set()),
    "photograph": (lambda: changed(drawing(b"q 90 0 0 60 100 300 cm /I Do Q", XObject={"I": photograph})), "mended", set()),
    "lzw": (lambda: changed(lzw_content, compress_streams=False, stream_decode_level=pikepdf.StreamDecodeLevel.none), "mended", {"lzw"}),
    "inline-lzw": (lambda: changed(drawing(b"q 9 0 0 9 100 300 cm BI /W 1 /H 1 /CS /G /BPC 8 /F /LZW ID " + lzw(b"\x40") + b" EI Q")), "rasterised", {"coding"}),
    "external-stream": (lambda: changed(drawing(b"q 9 0 0 9 100 300 cm /I Do Q", XObject={"I": image(F=String("autre.bin"))})), "rasterised", {"external"}),
    "deep-state": (lambda: changed(drawing(b"q " * 40 + b"0 g 9 9 9 9 re f " + b"Q " * 40)), "rasterised", {"limits"}),
    "hidden-annotation": (lambda: changed(annotated(Subtype=Name.Square, F=2, AP=appearance)), "mended", {"flags"}),
    "unprinted-annotation": (lambda: changed(annotated(Subtype=Name.Stamp, F=0, AP=appearance)), "mended", {"flags"}),
    "annotation-of-the-reader": (lambda: changed(annotated(Subtype=Name.Square, F=4, C=Array([1, 0, 0]))), "rasterised", {"annotation"}),
    "link": (
        lambda: changed(annotated(Subtype=Name.Link, Border=Array([0, 0, 0]), A=Dictionary(S=Name.URI, URI=String("https://esante.gouv.fr")))),
        "mended", {"flags"},
    ),
    "turned-and-cropped": (lambda: changed(turned), "rasterised", {"font"}),
    "huge-page": (lambda: changed(resized(14_400)), "rasterised", {"font"}),
    "other-unit": (lambda: changed(lambda pdf: pdf.pages[0].obj.__setitem__("/UserUnit", 2)), "carried", {"unit"}),
    "no-page": (without_pages, "carried", {"no-page"}),
    "broken-table": (broken_table, "rasterised", {"damaged"}),
    "nothing": (lambda: b"%PDF-1.4\nDUPONT", "carried", {"unreadable"}),
}  # fmt: skip


def bomb(pdf: pikepdf.Pdf) -> None:
    """Some bytes that become millions of operators."""
    packed = zlib.compress(b"0 g " * (1 << 23), 6)
    for _ in range(2):
        packed = zlib.compress(packed, 9)
    pdf.pages[0].obj.Contents = pdf.make_indirect(Stream(pdf, packed, {"/Filter": Array([Name.FlateDecode] * 3)}))


def loop(pdf: pikepdf.Pdf) -> None:
    """A page that draws a form that draws itself."""
    it = pdf.make_indirect(
        Stream(pdf, b"/F Do", {"/Type": Name.XObject, "/Subtype": Name.Form, "/BBox": Array([0, 0, 9, 9])})
    )
    it.Resources = Dictionary(XObject=Dictionary(F=it))
    drawing(b"/F Do", XObject={"F": lambda _: it})(pdf)
    drawing(TEXT, Font={"H": helvetica})(pdf)


def own_parent(pdf: pikepdf.Pdf) -> None:
    pdf.Root.Pages.Kids.append(pdf.Root.Pages)


def deep_tree(pdf: pikepdf.Pdf) -> None:
    inner: Any = Dictionary(S=1)
    for _ in range(400):
        inner = Dictionary(A=inner)
    pdf.Root.Deep = inner


def deep_pages() -> bytes:
    """A page at the end of twenty thousand nodes."""
    count = 20_000
    parts = [b"1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n"]
    parts += [b"%d 0 obj<</Type/Pages/Count 1/Kids[%d 0 R]>>endobj\n" % (n, n + 1) for n in range(2, count)]
    parts.append(b"%d 0 obj<</Type/Page/MediaBox[0 0 9 9]>>endobj\n" % count)
    return b"%PDF-1.4\n" + b"".join(parts) + b"trailer<</Root 1 0 R>>\nstartxref\n0\n%%EOF\n"


def many_pages() -> bytes:
    count = 10_000
    parts = [b"1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n"]
    parts.append(
        b"2 0 obj<</Type/Pages/Count %d/Kids[%b]>>endobj\n"
        % (count, b" ".join(b"%d 0 R" % n for n in range(3, count + 3)))
    )
    parts += [b"%d 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 9 9]>>endobj\n" % n for n in range(3, count + 3)]
    return b"%PDF-1.4\n" + b"".join(parts) + b"trailer<</Root 1 0 R>>\nstartxref\n0\n%%EOF\n"


HOSTILE: dict[str, Callable[[], bytes]] = {
    "bomb": lambda: changed(bomb),
    "loop": lambda: changed(loop),
    "pages-own-parent": lambda: changed(own_parent),
    "deep-object": lambda: changed(deep_tree),
    "deep-pages": deep_pages,
    "many-pages": many_pages,
    "endless-state": lambda: changed(drawing(b"q " * 300_000)),
    "image-of-giants": lambda: changed(drawing(b"q 9 0 0 9 9 9 cm /I Do Q", XObject={"I": image(Width=2_000_000, Height=2_000_000, SMask=image())})),
}  # fmt: skip
