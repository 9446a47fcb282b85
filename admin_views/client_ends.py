"""The end of a client: deleting and restoring it, erasing it, and merging it with another record of the same client."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from flask import abort, flash, redirect, request
from flask.typing import ResponseReturnValue
from flask_admin.base import expose
from flask_babel import gettext as _
from flask_login import current_user
from markupsafe import Markup
from sqlalchemy.exc import IntegrityError

from admin_views import cells
from admin_views.base import needs, refuse
from admin_views.import_undoing import refuse_a_scope
from extensions import LabelledEnum, db, now
from forms.client_ends import EraseForm
from models import AuditEvent, Client, ClientMerge, CustomField, Staff
from operations import (
    clients,
    countries,
    deletion,
    erasing,
    erasing_rows,
    erasing_texts,
    filters,
    merge_undoing,
    merging,
    phones,
    selections,
)
from operations.errors import OperationRefused
from operations.merging import Pair

HERE = "/admin/clients"
# Whoever merges changes one client and deletes another.
MERGING = ("clients.delete", "clients.edit", "clients.create")
# Where documents of a deleted client are still found.
OF_DOCUMENTS = ("invoices", "payments", "expenses", "acts", "accounts")


def may_merge() -> bool:
    """Whether the person logged in has all the rights that a merging takes."""
    return all(current_user.may(right) for right in MERGING)


class ClientEndPages:
    """Adds deleting, `…/deleted/`, `…/restore/`, `…/erase/`, `…/merge/` and `…/merge/undo/` to the clients."""

    def profile_tools(self, record: Client) -> list[dict[str, Any]]:
        """What can be done on a client's page to end it."""
        tools: list[dict[str, Any]] = super().profile_tools(record)  # type: ignore[misc]
        if may_merge() and record.deleted_at is None:
            tools.append(
                {
                    "label": _("Merge with…"),
                    "icon": "git-merge",
                    "method": "get",
                    "url": f"{HERE}/merge/?id={record.id}",
                }
            )
            merge = merge_undoing.latest(record.id)
            if merge is not None:
                tools.append({"label": _("Take the merging back"), "icon": "arrow-back-up", "method": "get",
                              "url": f"{HERE}/merge/undo/?merge={merge.id}"})  # fmt: skip
        if current_user.may("clients.erase"):
            tools.append({"label": _("Erase"), "icon": "ban", "method": "get", "url": f"{HERE}/erase/?id={record.id}"})
        return tools

    # Deleted

    def delete_context(self, record: Client) -> dict[str, Any]:
        one = sa.select(Client.id).where(Client.id == record.id)
        context: dict[str, Any] = super().delete_context(record)  # type: ignore[misc]
        return {
            **context,
            "page_title": _("Delete a client"),
            "lines": [*deletion.impact(one).lines(), _("It leaves every list and can be restored for 30 days.")],
            "verb": _("Delete %(name)s", name=f"#{record.id}"),
        }

    def delete_record(self, record: Client) -> None:
        deletion.delete_one(record, now=now())

    @expose("/deleted/")
    @needs("clients.delete")
    def deleted(self) -> ResponseReturnValue:
        """Clients deleted in the last thirty days, to be brought back."""
        rows = deletion.recently_deleted(now=now())
        return self.render("admin/clients/deleted.html", rows=rows, page_title=_("Deleted clients"), show=cells.show)  # type: ignore[attr-defined,no-any-return]

    @expose("/restore/", methods=("POST",))
    @needs("clients.delete")
    def restore(self) -> ResponseReturnValue:
        """Bring a deleted client back."""
        client = _client_or_404(request.form.get("id"))
        deletion.restore(client, now=now())
        db.session.commit()
        flash(_("Client %(name)s is back.", name=client.code_and_name), "success")
        return redirect(f"{HERE}/details/?id={client.id}")

    def page_of_ended(self, client: Client) -> ResponseReturnValue | None:
        """Of a client that became a part of another, that one's page; of an erased one, what is left."""
        if client.deleted_at is None or self.scope() is not None:  # type: ignore[attr-defined]
            return None
        if client.merged_into is not None and client.merged_into.deleted_at is None:
            flash(_("Client #%(id)s was merged into this one.", id=client.id), "info")
            return redirect(f"{HERE}/details/?id={client.merged_into.id}")
        if client.erased_at is None:
            return None
        return self.render("admin/clients/gone.html", **_gone(client))  # type: ignore[attr-defined,no-any-return]

    def profile_head(self, profile: Any) -> dict[str, Any]:
        """Of a deleted client, the way back and its documents, which no list shows otherwise."""
        head: dict[str, Any] = super().profile_head(profile)  # type: ignore[misc]
        if head["deleted"]:
            head["deleted"]["can_restore"] = bool(head["deleted"]["until"]) and current_user.may("clients.delete")
            head["links"] = _documents_of(profile.record)
        return head

    # Erased

    @expose("/erase/", methods=("GET", "POST"))
    @needs("clients.erase")
    def erase(self) -> ResponseReturnValue:
        """Say what goes for good and what stays, and erase once the client's code or name is typed."""
        client = _client_or_404(request.values.get("id"))
        if client.erased_at is not None:
            abort(404)
        form = EraseForm(request.form if request.method == "POST" else None)
        form.form_errors = []
        if request.method == "POST":
            refuse_a_scope()
            if self._erased(client, form):
                flash(_("Client #%(id)s is erased.", id=_number(request.form.get("id"))), "success")
                return redirect(f"{HERE}/")
        sheet = erasing_texts.sheet(client)
        return self.render(  # type: ignore[attr-defined,no-any-return]
            "admin/clients/erase.html", form=form, client=client, sheet=sheet, page_title=_("Erase a client"),
            cancel_url=f"{HERE}/details/?id={client.id}",
        )  # fmt: skip

    def _erased(self, client: Client, form: EraseForm) -> bool:
        try:
            done = erasing.erase(client, confirmation=form.confirmation.data or "", by=_staff(), now=now())
            db.session.commit()
        except OperationRefused as refusal:
            db.session.rollback()
            refuse(form, refusal)
            return False
        except IntegrityError:
            db.session.rollback()
            form.form_errors.append(_("Something was added to this client at this very moment. Look at it again."))
            return False
        erasing.finish(done)
        return True

    # Merged

    @expose("/merge/", methods=("GET", "POST"))
    @needs("clients.delete")
    def merge(self) -> ResponseReturnValue:
        """Choose the other record, then field by field which values stay, and merge the two."""
        if not may_merge():
            abort(403)
        if request.args.get("selection"):
            return self._two_ticked()
        kept = self.posted_or_404()  # type: ignore[attr-defined]
        other = (request.values.get("other") or "").strip().removeprefix("#")
        if not other:
            return self._choose_other(kept)
        try:
            two = merging.pair(kept_id=kept.id, other_id=_code(other))
        except OperationRefused as refusal:
            return self._choose_other(kept, refusal.message), 400
        return self._merged(two) if request.method == "POST" else self._compare(two)

    def _two_ticked(self) -> ResponseReturnValue:
        selection = selections.find(_number(request.args.get("selection")), staff=_staff())
        ids = db.session.scalars(selections.client_ids(selection).limit(3)).all() if selection else []
        if selection is None or len(ids) != 2:
            flash(_("Tick exactly two clients to merge them."), "error")
            return redirect((selection.url if selection else "") or f"{HERE}/")
        kept, other = sorted(ids)
        return redirect(f"{HERE}/merge/?id={kept}&other={other}")

    def _choose_other(self, kept: Client, message: str = "") -> str:
        similar = clients.similar(
            email=kept.email, phone=kept.verified_phone, company_name=kept.company_name,
            registration_ip=kept.registration_ip, but=kept.id,
        )  # fmt: skip
        return self.render(  # type: ignore[attr-defined,no-any-return]
            "admin/clients/merge_choose.html", kept=kept, similar=similar, message=message, page_title=_("Merge with…"),
            typed=request.values.get("other", ""), cancel_url=f"{HERE}/details/?id={kept.id}",
        )  # fmt: skip

    def _compare(self, two: Pair, *, message: str = "", field: str | None = None, chosen: Any = None) -> str:
        rows = [_row(two, name, (chosen or {}).get(name)) for name in merging.fields_of(two)]
        return self.render(  # type: ignore[attr-defined,no-any-return]
            "admin/clients/merge.html", two=two, page_title=_("Merge two clients"), message=message, field=field,
            different=[row for row in rows if not row["same"]], impact=merging.impact(two),
            version=merging.version_of(two), cancel_url=f"{HERE}/details/?id={two.kept.id}",
            swap_url=f"{HERE}/merge/?id={two.other.id}&other={two.kept.id}",
        )  # fmt: skip

    def _merged(self, two: Pair) -> ResponseReturnValue:
        refuse_a_scope()
        kept, other = two.kept.id, two.other.id
        chosen = {name: request.form[name] for name in merging.fields_of(two) if name in request.form}
        try:
            merging.merge(
                kept_id=kept,
                other_id=other,
                choices=chosen,
                by=_staff(),
                now=now(),
                version=request.form.get("version"),
            )
            db.session.commit()
        except OperationRefused as refusal:
            db.session.rollback()
            two = merging.pair(kept_id=kept, other_id=other)
            return self._compare(two, message=refusal.message, field=refusal.field, chosen=chosen), 400
        flash(_("Client #%(other)s was merged into this one.", other=other), "success")
        return redirect(f"{HERE}/details/?id={kept}")

    @expose("/merge/undo/", methods=("GET", "POST"))
    @needs("clients.delete")
    def undo_merge(self) -> ResponseReturnValue:
        """Say what taking a merging back means or what stands in its way, and do it."""
        if not may_merge():
            abort(403)
        merge = db.session.get(ClientMerge, _number(request.values.get("merge"))) or abort(404)
        back = f"{HERE}/details/?id={merge.kept_id}"
        try:
            if request.method == "POST":
                refuse_a_scope()
                merge_undoing.undo(merge, by=_staff(), now=now())
                db.session.commit()
                flash(_("The merging was taken back."), "success")
                return redirect(back)
            merge_undoing.refuse(merge)
        except OperationRefused as refusal:
            db.session.rollback()
            flash(refusal.message, "error")
            return redirect(back)
        return self.render("admin/confirm.html", **_undo_context(merge, back))  # type: ignore[attr-defined,no-any-return]


def _staff() -> Staff:
    return db.session.get_one(Staff, current_user.id)


def _number(text: str | None) -> int:
    """A code as it is sent; 404 for what is none."""
    try:
        return filters.whole_number((text or "").strip())
    except ValueError:
        abort(404)


def _code(text: str) -> int:
    try:
        return filters.whole_number(text)
    except ValueError:
        raise OperationRefused(_("There is none with this code."), field="other") from None


def _client_or_404(text: str | None) -> Client:
    return db.session.get(Client, _number(text)) or abort(404)


def _undo_context(merge: ClientMerge, back: str) -> dict[str, Any]:
    kept, other = merge.kept, merge.merged
    return {
        "page_title": _("Take the merging back"),
        "question": _("Make #%(other)s a client of its own again, as it was before it was merged into %(kept)s?",
                      other=other.id, kept=kept.code_and_name),
        "lines": [
            _("What came along goes back, and the values that were overwritten come back."),
            _("Money goes back by a pair of entries; none is removed."),
        ],
        "hidden": {"merge": merge.id},
        "verb": _("Take back"),
        "cancel_url": back,
    }  # fmt: skip


def _documents_of(client: Client) -> list[dict[str, Any]]:
    """The lists of documents that a deleted client has left."""
    documents = erasing_rows.documents(client.id)
    return [
        {
            "url": f"/admin/{module}/?deleted_client={client.id}",
            "label": erasing_texts.WORDS[module],
            "icon": "file-text",
            "count": documents[module],
        }
        for module in OF_DOCUMENTS
        if module in documents and current_user.may(f"{module}.view")
    ]


def _gone(client: Client) -> dict[str, Any]:
    """What the page of an erased client shows."""
    deleted_by = db.session.scalar(
        sa.select(AuditEvent.actor)
        .where(AuditEvent.module == "clients", AuditEvent.record_id == client.id, AuditEvent.action == "delete")
        .order_by(AuditEvent.id.desc())
        .limit(1)
    )
    return {
        "client": client,
        "page_title": client.code_and_name,
        "facts": [
            (_("Deleted"), cells.show(client.deleted_at)),
            (_("By"), deleted_by),
            (_("Erased"), cells.show(client.erased_at)),
        ],
        "links": _documents_of(client),
    }


# The values of two clients side by side


def _row(two: Pair, name: str, chosen: str | None) -> dict[str, Any]:
    values = [merging.value(client, name) for client in (two.kept, two.other)]
    plain = [value.id if hasattr(value, "id") else value for value in values]
    return {
        "name": name,
        "label": _label(name),
        "values": [_shown(name, value) for value in values],
        "same": plain[0] == plain[1] or all(value in (None, "") for value in plain),
        "both": name == "note" and all(values),
        "chosen": chosen or merging.default(two, name),
    }


def _label(name: str) -> str:
    from admin_views.audit_words import field_name  # noqa: PLC0415  It reads the menu, which this is a part of.

    if name.startswith(merging.CUSTOM):
        code = name.removeprefix(merging.CUSTOM)
        return db.session.scalar(sa.select(CustomField.label).where(CustomField.code == code)) or code
    return field_name("clients", name)


def _shown(name: str, value: Any) -> Any:
    if name == "country":
        return countries.name(value)
    if name == "verified_phone":
        return phones.shown(value)
    if isinstance(value, Client):
        return value.code_and_name
    if isinstance(value, LabelledEnum):
        return str(value.label)
    if name == "note":
        return Markup('<span class="pre-line">{}</span>').format(value) if value else ""
    return cells.show(value)
