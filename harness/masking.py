"""Passwords taken out of text that is printed or kept: messages, commands, composed configs."""

from __future__ import annotations

import re

# To the last @ of the word: a password that nobody percent-encoded may hold one, or a slash.
_IN_ADDRESS = re.compile(r"(?<=://)([^\s/:@'\"]*):[^\s'\"]*(?=@)")
_IN_OPTIONS = re.compile(r"(?i)\b(password|sslpassword|passfile)=[^\s&'\"]+")


def masked(text: str) -> str:
    """``text`` with every password of a URL in it, or of a URL's options, as ``***``."""
    return _IN_OPTIONS.sub(r"\1=***", _IN_ADDRESS.sub(r"\1:***", text))
