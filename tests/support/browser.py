"""Debian's Chromium for tests, kept from all but this machine, and a record of what a page did wrong."""

from __future__ import annotations

from urllib.parse import urlsplit

from playwright.sync_api import BrowserContext, ConsoleMessage, Page, Request

from tests.support import network, people

PROGRAM = "/usr/bin/chromium"
ARGUMENTS = [
    "--no-sandbox",
    "--disable-dev-shm-usage",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-domain-reliability",
    "--disable-sync",
    "--no-first-run",
    "--no-pings",
    "--no-proxy-server",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost",
]


class Problems(list[str]):
    """What went wrong in the pages of a context: script errors, broken rules of content, foreign addresses.

    A test that provokes one takes it out (`problems.clear()`), for what is left fails the test.
    """

    def watch(self, context: BrowserContext) -> None:
        context.on("page", self._watch_page)
        context.on("request", self._check_request)

    def _watch_page(self, page: Page) -> None:
        page.on("pageerror", lambda error: self.append(f"script error on {page.url}: {error}"))
        page.on("console", lambda message: self._check_console(page, message))

    def _check_console(self, page: Page, message: ConsoleMessage) -> None:
        if "Content Security Policy" in message.text or "Content-Security-Policy" in message.text:
            self.append(f"on {page.url}: {message.text}")

    def _check_request(self, request: Request) -> None:
        url = urlsplit(request.url)
        if url.scheme in {"http", "https", "ws", "wss"} and not network.is_here(url.hostname):
            self.append(f"asked another machine: {request.url}")


def log_in_by_form(page: Page, url: str, username: str) -> None:
    """Fill in the login at `url`, of staff or of clients, and wait until it has led on."""
    page.goto(url)
    page.fill("[name=username]", username)
    page.fill("[name=password]", people.PASSWORD)
    page.press("[name=password]", "Enter")
    page.wait_for_url(lambda there: "login" not in there)
