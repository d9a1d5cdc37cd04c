from pathlib import Path

import pytest

from medsearch.core.errors import BadInput
from medsearch.core.files import digest, require_content


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


def test_a_file_that_changed_since_it_was_planned_with_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "weights"
    file.write_bytes(b"weights")
    known = digest(str(file), knob="a.b", wanted="weights")
    require_content(str(file), known, knob="a.b", wanted="weights")
    require_content("", "", knob="a.b", wanted="weights")
    file.write_bytes(b"others!!")
    with pytest.raises(BadInput, match=r"knob 'a.b': the file .*weights' is not what it was"):
        require_content(str(file), known, knob="a.b", wanted="weights")
