"""Custom fields without HTTP: values that are read exactly, kept and indexed by the database, filtered, imported."""

from __future__ import annotations

import random
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from extensions import db, now
from models import AuditEvent, Client, ClientCustomValue, CustomField, FieldType
from operations import client_filters, custom_fields, custom_values, exports, import_undoing
from operations.custom_values import NoValue
from operations.errors import OperationRefused
from tests import factories as make
from tests.support.importing import Importer, whmcs

pytestmark = pytest.mark.usefixtures("session")
KINDS = ("text", "number", "date", "choice", "yes_no")
CHOICES = ["Gold", "Silver", "Бронза"]


def field(code: str, kind: str, **more: Any) -> custom_fields.Definition:
    values = {"choices": CHOICES} if kind == "choice" else {}
    row = CustomField(
        code=code, type=FieldType(kind), **{"label": code.replace("_", " ").capitalize(), **values, **more}
    )
    db.session.add(row)
    db.session.flush()
    found = custom_fields.named(f"custom_{code}")
    assert found is not None
    return found


def one_of_each() -> dict[str, custom_fields.Definition]:
    return {kind: field(f"my_{kind}", kind) for kind in KINDS}


def found(**parameters: str) -> list[int]:
    asked = client_filters.understand(parameters.items())
    assert not asked.misunderstood, asked.misunderstood
    return sorted(db.session.scalars(client_filters.client_ids(asked)))


def indexed(client: Client) -> list[tuple[Any, ...]]:
    value = ClientCustomValue
    rows = (
        sa.select(value.text, value.choice, value.number).where(value.client_id == client.id).order_by(value.field_id)
    )
    return [tuple(row) for row in db.session.execute(rows)]


@pytest.mark.parametrize(
    ("kind", "typed", "kept"),
    [
        ("number", "0012,50", "12.5"), ("number", "-0", "0"), ("number", "1 234 567.000001", "1234567.000001"),
        ("number", "999999999999.999999", "999999999999.999999"), ("number", "−5", "-5"), ("number", "100", "100"),
        ("date", "2024-02-29", "2024-02-29"), ("date", "9.3.2024", "2024-03-09"),
        ("choice", "gold", "Gold"), ("choice", "БРОНЗА", "Бронза"), ("yes_no", "Да", True), ("yes_no", "0", False),
        ("text", "  e\u0301t\u00e9 % _ ' <b> ", "\u00e9t\u00e9 % _ ' <b>"), ("text", "   ", None), ("number", "", None),
    ],
)  # fmt: skip
def test_what_is_typed_becomes_a_value_exactly(kind: str, typed: str, kept: Any) -> None:
    one = field("one", kind)
    value = custom_values.read(one, typed)
    assert (value, type(value)) == (kept, type(kept))
    assert custom_values.read(one, custom_values.typed(value)) == kept


@pytest.mark.parametrize(
    ("kind", "typed"),
    [
        *(("number", text) for text in ("NaN", "Infinity", "1e5", "1_000", "١٢", "1.2.3", "1234567890123", "0.1234567", "0x1", "-")),
        *(("date", text) for text in ("2023-02-29", "2024-13-01", "24-01-01", "01/02/2024", "20240101", "0000-01-01", "yesterday")),
        ("choice", "Platinum"), ("yes_no", "maybe"), ("text", "x" * 501), ("text", "a\x00b"), ("text", "two\nlines"),
    ],
)  # fmt: skip
def test_what_is_no_value_is_refused(kind: str, typed: str) -> None:
    with pytest.raises(NoValue) as refused:
        custom_values.read(field("one", kind), typed)
    assert refused.value.message


def test_the_database_keeps_the_values_to_search_for_whoever_writes(session: Any) -> None:
    one_of_each()
    values = {"my_text": "Über 100%", "my_number": "-12.000003", "my_date": "2024-02-29", "my_choice": "Gold",
              "my_yes_no": False, "unknown": "x"}  # fmt: skip
    expected = [("Über 100%", None, None), (None, None, -12_000_003), (None, None, 20240229), (None, "Gold", None),
                (None, None, 0)]  # fmt: skip
    client = make.client(custom=values)
    assert indexed(client) == expected
    session.execute(
        sa.update(Client).where(Client.id == client.id).values(custom={"my_text": "other", "my_number": "0.5"})
    )
    assert indexed(client) == [("other", None, None), (None, None, 500_000)]
    session.execute(sa.update(Client).where(Client.id == client.id).values(note="said"))
    assert len(indexed(client)) == 2
    session.execute(sa.update(Client).where(Client.id == client.id).values(custom={}))
    assert indexed(client) == []
    session.execute(sa.update(Client).where(Client.id == client.id).values(custom={"my_number": "many", "my_date": 5}))
    assert found(custom_my_number_from="-1", custom_my_number_to="1") in ([], [client.id])


def test_a_number_is_exact_to_its_last_digit() -> None:
    field("one", "number")
    values = ["999999999999.999999", "999999999999.999998", "-999999999999.999999", "0.1", "0.100001"]
    clients = {text: make.client(custom={"one": text}).id for text in values}
    for text, number in clients.items():
        assert found(custom_one_from=text, custom_one_to=text) == [number]
        assert custom_values.cell(custom_fields.defined()[0], text) == Decimal(text)


TEXTS = (
    "Иван Ёлкин",
    "IVAN",
    "100%",
    "a_b",
    "axb",
    'quo"te',
    "o'neil",
    "x",
    "",
    "ПРОДАЖИ отдел",
    "продажи",
    "ivanov\\",
)


@pytest.mark.heavy
def test_every_filter_agrees_with_a_reference_alone_and_in_pairs(session: Any) -> None:
    """Also where the rows that match are taken for many: then SQLite asks them one by one."""
    one_of_each()
    rng = random.Random(5)
    clients: dict[int, dict[str, Any]] = {}
    for _number in range(60):
        custom = {
            "my_text": rng.choice(TEXTS) or None,
            "my_number": rng.choice(("1", "1.5", "-3", "20", None)),
            "my_date": rng.choice(("2024-01-31", "2024-02-01", "1999-12-31", None)),
            "my_choice": rng.choice((*CHOICES, None)),
            "my_yes_no": rng.choice((True, False, None)),
        }
        custom = {code: value for code, value in custom.items() if value is not None}
        clients[make.client(username=None, custom=custom).id] = custom
    gone = make.client(custom={"my_text": "ivan", "my_number": "1", "my_choice": "Gold", "my_yes_no": True})
    gone.deleted_at = now()
    session.flush()

    def text(part: str) -> Any:
        return lambda one: part.lower() in one.get("my_text", "").lower()

    def bound(code: str, kind: Any, holds: Any) -> Any:
        return lambda one: code in one and holds(kind(one[code]))

    asked = {
        **{("custom_my_text", part): text(part) for part in ("ив", "ИВАН", "ivan", "%", "_", "a_b", "Ё", '"', "'", "продажи", "\\", "х")},
        **{("custom_my_choice", choice): (lambda one, c=choice: one.get("my_choice") == c) for choice in CHOICES},
        ("custom_my_yes_no", "1"): lambda one: one.get("my_yes_no") is True,
        ("custom_my_yes_no", "no"): lambda one: one.get("my_yes_no") is False,
        ("custom_my_number_from", "1,5"): bound("my_number", Decimal, lambda n: n >= Decimal("1.5")),
        ("custom_my_number_to", "-2.999999"): bound("my_number", Decimal, lambda n: n <= Decimal("-2.999999")),
        ("custom_my_date_from", "2024-02-01"): bound("my_date", date.fromisoformat, lambda d: d >= date(2024, 2, 1)),
        ("custom_my_date_to", "2024-01-31"): bound("my_date", date.fromisoformat, lambda d: d <= date(2024, 1, 31)),
    }  # fmt: skip
    wrong = []
    pairs = [(one, other) for one in asked for other in asked if one[0] <= other[0]]
    for few in (True, False):
        client_filters.sides._answers.clear()
        with pytest.MonkeyPatch.context() as patch:
            if not few:
                patch.setattr(client_filters.sides, "are_few", lambda *_a, **_m: False)
            for one, other in pairs:
                if one[0] == other[0] and one != other:
                    continue
                expected = sorted(id for id, custom in clients.items() if asked[one](custom) and asked[other](custom))
                statement = client_filters.client_ids(client_filters.understand(dict([one, other]).items()))
                walked = list(session.scalars(statement.order_by(Client.id.desc())))
                if found(**dict([one, other])) != expected or sorted(walked) != expected:
                    wrong.append((few, one, other))
    assert wrong == []


def test_what_is_not_understood_shows_nothing(session: Any) -> None:
    one_of_each()
    make.client(custom={"my_choice": "Gold"})
    for name, text in (
        ("custom_my_choice", "Platinum"), ("custom_my_number_from", "many"), ("custom_my_date_to", "2024-13-01"),
        ("custom_my_yes_no", "perhaps"), ("custom_my_number", "1"), ("custom_nothing", "x"), ("custom_my_text", "x" * 201),
    ):  # fmt: skip
        asked = client_filters.understand([(name, text)])
        assert asked.misunderstood, name
        assert list(session.scalars(client_filters.client_ids(asked))) == []


# Definitions


def refused(**values: Any) -> str:
    one = CustomField(**{"code": "fine", "label": "Fine", "type": FieldType.TEXT, "choices": [], **values})
    with db.session.no_autoflush, pytest.raises(OperationRefused) as refusal:
        custom_fields.check(one)
    return str(refusal.value.field)


def test_a_field_that_would_not_work_is_refused_by_name() -> None:
    field("budget", "number", label="Yearly budget")
    for code in ("", "1st", "Upper", "with-dash", "x" * 41, "имя", "email", "note", "company", "balance", "custom",
                 "phone_number", "created_at", "budget", "bud_get", "budget_from"):  # fmt: skip
        assert refused(code=code) == "code", code
    assert refused(label="  ") == "label"
    assert refused(label="yearly BUDGET") == "label"
    assert refused(label="budget") == "label"
    for choices in ([], ["", " "], ["One", "one"], ["x" * 121], [str(n) for n in range(201)]):
        assert refused(type=FieldType.CHOICE, choices=choices) == "choices"


def test_what_clients_have_keeps_its_type_and_its_choices(session: Any) -> None:
    field("level", "choice")
    make.client(custom={"level": "Gold"})
    row = session.scalars(sa.select(CustomField).where(CustomField.code == "level")).one()

    def change(**values: Any) -> str | None:
        with session.no_autoflush:
            for name, value in values.items():
                setattr(row, name, value)
            try:
                custom_fields.check(row)
            except OperationRefused as refusal:
                session.expire(row)
                return str(refusal.field)
        session.flush()
        return None

    assert change(type=FieldType.TEXT) == "type"
    assert change(choices=["Silver"]) == "choices"
    assert change(code="other") == "code"
    assert change(choices=[" Gold ", "", "Platinum"], label="Grade") is None
    assert (row.choices, row.label) == (["Gold", "Platinum"], "Grade")
    assert custom_fields.defined()[0].choices == ("Gold", "Platinum")
    client = session.scalars(sa.select(Client)).first()
    client.custom = {}
    session.flush()
    assert change(type=FieldType.TEXT) is None
    assert row.choices == []


def test_a_field_goes_with_its_values_and_the_audit_keeps_them(session: Any) -> None:
    one_of_each()
    clients = [make.client(custom={"my_text": f"value {n}", "my_number": "5"}) for n in range(3)]
    other = make.client(custom={"my_number": "6"})
    session.commit()
    row = session.scalars(sa.select(CustomField).where(CustomField.code == "my_text")).one()
    assert custom_fields.remove(row) == 3
    session.commit()
    assert [one.custom for one in clients] == [{"my_number": "5"}] * 3
    assert (other.custom, other.row_version) == ({"my_number": "6"}, 1)
    assert [indexed(one) for one in clients] == [[(None, None, 5_000_000)]] * 3
    assert "my_text" not in [one.code for one in custom_fields.defined()]
    events = session.scalars(sa.select(AuditEvent).where(AuditEvent.action == "edit").order_by(AuditEvent.id)).all()
    assert [(event.record_id, event.before) for event in events if event.module == "clients"] == [
        (one.id, {"custom_my_text": f"value {number}"}) for number, one in enumerate(clients)
    ]
    assert client_filters.understand([("custom_my_text", "value")]).misunderstood


def test_what_is_known_of_the_fields_is_never_old(session: Any) -> None:
    """Whoever writes them, by whatever statement; and an id that is used again is another field."""
    assert custom_fields.defined() == ()
    session.execute(sa.insert(CustomField).values(code="one", label="One"))
    assert [one.label for one in custom_fields.defined()] == ["One"]
    session.execute(sa.update(CustomField).values(label="Uno"))
    assert [one.label for one in custom_fields.defined()] == ["Uno"]
    session.execute(sa.delete(CustomField))
    assert custom_fields.defined() == ()
    session.execute(sa.insert(CustomField).values(code="two", label="Two"))
    assert [one.label for one in custom_fields.defined()] == ["Two"]
    session.rollback()
    assert custom_fields.defined() == ()


# Files


@pytest.fixture
def importer(tmp_path: Path) -> Importer:
    return Importer(tmp_path)


CELLS = {"My text": "=formula", "my_number": "1 234,5", "MY DATE": "31.01.2024", "custom_my_choice": "silver",
         "My yes no": "да"}  # fmt: skip
KEPT = {"my_text": "=formula", "my_number": "1234.5", "my_date": "2024-01-31", "my_choice": "Silver", "my_yes_no": True}


def test_an_import_brings_values_in_by_code_and_by_label(importer: Importer, session: Any) -> None:
    one_of_each()
    session.commit()
    batch = importer.rehearse(whmcs(**CELLS))
    assert session.scalar(sa.select(sa.func.count(Client.id))) == 0
    importer.confirm(batch)
    client = session.scalars(sa.select(Client)).one()
    assert client.custom == KEPT
    assert found(custom_my_number_from="1234.5", custom_my_choice="Silver") == [client.id]
    again = importer.lines(importer.rehearse(whmcs(**CELLS)))
    assert [line.outcome for line in again] == ["unchanged"]
    changed = importer.lines(importer.rehearse(whmcs(**CELLS | {"my_number": "7", "My yes no": "no", "My text": ""})))
    assert changed[0].changes == [("custom_my_number", "1234.5", "7"), ("custom_my_yes_no", "yes", "no")]


def test_each_bad_value_of_a_line_is_told_in_the_rehearsal(importer: Importer, session: Any) -> None:
    one_of_each()
    field("contract", "text", label="Contract", is_required=True)
    session.commit()
    bad = {"My text": "x" * 501, "my_number": "1e5", "my_date": "31/01/2024", "my_choice": "Lead", "my_yes_no": "so so"}
    assert importer.said(whmcs(**bad, contract="A-1")) == {
        2: ["refused", "too_long", "custom_number", "custom_date", "custom_choice", "custom_yes_no"]
    }
    status, said = importer.command(whmcs(my_number="1e5"), dry_run=True)
    assert status == 1
    assert "«1e5» in My number is no number of at most 12 digits, and 6 after the point" in said[0]
    assert importer.said(whmcs(contract="")) == {2: ["refused", "custom_missing"]}
    assert importer.said(whmcs()) == {2: ["new"]}, "a file without the column says nothing of it"


def test_taking_an_import_back_gives_each_value_back_that_nobody_has_changed_since(
    importer: Importer, session: Any
) -> None:
    one_of_each()
    importer.bring_in(whmcs(my_text="first", my_number="1", my_choice="Gold"))
    client = session.scalars(sa.select(Client)).one()
    batch = importer.rehearse(whmcs(my_text="second", my_number="2", my_date="2024-01-31", my_choice="Gold"))
    importer.confirm(batch)
    session.expire_all()
    client.custom = {**client.custom, "my_number": "3", "my_yes_no": True}
    session.commit()
    impact = import_undoing.undo(batch, now=now())
    session.commit()
    session.expire_all()
    assert client.custom == {"my_text": "first", "my_number": "3", "my_choice": "Gold", "my_yes_no": True}
    assert len(indexed(client)) == 4
    assert "custom_my_number" in str(impact) or "custom_my_number" in str(vars(batch)["undone"])


def test_a_new_client_of_an_import_that_is_taken_back_leaves_nothing(importer: Importer, session: Any) -> None:
    one_of_each()
    batch = importer.rehearse(whmcs(**CELLS))
    importer.confirm(batch)
    import_undoing.undo(batch, now=now())
    session.commit()
    assert session.scalar(sa.select(sa.func.count(ClientCustomValue.id))) == 0
    if db.engine.dialect.name == "sqlite":
        kept = session.execute(
            sa.text("SELECT count(*) FROM client_custom_search WHERE client_custom_search MATCH 'formula'")
        )
        assert kept.scalar() == 0
        session.execute(sa.text("INSERT INTO client_custom_search (client_custom_search) VALUES ('integrity-check')"))


def test_what_goes_out_comes_in_again(importer: Importer, session: Any) -> None:
    one_of_each()
    client = make.client("Анна", custom=KEPT)
    session.commit()
    text = "".join(exports.all_clients_csv())
    assert text.splitlines()[0].endswith(",my_text,my_number,my_date,my_choice,my_yes_no")
    assert text.splitlines()[1].endswith(",'=formula,1234.5,2024-01-31,Silver,yes")
    assert [line.outcome for line in importer.lines(importer.rehearse(text))] == ["unchanged"]
    client.custom = {}
    session.commit()
    importer.bring_in(text)
    session.expire_all()
    assert client.custom == KEPT


@pytest.mark.engine("sqlite")
@pytest.mark.parametrize("few", [True, False])
def test_no_filter_of_a_field_looks_through_a_whole_table(
    session: Any, monkeypatch: pytest.MonkeyPatch, few: bool
) -> None:
    """By the plan, which SQLite makes of indexes alone: so it is the same with a million clients."""
    one_of_each()
    monkeypatch.setattr(client_filters.sides, "are_few", lambda *_a, **_m: few)
    for parameters in (
        {"custom_my_text": "word"}, {"custom_my_text": "wo"}, {"custom_my_choice": "Gold"}, {"custom_my_yes_no": "1"},
        {"custom_my_number_from": "1", "custom_my_number_to": "2"}, {"custom_my_date_from": "2024-01-01"},
    ):  # fmt: skip
        page = client_filters.client_ids(client_filters.understand(parameters.items())).order_by(Client.id.desc())
        sql = page.limit(51).compile(db.engine, compile_kwargs={"literal_binds": True})
        plan = [
            row[3] for row in session.execute(sa.text(f"EXPLAIN QUERY PLAN {str(sql).replace(':', chr(92) + ':')}"))
        ]
        scans = [step for step in plan if step.startswith("SCAN") and "VIRTUAL TABLE INDEX" not in step]
        # Where many match, clients are walked along in the order wanted, each asked by its own row of values.
        assert all(not few and "clients" in step for step in scans), (parameters, plan)
        assert few or any("SEARCH client_custom_values" in step for step in plan), (parameters, plan)
        assert few or not any("TEMP B-TREE FOR ORDER BY" in step for step in plan), (parameters, plan)
