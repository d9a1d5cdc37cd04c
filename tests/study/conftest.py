"""The toy method must be importable here and in Ray's workers, which are started with this environment."""

import os
import sys
from pathlib import Path

HERE = str(Path(__file__).parent)
if HERE not in sys.path:
    sys.path.insert(0, HERE)
ALL = str(Path(__file__).parent.parent)  # where the stage that runs out of memory lies
os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [HERE, ALL, os.environ.get("PYTHONPATH", "")]))
