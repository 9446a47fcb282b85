"""Mailings and letters."""

from __future__ import annotations

from admin_views.base import ModuleView


class MailingsView(ModuleView):
    module = "mailings"
    icon = "send"
    can_create = can_edit = can_delete = False
    column_list = ("id", "status", "starts_at", "recipients_count")


class EmailsView(ModuleView):
    module = "emails"
    icon = "mail"
    can_create = can_edit = can_delete = False
    column_list = ("id", "recipient", "status", "attempts", "last_error", "created_at")
