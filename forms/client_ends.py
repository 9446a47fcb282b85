"""What is asked before a client is erased."""

from __future__ import annotations

from flask_babel import lazy_gettext as _l
from wtforms import StringField

from forms.base import Form


class EraseForm(Form):
    """The client's code or name, typed."""

    confirmation = StringField(
        _l("The client's code or name"), description=_l("Type it, so that it is certain which client is meant."),
        render_kw={"autocomplete": "off"},
    )  # fmt: skip
