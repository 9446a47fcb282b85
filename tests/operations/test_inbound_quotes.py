"""What is new in a letter, apart from what it repeats: in the styles of the mail programs people use."""

from __future__ import annotations

import time

import pytest

from operations import inbound_html, inbound_quotes

NEW = "Спасибо, всё работает.\n\nIvan"
OLD = "> Good day,\n>\n> please look at it."
OUTLOOK = "From: Support <desk@provider.example>\nSent: Tuesday, March 3, 2026 12:31 PM\nTo: Ivan <i@c.example>\nSubject: RE: Abuse [#0123456789ABCDEF]\n\nGood day,\nplease look at it."
OUTLOOK_RU = "От: Support <desk@provider.example>\nОтправлено: 3 марта 2026 г. 12:31\nКому: Ivan <i@c.example>\nТема: Жалоба\n\nДобрый день!"

QUOTED = {
    "gmail": f"On Tue, Mar 3, 2026 at 12:31 PM Support <desk@provider.example> wrote:\n\n{OLD}",
    "gmail, broken over lines": f"On Tue, Mar 3, 2026 at 12:31 PM Support of the Provider\n<desk@provider.example> wrote:\n\n{OLD}",
    "gmail, russian": f"вт, 3 мар. 2026 г. в 12:31, Support <desk@provider.example>:\n\n{OLD}",
    "apple": f"> On 3 Mar 2026, at 12:31, Support <desk@provider.example> wrote:\n> \n{OLD}",
    "apple, russian": f"> 3 марта 2026 г., в 12:31, Support <desk@provider.example> написал(а):\n> \n{OLD}",
    "thunderbird": f"On 3/3/26 12:31, Support wrote:\n{OLD}",
    "thunderbird, russian": f"03.03.2026 12:31, Support пишет:\n{OLD}",
    "yandex": f"03.03.2026, 12:31, \"Support\" <desk@provider.example>:\n{OLD}",
    "yandex, without marks": "03.03.2026, 12:31, \"Support\" <desk@provider.example>:\nGood day,\nplease look at it.",
    "yandex, with receivers": "----------------\nКому: Support (desk@provider.example);\nТема: Жалоба;\n03.03.2026, 12:31, \"Support\" <desk@provider.example>:\nGood day,\nplease look at it.",
    "mail.ru": f"Вторник, 3 марта 2026, 12:31 +03:00 от Support <desk@provider.example>:\n{OLD}",
    "mail.ru, older": f"Вторник,  3 марта 2026, 12:31 +03:00 от \"Support\" <desk@provider.example>:\n\n{OLD}",
    "the bat": f"Здравствуйте, Support.\n\nВы писали 3 марта 2026 г., 12:31:35:\n\n{OLD}",
    "outlook": OUTLOOK,
    "outlook, russian": OUTLOOK_RU,
    "outlook, below a rule": f"________________________________\n{OUTLOOK}",
    "outlook, in stars": OUTLOOK.replace("From:", "*From:*").replace("Sent:", "*Sent:*").replace("To:", "*To:*"),
    "original message": f"-----Original Message-----\n{OUTLOOK}",
    "original message, russian": f"-----Исходное сообщение-----\n{OUTLOOK_RU}",
    "forwarded, russian": f"-------- Пересылаемое сообщение --------\n{OUTLOOK_RU}",
    "marks alone": OLD,
    "german": f"Am 03.03.26 um 12:31 schrieb Support:\n{OLD}",
    "french": f"Le 03/03/2026 à 12:31, Support a écrit :\n{OLD}",
}  # fmt: skip


@pytest.mark.parametrize("style", QUOTED)
def test_what_is_repeated_below_an_answer_is_taken_apart(style: str) -> None:
    quoted = QUOTED[style]
    parted = inbound_quotes.part(f"{NEW}\n\n{quoted}\n")
    if style == "the bat":
        # Its greeting stands between the two, and may be the writer's own.
        assert parted.fresh == f"{NEW}\n\nЗдравствуйте, Support."
    else:
        assert parted.fresh == NEW
    assert "look at it" in parted.quoted or "Добрый день" in parted.quoted
    assert NEW not in parted.quoted
    # Nothing is lost: both together are all lines of the letter.
    everything = [line.rstrip() for line in f"{NEW}\n{quoted}".split("\n") if line.strip()]
    assert sorted(everything) == sorted(
        line.rstrip() for line in f"{parted.fresh}\n{parted.quoted}".split("\n") if line.strip()
    )


@pytest.mark.parametrize("style", QUOTED)
def test_where_everything_looks_repeated_all_of_it_is_kept(style: str) -> None:
    if style == "the bat":
        return
    parted = inbound_quotes.part(QUOTED[style])
    assert parted.fresh.split() == QUOTED[style].split()
    assert parted.quoted == ""


@pytest.mark.parametrize(
    "text",
    [
        NEW,
        "The log says at 12:31:\nerror 5 in line 7\nWhat does it mean?",
        "От: кого это пришло, не знаю\nПомогите",
        "From: here to there it takes 3 hops:\n1\n2",
        "Он писал:\nничего не работает",
        "see a > b and\n-- not a signature --\nmore",
        "Дата: 3 марта\nпросто текст",
    ],
)
def test_what_somebody_wrote_himself_stays_together(text: str) -> None:
    assert inbound_quotes.part(text) == inbound_quotes.Parted(text)


def test_answers_between_the_lines_stay_with_what_they_answer() -> None:
    text = "On Tue, Mar 3, 2026 at 12:31, Support <d@p.example> wrote:\n> Which server?\nThe second.\n> Since when?\nSince Monday."
    assert inbound_quotes.part(text) == inbound_quotes.Parted(text)
    text = "See below.\n\n> Which server?\nThe second.\n\n> Since when?\nSince Monday."
    assert inbound_quotes.part(text).fresh == text


def test_an_answer_below_the_quoted_text_is_the_answer() -> None:
    quoted = "On Tue, Mar 3, 2026 at 12:31, Support <d@p.example> wrote:\n> Which server?\n> Tell us."
    assert inbound_quotes.part(f"{quoted}\n\nThe second one.") == inbound_quotes.Parted("The second one.", quoted)


def test_a_signature_is_folded_wherever_it_stands() -> None:
    assert inbound_quotes.part("Done.\n\n-- \nIvan\n+7 999") == inbound_quotes.Parted(
        "Done.", "-- \nIvan\n+7 999".replace("-- ", "--")
    )
    above = inbound_quotes.part(f"Done.\n-- \nIvan\n\n{OUTLOOK}")
    assert above.fresh == "Done."
    assert above.quoted.startswith("--\nIvan")
    assert "look at it" in above.quoted
    only = "-- \nIvan"
    assert inbound_quotes.part(only).fresh.split() == only.split()


@pytest.mark.long
def test_hostile_texts_take_no_time() -> None:
    shapes = (
        "On 12:31 " * 20_000, ":\n" * 300_000, "> " * 300_000, "On 1 wrote:\n" * 60_000, "From: a\n" * 80_000, "a" * 1_000_000,
        "12:31 a@b.example:\n" * 40_000, "\n" * 500_000, "- " * 300_000 + "--", "<" * 1000 + ":" * 100_000,
    )  # fmt: skip
    for text in shapes:
        started = time.process_time()
        inbound_quotes.part(text)
        assert time.process_time() - started < 5, text[:20]


# HTML


def test_html_becomes_the_text_that_its_reader_sees() -> None:
    html = """<html><head><title>no</title><style>p {color: red}</style><script>alert("no")</script></head><body>
    <p>Good&nbsp;day,</p><div>one<br>two &lt;b&gt; &amp; three</div><ul><li>first</li><li>second</li></ul>
    <p>See <a href="https://example.com/page?a=1&amp;b=2">this page</a> and <a href="javascript:alert(1)">that</a>.</p>
    <img src="https://tracker.example/pixel.gif" width=1 height=1><div style="display:none">hidden <b>words</b></div>
    <table><tr><td>a</td><td>b</td></tr><tr><td>c</td></tr></table></body></html>"""
    assert inbound_html.to_text(html) == (
        "Good day,\n\none\ntwo <b> & three\n\n- first\n- second\n\n"
        "See this page (https://example.com/page?a=1&b=2) and that.\n\na b\nc"
    )


def test_quotes_in_html_are_marked_so_that_they_are_found() -> None:
    gmail = '<div dir="ltr">Works.<div class="gmail_quote"><div class="gmail_attr">вт, 3 мар. 2026 г. в 12:31, Support &lt;<a href="mailto:d@p.example">d@p.example</a>&gt;:<br></div><blockquote><div>Good day,</div><div>look.</div></blockquote></div></div>'
    parted = inbound_quotes.part(inbound_html.to_text(gmail))
    assert parted.fresh == "Works."
    assert "> Good day,\n> look." in parted.quoted
    outlook = '<div>Works.</div><div style="border-top:solid #E1E1E1 1.0pt"><p><b>From:</b> Support &lt;d@p.example&gt;<br><b>Sent:</b> Tuesday<br><b>To:</b> Ivan<br><b>Subject:</b> Re</p></div><p>Good day</p>'
    assert inbound_quotes.part(inbound_html.to_text(outlook)).fresh == "Works."


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("a < b and c", "a < b and c"), ("<p", ""), ("x<!-- never closed", "x"), ("<!DOCTYPE html>x", "x"), ("</p></div>x", "x"),
        ("<b>bold", "bold"), ("<script>x", ""), ("<a href='x'>", ""), ("&#0;&#x110000;&amp", "\ufffd\ufffd&"), ("<pre>a\n  b</pre>", "a\n  b"),
        ("<![CDATA[x]]>y", "y"), ("<blockquote>" * 30 + "deep", "> " * 10 + "deep"), ("", ""),
    ],
)  # fmt: skip
def test_broken_html_gives_what_can_be_read(html: str, text: str) -> None:
    assert inbound_html.to_text(html) == text


@pytest.mark.long
def test_hostile_html_takes_no_time() -> None:
    shapes = ("<" * 500_000, "<!--" * 200_000, "<a href=" * 100_000, "<a>" * 200_000, "<div>" * 150_000, "<b>x</b>" * 100_000,
              "<p style='" + " " * 500_000, "&" * 500_000, "<script>" * 100_000, "<blockquote>" * 50_000, "<td>x" * 150_000)  # fmt: skip
    for html in shapes:
        started = time.process_time()
        inbound_html.to_text(html)
        assert time.process_time() - started < 5, html[:20]
