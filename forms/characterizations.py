"""The form of a characterization."""

from __future__ import annotations

from typing import Any

from flask_babel import lazy_gettext as _l
from wtforms import RadioField
from wtforms.validators import DataRequired

from forms.base import Form
from forms.clients import line


class CharacterizationForm(Form):
    """A characterization. Its icons and colours, as they look, are handed in by who shows them."""

    name = line(_l("Name"), 80, DataRequired())
    icon = RadioField(_l("Icon"), default="star")
    color = RadioField(_l("Colour"), default="blue")
    code = line(
        _l("Word for badges"), 40,
        description=_l("Latin letters, digits and _; files know it by this word. Left empty, it is made of the name."),
    )  # fmt: skip

    def __init__(self, *arguments: Any, icons: Any, colors: Any, **more: Any) -> None:
        super().__init__(*arguments, **more)
        self.icon.choices, self.color.choices = icons, colors
