"""The main job, as one staff member does it in a browser: from another system's export to an answer in the panel."""

from __future__ import annotations

import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from playwright.sync_api import expect

from extensions import db
from models import AuditEvent, Characterization, Client, Impersonation, Mailing, OutboundEmail, Project, Session, Ticket
from tests.conftest import ROOT, LiveServer
from tests.imports_data import spoil_whmcs, whmcs_rows, write_csv
from tests.support.mail import MailServer

USERNAME, PASSWORD = "anna", "correct horse 1 battery"
HOSTILE = "%admin_name% {{7*7}} <b>"
FILE_NAME = "Договор №1.pdf"
FILE = b"%PDF-1.4\n" + bytes(range(256)) * 40 + b"\n%%EOF\n"
REFUSED = 10

pytestmark = [pytest.mark.browser, pytest.mark.timeout(240)]


@pytest.fixture
def worker(environ: dict[str, str]) -> Iterator[Callable[[], None]]:
    """Starts the worker process when called; ended with the test."""
    started: list[subprocess.Popen[bytes]] = []

    def start() -> None:
        command = [sys.executable, "-m", "flask", "--app", "app", "worker"]
        started.append(subprocess.Popen(command, cwd=ROOT, env={"PATH": "/usr/bin:/bin", **environ}))

    yield start
    for process in started:
        process.terminate()
        assert process.wait(20) == 0


@pytest.fixture
def export(tmp_path: Path) -> Path:
    """A WHMCS export of 300 clients, ten of them bad, one with a name meant to do harm."""
    rows = list(spoil_whmcs(whmcs_rows(300), every=30))
    rows[100] |= {"firstname": "%admin_name%", "lastname": "{{7*7}} <b>", "companyname": "", "language": "russian",
                  "email": "hostile@example.com", "status": "Active"}  # fmt: skip
    return write_csv(tmp_path / "tblclients.csv", rows)


def wait_until(done: Callable[[], bool], *, seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.2)


@pytest.mark.heavy
def test_from_an_export_to_a_letter_and_into_the_panel_and_back(
    page: Any, live_server: LiveServer, smtp: MailServer, export: Path, worker: Callable[[], None],
    flask_command: Callable[..., Any], tmp_path: Path,
) -> None:  # fmt: skip
    """Import, find, mark, write, log in as one of them, and come back to the same page."""
    flask_command("create-staff", "--username", USERNAME, "--password", PASSWORD, "--role", "Owner",
                  "--full-name", "Анна Иванова", "--email", "anna@example.com")  # fmt: skip
    desk = Desk(page, live_server, smtp)
    desk.log_in()
    desk.set_the_sender()
    desk.import_clients(export)
    found = desk.filter_clients()
    desk.mark_twenty_as_good(found)
    worker()
    mailing = desk.write_to_all_good(tmp_path)
    desk.check_letters(mailing)
    desk.check_hostile_name()
    desk.log_in_as_one_and_come_back()


class Desk:
    """What the staff member does, each step with what must be seen and what must be in the database."""

    def __init__(self, page: Any, server: LiveServer, smtp: MailServer) -> None:
        self.page, self.server, self.smtp = page, server, smtp

    def open(self, path: str) -> None:
        self.page.goto(self.server.url + path)

    def ask(self, statement: Any) -> Any:
        with self.server.app.app_context():
            return db.session.execute(statement).all()

    def number(self, statement: Any) -> int:
        return int(self.ask(statement)[0][0] or 0)

    def log_in(self) -> None:
        self.open("/admin/clients/")
        self.page.fill("[name=username]", USERNAME)
        self.page.fill("[name=password]", PASSWORD)
        self.page.click("button.btn-primary")
        expect(self.page.get_by_text("No clients yet")).to_be_visible()
        assert self.page.url == self.server.url + "/admin/clients/"

    def set_the_sender(self) -> None:
        self.open("/admin/projects/edit/?id=1")
        self.page.fill("[name=support_email]", "support@provider.example")
        self.page.click(".form-actions .btn-primary")
        expect(self.page.locator(".alert-success")).to_be_visible()
        assert self.ask(sa.select(Project.support_email)) == [("support@provider.example",)]

    def import_clients(self, export: Path) -> None:
        page = self.page
        self.open("/admin/clients/import/")
        page.set_input_files("[name=file]", str(export))
        page.click(".form-actions .btn-primary")
        page.wait_for_selector("tr[data-outcome]")
        assert self.number(sa.select(sa.func.count(Client.id))) == 0, "a rehearsal writes nothing"
        page.goto(page.url + "?outcome=refused")
        expect(page.locator('tr[data-outcome="refused"]')).to_have_count(REFUSED)
        expect(page.locator("main")).to_contain_text("Narnia")
        page.check("[name=skip_bad]")
        page.click("form.narrow .btn-primary")
        page.wait_for_selector(".alert-success")
        assert self.number(sa.select(sa.func.count(Client.id))) == 300 - REFUSED
        notes = [note for (note,) in self.ask(sa.select(Client.note))]
        assert any('"скидку";\nперезвонить' in note for note in notes)
        assert not any(secret in note for note in notes for secret in ("PaSsWoRd", "first dog", "4111"))

    def filter_clients(self) -> list[int]:
        """By project, language and day of registration; returns the codes, counted here without the desk."""
        page = self.page
        self.open("/admin/clients/?page_size=100")
        page.click(".filter-box summary")
        page.select_option("#filter-project", "1")
        page.select_option("#filter-language", "ru")
        page.fill("#filter-registered_from", "2016-01-01")
        page.fill("#filter-registered_to", "2023-12-31")
        page.click(".filter-panel footer .btn-primary")
        expect(page.locator(".chip")).to_have_count(4)
        page.wait_for_load_state()
        everyone = self.ask(sa.select(Client.id, Client.language, Client.registered_at, Client.deleted_at))
        wanted = sorted(
            (number for number, language, registered, deleted in everyone
             if language == "ru" and not deleted and date(2016, 1, 1) <= registered.date() <= date(2023, 12, 31)),
            reverse=True,
        )  # fmt: skip
        shown = [int(row.get_attribute("data-id")) for row in page.locator("tr[data-id]").all()]
        assert len(wanted) > 40
        assert shown == wanted[:100]
        return wanted

    def mark_twenty_as_good(self, found: list[int]) -> None:
        """Two in place, eighteen at once; the address, and with it the filter, stays."""
        page = self.page
        page.click("summary[aria-label='Columns and row height']")
        page.check("input[name=columns][value=characterization]")
        page.click(".menu-panel:visible button.btn-primary")
        page.wait_for_selector("td[data-edit=characterization]")
        expect(page.locator(".chip")).to_have_count(4)  # the filter stays
        page.wait_for_load_state()
        address = page.url
        good = str(self.number(sa.select(Characterization.id).where(Characterization.code == "good")))
        for number in found[:2]:
            cell = page.locator(f'tr[data-id="{number}"] td[data-edit=characterization]')
            cell.dblclick()
            page.locator("td select").select_option(good)
            page.keyboard.press("Enter")
            expect(cell).to_have_attribute("data-value", good)
            expect(cell).to_have_text("Good")
        for number in found[2:20]:
            page.check(f'tr[data-id="{number}"] input[name=rowid]')
        page.click("button[name=action][value=set_characterization]")
        page.select_option("[name=characterization]", good)
        page.fill("[name=characterization_reason]", "Always pays in time")
        page.get_by_role("button", name="Change 18 clients").click()
        page.wait_for_selector(".alert-success")
        assert page.url == address
        expect(page.locator('[data-badge="good"]')).to_have_count(20)
        marked = self.ask(sa.select(Client.id).where(Client.characterization_id == int(good)))
        assert sorted((number for (number,) in marked), reverse=True) == found[:20]
        recorded = self.number(sa.select(sa.func.count()).where(AuditEvent.action == "set_characterization"))
        assert recorded == 18

    def write_to_all_good(self, folder: Path) -> int:
        """To all that match: twenty from the filter above and as many good ones in English."""
        page = self.page
        hostile = self.number(sa.select(Client.id).where(Client.email == "hostile@example.com"))
        english = [number for (number,) in self.ask(
            sa.select(Client.id).where(Client.language == "en", Client.deleted_at.is_(None)).limit(15)
        )]  # fmt: skip
        self.open("/admin/clients/?page_size=100&sort=id")
        self.tick_and_make_good([*english, hostile])
        self.open("/admin/clients/?characterization=2")
        page.check("[name=all]")
        page.click("button[name=action][value=message]")
        page.wait_for_selector("form.compose")
        page.select_option("[name=category]", label="Billing")
        self.fill("subject_en", "Dear %client_person%, a new contract")
        self.fill("text_en", "Hello %client_person%,\n\nyour login is %username%.\n%admin_name%")
        self.fill("subject_ru", "Уважаемый %client_person%, новый договор")
        self.fill("text_ru", "Здравствуйте, %client_person%!\n\nВаш логин: %username%.\n%admin_name%")
        page.evaluate("document.querySelector('.more-fields').open = true")
        (folder / FILE_NAME).write_bytes(FILE)
        page.set_input_files("[name=attachments]", str(folder / FILE_NAME))
        page.check("[name=attach_to_email]")
        page.fill("[name=recall_minutes]", "0")
        page.locator(".form-actions button[name=send]").click()
        page.wait_for_url("**/admin/mailings/details/**")
        mailing = self.number(sa.select(sa.func.max(Mailing.id)))
        wait_until(lambda: self.ask(sa.select(Mailing.status).where(Mailing.id == mailing))[0][0] == "sent")
        return mailing

    def tick_and_make_good(self, numbers: list[int]) -> None:
        """Tick rows over as many pages as it takes."""
        page, left = self.page, set(numbers)
        while left:
            here = {int(row.get_attribute("data-id")) for row in page.locator("tr[data-id]").all()} & left
            address = page.locator("a[rel=next]").get_attribute("href") if page.locator("a[rel=next]").count() else None
            if here:
                for number in here:
                    page.check(f'tr[data-id="{number}"] input[name=rowid]')
                page.click("button[name=action][value=set_characterization]")
                page.select_option("[name=characterization]", label="Good")
                page.click("form.narrow .btn-primary")
                page.wait_for_selector(".alert-success")
                page.wait_for_load_state()
                left -= here
            if left:
                assert address, f"not found in the list: {left}"
                self.open(address)

    def fill(self, name: str, text: str) -> None:
        """Into a field that may stand on a tab not shown."""
        field = self.page.locator(f"[name={name}]")
        if not field.is_visible():
            self.page.locator(f"#language-{name[-2:]}-tab").click()
        field.fill(text)

    def check_letters(self, mailing: int) -> None:
        """One letter to each, in its language, with its own name and the file; one ticket to each."""
        clients = self.ask(
            sa.select(Client.email, Client.language, Client.contact_person, Client.name, Client.owner_username)
            .join(Ticket, Ticket.client_id == Client.id)
            .where(Ticket.mailing_id == mailing)
        )
        good = sa.select(sa.func.count(Client.id)).where(Client.characterization_id == 2, Client.deleted_at.is_(None))
        assert len(clients) == self.number(good) >= 30
        letters = self.smtp.letters
        assert all(len(letter.recipients) == 1 for letter in letters)
        assert Counter(letter.recipients[0] for letter in letters) == Counter(email for email, *_rest in clients)
        expected = Counter(
            (
                email,
                ("Уважаемый {}, новый договор" if language == "ru" else "Dear {}, a new contract").format(
                    person or name
                ),
            )
            for email, language, person, name, _username in clients
        )
        assert Counter((letter.recipients[0], letter.subject) for letter in letters) == expected
        assert all(letter.attachments == {FILE_NAME: FILE} for letter in letters)
        assert {str(letter.message["From"].addresses[0].addr_spec) for letter in letters} == {
            "support@provider.example"
        }
        usernames = {username for *_rest, username in clients}
        assert {name for name in usernames if any(f" {name}." in letter.text for letter in letters)} == usernames
        assert self.number(sa.select(sa.func.count(OutboundEmail.id)).where(OutboundEmail.status == "sent")) == len(
            clients
        )
        # The page follows by itself, and begins anew when the mailing's state has changed.
        expect(self.page.locator("[data-progress-url]")).to_have_attribute("data-status", "sent", timeout=30_000)
        self.page.wait_for_load_state()
        figures = self.page.request.get(f"{self.server.url}/admin/mailings/{mailing}/progress.json").json()
        assert (figures["status"], figures["sent"], figures["queued"], figures["failed"]) == (
            "sent",
            len(clients),
            0,
            0,
        )

    def check_hostile_name(self) -> None:
        """A name made of macro, template and markup is text wherever it stands."""
        letter = next(one for one in self.smtp.letters if one.recipients == ("hostile@example.com",))
        assert letter.subject == f"Уважаемый {HOSTILE}, новый договор"
        assert f"Здравствуйте, {HOSTILE}!" in letter.text
        assert "&lt;b&gt;" in letter.html
        assert "<b>" not in letter.html
        self.open("/admin/clients/?search=hostile")
        assert HOSTILE in self.page.locator("tr[data-id] .title").inner_text()

    def log_in_as_one_and_come_back(self) -> None:
        page = self.page
        address = f"{self.server.url}/admin/clients/?characterization=2&language=ru&sort=name"
        page.goto(address)
        row = page.locator("tr[data-id]", has_text="%admin_name%")
        number = int(row.get_attribute("data-id"))
        row.locator("input[name=rowid]").check()
        page.get_by_role("button", name="Log in").click()
        page.wait_for_url("**/panel/")
        expect(page.locator("body")).to_contain_text(HOSTILE)
        expect(page.locator(".acting")).to_contain_text("Анна Иванова")
        self.open("/panel/tickets/")
        page.get_by_role("link", name="новый договор").first.click()
        thread = page.locator("main").inner_text()
        assert f"Здравствуйте, {HOSTILE}!" in thread
        assert FILE_NAME in thread
        page.locator(".acting form[action='/panel/return'] button").click()
        page.wait_for_url("**/admin/clients/**")
        assert page.url == address
        stay = self.ask(sa.select(Impersonation.client_id, Impersonation.end_reason))
        assert stay == [(number, "return")]
        assert self.number(sa.select(sa.func.count(Session.id)).where(Session.impersonation_id.is_not(None))) == 0
        actions = [action for (action,) in self.ask(sa.select(AuditEvent.action).order_by(AuditEvent.id))]
        assert [action for action in actions if action.startswith("login_as")] == ["login_as", "login_as_return"]
