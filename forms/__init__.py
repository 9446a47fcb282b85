"""Forms that are more than Flask-Admin's own."""
