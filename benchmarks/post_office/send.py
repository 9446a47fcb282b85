"""Queue so many letters and send them with two processes, as `send_queued_mail --processes 2` does."""

from __future__ import annotations

import sys

import django

from benchmarks.fan_out import SUBJECT, TEXT

django.setup()

from post_office.mail import send_queued_mail_until_done  # noqa: E402  Models need what was set up above.
from post_office.models import PRIORITY, STATUS, Email  # noqa: E402


def main(letters: int) -> None:
    html = "<p>" + TEXT["en"].replace("\n", "<br>\n") + "</p>"
    Email.objects.bulk_create(
        [
            Email(
                from_email="desk@example.com",
                to=f"client-{number}@example.com",
                subject=SUBJECT["en"],
                message=TEXT["en"],
                html_message=html,
                status=STATUS.queued,
                priority=PRIORITY.medium,
            )
            for number in range(letters)
        ],
        batch_size=500,
    )
    send_queued_mail_until_done(processes=2)


if __name__ == "__main__":
    main(int(sys.argv[1]))
