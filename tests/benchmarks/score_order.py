"""Whether scores mean the same in bodies of different size: `python -m tests.benchmarks.score_order HOME`.

HOME holds a finished study of the SSBR CycleGAN on the phantom. The slices of its pairs, which no regressor was trained
on, are scored by every regressor that is there. A slice's level is its place along the trunk, in mm of one of usual
length. Shown are Spearman's correlation of score and place within a scan; of two slices of different bodies, more than
15 mm of level apart, how often the scores have the levels' order; and how far apart in level slices lie that are
paired by score, by position, and at random. Organs lie up to 20 mm off their usual level, so no pairing comes to 0.
"""

import argparse
from dataclasses import dataclass
from itertools import permutations
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich import print
from scipy.stats import spearmanr

from medsearch.cohorts.prepared import PreparedStacks
from medsearch.cohorts.views import Abdomen
from medsearch.core.records import read_json
from medsearch.imaging.geometry import AxialGeometry
from medsearch.methods.ssbr_cyclegan.recipe import RegressorConfig
from medsearch.methods.ssbr_cyclegan.regression import Regressor, scores
from medsearch.methods.ssbr_cyclegan.selection import ByPosition, ByScore, Pairing, Pairs, Patient
from medsearch.phantoms import AbdomenSpec
from medsearch.phantoms.abdomen.writing import pair_names, person
from medsearch.training.checkpoints import load_modules
from medsearch.training.runtime import Runtime

APART_MM, COUNT = 15.0, 64


@dataclass(frozen=True, eq=False)
class Scanned:
    """One abdomen of a known body: its images, and the level of each slice, mm."""

    body: int
    contrast: str
    patient: Patient
    levels: NDArray[np.floating]


def scanned(home: Path, spec: AbdomenSpec) -> list[Scanned]:
    """Every image of every pair."""
    prepared = PreparedStacks(next(path for path in sorted((home / "cohorts").glob("stacks-*")) if path.is_dir()))
    found = []
    for number, name in enumerate(pair_names(spec.pairs)):
        someone = person(spec, "paired", number)
        scan = someone.scan()
        places = scan.origin[2] + scan.spacing[2] * np.arange(len(scan.lung))
        levels = (places / someone.body.length)[::-1]
        for contrast in ("CT", "ceCT"):
            measured = prepared.measured(name, contrast)
            first, last = measured["region"]
            where, spacing = slice(first, last + 1), tuple(measured["spacing"])
            hu, body = prepared.stack(name, contrast), prepared.body(name, contrast)
            of = Abdomen(name, hu[where], body[where], AxialGeometry().window, spacing)
            found.append(Scanned(number, contrast, Patient(f"{name} {contrast}", of.images(), spacing), levels[where]))
    return found


def random_pairs(a: Patient, b: Patient, count: int, *, rng: np.random.Generator) -> Pairs:
    return Pairs(rng.integers(len(a), size=count), rng.integers(len(b), size=count))


def shown(regressor: Regressor, stacks: list[Scanned]) -> None:
    known = {one.patient.name: scores(regressor, np.asarray(one.patient.slices), Runtime()) for one in stacks}
    within = [spearmanr(known[one.patient.name], np.arange(len(one.levels))).statistic for one in stacks]
    others = [(a, b) for a, b in permutations(stacks, 2) if a.body != b.body and a.contrast != b.contrast]
    kept = [ordered(known[a.patient.name], known[b.patient.name], a.levels, b.levels) for a, b in others]
    print(f"  Spearman within a scan: mean {np.mean(within):.3f}, least {min(within):.3f} of {len(within)}")
    print(f"  order kept between two bodies: {np.mean(kept):.3f}")
    ways: dict[str, Pairing] = {
        "score": ByScore(lambda patient: known[patient.name]),
        "position": ByPosition(jitter=False),
        "position, moved": ByPosition(),
        "random": random_pairs,
    }
    for name, pair in ways.items():
        rng = np.random.default_rng(0)
        drawn = [(a, b, pair(a.patient, b.patient, COUNT, rng=rng)) for a, b in others]
        off = [np.abs(a.levels[pairs.a] - b.levels[pairs.b]).mean() for a, b, pairs in drawn]
        print(f"  paired by {name}: {np.mean(off):.1f} mm apart")


def ordered(s_a: np.ndarray, s_b: np.ndarray, a: np.ndarray, b: np.ndarray) -> float:
    """How often the score rises where the level falls."""
    higher, far = s_a[:, None] - s_b[None], a[:, None] - b[None]
    return float((np.sign(higher) == -np.sign(far))[np.abs(far) > APART_MM].mean())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("home", type=Path)
    home = parser.parse_args().home
    folder = next(path for path in (home / "cohorts").glob("abdominal_ct-phantom-*") if path.is_dir())
    stacks = scanned(home, AbdomenSpec(**read_json(folder / "phantom.json")["spec"]))
    for path in sorted((home / "stages").glob("*/manifest.json")):
        manifest = read_json(path)
        if manifest["stage"] == "ssbr_regressor":
            regressor = Regressor(RegressorConfig(**manifest["recipe"]["network"])).eval()
            load_modules(path.parent / "weights.safetensors", {"regressor": regressor})
            print(f"{path.parent.name}, seed {manifest['seed']}")
            shown(regressor, stacks)


if __name__ == "__main__":
    main()
