"""Flask-Admin as it comes, over the same tables through a mapping of its own: a list as its manual teaches it.

It has the columns, filters, search, inline editing, export and bulk action that the product's list has, and a login.
What it does with them is its own; only the filters by product and group, which its column filters would answer with
doubled rows, are written out.
"""

from __future__ import annotations

import os
import sqlite3
from datetime import datetime
from typing import Any

import argon2
import sqlalchemy as sa
from flask import Flask, redirect, render_template_string, request
from flask_admin import Admin
from flask_admin.actions import action
from flask_admin.contrib.sqla import ModelView
from flask_admin.contrib.sqla.filters import BaseSQLAFilter, FilterEqual
from flask_babel import Babel
from flask_login import LoginManager, UserMixin, current_user, login_user
from flask_sqlalchemy import SQLAlchemy
from markupsafe import Markup
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

LOGIN = """<!doctype html><title>Log in</title><form method="post">
<input name="username"><input name="password" type="password"><button>Log in</button></form>"""


class Base(DeclarativeBase):
    pass


db = SQLAlchemy(model_class=Base)
login_manager = LoginManager()


class Staff(UserMixin, db.Model):  # type: ignore[name-defined,misc]
    __tablename__ = "staff"
    id: Mapped[int] = mapped_column(primary_key=True)
    username: Mapped[str]
    password_hash: Mapped[str]


class Project(db.Model):  # type: ignore[name-defined,misc]
    __tablename__ = "projects"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]

    def __str__(self) -> str:
        return self.name


class Characterization(db.Model):  # type: ignore[name-defined,misc]
    __tablename__ = "characterizations"
    id: Mapped[int] = mapped_column(primary_key=True)
    code: Mapped[str]
    name: Mapped[str]


class Product(db.Model):  # type: ignore[name-defined,misc]
    __tablename__ = "products"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]


class Group(db.Model):  # type: ignore[name-defined,misc]
    __tablename__ = "client_groups"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]


members = sa.Table(
    "client_group_members",
    Base.metadata,
    sa.Column("client_id", sa.ForeignKey("clients.id"), primary_key=True),
    sa.Column("group_id", sa.ForeignKey("client_groups.id"), primary_key=True),
)


class Service(db.Model):  # type: ignore[name-defined,misc]
    __tablename__ = "services"
    id: Mapped[int] = mapped_column(primary_key=True)
    client_id: Mapped[int] = mapped_column(sa.ForeignKey("clients.id"))
    product_id: Mapped[int] = mapped_column(sa.ForeignKey("products.id"))
    status: Mapped[str]


class PenaltyPoint(db.Model):  # type: ignore[name-defined,misc]
    __tablename__ = "penalty_points"
    id: Mapped[int] = mapped_column(primary_key=True)
    client_id: Mapped[int] = mapped_column(sa.ForeignKey("clients.id"))
    points: Mapped[int]
    expires_at: Mapped[datetime] = mapped_column(sa.DateTime(timezone=True))


class Client(db.Model):  # type: ignore[name-defined,misc]
    __tablename__ = "clients"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    owner_username: Mapped[str]
    email: Mapped[str]
    country: Mapped[str]
    note: Mapped[str] = mapped_column(sa.Text)
    registered_at: Mapped[datetime] = mapped_column(sa.DateTime(timezone=True))
    deleted_at: Mapped[datetime | None] = mapped_column(sa.DateTime(timezone=True))
    is_suspended: Mapped[bool]
    referrer_id: Mapped[int | None]
    affiliate_program_id: Mapped[int | None]
    row_version: Mapped[int]
    project_id: Mapped[int] = mapped_column(sa.ForeignKey("projects.id"))
    characterization_id: Mapped[int] = mapped_column(sa.ForeignKey("characterizations.id"))
    characterization_by_id: Mapped[int | None]
    characterization_at: Mapped[datetime | None] = mapped_column(sa.DateTime(timezone=True))

    project: Mapped[Project] = relationship()
    characterization: Mapped[Characterization] = relationship()
    groups: Mapped[list[Group]] = relationship(secondary=members)
    services: Mapped[list[Service]] = relationship()
    points: Mapped[list[PenaltyPoint]] = relationship(lazy="selectin")


class ActiveProduct(BaseSQLAFilter):  # type: ignore[misc]
    def apply(self, query: Any, value: Any, alias: Any = None) -> Any:
        return query.filter(Client.services.any(product_id=int(value), status="active"))

    def operation(self) -> str:
        return "is"


class InGroup(BaseSQLAFilter):  # type: ignore[misc]
    def apply(self, query: Any, value: Any, alias: Any = None) -> Any:
        return query.filter(Client.groups.any(id=int(value)))

    def operation(self) -> str:
        return "is"


class IsRecord(FilterEqual):  # type: ignore[misc]
    def apply(self, query: Any, value: Any, alias: Any = None) -> Any:
        return query.filter(self.column == int(value))


def choices(model: Any) -> Any:
    return lambda: [(str(row.id), row.name) for row in db.session.scalars(sa.select(model).order_by(model.id))]


def with_username(_view: Any, _context: Any, row: Client, _name: str) -> Markup:
    return Markup("{} ({})").format(row.name, row.owner_username)


def badges(_view: Any, _context: Any, row: Client, _name: str) -> Markup:
    moment = datetime.fromisoformat(os.environ["STOCK_NOW"])
    points = sum(one.points for one in row.points if one.expires_at.replace(tzinfo=None) > moment)
    found = [row.characterization.name] if row.characterization.code != "ordinary" else []
    found += ["referred"] if row.referrer_id or row.affiliate_program_id else []
    found += [f"{points} points"] if points else []
    found += ["suspended"] if row.is_suspended else []
    return Markup("").join(Markup('<span class="badge badge-info">{}</span>').format(text) for text in found)


class ClientView(ModelView):  # type: ignore[misc]
    column_list = ("id", "name", "badges", "email", "project", "country", "registered_at")
    column_sortable_list = ("id", "name", "email", "country", "registered_at")
    column_default_sort = ("id", True)
    column_formatters = {"name": with_username, "badges": badges}
    column_select_related_list = (Client.characterization,)
    column_searchable_list = ("name", "email")
    column_editable_list = ("email", "note")
    column_filters = (
        IsRecord(Client.project_id, "Project", options=choices(Project)),
        IsRecord(Client.characterization_id, "Characterization", options=choices(Characterization)),
        ActiveProduct(Client.id, "Active product", options=choices(Product)),
        InGroup(Client.id, "Group", options=choices(Group)),
    )
    form_columns = ("name", "email", "country", "note")
    page_size = 50
    can_export = True
    can_view_details = True

    def is_accessible(self) -> bool:
        return bool(current_user.is_authenticated)

    def get_query(self) -> Any:
        return super().get_query().filter(Client.deleted_at.is_(None))

    def get_count_query(self) -> Any:
        return super().get_count_query().filter(Client.deleted_at.is_(None))

    @action("characterize_1", "Ordinary")
    def ordinary(self, ids: list[str]) -> None:
        self._characterize(ids, 1)

    @action("characterize_2", "Good")
    def good(self, ids: list[str]) -> None:
        self._characterize(ids, 2)

    def _characterize(self, ids: list[str], characterization: int) -> None:
        db.session.execute(
            sa.update(Client)
            .where(Client.id.in_([int(text) for text in ids]))
            .values(
                characterization_id=characterization,
                characterization_by_id=current_user.id,
                characterization_at=sa.func.current_timestamp(),
                row_version=Client.row_version + 1,
            )
            .execution_options(synchronize_session=False)
        )
        db.session.commit()


@login_manager.user_loader
def who(number: str) -> Staff | None:
    return db.session.get(Staff, int(number))


def log_in() -> Any:
    if request.method == "GET":
        return render_template_string(LOGIN)
    staff = db.session.scalar(sa.select(Staff).where(Staff.username == request.form["username"]))
    if staff is None:
        return render_template_string(LOGIN), 403
    argon2.PasswordHasher().verify(staff.password_hash, request.form["password"])
    login_user(staff)
    return redirect("/admin/client/")


def prepare_sqlite(connection: Any, _record: Any) -> None:
    """What the tables and their triggers need, and what every application here has."""
    if isinstance(connection, sqlite3.Connection):
        connection.create_function("lower", 1, lambda text: text and text.lower(), deterministic=True)
        for pragma in ("cache_size=-65536", "synchronous=NORMAL", "busy_timeout=30000"):
            connection.execute(f"PRAGMA {pragma}")


def create_app() -> Flask:
    """The application for DATABASE_URL; STOCK_NOW is the time, STOCK_KEY signs cookies."""
    app = Flask(__name__)
    app.secret_key = os.environ["STOCK_KEY"]
    app.config["SQLALCHEMY_DATABASE_URI"] = os.environ["DATABASE_URL"]
    db.init_app(app)
    login_manager.init_app(app)
    Babel(app)
    app.add_url_rule("/login", view_func=log_in, methods=("GET", "POST"))
    with app.app_context():
        sa.event.listen(db.engine, "connect", prepare_sqlite)
        # It reads the choices of its filters.
        Admin(app, name="Desk").add_view(ClientView(Client, db))
    return app
