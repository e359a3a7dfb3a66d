"""Every code that a problem may have: its status, what it means, what to do."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True, kw_only=True)
class Code:
    """What a code says."""

    status: int
    meaning: str
    remedy: str


CODES: Final = {
    "malformed": Code(
        status=400,
        meaning="The bytes are not of the kind they are sent as",
        remedy="Send the type of file or form that the route names",
    ),
    "foreign_host": Code(
        status=400,
        meaning="The Host header names a machine that is not served here",
        remedy="Add the name to ALLOWED_HOSTS, or use the address the service listens on",
    ),
    "bad_request": Code(
        status=400,
        meaning="The request cannot be read as HTTP says it should be",
        remedy="Look at `detail`",
    ),
    "no_key": Code(
        status=401,
        meaning="No key was shown, or one that nobody has",
        remedy="Send `Authorization: Bearer <key>`; `pumpcast keys new` makes one",
    ),
    "scope": Code(
        status=403,
        meaning="The key may not do this",
        remedy="Use a key of scope write; service keys only read models",
    ),
    "foreign_origin": Code(
        status=403,
        meaning="A web page of another site tried to write",
        remedy="Open the page from an address of ALLOWED_HOSTS or CORS_ALLOWED_ORIGINS",
    ),
    "proxy_without_keys": Code(
        status=403,
        meaning="A proxy passed a request of another machine on, and there are no keys",
        remedy="Set API_KEYS",
    ),
    "forbidden": Code(status=403, meaning="The caller may not do this", remedy="Look at `detail`"),
    "not_found": Code(
        status=404,
        meaning="There is no such thing, or no longer",
        remedy="The list route beside it gives the ids there are",
    ),
    "method_not_allowed": Code(
        status=405,
        meaning="The path knows other methods",
        remedy="The header Allow lists them",
    ),
    "too_slow": Code(
        status=408,
        meaning="The body did not arrive in time",
        remedy="Send it again over a better connection",
    ),
    "conflict": Code(
        status=409,
        meaning="The thing is in a state that forbids this",
        remedy="`detail` names the state and the way out",
    ),
    "too_few_candles": Code(
        status=409,
        meaning="A package needs more closed candles without a gap than there are",
        remedy="Add candles: POST /api/candles, `pumpcast load`, CANDLE_FEEDS",
    ),
    "candles_unusable": Code(
        status=409,
        meaning="A candle in the window holds prices that cannot be",
        remedy="Send the candle again with its true prices",
    ),
    "artifact_invalid": Code(
        status=409,
        meaning="The model file is damaged, foreign, too new, or not signed as it must be",
        remedy="Train the model again, or give both services a pair of signing keys that belong together",
    ),
    "too_large": Code(
        status=413,
        meaning="The body has more bytes than are allowed",
        remedy="Send less at a time; uploads have their own limits in the settings",
    ),
    "path_too_long": Code(status=414, meaning="The path has more than 4,000 characters", remedy="Shorten it"),
    "range_not_satisfiable": Code(
        status=416,
        meaning="The file has fewer bytes than Range asks for",
        remedy="Ask without Range",
    ),
    "invalid": Code(
        status=422,
        meaning="The request cannot be meant as it stands",
        remedy="`errors` has a JSON pointer and a sentence for each fault",
    ),
    "unknown_feature": Code(
        status=422,
        meaning="No formula has this name",
        remedy="GET /api/features lists all; `detail` names the nearest",
    ),
    "package_invalid": Code(
        status=422,
        meaning="The files of a package are unsafe, damaged or do not fit together",
        remedy="`pumpcast package check FOLDER` says the same on your machine",
    ),
    "too_many": Code(
        status=429,
        meaning="As much of this as there may be at once is under way",
        remedy="Try again when it is over",
    ),
    "too_often": Code(
        status=429,
        meaning="More requests in a minute than RATE_LIMIT_PER_MINUTE allows a key or address",
        remedy="Wait the seconds of Retry-After",
    ),
    "internal": Code(
        status=500,
        meaning="A fault of the service",
        remedy="Look for the request id in the log of the service",
    ),
    "upstream_failed": Code(
        status=502,
        meaning="The training service does not answer, or not as it promises",
        remedy="Start it, and look at TRAINING_SERVICE_API_URL and TRAINING_SERVICE_API_KEY",
    ),
    "unavailable": Code(
        status=503,
        meaning="A part that this needs is gone, full or not there yet",
        remedy="`detail` names it; `pumpcast doctor`",
    ),
    "too_long": Code(
        status=503,
        meaning="There was no answer within the time a request may take",
        remedy="Ask for less, or try again later",
    ),
    "not_ready": Code(status=503, meaning="The service cannot work yet", remedy="`detail` names the failing check"),
    "database_gone": Code(
        status=503,
        meaning="The database does not answer",
        remedy="Wait the seconds of Retry-After; `pumpcast doctor`",
    ),
    "not_migrated": Code(
        status=503,
        meaning="The database lacks tables of pumpcast",
        remedy="`pumpcast migrate`",
    ),
    "no_room": Code(
        status=507,
        meaning="The disk is nearly full",
        remedy="Free some space; nothing was kept of the request",
    ),
}
"""In the order of their status."""
