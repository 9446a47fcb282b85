"""Every module's changes in the audit: made, changed, deleted through its forms, each with old and new values in words."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask

from extensions import db, now
from models import AuditEvent, Client, ClientGroup, ClientNote, PenaltyPoint, Project, Role, Staff, Violation
from operations import passwords
from tests import factories as make
from tests.admin.test_audit import changes, facts, newest
from tests.admin.test_modules import MODULES, Module, filled
from tests.admin.test_modules import newest as newest_row
from tests.cast import Cast, Desk
from tests.support import page as pages

# What the edit of tests/admin/test_modules.py reads like; of a module that is not named here, something must.
READS = {
    "groups": ["Name: Retailers → Retail"],
    "projects": ["Name: Gamma → Gamma 2", "Credit limit of new accounts: 10.50 → 0.00"],
    "characterizations": ["Name: Late payer → Pays late"],
    "affiliate-programs": ["Percent: 12.50 → 15.00"],
    "response-templates": ["Subject: До свидания → Пока"],
    "ticket-categories": ["Name: English: Sales; Русский: Продажи → English: Sales desk; Русский: Продажи"],
    "payers": ["Name: ООО «Плательщик» → ООО «Другой»"],
    "discounts": ["Note: loyal → very loyal"],
    "products": ["Name: VPS → VPS 2"],
    "custom-fields": ["Label: Stamp → Seal"],
}


# What is refused of custom fields stands in tests/admin/test_custom_fields.py.
ALL = [*MODULES, Module("custom-fields", {"label": "Stamp", "type": "text"}, [], {"label": "Seal"})]


def events(app: Flask, **columns: Any) -> list[AuditEvent]:
    with app.app_context():
        return list(db.session.scalars(sa.select(AuditEvent).filter_by(**columns).order_by(AuditEvent.id)))


def row_of(desk: Desk, number: int) -> dict[str, str]:
    page = desk.page("/admin/audit/")
    return {name: pages.cell(page, number, name).text for name in ("Who", "Module", "Record", "Action", "What")}


def history(desk: Desk, module: str, number: int) -> list[int]:
    return desk.ids(f"/admin/audit/?module={module}&record_id={number}")


@pytest.mark.parametrize("module", ALL, ids=str)
def test_what_is_made_changed_and_deleted_reads_in_words(app: Flask, cast: Cast, owner: Desk, module: Module) -> None:
    url = f"/admin/{module.name}"
    owner.follow(owner.post(f"{url}/new/", filled(module.good, cast)))
    with app.app_context():
        number = newest_row(app, module.name).id
        label = str(app.extensions["desk_views"][module.name].name)
        who = db.session.get_one(Staff, cast.owner.id).shown_name
    made = events(app, module=module.name, action="create", record_id=number)
    assert made
    row = row_of(owner, made[0].id)
    assert (row["Who"], row["Module"], row["Action"]) == (who, label, "created")
    assert row["Record"].startswith(f"#{number}")
    assert row["What"]

    held = {**pages.values(owner.page(f"{url}/edit/?id={number}")), **filled(module.changed, cast)}
    owner.follow(owner.post(f"{url}/edit/?id={number}", held))
    edited = events(app, module=module.name, action="edit", record_id=number)
    said = [line for event in edited for line in changes(owner, event.id)]
    wanted = READS.get(module.name)
    assert said == wanted if wanted else any(" → " in line for line in said)

    if module.can_delete:
        owner.follow(owner.post(f"{url}/delete/", id=number))
        [gone] = [one for one in events(app, module=module.name, action="delete") if one.record_id == number][:1]
        assert row_of(owner, gone.id)["Action"] == "deleted"
        assert gone.before, "what was there before it was deleted"
        assert not gone.after
    assert history(owner, module.name, number) == sorted(
        (one.id for one in events(app, module=module.name, record_id=number)), reverse=True
    )


@pytest.mark.engine("sqlite")
def test_every_module_where_something_can_be_made_is_among_them(app: Flask, cast: Cast, owner: Desk) -> None:
    own = {"clients", "staff", "roles", "users"}  # Their tests are below.
    with app.test_request_context("/admin/"):
        views = app.extensions["desk_views"]
        makes = {name for name, view in views.items() if getattr(view, "can_create", False)}
    assert makes - own <= {module.name for module in ALL}


def test_staff_and_roles_and_never_a_secret(app: Flask, cast: Cast, owner: Desk) -> None:
    url = "/admin/staff/new/"
    password = passwords.generate() if hasattr(passwords, "generate") else "correct horse battery 77"
    held = {**pages.values(owner.page(url)), "username": "nina", "full_name": "Nina New", "password": password}
    owner.follow(owner.post(url, held))
    number = newest(app, module="staff", action="create")
    said = facts(owner.page(f"/admin/audit/details/?id={number}"))
    assert (said["Username"], said["Full name"]) == ("nina", "Nina New")
    with app.app_context():
        event = db.session.get_one(AuditEvent, number)
        assert "password" not in str(event.after).replace("must_change_password", "")
        role = db.session.scalars(sa.select(Role).where(Role.name == "Support")).one().id
    held = {**pages.values(owner.page(f"/admin/staff/edit/?id={event.record_id}")), "role": str(role)}
    owner.follow(owner.post(f"/admin/staff/edit/?id={event.record_id}", held))
    assert any(line.startswith("Role: ") and line.endswith("→ Support")
               for line in changes(owner, newest(app, module="staff", action="edit")))  # fmt: skip
    url = f"/admin/roles/edit/?id={role}"
    held = pages.values(owner.page(url))
    held["permissions"] = [right for right in held["permissions"] if right != "tickets.create"]
    owner.follow(owner.post(url, held))
    said = facts(owner.page(f"/admin/audit/details/?id={newest(app, module='roles', action='edit')}"))
    assert "tickets.create" in said["Permissions"].split("→")[0]
    assert "tickets.create" not in said["Permissions"].split("→")[1]


def test_settings_and_features(app: Flask, cast: Cast, owner: Desk) -> None:
    held = {**pages.values(owner.page("/admin/settings/")), "recall_minutes": "9"}
    owner.follow(owner.post("/admin/settings/", held))
    number = newest(app, module="settings", action="create")
    assert row_of(owner, number)["Record"] == "#1 Minutes to call a mailing back"
    assert "Value: 9" in changes(owner, number)
    owner.follow(owner.post("/admin/settings/", {**held, "recall_minutes": "11"}))
    assert changes(owner, newest(app, module="settings", action="edit")) == ["Value: 9 → 11"]
    owner.post("/admin/features/ajax/update/", list_form_pk=1, is_enabled="0")
    number = newest(app, module="features", action="edit")
    assert changes(owner, number) == ["On: yes → no"]
    assert len(row_of(owner, number)["Record"]) > len("#1 "), "which feature it was"


def test_a_client_its_memberships_its_projects_and_its_characterization(app: Flask, cast: Cast, owner: Desk) -> None:
    with make.scene(app):
        retail = make.group("Retail").id
        kind = make.characterization("conflict").id
    wholesale = cast.records["groups"]
    url = f"/admin/clients/edit/?id={cast.a.id}"

    def save(**more: Any) -> list[str]:
        owner.follow(owner.post(url, {**pages.values(owner.page(url)), **more}))
        return changes(owner, newest(app, module="clients", action="edit", record_id=cast.a.id))

    assert save(groups=[str(retail), str(wholesale)]) == ["Groups: — → Wholesale, Retail"]
    assert save(groups=[str(retail)]) == ["Groups: Wholesale, Retail → Retail"]
    assert save(projects=[str(cast.project_b)]) == ["Available projects: — → Beta Telecom"]
    said = save(characterization=str(kind), characterization_reason="Shouts at night")
    assert "Characterization: Ordinary → Conflict" in said
    assert "Reason for the characterization: — → Shouts at night" in said
    assert any(line.startswith("Characterized by: — → ") for line in said)
    with app.app_context():
        old = db.session.get_one(Client, cast.a.id).email
    assert save(email="other@clients.example") == [f"E-mail: {old} → other@clients.example"]


def test_a_group_that_goes_is_told_of_each_member_by_its_name(app: Flask, cast: Cast, owner: Desk) -> None:
    with make.scene(app):
        a, b = (db.session.get_one(Client, number) for number in (cast.a.id, cast.b.id))
        doomed = make.group("Doomed & Co", a, b).id
    owner.follow(owner.post("/admin/groups/delete/", id=doomed))
    found = events(app, module="clients", action="remove_group")
    assert [(one.record_id, one.client_id) for one in found] == [(cast.a.id,) * 2, (cast.b.id,) * 2]
    assert row_of(owner, found[0].id)["Action"] == "removed from a group"
    assert changes(owner, found[0].id) == ["Groups: Doomed & Co → —"]
    with app.app_context():
        assert db.session.get(ClientGroup, doomed) is None


def test_a_project_that_goes_and_a_client_that_is_made_with_references_to_many(
    app: Flask, cast: Cast, owner: Desk
) -> None:
    with make.scene(app):
        doomed = make.project("Gone Ltd")
        made = make.client("Made", project=db.session.get_one(Project, cast.project_a), projects=[doomed])
        number, project = made.id, doomed.id
    created = events(app, module="clients", action="create", record_id=number)[0]
    assert "Gone Ltd" in facts(owner.page(f"/admin/audit/details/?id={created.id}"))["Available projects"]
    owner.follow(owner.post("/admin/projects/delete/", id=project))
    [event] = events(app, module="clients", action="remove_project")
    assert changes(owner, event.id) == ["Available projects: Gone Ltd → —"]
    assert "Gone Ltd" in facts(owner.page(f"/admin/audit/details/?id={created.id}"))["Available projects"]


def test_a_user_is_changed_and_removed(app: Flask, cast: Cast, owner: Desk) -> None:
    number = cast.a.limited.id
    url = f"/admin/users/edit/?id={number}"
    held = {**pages.values(owner.page(url)), "full_name": "Ann Other"}
    held.pop("is_active", None)
    owner.follow(owner.post(url, held))
    said = changes(owner, newest(app, module="users", action="edit"))
    assert "Full name: User anna.limited → Ann Other" in said
    assert "May log in: yes → no" in said
    owner.follow(owner.post("/admin/users/delete/", id=number))
    [gone] = events(app, module="users", action="delete", record_id=number)
    assert (gone.client_id, gone.before["username"]) == (cast.a.id, "anna.limited")
    assert row_of(owner, gone.id)["Record"] == f"#{number} anna.limited", "its name is that of its removal"


def test_notes_and_penalty_points(app: Flask, cast: Cast, owner: Desk) -> None:
    with make.scene(app):
        note = ClientNote(client_id=cast.a.id, text="pays late", author_id=cast.support.id)
        db.session.add(note)
        db.session.flush()
        note.text, note.is_pinned = "pays in time", True
        db.session.flush()
        db.session.delete(note)
        violation = db.session.get_one(Violation, cast.a.records["violations"])
        db.session.add(PenaltyPoint(client_id=cast.a.id, violation_id=violation.id, points=3, comment="spam",
                                    expires_at=now() + timedelta(days=9)))  # fmt: skip
    of_note = [
        one for one in events(app, module="clients", client_id=cast.a.id) if "text" in {**one.before, **one.after}
    ]
    assert [one.action for one in of_note] == ["note_add", "note_edit", "note_delete"]
    assert changes(owner, of_note[1].id) == ["Text: pays late → pays in time", "Pinned: no → yes"]
    assert "Penalty points: 3" in changes(owner, newest(app, module="violations", action="create"))


def test_a_client_is_deleted_and_restored(app: Flask, cast: Cast, owner: Desk) -> None:
    owner.follow(owner.post("/admin/clients/delete/", id=cast.a.id))
    owner.follow(owner.post("/admin/clients/restore/", id=cast.a.id))
    told = [one.action for one in events(app, module="clients", record_id=cast.a.id)]
    assert [one for one in told if one in {"delete", "restore"}] == ["delete", "restore"]
