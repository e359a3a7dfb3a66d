"""The list of packages comes in pages; the app and the command line still get all of it."""

import asyncio
from pathlib import Path

import pytest

from prediction_service.app import build
from pumpcast.packages import registry
from shared.contracts.packages import Packages
from shared.db import Pool
from streamlit_ui.client import packages as client
from streamlit_ui.client.transport import Service, new_client
from tests.support import live
from tests.support.serving import served

_FIVE = """
INSERT INTO model_packages (id, name, forecast_rel_path, ppo_rel_path, created_at, uploaded_by)
SELECT 'p' || n, 'p' || n, 'a', 'b', now() - n * interval '1 minute', 'test' FROM generate_series(1, 5) AS n
"""


async def test_packages_when_there_are_more_than_a_page_then_all_are_found(
    database: str, pool: Pool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    await pool.execute(_FIVE)
    monkeypatch.setattr(client, "MOST_PACKAGES", 2)
    monkeypatch.setattr(registry, "MOST_PACKAGES", 2)
    settings = live.settings(database, tmp_path)
    async with served(build(settings)) as address:
        with new_client() as http:
            service = Service(name="prediction", url=f"{address}/api", http=http, key="")
            page = await asyncio.to_thread(service.get, "/model-packages", Packages, limit=2, offset=4)
            assert len(page.packages) == min(2, page.total - 4)
            for found in (
                await asyncio.to_thread(client.list_packages, service),
                await asyncio.to_thread(registry.Registry(f"{address}/api", "key").packages),
            ):
                assert [one.id for one in found.packages if one.id.startswith("p")] == ["p1", "p2", "p3", "p4", "p5"]
                assert len(found.packages) == found.total
            for wrong in ({"limit": 0}, {"limit": 1001}, {"offset": -1}):
                with pytest.raises(Exception, match=r"limit|offset"):
                    await asyncio.to_thread(service.get, "/model-packages", Packages, **wrong)
