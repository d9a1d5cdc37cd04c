"""What is said of a read outside a stage's declaration, by the view of any kind of task."""


def undeclared(part: str, reads: frozenset[str]) -> str:
    """Which part, what was declared, and the remedy."""
    return f"part {part!r} was not declared; the stage reads {sorted(reads)}: add the part to its reads() or leave it"
