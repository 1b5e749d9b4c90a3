"""The directives of the claims ledger's page; the rows come from ``upconv.book.ledger``.

``{claims} S0`` lists what one source claims, and ``{verdicts}`` says what each verdict means and
how many claims have it. Each row can be linked to as ``ledger-<id>``.
"""

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective
from upconv.book import ledger

MEANING = {
    "true": "the code shows it",
    "true if": "it holds under the condition that is named",
    "false": "the code shows a counter-example",
    "history": "a dated fact, cited and not executed",
    "open": "a later part of the book settles it",
}
LANGUAGE = {"en": "English", "zh": "Chinese", "ru": "Russian"}


class LedgerDirective(SphinxDirective):
    """What both directives share: the ledger, and paragraphs of MyST text."""

    def read(self) -> ledger.Ledger:
        self.env.note_dependency(str(ledger.PATH))  # an edited row rebuilds the page
        return ledger.load()

    def paragraph(self, text: str, kind: str, before: nodes.Node | None = None) -> nodes.paragraph:
        paragraph = nodes.paragraph("", "", classes=[kind])
        if before:
            paragraph += [before, nodes.Text(" ")]
        paragraph += self.state.inline_text(text, self.lineno)[0]
        return paragraph


class Verdicts(LedgerDirective):
    """What each verdict means, and how many claims have it."""

    def run(self) -> list[nodes.Node]:
        claims = self.read().claims
        listing = nodes.bullet_list(classes=["verdicts"])
        for verdict, meaning in MEANING.items():
            count = sum(claim.verdict == verdict for claim in claims)
            if not count:
                continue
            text = f"{count} of {len(claims)}: {meaning}."
            listing += nodes.list_item("", self.paragraph(text, "verdict-line", badge(verdict)))
        return [listing]


class Claims(LedgerDirective):
    """All the claims of one source."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        rows = self.read()
        for source in rows.sources:
            if source.id == self.arguments[0]:
                return [*self.head(source), *(self.row(claim) for claim in rows.of(source.id))]
        known = ", ".join(source.id for source in rows.sources)
        raise self.error(f"claims: got {self.arguments[0]!r}; want one of {known}")

    def head(self, source: ledger.Source) -> list[nodes.Node]:
        title = nodes.strong("", source.title, classes=[f"language-{source.languages[0]}"])
        languages = " and ".join(LANGUAGE[tag] for tag in source.languages)
        text = f"({languages}): {source.about}."
        if source.address:
            text += f" <{source.address}>"
        tag = "en" if source.typed.isascii() else source.languages[0]
        typed = nodes.emphasis("", source.typed, classes=[f"language-{tag}"])
        return [
            self.paragraph(text, "source", title),
            nodes.paragraph("", "", nodes.Text("Found by typing: "), typed, classes=["source"]),
        ]

    def row(self, claim: ledger.Claim) -> nodes.Node:
        kind = claim.verdict.replace(" ", "-")
        row = nodes.container(classes=["claim", f"claim-{kind}"])
        label = f"ledger-{claim.id}"
        if label not in self.state.document.nameids:  # a claim of two sources stands twice
            row["names"].append(label)
            self.state.document.note_explicit_target(row)
        row += self.paragraph(claim.claim, "claim-text")
        if not claim.settled:
            part = f"Part {claim.part}, {ledger.PARTS[claim.part]}"
            row += self.paragraph(f"Not yet settled: comes with {part}.", "why", badge("open"))
            return row
        row += self.paragraph(f"{claim.condition} {claim.why}", "why", badge(claim.verdict))
        shown = f"Shown in {{ref}}`{claim.target}`; decided by the test `{claim.test}`."
        row += self.paragraph(shown, "shown")
        return row


def badge(verdict: str) -> nodes.inline:
    """The verdict as a word; the style sheet adds its colour and its sign."""
    kind = verdict.replace(" ", "-")
    return nodes.inline("", verdict.capitalize(), classes=["verdict", f"verdict-{kind}"])


def setup(app: Sphinx) -> dict:
    app.add_directive("claims", Claims)
    app.add_directive("verdicts", Verdicts)
    app.add_css_file("ledger.css")
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
