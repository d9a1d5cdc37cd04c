import subprocess
from pathlib import Path

import pytest

from medsearch.core.repository import commit_of


def git(folder: Path, *command: str) -> str:
    named = ("-c", "user.email=a@b", "-c", "user.name=n")
    return subprocess.run(["git", "-C", folder, *named, *command], check=True, capture_output=True, text=True).stdout


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A repository with one commit, a package, and a folder that it ignores."""
    commit_of.cache_clear()
    (tmp_path / "package").mkdir()
    (tmp_path / "package" / "losses.py").write_text("x = 1\n")
    (tmp_path / ".gitignore").write_text(".venv\n")
    git(tmp_path, "init", "-q", ".")
    git(tmp_path, "add", "-A")
    git(tmp_path, "commit", "-qm", "one")
    return tmp_path


def test_a_file_stands_at_the_commit_of_its_repository(repository: Path) -> None:
    name = git(repository, "rev-parse", "HEAD").strip()
    commit = commit_of(repository / "package" / "losses.py")
    assert commit is not None
    assert (commit.name, commit.dirty, str(commit)) == (name, False, name[:12])
    assert commit_of(repository / "package") == commit


def test_it_is_dirty_when_any_tracked_file_is(repository: Path) -> None:
    (repository / ".gitignore").write_text(".venv\nruns\n")
    commit = commit_of(repository / "package" / "losses.py")
    assert commit is not None
    assert str(commit).endswith("-dirty")


def test_files_that_are_not_committed_make_dirty_only_themselves(repository: Path) -> None:
    new = repository / "study.py"
    new.write_text("")
    own, other = commit_of(new), commit_of(repository / "package" / "losses.py")
    assert own is not None
    assert other is not None
    assert (own.dirty, other.dirty) == (True, False)


def test_what_a_repository_ignores_does_not_stand_at_its_commit(repository: Path) -> None:
    installed = repository / ".venv" / "lib" / "losses.py"
    installed.parent.mkdir(parents=True)
    installed.write_text("x = 1\n")
    assert commit_of(installed) is None


def test_no_repository_no_commit_and_no_git_are_no_commit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    commit_of.cache_clear()
    (tmp_path / "file.py").write_text("")
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert commit_of(tmp_path / "file.py") is None
    git(tmp_path, "init", "-q", ".")
    commit_of.cache_clear()
    assert commit_of(tmp_path / "file.py") is None, "nothing is committed yet"
    commit_of.cache_clear()
    monkeypatch.setenv("PATH", str(tmp_path))
    assert commit_of(tmp_path / "file.py") is None
