"""The error tree. Every error a user can meet has an HTTP status and a stable code.

PumpcastError
├── Invalid                422  what was asked is wrong
│   ├── UnknownFeature     422  a feature nobody computes
│   ├── PackageInvalid     422  a forecaster or policy that is unsafe, damaged or does not fit
│   └── SettingsInvalid    422  an environment variable (stops the start, exit code 2)
├── Malformed              400  bytes that are not what they are sent as
├── NotFound               404
├── Conflict               409
│   └── TooFewCandles      409  fewer closed candles without a gap than a package needs
│       └── CandlesUnusable 409  candles with prices that cannot be, which features cannot be computed from
├── Forbidden              403
├── TooSlow                408  a body that does not arrive
├── TooLarge               413
├── TooMany                429  as much of it as there may be is under way
├── UpstreamFailed         502  the other service is gone or lies
├── Unavailable            503  the database is gone
├── NoRoom                 507  the disk is nearly full
├── ArtifactInvalid        409  a model file that must not be used
└── JobFailed              -    a job's own end, told in error_msg
"""

from typing import ClassVar


class PumpcastError(Exception):
    """An error with a message for people: what, which one, what to do."""

    status: ClassVar[int] = 500
    code: ClassVar[str] = "internal"

    def __init__(self, message: str, *, pointer: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.pointer = pointer


class Invalid(PumpcastError):
    """The request cannot be meant as it stands."""

    status = 422
    code = "invalid"


class UnknownFeature(Invalid):
    """A feature name that no formula belongs to."""

    code = "unknown_feature"


class PackageInvalid(Invalid):
    """Files of a package that are unsafe, damaged or do not fit together; they are never loaded.

    What the files say may stand in the message: it is cut, and what cannot be printed is escaped.
    """

    code = "package_invalid"

    def __init__(self, message: str, *, pointer: str | None = None) -> None:
        super().__init__(_printable(message), pointer=pointer)


_LONGEST_SENTENCE = 1000


def _printable(text: str) -> str:
    cut = text if len(text) <= _LONGEST_SENTENCE else f"{text[:_LONGEST_SENTENCE]}…"
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode() for character in cut
    )


class SettingsInvalid(Invalid):
    """A setting from the environment with a value that is not allowed."""

    code = "settings_invalid"


class Malformed(PumpcastError):
    """Bytes that are not of the kind they are sent as."""

    status = 400
    code = "malformed"


class NotFound(PumpcastError):
    """No such thing."""

    status = 404
    code = "not_found"


class Conflict(PumpcastError):
    """The thing is in a state that forbids what was asked."""

    status = 409
    code = "conflict"


class TooFewCandles(Conflict):
    """Fewer closed candles without a gap than are needed; more may come."""

    code = "too_few_candles"


class CandlesUnusable(TooFewCandles):
    """Candles with prices that cannot be; they may be corrected, and leave the window in time."""

    code = "candles_unusable"


class Forbidden(PumpcastError):
    """The caller may not do this."""

    status = 403
    code = "forbidden"


class TooSlow(PumpcastError):
    """A body that did not arrive in time."""

    status = 408
    code = "too_slow"


class TooLarge(PumpcastError):
    """More bytes than allowed."""

    status = 413
    code = "too_large"


class UpstreamFailed(PumpcastError):
    """The other service did not answer, or not with what it promises."""

    status = 502
    code = "upstream_failed"


class Unavailable(PumpcastError):
    """A part this service cannot work without is gone."""

    status = 503
    code = "unavailable"


class TooMany(PumpcastError):
    """As much of this as there may be at once is under way."""

    status = 429
    code = "too_many"


class NoRoom(PumpcastError):
    """The disk has no room for this."""

    status = 507
    code = "no_room"


class ArtifactInvalid(PumpcastError):
    """A model file that is damaged, foreign or too new, and therefore never loaded."""

    status = 409
    code = "artifact_invalid"


class JobFailed(PumpcastError):
    """The end of a job that cannot succeed; the message becomes its error_msg."""

    code = "job_failed"
