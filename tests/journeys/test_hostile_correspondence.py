"""Texts and files that mean harm, through the whole way: written, shown on both sides, sent as letters."""

from __future__ import annotations

import http.client
import io
import re
import zipfile
from collections.abc import Iterator
from email import policy
from email.message import EmailMessage
from email.parser import BytesParser
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask
from playwright.sync_api import expect

from extensions import db
from models import Attachment, Client, Mailing, Project, Ticket, TicketCategory
from tests import cast as people_of
from tests import factories as make
from tests.cast import Desk, log_in
from tests.support import mailings as messages
from tests.support import page as pages
from tests.support import people
from tests.support.mail import MailServer
from tests.support.people import PASSWORD
from tests.support.processes import Caller, Web

MARKUP = "<b>bold</b><img src=x onerror=alert(1)><script>alert(2)</script>\"'><svg onload=alert(3)>"
TEMPLATE = "{{7*7}} {% raw %} ${7*7} {0.__class__} %s %(x)s \\1"
HOSTILE = f"{MARKUP} {TEMPLATE} \u202egpj.exe"
INJECTING = "Eve\r\nBcc: evil@evil.example\r\n\r\nbody\u2028Bcc: worse@evil.example\x85x"


def evil(length: int = 300) -> str:
    return HOSTILE[:length]


def letter_of(raw: bytes) -> EmailMessage:
    return BytesParser(EmailMessage, policy=policy.default).parsebytes(raw)


@pytest.fixture
def hostile(app: Flask) -> dict[str, Any]:
    """A desk whose every text of correspondence means harm, with a client and his ticket."""
    with make.scene(app):
        people_of._seeded("owner")
        olga = make.staff("olga", people_of._seeded("owner"), full_name=evil(120), email="olga@desk.example")
        project = make.project(evil(120))
        category = TicketCategory(name={"en": evil(120), "ru": evil(120)})
        db.session.add(category)
        db.session.flush()
        client = make.client(evil(120), username="eve", project=project, contact_person=evil(120), company_name=evil(200),
                             email="eve@client.example", language="en")  # fmt: skip
        ticket = make.ticket(client, evil(), text=evil(), category=category)
        make.template(evil(120), subject=evil(200), text=evil(), category=category)
        return {"client": client.id, "ticket": ticket.id, "category": category.id, "olga": people.Person(olga.id)}


def chosen(desk: Desk, client: int) -> str:
    answer = desk.post("/admin/clients/action/", [("action", "message"), ("rowid", client)])
    return answer.location


@pytest.mark.browser
@pytest.mark.engine("sqlite")
@pytest.mark.timeout(180)
def test_in_a_browser_nothing_of_it_comes_to_life(
    app: Flask, live_server: Any, page: Any, hostile: dict[str, Any], smtp: MailServer
) -> None:
    dialogs: list[str] = []
    page.on("dialog", lambda dialog: (dialogs.append(dialog.message), dialog.dismiss()))
    page.goto(f"{live_server.url}/admin/login?next=/admin/clients/")
    page.fill("[name=username]", "olga")
    page.fill("[name=password]", PASSWORD)
    page.press("[name=password]", "Enter")
    row = page.locator(f"tr[data-id='{hostile['client']}']")
    row.locator("[name=rowid]").check()
    page.locator(".action-bar").get_by_role("button", name="Send message").first.click()
    expect(page.locator("form.compose")).to_be_visible()
    page.select_option("[name=category]", str(hostile["category"]))
    page.locator("[data-language=en] [name=subject_en]").fill(f"{MARKUP[:90]} %client_person%")
    page.locator("[data-language=en] [name=text_en]").fill(f"{HOSTILE} %client_person% %admin_name% %project_name%")
    page.locator("input[name=recall_minutes]").evaluate("field => { field.value = '0'; }")
    page.locator(".form-actions [name=preview]").click()
    letter = page.locator(".preview-letter")
    expect(letter).to_contain_text("<script>alert(2)</script>")
    expect(letter.locator("img, script, svg, b")).to_have_count(0)
    page.locator(".form-actions [name=send]").click()
    expect(page.locator("[data-progress-url]")).to_be_visible()
    with app.app_context():
        messages.work()
        mailing = db.session.scalars(sa.select(Mailing)).one().id
        opened = db.session.scalars(sa.select(Ticket.id).where(Ticket.mailing_id == mailing)).one()
    for address in (
        f"mailings/details/?id={mailing}", f"mailings/recipients/?id={mailing}", "mailings/", "emails/", "tickets/",
        f"tickets/details/?id={opened}", f"tickets/details/?id={hostile['ticket']}", "response-templates/",
        "ticket-categories/", "audit/", "",
    ):  # fmt: skip
        page.goto(f"{live_server.url}/admin/{address}")
        expect(page.locator("main")).to_be_visible()
        expect(page.locator("main img[src=x], main [onerror], main [onload]")).to_have_count(0)
    (sent,) = smtp.letters
    page.context.clear_cookies()
    page.goto(f"{live_server.url}/login")
    page.fill("[name=username]", "eve")
    page.fill("[name=password]", PASSWORD)
    page.press("[name=password]", "Enter")
    expect(page.locator("main")).to_be_visible()
    for address in ("tickets/", f"tickets/{opened}/", f"tickets/{hostile['ticket']}/"):
        page.goto(f"{live_server.url}/panel/{address}")
        expect(page.locator("main")).to_contain_text("<b>bold</b>")
        expect(page.locator("img[src=x], [onerror], [onload]")).to_have_count(0)
    # The letter's HTML, as a program for mail shows it.
    page.set_content(sent.html)
    expect(page.locator("body")).to_contain_text("<script>alert(2)</script>")
    expect(page.locator("img, script, svg, b, [onerror]")).to_have_count(0)
    assert dialogs == []


@pytest.mark.usefixtures("session")
def test_names_cannot_bring_a_header_or_a_recipient_into_a_letter(smtp: MailServer) -> None:
    """As an import from elsewhere, or an older version, may have left them in the database."""
    ids = messages.clients(4, language="en", contact_person=INJECTING, name=f"x {INJECTING}"[:100])
    for number, address in zip(ids, ("a@b.example, c@d.example", "a@b.example\r\nBcc: z@w.example", "ok@b.example",
                                     "\"Evil <e@f.example>,\" <a@b.example>"), strict=True):  # fmt: skip
        db.session.execute(sa.update(Client).where(Client.id == number).values(email=address))
    db.session.execute(sa.update(Project).values(name=f"P {INJECTING}"[:120]))
    category = messages.category()
    category.name = {"en": INJECTING, "ru": INJECTING}
    db.session.commit()
    messages.confirm(
        ids, category=category, subject={"en": "%client_person% %client_name%"}, text={"en": "Dear %client_person%"}
    )
    messages.work()
    (letter,) = smtp.letters
    assert letter.recipients == ("ok@b.example",)
    head, _end, _rest = letter.raw.partition(b"\r\n\r\n")
    names = [line.partition(b":")[0].lower() for line in head.split(b"\r\n") if not line.startswith((b" ", b"\t"))]
    assert len(names) == len(set(names)), names
    assert {b"bcc", b"cc"}.isdisjoint(names)
    message = letter_of(letter.raw)
    assert [box.addr_spec for box in message["To"].addresses] == ["ok@b.example"]
    assert len(message["From"].addresses) == 1
    assert "Bcc: evil@evil.example" in message["Subject"], "as a text it is there"
    assert not re.search(r"[\r\n\u2028\x85]", message["Subject"])
    statuses = {
        mail.recipient: mail.status.value for mail in messages.letters_of(db.session.scalars(sa.select(Mailing)).one())
    }
    assert sorted(statuses.values()) == ["failed", "failed", "failed", "sent"]


def upload(content: bytes, name: str, content_type: str = "application/octet-stream") -> tuple[io.BytesIO, str, str]:
    return io.BytesIO(content), name, content_type


def bomb() -> bytes:
    """A zip of some kilobytes that unpacks to 100 MB."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive, archive.open("zeros", "w") as target:
        for _ in range(100):
            target.write(b"\0" * (1 << 20))
    return packed.getvalue()


@pytest.mark.parametrize(
    ("content", "name", "content_type", "kept_as"),
    [
        (b"%PDF-1.4 x", "../../../etc/x.pdf", "application/pdf", "x.pdf"),
        (b"%PDF-1.4 x", "..\\..\\x.pdf", "text/html", None),
        (b"%PDF-1.4 x", "x\u202efdp.pdf", "application/pdf", "xfdp.pdf"),
        ("Договор".encode(), "Договор №1.txt", "text/html", "Договор №1.txt"),
        (b"<svg onload=alert(1)>", "x.svg", "image/svg+xml", None),
        (b"<svg onload=alert(1)>", "x.png", "image/png", None),
        (b"<script>alert(1)</script>", "x.html", "image/png", None),
        (b"MZ\x90", "x.pdf", "application/pdf", None),
        (b"x", "../../x", "text/plain", None),
        (b"", "empty.txt", "text/plain", None),
        (b"x", ".htaccess", "text/plain", None),
    ],
)
def test_a_file_is_taken_for_what_it_is_and_given_back_only_to_be_kept(
    app: Flask,
    hostile: dict[str, Any],
    data_dir: Path,
    content: bytes,
    name: str,
    content_type: str,
    kept_as: str | None,
) -> None:
    desk = log_in(app.test_client(), hostile["olga"])
    address = chosen(desk, hostile["client"])
    hidden = {
        node["name"]: node["value"]
        for node in desk.page(address).one("form", class_="compose").all("input", type="hidden")
    }
    fields = {**hidden, "category": str(hostile["category"]), "subject_en": "S", "text_en": "T", "subject_ru": "", "text_ru": "",
              "recall_minutes": "0", "send_email": "1", "send": "1", "attachments": upload(content, name, content_type)}  # fmt: skip
    answer = desk.post(address, fields)
    if kept_as is None:
        assert answer.status_code == 400
        assert pages.read(answer.text).one("p", id="attachments-error").text
        assert not list((data_dir / "attachments").glob("*")) if (data_dir / "attachments").exists() else True
        return
    assert answer.status_code == 302, answer.text[:500]
    with app.app_context():
        file = db.session.scalars(sa.select(Attachment)).one()
        assert file.file_name == kept_as
        number, mailing = file.id, file.mailing_id
    assert [path.parent for path in data_dir.rglob("*") if path.is_file() and path.read_bytes() == content] == [
        data_dir / "attachments"
    ]
    back = desk.get(f"/admin/mailings/file/?id={mailing}&file={number}")
    assert back.data == content
    assert back.headers["Content-Disposition"].startswith("attachment")
    assert back.headers["X-Content-Type-Options"] == "nosniff"
    assert "html" not in back.headers["Content-Type"]


def test_a_zip_bomb_stays_packed(app: Flask, hostile: dict[str, Any], data_dir: Path, smtp: MailServer) -> None:
    content = bomb()
    assert len(content) < 200_000
    desk = log_in(app.test_client(), hostile["olga"])
    address = chosen(desk, hostile["client"])
    hidden = {
        node["name"]: node["value"]
        for node in desk.page(address).one("form", class_="compose").all("input", type="hidden")
    }
    fields = {**hidden, "category": str(hostile["category"]), "subject_en": "S", "text_en": "T", "subject_ru": "", "text_ru": "",
              "recall_minutes": "0", "send_email": "1", "attach_to_email": "1", "send": "1",
              "attachments": upload(content, "bomb.zip", "application/zip")}  # fmt: skip
    assert desk.post(address, fields).status_code == 302
    with app.app_context():
        messages.work()
    assert sum(path.stat().st_size for path in (data_dir / "attachments").iterdir()) == len(content)
    (letter,) = smtp.letters
    assert letter.attachments == {"bomb.zip": content}


@pytest.fixture
def web(environ: dict[str, str], port: int, app: Flask) -> Iterator[Web]:
    started = Web(environ, port, processes=1)
    started.start()
    yield started
    started.kill()


def resident(web: Web) -> int:
    """The most memory that a process of the web has had, in bytes."""
    children = Path(f"/proc/{web.pid}/task/{web.pid}/children").read_text().split()
    peaks = [re.search(r"VmHWM:\s+(\d+)", Path(f"/proc/{pid}/status").read_text()) for pid in [str(web.pid), *children]]
    return max(int(found[1]) * 1024 for found in peaks if found)


@pytest.mark.engine("sqlite")
@pytest.mark.timeout(180)
@pytest.mark.parametrize("chunked", [False, True], ids=["with its length", "in chunks"])
def test_a_gigabyte_is_refused_without_being_kept_anywhere(
    app: Flask, hostile: dict[str, Any], web: Web, port: int, data_dir: Path, chunked: bool
) -> None:
    visitor = app.test_client()
    log_in(visitor, hostile["olga"])
    caller = Caller(port)
    caller.cookies["staff_session"] = visitor.get_cookie("staff_session").value
    token = caller.token("/admin/profile")
    before = resident(web)
    status = send_gigabyte(caller, f"/admin/mailings/new/?selection=1&csrf_token={token}", chunked=chunked)
    assert status == 413
    assert resident(web) - before < 20 * 1024 * 1024
    assert sum(path.stat().st_size for path in data_dir.rglob("*") if path.is_file()) < 20 * 1024 * 1024
    assert caller.get("/healthz").status == 200


def send_gigabyte(caller: Caller, address: str, *, chunked: bool) -> int:
    """Send a form with a file of a gigabyte, until the server has heard enough; its answer."""
    size, piece = 1 << 30, b"x" * (1 << 20)
    head = b'--b\r\nContent-Disposition: form-data; name="attachments"; filename="x.txt"\r\nContent-Type: text/plain\r\n\r\n'
    connection = http.client.HTTPConnection("127.0.0.1", caller.port, timeout=60)
    connection.putrequest("POST", address)
    connection.putheader("Cookie", "; ".join(f"{name}={value}" for name, value in caller.cookies.items()))
    connection.putheader("Content-Type", "multipart/form-data; boundary=b")
    if chunked:
        connection.putheader("Transfer-Encoding", "chunked")
    else:
        connection.putheader("Content-Length", str(len(head) + size))
    connection.endheaders()
    try:
        for part in (head, *[piece] * (size >> 20)):
            connection.send(b"%x\r\n%s\r\n" % (len(part), part) if chunked else part)
    except OSError:
        pass  # It has answered and hung up.
    try:
        return connection.getresponse().status
    finally:
        connection.close()
