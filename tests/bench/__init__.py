"""The project's own speed: ``make bench``. Never part of ``make test``.

Each module here has ``rows() -> Iterator[Row]``; a new capability adds a module.
"""
