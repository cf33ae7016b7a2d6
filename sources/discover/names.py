"""What the name of a table or of a column suggests, in French or in English, with the habits of old products: prefixes repeated on
every column, words glued together, no vowel. Names are a hint only: what the values say is in `links` and `roles`."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence

_WORDS = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+|\d+")
# A word that says "key of", before or after what it is the key of, glued or not.
KEY_WORDS = frozenset(
    ["id", "ids", "uid", "uuid", "guid", "cle", "clef", "key", "pk", "fk", "ref", "no", "num", "nr", "numero", "number", "code", "cod", "ident", "identifiant", "x"]
)  # fmt: skip
PATIENT_WORDS = frozenset(
    ["patient", "patients", "pat", "pati", "pids", "pid", "malade", "malades", "ipp", "nip", "beneficiaire", "assure", "usager"]
)  # fmt: skip
# Words of tables that are about patients without being the patients.
_GENERIC = frozenset(
    ["t", "tb", "tbl", "table", "tab", "data", "base", "fiche", "liste", "list", "main", "info", "infos", "the"]
)
_GLUED = re.compile(
    r"(?:id|code?|num|no|nr|ref|fk|cle)?(?P<word>patients?|pat|malades?|pid|ipp|nip)(?:id|code?|num|no|nr|ref|fk|cle)?"
)


def plain(name: str) -> str:
    """A name in lower case without accents."""
    return "".join(c for c in unicodedata.normalize("NFKD", name) if not unicodedata.combining(c)).lower()


def tokens(name: str) -> tuple[str, ...]:
    """The words of a name in lower case: `PatientId`, `PATIENT_ID` and `patient-id` are `patient`, `id`."""
    bare = "".join(c for c in unicodedata.normalize("NFKD", name) if not unicodedata.combining(c))
    return tuple(word.lower() for word in _WORDS.findall(bare))


def prefix_of(columns: Sequence[str]) -> str:
    """The word with which most columns of a table begin (`pat` in PAT_ID, PAT_NOM…); empty when there is none."""
    first = [t[0] for name in columns if len(t := tokens(name)) > 1]
    if len(columns) < 3 or not first:
        return ""
    word = max(set(first), key=lambda w: (first.count(w), w))
    return word if first.count(word) > 0.8 * len(columns) else ""


def own_tokens(name: str, prefix: str) -> tuple[str, ...]:
    """The words of a column without the prefix of its table."""
    words = tokens(name)
    return words[1:] if prefix and len(words) > 1 and words[0] == prefix else words


def singular(word: str) -> str:
    """A word without the mark of its plural, for comparison."""
    if word.endswith("ies") and len(word) > 4:
        return word[:-3] + "y"
    return word[:-1] if len(word) > 3 and word.endswith(("s", "x")) and not word.endswith("ss") else word


def subject(table: str) -> tuple[str, ...]:
    """The words of a table's name that say what it is about, in the singular."""
    return tuple(singular(w) for w in tokens(table) if w not in _GENERIC and not w.isdigit())


def says_patient(words: Iterable[str], more: Iterable[str] = ()) -> float:
    """How much words speak of the patient as the one that a row belongs to: 1 for `patient_id` or `pid`; 0.5 when other words stand
    around it (`patient_dob_usage`); 0 otherwise. `more` are words of this product that name the patient."""
    kept = [w for w in words if w not in KEY_WORDS and not w.isdigit()]
    known = PATIENT_WORDS | frozenset(more)
    spoken = [w for w in kept if w in known or ((glued := _GLUED.fullmatch(w)) and glued["word"] in known)]
    if not spoken:
        return 0.0
    # A first word of one to four letters is most often the prefix that every column of a table bears.
    others = [w for w in kept if w not in spoken and w not in _GENERIC]
    return 1.0 if not others or (len(others) == 1 and len(others[0]) <= 4 and kept[-1] in spoken) else 0.5


def names_table(words: Sequence[str], table: Sequence[str]) -> float:
    """How much a column's words name a table given by its `subject`: the share of the table's words that it says, when it says the last
    one and nothing else but words of a key."""
    kept = [singular(w) for w in words if w not in KEY_WORDS and not w.isdigit()]
    if not kept or not table or kept[-1] != table[-1]:
        return 0.0
    said = sum(1 for w in kept if w in table)
    return said / max(len(kept), len(table))
