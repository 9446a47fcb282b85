"""Bytes of letters as text: in the charset they name, or the one they are really in; never an error."""

from __future__ import annotations

import codecs
import re
import unicodedata
from collections.abc import Sequence
from email.errors import HeaderParseError
from email.header import decode_header

# Charsets of letters; other codecs of Python's are no charsets, or take very long.
KNOWN = re.compile(
    r"utf-(8|16|16-le|16-be|32)(-sig)?|ascii|iso8859-\d+|cp(125\d|866|855|437|850|852|874|932|936|949|950)|koi8-[rut]|mac-cyrillic"
    r"|gb2312|gbk|gb18030|big5(hkscs)?|shift_jis|euc_jp|euc_kr|iso2022_(jp|kr)\w*|tis-620"
)
# Mail programs name the smaller set and write in the larger one that their system has.
LARGER = {"iso8859-1": "cp1252", "iso8859-9": "cp1254", "iso8859-11": "cp874", "tis-620": "cp874", "gb2312": "gb18030",
          "gbk": "gb18030", "cp936": "gb18030", "shift_jis": "cp932", "euc_kr": "cp949"}  # fmt: skip
# A text in Latin letters has few letters beyond ASCII; one in Cyrillic that calls itself Latin hardly any others.
MOSTLY = 0.6
CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ufffe\uffff\ud800-\udfff]")


def decode(content: bytes, charset: str) -> str:
    """`content` in `charset`, where it can be; else in what it looks like."""
    name = _name_of(charset)
    if name and not (name in {"cp1252", "ascii"} and _looks_cyrillic(content)):
        try:
            return _tidy(content.decode(name))
        except UnicodeDecodeError:
            pass
    try:
        return _tidy(content.decode("utf-8"))
    except UnicodeDecodeError as error:
        if error.reason == "unexpected end of data" or (name == "utf-8" and not _looks_cyrillic(content)):
            return _tidy(content.decode("utf-8", "replace"))
    guessed = _cyrillic(content) if _looks_cyrillic(content) else "cp1252" if name in {"", "ascii"} else name
    return _tidy(content.decode(guessed, "replace"))


def head(lines: Sequence[bytes]) -> str:
    """The lines of a letter's head. They should be ASCII or UTF-8; in others all words beyond ASCII are of one charset."""
    known = [(line, _is_utf8(line)) for line in lines]
    words = b" ".join(word for line, is_utf8 in known if not is_utf8 for word in line.split() if not word.isascii())
    charset = _cyrillic(words) if _looks_cyrillic(words) else "cp1252"
    return "".join(_tidy(line.decode("utf-8" if is_utf8 else charset, "replace")) for line, is_utf8 in known)


def header(value: object) -> str:
    """A field of a letter's head as one line of text, its encoded words decoded."""
    text = str(value or "")
    try:
        pieces = decode_header(text)
    except (HeaderParseError, ValueError):
        return one_line(text)
    return one_line("".join(_word(piece, charset) for piece, charset in pieces))


def one_line(text: str) -> str:
    """`text` without line ends and what cannot be seen."""
    return " ".join(re.sub(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+", " ", _tidy(text)).split())


def _word(piece: bytes | str, charset: str | None) -> str:
    if isinstance(piece, str):
        return piece
    # What is not encoded comes back as bytes in a codec that only stands for what they were.
    return decode(piece, charset) if charset else piece.decode("raw_unicode_escape", "replace")


def _name_of(charset: str) -> str:
    """Python's name of a charset that may be used; nothing for others."""
    # Hebrew says behind a dash in which order its letters stand.
    plain = re.sub(r"(?i)(8859-[68])-[ei]$", r"\1", charset.strip().strip("\"'"))
    plain = re.sub(r"(?i)^windows-(?=\d+$)", "cp", plain)
    try:
        name = codecs.lookup(plain or "ascii").name
    except (LookupError, ValueError, UnicodeError):
        return ""
    return LARGER.get(name, name) if KNOWN.fullmatch(name) else ""


def _looks_cyrillic(content: bytes) -> bool:
    high = sum(1 for byte in content[:4096] if byte >= 0xC0)
    latin = sum(1 for byte in content[:4096] if byte < 0x80 and chr(byte).isalpha())
    return high > 3 and high > MOSTLY * (high + latin) and not _is_utf8(content)


def _is_utf8(content: bytes) -> bool:
    try:
        content[:4096].decode("utf-8")
    except UnicodeDecodeError as error:
        return error.start >= 4000
    return True


def _cyrillic(content: bytes) -> str:
    """Small letters, which most are, stand in different halves of the two."""
    koi8 = sum(1 for byte in content[:4096] if 0xC0 <= byte < 0xE0)
    windows = sum(1 for byte in content[:4096] if byte >= 0xE0)
    return "koi8-r" if koi8 > windows else "cp1251"


def _tidy(text: str) -> str:
    """Composed (NFC), its lines ended by a line feed, without controls and halves of characters."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n").replace("\u2028", "\n").replace("\u2029", "\n\n")
    return unicodedata.normalize("NFC", CONTROL.sub("", lines)).lstrip("\ufeff")
