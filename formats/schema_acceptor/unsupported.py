"""The one error of this package, in a module of its own because every other one raises it."""

from __future__ import annotations


class Unsupported(ValueError):
    """This construct of a schema is not handled here; the message names it. libxml2 remains to be asked."""
