import pandas as pd

from napari_ubam.study import Interval, Recording, write_boris


def test_every_interval_is_a_start_and_a_stop_in_seconds(tmp_path):
    walk = Recording(name="walk", path=tmp_path / "walk.mp4", subject="bert", group="g")
    run = Recording(name="run", path=tmp_path / "run.mp4", subject="anna", group="g")
    intervals = [Interval("walk", 20, 30, "limp"), Interval("run", 0, 5, "limp"), Interval("walk", 10, 20, "limp")]
    write_boris(tmp_path / "events.csv", intervals, {"walk": (walk, 100, 20.0), "run": (run, 50, 25.0)})
    table = pd.read_csv(tmp_path / "events.csv")
    assert table["Observation id"].tolist() == ["run"] * 2 + ["walk"] * 4
    assert table["Behavior type"].tolist() == ["START", "STOP"] * 3
    assert table["Time"].tolist() == [0, 0.2, 0.5, 1, 1, 1.5]
    assert table["Image index"].tolist() == [0, 5, 10, 20, 20, 30]
    assert table["Subject"].tolist() == ["anna"] * 2 + ["bert"] * 4
    assert set(table["Behavior"]) == {"limp"}
    assert table["Media file name"].iloc[-1] == str(tmp_path / "walk.mp4")
    assert table["Media duration (s)"].tolist() == [2, 2, 5, 5, 5, 5]
