"""Names from elsewhere stay below their folder: whatever a bucket, a manifest, a results.json or a ledger holds."""

import os
from pathlib import Path, PurePosixPath, PureWindowsPath

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from medsearch.core.errors import BadInput
from medsearch.core.paths import below, child, is_set_aside, set_aside, unsafe, unsafe_part

PARTS = st.one_of(
    st.sampled_from(
        ["..", ".", "", "a", "b.json", "...", "C:", "c:x", "~", "a\\b", "\0", "a\nb", " ", "-", "é", "weights"]
    ),
    st.text(max_size=6),
)
NAMES = st.one_of(st.lists(PARTS, max_size=6).map("/".join), st.text(max_size=20))


@given(NAMES)
@example("/etc/passwd")
@example("../../../victim/startup.txt")
@example("a/../../b")
@example("\\\\server\\share")
@example("C:/Windows")
@example("a//b")
def test_what_is_joined_lies_below_on_any_system(tmp_path_factory: pytest.TempPathFactory, name: str) -> None:
    folder = tmp_path_factory.getbasetemp() / "folder"
    try:
        path = below(folder, name)
    except (BadInput, UnicodeEncodeError):
        return
    parts = path.relative_to(folder).parts
    assert parts
    assert os.path.normpath(path) == str(path)
    assert str(path).startswith(f"{folder}/")
    for system in (PurePosixPath, PureWindowsPath):
        joined = system("/home/stage") / name
        assert not {"..", "."} & set(joined.parts)
        assert joined.is_relative_to(system("/home/stage"))


@given(st.lists(st.text("abcXYZ019._-é ", min_size=1, max_size=8), min_size=1, max_size=4))
def test_an_ordinary_name_is_taken(tmp_path_factory: pytest.TempPathFactory, parts: list[str]) -> None:
    assume(not set(parts) & {".", ".."})
    name, folder = "/".join(parts), tmp_path_factory.getbasetemp()
    assert below(folder, name) == folder / name
    assert (unsafe(name) == "") == (len(parts) > 0)


@given(NAMES)
def test_a_key_or_a_study_is_one_part(tmp_path_factory: pytest.TempPathFactory, name: str) -> None:
    folder = tmp_path_factory.getbasetemp()
    try:
        path = child(folder, name, what="stage key")
    except BadInput:
        assert unsafe(name) or "/" in name
        assert unsafe_part(name)
        return
    assert not unsafe_part(name)
    assert path.parent == folder
    assert path.name == name


@pytest.mark.parametrize("name", [None, 7, ["a"], {"a": 1}, b"a"])
def test_what_is_no_text_is_no_name(name: object) -> None:
    assert unsafe(name) == unsafe_part(name) == "it is no name"


def test_a_link_that_leads_out_is_not_followed(tmp_path: Path) -> None:
    folder, outside = tmp_path / "folder", tmp_path / "outside"
    (folder / "own").mkdir(parents=True)
    outside.mkdir()
    (folder / "link").symlink_to(outside)
    (folder / "file").symlink_to(outside / "settings.json")
    (folder / "inner").symlink_to(folder / "own")
    for name in ("link/a", "file", "link"):
        with pytest.raises(BadInput, match=r"the manifest names the file .* a link on its way leads out"):
            below(folder, name, source="the manifest")
    assert below(folder, "inner/a") == folder / "inner" / "a"
    (tmp_path / "home").symlink_to(folder)
    assert below(tmp_path / "home", "own/a") == tmp_path / "home" / "own" / "a"


def test_what_is_set_aside_keeps_its_content_and_frees_its_name(tmp_path: Path) -> None:
    path, asides = tmp_path / "k", set()
    for number in range(3):  # within one second, too
        path.mkdir()
        (path / "manifest.json").write_text(str(number))
        aside = set_aside(path)
        assert is_set_aside(aside.name)
        assert (aside / "manifest.json").read_text() == str(number)
        asides.add(aside)
    assert (len(asides), path.exists(), is_set_aside("k")) == (3, False, False)
