"""Names that W&B takes: of a project, a user or a team. Imports nothing heavy."""

from __future__ import annotations

FORBIDDEN = r"/\#?%:"
LONGEST = 128


def wandb_name(text: str) -> str:
    """The text, if it can be such a name; raises ValueError with the end of a sentence that begins with the text."""
    if not 0 < len(text) <= LONGEST or not text.isprintable() or not text.strip() or set(FORBIDDEN) & set(text):
        raise ValueError(f"is no name in W&B: 1 to {LONGEST} characters, none of {' '.join(FORBIDDEN)}")
    return text
