"""What the tests of the book share."""

import pytest
from upconv.book.exercises import check


@pytest.fixture
def said(capsys):
    """What `check` prints for an answer, its lines joined."""

    def say(name, answer):
        assert check(name, answer) is None
        lines = capsys.readouterr().out.splitlines()
        return " ".join(lines)

    return say
