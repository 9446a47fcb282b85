"""What every form has in common."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import wtforms
from flask_wtf.i18n import translations


class Form(wtforms.Form):
    """A form whose fields refuse in the reader's language, as Flask-WTF's and Flask-Admin's forms do."""

    class Meta:
        def get_translations(self, form: Any) -> Any:
            return translations


@lru_cache(maxsize=256)
def one_field(form: type[wtforms.Form], name: str) -> type[wtforms.Form]:
    """The form with one field of `form` alone, so that the others need not be made."""
    others = {field: None for field in dir(form) if field != name and hasattr(getattr(form, field), "_formfield")}
    return type(f"{form.__name__}_{name}", (form,), others)
