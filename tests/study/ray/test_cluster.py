"""Resources as Ray and as torch are told, and the tokens without which nothing starts or joins."""

import os
from pathlib import Path

import pytest

from medsearch.core.errors import BadInput, MedsearchError
from medsearch.study.ray.cluster import Resources, _use_token, gpus_here, own_folder, start


def test_shares_reach_ray_and_the_runtime() -> None:
    whole = Resources()
    assert (whole.per_trial, whole.runtime.device, whole.runtime.threads) == ({"CPU": 1.0}, "cpu", 1)
    share = Resources(cpus_per_trial=4, gpus_per_trial=0.25, precision="bf16", micro_batch=2)
    assert share.per_trial == {"CPU": 4, "GPU": 0.25}
    assert (share.runtime.device, share.runtime.threads) == ("cuda", 4)
    assert (share.runtime.precision, share.runtime.micro_batch) == ("bf16", 2)
    assert Resources(cpus_per_trial=0.5).runtime.threads == 1
    assert Resources(memory_per_trial=8).per_trial == {"CPU": 1.0, "memory": 8}
    with pytest.raises(BadInput, match="-1 bytes of memory"):
        Resources(memory_per_trial=-1)
    for cpus in (0, float("nan"), float("inf")):
        with pytest.raises(BadInput, match="above 0"):
            Resources(cpus_per_trial=cpus)
    with pytest.raises(BadInput, match="micro-batch of -1"):
        Resources(micro_batch=-1)


def clean(monkeypatch: pytest.MonkeyPatch, home: Path) -> None:
    for name in ("RAY_AUTH_MODE", "RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"):
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(home))


def test_an_embedded_cluster_has_a_token_of_its_own_whatever_the_environment_says(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    clean(monkeypatch, tmp_path / "unwritable")
    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")
    _use_token(None)
    assert "RAY_AUTH_MODE" not in os.environ, "unset, Ray turns tokens on by itself"
    assert len(os.environ["RAY_AUTH_TOKEN"]) == 64
    mine = os.environ["RAY_AUTH_TOKEN"]
    _use_token(None)
    assert os.environ["RAY_AUTH_TOKEN"] == mine


def test_joining_needs_the_cluster_s_token(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    clean(monkeypatch, tmp_path)
    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")
    with pytest.raises(BadInput, match=r"no token for the Ray cluster at 'head:6379'.*RAY_AUTH_TOKEN_PATH"):
        _use_token("head:6379")
    (tmp_path / ".ray").mkdir()
    (tmp_path / ".ray" / "auth_token").write_text("0" * 64)
    _use_token("head:6379")
    assert os.environ["RAY_AUTH_MODE"] == "token"


def test_gpus_are_counted_without_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("medsearch.study.ray.cluster.importlib.metadata.version", lambda name: "2.13.0+cu130")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,3")
    assert gpus_here() == 2
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert gpus_here() == 0
    monkeypatch.setattr("medsearch.study.ray.cluster.importlib.metadata.version", lambda name: "2.13.0+cpu")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    assert gpus_here() == 0


def test_ray_s_folder_is_new_one_s_own_and_gone_afterwards() -> None:
    with own_folder() as folder:
        assert folder.stat().st_mode & 0o7777 == 0o700
        with own_folder() as other:
            assert other != folder
            assert folder.exists(), "of a study that runs beside this one"
    assert not folder.exists()


def test_folders_of_killed_drivers_are_removed_and_nobody_else_s(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr("medsearch.study.ray.cluster.SOCKET", 300)
    for name in ("msray-killed", "msray-begun", "msray-theirs", "others"):
        (tmp_path / name / "session").mkdir(parents=True)
        if name != "msray-begun":
            (tmp_path / name / "lock").touch()
    if os.geteuid() == 0:
        os.chown(tmp_path / "msray-theirs", 12345, 12345)
    (tmp_path / "msray-link").symlink_to(tmp_path / "others")
    with own_folder():
        left = {path.name for path in tmp_path.iterdir()} & {"msray-killed", "msray-begun", "msray-theirs", "others"}
    theirs = {"msray-theirs"} if os.geteuid() == 0 else set()
    assert left == {"msray-begun", "others"} | theirs
    assert (tmp_path / "others" / "session").exists()


def test_ray_that_does_not_start_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(
        MedsearchError, match=r"^Ray does not start on this machine \(.*107.*run the same command again"
    ):
        start(Resources(), tmp_path / ("x" * 100))  # its sockets' names are too long
