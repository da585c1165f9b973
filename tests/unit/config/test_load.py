"""Settings from defaults, file and environment, and the sentences for what is wrong with them."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libra.config.load import MAX_BYTES, load_settings
from libra.config.settings import (
    JobServerSettings,
    LoggingSettings,
    Settings,
)
from libra.config.values import Supervisor
from libra.errors import Invalid


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "libra.yaml"


def faults(path: Path | None, environ: dict[str, str] | None = None) -> list[str]:
    with pytest.raises(Invalid) as caught:
        load_settings(path, environ or {})
    return [line.replace(str(path), "FILE") for line in str(caught.value).splitlines()]


def faults_of(file: Path, text: str) -> list[str]:
    file.write_text(text)
    return faults(file)


def test_nothing_given_is_the_defaults() -> None:
    assert load_settings(None, {}) == Settings()


@pytest.mark.parametrize(
    "text", ["", "---\n", "worker:\n", "job_servers:\nobject_stores:\n  swift:\n"]
)
def test_an_empty_file_and_empty_sections_are_the_defaults(file: Path, text: str) -> None:
    file.write_text(text)
    assert load_settings(file, {}) == Settings()


def test_the_environment_wins_over_the_file_and_the_file_over_defaults(file: Path) -> None:
    file.write_text("worker: {name: web1, drain_seconds: 5}\nlogging: {format: json}\n")
    settings = load_settings(
        file, {"LIBRA_WORKER__NAME": "web2", "LIBRA_LOGGING__LEVEL": "DEBUG", "OTHER": "x"}
    )
    assert settings.worker.name == "web2"
    assert settings.worker.drain_seconds == 5
    assert settings.logging == LoggingSettings.model_validate({"level": "debug", "format": "json"})


def test_lists_and_sections_in_the_environment_are_yaml_or_json() -> None:
    settings = load_settings(
        None,
        {
            "LIBRA_JOB_SERVERS": '[{"host": "[::1]", "port": 4731}, {"host": "GEAR2."}]',
            "LIBRA_HAPROXY__EXTRA_GLOBAL": "[nbthread 2]",
            "LIBRA_OBJECT_STORES__SWIFT": "{attempts: 5}",
            "LIBRA_OBJECT_STORES__SWIFT__TIMEOUT_SECONDS": "7.5",
            "LIBRA_WORKER__NAME": "007",
        },
    )
    assert settings.job_servers == (
        JobServerSettings(host="::1", port=4731),
        JobServerSettings(host="gear2"),
    )
    assert settings.haproxy.extra_global == ("nbthread 2",)
    assert settings.object_stores.swift.attempts == 5
    assert settings.object_stores.swift.timeout_seconds == 7.5
    assert settings.worker.name == "007"


def test_an_empty_variable_and_those_of_others_are_not_ours() -> None:
    environ = {"LIBRA_WORKER__NAME": "", "LIBRA_PORT": "tcp://10.0.0.1", "LIBRA_HOME": "/x"}
    assert load_settings(None, environ) == Settings()


def test_every_fault_is_told_at_once_with_its_place(file: Path) -> None:
    file.write_text(
        "job_servers:\n- {host: a b}\n- {port: 70000}\n"
        "worker: {drain_seconds: -1}\nworkers: {}\nlogging: {level: loud}\n"
    )
    environ = {"LIBRA_HAPROXY__SUPERVISOR": "cron", "LIBRA_WORKER__NMAE": "x"}
    assert faults(file, environ) == [
        "LIBRA_WORKER__NMAE: no such setting; did you mean LIBRA_WORKER__NAME?",
        "FILE: job_servers[0].host: must be a host name, or an IPv4 or IPv6 address, got 'a b'",
        "FILE: job_servers[1].port: must be a whole number from 1 to 65535, got 70000",
        "FILE: worker.drain_seconds: must be a number above 0 and at most 3600, got -1",
        "LIBRA_HAPROXY__SUPERVISOR: must be one of own, systemd, got 'cron'",
        "FILE: logging.level: must be one of debug, info, warning, error, got 'loud'",
        "FILE: workers: no such setting; did you mean 'worker'?",
    ]


def test_a_broken_text_and_the_environment_are_told_together(file: Path) -> None:
    file.write_text("worker: {name: 'x\n")
    found = faults(file, {"LIBRA_LOGGING__LEVEL": "loud"})
    assert found[0].startswith("FILE: line 2, column 1: ")
    assert found[1].startswith("LIBRA_LOGGING__LEVEL: must be one of")


PLACES = [
    ("on: 1", "FILE: on: no such setting; known here are job_servers, worker, haproxy"),
    ("worker: {admin_socket: /x}", "FILE: worker.admin_socket: no such setting here; it belongs"),
    ("driver: noop", "FILE: driver: no such setting here; it belongs to worker"),
    ("[1]", "FILE: must hold sections"),
    ("worker", "FILE: must hold sections"),
    ("worker: web1", "FILE: worker: must be a section of keys and values, got 'web1'"),
    ("worker: [1]", "FILE: worker: must be a section of keys and values, got a list"),
    ("job_servers: []", "FILE: job_servers: must have at least 1 item, got none"),
    ("job_servers: {host: x}", "FILE: job_servers: must be a list, each item a section"),
    ("job_servers: [x]", "FILE: job_servers[0]: must be a section of keys and values, got 'x'"),
    ("job_servers: [{}, {}]", "FILE: job_servers names 127.0.0.1 port 4730 twice"),
    ("job_servers: [{ca: /x}]", "FILE: job_servers[0]: TLS needs ca, cert and key together"),
    ("job_servers: [{port: 22:22}]", "FILE: job_servers[0].port: must be a whole number"),
    ("job_servers: [{port: true}]", "FILE: job_servers[0].port: must be a whole number"),
    ("job_servers: [{port: 1.5}]", "FILE: job_servers[0].port: must be a whole number"),
    ("job_servers: [{host: 10.0.0.256}]", "FILE: job_servers[0].host: must be a host name"),
    ("job_servers: [{host: '[gear1]'}]", "FILE: job_servers[0].host: must be a host name"),
    ("job_servers: [{key: a.pem}]", "FILE: job_servers[0].key: must be an absolute path"),
    ("worker: {name: 1}", "FILE: worker.name: must be a name"),
    ("worker: {name: no way}", "FILE: worker.name: must be a name"),
    ('worker: {name: "a\\n"}', "FILE: worker.name: must be a name"),
    ("worker: {name: }", "FILE: worker.name: must be a name"),
    ("worker: {state_dir: ~/x}", "FILE: worker.state_dir: must be an absolute path"),
    ("worker: {state_dir: var/lib}", "FILE: worker.state_dir: must be an absolute path"),
    ('worker: {state_dir: "/a\\0b"}', "FILE: worker.state_dir: must be an absolute path"),
    ('worker: {state_dir: "/a\\nb"}', "FILE: worker.state_dir: must be an absolute path"),
    ("worker: {drain_seconds: .inf}", "FILE: worker.drain_seconds: must be a number"),
    ("worker: {drain_seconds: inf}", "FILE: worker.drain_seconds: must be a number"),
    ("worker: {drain_seconds: nan}", "FILE: worker.drain_seconds: must be a number"),
    ("worker: {driver: ../x}", "FILE: worker.driver: must be a name"),
    (f"haproxy: {{admin_socket: /{'x' * 90}}}", "FILE: haproxy.admin_socket: must be an absolute"),
    ("haproxy: {admin_socket: '/a,b'}", "FILE: haproxy.admin_socket: must be an absolute"),
    ("haproxy: {admin_socket: '/a b'}", "FILE: haproxy.admin_socket: must be an absolute"),
    (
        "haproxy: {admin_socket: /a, master_socket: /a}",
        "FILE: haproxy: admin_socket and master_socket must be two paths",
    ),
    ("haproxy: {log_target: 'a b'}", "FILE: haproxy.log_target: must be where"),
    ('haproxy: {log_target: "a\\nb"}', "FILE: haproxy.log_target: must be where"),
    ("haproxy: {user: 'root; x'}", "FILE: haproxy.user: must be a user"),
    ("haproxy: {group: -g}", "FILE: haproxy.group: must be a user"),
    ("haproxy: {extra_global: maxconn 5}", "FILE: haproxy.extra_global: must be a list"),
    (
        "object_stores: {swift: {allowed_endpoints: ['a b']}}",
        "FILE: object_stores.swift.allowed_endpoints[0]: must be a pattern",
    ),
]


@pytest.mark.parametrize(("text", "fault"), PLACES)
def test_a_fault_names_its_key_and_what_is_wanted(file: Path, text: str, fault: str) -> None:
    (found,) = faults_of(file, text)
    assert found.startswith(fault)


BAD_LINES = [
    "frontend x",
    "  listen x",
    "\tbackend",
    '"frontend" x',
    "'frontend' x",
    "front\\end x",
    "maxconn 5\nfrontend x",
    "maxconn 5\rx",
    ".if 1",
    "# comment",
    "",
    "   ",
    "Maxconn 5",
    "x" * 1025,
]


@pytest.mark.parametrize("line", BAD_LINES)
def test_a_line_for_haproxy_cannot_leave_its_section(line: str) -> None:
    for key in ("extra_global", "extra_defaults"):
        with pytest.raises(ValueError, match=key):
            Settings.model_validate({"haproxy": {key: [line]}})


def test_good_values_are_taken_in_any_sane_spelling(file: Path) -> None:
    file.write_text(
        "job_servers: [{host: Gear1.Example.COM., port: '4730'}, {host: '::FFFF:10.0.0.1', port: 010}]\n"
        "haproxy: {supervisor: OWN, extra_global: ['stats socket ipv4@127.0.0.1:9999', nbthread 2]}\n"
        "worker: {name: no, drain_seconds: 1e1}\n"
    )
    settings = load_settings(file, {})
    assert [(one.host, one.port) for one in settings.job_servers] == [
        ("gear1.example.com", 4730),
        ("10.0.0.1", 10),
    ]
    assert settings.haproxy.supervisor is Supervisor.OWN
    assert settings.worker.name == "no"
    assert settings.worker.drain_seconds == 10


SECRETS = [
    ("LIBRA_WORKER__PASSWORD", "hunter2"),
    ("LIBRA_JOB_SERVERS", "[{key: '-----BEGIN PRIVATE KEY----- MIIEvQ'}]"),
    ("LIBRA_JOB_SERVERS", "[{host: 'https://user:hunter2@gear1'}]"),
    ("LIBRA_WORKER__DRIVER", "AUTH_tk0123456789"),
    ("LIBRA_WORKER__DRIVER", "gAAAAABm3Zk9x0123456789abcdefABCDEF"),
]


@pytest.mark.parametrize(("variable", "value"), SECRETS)
def test_what_looks_like_a_secret_is_not_echoed(variable: str, value: str) -> None:
    text = "\n".join(faults(None, {variable: value}))
    assert variable in text
    for part in ("hunter2", "MIIEvQ", "AUTH_tk", "gAAAA"):
        assert part not in text


def test_hostile_keys_and_values_come_out_printable_and_short(file: Path) -> None:
    text = "\n".join(
        faults_of(file, f'"\\e[31m\\n": 1\nworker: {{name: "\\e]0;x\\a{"y" * 5000}"}}\n')
    )
    assert text.isprintable() is False  # only for the line ends
    assert all(line.isprintable() for line in text.splitlines())
    assert len(text) < 1000


def test_thousands_of_faults_end_in_a_number(file: Path) -> None:
    found = faults_of(file, "worker:\n" + "".join(f"  k{i}x: 1\n" for i in range(3000)))
    assert len(found) == 51
    assert found[-1] == "... and 2950 faults more"


def test_files_that_cannot_be_read_say_why(tmp_path: Path) -> None:
    large, latin, fifo = tmp_path / "large", tmp_path / "latin", tmp_path / "fifo"
    large.write_bytes(b"#" * (MAX_BYTES + 1))
    latin.write_bytes(b"worker: {name: caf\xe9}")
    os.mkfifo(fifo)
    assert faults(tmp_path / "none") == ["FILE: cannot be read: there is no such file"]
    assert faults(tmp_path) == ["FILE: cannot be read: Is a directory"]
    assert faults(large) == ["FILE: cannot be read: larger than 1048576 bytes"]
    assert faults(latin) == ["FILE: cannot be read: not UTF-8 at byte 18"]
    assert faults(fifo) == ["FILE: cannot be read: not a regular file"]
    assert faults(Path("/dev/zero")) == ["FILE: cannot be read: not a regular file"]


def test_files_that_cannot_be_read_are_closed(tmp_path: Path) -> None:
    """A daemon is told to read them again and again."""
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    before = len(list(Path("/proc/self/fd").iterdir()))
    for path in (tmp_path, fifo, Path("/dev/zero")) * 5:
        faults(path)
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_a_byte_order_mark_is_no_part_of_the_first_key(file: Path) -> None:
    file.write_bytes(b"\xef\xbb\xbfworker: {name: web1}")
    assert load_settings(file, {}).worker.name == "web1"


def test_a_host_whose_name_is_no_function_name_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("socket.gethostname", lambda: "(none)")
    (fault,) = faults(None)
    assert fault.startswith("defaults: worker.name: must be a name")
    assert load_settings(None, {"LIBRA_WORKER__NAME": "web1"}).worker.name == "web1"


@given(
    st.dictionaries(
        st.sampled_from(
            [
                "LIBRA_WORKER",
                "LIBRA_JOB_SERVERS",
                "LIBRA_LOGGING__LEVEL",
                "LIBRA_HAPROXY__EXTRA_GLOBAL",
                "LIBRA_X",
            ]
        ),
        st.text(),
    )
)
def test_no_environment_raises_anything_but_invalid(environ: dict[str, str]) -> None:
    text = ""
    try:
        load_settings(None, environ)
    except Invalid as error:
        text = str(error)
    assert all(line.startswith("LIBRA_") for line in text.splitlines())
