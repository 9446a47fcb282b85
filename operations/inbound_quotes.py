"""What somebody wrote himself, apart from what his mail program repeated of others and put under it.

Nothing is lost: what is taken apart is kept and shown folded. Where everything looks repeated, or answers stand
between the lines that they answer, all of it stays together.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

# Longer lines are looked at no further.
LOOKED_AT = 400
# An attribution («On Monday … wrote:») may be broken over so many lines.
LONGEST_ATTRIBUTION = 4
LONGEST_SIGNATURE = 20

DIVIDER = re.compile(
    r"-{2,}\s{0,5}(?:original message|original appointment|forwarded message|reply message|begin forwarded message"
    r"|исходное сообщение|оригинальное сообщение|пересылаемое сообщение|пересланное сообщение|пересылаемое письмо"
    r"|ursprüngliche nachricht|message d'origine|mensaje original)\s{0,5}-{2,}",
    re.IGNORECASE,
)
WROTE = re.compile(
    r"(?:\bwrote|\bwrites|\bschrieb|\ba écrit|\bescribió|\bha scritto|\bпишет|\bпишете|\bписал|\bписала|\bписал\(а\)|\bнаписал"
    r"|\bнаписала|\bнаписал\(а\)|\bсообщил|\bсообщает)\s{0,3}:$",
    re.IGNORECASE,
)
BEGINS = re.compile(r"(?:on|le|am|el|il|в|за)\b|\d|[«\"<]|\w{2,12}[,.]?\s|\W?\w+@", re.IGNORECASE)
ADDRESS = re.compile(r"<?[\w.+-]{1,64}@[\w.-]{1,100}>?")
DAY_OR_TIME = re.compile(r"\b\d{1,2}:\d{2}\b|\b\d{1,2}[./-]\d{1,2}[./-]\d{2,4}\b|\b\d{4}-\d{2}-\d{2}\b|\b20\d{2}\b")
HEADER = re.compile(
    r"\*?(from|sent|date|to|cc|subject|von|gesendet|an|betreff|от|отправлено|дата|кому|копия|тема|от кого|когда)\*?\s{0,3}:\*?",
    re.IGNORECASE,
)
SENDERS = frozenset({"from", "von", "от", "от кого"})
RECIPIENTS = frozenset({"to", "an", "кому"})
RULE = re.compile(r"[_=*-]{5,}")
SIGNATURE = re.compile(r"--\s?")


@dataclass(frozen=True)
class Parted:
    """What is new, and what was repeated or stands under a signature."""

    fresh: str
    quoted: str = ""


def part(text: str) -> Parted:
    """Take `text` apart."""
    lines = [line.rstrip() for line in text.strip("\n").split("\n")]
    cut, after = _cut(lines)
    fresh, quoted = lines[:cut], lines[cut:after]
    if after < len(lines):
        if any(line.strip() for line in fresh) or any(line.startswith(">") for line in lines[after:]):
            # What was written stands between the lines that it answers.
            fresh, quoted = lines, []
        else:
            fresh = lines[after:]
    fresh, signature = _without_signature(fresh)
    if not any(line.strip() for line in fresh):
        return Parted(_joined(lines))
    return Parted(_joined(fresh), _joined([*signature, *quoted]))


def _cut(lines: list[str]) -> tuple[int, int]:
    """Where what is repeated begins, and where it ends; both at the end of the text where nothing is."""
    for number, line in enumerate(lines):
        begins = _begins_repeating(lines, number)
        if begins is not None:
            return number, _end_of(lines, number, begins)
        if line.startswith(">"):
            return number, _end_of(lines, number, number)
    return len(lines), len(lines)


def _begins_repeating(lines: list[str], number: int) -> int | None:
    """Where the repeated text itself begins, if its introduction begins at this line; -1: it goes to the end."""
    line = lines[number][:LOOKED_AT].strip()
    if not line or line.startswith(">"):
        return None
    if DIVIDER.search(line) or _is_block_of_headers(lines, number):
        return -1
    return _after_attribution(lines, number)


def _is_block_of_headers(lines: list[str], number: int) -> bool:
    """«From: … Sent: … Subject: …», as Outlook writes it, perhaps below a rule; below one two of them are enough."""
    has_rule = bool(RULE.fullmatch(lines[number].strip()[:LOOKED_AT]))
    found = [HEADER.match(line.strip()[:LOOKED_AT]) for line in lines[number + has_rule : number + has_rule + 6]]
    names = [match[1].lower() for match in found if match]
    if not found or not found[0]:
        return False
    if has_rule and names[0] in RECIPIENTS:
        return len(set(names)) >= 2
    return names[0] in SENDERS and len(set(names)) >= 3


def _after_attribution(lines: list[str], number: int) -> int | None:
    """The line after «On Monday, Ivan wrote:», if that begins here.

    One that is broken over lines names a day or a time in its first; where it could begin at several it begins at
    the last of them, for what stands above it is somebody's own.
    """
    last = _ends_with_colon(lines, number)
    if last is None:
        return None
    for start in range(last, number - 1, -1):
        is_beginning = start == last == number or bool(DAY_OR_TIME.search(lines[start][:LOOKED_AT]))
        said = " ".join(line.strip()[:LOOKED_AT] for line in lines[start : last + 1])
        if is_beginning and _is_attribution(said, lines, last + 1):
            return last + 1 if start == number else None
    return None


def _ends_with_colon(lines: list[str], number: int) -> int | None:
    """The first of the next few lines that ends with a colon, if no blank one comes before."""
    for further, line in enumerate(lines[number : number + LONGEST_ATTRIBUTION]):
        if not line or line.startswith(">"):
            return None
        if line.endswith(":"):
            return number + further
    return None


def _is_attribution(said: str, lines: list[str], after: int) -> bool:
    """Whether a sentence says who wrote what follows: with a word for it, or with an address and a time."""
    if len(said) > LOOKED_AT or not BEGINS.match(said):
        return False
    following = next((lines[number] for number in range(after, len(lines)) if lines[number]), "")
    is_dated, has_address = bool(DAY_OR_TIME.search(said)), bool(ADDRESS.search(said))
    if WROTE.search(said):
        return is_dated or has_address or following.startswith(">")
    return is_dated and (has_address or following.startswith(">"))


def _end_of(lines: list[str], introduced_at: int, begins: int) -> int:
    """Where the repeated text ends: after its last line with `>`, or with the whole text."""
    if begins < 0:
        return len(lines)
    marked = [number for number in range(introduced_at, len(lines)) if lines[number].startswith(">")]
    first = next((number for number in range(begins, len(lines)) if lines[number].strip()), len(lines))
    if not marked or marked[0] != first:
        # It is not marked line by line, so nobody can say where it ends.
        return len(lines)
    end = marked[-1] + 1
    if _is_only_signature(lines[end:]):
        return len(lines)
    # The answer begins after the first stretch that is marked; further ones stand between its lines.
    return _end_of_stretch(lines, first)


def _end_of_stretch(lines: list[str], first: int) -> int:
    at = first
    for number in range(first, len(lines)):
        if lines[number].startswith(">"):
            at = number + 1
        elif lines[number].strip():
            break
    return at


def _is_only_signature(lines: list[str]) -> bool:
    said = [line for line in lines if line.strip()]
    return not said or bool(SIGNATURE.fullmatch(said[0]) and len(said) <= LONGEST_SIGNATURE)


def _without_signature(lines: list[str]) -> tuple[list[str], list[str]]:
    """The lines above a signature, and the signature."""
    for number in range(len(lines) - 1, max(-1, len(lines) - LONGEST_SIGNATURE - 2), -1):
        if SIGNATURE.fullmatch(lines[number]) and any(line.strip() for line in lines[:number]):
            return lines[:number], lines[number:]
    return lines, []


def _joined(lines: list[str]) -> str:
    return "\n".join(lines).strip("\n").strip()
