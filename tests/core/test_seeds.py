import subprocess
import sys

from hypothesis import given
from hypothesis import strategies as st

from medsearch.core.seeds import generator, seed

NAMES = st.lists(st.text(max_size=5) | st.integers(), max_size=4)


@given(st.integers(), NAMES, st.integers(), NAMES)
def test_streams_differ_by_root_and_by_every_name(root, names, other_root, other_names):
    same = (root, [str(name) for name in names]) == (other_root, [str(name) for name in other_names])
    separators = any("\x1f" in str(name) for name in (*names, *other_names))
    assert separators or (seed(root, *names) == seed(other_root, *other_names)) == same


def test_a_seed_is_equal_in_every_process():
    code = "from medsearch.core.seeds import seed; print(seed(3, 'epoch', 7))"
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert int(printed) == seed(3, "epoch", 7)
    assert 0 <= seed(3, "epoch", 7) < 2**63


def test_a_generator_repeats_its_stream():
    assert (generator(0, "x").random(4) == generator(0, "x").random(4)).all()
    assert (generator(0, "x").random(4) != generator(0, "y").random(4)).any()
