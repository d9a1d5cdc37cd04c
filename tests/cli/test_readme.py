"""The README's commands are those that CI runs, and its links lead somewhere."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()


@pytest.mark.parametrize("name", ["study", "tests"])
def test_each_command_is_one_line_that_the_shell_understands(name: str) -> None:
    printed = subprocess.run(
        [sys.executable, ROOT / ".ci" / "readme_command.py", name], capture_output=True, text=True, check=True
    ).stdout.strip()
    assert len(printed.splitlines()) == 1
    assert printed in README
    steps = [shlex.split(step) for step in printed.split("&&")]
    assert steps[0][:3] == ["python3", "-m", "venv"]
    assert steps[1][0] == ".venv/bin/pip"
    files = [word for word in steps[2] if word.endswith(".py")]
    assert all((ROOT / word).exists() for word in files)


def test_every_study_command_of_the_readme_parses() -> None:
    for line in re.findall(r"^python (studies/\S+\.py.*)$", README, re.MULTILINE):
        words = shlex.split(line, comments=True)
        help_only = [sys.executable, str(ROOT / words[0]), *words[1:], "--help"]
        assert subprocess.run(help_only, capture_output=True, check=False).returncode == 0, line


def test_links_lead_somewhere() -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", README):
        assert (ROOT / target).exists(), target


def test_the_top_level_holds_what_it_should() -> None:
    shown = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    top = {name.split("/")[0] for name in shown if not name.startswith(".")}
    assert top == {"pyproject.toml", "README.md", "LICENSE", "studies", "medsearch", "tests", "cluster", "dashboards"}
