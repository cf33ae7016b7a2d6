"""What the PDF tests share: one clock, sample bodies of each kind, and how to look at pages."""

from __future__ import annotations

import io
from datetime import UTC, datetime

CREATED = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)

LETTER_TEXT = (
    "Cher confrère,\n\nJ’ai reçu en consultation votre patiente, suivie pour une dyspnée d’effort stade II.\n"
    "TA :\t120/80 mmHg\tPouls :\t72 /min\nŒdème des membres inférieurs ≤ 2 cm, SpO₂ 98 %. Ça s’améliore…\n"
    "\fDeuxième page : à revoir à Noël.\n"
)
LETTER_RTF = rb"""{\rtf1\ansi\ansicpg1252\deff0{\fonttbl{\f0\fnil\fcharset0 Arial;}{\f1\froman\fcharset2 Symbol;}
{\f2\fcharset2 Wingdings;}{\f3\fcharset204 Arial Cyr;}}{\colortbl;\red0\green0\blue0;}{\*\generator Word;}
{\header\pard Cabinet des Tilleuls\par}
\pard\b Conclusion\b0\par\pard \'c9volution favorable, \u339?d\u232?me {\f1\'a3} 2 cm, {\f1 m}g, {\f3\'cf\'f0}.\par
{\listtext\tab 1.\tab}{\i Doliprane} 1 g {\f2\'fe} accord {\f2\u-3928\'a8} refus {\v brouillon}{\deleted biff\'e9}\par
\trowd\cellx100\cellx200\pard\intbl H\'e9moglobine\cell 12,5\par g/dL\cell\row\trowd\intbl Sodium\cell 140\cell\row
\pard Apr\'e8s{\footnote note en bas} le tableau.\par {\pict\pngblip 89504e470d0a}
{\shp{\*\shpinst{\sp{\sn a}{\sv b}}{\shptxt zone de texte\par}}{\shprslt en double}}
{\field{\*\fldinst FORMCHECKBOX {\*\formfield{\fftype1\ffres1\ffdefres0}}}{\fldrslt }} vaccin\'e9\par}"""
LETTER_HTML = """<!DOCTYPE html><html><head><meta charset="utf-8"><title>x</title><style>p{color:red}</style></head>
<body><h1>Compte rendu</h1><script>alert(1)</script><p>Évolution <b>favorable</b>,<br>œdème ≤ 2&nbsp;cm &amp; stable</p>
<ul><li>Doliprane 1 g</li><li>Repos</li></ul><table><tr><th>Examen</th><th>Valeur</th></tr>
<tr><td>Hémoglobine</td><td>12,5</td></tr></table><img src="http://nowhere.invalid/x.png" alt="ECG">
<input type="checkbox" checked> vacciné<!-- caché --> fin</body></html>""".encode()


def image_bytes(kind: str, mode: str, size: tuple[int, int] = (60, 40), **options: object) -> bytes:
    """A picture with a dark upper left quarter on a light ground, so that turning and inverting show."""
    from PIL import Image

    picture = Image.new("L", size, 230)
    picture.paste(20, (0, 0, size[0] // 2, size[1] // 2))
    out = io.BytesIO()
    picture.convert(mode).save(out, kind, **options)
    return out.getvalue()


def multipage_tiff() -> bytes:
    """Three pages: black and white in group 4, grey in LZW, colour."""
    from PIL import Image

    out = io.BytesIO()
    pages = [Image.open(io.BytesIO(image_bytes("png", mode))) for mode in ("1", "L", "RGB")]
    pages[0].save(out, "TIFF", save_all=True, append_images=pages[1:], compression=None)
    return out.getvalue()


# The arguments every rendering takes.
FACTS = {"title": "Compte rendu — été", "created": CREATED, "identifier": "DOC-1"}


def text_of(pdf: bytes) -> str:
    """Text of all pages as a reader would copy it, lines joined."""
    import pypdfium2

    document = pypdfium2.PdfDocument(pdf)
    pages = [page.get_textpage().get_text_range() for page in document]
    return " ".join("\n".join(pages).split())


def page_count(pdf: bytes) -> int:
    """Pages as another program counts them."""
    import pypdfium2

    return len(pypdfium2.PdfDocument(pdf))


def page_image(pdf: bytes, number: int = 0, scale: float = 1.0):
    """A page drawn by another program, in grey."""
    import pypdfium2

    return pypdfium2.PdfDocument(pdf)[number].render(scale=scale).to_pil().convert("L")
