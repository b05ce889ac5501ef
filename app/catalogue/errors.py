"""What can go wrong between a source and the cache.

IsothermError
└── ModelFetchError        the model is not there, and the message says what to do
    ├── NoSpaceError       the disk is too small: no other source is tried
    └── SourceError        this source could not give it: the next is tried, what arrived is kept
        ├── CutError       the line was cut: the same source is asked again
        └── WrongFileError what came is not what was promised: nothing of it is kept
"""

from app.domain.errors import IsothermError


class ModelFetchError(IsothermError):
    """A model could not be brought into the cache."""


class NoSpaceError(ModelFetchError):
    """The disk of the cache cannot hold the model."""


class SourceError(ModelFetchError):
    """One source could not give a file."""


class CutError(SourceError):
    """A transfer ended before the file did."""


class WrongFileError(SourceError):
    """A source gave something else than the catalogue promises."""
