"""`libra job send`: what goes out, what is shown, and how it ends."""

import json
from pathlib import Path
from typing import Any

import pytest

from libra.config.settings import JobServerSettings
from libra.errors import JobDeadlinePassed, JobFailed, JobServerUnavailable
from tests.support.cli import FakeClient, invoke

NODES = [{"address": "10.0.0.1", "port": 80}]
UPDATE = {"loadbalancers": [{"protocol": "HTTP", "nodes": NODES}]}


def reply(**fields: Any) -> bytes:
    return json.dumps({"hpcs_action": "X", "hpcs_response": "PASS", **fields}).encode()


def sent(client: FakeClient) -> dict[str, Any]:
    ((_, payload, _),) = client.submitted
    message: dict[str, Any] = json.loads(payload)
    return message


@pytest.mark.parametrize("action", ["discover", "DISCOVER", "Discover"])
def test_an_action_in_any_case_is_sent_to_the_device(action: str) -> None:
    client = FakeClient()
    result = invoke("job", "send", action, "--device", "web1", "--timeout", "7", client=client)
    assert result.exit_code == 0, result.output
    assert client.submitted == [("web1", b'{"hpcs_action":"DISCOVER"}', 7.0)]
    assert client.closed == 1


def test_a_files_fields_travel_as_they_are(tmp_path: Path) -> None:
    file = tmp_path / "update.json"
    file.write_text(json.dumps({"x": [1, None, "é"], **UPDATE}))
    client = FakeClient()
    invoke("job", "send", "update", "-d", "web1", "-m", str(file), client=client)
    assert sent(client) == {"hpcs_action": "UPDATE", "x": [1, None, "é"], **UPDATE}


def test_standard_input_is_a_file_too() -> None:
    client = FakeClient()
    stdin = json.dumps(UPDATE).encode()
    invoke("job", "send", "update", "-d", "web1", "-m", "-", client=client, stdin=stdin)
    assert sent(client) == {"hpcs_action": "UPDATE", **UPDATE}


def test_the_files_own_action_is_kept_in_its_spelling_when_it_is_the_same() -> None:
    client = FakeClient()
    stdin = b'{"a": 1, "HPCS_ACTION": "suspend"}'
    invoke("job", "send", "SUSPEND", "-d", "web1", "-m", "-", client=client, stdin=stdin)
    assert sent(client) == {"a": 1, "HPCS_ACTION": "suspend"}


BAD_INPUT = [
    (("explode", "-d", "web1"), b"", "the action must be one of UPDATE, SUSPEND"),
    (("update", "-d", "web1"), b"", "--message FILE"),
    (("archive", "-d", "web1"), b"", "hpcs_object_store_token"),
    (("stats", "-d", "web 1"), b"", "no worker's name"),
    (("stats", "-d", "web1\n"), b"", "no worker's name"),
    (("stats", "-d", ""), b"", "no worker's name"),
    (("stats",), b"", "--device"),
    (("stats", "-d", "web1", "-t", "0"), b"", "--timeout"),
    (("stats", "-d", "web1", "-t", "nan"), b"", "--timeout"),
    (("stats", "-d", "web1", "-o", "xml"), b"", "--output"),
    (("stats", "-d", "web1", "-s", "gear1:x"), b"", "HOST:PORT"),
    (("stats", "-d", "web1", "-s", "gear1:0"), b"", "HOST:PORT"),
    (("stats", "-d", "web1", "-s", ""), b"", "HOST:PORT"),
    (("stats", "-d", "web1", "-s", "a b:4730"), b"", "HOST:PORT"),
    (("stats", "-d", "web1", "-c", "./missing.yaml"), b"", "there is no such file"),
    (("update", "-d", "web1", "-m", "./missing.json"), b"", "No such file"),
    (("update", "-d", "web1", "-m", "/"), b"", "Is a directory"),
    (("update", "-d", "web1", "-m", "-"), b"", "cannot read the message"),
    (("update", "-d", "web1", "-m", "-"), b"[1]", "must be a JSON object"),
    (("update", "-d", "web1", "-m", "-"), b"\xff", "not UTF-8"),
    (("update", "-d", "web1", "-m", "-"), b"[" * 100_000, "deep"),
    (("update", "-d", "web1", "-m", "-"), b'{"hpcs_action": "DELETE"}', "is 'DELETE'"),
    (("update", "-d", "web1", "-m", "-"), b'{"Hpcs_Action": 1}', "is 1"),
]


@pytest.mark.parametrize(("arguments", "stdin", "words"), BAD_INPUT)
def test_bad_input_ends_with_2_and_nothing_is_sent(
    arguments: tuple[str, ...], stdin: bytes, words: str
) -> None:
    client = FakeClient()
    result = invoke("job", "send", *arguments, client=client, stdin=stdin)
    assert result.exit_code == 2
    assert words in result.stderr
    assert result.stdout == ""
    assert "Traceback" not in result.stderr
    assert client.submitted == []


@pytest.mark.parametrize(
    "error",
    [JobServerUnavailable("cannot a"), JobDeadlinePassed("cannot b"), JobFailed("cannot c")],
)
def test_without_an_answer_it_ends_with_3(error: Exception) -> None:
    client = FakeClient(error)
    result = invoke("job", "send", "stats", "-d", "web1", client=client)
    assert (result.exit_code, result.stdout) == (3, "")
    assert result.stderr == f"libra: {error}\n"
    assert client.closed == 1


@pytest.mark.parametrize(
    "answer", [b"", b"\xff", b"PASS", b"[]", b"[" * 100_000, b"{}", b'{"hpcs_response": ["PASS"]}']
)
def test_a_reply_that_is_none_ends_with_3(answer: bytes) -> None:
    result = invoke("job", "send", "stats", "-d", "web1", client=FakeClient(answer))
    assert result.exit_code == 3
    assert result.stderr.startswith("libra: the reply of web1 ")


def test_a_change_that_passed_is_one_line() -> None:
    result = invoke("job", "send", "suspend", "-d", "web1", client=FakeClient(reply()))
    assert result.exit_code == 0
    assert result.stdout.startswith("PASS  SUSPEND on web1 in ")
    assert result.stdout.count("\n") == 1


def test_a_fail_tells_the_workers_reason_and_ends_with_1() -> None:
    answer = reply(hpcs_response="FAIL", hpcs_error="cannot enable: nothing is configured")
    result = invoke("job", "send", "enable", "-d", "web1", client=FakeClient(answer))
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == "FAIL  ENABLE on web1: cannot enable: nothing is configured\n"


def test_json_is_the_whole_reply_but_for_the_token() -> None:
    answer = reply(b=[1, {"c": "é\x1b"}], HPCS_Object_Store_Token="tell-tale")
    result = invoke("job", "send", "stats", "-d", "web1", "-o", "json", client=FakeClient(answer))
    assert result.exit_code == 0
    assert json.loads(result.stdout) == {
        "hpcs_action": "X",
        "hpcs_response": "PASS",
        "b": [1, {"c": "é\x1b"}],
        "HPCS_Object_Store_Token": "***",
    }
    assert "\x1b" not in result.stdout


def test_a_token_in_the_reason_is_masked() -> None:
    answer = reply(
        hpcs_response="FAIL",
        hpcs_error="401 for tell-tale token",
        hpcs_object_store_token="tell-tale",
    )
    for form in ("json", "table"):
        result = invoke(
            *("job", "send", "archive", "-d", "web1", "-m", "-", "-o", form),
            client=FakeClient(answer),
            stdin=b'{"hpcs_object_store_token": "tell-tale"}',
        )
        assert result.exit_code == 1
        assert "401 for" in result.stderr
        assert "tell-tale" not in result.output


NODE = {
    "id": "10.0.0.1:80",
    "address": "10.0.0.1",
    "port": 80,
    "status": "DOWN",
    "last_check": "L4CON",
    "current_sessions": 2,
    "total_sessions": 12345,
    "bytes_in": 999,
    "bytes_out": 1_234_567,
    "errors": 7,
}
WEB = {
    "id": "15",
    "name": "web",
    "protocol": "HTTP",
    "status": "ONLINE",
    "bytes_in": 1,
    "bytes_out": 2_000_000_000,
    "current_sessions": 3,
    "total_sessions": 4000,
    "errors": 0,
    "nodes": [NODE],
}


def test_statistics_are_a_table_a_load_balancer() -> None:
    client = FakeClient(reply(loadbalancers=[WEB, {**WEB, "name": None, "nodes": []}]))
    result = invoke("job", "send", "stats", "-d", "web1", client=client)
    assert result.exit_code == 0
    lines = [line.strip() for line in result.stdout.splitlines()]
    assert "web (HTTP)  ONLINE  sessions 4,000, now 3  in 1, out 2.0 GB  errors 0" in lines
    assert "15 (HTTP)  ONLINE  sessions 4,000, now 3  in 1, out 2.0 GB  errors 0" in lines
    (node,) = (line for line in lines if "10.0.0.1" in line)
    assert node.split() == ["10.0.0.1:80", "DOWN", "L4CON", "2", "12,345", "999", "1.2", "MB", "7"]


def test_statistics_of_nothing_say_so() -> None:
    result = invoke("job", "send", "stats", "-d", "web1", client=FakeClient(reply()))
    assert result.stdout == "no load balancer is configured\n"


def test_discover_is_a_table() -> None:
    answer = reply(version="1.0", release="0.1.0", driver="haproxy", proxy="HAProxy")
    result = invoke("job", "send", "discover", "-d", "web1", client=FakeClient(answer))
    assert [line.split() for line in result.stdout.splitlines()] == [
        ["web1"],
        ["version", "1.0"],
        ["release", "0.1.0"],
        ["driver", "haproxy"],
        ["proxy", "HAProxy"],
        ["proxy", "version", "-"],
    ]


HOSTILE = ["\x1b]0;x\x07", "[red]x[/red]", "[/]", ":smile:", "a\nb\r", "\u202e", "x" * 10**6, "é"]
ODD = [*HOSTILE, None, True, 1.5, 10**400, -1, [], {}, [{}], {"nodes": "x"}, {"nodes": [None, 1]}]


@pytest.mark.parametrize("value", ODD)
@pytest.mark.parametrize("action", ["stats", "discover", "suspend"])
def test_whatever_is_in_a_reply_is_shown_in_print(action: str, value: object) -> None:
    shapes: list[dict[str, object]] = [
        {"loadbalancers": value, "version": value, "proxy": value},
        {"loadbalancers": [value, dict.fromkeys(WEB, value)]},
        {"loadbalancers": [{"nodes": [value, dict.fromkeys(NODE, value)]}]},
        {"hpcs_response": "FAIL", "hpcs_error": value},
    ]
    for fields in shapes:
        result = invoke("job", "send", action, "-d", "web1", client=FakeClient(reply(**fields)))
        assert result.exit_code in (0, 1, 3), result.output
        assert result.exception is None or isinstance(result.exception, SystemExit)
        assert all(line.isprintable() for line in result.output.splitlines())
        assert len(result.output) < 20_000


def test_thousands_of_nodes_end_in_a_number() -> None:
    answer = reply(loadbalancers=[{**WEB, "nodes": [NODE] * 1500}])
    result = invoke("job", "send", "stats", "-d", "web1", client=FakeClient(answer))
    assert result.stdout.count("10.0.0.1:80") == 1000
    assert "and 500 nodes more; -o json shows all" in result.stdout


def test_job_servers_come_from_the_command_line_the_settings_or_the_default(tmp_path: Path) -> None:
    file = tmp_path / "libra.yaml"
    tls = "{host: gear1, port: 4731, ca: /ca.pem, cert: /cert.pem, key: /key.pem}"
    file.write_text(f"job_servers: [{tls}, {{host: gear2}}]")
    gear1 = JobServerSettings.model_validate(
        {"host": "gear1", "port": 4731, "ca": "/ca.pem", "cert": "/cert.pem", "key": "/key.pem"}
    )
    gear2 = JobServerSettings(host="gear2")
    config = ("-c", str(file))
    environ = {"LIBRA_JOB_SERVERS": "[{host: gear3}]"}
    assert used() == (JobServerSettings(),)
    assert used(environ=environ) == (JobServerSettings(host="gear3"),)
    assert used(*config) == (gear1, gear2)
    assert used(*config, "-s", "GEAR1:4731") == (gear1,)
    assert used("-s", "gear1:4731", "-s", "[::1]:5", "-s", "::1", "-s", "gear4") == (
        JobServerSettings(host="gear1", port=4731),
        JobServerSettings(host="::1", port=5),
        JobServerSettings(host="::1"),
        JobServerSettings(host="gear4"),
    )


def test_a_server_that_the_settings_do_not_name_is_not_spoken_to_in_clear(tmp_path: Path) -> None:
    file = tmp_path / "libra.yaml"
    file.write_text("job_servers: [{host: gear1}]")
    client = FakeClient()
    result = invoke(
        "job", "send", "stats", "-d", "web1", "-c", str(file), "-s", "gear2", client=client
    )
    assert result.exit_code == 2
    assert "does not name it" in result.stderr
    assert client.submitted == []


def used(*arguments: str, environ: dict[str, str] | None = None) -> tuple[JobServerSettings, ...]:
    client = FakeClient()
    result = invoke(
        "job", "send", "stats", "-d", "web1", *arguments, client=client, environ=environ
    )
    assert result.exit_code == 0, result.output
    return client.servers
