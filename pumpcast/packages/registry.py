"""The registry of packages of a running prediction service, over HTTP."""

import contextlib
import http.client
import secrets
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final, TypeVar
from urllib.parse import quote, urlsplit

import orjson
from pydantic import BaseModel, ValidationError

from prediction_service.runtime.packages.instance import FORECAST_FILE, POLICY_FILE
from pumpcast.packages.folder import MANIFEST_FILE
from pumpcast.probe import apis
from pumpcast.watch import SCHEMES
from shared.contracts.packages import MOST_PACKAGES, PackageDetails, Packages, UploadedPackage
from shared.errors import Invalid, PumpcastError, Unavailable

ShapeT = TypeVar("ShapeT", bound=BaseModel)

ANSWER_SECONDS: Final = 120
BLOCK: Final = 1 << 20
PARTS: Final = (("manifest", MANIFEST_FILE), ("forecast_model", FORECAST_FILE), ("ppo_model", POLICY_FILE))


class Registry:
    """Asks one prediction API; an answer other than what was hoped for is one sentence."""

    def __init__(self, url: str | None, api_key: str | None) -> None:
        api = apis()[1]
        self.url = url or f"{api.url}/api"
        self._key = api_key or api.key
        try:
            parts = urlsplit(self.url)
            self._host, self._port, self._path = parts.hostname or "", parts.port, parts.path.rstrip("/")
            self._connect = SCHEMES[parts.scheme if self._host else ""]
        except (KeyError, ValueError):
            raise Invalid(f"{self.url!r} is no address of an API: write it like http://127.0.0.1:8000/api") from None
        if not (self._key.isascii() and self._key.isprintable()):
            raise Invalid("The key holds characters that cannot be sent: give one of plain letters, digits and signs")

    def packages(self) -> Packages:
        """Give all packages."""
        listed = self._page(0)
        while len(listed.packages) < listed.total:
            more = self._page(len(listed.packages))
            if not more.packages:
                break
            listed = Packages(packages=[*listed.packages, *more.packages], total=more.total)
        return listed

    def _page(self, offset: int) -> Packages:
        return _read(Packages, self._ask("GET", f"/model-packages?limit={MOST_PACKAGES}&offset={offset}"))

    def package(self, package_id: str) -> PackageDetails:
        """Give one package."""
        return _read(PackageDetails, self._ask("GET", f"/model-packages/{quote(package_id, safe='')}"))

    def warm_up(self, package_id: str) -> PackageDetails:
        """Ask for a warm-up."""
        return _read(PackageDetails, self._ask("POST", f"/model-packages/{quote(package_id, safe='')}/warmup"))

    def upload(self, folder: Path, *, name: str, strict: bool, on_progress: Callable[[int], None]) -> UploadedPackage:
        """Send the files of a folder, block by block."""
        boundary = secrets.token_hex(16)
        form = _Form(folder, name=name, boundary=boundary)
        headers = {
            "Content-Type": f"multipart/form-data; boundary={boundary}",
            "Content-Length": str(form.length),
        }
        path = "/model-packages/upload" + ("?strict=true" if strict else "")
        return _read(UploadedPackage, self._ask("POST", path, body=form.blocks(on_progress), headers=headers))

    def _ask(
        self, method: str, path: str, *, body: Iterator[bytes] | None = None, headers: dict[str, str] | None = None
    ) -> bytes:
        keys = {"X-API-Key": self._key} if self._key else {}
        connection = self._connect(self._host, self._port, timeout=ANSWER_SECONDS)
        try:
            # A service that refuses an upload answers before all of it was sent, and hangs up.
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                connection.request(method, self._path + path, body=body, headers={**keys, **(headers or {})})
            answer = connection.getresponse()
            said = answer.read()
        except (OSError, http.client.HTTPException, UnicodeError) as error:
            raise Unavailable(
                f"The prediction service does not answer at {self.url} ({type(error).__name__}): "
                "start it with `pumpcast up`"
            ) from error
        finally:
            connection.close()
        if answer.status in (http.HTTPStatus.UNAUTHORIZED, http.HTTPStatus.FORBIDDEN):
            raise PumpcastError(f"{self.url} wants a key: give --api-key or set UI_API_KEY ({_detail(said)})")
        if answer.status >= http.HTTPStatus.BAD_REQUEST:
            raise PumpcastError(f"Refused ({answer.status}): {_detail(said)}")
        return said


class _Form:
    """A multipart body that is read from the disk while it is sent."""

    def __init__(self, folder: Path, *, name: str, boundary: str) -> None:
        def head(field: str, rest: str) -> bytes:
            return f'--{boundary}\r\nContent-Disposition: form-data; name="{field}"{rest}\r\n\r\n'.encode()

        self._start = head("name", "") + name.encode() + b"\r\n"
        self._files = [
            (head(field, f'; filename="{file}"\r\nContent-Type: application/octet-stream'), folder / file)
            for field, file in PARTS
            if (folder / file).exists()
        ]
        self._end = f"--{boundary}--\r\n".encode()
        files = sum(len(start) + path.stat().st_size + 2 for start, path in self._files)
        self.length = len(self._start) + files + len(self._end)

    def blocks(self, on_progress: Callable[[int], None]) -> Iterator[bytes]:
        sent = 0
        for block in self._blocks():
            yield block
            sent += len(block)
            on_progress(sent)

    def _blocks(self) -> Iterator[bytes]:
        yield self._start
        for start, path in self._files:
            yield start
            with path.open("rb") as file:
                while block := file.read(BLOCK):
                    yield block
            yield b"\r\n"
        yield self._end


def upload_size(folder: Path) -> int:
    """Give how many bytes an upload has, about."""
    return sum((folder / file).stat().st_size for _, file in PARTS if (folder / file).exists())


def _read(shape: type[ShapeT], body: bytes) -> ShapeT:
    try:
        return shape.model_validate_json(body)
    except ValidationError as error:
        raise PumpcastError(
            f"The prediction service is of another version: its {shape.__name__} reads wrong"
        ) from error


def _detail(body: bytes) -> str:
    """Give the sentence of a problem."""
    with contextlib.suppress(ValueError):
        problem: Any = orjson.loads(body)
        if isinstance(problem, dict):
            return str(problem.get("detail") or problem.get("title") or problem)[:500]
    return body[:300].decode(errors="replace")
