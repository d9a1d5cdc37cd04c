"""Affine registration of one volume to another (thesis, section 5.5.1), the same on every run and under any load.

The measure is the mutual information across contrasts and the correlation within one. Both volumes are averaged to
about 2 mm first: a resolution at which an affine of a head is found to a fraction of a voxel, in seconds. First a rigid
motion is sought, by edges and then by the measure; the affine begins there. Transforms are (4, 4) matrices from
millimetres of the atlas to millimetres of the case, in NIfTI's world (x right, y front, z up).

A registration begins with two volumes' edges, which say in any contrast where skin, skull and brain end: the gradients'
magnitudes of smoothed volumes. Unlike mutual information they have no far optimum in which two slabs of a head hardly
overlap.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from medsearch.imaging.image_files import Matrix, Volume

if TYPE_CHECKING:
    import SimpleITK as sitk  # noqa: N813

LEAST_OVERLAP = 0.5
_SMOOTHING_MM, _SHRINK = 2.5, 2
_UP_MM, _BACK_MM = range(-36, 37, 6), (-12, 0, 12)
_STARTS = 2
_EVERY = 3  # edges are compared at every so many voxels


def edges_of(image: "sitk.Image") -> "sitk.Image":
    """The magnitude of the gradient, at half the resolution."""
    import SimpleITK as sitk  # noqa: N813

    return sitk.BinShrink(sitk.GradientMagnitudeRecursiveGaussian(image, _SMOOTHING_MM), [_SHRINK] * 3)


def probed(affine: Callable[[tuple[float, ...]], Sequence[float]]) -> Matrix:
    """The matrix of a function of points that is affine."""
    origin, *ends = (np.array(affine(tuple(point))) for point in np.vstack([np.zeros(3), np.eye(3)]))
    matrix = np.eye(4)
    matrix[:3, :3] = np.stack([end - origin for end in ends], axis=1)
    matrix[:3, 3] = origin
    return matrix


def matched(fixed: "sitk.Image", transform: "sitk.Transform", moving: "sitk.Image") -> Matrix:
    """From voxels (x, y, z) of one volume to voxels of the other."""
    return (
        np.linalg.inv(probed(moving.TransformContinuousIndexToPhysicalPoint))
        @ probed(transform.TransformPoint)
        @ probed(fixed.TransformContinuousIndexToPhysicalPoint)
    )


@dataclass(frozen=True, eq=False)
class Edges:
    """The edges of two volumes, and how well they fall on each other under a transform from the first to the second."""

    fixed: "sitk.Image"
    moving: "sitk.Image"

    def starts(self) -> "list[sitk.Euler3DTransform]":
        """The best of many shifts along the body and from front to back, where fields of view differ most."""
        import SimpleITK as sitk  # noqa: N813

        kinds = sitk.CenteredTransformInitializerFilter
        tried = []
        for kind in (kinds.GEOMETRY, kinds.MOMENTS):  # the middles of the fields of view, or of what they show
            middle = sitk.CenteredTransformInitializer(self.fixed, self.moving, sitk.Euler3DTransform(), kind)
            for up, back in product(_UP_MM, _BACK_MM):
                start = sitk.Euler3DTransform(middle)
                start.SetTranslation(np.add(start.GetTranslation(), (0, back, up)).tolist())
                tried.append(start)
        return sorted(tried, key=self.score, reverse=True)[:_STARTS]

    def score(self, transform: "sitk.Transform") -> float:
        """Squared correlation, less where less overlaps: on a thin slice of air any two volumes agree."""
        seen = self._seen(transform)
        inside = np.isfinite(seen)
        if inside.mean() < LEAST_OVERLAP:
            return -1.0
        return float(inside.mean() * np.corrcoef(self._probes[1][inside], seen[inside])[0, 1] ** 2)

    def overlap(self, transform: "sitk.Transform") -> float:
        """The share of the first volume that lies within the second."""
        return float(np.isfinite(self._seen(transform)).mean())

    def _seen(self, transform: "sitk.Transform") -> NDArray[np.float64]:
        """The second volume where the probes of the first lie in it; NaN outside."""
        from scipy import ndimage

        there = matched(self.fixed, transform, self.moving)
        at = there[:3, :3] @ self._probes[0] + there[:3, 3:]
        seen: NDArray[np.float64] = ndimage.map_coordinates(self._values, at, order=1, cval=np.nan)
        return seen

    @cached_property
    def _probes(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Indices (x, y, z) of every so many voxels of the first volume, (3, n), and its values there."""
        values = _voxels(self.fixed)
        at = np.stack(np.meshgrid(*(np.arange(0, size, _EVERY) for size in values.shape), indexing="ij")).reshape(3, -1)
        return at.astype(np.float64), values[tuple(at)]

    @cached_property
    def _values(self) -> NDArray[np.float64]:
        return _voxels(self.moving)


def _voxels(image: "sitk.Image") -> NDArray[np.float64]:
    """(x, y, z) of an image."""
    import SimpleITK as sitk  # noqa: N813

    array: NDArray[np.float64] = sitk.GetArrayFromImage(image).T.astype(np.float64)
    return array


REGISTRATION_VERSION = 1
"""Raised whenever equal files would be laid otherwise; then `PreparedVolumes.VERSION` is, too."""

WORKING_MM = 2.0
_MARGIN_MM = 8.0
_BINS = 32
_SAMPLED, _SEED = 0.1, 20
_ITERATIONS = 200
_NEAR_UP_MM = (-24, -16, -8, 0, 8, 16, 24)
_FINISHED = 2
_QUANTILES = (0.01, 0.995)  # what is darker or brighter (fat, vessels) says little of where the head lies
_FLIP = np.diag([-1.0, -1.0, 1.0, 1.0])  # SimpleITK's world against NIfTI's
# Heads differ less than this, and are never lain further aslant; a fit that says otherwise has gone astray.
_LEAST_SCALE, _MOST_SCALE = 0.7, 1.4
_MOST_DEGREES = 45.0

Measure = Literal["correlation", "information"]
_LEAST: dict[Measure, float] = {"correlation": 0.1, "information": 0.1}


class RegistrationFailed(Exception):
    """What is wrong with the fit, in words."""


@dataclass(frozen=True, eq=False)
class Fit:
    """Where the atlas's points lie in the case; how alike the two are then (squared correlation, or nats).

    overlap: the share of the atlas that the case's field of view covers.
    """

    matrix: Matrix
    likeness: float
    overlap: float


@dataclass(frozen=True, eq=False)
class Atlas:
    """A volume that others are registered to."""

    volume: Volume

    def register(self, case: Volume, measure: Measure) -> Fit:
        """The affine from the atlas to `case`.

        Raises:
            RegistrationFailed: there is none that can be believed.

        """
        import SimpleITK as sitk  # noqa: N813

        # Sums over threads come out in another order each time; the filters' own counts of threads do not reach all.
        sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(1)
        sitk.ProcessObject.GlobalWarningDisplayOff()  # of starts from which nothing overlaps; they are passed over
        try:
            fixed, smoothed_fixed, edges_fixed = self._versions
            moving = _averaged(case)
            smoothed, edges = _smoothed(moving), Edges(edges_fixed, edges_of(moving))
            starts = (_improved("correlation", start, edges.fixed, edges.moving) for start in edges.starts())
            first = max(starts, key=edges.score)
            near = []
            for up in _NEAR_UP_MM:  # along the body a slab of a head has optima of its own
                start = sitk.Euler3DTransform(first)
                start.SetTranslation(np.add(first.GetTranslation(), (0, 0, up)).tolist())
                near.append((start, start))
            rough = _optima(measure, near, smoothed_fixed, smoothed)
            rough.sort(key=lambda optimum: optimum[1] * edges.overlap(optimum[0]), reverse=True)
            affines = []
            for rigid, _ in rough[:_FINISHED]:
                affine = sitk.AffineTransform(3)
                affine.SetCenter(rigid.GetCenter())
                affine.SetMatrix(rigid.GetMatrix())
                affine.SetTranslation(rigid.GetTranslation())
                affines.append((affine, rigid))
            fine = _optima(measure, affines, fixed, moving)
            affine, likeness = max(fine, key=lambda optimum: optimum[1] * edges.overlap(optimum[0]))
        except RuntimeError as error:  # the volumes never overlapped, say; its text spans many lines
            msg = "the search for a transform broke off"
            raise RegistrationFailed(msg) from error
        fit = Fit(_FLIP @ probed(affine.TransformPoint) @ _FLIP, likeness, edges.overlap(affine))
        _refuse(fit, _LEAST[measure])
        return fit

    @cached_property
    def _versions(self) -> "tuple[sitk.Image, sitk.Image, sitk.Image]":
        """The volume averaged, smoothed, and its edges."""
        averaged = _averaged(self.volume)
        return averaged, _smoothed(averaged), edges_of(averaged)


def _covered(fixed: "sitk.Image", moving: "sitk.Image", rigid: "sitk.Transform") -> "sitk.Image":
    """1 where the case covers the atlas with `_MARGIN_MM` to spare, 0 elsewhere.

    Without it the measures gain from stretching the case until only what agrees is left of it.
    """
    import SimpleITK as sitk  # noqa: N813

    there = matched(fixed, rigid, moving)
    at = np.einsum("ij,j...->i...", there[:3, :3], np.indices(fixed.GetSize(), dtype=np.float32))
    at += there[:3, 3].reshape(3, 1, 1, 1)
    spare = (_MARGIN_MM / np.array(moving.GetSpacing())).reshape(3, 1, 1, 1)
    size = np.array(moving.GetSize()).reshape(3, 1, 1, 1)
    inside = ((at >= spare) & (at <= size - 1 - spare)).all(axis=0)
    mask = sitk.GetImageFromArray(np.ascontiguousarray(inside.T, dtype=np.uint8))
    mask.CopyInformation(fixed)
    return mask


def _averaged(volume: Volume) -> "sitk.Image":
    """The volume averaged to about `WORKING_MM`, its range cut to what most voxels hold."""
    import SimpleITK as sitk  # noqa: N813

    low, high = np.quantile(volume.array, _QUANTILES)
    image = sitk.GetImageFromArray(np.ascontiguousarray(np.clip(volume.array, low, high).T, dtype=np.float32))
    edges = volume.spacing
    affine = _FLIP @ volume.affine
    image.SetSpacing(edges)
    image.SetOrigin(affine[:3, 3].tolist())
    image.SetDirection((affine[:3, :3] / edges).ravel().tolist())
    return sitk.BinShrink(image, [max(1, round(WORKING_MM / edge)) for edge in edges])


def _smoothed(image: "sitk.Image") -> "sitk.Image":
    """At half the resolution: fewer optima, to begin with."""
    import SimpleITK as sitk  # noqa: N813

    return sitk.BinShrink(sitk.SmoothingRecursiveGaussian(image, WORKING_MM), [2] * 3)


def _improved(
    measure: Measure,
    start: "sitk.Transform",
    fixed: "sitk.Image",
    moving: "sitk.Image",
    *,
    compared: "sitk.Image | None" = None,
) -> "sitk.Transform":
    """`start` moved to the nearest optimum of what is compared: all of `fixed`, or where the mask is 1."""
    method = _method(measure, compared)
    method.SetOptimizerAsRegularStepGradientDescent(
        learningRate=1.0, minStep=1e-3, numberOfIterations=_ITERATIONS, gradientMagnitudeTolerance=1e-6
    )
    method.SetOptimizerScalesFromPhysicalShift()
    transform = type(start)(start)
    method.SetInitialTransform(transform, inPlace=True)
    method.Execute(fixed, moving)
    return transform


def _optima(
    measure: Measure,
    starts: "Sequence[tuple[sitk.Transform, sitk.Transform]]",
    fixed: "sitk.Image",
    moving: "sitk.Image",
) -> "list[tuple[sitk.Transform, float]]":
    """The optimum next to each start, and the likeness there; a start from which the two never overlap is passed over.

    starts: each with a first guess of how `moving` lies; the two are compared where it then covers `fixed`.

    Raises:
        RuntimeError: nothing is found from any.

    """
    optima, last = list["tuple[sitk.Transform, float]"](), RuntimeError("no start")
    for start, guess in starts:
        compared = _covered(fixed, moving, guess)
        try:
            transform = _improved(measure, start, fixed, moving, compared=compared)
            method = _method(measure, compared)
            method.SetInitialTransform(transform)
            optima.append((transform, -float(method.MetricEvaluate(fixed, moving))))
        except RuntimeError as error:
            last = error
    if not optima:
        raise last
    return optima


def _method(measure: Measure, compared: "sitk.Image | None") -> "sitk.ImageRegistrationMethod":
    import SimpleITK as sitk  # noqa: N813

    method = sitk.ImageRegistrationMethod()
    if measure == "correlation":
        method.SetMetricAsCorrelation()
    else:
        method.SetMetricAsMattesMutualInformation(_BINS)
    method.SetMetricSamplingStrategy(method.REGULAR)
    method.SetMetricSamplingPercentage(_SAMPLED, _SEED)
    method.SetInterpolator(sitk.sitkLinear)
    if compared is not None:
        method.SetMetricFixedMask(compared)
    return method


def _refuse(fit: Fit, least: float) -> None:
    left, scales, right = np.linalg.svd(fit.matrix[:3, :3])
    turned = np.degrees(np.arccos(np.clip((np.trace(left @ right) - 1) / 2, -1, 1)))
    if fit.likeness < least:
        msg = f"the two stay unlike ({fit.likeness:.3f}, at least {least:g} is expected)"
    elif fit.overlap < LEAST_OVERLAP:
        msg = f"it covers {fit.overlap:.0%} of the atlas only"
    elif scales.min() < _LEAST_SCALE or scales.max() > _MOST_SCALE:
        msg = f"it would have to be scaled {scales.min():.2f} to {scales.max():.2f} times"
    elif turned > _MOST_DEGREES or np.linalg.det(fit.matrix[:3, :3]) < 0:
        msg = f"it would have to be turned by {turned:.0f} degrees, or mirrored"
    else:
        return
    raise RegistrationFailed(msg)
