"""The phantom of the abdomen: its folders, its bytes, and that it looks as CT with and without agent does."""

import json
import subprocess
import sys
from itertools import combinations
from pathlib import Path

import numpy as np
import pydicom
import pytest

from medsearch.cohorts.checks import check
from medsearch.core.errors import BadInput
from medsearch.imaging.abdomen import body_mask
from medsearch.imaging.volumes import read_volume, stored_volume
from medsearch.phantoms import AbdomenSpec, NiftiFoldersSpec, specified, write_abdominal_ct, write_nifti_folders
from medsearch.phantoms.abdomen.bodies import ATTENUATIONS, draw_hu
from medsearch.phantoms.abdomen.scans import Canvas
from medsearch.phantoms.abdomen.writing import pancreas_names, person
from tests.cohorts import abdomens

FEW = {"cases": 1, "pairs": 1, "spacing": 7.0}


def content(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file()}


def test_it_passes_the_check(root: Path, tmp_path: Path) -> None:
    checked = check(root, "abdominal_ct", cache=tmp_path)
    assert checked.findings == ()
    assert checked.cohort.phantom
    assert len(checked.usable.subjects) == abdomens.SPEC.subjects
    assert json.loads((root / "phantom.json").read_text())["fingerprint"] == abdomens.SPEC.fingerprint


def test_what_is_read_is_what_was_computed(root: Path) -> None:
    for name, kind in (
        ("PANCREAS_0001", "pancreas"),
        ("1.3.6.1.4.1.9328.50.4.0001", "colonography"),
        ("PAIR_001", "paired"),
    ):
        case = next(case for case in check(root, "abdominal_ct").cohort.cases if case.subject == name)
        scan = abdomens.scan(kind, 0)
        for contrast, path in case.images.items():
            volume = stored_volume(path)
            assert volume.array.dtype == np.int16
            np.testing.assert_array_equal(volume.array, scan.images[contrast])
            np.testing.assert_allclose(volume.affine, scan.affine, atol=1e-3)


@pytest.mark.parametrize("spec", [AbdomenSpec, NiftiFoldersSpec])
def test_the_same_specification_gives_the_same_bytes(tmp_path: Path, spec: type[AbdomenSpec]) -> None:
    write = write_nifti_folders if spec is NiftiFoldersSpec else write_abdominal_ct
    one, two = (content(write(spec(**FEW), tmp_path / name)) for name in ("one", "two"))
    other = content(write(spec(**FEW, seed=1), tmp_path / "other"))
    assert one == two
    assert one.keys() != other.keys() or all(one[name] != other[name] for name in one)


def test_more_people_leave_the_others_as_they_are(root: Path) -> None:
    more = AbdomenSpec(cases=9, pairs=3, spacing=abdomens.SPEC.spacing)
    for kind in abdomens.KINDS:
        again, known = person(more, kind, 1).scan(), abdomens.scan(kind, 1)
        for contrast, image in known.images.items():
            np.testing.assert_array_equal(again.images[contrast], image)


def test_everybody_has_another_body() -> None:
    """In the collections and in the pairs: no gas lies where somebody else has it, and lungs reach down elsewhere."""
    scans = [abdomens.scan(kind, number) for kind, count in abdomens.KINDS.items() for number in range(count)]
    profiles = [np.interp(np.linspace(0, 1, 30), np.linspace(0, 1, len(one.gas)), one.gas) for one in scans]
    assert all(np.abs(one - other).max() > 100 for one, other in combinations(profiles, 2))
    assert len({one.lung.size for one in scans}) >= 6


def test_pairs_lie_on_each_other_and_differ_where_the_agent_is() -> None:
    scan = abdomens.scan("paired", 0)
    plain, agent = (image.astype(float) for image in scan.images.values())
    assert list(scan.images) == ["CT", "ceCT"]
    change = agent - plain
    outline = scan.pancreas > 0
    assert np.median(change[outline]) == pytest.approx(ATTENUATIONS["pancreas"].added, rel=0.35)
    fat = (plain > -125) & (plain < -85)
    assert abs(np.median(change[fat])) < 12
    assert abs(np.median(change[plain < -900])) < 5
    assert np.percentile(change, 99.5) > 80


def test_the_agent_ranks_tissues_as_in_patients() -> None:
    drawn = [draw_hu(np.random.default_rng(number)) for number in range(20)]
    for hu in drawn:
        agent, plain = hu["ceCT"], hu["CT"]
        assert agent["kidney"] > agent["blood"] > agent["liver"] > agent["muscle"]
        assert max(plain[name] for name in ("liver", "spleen", "kidney", "blood")) < 80
        assert abs(agent["gas"] - plain["gas"]) < 1


def test_the_shapes_are_inside_where_they_should_be() -> None:
    axes = tuple(np.linspace(-50, 50, 21, dtype=np.float32) for _ in range(3))
    grid = np.meshgrid(*axes, indexing="ij")
    canvas = Canvas(axes, tuple(grid), {"CT": {"gas": -1000.0, "liver": 50.0, "blood": 40.0}})
    canvas.ellipsoid("liver", (0, 0, 0), (30, 20, 10), mark="pancreas")
    volume = (canvas.images["CT"] > -475).sum() * 5.0**3
    assert volume == pytest.approx(4 / 3 * np.pi * 30 * 20 * 10, rel=0.1)
    canvas.tube("blood", [(0, 0, -50), (0, 0, 50)], 8)
    assert canvas.images["CT"][10, 10].tolist() == [40.0] * 21
    assert canvas.marks["pancreas"][10, 10, 10] == 0, "what is covered is marked no more"


def test_headers_are_those_of_a_scanner(root: Path) -> None:
    home = next((root / "manifest-phantom" / "CT COLONOGRAPHY").iterdir()) / "01-01-2000-PHANTOM"
    assert [path.name for path in sorted(home.iterdir())] == ["1-Scout", "2-Supine", "3-Prone", "4-Recon"]
    said = {path.name: pydicom.dcmread(next(path.iterdir())) for path in home.iterdir()}
    assert said["1-Scout"].ImageType[2] == "LOCALIZER"
    assert [said[name].PatientPosition for name in ("2-Supine", "3-Prone")] == ["HFS", "HFP"]
    assert len({one.SeriesInstanceUID for one in said.values()}) == 4
    assert len({one.StudyInstanceUID for one in said.values()}) == 1
    files = sorted((home / "2-Supine").iterdir())
    assert len({pydicom.dcmread(path, stop_before_pixels=True).SOPInstanceUID for path in files}) == len(files)
    assert all(one.PatientName == f"PHANTOM^{one.PatientID}" for one in said.values())
    assert said["2-Supine"].RescaleIntercept == -1024
    assert pydicom.dcmread(next((root / "Pancreas-CT").rglob("*.dcm"))).RescaleIntercept == 0


def test_gas_rises_away_from_the_table() -> None:
    someone = person(abdomens.SPEC, "pancreas", 0)

    def middle(*, prone: bool) -> float:
        """How far the bowel's gas lies behind the middle of the body, pixels."""
        scan = someone.scan(prone=prone)
        hu = abdomens.stack(next(iter(scan.images.values())))
        body = body_mask(hu, abdomens.mm(scan)) & (scan.lung[::-1] == 0)[:, None, None]
        return float(np.nonzero(body & (hu < -800))[1].mean() - np.nonzero(body)[1].mean())

    assert middle(prone=False) < middle(prone=True) - 1


def test_numbers_of_withdrawn_cases_are_left_out() -> None:
    names = pancreas_names(80)
    assert (len(names), names[-1]) == (80, "PANCREAS_0082")
    assert not {"PANCREAS_0025", "PANCREAS_0070"} & set(names)


def test_files_name_nobody(root: Path) -> None:
    for path in [*root.rglob("*.dcm")][::200]:
        assert str(pydicom.dcmread(path).PatientName).startswith("PHANTOM^")
    assert read_volume(next(root.rglob("CT.nii.gz"))).spacing[0] == pytest.approx(abdomens.SPEC.spacing)


@pytest.mark.parametrize(
    ("wrong", "why"),
    [({"cases": 0}, "'cases' .* got 0"), ({"pairs": -1}, "'pairs' .* got -1"), ({"spacing": 9.0}, "from 0.8 to 7")],
)
def test_impossible_phantoms_are_refused(wrong: dict[str, float], why: str) -> None:
    with pytest.raises(BadInput, match=why):
        AbdomenSpec(**wrong)


def test_what_a_phantom_does_not_have_is_refused() -> None:
    with pytest.raises(
        BadInput, match="the abdominal_ct phantom has no 'healthy'; it takes cases, pairs, spacing, seed"
    ):
        specified("abdominal_ct", {"healthy": 1})
    with pytest.raises(BadInput, match="the brats2020 phantom has no 'pairs'"):
        specified("brats2020", {"pairs": 1})
    assert specified("abdominal_ct", {"cases": 2}) == AbdomenSpec(cases=2)


def test_the_fingerprint_follows_what_is_written() -> None:
    specs = [AbdomenSpec(), NiftiFoldersSpec(), AbdomenSpec(cases=2), AbdomenSpec(pairs=2), AbdomenSpec(seed=2)]
    assert len({spec.fingerprint for spec in [*specs, AbdomenSpec(spacing=5.0)]}) == 6


def test_the_command_writes_and_checks_it(tmp_path: Path) -> None:
    def call(*words: object) -> subprocess.CompletedProcess[str]:
        line = [sys.executable, "-c", "from medsearch.cli import main; main()", *map(str, words)]
        return subprocess.run(line, capture_output=True, text=True, check=False)

    assert call("phantom", "nifti_folders", tmp_path / "p", "--cases", 1, "--pairs", 1, "--spacing", 7).returncode == 0
    checked = call("check", tmp_path / "p", "--layout", "nifti_folders")
    assert (checked.returncode, checked.stdout.strip()) == (0, "3 cases, 0 faulty, 0 findings")
    refused = call("phantom", "abdominal_ct", tmp_path / "q", "--healthy", 1)
    assert refused.returncode == 2
    assert "has no 'healthy'" in refused.stderr
