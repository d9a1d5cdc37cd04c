"""Print one of the README's two commands: the first line of the code block after `<!-- command: NAME -->`."""

import re
import sys
from pathlib import Path

README = Path(__file__).parent.parent / "README.md"


def command(name: str) -> str:
    """The command marked NAME."""
    block = re.search(rf"<!-- command: {name} -->\s*```sh\n(.+?)\n```", README.read_text(), re.DOTALL)
    if block is None:
        msg = f"README.md marks no command {name!r}"
        raise SystemExit(msg)
    return block.group(1)


if __name__ == "__main__":
    print(command(sys.argv[1]))
