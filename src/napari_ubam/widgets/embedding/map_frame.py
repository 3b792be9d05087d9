"""Which part of the map is seen, and where on the screen."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

_MARGIN = 0.06  # around all points, as a share of the picture


@dataclass(frozen=True)
class MapFrame:
    """A part of the map, and the picture that it is seen in.

    Attributes
    ----------
    x, y : float
        The place of the map in the picture's middle.
    scale : float
        Pixels for one unit of the map; y points up in the map, and down in the picture.
    width, height : int
        Of the picture [px].
    """

    x: float
    y: float
    scale: float
    width: int
    height: int

    @classmethod
    def around(cls, position: np.ndarray, width: int, height: int) -> MapFrame:
        """Show all of some places (n, 2) of the map."""
        if not len(position):
            return cls(0.0, 0.0, 1.0, width, height)
        low, high = position.min(0).astype(float), position.max(0).astype(float)
        room = np.array([width, height]) * (1 - 2 * _MARGIN)
        scale = float((room / np.maximum(high - low, 1e-6)).min())
        x, y = ((low + high) / 2).tolist()
        return cls(x, y, scale, width, height)

    def to_pixels(self, position: np.ndarray) -> np.ndarray:
        """Give where places of the map (n, 2) are seen (n, 2), float32 [px]."""
        offset = position.astype(np.float32, copy=False) - np.array([self.x, self.y], np.float32)
        middle = np.array([self.width / 2, self.height / 2], np.float32)
        return offset * np.array([self.scale, -self.scale], np.float32) + middle

    def to_map(self, pixels: np.ndarray) -> np.ndarray:
        """Give which place of the map is seen at a place of the picture."""
        middle = np.array([self.width, self.height]) / 2
        return np.array([self.x, self.y]) + (pixels - middle) * (1, -1) / self.scale

    def zoomed(self, factor: float, at: np.ndarray) -> MapFrame:
        """Zoom in (factor above 1) or out around a place of the picture."""
        fixed, nearer = self.to_map(at), replace(self, scale=self.scale * factor)
        x, y = np.array([self.x, self.y]) + fixed - nearer.to_map(at)
        return replace(nearer, x=float(x), y=float(y))

    def moved(self, pixels: np.ndarray) -> MapFrame:
        """Move the map by so much on the screen."""
        return replace(self, x=self.x - float(pixels[0]) / self.scale, y=self.y + float(pixels[1]) / self.scale)

    def sized(self, width: int, height: int) -> MapFrame:
        """Show it in a picture of another size, the middle where it is."""
        return replace(self, width=width, height=height)
