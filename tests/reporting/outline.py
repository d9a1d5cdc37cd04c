"""A page as a browser would read it."""

import re
from html.parser import HTMLParser


class Outline(HTMLParser):
    """What a browser would build: every element with its attributes, the words, and unbalanced elements."""

    VOID = ("meta", "link", "img", "line", "circle", "path", "br")

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements, self.words, self.open, self.faults, self.scripts = [], [], [], [], []
        self.feed(text)

    def handle_starttag(self, name, attributes):
        self.elements.append((name, dict(attributes)))
        if name not in self.VOID:
            self.open.append(name)

    def handle_startendtag(self, name, attributes):
        self.elements.append((name, dict(attributes)))

    def handle_endtag(self, name):
        if not self.open or self.open.pop() != name:
            self.faults.append(name)

    def handle_data(self, data):
        (self.scripts if self.open[-1:] in (["script"], ["style"]) else self.words).append(data)

    @property
    def text(self) -> str:
        return re.sub(r"\s+", " ", "".join(self.words))

    def attributes(self, name: str) -> list[str]:
        return [found[name] for _, found in self.elements if name in found]
