"""Arrays in, frames out: what a deviation looks like when it is magnified."""
