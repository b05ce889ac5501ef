"""What all settings have in common: they are read once and never change."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
Pattern = Annotated[str, Field(min_length=1, max_length=256)]


class Frozen(BaseModel):
    """Settings are read once and never change."""

    model_config = ConfigDict(frozen=True, extra="forbid")
