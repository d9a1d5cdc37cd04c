"""One cohort with vestibular schwannomas for all tests of this floor, as files and as what is known of its subjects."""

import pytest

from medsearch.cohorts.layouts import layout
from medsearch.phantoms import write_crossmoda
from medsearch.phantoms.vestibular.writing import VestibularSubject, vestibular_subject
from tests.phantoms.vestibular.written_vestibular import SPEC, WrittenCohort


@pytest.fixture(scope="session")
def subjects() -> list[VestibularSubject]:
    return [vestibular_subject(SPEC, number) for number in range(SPEC.cases)]


@pytest.fixture(scope="session")
def cohort(tmp_path_factory: pytest.TempPathFactory) -> WrittenCohort:
    root = write_crossmoda(SPEC, tmp_path_factory.mktemp("vestibular") / "cohort")
    return WrittenCohort(root, layout("crossmoda2022").scan(root).cohort)
