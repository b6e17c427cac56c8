"""How a sentence encoder is used."""

from __future__ import annotations

from . import v1
from .queries import one_of

_ROLES = {"document": v1.TEXT_ROLE_DOCUMENT, "query": v1.TEXT_ROLE_QUERY}


def text_role(role: str) -> v1.TextRole:
    """What a text is encoded as: "document" or "query"."""
    found: v1.TextRole = one_of(_ROLES, role, "role")
    return found


def encoder_settings(
    query_prompt: str | None, document_prompt: str | None, dimensions: int, max_tokens: int
) -> v1.EncoderSettings | None:
    """The settings that are said; None where none is."""
    said = v1.EncoderSettings(
        query_prompt=query_prompt,
        document_prompt=document_prompt,
        dimensions=dimensions,
        max_tokens=max_tokens,
    )
    return said if said != v1.EncoderSettings() else None
