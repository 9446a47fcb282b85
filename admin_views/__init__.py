"""The admin: its views, and the menu they stand in."""

from __future__ import annotations

from typing import Any

from flask import Flask, request
from flask_admin import Admin
from flask_admin.theme import Theme
from flask_babel import lazy_gettext as _l

from admin_views import frame
from admin_views.accounts import AccountsView
from admin_views.acts import ActsView
from admin_views.affiliate_programs import AffiliateProgramsView
from admin_views.audit import AuditView
from admin_views.characterizations import CharacterizationsView
from admin_views.clients import ClientsView
from admin_views.custom_fields import CustomFieldsView
from admin_views.discounts import DiscountsView
from admin_views.expenses import ExpensesView
from admin_views.features import FeaturesView
from admin_views.groups import GroupsView
from admin_views.home import HomeView
from admin_views.inbound import InboundView
from admin_views.invoices import InvoicesView
from admin_views.mailings import EmailsView, MailingsView
from admin_views.payers import PayersView
from admin_views.payments import PaymentsView
from admin_views.products import ProductsView
from admin_views.projects import ProjectsView
from admin_views.response_templates import ResponseTemplatesView
from admin_views.roles import RolesView
from admin_views.services import ServicesView
from admin_views.settings import SettingsView
from admin_views.staff import StaffView
from admin_views.ticket_categories import TicketCategoriesView
from admin_views.tickets import TicketsView
from admin_views.users import UsersView
from admin_views.violations import ViolationsView
from models import (
    Account,
    Act,
    AffiliateProgram,
    AuditEvent,
    Characterization,
    Client,
    ClientGroup,
    ClientUser,
    CustomField,
    Discount,
    Expense,
    Feature,
    InboundEmail,
    Invoice,
    Mailing,
    OutboundEmail,
    Payer,
    Payment,
    Product,
    Project,
    ResponseTemplate,
    Role,
    Service,
    Staff,
    Ticket,
    TicketCategory,
    Violation,
)
from operations import inbound_notices

MENU: tuple[tuple[Any, tuple[str, ...]], ...] = (
    (_l("Clients"), ("clients", "users", "payers", "groups")),
    (
        _l("Support"),
        ("tickets", "mailings", "violations", "response-templates", "ticket-categories", "emails", "inbound"),
    ),
    (_l("Money"), ("services", "accounts", "invoices", "payments", "expenses", "acts")),
    (_l("Catalogue"), ("products", "discounts", "affiliate-programs")),
    (
        _l("Settings"),
        ("projects", "characterizations", "custom-fields", "features", "settings", "staff", "roles", "audit"),
    ),
)


def views() -> list[Any]:
    """A view for each module. Made anew for each application, as Flask-Admin keeps state in them."""
    return [
        ClientsView(Client, name=_l("Clients")),
        UsersView(ClientUser, name=_l("Users")),
        PayersView(Payer, name=_l("Payers")),
        GroupsView(ClientGroup, name=_l("Groups")),
        TicketsView(Ticket, name=_l("Tickets")),
        MailingsView(Mailing, name=_l("Mailings")),
        ViolationsView(Violation, name=_l("Violations")),
        ResponseTemplatesView(ResponseTemplate, name=_l("Response templates")),
        TicketCategoriesView(TicketCategory, name=_l("Categories")),
        EmailsView(OutboundEmail, name=_l("Letters")),
        InboundView(InboundEmail, name=_l("Incoming letters")),
        ServicesView(Service, name=_l("Services")),
        AccountsView(Account, name=_l("Accounts")),
        InvoicesView(Invoice, name=_l("Invoices")),
        PaymentsView(Payment, name=_l("Payments")),
        ExpensesView(Expense, name=_l("Expenses")),
        ActsView(Act, name=_l("Acts")),
        ProductsView(Product, name=_l("Products")),
        DiscountsView(Discount, name=_l("Discounts")),
        AffiliateProgramsView(AffiliateProgram, name=_l("Affiliate programs")),
        ProjectsView(Project, name=_l("Projects")),
        CharacterizationsView(Characterization, name=_l("Characterizations")),
        CustomFieldsView(CustomField, name=_l("Custom fields")),
        FeaturesView(Feature, name=_l("Features")),
        SettingsView(name=_l("Settings")),
        StaffView(Staff, name=_l("Staff")),
        RolesView(Role, name=_l("Roles")),
        AuditView(AuditEvent, name=_l("Audit")),
    ]


def register(app: Flask) -> None:
    """Put the admin into the application."""
    admin = Admin(
        app,
        name="Clientdesk",
        index_view=HomeView(),
        theme=Theme(folder="bootstrap4", base_template="layout/admin.html"),
    )
    made = views()
    for view in made:
        admin.add_view(view)
    app.extensions["desk_menu"] = MENU
    app.extensions["desk_views"] = {view.module: view for view in made}
    app.add_template_global(inbound_notices.words, "letter_not_taken")
    app.before_request(find_scope)
    app.context_processor(frame.everywhere)


def find_scope() -> None:
    """Before any page of the admin: which client it is about."""
    if (
        request.path.startswith("/admin/")
        and request.endpoint
        and request.endpoint not in {"admin.login", "admin.language"}
    ):
        frame.load_scope()
