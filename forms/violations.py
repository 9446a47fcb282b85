"""The forms of a violation: more time, taking it back, points by hand."""

from __future__ import annotations

from flask_babel import lazy_gettext as _l
from wtforms import BooleanField, TextAreaField

from forms.base import Form
from forms.fields import LocalMomentField, PlainText, tidy
from forms.mailings import UNTICKED, WholeField
from operations.points import LONGEST_COMMENT, MOST_POINTS


class ExtendForm(Form):
    deadline = LocalMomentField(_l("New deadline"), description=_l("In your time zone."))


class CancelForm(Form):
    keep_points = BooleanField(_l("Keep its penalty points"), false_values=UNTICKED)


class PointsForm(Form):
    points = WholeField(_l("Penalty points"), most=MOST_POINTS, render_kw={"inputmode": "numeric"})
    comment = TextAreaField(
        _l("Comment"), [PlainText(one_line=False)], filters=[tidy], render_kw={"rows": 3, "maxlength": LONGEST_COMMENT}
    )
