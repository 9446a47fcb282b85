"""The case file of a client: everything between it and the provider as one stream, and saved as one PDF."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any

import sqlalchemy as sa
from flask import Response, flash, redirect, request
from flask.typing import ResponseReturnValue
from flask_admin.base import expose
from flask_babel import format_decimal, get_timezone, ngettext
from flask_babel import gettext as _
from flask_login import current_user
from sqlalchemy.orm import joinedload

from admin_views import cells
from admin_views.base import needs
from admin_views.case_file_words import CaseFileWords, Entry, kinds_in_words, language
from admin_views.client_badges import badges_of
from admin_views.exporting import Writing
from admin_views.listing import address
from extensions import db, now
from models import Client, ClientUser, Payer, Staff
from operations import audit, case_file, countries, documents, filters, phones, settings
from operations.case_file_sources import KINDS, SOURCES, Place, Question
from operations.errors import OperationRefused
from operations.filters import midnight

PER_PAGE = 50
# A document of so many entries is made within some five seconds and half a gigabyte; of more nobody would read it.
MOST_IN_PDF = 3000
LONGEST_TEXT_SHOWN = 1500
FLAVOURS = ("dispute", "client")
# Of events some are shown with a right to their module alone.
RIGHTS = {"service": "services.view", "violation": "violations.view", "login": "users.view"}


@dataclass
class Asked:
    """What of the file is asked for, as the address has it, and what of that was not understood."""

    texts: dict[str, str] = field(default_factory=dict)
    kinds: list[str] = field(default_factory=list)
    since: date | None = None
    until: date | None = None
    staff_id: int | None = None
    user_id: int | None = None
    oldest_first: bool = False
    after: Place | None = None
    before: Place | None = None
    misunderstood: list[str] = field(default_factory=list)

    @classmethod
    def read(cls, people: Sequence[tuple[str, str]]) -> Asked:
        """What the address of this request asks for."""
        asked = cls(texts={name: request.args.get(name, "").strip() for name in ("from", "to", "text", "person")})
        given = [kind for kind in request.args.getlist("kind") if kind]
        asked.kinds = [kind for kind in KINDS if kind in given]
        if set(given) - set(KINDS):
            asked.misunderstood.append(_("There is no such kind of entry."))
        asked.since, asked.until = asked._day("from", _("From")), asked._day("to", _("To"))
        asked._read_person(people)
        asked.oldest_first = request.args.get("order") == "oldest"
        asked._read_place()
        if len(asked.texts["text"]) > filters.LONGEST_TEXT or "\0" in asked.texts["text"]:
            asked.misunderstood.append(_("The text to look for is too long."))
        return asked

    def _day(self, name: str, label: str) -> date | None:
        if not self.texts[name]:
            return None
        try:
            return filters.Day(name, label, None).clean(self.texts[name])
        except ValueError:
            self.misunderstood.append(
                _("%(label)s: «%(value)s» was not understood.", label=label, value=self.texts[name][:60])
            )
            return None

    def _read_person(self, people: Sequence[tuple[str, str]]) -> None:
        text = self.texts["person"]
        if not text:
            return
        if text not in dict(people):
            self.misunderstood.append(_("%(label)s: «%(value)s» was not understood.", label=_("Who"), value=text[:60]))
            return
        side, _colon, number = text.partition(":")
        if side == "staff":
            self.staff_id = int(number)
        else:
            self.user_id = int(number)

    def _read_place(self) -> None:
        for name in ("after", "before"):
            text = request.args.get(name, "")
            try:
                setattr(self, name, case_file.decode(text) if text else None)
            except ValueError:
                self.misunderstood.append(
                    _("The address of this page is not complete. Go to the first page of the list.")
                )

    def question(self, client: Client, *, for_client: bool = False) -> Question:
        return Question(
            client_id=client.id, may=current_user.may, kinds=frozenset(self.kinds or KINDS),
            since=midnight(self.since) if self.since else None,
            until=midnight(self.until + timedelta(days=1)) if self.until else None,
            since_day=self.since, until_day=self.until, text=self.texts["text"], staff_id=self.staff_id,
            user_id=self.user_id, for_client=for_client,
        )  # fmt: skip

    def parameters(self) -> dict[str, Any]:
        """The filter as an audit keeps it."""
        given: dict[str, Any] = {name: text for name, text in self.texts.items() if text}
        return {**given, **({"kind": self.kinds} if self.kinds else {})}


class CaseFilePages:
    """Adds the case file to the view of clients."""

    render: Callable[..., str]
    one_or_404: Callable[[Any], Client]

    def profile_tools(self, record: Client) -> list[dict[str, Any]]:
        """What the profile offers of the case file, after what others offer."""
        before: list[dict[str, Any]] = super().profile_tools(record)  # type: ignore[misc]
        tool = {"label": _("Case file"), "icon": "files", "method": "get", "url": _address(record)}
        return [*before, tool] if current_user.may("clients.view") and record.deleted_at is None else before

    @expose("/case-file/")
    @needs("clients.view")
    def case_file(self) -> ResponseReturnValue:
        """All that happened between the client and the provider, as far as this person may see it."""
        client = self._client()
        people = _people(client)
        asked = Asked.read(people)
        page = None
        if not asked.misunderstood:
            page = case_file.page(
                asked.question(client), size=PER_PAGE, oldest_first=asked.oldest_first, after=asked.after,
                before=asked.before,
            )  # fmt: skip
        entries = CaseFileWords(page.rows).entries(page.rows) if page else []
        return self.render(
            "admin/clients/case_file.html", record=client, page_title=_("Case file of %(name)s", name=client.name),
            crumb=(client.code_and_name, f"/admin/clients/details/?id={client.id}"), badges=badges_of(client),
            entries=entries, days=_by_day(entries), errors=asked.misunderstood, asked=asked, kinds=_kinds(asked),
            people=people, pager=_pager(client, page), longest=LONGEST_TEXT_SHOWN, clear_url=_address(client),
            hidden=[kinds_in_words()[kind] for kind in _hidden_kinds()], pdf_urls=self._pdf_urls(client, asked), is_filtered=bool(asked.parameters()),
            limit=format_decimal(MOST_IN_PDF), order_url=_here(client, order=None if asked.oldest_first else "oldest"),
        )  # fmt: skip

    @expose("/case-file/pdf/")
    @needs("clients.export")
    def case_file_pdf(self) -> ResponseReturnValue:
        """The case file, or what the filter leaves of it, as one PDF."""
        client = self._client()
        asked = Asked.read(_people(client))
        flavour = request.args.get("flavour", "dispute")
        if flavour not in FLAVOURS:
            asked.misunderstood.append(_("There is no such kind of document."))
        if asked.misunderstood:
            return _refused(client, asked.misunderstood)
        count, pdf = self._make_pdf(client, asked, flavour)
        if pdf is None:
            return _refused(client, [_too_many()])
        with Writing():
            audit.record(
                "case_file", module="clients", record_id=client.id, client_id=client.id,
                after={"format": "pdf", "kind": flavour, "filter": asked.parameters(), "count": count},
            )  # fmt: skip
        name = f"case-file-{client.id}-{now():%Y-%m-%d}{'-for-client' if flavour == 'client' else ''}.pdf"
        return Response(
            pdf,
            mimetype="application/pdf",
            headers={"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"},
        )

    def _make_pdf(self, client: Client, asked: Asked, flavour: str) -> tuple[int, bytes | None]:
        """How many entries there are, and the document of them, or none if they are too many for one."""
        for_client = flavour == "client"
        question = asked.question(client, for_client=for_client)
        count, rows = case_file.whole(question, oldest_first=asked.oldest_first, limit=MOST_IN_PDF)
        if count > MOST_IN_PDF:
            return count, None
        found = list(rows)
        entries = CaseFileWords(found, for_client=for_client).entries(found)
        data = document_data(client, asked, entries, for_client=for_client)
        # Nothing is held while the document is set.
        db.session.rollback()
        try:
            return len(entries), documents.make("case_file", data, now=now())
        except OperationRefused:
            return len(entries), None

    def _pdf_urls(self, client: Client, asked: Asked) -> list[tuple[str, str, str]]:
        if not current_user.may("clients.export"):
            return []
        order = {"order": "oldest"} if asked.oldest_first else {}
        return [
            (label, told, _address(client, "pdf/", {**asked.parameters(), **order, "flavour": flavour}))
            for flavour, label, told in (
                ("dispute", _("For a dispute"), _("All that the filter shows, with what is internal, marked so.")),
                ("client", _("For the client"),
                 _("On request for one's data: without internal notes and what is the staff's own.")),
            )
        ]  # fmt: skip

    def _client(self) -> Client:
        return self.one_or_404(request.args.get("id", ""))


# The document


def document_data(client: Client, asked: Asked, entries: Sequence[Entry], *, for_client: bool) -> dict[str, Any]:
    """What templates/documents/case_file.typ shows, all of it texts in the reader's language."""
    return {
        "language": language(),
        "title": _("Case file of a client"),
        "flavour": _("Copy for the client") if for_client else _("For a dispute; internal, not to be handed on unread"),
        "client_name": client.name,
        "provider": _provider(client),
        "facts": _facts(client, for_client=for_client),
        "contents": _contents(client, asked, entries, for_client=for_client),
        "made": _("Made on %(time)s by %(name)s.", time=_with_zone(now()), name=current_user.shown_name),
        "labels": {"client": _("Client"), "contents": _("What this document contains"), "page": _("Page"),
                   "of": _("of"), "internal": _("internal"), "nothing": _("There are no entries."),
                   "entries": _("Entries"), "quoted": _("Quoted text and signature")},
        "entries": [
            {"day": one.day, "time": one.time, "word": one.word, "who": one.who, "title": one.title, "text": one.text,
             "quoted": one.quoted, "changes": [list(change) for change in one.changes], "internal": one.is_internal}
            for one in entries
        ],
    }  # fmt: skip


def _provider(client: Client) -> list[str]:
    """Who the provider is: what the settings say, and the brand that the client belongs to."""
    kept = settings.all_values()
    codes = ("provider_company", "provider_address", "provider_numbers", "provider_contacts")
    lines = [kept[code] for code in codes if kept[code]]
    project = client.project
    brand = ", ".join(part for part in (project.name, project.website, project.support_email) if part)
    return [
        kept["provider_company"] or kept["provider_name"],
        *[x for x in lines if x != kept["provider_company"]],
        brand,
    ]


def _facts(client: Client, *, for_client: bool) -> list[tuple[str, str]]:
    """The client's own data, which a person who asks for his data asks for first."""
    rows = [
        (_("Code"), f"#{client.id}"), (_("Name"), client.name), (_("Status"), str(client.legal_status.label)),
        (_("Company name"), client.company_name), (_("Contact person"), client.contact_person),
        (_("E-mail"), client.email), (_("Verified phone"), phones.shown(client.verified_phone)),
        (_("Country"), countries.name(client.country)), (_("Language"), str(client.language.label)),
        (_("Project"), client.project.name), (_("Registered"), _with_zone(client.registered_at)),
        (_("Registration address"), client.registration_ip), (_("How you heard about us"), client.referral_source),
    ]  # fmt: skip
    if current_user.may("users.view"):
        users = db.session.scalars(
            sa.select(ClientUser).where(ClientUser.client_id == client.id).order_by(ClientUser.id)
        )
        rows += [(_("User"), _joined(user.username, user.full_name, user.email, user.phone)) for user in users]
    if current_user.may("payers.view"):
        payers = db.session.scalars(sa.select(Payer).where(Payer.client_id == client.id).order_by(Payer.id))
        rows += [
            (_("Payer"), _joined(payer.name, payer.tax_id, payer.legal_address or payer.postal_address, payer.email))
            for payer in payers
        ]
    if not for_client:
        rows += [(_("Characterization"), str(client.characterization)), (_("Note"), client.note)]
    return [(str(label), str(value)) for label, value in rows if value]


def _contents(client: Client, asked: Asked, entries: Sequence[Entry], *, for_client: bool) -> list[tuple[str, str]]:
    """Period, filter and counts, and what is left out, so that nobody takes a part for the whole."""
    kinds = kinds_in_words()
    counts = {kind: sum(1 for one in entries if one.kind == kind) for kind in KINDS}
    told = [f"{kinds[kind]}: {format_decimal(count)}" for kind, count in counts.items() if count]
    hidden = [kinds[kind] for kind in _hidden_kinds() if not asked.kinds or kind in asked.kinds]
    rows = [
        (_("Period"), _period(asked)),
        (_("Kinds"), ", ".join(kinds[kind] for kind in asked.kinds)),
        (_("Text"), asked.texts["text"]),
        (_("Who"), dict(_people(client)).get(asked.texts["person"], "")),
        (_("Entries"), "; ".join([format_decimal(len(entries)), *told])),
        (_("Left out"), _("internal notes, and values that are the staff's own") if for_client else ""),
        (_("Not seen by who made it"), ", ".join(hidden)),
        (_("Time zone"), str(get_timezone() or UTC)),
    ]
    return [(str(label), str(value)) for label, value in rows if value]


def _period(asked: Asked) -> str:
    if asked.since and asked.until:
        return f"{cells.show(asked.since)} – {cells.show(asked.until)}"
    if asked.since:
        return _("since %(day)s", day=cells.show(asked.since))
    return _("until %(day)s", day=cells.show(asked.until)) if asked.until else _("from the beginning until now")


def _joined(*parts: str | None) -> str:
    return ", ".join(part for part in parts if part)


def _with_zone(at: datetime) -> str:
    return f"{cells.show(at)} ({get_timezone() or UTC})"


# The page


def _people(client: Client) -> list[tuple[str, str]]:
    """Who can have done something: the client's users, and the staff."""
    users = db.session.execute(
        sa.select(ClientUser.id, ClientUser.username).where(ClientUser.client_id == client.id).order_by(ClientUser.id)
    )
    staff = db.session.scalars(sa.select(Staff).options(joinedload(Staff.role)).order_by(Staff.full_name, Staff.id))
    return [
        *((f"user:{number}", name) for number, name in users),
        *((f"staff:{one.id}", _("%(name)s (staff)", name=one.shown_name)) for one in staff),
    ]


def _kinds(asked: Asked) -> list[dict[str, Any]]:
    hidden = _hidden_kinds()
    return [
        {"code": code, "label": label, "icon": KINDS[code][1], "chosen": code in asked.kinds}
        for code, label in kinds_in_words().items()
        if code not in hidden
    ]


def _hidden_kinds() -> list[str]:
    """The kinds of entries that this person has no right to see."""
    seen = {kind for source in SOURCES if current_user.may(source.permission) for kind in source.kinds}
    seen |= {kind for kind, permission in RIGHTS.items() if current_user.may(permission)}
    return [kind for kind in KINDS if kind not in seen]


def _by_day(entries: Sequence[Entry]) -> list[tuple[str, list[Entry]]]:
    days: list[tuple[str, list[Entry]]] = []
    for entry in entries:
        if not days or days[-1][0] != entry.day:
            days.append((entry.day, []))
        days[-1][1].append(entry)
    return days


def _address(client: Client, page: str = "", parameters: dict[str, Any] | None = None) -> str:
    given = {"id": client.id, **(parameters or {})}
    kinds = given.pop("kind", [])
    url = address(f"/admin/clients/case-file/{page}", given)
    return url + "".join(f"&kind={kind}" for kind in kinds)


def _here(client: Client, **changes: Any) -> str:
    """The page with some of its parameters changed."""
    kept: dict[str, Any] = {
        name: request.args[name] for name in ("from", "to", "text", "person", "order") if request.args.get(name)
    }
    return _address(client, "", {**kept, "kind": [k for k in request.args.getlist("kind") if k in KINDS], **changes})


def _pager(client: Client, page: case_file.Page | None) -> dict[str, str | None]:
    if page is None or page.first is None or page.last is None:
        return {"first": None, "prev": None, "next": None}
    return {
        "first": _here(client) if page.has_previous else None,
        "prev": _here(client, before=case_file.encode(page.first)) if page.has_previous else None,
        "next": _here(client, after=case_file.encode(page.last)) if page.has_next else None,
    }


def _too_many() -> str:
    said = _("This would be too long for one document. Narrow the period or the kinds.")
    most = ngettext("A document has at most %(num)s entry.", "A document has at most %(num)s entries.", MOST_IN_PDF)
    return f"{said} {most}"


def _refused(client: Client, messages: Sequence[str]) -> ResponseReturnValue:
    for message in messages:
        flash(message, "error")
    return redirect(_here(client))
