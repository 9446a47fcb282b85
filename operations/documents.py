"""Documents as PDF: a typst template of templates/documents and the data that it shows.

Data are never markup: they reach the template as JSON, and it shows them as text. The fonts are those that typst
brings along, so that a document looks the same wherever it is made; what they have no picture of is named instead.
"""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
import unicodedata
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from flask_babel import gettext as _

from operations.errors import OperationRefused

ROOT = Path(__file__).resolve().parent.parent
TEMPLATES = ROOT / "templates" / "documents"
PROGRAM = Path(__file__).with_name("typesetting.py")
MOST_SECONDS = 30
MOST_MEMORY = 2 * 1024**3  # In bytes; the addresses that the process may use, of which it fills a part.
# In characters of JSON. Setting takes some 300 bytes for each, and a second for half a million.
MOST_TEXT = 3_000_000
# Tags are what screen readers go by. They make a long document five times as large and thrice as slow.
TAGGED_UP_TO = 1_000_000
# Where a word may be broken that is longer than a line.
LONGEST_WORD = 40
BREAK = "\u200b"
# What the fonts can show of the scripts and signs that people write here: Latin, Greek, Cyrillic, Hebrew, Arabic.
SHOWN = """
    9-a 20-7e a0-ac ae-2ff 370-377 37a-37f 384-38a 38c 38e-3a1 3a3-482 48a-4ff 5d0-5ea 5f3-5f4 60c 61b 61f 621-63a
    640-64a 660-669 1e00-1eff 1f00-1f15 2002-200a 2010-2027 202f-2040 2042 2044-2052 2054-205e 2070-2071 2074-208e
    20a0-20bf 2100-211e 2120 2122 2124 2126-2151 2153-2184 2190-23ff 2460-262f 2638-268b 2690-269c 2701-2704
    2706-2709 270c-2727 2729-274b 2761-277f 2794 2798-27af 2b00-2b73 fb00-fb06
"""
# Signs that say how others are shown, and have no picture of their own: joiners and the like.
DROPPED = frozenset("\u00ad\u200b\u200c\u200d\u2060\ufe0e\ufe0f\ufeff")
log = logging.getLogger(__name__)


def _ranges() -> tuple[list[int], list[int]]:
    pairs = [[int(end, 16) for end in part.split("-")] for part in SHOWN.split()]
    return [pair[0] for pair in pairs], [pair[-1] for pair in pairs]


FIRSTS, LASTS = _ranges()


def make(template: str, data: Mapping[str, Any], *, now: datetime) -> bytes:
    """The PDF of `template` (templates/documents/<template>.typ) with `data`, of which texts may say anything.

    `now` is the time that the document is of. Refuses what would take more memory or time than a document may;
    a fault of the template is a RuntimeError.
    """
    shown = printable(data)
    length = len(json.dumps(shown, ensure_ascii=False))
    if length > MOST_TEXT:
        raise too_long()
    job = {
        "template": str(TEMPLATES / f"{template}.typ"),
        "root": str(TEMPLATES),
        "data": shown,
        "timestamp": int(now.timestamp()),
        "memory": MOST_MEMORY,
        "seconds": MOST_SECONDS,
    }
    text = json.dumps({**job, "tagged": length <= TAGGED_UP_TO})
    try:
        done = subprocess.run(  # noqa: S603  Both are ours: this interpreter and the program beside this file.
            [sys.executable, "-I", str(PROGRAM)], input=text.encode(), capture_output=True, timeout=MOST_SECONDS,
            check=False, env=_environment(),
        )  # fmt: skip
    except subprocess.TimeoutExpired as error:
        raise too_long() from error
    if done.returncode == 1:
        raise RuntimeError(f"{template}: " + done.stderr.decode(errors="replace")[-4000:])
    if done.returncode != 0 or not done.stdout.startswith(b"%PDF-"):
        # Killed for its memory or its time.
        log.warning("a document was too long to make", extra={"template": template, "code": done.returncode})
        raise too_long()
    return done.stdout


def too_long() -> OperationRefused:
    return OperationRefused(_("This would be too long for one document. Narrow the period or the kinds."))


def _environment() -> dict[str, str]:
    """Nothing of ours; and a proxy that is not there, as a document needs nothing of other machines."""
    nowhere = "http://127.0.0.1:9"
    kept = {name: os.environ[name] for name in ("PATH", "SYSTEMROOT") if name in os.environ}
    return {**kept, "HTTP_PROXY": nowhere, "HTTPS_PROXY": nowhere, "http_proxy": nowhere, "https_proxy": nowhere}


def printable(value: Any) -> Any:
    """`value` with every text in it made printable; other values as JSON has them."""
    if isinstance(value, str):
        return printable_text(value)
    if isinstance(value, Mapping):
        return {str(key): printable(each) for key, each in value.items()}
    if isinstance(value, Sequence):
        return [printable(each) for each in value]
    if value is None or isinstance(value, bool | int):
        return value
    return printable_text(str(value))


def printable_text(text: str) -> str:
    """`text` with what the fonts cannot show, or what would turn the line about, named in brackets.

    Longer words than fit into a line may be broken.
    """
    text = unicodedata.normalize("NFC", text.replace("\r\n", "\n").replace("\r", "\n"))
    if not text.isascii() or not text.isprintable():
        text = "".join(one if _is_shown(one) else _named(one) for one in text)
    return " ".join(_breakable(word) for word in text.split(" ")) if len(text) > LONGEST_WORD else text


def _is_shown(character: str) -> bool:
    code = ord(character)
    place = bisect_right(FIRSTS, code) - 1
    return place >= 0 and code <= LASTS[place] and unicodedata.category(character) != "Cn"


def _named(character: str) -> str:
    if character in DROPPED or "\U0001f3fb" <= character <= "\U0001f3ff":
        return ""
    if unicodedata.category(character) in {"So", "Sk"} and (name := unicodedata.name(character, "")):
        return f"[{name.lower()}]"
    return f"[U+{ord(character):04X}]"


def _breakable(word: str) -> str:
    if len(word) <= LONGEST_WORD:
        return word
    lines = word.split("\n")
    return "\n".join(
        BREAK.join(line[start : start + LONGEST_WORD] for start in range(0, len(line), LONGEST_WORD)) for line in lines
    )
