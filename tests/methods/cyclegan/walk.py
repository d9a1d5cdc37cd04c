from tests.methods.cyclegan.micro_cyclegan import MICRO_CYCLEGAN
from tests.methods.ssbr_cyclegan.walk import SSBR_CYCLEGAN
from tests.walk import Walk

CYCLEGAN = Walk(
    small=MICRO_CYCLEGAN,
    others={knob: value for knob, value in SSBR_CYCLEGAN.others.items() if knob.startswith("translation.cyclegan")},
    short={},
    task={},
    nodes={"translation": "translation"},
    synthesis=True,
)
WALKS = {"cyclegan": CYCLEGAN}
