"""The *Compare groups* widget."""
