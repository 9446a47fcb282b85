"""Documents: data are text whatever they say, the fonts show all of it, and no document takes too long."""

from __future__ import annotations

import subprocess
import sys
import unicodedata
from datetime import UTC, datetime
from typing import Any

import pytest
import typst

from operations import documents
from operations.errors import OperationRefused

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
HOSTILE = (
    '#import "@preview/cetz:0.3.0": *', '#read("/etc/passwd")', '#include "case_file.typ"', "$x^2$", "[a](b)", "@ref <ref>",
    "*bold* _it_ `code` \\ // comment /* */", "#panic(1)", "\" ' ` \\", "#set page(width: 1cm)", "{{7*7}} ${7*7} %s",
    "= heading", "- item\n+ item", "\0", "\x1b[31m", "a\u202eb\u2066c", "👍🏽 👨‍👩‍👧", "中文", "שלום مرحبا", "\ud800", "e\u0301",
    "<b>&amp;</b>", "\r\n\r\n", "\t", "]]>", "#" * 300,
)  # fmt: skip
EMPTY: dict[str, Any] = {
    "language": "en", "title": "", "flavour": "", "client_name": "", "provider": [""], "facts": [], "contents": [],
    "made": "", "entries": [],
    "labels": dict.fromkeys(("client", "contents", "page", "of", "internal", "nothing", "entries", "quoted"), ""),
}  # fmt: skip


def entry(said: str, **more: Any) -> dict[str, Any]:
    texts = dict.fromkeys(("day", "time", "word", "who", "title", "text", "quoted"), said)
    return {**texts, "internal": True, "changes": [[said, said, said], [said, None, said]], **more}


def everywhere(text: str) -> dict[str, Any]:
    """Data that say `text` wherever a text can stand."""
    labels = dict.fromkeys(EMPTY["labels"], text)
    pairs = [[text, text]]
    return {**EMPTY, "title": text, "flavour": text, "client_name": text, "provider": [text, text], "facts": pairs,
            "contents": pairs, "made": text, "labels": labels, "entries": [entry(text)]}  # fmt: skip


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_texts_are_shown_and_not_run(text: str) -> None:
    assert documents.make("case_file", everywhere(text), now=NOW).startswith(b"%PDF-")


def test_a_text_stands_in_the_document_letter_by_letter() -> None:
    for text in HOSTILE[:13]:
        shown = documents.printable_text(text)
        assert shown.replace(documents.BREAK, "") == unicodedata.normalize("NFC", text)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\0b", "a[U+0000]b"),
        ("\u202eevil", "[U+202E]evil"),
        ("👍🏽!", "[thumbs up sign]!"),
        ("👨\u200d👩", "[man][woman]"),
        ("中", "[U+4E2D]"),
        ("\ud800", "[U+D800]"),
        ("e\u0301 и\u0306", "é й"),
        ("a\r\nb\rc", "a\nb\nc"),
        ("«Ёлка» – 5 € №1 שלום", "«Ёлка» – 5 € №1 שלום"),
    ],
)
def test_what_the_fonts_cannot_show_is_named(text: str, shown: str) -> None:
    assert documents.printable_text(text) == shown


def test_a_word_longer_than_a_line_can_be_broken_anywhere() -> None:
    shown = documents.printable_text("x" * 100_000)
    assert shown.replace(documents.BREAK, "") == "x" * 100_000
    assert max(map(len, shown.split(documents.BREAK))) == documents.LONGEST_WORD
    long = {**EMPTY, "facts": [["Note", "x" * 20_000]], "entries": [entry("y", text="z" * 100_000)]}
    assert documents.make("case_file", long, now=NOW).startswith(b"%PDF-")
    assert documents.make("case_file", everywhere("w " * 200), now=NOW).startswith(b"%PDF-")


def test_all_that_counts_as_shown_has_a_picture_in_the_fonts() -> None:
    """An archival PDF may not have a character without one; so it is refused if a single one is missing."""
    codes = [
        code for first, last in zip(documents.FIRSTS, documents.LASTS, strict=True) for code in range(first, last + 1)
    ]
    shown = [chr(code) for code in codes if documents._is_shown(chr(code)) and chr(code) not in "\t\n"]
    fonts = '#set text(font: ("Libertinus Serif", "New Computer Modern", "DejaVu Sans Mono"))\n#text(sys.inputs.text)'

    def has_all(text: str) -> bool:
        try:
            typst.compile(
                fonts.encode(), font_paths=typst.Fonts(include_system_fonts=False), sys_inputs={"text": text},
                pdf_standards="a-2u",
            )  # fmt: skip
        except typst.TypstError:
            return False
        return True

    assert not has_all("中"), "the oracle does not see what is missing"
    assert has_all(" ".join(shown))
    assert len(shown) > 3000


def test_the_same_data_make_the_same_document() -> None:
    data = everywhere("Привет, мир")
    assert documents.make("case_file", data, now=NOW) == documents.make("case_file", data, now=NOW)


def test_no_font_and_no_package_of_the_machine_is_used() -> None:
    pdf = documents.make("case_file", everywhere("Привет"), now=NOW)
    assert b"Libertinus" in pdf
    assert b"DejaVuSans-" not in pdf
    with pytest.raises(RuntimeError, match="no_such"):
        documents.make("no_such", {}, now=NOW)


def test_a_document_that_would_be_too_long_is_refused_before_it_is_begun(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subprocess, "run", lambda *arguments, **more: pytest.fail("it was begun"))
    with pytest.raises(OperationRefused):
        documents.make("case_file", {**EMPTY, "made": "x" * documents.MOST_TEXT}, now=NOW)


@pytest.mark.long
@pytest.mark.parametrize("limit", ["MOST_SECONDS", "MOST_MEMORY"])
def test_time_and_memory_are_bounded(monkeypatch: pytest.MonkeyPatch, limit: str) -> None:
    monkeypatch.setattr(documents, limit, {"MOST_SECONDS": 1, "MOST_MEMORY": 200_000_000}[limit])
    long = [entry(f"{number} " + "слово " * 60, day=str(number)) for number in range(2000)]
    with pytest.raises(OperationRefused, match="too long"):
        documents.make("case_file", {**EMPTY, "entries": long}, now=NOW)


def test_the_program_is_run_apart_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET_KEY", "secret")
    kept = documents._environment()
    assert "SECRET_KEY" not in kept
    assert kept["HTTPS_PROXY"] == "http://127.0.0.1:9"
    assert sys.executable
