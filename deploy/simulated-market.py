#!/opt/venv/bin/python
"""Stand in for the tracker: `tables` makes its tables; without it the last hours are filled in, then rows come live."""

import sys

from pumpcast.data import simulate_both_markets
from pumpcast.market.fill import fill_when_empty
from shared.migrate import SQL_FOLDER, run_script
from shared.settings import BasePart, read_settings_or_exit

if __name__ == "__main__":
    dsn = read_settings_or_exit(BasePart).db_dsn
    if sys.argv[1:] == ["tables"]:
        run_script(dsn, SQL_FOLDER / "dev" / "coin_metrics.sql")
    else:
        fill_when_empty(dsn)
        simulate_both_markets()
