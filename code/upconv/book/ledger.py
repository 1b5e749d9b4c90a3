"""The claims ledger: what the pages that readers come from say, and what the code says to that.

The rows stand in ``ledger.toml``; the book's page is built from them, and every settled row has a
test of its name.
"""

import tomllib
from dataclasses import dataclass, fields
from pathlib import Path

PATH = Path(__file__).with_name("ledger.toml")
SETTLED = ("true", "true if", "false", "history")
VERDICTS = (*SETTLED, "open")
PARTS = {
    "I": "From C to Cᵀ",
    "II": "Unpooling and upsampling",
    "III": "Autoencoders and artifacts",
    "IV": "Speed",
}


@dataclass(frozen=True)
class Source:
    """A page that readers come from.

    Attributes:
        id: ``"S0"`` to ``"S4"``, or ``"elsewhere"``.
        title: its title, in its own language.
        languages: the languages it is written in, as language tags.
        typed: what a reader typed who found it.
        about: what it is, in a phrase.
        address: where it lies, or "" where it does not say.
    """

    id: str
    title: str
    languages: tuple[str, ...]
    typed: str
    about: str
    address: str


@dataclass(frozen=True)
class Claim:
    """A row of the ledger.

    Attributes:
        id: lower-case words with hyphens; names the test and the section.
        sources: the ids of the sources that make the claim.
        claim: what they claim, in our words.
        verdict: one of `VERDICTS`.
        why: what decides it, in a sentence; "" while it is open.
        condition: under which it is true; "" unless the verdict is ``"true if"``.
        part: the part of the book that will settle it; "" unless it is open.
    """

    id: str
    sources: tuple[str, ...]
    claim: str
    verdict: str
    why: str = ""
    condition: str = ""
    part: str = ""

    @property
    def settled(self) -> bool:
        """Whether the book has a verdict on it."""
        return self.verdict in SETTLED

    @property
    def target(self) -> str:
        """The cross-reference target of the section that shows it.

        Example:
            >>> load().claim("backward-is-ct").target
            'claim-backward-is-ct'
        """
        return f"claim-{self.id}"

    @property
    def test(self) -> str:
        """The name of the test that decides it.

        Example:
            >>> load().claim("backward-is-ct").test
            'test_backward_is_ct'
        """
        return f"test_{self.id.replace('-', '_')}"


@dataclass(frozen=True)
class Ledger:
    """All the sources and all the claims, in the order of the file."""

    sources: tuple[Source, ...]
    claims: tuple[Claim, ...]

    def claim(self, id: str) -> Claim:
        """The claim of this id; `ValueError` if there is none."""
        for claim in self.claims:
            if claim.id == id:
                return claim
        raise ValueError(f"id: got {id!r}; want the id of a claim in {PATH.name}")

    def of(self, source: str) -> tuple[Claim, ...]:
        """The claims that one source makes, in the order of the file."""
        return tuple(claim for claim in self.claims if source in claim.sources)


def load(path: Path = PATH) -> Ledger:
    """Reads the ledger and checks every row.

    Raises:
        ValueError: names the row, and says what is wrong with it.

    Example:
        >>> load().claim("s1-snippet-runs").verdict
        'false'
    """
    content = tomllib.loads(path.read_text(encoding="utf-8"))
    _only(content, {"source", "claim"}, path.name)
    sources = tuple(_row(Source, row) for row in content.get("source", []))
    claims = tuple(_row(Claim, row) for row in content.get("claim", []))
    _distinct("source", sources)
    _distinct("claim", claims)
    for claim in claims:
        _check(claim, {source.id for source in sources})
    for source in sources:
        if not any(source.id in claim.sources for claim in claims):
            raise ValueError(f"source {source.id!r}: got no claim; want at least one")
    return Ledger(sources, claims)


def _row(kind: type, row: dict) -> "Source | Claim":
    name = f"{kind.__name__.lower()} {row.get('id', '(without id)')!r}"
    _only(row, {field.name for field in fields(kind)}, name)
    for key, value in row.items():
        want = list if key in ("sources", "languages") else str
        if not isinstance(value, want):
            raise ValueError(f"{name}: {key}: got {value!r}; want a {want.__name__}")
    try:
        return kind(**{k: tuple(v) if isinstance(v, list) else v for k, v in row.items()})
    except TypeError as error:  # the message lists the fields that are missing
        raise ValueError(f"{name}: {error}") from error


def _only(got: dict, want: set[str], name: str) -> None:
    if unknown := sorted(got.keys() - want):
        raise ValueError(f"{name}: got {', '.join(unknown)}; want only {', '.join(sorted(want))}")


def _distinct(kind: str, rows: tuple[Source, ...] | tuple[Claim, ...]) -> None:
    ids = [row.id for row in rows]
    for id in ids:
        if ids.count(id) > 1:
            raise ValueError(f"{kind} {id!r}: got it {ids.count(id)} times; want every id once")


def _check(claim: Claim, sources: set[str]) -> None:
    def refuse(field: str, want: str) -> None:
        raise ValueError(f"claim {claim.id!r}: {field}: got {getattr(claim, field)!r}; want {want}")

    if not claim.id.replace("-", "_").isidentifier() or claim.id != claim.id.lower():
        refuse("id", "lower-case words with hyphens")
    if not claim.claim.strip():
        refuse("claim", "a sentence")
    if not claim.sources or not set(claim.sources) <= sources:
        refuse("sources", f"ids among {', '.join(sorted(sources))}")
    if claim.verdict not in VERDICTS:
        refuse("verdict", f"one of {', '.join(VERDICTS)}")
    if bool(claim.why.strip()) != claim.settled:
        refuse("why", "a sentence" if claim.settled else "nothing while the claim is open")
    if bool(claim.condition.strip()) != (claim.verdict == "true if"):
        refuse("condition", "a condition for 'true if', and for nothing else")
    if claim.settled == bool(claim.part) or not (claim.settled or claim.part in PARTS):
        refuse("part", f"one of {', '.join(PARTS)} for an open claim, and for nothing else")
