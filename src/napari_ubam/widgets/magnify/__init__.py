"""The widgets *Magnify* and *Transfer*: subjects drawn in other postures."""
