"""Arrays in, numbers out: neighbours, projection, deviation, comparison of groups, figures and report."""
