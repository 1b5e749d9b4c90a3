"""What only the chapters need: data, models, records, figures, explorables, exercises, ledger."""

from upconv.book.explorables import explorable

__all__ = ["explorable"]
