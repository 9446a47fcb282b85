"""The outside world of the tests: databases, a mail server, a browser, and the shut door to all else."""
