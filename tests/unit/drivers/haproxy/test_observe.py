"""What runs, read back from the socket's own words; and what a reload takes along."""

from dataclasses import replace
from datetime import timedelta

import pytest

from libra.drivers.haproxy.build import build
from libra.drivers.haproxy.config import Check, Options, Server, ServerState
from libra.drivers.haproxy.effects import Running
from libra.drivers.haproxy.observe import (
    ObservedServer,
    overlay,
    parse_servers_state,
    parse_stat,
)
from libra.drivers.haproxy.serverstate import EMPTY, render_server_state
from tests.support.desired import build_desired

OPTIONS = Options(
    admin_socket="/run/a.sock",
    log_target="stdout",
    version=(2, 6),
    hard_stop_after=timedelta(hours=1),
)
CONFIGURATION = build(build_desired(81, 82), OPTIONS)
ONE, TWO = CONFIGURATION.backends[0].servers
HEAD = (
    "1\n# be_id be_name srv_id srv_name srv_addr srv_op_state srv_admin_state srv_uweight "
    "srv_iweight srv_time_since_last_change srv_check_status srv_check_result srv_check_health "
    "srv_check_state srv_agent_state bk_f_forced_id srv_f_forced_id srv_fqdn srv_port srvrecord "
    "srv_use_ssl srv_check_port srv_check_addr srv_agent_addr srv_agent_port\n"
)
STAT = "# pxname,svname,status,bck,\nfe-web,FRONTEND,OPEN,,\nbe-web,m0,UP,0,\nbe-web,m1,UP,0,\n"


def line(
    name: str, port: int, *, op: int = 2, admin: int = 0, weight: int = 1, fqdn: str = "-"
) -> str:
    address = "127.0.0.1"
    return (
        f"4 be-web 1 {name} {address} {op} {admin} {weight} {weight} 7 6 3 4 6 0 0 0 {fqdn} "
        f"{port} - 0 0 - - 0\n"
    )


def observed(*lines: str, stat: str = STAT) -> Running:
    servers = parse_servers_state(HEAD + "".join(lines) + "\n")
    return overlay(CONFIGURATION, servers, parse_stat(stat))


def test_a_line_is_read_by_its_column_names() -> None:
    (server,) = parse_servers_state(HEAD + line("m0", 81, admin=5, weight=9))
    assert server == ObservedServer("be-web", "m0", 1, "127.0.0.1", 81, 9, in_maintenance=True)


def test_maintenance_by_the_file_alone_was_lifted_at_runtime() -> None:
    (server,) = parse_servers_state(HEAD + line("m0", 81, admin=4))
    assert not server.in_maintenance


@pytest.mark.parametrize("text", ["", "2\n# be_id\n", "Unknown command\n"])
def test_another_format_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="show servers state"):
        parse_servers_state(text)


def test_what_runs_as_wanted_is_the_wanted_object_itself() -> None:
    running = observed(line("m0", 81), line("m1", 82))
    assert running == Running(CONFIGURATION)
    assert running.configuration.backends[0].servers[0] is ONE


@pytest.mark.parametrize(
    ("seen", "server"),
    [
        (line("m0", 81, weight=7), ONE._replace(weight=7)),
        (line("m0", 99), ONE._replace(port=99)),
        (line("m0", 81, admin=1), ONE._replace(state=ServerState.MAINT)),
        (line("m0", 81, fqdn="a.example"), ONE._replace(address="a.example")),
        (line("new", 83), Server("new", "127.0.0.1", 83)),
    ],
)
def test_every_drift_of_a_server_is_seen(seen: str, server: Server) -> None:
    running = observed(seen, line("m1", 82))
    assert running.configuration.backends[0].servers == (server, TWO)


def test_one_that_somebody_drained_is_not_ready() -> None:
    """It has its weight still, so nothing else would tell."""
    running = observed(line("m0", 81, admin=8), line("m1", 82))
    assert running.configuration.backends[0].servers == (
        ONE._replace(state=ServerState.MAINT),
        TWO,
    )


def test_one_that_somebody_drained_is_not_in_maintenance_either() -> None:
    (backend,) = CONFIGURATION.backends
    servers = (ONE._replace(state=ServerState.MAINT), TWO)
    seen = parse_servers_state(HEAD + line("m0", 81, admin=8) + line("m1", 82))
    wanted = replace(CONFIGURATION, backends=(replace(backend, servers=servers),))
    running = overlay(wanted, seen, parse_stat(STAT)).configuration.backends[0]
    assert running.servers == (ONE, TWO)


def test_a_number_matters_where_clients_are_found_by_it() -> None:
    (backend,) = CONFIGURATION.backends
    for number in (1, 7):
        servers = tuple(server._replace(id=number) for server in (ONE, TWO))
        numbered = replace(backend, stick=True, servers=servers)
        seen = parse_servers_state(HEAD + line("m0", 81) + line("m1", 82))
        running = overlay(
            replace(CONFIGURATION, backends=(numbered,)), seen, parse_stat(STAT)
        ).configuration.backends[0]
        assert running.servers == (ONE._replace(id=1), TWO._replace(id=1))
        assert (running.servers[0] is servers[0]) == (number == 1)


def test_a_missing_server_is_seen() -> None:
    assert observed(line("m1", 82)).configuration.backends[0].servers == (TWO,)


def test_a_backup_is_seen() -> None:
    running = observed(line("m0", 81), line("m1", 82), stat=STAT.replace("m0,UP,0", "m0,UP,1"))
    assert running.configuration.backends[0].servers[0] == ONE._replace(backup=True)


@pytest.mark.parametrize(
    ("stat", "disabled", "shut"),
    [
        (STAT, False, frozenset()),
        (STAT.replace("OPEN", "FULL"), False, frozenset()),
        (STAT.replace("OPEN", "PAUSED"), True, frozenset()),
        (STAT.replace("OPEN", "STOP"), True, frozenset()),
        (STAT.replace("fe-web,FRONTEND,OPEN,,\n", ""), True, frozenset({"fe-web"})),
    ],
)
def test_whether_a_frontend_listens_is_seen(
    stat: str, *, disabled: bool, shut: frozenset[str]
) -> None:
    running = observed(line("m0", 81), line("m1", 82), stat=stat)
    assert running.configuration.frontends[0].disabled is disabled
    assert running.shut == shut


CHECKED = replace(
    CONFIGURATION,
    backends=(
        replace(
            CONFIGURATION.backends[0],
            check=Check(interval=timedelta(1), timeout=timedelta(1), attempts=1),
        ),
    ),
)


def taken_along(*lines: str, wanted: tuple[Server, ...] = (ONE, TWO)) -> list[str]:
    desired = replace(CHECKED, backends=(replace(CHECKED.backends[0], servers=wanted),))
    return render_server_state(HEAD + "".join(lines), desired).splitlines()[2:]


def test_the_state_of_checks_is_taken_along_and_the_weight_is_the_wanted_one() -> None:
    down = line("m0", 81, op=0, weight=3)
    assert taken_along(down) == [line("m0", 81, op=0, weight=1).strip()]


@pytest.mark.parametrize(
    ("seen", "wanted"),
    [
        (line("m0", 81, admin=5), ONE),  # comes out of maintenance: afresh
        (line("m0", 81), ONE._replace(state=ServerState.MAINT)),
        (line("m0", 80), ONE),  # elsewhere now
        (line("gone", 81), ONE),
        (line("m0", 81, fqdn="a.example"), ONE),
    ],
)
def test_nothing_is_taken_along_that_the_configuration_decides(seen: str, wanted: Server) -> None:
    assert taken_along(seen, wanted=(wanted,)) == []


def test_servers_without_checks_have_no_state() -> None:
    assert render_server_state(HEAD + line("m0", 81), CONFIGURATION) == HEAD


def test_an_answer_that_cannot_be_read_takes_nothing_along() -> None:
    assert render_server_state("Unknown command\n", CHECKED) == EMPTY
