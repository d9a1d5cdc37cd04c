"""The quick form of `python -m tests.chaos`: one sweep, everything it stands on dies once, the table is the same."""

import time
from pathlib import Path

import pytest

pytest.importorskip("psycopg2", reason="psycopg2-binary is not installed")

from .arena import Arena
from .mishaps import Mishap, script
from .rounds import Round

pytestmark = pytest.mark.soak

ONE_OF_EACH = (
    Mishap("mlflow", 0.1, away=1.0),
    Mishap("node", 0.3, away=0.0),
    Mishap("driver", 0.5),
    Mishap("postgresql", 0.7, away=0.5, gently=True),
)


def test_a_sweep_whose_node_driver_and_servers_die_ends_with_the_same_table(tmp_path: Path) -> None:
    began = time.monotonic()
    with Arena.open(tmp_path, pace=0.3, packed=False) as arena:
        driver = arena.driver("steady_sweep", "home")
        ended = Round(arena, driver).play(ONE_OF_EACH)
    print(f"{ended}\n{time.monotonic() - began:.0f} s")
    assert not ended.violations, driver.log.read_text()
    assert (ended.kills, ended.lives, len(ended.mishaps)) == (2, 2, 4)


def test_a_script_is_a_function_of_its_seed() -> None:
    assert script(3, 6) == script(3, 6) != script(4, 6)
    for seed in range(20):
        mishaps = script(seed, 8)
        assert len({mishap.kind for mishap in mishaps}) == 6
        assert [mishap.after for mishap in mishaps] == sorted(mishap.after for mishap in mishaps)
