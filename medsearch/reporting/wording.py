"""How knobs, numbers, durations and selection rules are written, the same in every table, figure and sentence."""

import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import wraps
from html import escape
from typing import TYPE_CHECKING, Any, ParamSpec

from medsearch.stages.method import Selection
from medsearch.study.record.headers import Truth

if TYPE_CHECKING:
    from medsearch.reporting.variance_components import Interval

P = ParamSpec("P")

NOTHING = "–"  # an empty cell

_SELECTION: Mapping[Selection, str] = {
    "source": "source labels only; no target label was seen",
    "pseudo-target": "translated source images with their source labels; no target label was seen",
    "none": "nothing is looked at; the weights of the last epoch count",
}
_ORACLE: Mapping[Truth, tuple[str, str]] = {"labels": ("target labels", "adaptation"), "pairs": ("pairs", "synthesis")}
"""What an oracle sees, and what is then no longer unsupervised."""


def selection_rule(rule: Selection, truth: Truth) -> str:
    """What the rule by which a model was selected has seen, in words for a caption."""
    if rule != "oracle":
        return _SELECTION[rule]
    seen, aim = _ORACLE[truth]
    return f"{seen} (oracle): an upper bound, not unsupervised {aim}"


def oracle_chose(what: str, truth: Truth) -> str:
    """What must be said where an oracle chose something."""
    seen, aim = _ORACLE[truth]
    return f"{seen} chose {what}: no unsupervised {aim}."


@dataclass(frozen=True)
class KnobName:
    """A knob as people say it: loss weights are λ with an index, other knobs the end of their path."""

    path: str
    index: str  # the end of the path that tells it from its neighbours
    weight: bool

    @property
    def text(self) -> str:
        """As it stands in plain text, a terminal and csv files: `λ_rec`."""
        return f"λ_{self.index}" if self.weight else self.index.replace("_", " ")

    @property
    def html(self) -> str:
        """HTML, also for labels that plotly draws; escaped."""
        return f"λ<sub>{escape(self.index)}</sub>" if self.weight else escape(self.text)

    @property
    def tex(self) -> str:
        """LaTeX; the index of a weight is letters."""
        return rf"$\lambda_{{\mathrm{{{tex(self.index)}}}}}$" if self.weight else tex(self.text)

    @property
    def mathtext(self) -> str:
        """For labels that matplotlib draws, whose mathtext sets what stands between dollar signs."""
        index = "".join(c if c.isalnum() else r"\ " for c in self.index)
        return rf"$\lambda_\mathrm{{{index}}}$" if self.weight else self.text.replace("$", r"\$")


def knob_names(paths: Iterable[str]) -> dict[str, KnobName]:
    """The shortest name of each path that is unique among them.

    >>> [name.text for name in knob_names(["segmentation.weights.rec", "segmentation.width"]).values()]
    ['λ_rec', 'width']
    """
    paths = tuple(dict.fromkeys(paths))
    words = {path: [word for word in path.split(".") if word != "weights"] or [path] for path in paths}

    def ending(path: str, length: int) -> str:
        return " ".join(words[path][-length:])

    names = {}
    for path in paths:
        lengths = range(1, len(words[path]) + 1)
        others = [other for other in paths if other != path]
        unique = (n for n in lengths if all(ending(path, n) != ending(other, n) for other in others))
        index = ending(path, next(unique, len(words[path])))
        names[path] = KnobName(path, index, weight=path.split(".")[-2:-1] == ["weights"])
    return names


def number(value: Any) -> str:
    """A knob's value: three significant digits for fractions, everything else as it is."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return NOTHING if value is None else str(value)
    if not math.isfinite(value):
        return str(value)
    if abs(value) < 1e6 and (value == int(value) or abs(value) >= 1000):
        return f"{value:.0f}"
    return re.sub(r"e([+-])0*", r"e\1", f"{value:.3g}").replace("e+", "e")


def settings(knobs: Mapping[str, Any], names: Mapping[str, KnobName]) -> str:
    """`λ_rec = 50 and width = 16`; empty without knobs."""
    return listed(f"{names[path].text} = {number(value)}" for path, value in knobs.items())


def score(value: float | None, digits: int = 3) -> str:
    """A score with so many digits after the point; a dash where there is none or it is not finite."""
    return NOTHING if value is None or not math.isfinite(value) else f"{value:.{digits}f}"


def percent(share: float | None) -> str:
    """A share of 1 in whole percent, 0.91 as `91%`; a dash where there is none."""
    return NOTHING if share is None else f"{100 * share:.0f}%"


def percent_interval(share: "Interval") -> str:
    """A share with its interval, `93% [90, 95]`; `41% (no useful interval with 2 seeds)` where it is too wide."""
    text = percent(share.estimate)
    if share.bounds:
        return f"{text} [{100 * share.bounds[0]:.0f}, {100 * share.bounds[1]:.0f}]"
    return f"{text} ({share.reason})" if share.wide else text


def duration(seconds: float | None) -> str:
    """A time in the two units that matter, `6 min 12 s`."""
    if seconds is None:
        return NOTHING
    if seconds < 60:
        return f"{seconds:.1f} s" if seconds < 9.95 else f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min" if hours < 48 else f"{hours // 24} d {hours % 24} h"


def counted(count: int, noun: str) -> str:
    """A number of things, the noun in its plural but for one of them: `1 trial`, `2 trials`."""
    return f"{count} {noun}{'' if count == 1 else 's'}"


def listed(words: Iterable[Any]) -> str:
    """Words as a list within a sentence: `a, b and c`; empty without any."""
    *first, last = [str(word) for word in words] or [""]
    return f"{', '.join(first)} and {last}" if first else last


def gathered(lines: Callable[P, Iterator[str]]) -> Callable[P, tuple[str, ...]]:
    """For a function that yields lines: it returns them all."""

    @wraps(lines)
    def gather(*given: P.args, **named: P.kwargs) -> tuple[str, ...]:
        return tuple(lines(*given, **named))

    return gather


def slug(text: str) -> str:
    """`text` as part of a LaTeX label or a file's name."""
    return "".join(c if c.isalnum() else "-" for c in text)


_TEX = {
    **{c: f"\\{c}" for c in "&%$#_{}"}, **{c: f"{{{c}}}" for c in "[]*"},
    "\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": r"\textless{}",
    ">": r"\textgreater{}", "|": r"\textbar{}", "±": r"$\pm$", "→": r"$\rightarrow$", "×": r"$\times$",
    "−": "$-$", "–": "--", "λ": r"$\lambda$", "≥": r"$\geq$", "≤": r"$\leq$", "ρ": r"$\rho$", "\n": " ", "\r": " ",
    "†": r"\dag{}", "“": "``", "”": "''", "’": "'", "Δ": r"$\Delta$", "α": r"$\alpha$", "β": r"$\beta$",
    "µ": r"$\mu$", "σ": r"$\sigma$", "≈": r"$\approx$", "←": r"$\leftarrow$", "↔": r"$\leftrightarrow$",
    "↑": r"$\uparrow$", "↓": r"$\downarrow$", "·": r"$\cdot$", "…": r"\ldots{}", "—": "---", "\u00a0": "~",
}  # fmt: skip


def tex(text: str) -> str:
    """`text` for LaTeX: its special characters escaped, our own symbols as commands, `λ_rec` as a symbol."""

    def letter(one: str) -> str:
        """Itself, if LaTeX's usual fonts have it (Latin letters); else its code point, which compiles."""
        return _TEX.get(one) or (one if " " <= one <= "~" or "¡" <= one <= "ž" else rf"\texttt{{U+{ord(one):04X}}}")

    return re.sub(r"\$\\lambda\$\\_(\w+)", r"$\\lambda_{\\mathrm{\1}}$", "".join(map(letter, text)))


def html(text: str) -> str:
    """`text` for HTML: escaped, `λ_rec` with a true index, an interval never broken over two lines."""
    indexed = re.sub(r"λ_(\w+)", r"λ<sub>\1</sub>", escape(text))
    return re.sub(r"\d+–\d+%", r"<span class='whole'>\g<0></span>", indexed)


def markdown(text: str) -> str:
    """`text` for a Markdown table cell or line: nothing in it acts as markup."""
    flat = " ".join(text.splitlines()).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return "".join(f"\\{c}" if c in r"\`*_[]|#$~" else c for c in flat)
