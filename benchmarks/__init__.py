"""Measurements: the product beside a bare Flask view of the same rows, in turns, within one run."""
