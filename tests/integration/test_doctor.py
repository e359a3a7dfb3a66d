from pumpcast.doctor import Check, look_inside
from shared.db import Pool


async def wrong(dsn: str) -> dict[str, Check]:
    return {check.part: check for check in await look_inside(dsn) if not check.ok}


async def test_doctor_when_all_is_well_then_finds_nothing(any_database: str):
    assert await wrong(any_database) == {}


async def test_doctor_when_the_tracker_has_not_started_then_says_so(empty_database: str):
    found = await wrong(empty_database)
    assert set(found) == {"coin_metrics"}
    assert "start the tracker" in found["coin_metrics"].fix


async def test_doctor_when_indexes_are_missing_then_gives_the_statements(database: str, pool: Pool):
    await pool.execute(
        "DROP INDEX idx_coin_metrics_mint_timestamp, idx_coin_metrics_timestamp;"
        "ALTER TABLE coin_metrics DROP CONSTRAINT coin_metrics_pkey"
    )
    found = await wrong(database)
    assert set(found) == {"index on (mint, timestamp)", "index on (timestamp)", "index on (id)"}
    for check in found.values():
        await pool.execute(check.fix.removesuffix(" in `pumpcast psql`").replace(" CONCURRENTLY", ""))
    assert await wrong(database) == {}


async def test_doctor_when_an_index_cannot_serve_then_does_not_count_it(database: str, pool: Pool):
    await pool.execute(
        "DROP INDEX idx_coin_metrics_timestamp;"
        "CREATE INDEX ON coin_metrics (timestamp) WHERE phase_id_at_time = 1;"
        "CREATE INDEX ON coin_metrics (is_koth) INCLUDE (timestamp)"
    )
    assert set(await wrong(database)) == {"index on (timestamp)"}


async def test_doctor_when_columns_are_missing_then_tells_needed_from_useful(database: str, pool: Pool):
    await pool.execute("ALTER TABLE coin_metrics DROP COLUMN is_koth")
    assert await wrong(database) == {}
    await pool.execute("ALTER TABLE coin_metrics DROP COLUMN phase_id_at_time")
    assert (await wrong(database))["coin_metrics"].found == "lacks phase_id_at_time"


async def test_doctor_when_rights_are_missing_then_gives_the_grants(database: str, pool: Pool):
    await pool.execute("CREATE ROLE doctor_test LOGIN; REVOKE ALL ON coin_metrics FROM PUBLIC")
    try:
        dsn = database.replace("postgres@", "doctor_test@")
        found = await wrong(dsn)
        assert set(found) == {"right to read coin_metrics", "trigger pumpcast_wakeup"}
        for check in found.values():
            await pool.execute(check.fix)
        assert await wrong(dsn) == {}
    finally:
        await pool.execute("DROP OWNED BY doctor_test; DROP ROLE doctor_test")


async def test_doctor_when_phases_are_missing_then_says_so(database: str, pool: Pool):
    await pool.execute("DROP TABLE ref_coin_phases")
    assert set(await wrong(database)) == {"ref_coin_phases"}


async def test_doctor_when_a_package_failed_then_says_which_why_and_what_to_do(database: str, pool: Pool):
    await pool.execute(
        "INSERT INTO model_packages (id, name, forecast_rel_path, ppo_rel_path, warmup_status, warmup_error)"
        " VALUES ('mine', 'Mine', 'f', 'p', 'FAILED', 'weights are not finite')"
    )
    found = await wrong(database)
    assert set(found) == {"package mine"}
    assert found["package mine"].found == "weights are not finite"
    assert "POST /api/model-packages/mine/warmup" in found["package mine"].fix
    await pool.execute("UPDATE model_packages SET status = 'ARCHIVED', archived_at = now()")
    assert await wrong(database) == {}
