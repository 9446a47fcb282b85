"""A mail server that keeps every letter instead of sending it, and a page to read them.

For trying things out: `make run` starts it beside the web. Nothing ever leaves this machine. Letters are
files (`.eml`, mode 600) in one directory; what stands in them is shown as text, and their HTML only in a
frame without scripts, without forms and without anything from elsewhere.
"""

from __future__ import annotations

import argparse
import logging
import os
import re
import signal
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from email import policy
from email.message import Message
from email.parser import BytesParser
from pathlib import Path
from secrets import token_hex
from urllib.parse import quote

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session
from flask import Flask, Response, abort, render_template_string, request
from werkzeug.serving import make_server

LARGEST_LETTER = 64 * 1024 * 1024
LETTERS_PER_PAGE = 50
LETTER_NAME = re.compile(r"\d{8}T\d{12}-[0-9a-f]{8}")
OUR_PAGES = "default-src 'none'; style-src 'self'; frame-src 'self'; frame-ancestors 'none'; base-uri 'none'"
HTML_OF_LETTERS = (
    "sandbox allow-popups allow-popups-to-escape-sandbox; default-src 'none'; style-src 'unsafe-inline'; "
    "img-src data:; frame-ancestors 'self'"
)
# Links of a letter open in a window of their own, where they work as they would in a mail program.
LINKS_OPEN_OUTSIDE = '<base target="_blank">'
FILES_OF_LETTERS = "sandbox; default-src 'none'"


@dataclass(frozen=True)
class Part:
    """One attachment of a letter; `content` is decoded."""

    number: int
    name: str
    content_type: str
    content: bytes


class Letter:
    """One kept letter, read as far as it can be read: hostile or broken parts never raise."""

    def __init__(self, path: Path) -> None:
        self.name = path.stem
        self.raw = path.read_bytes()
        self.message = BytesParser(policy=policy.compat32).parsebytes(self.raw)

    @property
    def received_at(self) -> datetime:
        return datetime.strptime(self.name.partition("-")[0], "%Y%m%dT%H%M%S%f").replace(tzinfo=UTC)

    @property
    def subject(self) -> str:
        return self.header("Subject") or "(no subject)"

    @property
    def recipients(self) -> str:
        return self.header("X-Envelope-To") or self.header("To")

    @property
    def sender(self) -> str:
        return self.header("From") or self.header("X-Envelope-From")

    @property
    def headers(self) -> list[tuple[str, str]]:
        return [(name, decoded(value)) for name, value in self.message.items()]

    @property
    def text(self) -> str | None:
        return self._body("text/plain")

    @property
    def html(self) -> str | None:
        return self._body("text/html")

    @property
    def attachments(self) -> list[Part]:
        return list(self._attachments())

    def header(self, name: str) -> str:
        return ", ".join(decoded(value) for value in self.message.get_all(name, []))

    def _body(self, content_type: str) -> str | None:
        for part in self.message.walk():
            if part.get_content_type() == content_type and not _is_attachment(part):
                return _text(part)
        return None

    def _attachments(self) -> Iterator[Part]:
        for number, part in enumerate(self.message.walk()):
            if part.is_multipart() or not _is_attachment(part):
                continue
            name = decoded(part.get_filename() or f"part-{number}")
            yield Part(number, name, part.get_content_type(), _payload(part))


def decoded(value: object) -> str:
    """A header as people read it. One that cannot be decoded is shown as it came."""
    try:
        text = str(policy.default.header_factory("subject", str(value)))
    except (ValueError, LookupError, IndexError):
        text = str(value)
    return re.sub(r"[\x00-\x1f\x7f]+", " ", text.encode("utf-8", "replace").decode())


def _is_attachment(part: Message) -> bool:
    plain_or_html = part.get_content_type() in {"text/plain", "text/html"}
    return part.get_content_disposition() == "attachment" or bool(part.get_filename()) or not plain_or_html


def _payload(part: Message) -> bytes:
    payload = part.get_payload(decode=True)
    return payload if isinstance(payload, bytes) else str(payload or "").encode("utf-8", "replace")


def _text(part: Message) -> str:
    try:
        return _payload(part).decode(part.get_content_charset() or "utf-8", "replace")
    except LookupError:
        return _payload(part).decode("utf-8", "replace")


class Outbox:
    """The directory of kept letters. Names sort by the time of arrival."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)

    def keep(self, sender: str, recipients: list[str], content: bytes) -> Path:
        """Write one letter, whole or not at all, readable by the owner alone."""
        name = f"{datetime.now(UTC):%Y%m%dT%H%M%S%f}-{token_hex(4)}"
        aside = self.directory / f".{name}"
        envelope = f"X-Envelope-From: {one_line(sender)}\r\nX-Envelope-To: {one_line(', '.join(recipients))}\r\n"
        with os.fdopen(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(envelope.encode("utf-8", "replace") + content)
        return aside.rename(self.directory / f"{name}.eml")

    def names(self) -> list[str]:
        """Newest first."""
        return sorted(
            (path.stem for path in self.directory.glob("*.eml") if LETTER_NAME.fullmatch(path.stem)),
            reverse=True,
        )

    def get(self, name: str) -> Letter | None:
        path = self.directory / f"{name}.eml"
        return Letter(path) if LETTER_NAME.fullmatch(name) and path.is_file() else None

    def letters(self, recipient: str = "") -> Iterator[Letter]:
        """Newest first; with `recipient` only those whose recipients contain it, case aside."""
        for name in self.names():
            letter = self.get(name)
            if letter and recipient.casefold() in letter.recipients.casefold():
                yield letter


def one_line(value: str) -> str:
    return re.sub(r"[\x00-\x1f\x7f]+", " ", value)


class Keeper:
    """What aiosmtpd calls for each letter."""

    def __init__(self, outbox: Outbox) -> None:
        self.outbox = outbox

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        content = envelope.content if isinstance(envelope.content, bytes) else b""
        try:
            self.outbox.keep(envelope.mail_from or "", list(envelope.rcpt_tos), content)
        except OSError as error:
            print(f"mail catcher: the letter could not be kept: {error.strerror}", file=sys.stderr, flush=True)
            return "452 Insufficient system storage"
        return "250 Kept"


def smtp_server(outbox: Outbox, port: int) -> Controller:
    return Controller(
        Keeper(outbox),
        hostname="127.0.0.1",
        port=port,
        server_hostname="mail-catcher",
        data_size_limit=LARGEST_LETTER,
        enable_SMTPUTF8=True,
    )


LAYOUT = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{{ title }} · Letters</title>
<link rel="stylesheet" href="/style.css">
</head>
<body>
<header><a href="/">Letters</a><span>kept on this machine, sent to nobody</span></header>
<main>
"""
LIST_PAGE = (
    LAYOUT
    + """
<form method="get" action="/" role="search">
  <label for="to">Recipient</label>
  <input id="to" name="to" type="search" value="{{ to }}" placeholder="part of the address" autofocus>
  <button>Find</button>
  {% if to %}<a href="/">Show all</a>{% endif %}
</form>
{% if letters %}
<table>
<thead><tr><th>Received (UTC)</th><th>To</th><th>Subject</th></tr></thead>
<tbody>
{% for letter in letters %}
<tr>
  <td><time datetime="{{ letter.received_at.isoformat() }}">{{ letter.received_at.strftime("%Y-%m-%d %H:%M:%S") }}</time></td>
  <td>{{ letter.recipients }}</td>
  <td><a href="/{{ letter.name }}/">{{ letter.subject }}</a></td>
</tr>
{% endfor %}
</tbody>
</table>
<nav>
  {% if page > 1 %}<a rel="prev" href="/?to={{ to | urlencode }}&amp;page={{ page - 1 }}">← Newer</a>{% endif %}
  {% if more %}<a rel="next" href="/?to={{ to | urlencode }}&amp;page={{ page + 1 }}">Older →</a>{% endif %}
</nav>
{% else %}
<p class="empty">{{ "No letter to such an address." if to else "No letter yet. They appear here as soon as Clientdesk sends one." }}</p>
{% endif %}
</main></body></html>
"""
)
LETTER_PAGE = (
    LAYOUT
    + """
<h1>{{ letter.subject }}</h1>
<dl>
  <dt>From</dt><dd>{{ letter.sender }}</dd>
  <dt>To</dt><dd>{{ letter.recipients }}</dd>
  <dt>Received</dt><dd>{{ letter.received_at.strftime("%Y-%m-%d %H:%M:%S") }} UTC</dd>
</dl>
{% for part in letter.attachments %}
{% if loop.first %}<h2>Attachments</h2><ul>{% endif %}
<li><a href="/{{ letter.name }}/attachments/{{ part.number }}">{{ part.name }}</a> {{ part.content_type }}, {{ part.content | length }} bytes</li>
{% if loop.last %}</ul>{% endif %}
{% endfor %}
{% if letter.html is not none %}
<h2>HTML</h2>
<iframe sandbox="allow-popups allow-popups-to-escape-sandbox" title="The letter's HTML" src="/{{ letter.name }}/html"></iframe>
{% endif %}
{% if letter.text is not none %}
<h2>Text</h2>
<pre>{{ letter.text | urlize(target="_blank", rel="noreferrer") }}</pre>
{% endif %}
<details><summary>All headers</summary>
<table>{% for name, value in letter.headers %}<tr><th scope="row">{{ name }}</th><td>{{ value }}</td></tr>{% endfor %}</table>
</details>
<p><a href="/{{ letter.name }}.eml">Download as .eml</a></p>
</main></body></html>
"""
)
STYLE = """
:root { color-scheme: light dark; --line: color-mix(in srgb, currentColor 18%, transparent); }
body { margin: 0; font: 15px/1.5 system-ui, sans-serif; }
header { display: flex; gap: 1rem; align-items: baseline; padding: .7rem 1.5rem; border-bottom: 1px solid var(--line); }
header a { font-weight: 600; color: inherit; text-decoration: none; }
header span { opacity: .7; }
main { max-width: 68rem; margin: 0 auto; padding: 1.2rem 1.5rem 3rem; }
form { display: flex; gap: .6rem; align-items: center; margin-bottom: 1rem; }
input, button { font: inherit; padding: .3rem .6rem; }
input { flex: 1; max-width: 22rem; }
table { width: 100%; border-collapse: collapse; }
th, td { padding: .45rem .6rem; border-bottom: 1px solid var(--line); text-align: start; vertical-align: top;
  overflow-wrap: anywhere; }
time { white-space: nowrap; font-variant-numeric: tabular-nums; }
nav { display: flex; justify-content: space-between; padding: 1rem 0; }
h1 { font-size: 1.35rem; margin: .2rem 0 .8rem; overflow-wrap: anywhere; }
h2 { font-size: 1rem; margin: 1.4rem 0 .4rem; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .2rem 1rem; margin: 0; }
dt { opacity: .7; }
dd { margin: 0; overflow-wrap: anywhere; }
pre { white-space: pre-wrap; overflow-wrap: anywhere; padding: 1rem; border: 1px solid var(--line); border-radius: 6px; }
iframe { width: 100%; height: 32rem; border: 1px solid var(--line); border-radius: 6px; background: #fff; }
details { margin: 1.4rem 0; }
.empty { opacity: .7; padding: 2rem 0; }
"""


def create_reader(outbox: Outbox) -> Flask:
    """The pages to read the letters of `outbox`."""
    reader = Flask("mail_catcher", static_folder=None)

    @reader.after_request
    def guard(response: Response) -> Response:
        response.headers.setdefault("Content-Security-Policy", OUR_PAGES)
        response.headers["X-Content-Type-Options"] = "nosniff"
        response.headers["Referrer-Policy"] = "no-referrer"
        response.headers["Cache-Control"] = "no-store"
        return response

    @reader.before_request
    def refuse_foreign_names() -> None:
        # A page of another site that has its name pointed at this machine must not read the letters.
        if request.host.partition(":")[0] not in {"127.0.0.1", "localhost"}:
            abort(400)

    @reader.get("/style.css")
    def style() -> Response:
        return Response(STYLE, mimetype="text/css")

    @reader.get("/")
    def index() -> str:
        to = request.args.get("to", "").strip()
        page = max(1, request.args.get("page", 1, type=int))
        letters, more = one_page(outbox, to, page)
        return render_template_string(LIST_PAGE, title="Letters", letters=letters, more=more, to=to, page=page)

    @reader.get("/<name>/")
    def letter(name: str) -> str:
        found = outbox.get(name) or abort(404)
        return render_template_string(LETTER_PAGE, title=found.subject, letter=found)

    @reader.get("/<name>/html")
    def html(name: str) -> Response:
        found = outbox.get(name) or abort(404)
        response = Response(LINKS_OPEN_OUTSIDE + (found.html or ""), mimetype="text/html")
        response.headers["Content-Security-Policy"] = HTML_OF_LETTERS
        return response

    @reader.get("/<name>/attachments/<int:number>")
    def attachment(name: str, number: int) -> Response:
        found = outbox.get(name) or abort(404)
        part = next((part for part in found.attachments if part.number == number), None) or abort(404)
        return download(part.content, part.name)

    @reader.get("/<name>.eml")
    def eml(name: str) -> Response:
        found = outbox.get(name) or abort(404)
        return download(found.raw, f"{name}.eml")

    return reader


def one_page(outbox: Outbox, recipient: str, page: int) -> tuple[list[Letter], bool]:
    """The letters of one page, and whether there are more. Without a search only these are read from disk."""
    first, last = (page - 1) * LETTERS_PER_PAGE, page * LETTERS_PER_PAGE
    if not recipient:
        names = outbox.names()
        return [letter for name in names[first:last] if (letter := outbox.get(name))], len(names) > last
    found = []
    for letter in outbox.letters(recipient):
        found.append(letter)
        if len(found) > last:
            break
    return found[first:last], len(found) > last


def download(content: bytes, name: str) -> Response:
    """A file to be saved, never shown: its type and its name come from strangers."""
    response = Response(content, mimetype="application/octet-stream")
    response.headers["Content-Security-Policy"] = FILES_OF_LETTERS
    response.headers["Content-Disposition"] = f"attachment; filename*=UTF-8''{quote(name, safe='')}"
    return response


def print_list(outbox: Outbox) -> None:
    for letter in outbox.letters():
        print(f"{letter.received_at:%Y-%m-%d %H:%M:%S}  {letter.recipients}  {letter.subject}")
    print(f"{len(outbox.names())} letters in {outbox.directory}; make run shows them in the browser")


def serve(outbox: Outbox, smtp_port: int, web_port: int, *, quiet: bool) -> None:
    """Take letters and show them until the process is asked to end."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    logging.getLogger("mail.log").setLevel(logging.ERROR)
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    smtp = smtp_server(outbox, smtp_port)
    web = make_server("127.0.0.1", web_port, create_reader(outbox), threaded=True)
    threading.Thread(target=web.serve_forever, daemon=True).start()
    smtp.start()
    if not quiet:
        print(f"Letters to 127.0.0.1:{smtp_port} are kept: http://127.0.0.1:{web_port}/", flush=True)
    stop.wait()
    smtp.stop()
    web.shutdown()


def main() -> None:
    data_dir = Path(os.environ.get("DATA_DIR") or "data")
    parser = argparse.ArgumentParser(description="Keep letters instead of sending them.")
    parser.add_argument("--directory", type=Path, default=data_dir / "outbox", help="where the letters are kept")
    parser.add_argument("--smtp-port", type=int, default=1025)
    parser.add_argument("--web-port", type=int, default=8025)
    parser.add_argument("--quiet", action="store_true", help="do not say where the letters are")
    parser.add_argument("--list", action="store_true", help="print the kept letters and end")
    arguments = parser.parse_args()
    outbox = Outbox(arguments.directory)
    if arguments.list:
        print_list(outbox)
    else:
        serve(outbox, arguments.smtp_port, arguments.web_port, quiet=arguments.quiet)


if __name__ == "__main__":
    main()
