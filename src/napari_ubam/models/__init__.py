"""Torch modules, and what they are trained on."""
