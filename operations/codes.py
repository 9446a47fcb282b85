"""Words for programs, made of what people call a thing."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable

LETTERS = dict(zip("абвгдеёзийклмнопрстуфцыэ", "abvgdeeziyklmnoprstufcye", strict=True))
LETTERS |= {"ж": "zh", "х": "kh", "ч": "ch", "ш": "sh", "щ": "shch", "ю": "yu", "я": "ya", "ц": "ts", "ъ": "", "ь": ""}
LONGEST = 40


def made_of(name: str, *, is_free: Callable[[str], bool], otherwise: str) -> str:
    """A word of Latin letters, digits and _ like `name`; `otherwise` stands for a name that has no such letters.

    Where it is not free it gets a number.
    """
    latin = "".join(LETTERS.get(letter, letter) for letter in name.lower())
    plain = unicodedata.normalize("NFKD", latin).encode("ascii", "ignore").decode().lower()
    word = re.sub(r"[^a-z0-9]+", "_", plain).strip("_")
    word = (word if word[:1].isalpha() else f"{otherwise}_{word}".rstrip("_"))[:LONGEST].rstrip("_")
    numbered = (f"{word[: LONGEST - 4]}_{number}" for number in range(2, 1000))
    return next((each for each in (word, *numbered) if is_free(each)), word)
