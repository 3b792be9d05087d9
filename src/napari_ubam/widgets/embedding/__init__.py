"""The *Embedding* widget: a map of postures and behaviours, linked with the video."""
