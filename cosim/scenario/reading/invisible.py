"""Characters that nobody sees: tabs where YAML allows them, and what web pages leave in a text."""

from __future__ import annotations

import unicodedata
from typing import Any

from ruamel.yaml.scanner import Scanner

# General categories: formats (zero-width, byte order mark), spaces, separators, controls.
_CATEGORIES = ("Cf", "Zs", "Zl", "Zp", "Cc")


class TabScanner(Scanner):
    """This scanner reads YAML 1.2's tabs: they cannot indent, and separate wherever a space does
    (section 6.2)."""

    def scan_to_next_token(self) -> Any:
        """Skips spaces, tabs, comments and line breaks."""
        token = super().scan_to_next_token()
        while self.reader.peek() == "\t" and self._separates():
            while self.reader.peek() in " \t":
                self.reader.forward()
            token = super().scan_to_next_token()
        return token

    def scan_plain_spaces(self, indent: Any, start_mark: Any) -> Any:
        """The white space inside of unquoted text, tabs and all; none at the end of a line."""
        length = 0
        while self.reader.peek(length) in " \t":
            length += 1
        between = self.reader.prefix(length)
        if "\t" not in between:
            return super().scan_plain_spaces(indent, start_mark)
        self.reader.forward(length)
        ends = self.reader.peek() in "\r\n\0"
        return super().scan_plain_spaces(indent, start_mark) if ends else [between]

    def _separates(self) -> bool:
        """Whether a tab stands behind something, or on a line with nothing but a comment."""
        if self.reader.buffer[self.reader.pointer - self.reader.column : self.reader.pointer].strip(
            " \t"
        ):
            return True
        ahead = 0
        while self.reader.peek(ahead) in " \t":
            ahead += 1
        return self.reader.peek(ahead) in "#\r\n\0"


def is_invisible(char: str) -> bool:
    """Whether a character looks like nothing or like a plain space, and is neither."""
    return char not in " \t\r\n" and unicodedata.category(char) in _CATEGORIES


def called(char: str) -> str:
    """A character in words: a no-break space (U+00A0)."""
    name = unicodedata.name(char, "control character").lower()
    return f"a {name} (U+{ord(char):04X})"


def invisible_in(text: str) -> str | None:
    """The first invisible character of a text, in words; None where there is none."""
    return next((f"{called(char)}, which is not seen" for char in text if is_invisible(char)), None)


def invisible_near(text: str, first: int, last: int) -> str:
    """What to add to a message about these lines (1-based) where one holds such a character."""
    lines = text.split("\n")
    for number in range(max(first - 1, 1), min(last, len(lines)) + 1):
        for column, char in enumerate(lines[number - 1], 1):
            if is_invisible(char):
                return (
                    f"; line {number} holds {called(char)}, which is not seen, in column {column}: "
                    "write a plain space, or nothing"
                )
    return ""
