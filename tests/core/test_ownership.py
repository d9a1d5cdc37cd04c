"""Folders of one user, and homes of one user or of a group, as the kernel and several users see them."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from medsearch.core.errors import BadInput
from medsearch.core.ownership import adopt_umask, prepare_home, private_folder
from medsearch.core.records import write_json

OTHER = 12345


@pytest.fixture(autouse=True, params=[0o022, 0o077, 0o000], ids=lambda mask: f"umask {mask:03o}")
def umask(request: pytest.FixtureRequest) -> Iterator[int]:
    before = os.umask(request.param)
    yield request.param
    os.umask(before)


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o7777


def test_a_private_folder_is_made_for_its_user_alone_and_found_again(tmp_path: Path) -> None:
    made = private_folder(tmp_path / "deep" / "cache")
    assert mode(made) == 0o700
    assert private_folder(made) == made


def test_a_folder_that_somebody_else_could_have_filled_is_refused(tmp_path: Path) -> None:
    mine = tmp_path / "mine"
    mine.mkdir(mode=0o755)
    mine.chmod(0o755)
    assert private_folder(mine) == mine
    assert mode(mine) == 0o700, "others could read what patients are in it"
    (tmp_path / "link").symlink_to(mine)
    (tmp_path / "dangling").symlink_to(tmp_path / "nowhere")
    (tmp_path / "file").touch()
    bad = {"link": "is a link", "dangling": "is a link", "file": "is no folder"}
    for bits in (0o777, 0o1777, 0o770, 0o702):
        (tmp_path / f"{bits:o}").mkdir()
        (tmp_path / f"{bits:o}").chmod(bits)
        bad[f"{bits:o}"] = f"can be written to by others .mode {bits:o}.*chmod 700"
    if os.geteuid() == 0:
        (tmp_path / "theirs").mkdir(mode=0o700)
        os.chown(tmp_path / "theirs", OTHER, OTHER)
        bad["theirs"] = f"belongs to user {OTHER}"
    for name, why in bad.items():
        with pytest.raises(BadInput, match=f"{name} {why}"):
            private_folder(tmp_path / name)
    assert not (tmp_path / "nowhere").exists()


def test_a_new_home_is_its_owner_s_alone_and_that_is_said_once(tmp_path: Path, umask: int) -> None:
    home = tmp_path / "deep" / "home"
    assert prepare_home(home) == f"made {home} (mode 700: yours alone; --group-home shares one)"
    assert mode(home) == 0o700
    assert prepare_home(home) is None
    assert os.umask(umask) == umask, "what is written in it may have any mode: nobody gets there"


def test_a_group_s_home_passes_its_group_on_to_whatever_process_writes_in_it(tmp_path: Path) -> None:
    home = tmp_path / "home"
    assert prepare_home(home, group=True) == f"made {home} (mode 2770: yours and your group's)"
    assert prepare_home(home, group=True) is None
    if os.geteuid() == 0:
        os.chown(home, 0, OTHER)
        home.chmod(0o2770)
    os.umask(0o022)
    adopt_umask(home)
    write_json(home / "studies" / "s" / "study.json", {})
    for path in home.rglob("*"):
        assert mode(path) == (0o2770 if path.is_dir() else 0o660), path
        assert path.stat().st_gid == home.stat().st_gid
    if os.geteuid() == 0:
        asked = f"import os; os.setgid({OTHER}); os.setuid({OTHER}); open('study.json', 'r+').write('[]')"
        subprocess.run([sys.executable, "-S", "-c", asked], check=True, cwd=home / "studies" / "s")


def test_a_home_that_is_there_stays_as_it_is(tmp_path: Path, umask: int) -> None:
    home = tmp_path / "home"
    home.mkdir()
    home.chmod(0o755)
    assert prepare_home(home) is None
    assert mode(home) == 0o755
    with pytest.raises(BadInput, match=r"--group-home: .* is there already.*chmod -R g.rwX"):
        prepare_home(home, group=True)
    assert mode(home) == 0o755
    assert os.umask(umask) == umask
