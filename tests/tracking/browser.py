"""A page of MLflow's as headless Chromium sees it."""

import shutil
import subprocess
import tempfile

NAMES = ("chromium", "chromium-browser", "google-chrome")
CHROMIUM = next((path for name in NAMES if (path := shutil.which(name))), None)
BUDGETS_MS = (60_000, 120_000, 240_000)


def page(url: str, awaited: str, *, times: int = 1) -> str:
    """The document once its scripts have run; opened again, with more time, until it holds so often what is awaited."""
    found = ""
    for budget in BUDGETS_MS:
        found = _opened(url, budget)
        if found.count(awaited) >= times:
            break
    return found


def _opened(url: str, budget_ms: int) -> str:
    assert CHROMIUM is not None
    with tempfile.TemporaryDirectory(prefix="chromium-", ignore_cleanup_errors=True) as profile:
        command = [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={profile}"]
        command += ["--window-size=1800,3000", f"--virtual-time-budget={budget_ms}", "--dump-dom", url]
        return subprocess.run(command, capture_output=True, text=True, timeout=180, check=False).stdout
