"""Processes that share the server of a home, and are killed."""

import os
import signal

import psycopg

from shared import embedded
from shared.migrate import pending
from tests.support.embedded import (
    FORK,
    SHARE,
    dsn_of,
    leave,
    postmaster,
    running,
    servers,
    settings,
    started_at,
    wait_until_gone,
)  # fmt: skip


def test_database_when_processes_start_together_on_a_new_home_then_all_share_one_server(folder):
    with running(SHARE, folder) as first, running(SHARE, folder) as second, running(SHARE, folder) as third:
        addresses = {dsn_of(process) for process in (first, second, third)}
        assert len(addresses) == 1
        assert pending(addresses.pop()) == []
        leave(first)
        leave(second)
        assert servers(folder)
        leave(third)
    assert servers(folder) == []


def test_database_when_a_sharing_process_is_killed_then_the_others_go_on_and_the_last_stops_it(home):
    with running(SHARE, home) as killed, running(SHARE, home) as other:
        begun = started_at(dsn_of(killed))
        assert started_at(dsn_of(other)) == begun
        killed.kill()
        killed.wait()
        with embedded.database(settings(home)) as dsn:
            assert started_at(dsn) == begun
        assert servers(home)
        leave(other)
    assert servers(home) == []


def test_database_when_the_only_process_is_killed_then_the_next_joins_its_server_and_stops_it(home):
    with running(SHARE, home) as killed:
        begun = started_at(dsn_of(killed))
        killed.kill()
        killed.wait()
    assert servers(home)
    with embedded.database(settings(home)) as dsn:
        assert started_at(dsn) == begun
    assert servers(home) == []


def test_database_when_the_server_is_killed_then_the_next_one_starts_it_again_with_its_data(home):
    with embedded.database(settings(home)) as dsn:
        with psycopg.connect(dsn) as connection:
            connection.execute("INSERT INTO worker_positions (name, high) VALUES ('kept', 7)")
        os.kill(postmaster(home), signal.SIGKILL)
        with embedded.database(settings(home)) as again:
            assert again == dsn
            with psycopg.connect(dsn) as connection:
                assert connection.execute("SELECT high FROM worker_positions").fetchone() == (7,)
        assert servers(home)
    assert servers(home) == []


def test_database_when_the_server_is_killed_and_nobody_comes_then_leaving_still_works(home):
    with embedded.database(settings(home)):
        os.kill(postmaster(home), signal.SIGKILL)
    wait_until_gone(home)


def test_database_when_the_pid_file_names_a_living_stranger_then_it_starts(home):
    with embedded.database(settings(home)):
        written = (home / "postgres" / "data" / "postmaster.pid").read_text().splitlines()
    stranger = "\n".join([str(os.getpid()), *written[1:]]) + "\n"
    (home / "postgres" / "data" / "postmaster.pid").write_text(stranger)
    with embedded.database(settings(home)) as dsn:
        assert pending(dsn) == []


def test_database_when_a_forked_child_leaves_then_the_server_stays(home):
    with running(FORK, home) as process:
        assert process.communicate(timeout=60) == ("child left\nstill there\n", "")
    assert servers(home) == []
