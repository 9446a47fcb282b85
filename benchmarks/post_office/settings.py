"""Settings of a Django project that only sends letters; SMTP_PORT is the mail server on this machine."""

from __future__ import annotations

import os

from benchmarks.tuned_django.settings import DATABASES, DEFAULT_AUTO_FIELD, SECRET_KEY, TIME_ZONE, USE_TZ

__all__ = ["DATABASES", "DEFAULT_AUTO_FIELD", "SECRET_KEY", "TIME_ZONE", "USE_TZ"]

INSTALLED_APPS = ["django.contrib.contenttypes", "post_office"]
EMAIL_BACKEND = "post_office.EmailBackend"
EMAIL_HOST, EMAIL_PORT = "127.0.0.1", int(os.environ["SMTP_PORT"])
# In batches of a thousand it was fastest; each of its processes has one connection.
POST_OFFICE = {"BATCH_SIZE": 1000, "THREADS_PER_PROCESS": 1, "LOG_LEVEL": 1}
TEMPLATES = [{"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True}]
