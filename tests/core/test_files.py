from pathlib import Path

import pytest

from medsearch.core.errors import BadInput
from medsearch.core.files import digest


def test_a_digest_is_of_the_content_alone(tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    one.write_bytes(b"weights")
    other.write_bytes(b"weights")
    first = digest(str(one), knob="a.b", wanted="weights")
    assert first == digest(str(other), knob="a.b", wanted="weights")
    assert len(first) == 16
    one.write_bytes(b"others!!")
    assert digest(str(one), knob="a.b", wanted="weights") != first


def test_no_path_has_no_digest_and_a_missing_file_is_refused() -> None:
    assert digest("", knob="a.b", wanted="weights") == ""
    with pytest.raises(BadInput, match=r"knob 'a.b': no file 'nowhere'; give the path of weights"):
        digest("nowhere", knob="a.b", wanted="weights")
