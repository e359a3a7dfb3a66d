"""Uploads that cannot be meant."""

from tests.support.uploading import BOUNDARY, MIB, Part, body, content_type, parts

Case = tuple[bytes, dict[str, str], int, str]
"""Body, headers, status, words of the answer."""
_ONLY_FORM = "must be multipart/form-data"
_UNREADABLE = "cannot be read as multipart/form-data"


def cases() -> dict[str, Case]:
    """Give them by what is wrong, where a file may have 1 MiB."""
    return {**_files(), **_parts(), **_names(), **_manifests(), **_sizes(), **_bodies()}


def _form(status: int, words: str, *given: Part) -> Case:
    return body(given), content_type(), status, words


def _forecast(file_name: str | None, content: bytes = b"x", **headers: str) -> Part:
    return Part(name="forecast_model", content=content, file_name=file_name, headers=headers)


def _policy(file_name: str) -> Part:
    return Part(name="ppo_model", content=b"x", file_name=file_name)


_NAME = Part(name="name", content=b"n")


def _files() -> dict[str, Case]:
    good, zipped = _forecast("m.pt"), _policy("p.zip")
    encoded = _forecast("m.pt", b"eA==", **{"Content-Transfer-Encoding": "base64"})
    yaml = Part(name="manifest", content=b"{}", file_name="m.yaml")
    return {
        "forecast of another type": _form(
            400, "forecast_model must be a file whose name ends in .pt", _forecast("m.pkl")
        ),
        "policy of another type": _form(400, "ppo_model must be a file whose name ends in .zip", _policy("p.zip.exe")),
        "both swapped": _form(400, "ends in .pt", _NAME, _forecast("p.zip"), _policy("m.pt")),
        "manifest of another type": _form(400, "manifest must be a file whose name ends in .json", *parts(), yaml),
        "forecast as text": _form(400, "must be sent as a file", _NAME, zipped, _forecast(None)),
        "name as file": _form(400, "name must be a text", good, zipped, Part(name="name", content=b"x", file_name="x")),
        "forecast empty": _form(400, "forecast_model is empty", *parts(forecast=b"")),
        "policy empty": _form(400, "ppo_model is empty", *parts(ppo=b"")),
        "forecast encoded": _form(400, "send the bytes as they are", _NAME, zipped, encoded),
        "file without a name": _form(400, "without a name", _NAME, zipped, _forecast("")),
        "field of a browser left empty": _form(422, "forecast_model is missing", _NAME, zipped, _forecast("", b"")),
    }


def _parts() -> dict[str, Case]:
    good, zipped = _forecast("m.pt"), _policy("p.zip")
    unnamed = body(parts()).replace(b'name="name"', b"x=1")
    return {
        "forecast missing": _form(422, "forecast_model is missing", _NAME, zipped),
        "policy missing": _form(422, "ppo_model is missing", _NAME, good),
        "name missing": _form(422, "name is missing", good, zipped),
        "no parts": (f"--{BOUNDARY}--\r\n".encode(), content_type(), 422, "name is missing"),
        "forecast twice": _form(422, "forecast_model is given twice", *parts(), good),
        "name twice": _form(422, "name is given twice", *parts(), _NAME),
        "unknown part": _form(422, "a part 'id'; known are name,", *parts(), Part(name="id", content=b"x")),
        "part without a name": (unnamed, content_type(), 422, "a part ''"),
    }


def _names() -> dict[str, Case]:
    wrong = {
        "empty": (b"", "1 to 200 characters"),
        "of spaces": (b" \t ", "1 to 200 characters"),
        "long": ("é".encode() * 201, "1 to 200 characters"),
        "huge": (b"x" * 100_000, "1 to 200 characters"),
        "with NUL": (b"a\0b", "control characters"),
        "of two lines": (b"a\r\nSet-Cookie: x", "control characters"),
        "not UTF-8": (b"\xff\xfe", "UTF-8"),
    }
    return {f"name {case}": _form(422, words, *parts(name=text)) for case, (text, words) in wrong.items()}


def _manifests() -> dict[str, Case]:
    wrong = {
        "no JSON": (b'{\n "a": ]}', "manifest is no JSON: unexpected character"),
        "cut": (b'{\n"a": ', "at line 2, column"),
        "a list": (b"[1]", "manifest must be a JSON object"),
        "with NaN": (b'{"a": NaN}', "manifest is no JSON"),
        "with infinity": (b'{"a": 1e999}', "manifest is no JSON"),
        "with NUL": (b'{"a": [{"b\\u0000": 1}]}', "NUL"),
        "with half a surrogate": (b'{"a": "\\ud800"}', "manifest is no JSON"),
        "deep": (b'{"a":' + b"[" * 500 + b"]" * 500 + b"}", "nested too deeply"),
        "very deep": (b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}", "manifest is no JSON"),
    }
    return {f"manifest {case}": _form(422, words, *parts(manifest=text)) for case, (text, words) in wrong.items()}


def _sizes() -> dict[str, Case]:
    large = b"x" * (MIB + 1)
    manifest = b'{"a": "' + b"x" * 4 * MIB + b'"}'
    return {
        "manifest large": _form(413, "manifest has more than 4 MiB", *parts(manifest=manifest)),
        "forecast large": _form(413, "more than 1 MiB (MODEL_PACKAGE_MAX_FORECAST_MB)", *parts(forecast=large)),
        "policy large": _form(413, "more than 1 MiB (MODEL_PACKAGE_MAX_PPO_MB)", *parts(ppo=large)),
        "body large": (body(parts()) + b"x" * 8 * MIB, content_type(), 413, "than both files and a manifest"),
    }


def _bodies() -> dict[str, Case]:
    whole = body(parts())
    disposition = b"Content-Disposition"
    long_header = whole.replace(disposition, b"X: " + b"x" * 10_000 + b"\r\n" + disposition, 1)
    many_headers = whole.replace(disposition, b"X: 1\r\n" * 100 + disposition, 1)
    return {
        "JSON": (b"{}", {"Content-Type": "application/json"}, 400, _ONLY_FORM),
        "no type": (whole, {"Content-Type": ""}, 400, _ONLY_FORM),
        "no boundary": (whole, {"Content-Type": "multipart/form-data"}, 400, _ONLY_FORM),
        "boundary empty": (whole, content_type('""'), 400, _ONLY_FORM),
        "boundary long": (whole, content_type("x" * 300), 400, _UNREADABLE),
        "boundary of another body": (whole, content_type("other"), 400, _UNREADABLE),
        "no body": (b"", content_type(), 400, "ends before its last boundary"),
        "without its end": (whole[:-20], content_type(), 400, "ends before its last boundary"),
        "header long": (long_header, content_type(), 400, _UNREADABLE),
        "headers many": (many_headers, content_type(), 400, _UNREADABLE),
        "header broken": (whole.replace(disposition, b"Content Disposition", 1), content_type(), 400, _UNREADABLE),
    }
