"""The *Study* widget: the table of recordings."""
