"""The exercises: ``check("name", answer)`` says whether an answer is right, or what is wrong.

``checking`` holds what they share; each chapter's exercises stand in the module of its name.
"""

from importlib import import_module

from upconv.book.exercises.checking import check, exercise, names

__all__ = ["check", "exercise", "names"]

CHAPTERS = (  # in the order of the book
    "matrix",
    "transpose",
    "sizes",
    "five_ways",
    "interpolation",
    "pooling_backwards",
    "one_the_other",
    "autoencoder",
    "checkerboards",
    "remedies",
    "your_gpu",
)

for _chapter in CHAPTERS:
    import_module(f"{__name__}.{_chapter}")
