"""Sentences of others without what an address in them may hold: passwords and signatures."""

import re

PASSWORDS = re.compile(r"(?<=://)(?:[^\s/'\"@]*|[^\s/'\"@:]*:(?!\d+/)[^\s'\"@]*)@")
"""Between ``://`` and ``@``; a secret key may have a slash, as has hf://ORG/NAME@REVISION."""
QUERIES = re.compile(r"((?:https?://|\burl: /)[^\s?'\"]*)\?[^\s'\"]*")
"""Of a web address, whole or as urllib3 writes it. That of s3:// is a version."""


def without_secrets(text: str) -> str:
    """For records, logs and people."""
    return PASSWORDS.sub("…@", QUERIES.sub(r"\1", text))
