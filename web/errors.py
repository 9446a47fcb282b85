"""Error pages: what happened, in plain words, with the request's id; the cause goes to the log."""

from __future__ import annotations

import logging

from flask import Flask, Response, g, render_template, request
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_wtf.csrf import CSRFError
from sqlalchemy.exc import DBAPIError, OperationalError
from werkzeug.exceptions import HTTPException, SecurityError

from extensions import db
from operations.errors import OperationRefused
from web import impersonating

log = logging.getLogger("clientdesk.web")


def register(app: Flask) -> None:
    app.register_error_handler(CSRFError, stale_form)
    app.register_error_handler(SecurityError, wrong_host)
    app.register_error_handler(HTTPException, refused)
    app.register_error_handler(OperationRefused, operation_refused)
    app.register_error_handler(DBAPIError, database_fault)
    app.register_error_handler(Exception, fault)


def stale_form(_error: CSRFError) -> ResponseReturnValue:
    return page(400, _("This form is too old, or came from another page. Go back, reload the page and try again."))


def wrong_host(_error: SecurityError) -> ResponseReturnValue:
    """A request for a host that is not ours: a line of text, for no address can be built for such a host."""
    return Response(_("This host is not served here."), status=400, mimetype="text/plain")


def refused(error: HTTPException) -> ResponseReturnValue:
    if error.response is not None:
        return error.response
    code = error.code or 500
    own_words = type(error).description != error.description
    response = page(code, error.description if own_words else None)
    if (after := getattr(error, "retry_after", None)) is not None:
        response.headers["Retry-After"] = str(after)
    if code == 405 and getattr(error, "valid_methods", None):
        response.headers["Allow"] = ", ".join(error.valid_methods)  # type: ignore[attr-defined]
    return response


def operation_refused(error: OperationRefused) -> ResponseReturnValue:
    db.session.rollback()
    return page(409, error.message)


def database_fault(error: DBAPIError) -> ResponseReturnValue:
    """The database is away, full or busy: said as such, so that one tries again instead of doubting the data."""
    log.error("database fault", exc_info=error, extra={"request_id": g.get("request_id", "")})
    _let_go()
    return page(503 if isinstance(error, OperationalError) else 500)


def fault(error: Exception) -> ResponseReturnValue:
    log.error("unhandled fault", exc_info=error, extra={"request_id": g.get("request_id", "")})
    _let_go()
    return page(500)


def _let_go() -> None:
    try:
        db.session.rollback()
    except Exception:
        log.exception("the database session could not be rolled back")


def page(code: int, message: str | None = None) -> Response:
    """An error page, or a line of text for a script that asked."""
    title, text = _words(code)
    if request.headers.get("X-Requested-With") == "fetch" or "/ajax/" in request.path:
        return Response(message or text, status=code, mimetype="text/plain")
    if (in_panel := impersonating.error_page(code, title=title, text=message or text)) is not None:
        return in_panel
    html = render_template(
        "error.html", code=code, title=title, text=message or text, request_id=g.get("request_id", "")
    )
    return Response(html, status=code)


def _words(code: int) -> tuple[str, str]:
    known = {
        400: (_("That did not work"), _("The request could not be understood.")),
        401: (_("Please log in"), _("Your session has ended. Log in and try again.")),
        403: (_("Not allowed"), _("You do not have the right to do this.")),
        404: (_("Not found"), _("There is nothing at this address, or it is not yours to see.")),
        405: (_("That did not work"), _("This address cannot be called that way.")),
        409: (_("Not done"), _("This cannot be done at the moment.")),
        413: (_("Too large"), _("What you sent is larger than is accepted here.")),
        429: (_("Too many tries"), _("Please wait a while before you try again.")),
        503: (_("Busy or away"), _("The database does not answer at the moment. Nothing was lost; please try again.")),
    }
    fallback = (
        _("Something went wrong"),
        _("The fault has been noted. Please try again, or tell us the number below."),
    )
    return known.get(code, fallback)
