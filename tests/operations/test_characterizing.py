"""The history of a characterization: every setting, whichever way it was made, with who, when, why, from and to."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from extensions import Clock, db, now
from models import AuditEvent, Client
from operations import audit, bulk_changes, bulk_undo, characterizing, selections
from tests import factories as make


@pytest.fixture
def olga(session: Any) -> Any:
    """A staff member who acts."""
    staff = make.staff("olga", full_name="Olga")
    session.commit()
    audit.set_actor(audit.actor_of(staff))
    yield staff
    audit.set_actor(audit.SYSTEM)


def told(client: Client) -> list[tuple[str, str, str, str, str]]:
    return [(one.who, one.before, one.after, one.reason, one.action) for one in characterizing.history(client)]


def by_hand(client: Client, code: str, reason: str | None, by: Any) -> None:
    """As the form does it, of a client that was read before."""
    db.session.refresh(client)
    client.characterization = make.characterization(code)
    if reason is not None:
        client.characterization_reason = reason
    with db.session.no_autoflush:
        characterizing.note(client, by=by, now=now())
    db.session.commit()


def in_bulk(client: Client, code: str, reason: str, by: Any) -> Any:
    chosen = selections.create(staff=by, module="clients", action="set_characterization", ids=[client.id])
    asked = bulk_changes.Asked(selections.client_ids(chosen), chosen.count, by, now(), chosen)
    change = bulk_changes.set_characterization(asked, characterization=make.characterization(code), reason=reason)
    db.session.commit()
    return change


def test_each_setting_is_kept_with_who_why_from_and_to(session: Any, olga: Any, clock: Clock) -> None:
    client = make.client("Anna")
    session.commit()
    by_hand(client, "good", "pays early", olga)
    clock.move(minutes=1)
    change = in_bulk(client, "conflict", "shouts", olga)
    session.expire_all()
    clock.move(minutes=1)
    bulk_undo.undo(change, by=olga, now=now())
    session.commit()
    session.expire_all()
    assert client.characterization_reason == "pays early"
    by_hand(client, "good", "pays very early", olga)
    assert told(client) == [
        ("Olga", "Good", "Good", "pays very early", "edit"),
        ("Olga", "Conflict", "Good", "pays early", "undo"),
        ("Olga", "Good", "Conflict", "shouts", "set_characterization"),
        ("Olga", "Ordinary", "Good", "pays early", "edit"),
        ("Olga", "", "Ordinary", "", "create"),
    ]
    first, second, third, *_rest = characterizing.history(client)
    assert timedelta(minutes=1) <= second.at - third.at < timedelta(minutes=2)
    assert first.at >= second.at
    assert len(characterizing.history(client, limit=2)) == 2


def test_a_new_characterization_without_a_reason_clears_the_old_one(session: Any, olga: Any) -> None:
    client = make.client("Anna")
    session.commit()
    by_hand(client, "good", "pays early", olga)
    by_hand(client, "conflict", None, olga)
    assert client.characterization_reason == ""
    by_hand(client, "good", "pays early", olga)
    in_bulk(client, "conflict", "", olga)
    session.expire_all()
    assert client.characterization_reason == ""
    assert told(client)[0] == ("Olga", "Good", "Conflict", "", "set_characterization")


def test_what_was_not_changed_is_not_noted(session: Any, olga: Any) -> None:
    client = make.client("Anna")
    session.commit()
    client.note = "something else"
    characterizing.note(client, by=olga, now=now())
    session.commit()
    assert (client.characterization_at, client.characterization_by_id) == (None, None)
    assert [one.action for one in characterizing.history(client)] == ["create"]


def test_without_events_the_row_itself_speaks(session: Any, olga: Any) -> None:
    [number] = make.clients(["Quiet"])
    client = session.get_one(Client, number)
    assert characterizing.history(client) == []
    at = now()
    table = Client.__table__
    session.execute(
        sa.update(table)
        .where(table.c.id == number)
        .values(characterization_at=at, characterization_by_id=olga.id, characterization_reason="known")
    )
    session.expire_all()
    assert told(client) == [("Olga", "", "Ordinary", "known", "")]


def test_the_history_is_found_by_its_own_index(session: Any, olga: Any) -> None:
    """However many other events a client has, they are not read."""
    client = make.client("Busy")
    session.commit()
    values = {"module": "clients", "record_id": client.id, "client_id": client.id, "action": "edit"}
    session.execute(sa.insert(AuditEvent), [{**values, "after": {"note": str(n)}} for n in range(3000)])
    session.commit()
    if db.engine.dialect.name == "postgresql":
        session.execute(sa.text("ANALYZE audit_events"))
    plans: list[str] = []

    def explain(conn: Any, _cursor: Any, statement: str, parameters: Any, _context: Any, _many: bool) -> None:
        if "json_type" in statement or "?|" in statement:
            plans.append(statement)
            words = "EXPLAIN QUERY PLAN" if conn.dialect.name == "sqlite" else "EXPLAIN"
            cursor = conn.connection.cursor()
            cursor.execute(f"{words} {statement}", parameters)
            plans.append(" ".join(str(row) for row in cursor.fetchall()))

    engine = db.engine
    sa.event.listen(engine, "before_cursor_execute", explain)
    try:
        assert len(characterizing.history(client)) == 1
    finally:
        sa.event.remove(engine, "before_cursor_execute", explain)
    assert "ix_audit_events_characterized" in plans[1], plans
