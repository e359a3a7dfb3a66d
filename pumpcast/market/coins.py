"""The coins of the simulated market and what their traders do in one tick, all coins at once."""

from dataclasses import dataclass, fields
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

from pumpcast.market import bonding_curve

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

TICK_SECONDS: Final = 5
# Hype falls by half in twelve minutes: what a row shows of it still matters at a horizon of ten.
HYPE_DECAY: Final = float(np.exp(-np.log(2) * TICK_SECONDS / 720))
HYPE_NOISE: Final = 0.04
# Regimes of a coin's crowd: organic, bots, whale, rug. Shares, mean and spread of the crowd's appeal.
REGIME_SHARE: Final = (0.42, 0.25, 0.15, 0.18)
REGIME_APPEAL: Final = np.array([-0.15, -0.9, -0.35, 0.3])
REGIME_BOTS: Final = np.array([0.05, 0.8, 0.1, 0.3])
REGIME_WHALES: Final = np.array([0.002, 0.001, 0.014, 0.003])
REGIME_RUG: Final = np.array([0.0004, 0.0006, 0.001, 0.004])


@dataclass(slots=True, kw_only=True)
class Coins:
    """The living coins: the hidden state of each crowd and what the curve shows of it, one entry a coin."""

    number: Ints
    born: Ints
    appeal: Floats
    fading: Floats
    hype: Floats
    bots: Floats
    whales: Floats
    rug: Floats
    buy_size: Floats
    fear: Floats
    reserves: Floats
    anchor: Floats
    wallets: Ints
    knows_wallets: Bools
    quiet: Ints

    def __len__(self) -> int:
        return len(self.number)

    def take(self, index: Ints | Bools) -> Self:
        """Give the coins of an index or a mask."""
        return type(self)(**{field.name: getattr(self, field.name)[index] for field in fields(self)})

    def joined(self, other: Self) -> Self:
        """Give these coins followed by others."""
        names = [field.name for field in fields(self)]
        return type(self)(**{name: np.concatenate([getattr(self, name), getattr(other, name)]) for name in names})


@dataclass(frozen=True, slots=True, kw_only=True)
class Trades:
    """What one tick did to each coin: the path of its virtual reserves and the flow in SOL."""

    open: Floats
    high: Floats
    low: Floats
    close: Floats
    buy_sol: Floats
    sell_sol: Floats
    num_buys: Ints
    num_sells: Ints


def born(rng: np.random.Generator, count: int, *, first_number: int, tick: int) -> Coins:
    """Give new coins; the creator's first buy is already in the reserves."""
    regime = rng.choice(len(REGIME_SHARE), size=count, p=REGIME_SHARE)
    appeal = REGIME_APPEAL[regime] + rng.normal(0, 0.75, count)
    reserves = bonding_curve.buy(np.full(count, bonding_curve.VIRTUAL_SOL), rng.lognormal(0.2, 0.8, count))
    return Coins(
        number=np.arange(first_number, first_number + count, dtype=np.int64),
        born=np.full(count, tick, dtype=np.int64),
        appeal=appeal,
        fading=rng.lognormal(-3.4, 1.2, count),
        hype=appeal + rng.normal(0.9, 0.6, count),
        bots=REGIME_BOTS[regime] * rng.lognormal(0, 0.5, count),
        whales=REGIME_WHALES[regime] * rng.lognormal(0, 0.4, count),
        rug=REGIME_RUG[regime] * rng.lognormal(0, 0.6, count),
        buy_size=rng.lognormal(-0.2, 0.5, count),
        fear=rng.lognormal(0, 0.35, count),
        reserves=reserves,
        anchor=reserves.copy(),
        wallets=np.ones(count, dtype=np.int64),
        knows_wallets=rng.random(count) < 0.1,
        quiet=np.zeros(count, dtype=np.int64),
    )


def trade(rng: np.random.Generator, coins: Coins) -> Trades:
    """Let every crowd trade for one tick; changes the coins."""
    _feel(rng, coins)
    num_buys, spent = _buyers(rng, coins)
    num_sells, sold = _sellers(rng, coins)
    start = coins.reserves
    buyers_first = rng.random(len(coins)) < 0.5
    between = np.where(buyers_first, bonding_curve.buy(start, spent), bonding_curve.sell(start, sold))
    end = np.where(buyers_first, bonding_curve.sell(between, sold), bonding_curve.buy(between, spent))
    first, second = np.abs(between - start), np.abs(end - between)
    coins.reserves = end
    coins.wallets += rng.binomial(num_buys, 0.6)
    coins.quiet = np.where(num_buys + num_sells > 0, 0, coins.quiet + 1)
    return Trades(
        open=start,
        high=np.maximum(np.maximum(start, between), end),
        low=np.minimum(np.minimum(start, between), end),
        close=end,
        buy_sol=np.where(buyers_first, first, second),
        sell_sol=np.where(buyers_first, second, first),
        num_buys=num_buys,
        num_sells=num_sells,
    )


def _feel(rng: np.random.Generator, coins: Coins) -> None:
    size = len(coins)
    # The crowd's interest fades for good: appeal sinks with age, hype falls back to it.
    coins.appeal = np.maximum(coins.appeal - coins.fading, -8)
    coins.hype = coins.appeal + (coins.hype - coins.appeal) * HYPE_DECAY + rng.normal(0, HYPE_NOISE, size)
    # A post, a stream, a listing: rare, lasting for minutes, nothing announces it.
    coins.hype += np.where(rng.random(size) < 0.003, rng.exponential(1.4, size), 0)
    coins.anchor += (coins.reserves - coins.anchor) * 0.03


def _buyers(rng: np.random.Generator, coins: Coins) -> tuple[Ints, Floats]:
    size = len(coins)
    trend = np.clip(coins.reserves / coins.anchor - 1, -0.3, 0.3)
    crowd = rng.poisson(np.minimum(0.55 * np.exp(coins.hype + 1.2 * trend), 15))
    bots = rng.poisson(coins.bots * np.minimum(np.exp(coins.hype), 1))
    whale = rng.random(size) < coins.whales * np.minimum(np.exp(coins.hype), 1)
    spent = coins.buy_size * rng.gamma(np.maximum(crowd, 1e-9)) * (crowd > 0)
    spent += 0.03 * bots + np.where(whale, rng.lognormal(1.1, 0.5, size), 0)
    return crowd + bots + whale, spent


def _sellers(rng: np.random.Generator, coins: Coins) -> tuple[Ints, Floats]:
    size = len(coins)
    outstanding = bonding_curve.tokens_sold(coins.reserves)
    gain = np.clip(coins.reserves / coins.anchor - 1, -0.3, 0.5)
    # Holders leave when the talk dies down, and some of them whenever they are well ahead.
    mood = 1 + 2.5 * np.maximum(gain, 0) - 1.5 * np.minimum(gain, 0)
    nerves = coins.fear * mood * np.exp(-0.25 * np.maximum(coins.hype, -4))
    held = np.clip(outstanding / 2e7 - 1.5, 0, 1)
    crowd = rng.poisson(held * np.minimum(0.35 * nerves + 0.15 * np.exp(coins.hype), 15))
    share = 1 - np.exp(-0.035 * rng.gamma(np.maximum(crowd, 1e-9)) * (crowd > 0))
    bots = rng.poisson(coins.bots * np.minimum(np.exp(coins.hype), 1))
    # The more there is to take, the sooner the creator takes it.
    depth = (coins.reserves / bonding_curve.VIRTUAL_SOL - 1) ** 1.5
    rug = rng.random(size) < coins.rug * np.minimum(depth, 3)
    share = np.where(rug, rng.uniform(0.6, 0.95, size), share)
    coins.hype -= np.where(rug, rng.uniform(1.0, 3.0, size), 0)
    sold = outstanding * share + 0.03 * bots / bonding_curve.price(coins.reserves)
    return crowd + bots + rug, sold
