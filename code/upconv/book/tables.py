"""Tables whose rows a cell computes: HTML that scrolls in its own box, plain text elsewhere."""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence

__all__ = ["Table"]


class Table:
    """Rows of text under a head; a cell that stands between backquotes is shown as code.

    Args:
        caption: what the table says, for those who hear it read; not shown.
        head: the names of the columns.
        rows: as many cells each as there are columns; anything that ``str`` takes.

    Raises:
        ValueError: for a row of another length.

    Example:
        >>> Table("Sizes", ["in", "call"], [(14, "`f(x)`")])
        in | call
        14 | f(x)
    """

    def __init__(self, caption: str, head: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
        self.caption, self.head = caption, list(head)
        self.rows = [[str(cell) for cell in row] for row in rows]
        for row in self.rows:
            if len(row) != len(self.head):
                raise ValueError(
                    f"rows: got {len(row)} cells in {row}; want {len(self.head)}, as in the head"
                )

    def __repr__(self) -> str:
        return "\n".join(
            " | ".join(cell.strip("`") for cell in row) for row in [self.head, *self.rows]
        )

    def _repr_html_(self) -> str:
        head = "".join(f'<th scope="col">{html.escape(name)}</th>' for name in self.head)
        rows = "".join(f"<tr>{''.join(map(_cell, row))}</tr>" for row in self.rows)
        # The box can be focused, so that it can be scrolled from the keyboard.
        return (
            f'<div class="upconv-table" role="region" aria-label="{html.escape(self.caption)}" '
            'tabindex="0" style="overflow-x: auto">'
            f'<table class="table"><thead><tr>{head}</tr></thead>'
            f"<tbody>{rows}</tbody></table></div>"
        )


def _cell(text: str) -> str:
    if len(text) < 2 or not text[0] == text[-1] == "`":
        return f"<td>{html.escape(text)}</td>"
    code = html.escape(text[1:-1])
    if len(code) <= 24:
        return f'<td><code class="literal">{code}</code></td>'
    # Long code is broken at its spaces and parentheses, in a column wide enough to be read.
    width, code = (9 if len(code) < 60 else 18), code.replace("(", "(<wbr>")
    style = "white-space: normal; overflow-wrap: normal"
    return (
        f'<td style="min-width: {width}rem">'
        f'<code class="literal" style="{style}">{code}</code></td>'
    )
