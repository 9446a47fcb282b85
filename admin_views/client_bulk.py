"""What can be done to many clients at once: each with its question, its preview and its verb."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from flask import Response, current_app, request
from flask_babel import format_decimal, ngettext
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from flask_login import current_user

from admin_views.bulk import BulkAction, Chosen, Menu, Report
from extensions import db, now
from forms.clients import CharacterizationForm, FileForm, GroupForm, LanguageForm, ProjectForm
from models import (
    BulkChange,
    Characterization,
    Client,
    ClientGroup,
    Language,
    Project,
    Selection,
    Staff,
    client_group_members,
)
from operations import bulk_changes, deletion, selections
from operations.bulk_changes import Asked

GROUPS = Menu("groups", _l("Groups"), "users-group")
MORE = Menu("more", _l("More"), "dots")


def _asked(chosen: Chosen) -> Asked:
    clients, staff = selections.client_ids(chosen.selection), db.session.get_one(Staff, current_user.id)
    return Asked(clients, chosen.count, staff, now(), chosen.selection)


def report(change: BulkChange, *more: str) -> Report:
    """What was done, with the way back where something was."""
    words = " ".join([bulk_changes.in_words(change), *more])
    return Report(words, change.id if change.changed else None)


# Previews: what the chosen clients have now


def _now(name: Any, count: int) -> str:
    return _("Now %(name)s: %(count)s", name=name, count=format_decimal(count))


def _by_record(selection: Selection, model: Any, column: Any) -> list[str]:
    rows = db.session.execute(
        sa.select(model, sa.func.count(Client.id))
        .join(Client, column == model.id)
        .where(Client.id.in_(selections.client_ids(selection)))
        .group_by(model.id)
        .order_by(model.id)
    )
    return [_now(row[0], row[1]) for row in rows]


def _preview_characterization(selection: Selection) -> list[str]:
    return _by_record(selection, Characterization, Client.characterization_id)


def _preview_language(selection: Selection) -> list[str]:
    chosen = selections.client_ids(selection).with_only_columns(Client.language, sa.func.count())
    return [_now(Language(code).label, count) for code, count in db.session.execute(chosen.group_by(Client.language))]


def _preview_groups(selection: Selection) -> list[str]:
    members = client_group_members.c
    rows = db.session.execute(
        sa.select(ClientGroup.name, sa.func.count())
        .join(client_group_members, members.group_id == ClientGroup.id)
        .where(members.client_id.in_(selections.client_ids(selection)))
        .group_by(ClientGroup.id)
        .order_by(ClientGroup.name)
    ).all()
    said = [_("Now in group «%(name)s»: %(count)s", name=name, count=format_decimal(count)) for name, count in rows]
    return said or [_("None of them is in a group.")]


def _preview_project(selection: Selection) -> list[str]:
    with_money = selections.client_ids(selection).where(Client.balance != 0).subquery()
    count = db.session.scalar(sa.select(sa.func.count()).select_from(with_money)) or 0
    said = [
        _("Who has no account with the new project gets one, in its currency and with its credit limit."),
        _("Money stays where it is: the balance shown will be that of the account with the new project."),
    ]
    if count:
        said.append(
            ngettext(
                "%(num)s client has a balance with the present project that is not zero.",
                "%(num)s clients have a balance with the present project that is not zero.",
                count,
            )
        )
    return [*_by_record(selection, Project, Client.project_id), *said]


def _preview_deletion(selection: Selection) -> list[str]:
    return [*deletion.impact(selections.client_ids(selection)).lines(),
            _("They leave every list and can be restored for 30 days.")]  # fmt: skip


def _preview_export(_selection: Selection) -> list[str]:
    return [_("What is exported is written down in the audit.")]


# Verbs


def _set_characterization(chosen: Chosen, form: Any) -> Report:
    given = {"characterization": form.characterization.data, "reason": form.characterization_reason.data}
    return report(bulk_changes.set_characterization(_asked(chosen), **given))


def _add_group(chosen: Chosen, form: Any) -> Report:
    return report(bulk_changes.add_group(_asked(chosen), group=form.group.data))


def _remove_group(chosen: Chosen, form: Any) -> Report:
    return report(bulk_changes.remove_group(_asked(chosen), group=form.group.data))


def _set_project(chosen: Chosen, form: Any) -> Report:
    change, opened = bulk_changes.set_project(_asked(chosen), project=form.project.data)
    accounts = ngettext("%(num)s account was opened.", "%(num)s accounts were opened.", opened)
    return report(change, *([accounts] if opened else []))


def _set_language(chosen: Chosen, form: Any) -> Report:
    return report(bulk_changes.set_language(_asked(chosen), language=form.language.data))


def _delete(chosen: Chosen, _form: Any) -> Report:
    return report(bulk_changes.delete(_asked(chosen)))


def _export(chosen: Chosen, form: Any) -> Response:
    clients = current_app.extensions["desk_views"]["clients"]
    made: Response = clients.selection_as_file(chosen.selection, form.format.data, chosen.count)
    return made


def _change(count: int) -> str:
    return ngettext("Change %(num)s client", "Change %(num)s clients", count)


# A role that may edit clients but not create them may change note and characterization alone.
_ALL_FIELDS = {"permission": "clients.edit", "besides": "clients.create"}

CLIENT_ACTIONS = (
    BulkAction("message", _l("Send message"), "send", "clients.message",
               page=lambda selection: f"/admin/mailings/new/?selection={selection.id}"),
    BulkAction("set_characterization", _l("Characterization"), "heart", "clients.edit",
               form=lambda: CharacterizationForm(request.form), preview=_preview_characterization,
               run=_set_characterization, verb=_change),
    BulkAction("add_group", _l("Add to group"), "users-plus", **_ALL_FIELDS, menu=GROUPS,
               form=lambda: GroupForm(request.form), preview=_preview_groups, run=_add_group,
               verb=lambda count: ngettext("Add %(num)s client", "Add %(num)s clients", count)),
    BulkAction("remove_group", _l("Remove from group"), "users-minus", **_ALL_FIELDS, menu=GROUPS,
               form=lambda: GroupForm(request.form), preview=_preview_groups, run=_remove_group,
               verb=lambda count: ngettext("Remove %(num)s client", "Remove %(num)s clients", count)),
    BulkAction("set_project", _l("Move to project"), "world", **_ALL_FIELDS, menu=MORE,
               form=lambda: ProjectForm(request.form), preview=_preview_project, run=_set_project,
               verb=lambda count: ngettext("Move %(num)s client", "Move %(num)s clients", count)),
    BulkAction("set_language", _l("Interface language"), "language", **_ALL_FIELDS, menu=MORE,
               form=lambda: LanguageForm(request.form), preview=_preview_language, run=_set_language, verb=_change),
    BulkAction("export", _l("Export"), "download", "clients.export", menu=MORE, repeats=True,
               form=lambda: FileForm(request.form), preview=_preview_export, run=_export,
               verb=lambda count: ngettext("Export %(num)s client", "Export %(num)s clients", count)),
    BulkAction("merge", _l("Merge two"), "git-merge", "clients.delete", besides="clients.create", menu=MORE,
               page=lambda selection: f"/admin/clients/merge/?selection={selection.id}"),
    BulkAction("delete", _l("Delete"), "trash", "clients.delete", menu=MORE, danger=True, preview=_preview_deletion,
               run=_delete, verb=lambda count: ngettext("Delete %(num)s client", "Delete %(num)s clients", count)),
)  # fmt: skip
