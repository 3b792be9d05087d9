"""The *Train* widget: training in a process of its own."""
