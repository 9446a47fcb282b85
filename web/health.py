"""What machines ask: does the process live, is it ready, and its figures."""

from __future__ import annotations

import sqlalchemy as sa
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from flask import Flask, Response, current_app
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Gauge, generate_latest

from extensions import db, migrate, now
from models import Client, EmailStatus, Heartbeat, OutboundEmail
from operations import desk_mark
from operations.waiting import WORKER_SILENCE, last_heartbeat, silent_since
from web.access import public


def register(app: Flask) -> None:
    app.add_url_rule("/healthz", view_func=healthz)
    app.add_url_rule("/readyz", view_func=readyz)
    app.add_url_rule("/metrics", view_func=metrics)


@public
def healthz() -> Response:
    """The process lives."""
    return Response("ok\n", mimetype="text/plain")


@public
def readyz() -> Response:
    """The database answers and has the tables this code was written for, and no worker has fallen silent.

    A second line says that the desk is held, or that it is for want of a worker that it is not ready.
    """
    try:
        said = what_is_said()
    except Exception:
        current_app.logger.exception("not ready")
        said = "fail\n"
    return Response(said, status=200 if said.startswith("ok") else 503, mimetype="text/plain")


def what_is_said() -> str:
    if not is_migrated():
        return "fail\n"
    if is_silent():
        return "fail\nworker\n"
    return "ok\nheld\n" if is_held() else "ok\n"


def is_silent() -> bool:
    """Whether workers ran and none has given a sign of life for minutes."""
    return silent_since(db.session.scalar(sa.select(last_heartbeat())), now=now()) is not None


def is_migrated() -> bool:
    """Whether the database is at the newest migration."""
    directory = ScriptDirectory.from_config(migrate.get_config())
    with db.engine.connect() as connection:
        return MigrationContext.configure(connection).get_current_heads() == tuple(directory.get_heads())


def is_held() -> bool:
    """Whether nothing is done by the clock until staff confirm it."""
    return db.session.scalar(desk_mark.OPEN_HOLD) is not None


@public
def metrics() -> Response:
    """Figures for Prometheus; they name nobody."""
    registry = CollectorRegistry()
    emails = Gauge("clientdesk_emails", "Letters by status", ["status"], registry=registry)
    counts = dict(
        db.session.execute(
            sa.select(OutboundEmail.status, sa.func.count())
            .where(OutboundEmail.status.in_([EmailStatus.QUEUED, EmailStatus.SENDING, EmailStatus.FAILED]))
            .group_by(OutboundEmail.status)
        ).all()
    )
    for status in (EmailStatus.QUEUED, EmailStatus.SENDING, EmailStatus.FAILED):
        emails.labels(status.value).set(counts.get(status, 0))
    workers = Gauge("clientdesk_workers", "Workers that gave a sign of life in five minutes", registry=registry)
    workers.set(
        db.session.scalar(sa.select(sa.func.count(Heartbeat.id)).where(Heartbeat.seen_at > now() - WORKER_SILENCE))
    )
    held = Gauge("clientdesk_held", "Whether nothing is done by the clock until staff confirm it", registry=registry)
    held.set(is_held())
    newest = Gauge("clientdesk_newest_client", "Highest code of a client", registry=registry)
    newest.set(db.session.scalar(sa.select(sa.func.max(Client.id))) or 0)
    return Response(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)
