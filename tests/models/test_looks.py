import torch

from napari_ubam.models.looks import HIDDEN, Colours, dressed, hidden, other_looks, subject_share

CPU = torch.device("cpu")


def square(n: int = 64) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Pictures of a green square in a grey room, the room, and where the square is."""
    room = torch.full((n, 3, 32, 32), -0.2)
    room[..., -1] = 0.1  # a door
    where = torch.zeros(n, 1, 32, 32)
    where[:, :, 10:20, 12:22] = 1
    green = torch.tensor([-0.6, 0.6, -0.6]).view(3, 1, 1)
    return torch.lerp(room, green.expand_as(room), where), room, where


def test_colours_change_and_contrasts_stay() -> None:
    pictures, room, _ = square()
    colours = Colours.random(len(pictures), CPU)
    changed, inside, outside = colours.of(pictures), (..., 15, 17), (..., 2, 2)
    contrast = (changed[inside] - changed[outside]).norm(dim=1)
    before = (pictures[inside] - room[outside]).norm(dim=1)
    assert (contrast / before).min() > 0.5
    assert (contrast / before).max() < 1.6
    dominant = changed[inside].argmax(1)  # it was green in all of them
    assert len(dominant.unique()) == 3


def test_grey_stays_grey() -> None:
    grey = torch.rand(8, 1, 4, 4).expand(-1, 3, -1, -1)
    changed = Colours.random(8, CPU).of(grey)
    torch.testing.assert_close(changed, changed.mean(1, keepdim=True).expand_as(changed))


def test_a_subject_stays_where_it_is_in_another_room() -> None:
    pictures, backgrounds, where = square()
    rooms = torch.rand(len(pictures), 3, 1, 1).expand_as(pictures) - 0.5
    looks, behind = other_looks(pictures, backgrounds, rooms)
    in_another = (behind[:, :, 0, 0] - backgrounds[:, :, 0, 0]).abs().amax(1) > 1e-4
    assert in_another.float().mean() > 0.5
    seen = (looks - behind).abs().mean(1, keepdim=True) > 0.05
    assert (seen & (where == 0)).float().mean() < 0.05  # a rim, as where it was
    assert (seen & (where > 0)).sum() > 0.75 * where.sum()  # some of it is hidden


def test_who_hardly_stands_out_is_hardly_seen_in_another_room_but_not_gone() -> None:
    _, backgrounds, where = square()
    pictures = backgrounds + 0.05 * where
    rooms = torch.rand(len(pictures), 3, 1, 1).expand_as(pictures) - 0.5
    looks, behind = other_looks(pictures, backgrounds, rooms)
    contrast = (looks - behind).abs().mean(1, keepdim=True)
    assert (contrast[where > 0] > 0.02).float().mean() > 0.75  # some of it is hidden
    assert contrast[where > 0].max() < 0.1
    assert contrast[where == 0].max() < 1e-5


def test_a_subject_before_an_unknown_background_stays_as_it_is() -> None:
    pictures, backgrounds, _ = square()
    plain = torch.full_like(backgrounds, -0.2)
    looks, behind = other_looks(pictures, plain, torch.rand_like(backgrounds))
    torch.testing.assert_close(looks, pictures)
    torch.testing.assert_close(behind, plain)


def test_garments_are_given_colours_of_their_own() -> None:
    pictures, room, where = square(200)
    trousers = where.clone()
    trousers[:, :, :15] = 0
    blue = torch.tensor([-0.7, -0.6, 0.5]).view(3, 1, 1)
    pictures = torch.lerp(pictures, blue.expand_as(pictures), trousers)
    pictures[:, :, :, :17] = 0.7 * (pictures[:, :, :, :17] + 1) - 1  # a leg and an arm in the shade
    drawn = dressed(pictures, where, Colours.random(len(pictures), CPU), room)
    shirt, legs = drawn[:, :, 12, 19], drawn[:, :, 17, 19]
    together = [torch.corrcoef(torch.stack([shirt[:, c], legs[:, c]]))[0, 1].item() for c in range(3)]
    assert max(together) < 0.7
    assert (shirt - legs).norm(dim=1).std() > 0.2  # alike in some, and not at all in others
    for row in (12, 17):
        near, far = drawn[:, :, row, 19].mean(1), drawn[:, :, row, 14].mean(1)
        assert (far < near).float().mean() > 0.95  # also where they are bluer, greener or redder now
    contrast = (drawn - room)[:, :, 17, 14:20].mean(-1).norm(dim=1)
    assert contrast.quantile(0.02) < 0.2  # trousers of the wall's colour
    assert contrast.median() > 0.5


def test_noise_is_no_garment() -> None:
    _, room, where = square(50)
    grey = torch.lerp(room, torch.full_like(room, 0.4), where) + 0.02 * torch.randn_like(room)
    drawn = dressed(grey, where, Colours.random(len(grey), CPU), room)[:, :, 11:19, 13:21]
    assert drawn.std((2, 3)).max() < 0.15


def test_a_round_part_of_the_subject_is_hidden() -> None:
    _, _, where = square(200)
    share = hidden(where)
    area = (share > 0.3).float().mean((1, 2, 3))
    least, most = (3.14 * radius**2 for radius in HIDDEN)
    assert area.min() > 0.3 * least  # few pixels make it ragged
    assert area.max() < 1.5 * most
    centre = torch.stack([(share * line).sum((1, 2, 3)) / share.sum((1, 2, 3)) for line in grid(32)], 1)
    assert ((centre > torch.tensor([9.0, 11])) & (centre < torch.tensor([20.0, 22]))).all()
    assert centre.std(0).min() > 1.5
    assert share.amax((1, 2, 3)).min() >= 0.7


def grid(side: int) -> tuple[torch.Tensor, torch.Tensor]:
    line = torch.arange(side).float()
    return line[:, None].expand(side, side), line.expand(side, side)


def test_what_is_like_the_background_has_no_share() -> None:
    pictures, backgrounds, where = square(1)
    share = subject_share(pictures, backgrounds)
    assert share.shape == (1, 1, 32, 32)
    assert share[where > 0].min() == 1
    assert share[..., :8, :].max() == 0
