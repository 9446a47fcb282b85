"""The one error of the house: somebody asked for what cannot be done."""

from __future__ import annotations


class OperationRefused(Exception):
    """What was asked for is refused; the text is for the person who asked, already translated.

    `field` names the form field that the refusal is about, where there is one.
    """

    def __init__(self, message: str, *, field: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.field = field
