"""Tickets."""

from __future__ import annotations

from admin_views.base import ModuleView


class TicketsView(ModuleView):
    module = "tickets"
    icon = "message"
    can_create = can_edit = can_delete = False
    column_list = ("id", "client", "subject", "status", "updated_at")
