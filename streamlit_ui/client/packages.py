"""Packages and their paper accounts: upload, warm-up, signals, candles, positions."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import BinaryIO

from shared.contracts.candle_feeds import CandleFeeds
from shared.contracts.candles import CandlePage, CandleSymbols, Coverage
from shared.contracts.packages import MOST_PACKAGES, PackageDetails, Packages, UploadedPackage
from shared.contracts.paper import (
    Account,
    ChangeAccount,
    ClosePosition,
    CreateAccount,
    OpenPosition,
    PaperPosition,
    Positions,
    PositionStatus,
    PriceTaken,
    PriceUpdate,
    SignalTaken,
    TakeSignal,
)
from shared.contracts.paper_reports import Dashboard, Equity
from shared.contracts.signals import PackageSignal
from streamlit_ui.client.transport import Service


@dataclass(frozen=True, slots=True, kw_only=True)
class Files:
    """What an upload consists of: open files, read piece by piece while they are sent."""

    forecast_model: BinaryIO
    ppo_model: BinaryIO
    manifest: BinaryIO | None = None


class _CountedFile:
    """A file that tells of every piece that is read of it."""

    def __init__(self, file: BinaryIO, tell: Callable[[int], None]) -> None:
        self._file = file
        self._tell = tell

    def read(self, count: int = -1) -> bytes:
        """Give the next piece."""
        piece = self._file.read(count)
        self._tell(len(piece))
        return piece

    def seek(self, place: int, whence: int = 0) -> int:
        """Go to a place: the length is found this way."""
        return self._file.seek(place, whence)

    def tell(self) -> int:
        """Give the place."""
        return self._file.tell()


def list_packages(prediction: Service) -> Packages:
    """Give the whole registry, newest first."""
    listed = prediction.get("/model-packages", Packages, limit=MOST_PACKAGES)
    while len(listed.packages) < listed.total:
        more = prediction.get("/model-packages", Packages, limit=MOST_PACKAGES, offset=len(listed.packages))
        if not more.packages:
            break
        listed = Packages(packages=[*listed.packages, *more.packages], total=more.total)
    return listed


def get_package(prediction: Service, package_id: str) -> PackageDetails:
    """Give one package with its manifest and what its warm-up found."""
    return prediction.get(f"/model-packages/{package_id}", PackageDetails)


def upload_package(
    prediction: Service, name: str, files: Files, *, strict: bool = False, tell: Callable[[int], None] = lambda _: None
) -> UploadedPackage:
    """Send a package; `tell` hears of every piece that was read, `strict` waits until the files were validated."""
    parts = {
        "forecast_model": ("forecast_model.pt", _CountedFile(files.forecast_model, tell), "application/octet-stream"),
        "ppo_model": ("ppo_policy.zip", _CountedFile(files.ppo_model, tell), "application/zip"),
    }
    if files.manifest is not None:
        parts["manifest"] = ("manifest.json", _CountedFile(files.manifest, tell), "application/json")
    return prediction.upload("/model-packages/upload", UploadedPackage, form={"name": name}, files=parts, strict=strict)


def warm_up(prediction: Service, package_id: str) -> PackageDetails:
    """Ask for a warm-up, again or at last."""
    return prediction.send("POST", f"/model-packages/{package_id}/warmup", PackageDetails)


def archive(prediction: Service, package_id: str) -> PackageDetails:
    """Put a package away: no signals, no trades."""
    return prediction.send("POST", f"/model-packages/{package_id}/archive", PackageDetails)


def restore(prediction: Service, package_id: str) -> PackageDetails:
    """Take an archived package back."""
    return prediction.send("POST", f"/model-packages/{package_id}/restore", PackageDetails)


def delete_package(prediction: Service, package_id: str) -> None:
    """Remove a package and its files; the history of its account stays."""
    prediction.remove(f"/model-packages/{package_id}")


def get_signal(prediction: Service, package_id: str, *, symbol: str | None = None) -> PackageSignal:
    """Give what a package says of a market now; the first question warms it up."""
    return prediction.get(f"/paper/ml-signal/{package_id}", PackageSignal, symbol=symbol)


def list_candles(prediction: Service, symbol: str, interval: str, *, limit: int = 500) -> CandlePage:
    """Give the newest candles of a market, newest first."""
    return prediction.get("/candles", CandlePage, symbol=symbol, interval=interval, limit=limit)


def get_coverage(prediction: Service, symbol: str, interval: str) -> Coverage:
    """Give how many candles of a market there are, and which are missing."""
    return prediction.get("/candles/coverage", Coverage, symbol=symbol, interval=interval)


def list_symbols(prediction: Service, *, after: str | None = None, limit: int = 100) -> CandleSymbols:
    """Give the markets that have candles, by symbol."""
    return prediction.get("/candles/symbols", CandleSymbols, after=after, limit=limit)


def list_feeds(prediction: Service) -> CandleFeeds:
    """Give how the feeds from exchanges are."""
    return prediction.get("/candles/feeds", CandleFeeds)


def create_account(prediction: Service, wanted: CreateAccount) -> Account:
    """Open the account of a package with rules of its own."""
    return prediction.send("POST", "/paper/account/create", Account, body=wanted)


def get_account(prediction: Service, package_id: str) -> Account:
    """Give the account of a package; one that has none gets it."""
    return prediction.get(f"/paper/account/{package_id}", Account)


def change_account(prediction: Service, package_id: str, change: ChangeAccount) -> Account:
    """Set rules of new positions, and whether it trades by itself."""
    return prediction.send("PATCH", f"/paper/account/{package_id}", Account, body=change)


def reset_account(prediction: Service, package_id: str, *, keep_history: bool) -> Account:
    """Close what is open and begin anew with the initial balance."""
    return prediction.send("POST", f"/paper/account/{package_id}/reset", Account, keep_history=keep_history)


def get_dashboard(prediction: Service, package_id: str) -> Dashboard:
    """Give everything about an account at a glance."""
    return prediction.get(f"/paper/dashboard/{package_id}", Dashboard)


def get_equity(prediction: Service, package_id: str, *, round_: int | None = None, limit: int = 500) -> Equity:
    """Give the equity of an account over time, beside buying and holding."""
    return prediction.get(f"/paper/equity/{package_id}", Equity, round=round_, limit=limit)


def list_positions(
    prediction: Service, package_id: str, *, status: PositionStatus | None = None, cursor: str | None = None,
    limit: int = 100,
) -> Positions:  # fmt: skip
    """Give a page of positions, newest first."""
    path = f"/paper/positions/{package_id}"
    return prediction.get(path, Positions, status=status, cursor=cursor, limit=limit)


def open_position(prediction: Service, wanted: OpenPosition) -> PaperPosition:
    """Open a position by hand, within the limits."""
    return prediction.send("POST", "/paper/position/open", PaperPosition, body=wanted)


def close_position(prediction: Service, position_id: int, *, price: float | None = None) -> PaperPosition:
    """Close a position at a price, or at the latest one it was told."""
    body = ClosePosition() if price is None else ClosePosition(price=price)
    return prediction.send("POST", f"/paper/position/{position_id}/close", PaperPosition, body=body)


def update_price(prediction: Service, told: PriceUpdate) -> PriceTaken:
    """Tell all accounts a price."""
    return prediction.send("POST", "/paper/price-update", PriceTaken, body=told)


def take_signal(prediction: Service, wanted: TakeSignal) -> SignalTaken:
    """Act on a signal: close what stands against it, then open with it."""
    return prediction.send("POST", "/paper/signal", SignalTaken, body=wanted)
