"""A made-up λ search with everything that a real one may hold: cuts, failures, references, pictures.

The curves are saturating exponentials with seeded noise; the best configurations start slowest, so that curves cross.
"""

import zlib
from pathlib import Path

import numpy as np
from medsearch.reporting.results import (
    Finalist,
    Picture,
    Provenance,
    Published,
    ReferenceResults,
    Replicate,
    SearchDesign,
    SearchResults,
    Trial,
)
from PIL import Image

from medsearch.core.seeds import generator
from medsearch.study.record.headers import Axis, Scheduler, Skipped

WEIGHTS = tuple(f"segmentation.weights.{name}" for name in ("adv", "rec", "lat", "seg"))
ADV, REC, LAT, SEG = WEIGHTS
WIDTH, CODES = "segmentation.width", "segmentation.semantic_codes"
TEST_CASES = tuple(f"BraTS20_Training_{number:03d}" for number in (7, 19, 24, 31))
EPOCHS = 16


def design(**changes) -> SearchDesign:
    where = "thesis, section 5.5.1"
    settings = {
        "study": "modatts_lambda_search",
        "question": "Which loss weights should MoDATTS train its segmentor with, when no target label is given?",
        "method": "MoDATTS",
        "task": "T1 → T2",
        "selection": "pseudo-target",
        "cost": "12 trials of 16 epochs and 10 tested runs: about 8 minutes on two cores",
        "sampler": "TPE, multivariate",
        "scheduler": Scheduler(
            name="asha", because="half the budget is spent on hopeless weights", grace=6, reduction=2
        ),
        "trials": 12,
        "finalists": 2,
        "seeds": (0, 1),
        "space": {
            ADV: Axis(low=0.5, high=50, log=True),
            REC: Axis(low=5, high=500, log=True),
            LAT: Axis(low=0.5, high=50, log=True),
            WIDTH: Axis(domain="choice", options=(8, 12, 16)),
            CODES: Axis(domain="choice", options=(4, 8)),
        },
        "nuisance": (CODES,),
        "fixed": {SEG: 100.0, "task.source_labels": 1.0, "task.target_labels": 0.0, "segmentation.lr": 1e-4},
        "shared_stages": ("translation", "synthesis"),
        "weights": WEIGHTS,
        "published": {
            ADV: Published(value=5.0, where=where),
            REC: Published(value=50.0, where=where),
            LAT: Published(value=5.0, where=where),
            SEG: Published(value=100.0, where=where),
            WIDTH: Published(value=16, where="thesis, table 5.2"),
        },
    }
    return SearchDesign(**{**settings, **changes})


def provenance(**changes) -> Provenance:
    settings = {
        "cohort": "brats2020-phantom",
        "phantom": True,
        "subjects": 40,
        "data_fingerprint": "9f1c02ab77de4410",
        "scale": "tiny",
        "git_commit": "4be1d02",
        "versions": {"medsearch": "0.1.0", "python": "3.11.9", "torch": "2.13.0", "ray": "2.60.0", "optuna": "5.0.0"},
        "machine": "x86_64, 2 cores, no GPU",
        "created": "2026-01-17T09:40:12+00:00",
        "skipped": (
            Skipped(subject="BraTS20_Training_012", problem="t2: truncated volume (BraTS20_Training_012_t2.nii.gz)"),
        ),
    }
    return Provenance(**{**settings, **changes})


def trials() -> tuple[Trial, ...]:
    made = []
    for number in range(12):
        draw = generator(number, "made-up trial")
        knobs = {
            ADV: float(np.exp(draw.uniform(np.log(0.5), np.log(50)))),
            REC: float(np.exp(draw.uniform(np.log(5), np.log(500)))),
            LAT: float(np.exp(draw.uniform(np.log(0.5), np.log(50)))),
            WIDTH: int(draw.choice([8, 12, 16])),
            CODES: int(draw.choice([4, 8])),
        }
        final = (
            0.62
            - 0.05 * abs(np.log(knobs[REC] / 60))
            - 0.04 * abs(np.log(knobs[ADV] / 4))
            + 0.01 * (knobs[WIDTH] - 8) / 4
        )
        pace = 0.55 if final < 0.5 else 0.22
        noise = draw.normal(0, 0.012, EPOCHS)
        curve = [
            (e, round(float(max(0, final * (1 - np.exp(-pace * e)) + noise[e - 1])), 4)) for e in range(1, EPOCHS + 1)
        ]
        made.append(_ended(number, knobs, curve))
    return tuple(made)


def _ended(number: int, knobs: dict, curve: list) -> Trial:
    if number == 4:
        reason = "segmentation, epoch 3: loss 'adv' became non-finite (knob segmentation.weights.adv)"
        return Trial(number=number, knobs=knobs, state="failed", curve=tuple(curve[:2]), seconds=8.1, reason=reason)
    if number in (6, 9):
        return Trial(
            number=number, knobs=knobs, state="cut", value=curve[5][1], curve=tuple(curve[:6]), seconds=14.0, rung=6
        )
    best = max(value for _, value in curve)
    return Trial(number=number, knobs=knobs, state="complete", value=best, curve=tuple(curve), seconds=34.5)


def replicate(label: str, seed: int, dice: float, *, value: float | None = None) -> Replicate:
    draw = generator(zlib.crc32(label.encode()), seed)
    scores = np.clip(dice + draw.normal(0, 0.06, len(TEST_CASES)), 0, 1)
    distances = 12 * (1 - scores)
    cases = tuple(
        {"subject": subject, "dice": float(score), "assd": float(distance)}
        for subject, score, distance in zip(TEST_CASES, scores, distances, strict=True)
    )
    dice, assd = float(scores.mean()), float(distances.mean())
    metrics = {"test/dice": dice, "test/dice_micro": dice + 0.02, "test/dice_volume": dice - 0.08, "test/assd": assd}
    return Replicate(seed=seed, value=value, metrics=metrics, cases=cases, seconds=41.0)


def finished() -> SearchResults:
    """The whole search; one reference run failed, and one prediction of the unadapted model is empty."""
    every = trials()
    best, second = sorted((t for t in every if t.state == "complete"), key=lambda trial: -trial.value)[:2]
    finalists = tuple(
        Finalist(
            number=trial.number,
            knobs=trial.knobs,
            replicates=tuple(
                replicate(str(trial.number), seed, dice, value=trial.value - 0.01 * seed) for seed in (0, 1)
            ),
        )
        for trial, dice in ((best, 0.60), (second, 0.57))
    )
    broken = Replicate(seed=1, state="failed", seconds=3.0, reason="out of memory: 2 workers asked for 9.1 GiB")
    poor = replicate("none", 0, 0.21)
    empty = ({**poor.cases[0], "assd": None}, *poor.cases[1:])
    poor = Replicate(seed=0, metrics=poor.metrics, cases=empty, seconds=22.0)
    return SearchResults(
        design=design(),
        provenance=provenance(),
        trials=every,
        importances={REC: 0.46, ADV: 0.27, WIDTH: 0.14, LAT: 0.09, CODES: 0.04},
        finalists=finalists,
        references=(
            ReferenceResults(label="No adaptation", replicates=(poor, replicate("none", 1, 0.19))),
            ReferenceResults(label="Target supervised", replicates=(replicate("target", 0, 0.68), broken)),
        ),
    )


def half_done() -> SearchResults:
    """Five trials in, one of them running; no finalist, no reference run yet."""
    every = trials()
    running = Trial(number=5, knobs=every[5].knobs, state="running", curve=every[5].curve[:4])
    return SearchResults(
        design=design(),
        provenance=provenance(skipped=()),
        trials=(*every[:5], running),
        references=(ReferenceResults(label="No adaptation"), ReferenceResults(label="Target supervised")),
    )


def draw_pictures(folder: Path) -> tuple[Picture, ...]:
    """Brain-like slices: translations, residuals, predictions over true masks, as rows of four test cases."""
    folder.mkdir(parents=True, exist_ok=True)
    titles = {
        "Translations": "T1, its translation to T2, and the subject's true T2",
        "Residuals": "target image, its healthy counterpart, and their difference",
        "Predicted over true masks": "true mask orange, prediction blue, on T2",
    }
    made = []
    for kind, (title, note) in enumerate(titles.items()):
        for number, subject in enumerate(TEST_CASES[:2]):
            panels = np.concatenate([_slice(number, kind, panel) for panel in range(3)], axis=1)
            path = folder / f"{kind}-{subject}.png"
            Image.fromarray(panels).resize((3 * 288, 288), Image.Resampling.BICUBIC).save(path)
            made.append(Picture(title=title, path=str(path), note=f"{subject}: {note}"))
    return tuple(made)


def _slice(number: int, kind: int, panel: int) -> np.ndarray:
    y, x = np.mgrid[-1:1:96j, -1:1:96j]
    draw = generator(number, "slice")
    brain = (x / 0.72) ** 2 + (y / 0.9) ** 2 < 1
    ventricles = ((abs(x) - 0.13) / 0.07) ** 2 + (y / 0.3) ** 2 < 1
    cx, cy = 0.38 - 0.7 * (number % 2), -0.2
    tumour = ((x - cx) / 0.2) ** 2 + ((y - cy) / 0.24) ** 2 < 1
    level = np.where(ventricles, 200 if panel else 40, 110 + 40 * np.cos(9 * x) * np.cos(7 * y))
    shown = np.where(tumour & ~((kind == 1) & (panel == 1)), 215 if panel else 70, level)
    image = np.where(brain, shown + draw.normal(0, 6, x.shape), 0).clip(0, 255).astype(np.uint8)
    rgb = np.repeat(image[..., None], 3, axis=2)
    if kind == 2 and panel:
        edge = tumour ^ (((x - cx - 0.02) / 0.17) ** 2 + ((y - cy) / 0.21) ** 2 < 1)
        rgb[edge] = (230, 159, 0) if panel == 1 else (0, 114, 178)
    if kind == 1 and panel == 2:
        rgb[:] = np.where(tumour[..., None], (240, 120, 40), 18).astype(np.uint8)
    return rgb
