import pytest

from napari_ubam.pipeline.learning import backgrounds_differ


@pytest.mark.parametrize("is_empty", [{}, {"a": True}, {"a": False, "b": False}, {"a": True, "b": True}])
def test_backgrounds_that_are_alike_are_no_matter(is_empty: dict[str, bool]):
    assert backgrounds_differ(is_empty) == ""


def test_recordings_whose_background_holds_the_subject_are_named():
    message = backgrounds_differ({"walk_1": True, "walk_2": False, "walk_3": True})
    assert "background of walk_2, as it was" in message
    assert 'background = "median"' in message


def test_of_many_recordings_some_are_named():
    message = backgrounds_differ({str(i): i < 1 for i in range(10)})
    assert "background of 1, 2, 3, 4, 5 and 4 more, as" in message
