"""Import pages of the clients' view."""


class ImportPages:
    pass
