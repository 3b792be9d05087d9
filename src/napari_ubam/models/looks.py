"""Other looks of the same moment: other colours, another room. Batched on the device.

A recording shows one look throughout, so nothing in it says that trousers of another colour are the same leg. Pictures
whose colours are turned, and whose subject stands in another recording's room in other clothes, do: their posture is
known to be the same (after the randomisation of colours and textures of Tobin et al., IROS 2017).
"""

from __future__ import annotations

from dataclasses import dataclass
from math import pi

import torch
from torch.nn import functional

SCENE, SUBJECT = 0.1, 0.2  # difference from the background up to which it is that, and from which on it is the subject
HIDDEN = 0.05, 0.14  # radius of a part that is hidden [share of the side]
DARK = 0.1  # light that is added to every colour, so that noise in the dark is no colour [half of full scale]
PLAIN = 0.03  # spread of a subject's proportions of colours up to which it is of one colour


@dataclass(frozen=True)
class Colours:
    """A change of colours for each of n pictures: ``matrix`` (n, 3, 3), and then ``offset`` (n, 1, 1, 1)."""

    matrix: torch.Tensor
    offset: torch.Tensor

    @classmethod
    def random(cls, n: int, device: torch.device) -> Colours:
        """Turn hues by any angle, make colours duller or brighter, and all of the picture darker or lighter.

        Contrasts stay about as large as they are, so whoever could be seen can be seen.
        """
        angle = (2 * torch.rand(n, 1, 1, device=device) - 1) * pi
        axis = torch.full((3,), 3**-0.5, device=device)  # the greys
        grey, one = torch.outer(axis, axis), torch.eye(3, device=device)
        cross = torch.linalg.cross(one, axis.expand(3, 3))
        turned = angle.cos() * (one - grey) + angle.sin() * cross  # Rodrigues' rotation, without the greys' part
        chroma, light = (low + span * torch.rand(n, 1, 1, device=device) for low, span in ((0.6, 0.9), (0.8, 0.4)))
        return cls(chroma * turned + light * grey, 0.15 * torch.randn(n, 1, 1, 1, device=device))

    def of(self, pictures: torch.Tensor) -> torch.Tensor:
        """Change the colours of pictures (n, 3, S, S)."""
        return self.of_differences(pictures) + self.offset

    def of_differences(self, differences: torch.Tensor) -> torch.Tensor:
        """Change differences (n, 3, S, S) between pictures as the pictures are changed."""
        return torch.einsum("nchw,ndc->ndhw", differences, self.matrix)


def other_looks(
    pictures: torch.Tensor, backgrounds: torch.Tensor, rooms: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Draw pictures in other looks, without a change of posture: the pictures, and their backgrounds.

    Half of the subjects are put in other rooms, `dressed` anew, and the rooms in other colours; then the colours of
    four in five pictures are changed as a whole. What stands out is cut out; of the rest, its difference from its own
    room is laid over the other, so that a head of the wall's colour is as hard to see as it was, and not gone. In half
    of the pictures a part of the subject is `hidden`. Pictures whose background is one colour alone, which stands for
    one that is not known, stay as they are: what is the subject cannot be told there.

    Parameters
    ----------
    pictures, backgrounds : torch.Tensor
        (n, 3, S, S), in [-1, 1].
    rooms : torch.Tensor
        Backgrounds of other recordings, (n, 3, S, S).
    """
    n, device = len(pictures), pictures.device
    known = (backgrounds.amax((2, 3)) > backgrounds.amin((2, 3))).any(1).view(n, 1, 1, 1)

    def chosen(share: float) -> torch.Tensor:
        return (known & (torch.rand(n, 1, 1, 1, device=device) < share)).float()

    clothes = Colours.random(n, device)
    room = Colours.random(n, device).of(rooms)
    shade = room + clothes.of_differences(pictures - backgrounds)
    subject = subject_share(pictures, backgrounds)
    placed = torch.lerp(shade, dressed(pictures, subject, clothes, room), subject)
    moved, changed, colours = chosen(0.5), chosen(0.8), Colours.random(n, device)
    pictures, backgrounds = torch.lerp(pictures, placed, moved), torch.lerp(backgrounds, room, moved)
    pictures = torch.lerp(pictures, colours.of(pictures), changed)
    backgrounds = torch.lerp(backgrounds, colours.of(backgrounds), changed)
    return torch.lerp(pictures, backgrounds, chosen(0.5) * hidden(subject)), backgrounds


def dressed(pictures: torch.Tensor, subject: torch.Tensor, clothes: Colours, room: torch.Tensor) -> torch.Tensor:
    """Give each subject colours that it could wear: one garment in colours of its own, in half of them near the room's.

    Garments are told by how much of their light is red, green and blue, which does not depend on how much light there
    is: a far leg stays darker than the near one, whatever trousers are worn and whichever of the two stands out.

    Parameters
    ----------
    pictures : torch.Tensor
        (n, 3, S, S), in [-1, 1].
    subject : torch.Tensor
        How much each pixel belongs to the subject, (n, 1, S, S).
    clothes : Colours
        Of the other garments.
    room : torch.Tensor
        What the subjects shall stand before, (n, 3, S, S).

    Returns
    -------
    torch.Tensor
        (n, 3, S, S), of use only where the subject is.
    """
    n, device = len(pictures), pictures.device
    light = functional.avg_pool2d(pictures, 3, 1, 1).add(1).clamp(min=0) + DARK
    proportions = light / light.sum(1, keepdim=True)
    along = (torch.randn(n, 3, 1, 1, device=device) * proportions).sum(1, keepdim=True)
    along = along - _mean(along, subject)
    garment = (0.5 + 2 * along / (_mean(along**2, subject).sqrt() + PLAIN)).clamp(0, 1)
    drawn = torch.lerp(clothes.of(pictures), Colours.random(n, device).of(pictures), garment)
    near = (2 * torch.rand(n, 1, 1, 1, device=device) - 1).clamp(min=0)
    worn = subject * garment
    return drawn + near * garment * (_mean(room, worn) - _mean(drawn, worn))


def _mean(values: torch.Tensor, share: torch.Tensor) -> torch.Tensor:
    """Return the mean of values (n, c, S, S) where a share (n, 1, S, S) is: (n, c, 1, 1)."""
    return (values * share).sum((2, 3), keepdim=True) / (share.sum((2, 3), keepdim=True) + 1e-3)


def hidden(subject: torch.Tensor) -> torch.Tensor:
    """Choose a round part of each subject (n, 1, S, S) to hide all or mostly: how much of each pixel, (n, 1, S, S).

    What has the background's colour in one recording is found by where it belongs (after the random erasing of Zhong et
    al., AAAI 2020).
    """
    n, _, _, side = subject.shape
    device, (least, most) = subject.device, HIDDEN
    centre = torch.multinomial(subject.flatten(1) + 1e-6, 1).view(n, 1, 1)
    line = torch.arange(side, device=device)
    distance = torch.hypot((line[:, None] - centre // side).float(), (line - centre % side).float()) / side
    radius, share = (
        low + span * torch.rand(n, 1, 1, device=device) for low, span in ((least, most - least), (0.7, 0.3))
    )
    return (share * ((radius - distance) / 0.02 + 0.5).clamp(0, 1))[:, None]


def subject_share(pictures: torch.Tensor, backgrounds: torch.Tensor) -> torch.Tensor:
    """Tell how much each pixel belongs to what is in front of the background, and a little around it: (n, 1, S, S)."""
    contrast = (pictures - backgrounds).abs().mean(1, keepdim=True)
    wider = functional.avg_pool2d(functional.max_pool2d(contrast, 3, 1, 1), 3, 1, 1)
    return ((wider - SCENE) / (SUBJECT - SCENE)).clamp(0, 1)
