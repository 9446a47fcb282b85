"""What every form has in common."""

from __future__ import annotations

from typing import Any

import wtforms
from flask_wtf.i18n import translations


class Form(wtforms.Form):
    """A form whose fields refuse in the reader's language, as Flask-WTF's and Flask-Admin's forms do."""

    class Meta:
        def get_translations(self, form: Any) -> Any:
            return translations
