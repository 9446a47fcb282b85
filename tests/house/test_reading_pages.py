"""The quick reader of pages finds what the standard library's reader finds, or leaves the page to that one."""

from __future__ import annotations

from typing import Any

import pytest

from tests.cast import Desk
from tests.support import page as pages
from tests.support.page import Node

PLAIN = (
    "",
    "a &amp; b&#39;s",
    "<!DOCTYPE html>\n<html lang=en><!-- a-b --><!---->x",
    '<p a=1 a="2" B=\'x&quot;"y\' c\n d="">z',
    "<P CLASS=x>a<br>b<br/>c<div/>d</P>e",
    "<ul><li>a<li>b</ul>c</p>d",
    "<script>if (a<b) { '<p>' }</script>t<script></script><style>p > a { }</style>",
    "<textarea>\r\n</textarea><title>a&amp;b</title>x",
    "<svg viewBox='0 0 1 1'><path d='1'/></svg><input disabled/>",
)
ODD = (
    "a < b",
    "a & b",
    "a\0b",
    "<p>&eacute;&notit;",
    "<a href=/x/>q</a>",
    "<a b=c/d>e",
    "<a x= 'y'>z",
    "<a\tb='c'>d",
    "<p x='1'y='2'>z",
    "<p x='1>z",
    "<a 1=2>b",
    "</p x>y",
    "<!-- a -- b -->c<!-- d",
    "<![CDATA[x]]>",
    "<?php x ?>",
    "<textarea><b></textarea>x",
    "<title><b>x</title>",
    "<script>a</script",
    "<script>'</scr'</script>",
    "<script>'<!--'</script>",
    "<iframe><p></iframe>",
)


def as_lists(node: Node) -> list[Any]:
    inside = [child if isinstance(child, str) else as_lists(child) for child in node.children]
    return [node.tag, list(node.attributes.items()), inside]


@pytest.mark.parametrize("html", PLAIN)
def test_what_is_plain_is_read_alike(html: str) -> None:
    plain = pages._read_plain(html)
    assert plain is not None
    assert as_lists(plain) == as_lists(pages._read_any(html))


@pytest.mark.parametrize("html", ODD)
def test_what_is_odd_is_left_to_the_other(html: str) -> None:
    assert pages._read_plain(html) is None
    assert as_lists(pages.read(html)) == as_lists(pages._read_any(html))


@pytest.mark.engine("sqlite")
def test_our_own_pages_are_plain_and_read_alike(owner: Desk) -> None:
    for url in ("/admin/", "/admin/clients/", "/admin/clients/new", "/admin/mailings/", "/admin/profile"):
        html = owner.get(url).text
        plain = pages._read_plain(html)
        assert plain is not None, url
        assert as_lists(plain) == as_lists(pages._read_any(html))
