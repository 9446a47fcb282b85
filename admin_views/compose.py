"""The page on which a message to clients is written: options, texts, preview, and the send plan."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from flask import abort, flash, redirect, request
from flask.typing import ResponseReturnValue
from flask_admin.base import expose
from flask_babel import format_datetime, format_decimal, format_timedelta, ngettext
from flask_babel import gettext as _
from flask_login import current_user
from werkzeug.datastructures import CombinedMultiDict

from admin_views import cells, ready_texts
from admin_views.base import needs
from config import LANGUAGES
from extensions import db, now
from forms.mailings import MailingForm
from models import Client, Mailing, Project, ResponseTemplate, Selection, Service, Staff
from operations import (
    features,
    filters,
    idempotency,
    letters,
    macros,
    mailing_plan,
    mailings,
    selections,
    settings,
    violations,
)
from operations.attachments import StoredFile
from operations.errors import OperationRefused
from operations.macros import Addressee, Subject, Text
from operations.mailing_plan import Draft, Plan
from web import uploads

BUTTONS = ("preview", "send_test", "send", "auto_fill")


# Of more recipients than this the services are not looked at before they are asked for.
MOST_LOOKED_AT = 1_000


class ComposePages:
    """Adds `…/new/?selection=S` to the mailings."""

    @expose("/new/", methods=("GET", "POST"))
    @needs("clients.message")
    def create_view(self) -> ResponseReturnValue:
        """The form for a message to the clients of a selection."""
        if not request.values.get("selection"):
            if current_user.may("clients.message_all"):
                return redirect("/admin/mailings/choose/")
            flash(_("Choose in the list who is to get the message."), "info")
            return redirect("/admin/clients/")
        return Composing(self, chosen_selection()).answer()


def chosen_selection() -> Selection:
    """The selection in the address, which this staff member made and may write to."""
    try:
        number = filters.whole_number(request.args.get("selection") or request.form.get("selection", ""))
    except ValueError:
        abort(404)
    found = selections.find(number, staff=current_user._get_current_object()) or abort(404)
    if found.action != "message":
        abort(404)
    if selections.count(found) > 1 and not current_user.may("clients.message_all"):
        abort(403)
    return found


class Composing:
    """One request for the page: what was typed, what was pressed, and the page that answers it."""

    def __init__(self, view: Any, selection: Selection) -> None:
        self.view = view
        self.selection = selection
        self.clients = selections.client_ids(selection)
        self.staff: Staff = current_user._get_current_object()
        self.form = self._form()
        self.files: list[StoredFile] = []
        self.position = 1
        self._file_error = ""
        self.shows_preview = False
        # The code of a client whose preview was asked for and who gets no message.
        self.not_previewed = ""
        self._offer_violations()

    def answer(self) -> ResponseReturnValue:
        if request.method == "GET":
            return self.page()
        self._take_files()
        pressed = next((name for name in BUTTONS if name in request.form), "preview")
        done: ResponseReturnValue | None = getattr(self, f"_{pressed}")()
        if done is not None:
            return done
        return self.page(), 400 if pressed == "send" else 200

    def _form(self) -> MailingForm:
        defaults = {"recall_minutes": settings.get("recall_minutes"), **self._earlier()}
        if request.method == "POST":
            return MailingForm(CombinedMultiDict([request.files, request.form]), data=defaults)
        form = MailingForm(data=defaults)
        form.renew_key()
        return form

    def _offer_violations(self) -> None:
        """Offer violations where the feature is on, to those who may make them."""
        may = current_user.may("violations.create")
        if self.form.violation.data and not may:
            abort(403)
        if not may or not features.abuse_handling():
            return
        is_one = selections.count(self.selection) == 1
        chosen = violations.active_services(self.clients).order_by(Service.id)
        self.form.offer_violations(db.session.scalars(chosen).all() if is_one else None)

    def _earlier(self) -> dict[str, Any]:
        """What an earlier message of the same selection said (`from`): one that was called back, say."""
        number = request.args.get("from", "")
        earlier = (
            db.session.get(Mailing, int(number)) if number.isascii() and number.isdigit() and len(number) < 10 else None
        )
        if earlier is None or earlier.selection_id != self.selection.id:
            return {}
        names = (
            "category",
            "forbid_replies",
            "move_to_sender",
            "strict_language",
            "send_email",
            "attach_to_email",
        )
        texts = {
            f"{part}_{code}": getattr(earlier, part).get(code, "") for part in ("subject", "text") for code in LANGUAGES
        }
        return {name: getattr(earlier, name) for name in names} | texts | _earlier_violation(earlier)

    def _take_files(self) -> None:
        """Keep what was uploaded, now or with the same form before; a refusal stands beside the field."""
        self.files, self._file_error = uploads.taken()

    def _check(self) -> bool:
        valid = self.form.check(starts_at=self._starts_at(now()))
        if self._file_error:
            self.form.attachments.errors = [self._file_error]
        return valid and not self._file_error

    # The buttons

    def _preview(self) -> None:
        self._check()
        self._look_at(request.form.get("preview", ""))

    def _look_at(self, position: str) -> None:
        """Show what the recipient at this position gets, or the one whose code was typed."""
        self.shows_preview = True
        self.position = int(position) if position.isascii() and position.isdigit() and len(position) < 9 else 1
        wanted = request.form.get("preview_client", "").strip().removeprefix("#")
        if not wanted:
            return
        try:
            found = mailing_plan.position_of(filters.whole_number(wanted), self.form.draft(), self.clients)
        except ValueError:
            found = 0
        if found:
            self.position = found
        else:
            self.not_previewed = wanted[:20]

    def _auto_fill(self) -> None:
        """Put a ready text into the languages it is there in: in place of another one, and behind what was typed."""
        chosen = ready_texts.chosen()
        if chosen is None:
            return
        for row in db.session.scalars(sa.select(ResponseTemplate).where(ResponseTemplate.name == chosen.name)):
            subject, text = self.form[f"subject_{row.language}"], self.form[f"text_{row.language}"]
            subject.data = ready_texts.kept_of(subject.data, ResponseTemplate.subject) or row.subject
            kept = ready_texts.kept_of(text.data, ResponseTemplate.text)
            text.data = kept if row.text in kept else "\n\n".join(filter(None, [kept, row.text]))

    def _send_test(self) -> None:
        """Send what the recipient that is looked at would get to the staff member's own address."""
        self._look_at(request.form["send_test"])
        if not self._check():
            return
        if not self.staff.email:
            flash(_("Your own e-mail address is not known. Set it in your profile first."), "error")
            return
        to = self._addressee(self.form.draft())
        if to is None:
            flash(_("Nobody would get this message."), "error")
            return
        try:
            self._queue_test(to)
        except OperationRefused as refusal:
            flash(refusal.message, "error")
            return
        db.session.commit()
        flash(_("A test is on its way to %(address)s.", address=self.staff.email), "success")

    def _queue_test(self, to: Addressee) -> None:
        draft = self.form.draft()
        client = db.session.get_one(Client, to.client_id)
        letters.queue(
            template="mailing_test",
            to=self.staff.email,
            language=to.language,
            context={
                "subject": Subject(draft.subject[to.language]).for_(to),
                "text": Text(draft.text[to.language]).for_(to),
                "recipient": to.name,
            },
            project=db.session.get_one(Project, client.project_id),
            now=now(),
        )

    def _send(self) -> ResponseReturnValue | None:
        if not self._check():
            return None
        try:
            mailing = self._create()
            db.session.commit()
        except idempotency.DoneBefore as before:
            db.session.rollback()
            return redirect(before.url)
        except idempotency.OtherForm as before:
            db.session.rollback()
            return self._sent_before(before)
        except OperationRefused as refusal:
            db.session.rollback()
            self._show(refusal)
            return None
        return redirect(f"/admin/mailings/details/?id={mailing.id}")

    def _create(self) -> Mailing:
        moment = now()
        key = request.form.get("idempotency_key") or f"selection-{self.selection.id}"
        fields = [
            (name, text) for name, text in request.form.items(multi=True) if name not in {"csrf_token", "kept_file"}
        ] + [("attachments", file.digest) for file in self.files]
        taken = idempotency.begin(
            principal=self.staff.get_id(),
            key=f"mailing:{key}",
            content=idempotency.fingerprint(fields),
            now=moment,
        )
        self._refuse_other_recipients()
        mailing = mailings.create(
            by=self.staff,
            draft=self.form.draft(),
            clients=self.clients,
            selection=self.selection,
            starts_at=self._starts_at(moment),
            description="\n".join(selections.describe(self.selection)),
            files=self.files,
            now=moment,
        )
        taken.result_url = f"/admin/mailings/details/?id={mailing.id}"
        return mailing

    def _refuse_other_recipients(self) -> None:
        """Refuse to write to more or fewer clients than the plan showed, as a filter means others every moment."""
        seen = request.form.get("recipients_seen", "")
        if self.selection.ids is not None or not (seen.isascii() and seen.isdigit() and len(seen) < 10):
            return
        count = selections.count(self.selection)
        if count != int(seen):
            before, now_ = format_decimal(int(seen)), format_decimal(count)
            raise OperationRefused(
                _("Meanwhile other clients match the filter: there were %(before)s, now there are %(now)s. Look at the plan once more, then send again.",
                  before=before, now=now_)
            )  # fmt: skip

    def _starts_at(self, moment: datetime) -> datetime:
        if self.form.send_at.data is not None:
            return self.form.send_at.data  # type: ignore[no-any-return]
        return moment + timedelta(minutes=self.form.recall_minutes.data or 0)

    def _sent_before(self, before: idempotency.OtherForm) -> ResponseReturnValue:
        """Back, changed, and sent again: said as such; the next press sends it as a new message."""
        flash(
            _("This form was sent already, with another content. Send again to send it as well."),
            "error",
        )
        self.form.renew_key()
        return self.page(), 409

    def _show(self, refusal: OperationRefused) -> None:
        if refusal.field and refusal.field in self.form:
            self.form[refusal.field].errors = [refusal.message]
        else:
            flash(refusal.message, "error")

    # The page

    def page(self) -> str:
        draft = self.form.draft()
        plan = mailing_plan.plan(draft, self.clients, selection=self.selection)
        self.position = min(max(1, self.position), max(1, plan.tickets))
        self.form.recipients_seen.data = str(plan.selected)
        return str(
            self.view.render(
                "admin/mailings/new.html",
                form=self.form,
                selection=self.selection,
                conditions=selections.describe(self.selection),
                only_client=self._only_client() if plan.selected == 1 else None,
                plan=plan,
                languages_by_code=LANGUAGES,
                macros=list(macros.REGISTRY.values()),
                ready_texts=ready_texts.offered(self.form.category.data),
                files=uploads.with_tokens(self.files),
                preview=self._preview_of(draft) if self.shows_preview else None,
                position=self.position,
                not_previewed=self.not_previewed,
                send_label=self._send_label(plan),
                mail_is_off=self.view.mail_is_off(),
                back_url=self.selection.url or "/admin/clients/",
                stops=self._stops(draft, plan),
                deadline=self._deadline_in_words(),
            )
        )

    def _only_client(self) -> Client | None:
        return db.session.scalar(sa.select(Client).where(Client.id.in_(self.clients)))

    def _stops(self, draft: Draft, plan: Plan) -> violations.Stoppable | None:
        """The services that would be stopped; of very many recipients only once a violation is asked for."""
        if not self.form.offers_violation or not (self.form.violation.data or plan.selected <= MOST_LOOKED_AT):
            return None
        return violations.stoppable(mailing_plan.who_gets_it(draft, self.clients))

    def _deadline_in_words(self) -> dict[str, Any] | None:
        """The deadline as it was understood, and how long that is from the start."""
        wanted = self.form.parameters
        if wanted is None or self.form.deadline.errors:
            return None
        time = wanted.deadline - self._starts_at(now())
        return {
            "at": cells.show(wanted.deadline),
            "time": format_timedelta(time, granularity="minute", threshold=2.5),
            "parameters": wanted,
        }

    def _preview_of(self, draft: Draft) -> dict[str, Any] | None:
        to = self._addressee(draft)
        if to is None or not draft.text.get(to.language):
            return None
        subject, text = (
            Subject(draft.subject.get(to.language, "")).for_(to),
            Text(draft.text[to.language]).for_(to),
        )
        return {
            "to": to,
            "subject": subject,
            "html": letters.html_of(text),
            "language": LANGUAGES[to.language],
        }

    def _addressee(self, draft: Draft) -> Addressee | None:
        return mailing_plan.addressee(draft, self.clients, position=self.position, staff=self.staff)

    def _send_label(self, plan: Plan) -> str:
        """The button says how many, and when."""
        count = format_decimal(plan.tickets)
        if self.form.send_at.data is not None:
            when = format_datetime(self.form.send_at.data, "dd.MM.yyyy HH:mm")
            return ngettext(
                "Send to %(count)s client at %(when)s",
                "Send to %(count)s clients at %(when)s",
                plan.tickets,
                count=count,
                when=when,
            )
        minutes = self.form.recall_minutes.data
        if not minutes:
            return ngettext("Send to %(count)s client now", "Send to %(count)s clients now", plan.tickets, count=count)
        return ngettext(
            "Send to %(count)s client in %(minutes)s min",
            "Send to %(count)s clients in %(minutes)s min",
            plan.tickets,
            count=count,
            minutes=minutes,
        )


def _earlier_violation(earlier: Mailing) -> dict[str, Any]:
    if not earlier.is_violation:
        return {}
    kept = violations.Parameters.of(earlier.violation_parameters)
    return {
        "violation": True, "deadline": kept.deadline, "violation_action": kept.action, "points": kept.points,
        "comment": kept.comment, "service": str(kept.service_id or ""),
    }  # fmt: skip
