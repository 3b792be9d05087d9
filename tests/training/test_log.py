from pathlib import Path

import pandas as pd
import pytest

from napari_ubam.training.collapse import Health
from napari_ubam.training.log import Log


def rows(path: Path) -> list[tuple[str, int, float, float]]:
    return list(pd.read_csv(path).iloc[:, :4].itertuples(index=False, name=None))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    log = Log(tmp_path / "training.csv")
    for stage in ("posture", "behaviour"):
        log.begin(stage, 0)
        for step in (1, 10, 20):
            log.add(stage, step, 1 / step, 3.14)
    return tmp_path / "training.csv"


def test_a_row_a_step(path: Path) -> None:
    assert rows(path) == [
        (stage, step, loss, 3.1)
        for stage in ("posture", "behaviour")
        for step, loss in ((1, 1.0), (10, 0.1), (20, 0.05))
    ]


@pytest.mark.parametrize(("step", "left"), [(0, []), (9, [1]), (10, [1, 10]), (20, [1, 10, 20]), (25, [1, 10, 20])])
def test_what_is_trained_again_is_left_out(step: int, left: list[int], path: Path) -> None:
    Log(path).begin("behaviour", step)
    Log(path).add("behaviour", 30, 0.5, 1)
    assert [row[:2] for row in rows(path)] == [
        *[("posture", s) for s in (1, 10, 20)], *[("behaviour", s) for s in (*left, 30)]
    ]  # fmt: skip


def test_how_healthy_the_code_is_stands_where_it_was_looked_at(path: Path) -> None:
    log = Log(path)
    log.add("posture", 250, 0.01, 60, Health(spread=0.0123456, rank=4.5))
    log.begin("posture", 260)
    log.add("posture", 260, 0.01, 61)
    table = pd.read_csv(path).set_index("step").loc[[250, 260]]
    assert table.loc[250, ["spread", "effective_rank"]].tolist() == [0.01235, 4.5]
    assert table.loc[260, ["spread", "effective_rank"]].isna().all()


@pytest.mark.parametrize("end", ["behav", "behaviour,2", 'behaviour,30,"'])
def test_a_row_that_a_killed_process_left_half_written_is_left_out(end: str, path: Path) -> None:
    whole = rows(path)
    with path.open("a") as file:
        file.write(end)
    Log(path).begin("behaviour", 20)
    assert rows(path) == whole
