"""The tables of the product as Django sees them; it makes none of them."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db import models
from django.db.backends.signals import connection_created
from django.dispatch import receiver


class Named(models.Model):
    name = models.TextField()

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return self.name


class Project(Named):
    class Meta:
        managed = False
        db_table = "projects"


class Characterization(Named):
    code = models.TextField()

    class Meta:
        managed = False
        db_table = "characterizations"


class Product(Named):
    class Meta:
        managed = False
        db_table = "products"


class Group(Named):
    class Meta:
        managed = False
        db_table = "client_groups"


class Client(models.Model):
    name = models.CharField(max_length=200)
    owner_username = models.CharField(max_length=80)
    email = models.EmailField(blank=True)
    country = models.CharField(max_length=2)
    note = models.TextField(blank=True)
    registered_at = models.DateTimeField("registered")
    deleted_at = models.DateTimeField(null=True)
    is_suspended = models.BooleanField()
    project = models.ForeignKey(Project, models.PROTECT)
    characterization = models.ForeignKey(Characterization, models.PROTECT)
    characterization_by_id = models.IntegerField(null=True)
    characterization_at = models.DateTimeField(null=True)
    referrer_id = models.IntegerField(null=True)
    affiliate_program_id = models.IntegerField(null=True)
    row_version = models.IntegerField()
    # The product's own index of parts of words is on this column.
    search_text = models.GeneratedField(
        expression=models.F("name"), output_field=models.TextField(), db_persist=True
    )  # fmt: skip

    class Meta:
        managed = False
        db_table = "clients"

    def __str__(self) -> str:
        return self.name


class Membership(models.Model):
    pk = models.CompositePrimaryKey("client_id", "group_id")
    client = models.ForeignKey(Client, models.CASCADE)
    group = models.ForeignKey(Group, models.CASCADE)

    class Meta:
        managed = False
        db_table = "client_group_members"


class Service(models.Model):
    client = models.ForeignKey(Client, models.CASCADE, related_name="services")
    product = models.ForeignKey(Product, models.PROTECT)
    status = models.CharField(max_length=32)

    class Meta:
        managed = False
        db_table = "services"


class PenaltyPoint(models.Model):
    client = models.ForeignKey(Client, models.CASCADE, related_name="penalty_points")
    points = models.IntegerField()
    expires_at = models.DateTimeField()
    objects: ClassVar[Any] = models.Manager()

    class Meta:
        managed = False
        db_table = "penalty_points"


@receiver(connection_created)
def prepare_sqlite(connection: Any, **_more: Any) -> None:
    """Give the connection the function that the search text is made with."""
    if connection.vendor == "sqlite":
        connection.connection.create_function("lower", 1, lambda text: text and text.lower(), deterministic=True)
