"""The mail catcher of `make run`: keeps what it gets, shows it, and lets no letter do anything."""

from __future__ import annotations

import smtplib
import stat
import threading
from collections.abc import Iterator
from email.message import EmailMessage
from pathlib import Path

import pytest
from flask.testing import FlaskClient
from werkzeug.serving import make_server

import mail_catcher
from tests.support.mail import listening_socket

SCRIPT = "<script>document.title = 'taken'</script>"


@pytest.fixture
def outbox(tmp_path: Path) -> mail_catcher.Outbox:
    return mail_catcher.Outbox(tmp_path / "outbox")


@pytest.fixture
def reader(outbox: mail_catcher.Outbox) -> FlaskClient:
    return mail_catcher.create_reader(outbox).test_client()


@pytest.fixture
def smtp_port(outbox: mail_catcher.Outbox) -> Iterator[int]:
    with listening_socket() as probe:
        port = probe.getsockname()[1]
    server = mail_catcher.smtp_server(outbox, port)
    server.start()
    yield port
    server.stop()


def letter(**headers: str) -> EmailMessage:
    message = EmailMessage()
    for name, value in {
        "From": "desk@example.com",
        "To": "anna@example.com",
        "Subject": "Hello",
        **headers,
    }.items():
        message[name] = value
    message.set_content("The plain text, see https://desk.example/tickets/7\n")
    return message


def keep(outbox: mail_catcher.Outbox, message: EmailMessage) -> str:
    return outbox.keep(str(message["From"]), [str(message["To"])], message.as_bytes()).stem


def test_a_letter_sent_is_kept_for_its_owner_alone_and_listed(outbox, reader, smtp_port) -> None:
    with smtplib.SMTP("127.0.0.1", smtp_port) as smtp:
        smtp.send_message(letter(Subject="Счёт № 5"))

    path = outbox.directory / f"{outbox.names()[0]}.eml"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    page = reader.get("/").text
    assert "Счёт № 5" in page
    assert "anna@example.com" in page


def test_the_newest_stands_first_and_a_recipient_can_be_looked_for(outbox, reader) -> None:
    keep(outbox, letter(Subject="first"))
    keep(outbox, letter(Subject="second", To="boris@example.com"))

    page = reader.get("/").text
    assert page.index("second") < page.index("first")
    found = reader.get("/?to=BORIS").text
    assert "second" in found
    assert "first" not in found
    assert "No letter to such an address" in reader.get("/?to=nobody").text


def test_long_lists_have_pages(outbox, reader) -> None:
    for number in range(mail_catcher.LETTERS_PER_PAGE + 1):
        keep(outbox, letter(Subject=f"number-{number:03}"))

    assert "number-000" not in reader.get("/").text
    assert 'rel="next"' in reader.get("/").text
    assert "number-000" in reader.get("/?page=2").text
    assert "number-000" in reader.get("/?page=2&to=anna").text


def test_a_letter_shows_its_text_with_links_its_headers_and_its_files(outbox, reader) -> None:
    message = letter()
    message.add_attachment(b"%PDF-1.7", maintype="application", subtype="pdf", filename="Договор №1.pdf")
    name = keep(outbox, message)

    page = reader.get(f"/{name}/").text
    assert 'href="https://desk.example/tickets/7"' in page
    assert "Договор №1.pdf" in page
    assert "X-Envelope-To" in page
    number = page.partition("/attachments/")[2].partition('"')[0]
    file = reader.get(f"/{name}/attachments/{number}")
    assert file.data == b"%PDF-1.7"
    assert file.headers["Content-Disposition"].startswith("attachment; filename*=UTF-8''%D0%94")
    assert reader.get(f"/{name}.eml").data.endswith(message.as_bytes())


@pytest.mark.parametrize("where", ["Subject", "From", "To", "X-Other"])
def test_what_a_letter_says_is_text(outbox, reader, where) -> None:
    raw = f"{where}: {SCRIPT} <a@example.com>\r\n\r\n{SCRIPT}".encode()
    name = outbox.keep(SCRIPT, [SCRIPT], raw).stem

    for page in (reader.get("/"), reader.get(f"/{name}/")):
        assert "<script" not in page.text
        assert "script-src" not in page.headers["Content-Security-Policy"]


def test_html_and_files_are_served_in_a_sandbox(outbox, reader) -> None:
    message = letter()
    message.add_alternative(f"<p>Hello</p>{SCRIPT}", subtype="html")
    message.add_attachment(SCRIPT, subtype="html", filename="a.html")
    name = keep(outbox, message)

    policy = reader.get(f"/{name}/html").headers["Content-Security-Policy"]
    assert policy.startswith("sandbox ")
    assert "allow-scripts" not in policy
    number = reader.get(f"/{name}/").text.partition("/attachments/")[2].partition('"')[0]
    file = reader.get(f"/{name}/attachments/{number}")
    assert file.mimetype == "application/octet-stream"
    assert file.headers["Content-Disposition"].startswith("attachment;")


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\x00\xff\xfe",
        b"Subject: =?utf-9?B?////?=\r\n\r\n\xff",
        b"Subject: =?utf-8?B?@?=\r\nContent-Type: text/plain; charset=nonsense\r\n\r\n\xff",
        b"Content-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\nContent-Type: text/html\r\n",
        b"Content-Type: multipart/mixed\r\nContent-Transfer-Encoding: base64\r\n\r\n!!!",
        b"Content-Disposition: attachment; filename*=utf-9''%ff%zz\r\n\r\nx",
        b"Content-Disposition: attachment; filename*0*=x''%ff; filename*1=../../etc\r\n\r\nx",
        b"To: " + b"<" * 5000 + b"\r\n\r\n",
    ],
)
def test_a_broken_letter_breaks_nothing(outbox, reader, raw) -> None:
    name = outbox.keep("a@example.com", ["b@example.com"], raw).stem

    for address in ("/", f"/{name}/", f"/{name}/html", f"/{name}.eml"):
        assert reader.get(address).status_code == 200
    for part in outbox.get(name).attachments:
        assert reader.get(f"/{name}/attachments/{part.number}").status_code == 200


@pytest.mark.parametrize("name", ["..%2F..%2Fsecret_key", "nothing", "20260101T000000000000-00000000"])
def test_only_letters_can_be_asked_for(outbox, reader, name) -> None:
    assert reader.get(f"/{name}/").status_code == 404
    assert reader.get(f"/{name}.eml").status_code == 404


def test_a_foreign_name_for_this_machine_is_refused(reader) -> None:
    assert reader.get("/", base_url="http://evil.example:8025").status_code == 400


def test_in_a_browser_the_letter_is_seen_and_does_nothing(outbox, page, browser_problems) -> None:
    message = letter()
    remote = '<img src="http://192.0.2.1/pixel.png">'
    message.add_alternative(f"<h1>Good day</h1>{SCRIPT}{remote}", subtype="html")
    name = keep(outbox, message)
    server = make_server("127.0.0.1", 0, mail_catcher.create_reader(outbox), threaded=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        page.goto(f"http://127.0.0.1:{server.server_port}/{name}/")
        assert page.frame_locator("iframe").locator("h1").inner_text() == "Good day"
        assert page.title() == "Hello · Letters"
        # The browser itself says that it did not fetch the picture.
        assert any("Content Security Policy" in problem for problem in browser_problems)
        assert all("192.0.2.1/pixel.png" in problem for problem in browser_problems)
        browser_problems.clear()
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
