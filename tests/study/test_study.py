import pytest

from napari_ubam.errors import StudyError
from napari_ubam.settings import StudySettings
from napari_ubam.study import Recording, Study


def recording(folder, name, subject, group, **more):
    return Recording(name=name, path=folder / f"{name}.mp4", subject=subject, group=group, **more)


@pytest.fixture
def recordings(tmp_path):
    return [
        recording(tmp_path, "anna_1", "anna", "healthy"),
        recording(tmp_path, "anna_2", "anna", "healthy", session="2"),
        recording(tmp_path, "bob_1", "bob", "impaired", covariates={"age": "7"}),
    ]


def test_a_study_is_what_it_was_when_opened_again(tmp_path, recordings):
    settings = StudySettings(crop_size=64, background="none", mirror_to="left")
    study = Study.create(tmp_path / "new" / "study", recordings[2:], "impaired", settings)
    assert Study.open(tmp_path / "new" / "study") == study


def test_who_is_in_it(tmp_path, recordings):
    study = Study.create(tmp_path / "study", recordings, "healthy")
    assert study.groups == ["healthy", "impaired"]
    assert study.subjects == {"anna": "healthy", "bob": "impaired"}
    assert [study.is_reference(r) for r in study.recordings] == [True, True, False]
    assert study.recording("anna_2") is study.recordings[1]
    assert study.describe_groups() == "healthy (1 subject), impaired (1 subject)"
    with pytest.raises(StudyError, match=r"no recording 'anna_3'.*anna_2"):
        study.recording("anna_3")


def test_replace_gives_a_new_study_and_writes_nothing(tmp_path, recordings):
    study = Study.create(tmp_path / "study", recordings, "healthy")
    other = study.replace(recordings=recordings[:2], settings=StudySettings(crop_size=64))
    assert (len(other.recordings), other.settings.crop_size, other.reference) == (2, 64, "healthy")
    assert len(Study.open(tmp_path / "study").recordings) == 3
    other.save()
    assert Study.open(tmp_path / "study").recordings[:2] == other.recordings[:2]
    assert len(Study.open(tmp_path / "study").recordings) == 2


def test_a_study_can_be_moved_with_its_videos(tmp_path, recordings):
    Study.create(tmp_path / "study", recordings, "healthy")
    moved = tmp_path / "elsewhere"
    moved.mkdir()
    (tmp_path / "study").rename(moved / "study")
    assert Study.open(moved / "study").recordings[0].path == moved / "anna_1.mp4"


def test_a_second_study_in_one_folder_is_refused(tmp_path, recordings):
    Study.create(tmp_path, recordings, "healthy")
    with pytest.raises(StudyError, match="Open it, or choose another folder"):
        Study.create(tmp_path, recordings[:1], "healthy")
    assert len(Study.open(tmp_path).recordings) == 3


def test_what_cannot_be_a_study(tmp_path, recordings):
    folder = tmp_path / "study"
    with pytest.raises(StudyError, match=r"'sane'.*healthy \(1 subject\), impaired \(1 subject\)"):
        Study.create(folder, recordings, "sane")
    with pytest.raises(StudyError, match=r"'anna' is in two groups.*'healthy' and 'impaired'.*'x'"):
        Study.create(folder, [*recordings, recording(tmp_path, "x", "anna", "impaired")], "healthy")
    with pytest.raises(StudyError, match="two recordings with the name 'BOB_1'"):
        Study.create(folder, [*recordings, recording(tmp_path, "BOB_1", "bob", "impaired")], "healthy")
    with pytest.raises(StudyError, match="no recording"):
        Study.create(folder, [], "healthy")
    assert not folder.exists()
    folder.write_text("")
    with pytest.raises(StudyError, match="is a file"):
        Study.create(folder, recordings, "healthy")


def test_a_folder_without_a_study(tmp_path):
    for folder in (tmp_path, tmp_path / "none"):
        with pytest.raises(StudyError, match=r"is not a study.*napari-ubam init"):
            Study.open(folder)


@pytest.mark.parametrize(
    ("old", "new", "parts"),
    [
        ("format_version = 1", "format_version = 99", ["study format 99", "napari-ubam 7.1", "Upgrade"]),
        ("format_version = 1", "format_version = 'x'", ["line 1", "format_version = 1"]),
        ("format_version = 1\n", "", ["format_version = 1"]),
        ("crop_size = 128", "crop_size = ", ["not valid TOML", "line 6"]),
        ("crop_size = 128", "crop_size = 1000", ["line 6", "crop_size = 1000", "multiple of 32"]),
        ("crop_size = 128", "crop_siez = 128", ["line 6", "crop_siez", "spelling"]),
        ("[settings]", "[options]", ["line 5", "options", "spelling"]),
        ('reference = "healthy"', "reference = 3", ["line 3", "reference"]),
        ('reference = "healthy"', 'reference = "sane"', ["'sane'", "healthy (1 subject)"]),
    ],
)
def test_files_changed_by_hand(tmp_path, recordings, old, new, parts):
    Study.create(tmp_path, recordings, "healthy")
    path = tmp_path / "study.toml"
    lines = [line if not line.startswith("version") else 'version = "7.1"' for line in path.read_text().splitlines()]
    text = "\n".join(lines)
    assert old in text
    path.write_text(text.replace(old, new))
    with pytest.raises(StudyError) as error:
        Study.open(tmp_path)
    for part in [str(tmp_path), *parts]:
        assert part in str(error.value)


def test_a_study_without_its_table(tmp_path, recordings):
    Study.create(tmp_path, recordings, "healthy")
    (tmp_path / "recordings.csv").unlink()
    with pytest.raises(StudyError, match=r"recordings.csv does not exist"):
        Study.open(tmp_path)


def test_settings_that_are_left_out_are_the_defaults(tmp_path, recordings):
    study = Study.create(tmp_path, recordings, "healthy")
    (tmp_path / "study.toml").write_text('format_version = 1\nreference = "healthy"\n')
    assert Study.open(tmp_path) == study
