"""The form of one short text: its shape without its letters and digits, the form of the date or of the number that it may be, whether it
names a file. What that says of a whole column belongs to `roles`."""

from __future__ import annotations

import re

# A longer text is told by its length alone.
LONGEST = 64
_SHOWN = 24
_RUN = re.compile(r"(a{4})a+|(A{4})A+")
_KEPT = frozenset("-/.:,;@()_+' \\#%*&=|[]{}<>\"^~?!$")


class _Classes(dict[int, str]):
    def __missing__(self, code: int) -> str:
        c = chr(code)
        found = "9" if c.isdigit() else "A" if c.isupper() else "a" if c.isalpha() else c if c in _KEPT else "·"
        self[code] = found
        return found


_CLASSES = _Classes()
_DATE = re.compile(
    r"(?P<y>\d{4})(?P<s>[-/.])(?P<m>\d\d)(?P=s)(?P<d>\d\d)(?P<t>[T ]\d\d:\d\d(?::\d\d(?:[.,]\d+)?)?(?:Z|[+-]\d\d:?\d\d)?)?"
    r"|(?P<a>\d\d?)(?P<s2>[-/.])(?P<b>\d\d?)(?P=s2)(?P<y2>\d{4}|\d\d)(?P<t2>[T ]\d\d[:hH]\d\d(?::\d\d)?)?"
    r"|(?P<y3>\d{4})(?P<m3>\d\d)(?P<d3>\d\d)(?P<t3>\d{4}|\d{6})?"
    r"|(?P<m4>\d\d)/(?P<y4>\d{4})|(?P<y5>\d{4})(?:-(?P<m5>\d\d))?",
    re.ASCII,
)
_NUMBER = re.compile(r"[+-]?(?P<whole>\d+)(?:(?P<sign>[.,])\d+)?", re.ASCII)
_ENDING = r"\.(?:pdf|jpe?g|tiff?|png|gif|bmp|rtf|docx?|odt|xlsx?|xml|html?|txt|dcm|zip|hpr|p7m|wav|mp3|mp4)"
_PATH = re.compile(
    rf"(?:[A-Za-z]:[\\/]|\\\\[\w.$-]+\\|file://)[^\r\n<>|\"*?]+|/?(?:[^\r\n<>|\"*?/\\]+[\\/])+[^\r\n<>|\"*?/\\]+{_ENDING}"
    rf"|[^\r\n<>|\"*?/\\]{{1,120}}{_ENDING}|/(?:[\w.-]+/)+[\w.-]*",
    re.IGNORECASE,
)


def shape(text: str) -> str:
    """`Aaaa`, `9999-99-99`: letters and digits by their class, signs as they are, more than four letters of a case written as four."""
    found = _RUN.sub(r"\1\2", text[:LONGEST].translate(_CLASSES))
    return found if len(found) <= _SHOWN else found[: _SHOWN - 1] + "…"


def date_form(text: str) -> str:
    """The form of a possible date of 1850 to 2100, in the letters of a French reader (`AAAA-MM-JJ`, `JJ/MM/AAAA`, `AAAAMMJJ`, `MM/AAAA`,
    `AAAA`; then ` HH:MM` or ` HH:MM:SS` when a time follows); `JJ/MM ou MM/JJ` when either may be; `zéros` for a date of zeros; else an
    empty string."""
    match = _DATE.fullmatch(text)
    if match is None:
        return ""
    g = match.groupdict()
    if g["y"]:
        return _checked(g["y"], g["m"], g["d"], f"AAAA{g['s']}MM{g['s']}JJ" + _time(g["t"]))
    if g["a"]:
        a, b, s, year = int(g["a"]), int(g["b"]), g["s2"], "AAAA" if len(g["y2"]) == 4 else "AA"
        full = g["y2"] if year == "AAAA" else "20" + g["y2"]
        first, second = _checked(full, g["b"], g["a"], "x"), _checked(full, g["a"], g["b"], "x")
        if not first and not second:
            return ""
        if first == "zéros":
            return first
        order = f"JJ{s}MM" if first and not second else f"MM{s}JJ" if not first else f"JJ{s}MM ou MM{s}JJ"
        order = f"JJ{s}MM" if first and second and a == b else order
        return f"{order}{s}{year}" + _time(g["t2"])
    if g["y3"]:
        return _checked(g["y3"], g["m3"], g["d3"], "AAAAMMJJ" + {0: "", 4: "HHMM", 6: "HHMMSS"}[len(g["t3"] or "")])
    if g["y4"]:
        return _checked(g["y4"], g["m4"], "01", "MM/AAAA")
    return _checked(g["y5"], g["m5"] or "01", "01", "AAAA-MM" if g["m5"] else "AAAA")


def _checked(year: str, month: str, day: str, form: str) -> str:
    y, m, d = int(year), int(month), int(day)
    if y == m == d == 0:
        return "zéros"
    # A month or a day of zero is how software writes a date known in part.
    return form if 1850 <= y <= 2100 and m <= 12 and d <= 31 else ""


def _time(text: str | None) -> str:
    if not text:
        return ""
    return (text[0] if text[0] == "T" else " ") + ("HH:MM:SS" if text.count(":") >= 2 else "HH:MM")


def number_form(text: str) -> str:
    """`entier`, `point` (1.5) or `virgule` (1,5) for a number; `code` for digits that begin with a zero or are more than fifteen, which
    a number would lose; else an empty string."""
    match = _NUMBER.fullmatch(text)
    if match is None:
        return ""
    whole = match["whole"]
    if (len(whole) > 1 and whole[0] == "0") or len(whole) > 15:
        return "code"
    return {None: "entier", ".": "point", ",": "virgule"}[match["sign"]]


def is_path(text: str) -> bool:
    """Whether a text names a file, on Windows or elsewhere."""
    return "://" not in text[:12].replace("file://", "") and _PATH.fullmatch(text) is not None
