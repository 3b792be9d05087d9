"""The widgets *Video* and *Export video*."""
