"""Django's admin over the same tables, tuned as its manual and those who run it at size advise."""
