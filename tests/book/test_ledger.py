"""The ledger is whole: rows have a source, a section and a test; damage is refused."""

import ast
import re
from pathlib import Path

import pytest
from sphinx.testing.util import SphinxTestApp
from upconv.book import ledger

ROOT = Path(__file__).resolve().parents[2]
BOOK = ROOT / "book"
CLAIMS = sorted(Path(__file__).parent.glob("test_claims_*.py"))


def test_the_five_pages_are_its_sources():
    ids = [source.id for source in ledger.load().sources]
    assert ids == ["S0", "S1", "S2", "S3", "S4", "elsewhere"]


def test_every_settled_claim_has_a_test_of_its_name_and_no_test_is_without_a_claim():
    tests = [
        node.name
        for path in CLAIMS
        for node in ast.parse(path.read_text(encoding="utf-8")).body
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
    ]
    assert sorted(tests) == sorted(claim.test for claim in ledger.load().claims if claim.settled)


def test_every_settled_claim_has_one_section_that_shows_it():
    chapters = [path for path in BOOK.rglob("*.md") if path.parent.name != "back-matter"]
    text = "\n".join(path.read_text(encoding="utf-8") for path in chapters)
    targets = re.findall(r"^\((claim-[a-z0-9-]+)\)=$", text, re.MULTILINE)
    claims = ledger.load().claims
    assert len(targets) == len(set(targets))
    assert {claim.target for claim in claims if claim.settled} <= set(targets)
    # A section may begin on a claim that a later part settles, but on no unknown one.
    assert set(targets) <= {claim.target for claim in claims}


def test_the_page_has_every_source():
    page = (BOOK / "back-matter" / "claims.md").read_text(encoding="utf-8")
    listed = re.findall(r"^```\{claims\} (\S+)$", page, re.MULTILINE)
    assert listed == [source.id for source in ledger.load().sources]


def test_an_unknown_id_is_refused():
    with pytest.raises(ValueError, match="id: got 'no-such-claim'"):
        ledger.load().claim("no-such-claim")


SOURCE = """
[[source]]
id = "S0"
title = "A page"
languages = ["en"]
typed = "a question"
about = "a page"
address = ""
"""
SETTLED = """
[[claim]]
id = "water-is-wet"
sources = ["S0"]
claim = "Water is wet."
verdict = "true if"
condition = "it is liquid."
why = "Ice is dry."
"""
OPEN = """
[[claim]]
id = "ice-is-wet"
sources = ["S0"]
claim = "Ice is wet."
verdict = "open"
part = "II"
"""


def load(tmp_path, text):
    path = tmp_path / "ledger.toml"
    path.write_text(text, encoding="utf-8")
    return ledger.load(path)


def test_a_sound_ledger_is_read(tmp_path):
    rows = load(tmp_path, SOURCE + SETTLED + OPEN)
    assert [claim.settled for claim in rows.claims] == [True, False]
    assert rows.of("S0") == rows.claims
    assert rows.claim("water-is-wet").condition == "it is liquid."


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('"water-is-wet"', '"Water is wet"', "claim 'Water is wet': id: got"),
        (
            '"water-is-wet"',
            '"ice-is-wet"',
            "claim 'ice-is-wet': got it 2 times; want",
        ),
        ('sources = ["S0"]', 'sources = ["S9"]', "claim 'water-is-wet': sources: got .*S9"),
        ('sources = ["S0"]', "sources = []", "claim 'water-is-wet': sources: got"),
        (
            'sources = ["S0"]',
            'sources = "S0"',
            "claim 'water-is-wet': sources: got 'S0'; want",
        ),
        ('claim = "Water is wet."', "", "claim 'water-is-wet': .* missing .* 'claim'"),
        ('claim = "Water is wet."', 'claim = " "', "claim 'water-is-wet': claim: got"),
        ('"true if"', '"perhaps"', "verdict: got 'perhaps'; want one of true, true if, false"),
        ('"true if"', '"true"', "claim 'water-is-wet': condition: got 'it is liquid.'"),
        ('condition = "it is liquid."', "", "claim 'water-is-wet': condition: got ''"),
        ('why = "Ice is dry."', "", "claim 'water-is-wet': why: got ''; want a sentence"),
        ('why = "Ice is dry."', "why = 3", "claim 'water-is-wet': why: got 3; want a str"),
        ('why = "Ice is dry."', 'because = "x"', "claim 'water-is-wet': got because; want only"),
        ('part = "II"', "", "claim 'ice-is-wet': part: got ''; want one of I, II, III, IV"),
        ('part = "II"', 'part = "V"', "claim 'ice-is-wet': part: got 'V'"),
        ('part = "II"', 'part = "II"\nwhy = "x"', "claim 'ice-is-wet': why: got 'x'; want nothing"),
        ('title = "A page"', "", "source 'S0': .* missing .* 'title'"),
        ('id = "S0"', "", r"source '\(without id\)'"),
        ("[[claim]]", "[[row]]", "ledger.toml: got row; want only claim, source"),
    ],
)
def test_a_damaged_row_is_refused_by_name(tmp_path, old, new, message):
    text = SOURCE + SETTLED + OPEN
    assert old in text
    with pytest.raises(ValueError, match=message):
        load(tmp_path, text.replace(old, new, 1))


def test_a_source_without_claims_is_refused(tmp_path):
    with pytest.raises(ValueError, match="source 'S0': got no claim"):
        load(tmp_path, SOURCE)


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """The ledger's page, built alone, with an empty section for every claim and every reference."""
    source = tmp_path_factory.mktemp("ledger")
    text = (BOOK / "back-matter" / "claims.md").read_text(encoding="utf-8")
    chapters = sorted(set(re.findall(r"\{ref\}`(chapter-[a-z-]+)`", text)))
    (source / "conf.py").write_text('extensions = ["myst_parser", "ledger"]\nnitpicky = True\n')
    sections = [
        f"({claim.target})=\n## Section of {claim.id}\n"
        for claim in ledger.load().claims
        if claim.settled
    ]
    sections += [f"({label})=\n## Section of {label}\n" for label in chapters]
    toc = "```{toctree}\nclaims\n```\n"
    (source / "index.md").write_text("# Sections\n\n" + "\n".join(sections) + "\n" + toc)
    (source / "claims.md").write_text(text, encoding="utf-8")
    config = {"myst_enable_extensions": ["dollarmath"]}
    app = SphinxTestApp("html", srcdir=source, confoverrides=config)
    app.build()
    assert app.statuscode == 0
    assert "claims.md" not in app.warning.getvalue()
    html = (app.outdir / "claims.html").read_text(encoding="utf-8")
    app.cleanup()
    return html


def test_the_built_page_links_every_settled_claim_to_its_section(page):
    for claim in ledger.load().claims:
        link = f'href="index.html#{claim.target}"'
        assert page.count(link) == len(claim.sources) * claim.settled
        assert (claim.test in page) == claim.settled
        assert page.count(f'id="ledger-{claim.id}"') == 1


def test_the_built_page_says_every_verdict_in_words(page):
    claims = ledger.load().claims
    for verdict in ledger.VERDICTS:
        word = f'verdict-{verdict.replace(" ", "-")}">{verdict.capitalize()}</span>'
        rows = sum(len(claim.sources) for claim in claims if claim.verdict == verdict)
        # And once in the list of verdicts, which leaves out those that no claim has.
        assert page.count(word) == rows + (rows > 0)
    for part in {claim.part for claim in claims if claim.part}:
        assert f"Not yet settled: comes with Part {part}, {ledger.PARTS[part]}." in page


def test_the_built_page_marks_the_language_of_its_titles(page):
    for source in ledger.load().sources:
        assert f'<strong lang="{source.languages[0]}"' in page or source.languages[0] == "en"
