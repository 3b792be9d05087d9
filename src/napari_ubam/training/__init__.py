"""Fit the models to a study."""
