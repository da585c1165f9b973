"""HAProxy's words: short, without paths and secrets."""

from libra.drivers.haproxy.alerts import LONGEST, explain

CHECK = """\
[NOTICE]   (17658) : haproxy version is 2.6.12-1+deb12u4
[NOTICE]   (17658) : path to executable is /usr/sbin/haproxy
[WARNING]  (17658) : config : parsing [/var/lib/libra/haproxy.cfg.candidate:3] : something old
[ALERT]    (17658) : config : parsing [/var/lib/libra/haproxy.cfg.candidate:10] : 'bind' : invalid port '90000'
[ALERT]    (17658) : config : Error(s) found in configuration file : /var/lib/libra/haproxy.cfg.candidate
[ALERT]    (17658) : config : Fatal errors found in configuration.
"""
START = """\
[ALERT]    (17651) : Binding [p.cfg:10] for frontend f: cannot bind socket (Address already in use) for [127.0.0.1:222]
[ALERT]    (17651) : [/usr/sbin/haproxy.main()] Some protocols failed to start their listeners! Exiting.
"""
END = """\
[ALERT]    (99) : [haproxy.main()] Cannot chroot(/nowhere).
[ALERT]    (98) : Current worker (99) exited with code 1 (Exit)
[ALERT]    (98) : exit-on-failure: killing every processes with SIGTERM
"""


def test_the_fault_is_told_and_nothing_else() -> None:
    assert explain(CHECK) == "line 10: 'bind' : invalid port '90000'"
    assert explain(START) == (
        "line 10: for frontend f: cannot bind socket (Address already in use) for [127.0.0.1:222]"
    )
    assert explain(END) == "Cannot chroot(/nowhere)."


def test_better_little_than_nothing() -> None:
    assert explain(END.split("\n", 1)[1]).startswith("Current worker (99) exited with code 1")
    assert explain("[NOTICE]   (1) : all is well\n") == explain("") == ""


def test_several_faults_are_joined_and_bounded() -> None:
    log = "".join(f"[ALERT]    (1) : fault {n} {'x' * 10}\n" for n in range(9))
    assert explain(log) == "fault 0 xxxxxxxxxx; fault 1 xxxxxxxxxx; fault 2 xxxxxxxxxx"
    assert explain(CHECK + CHECK) == explain(CHECK)
    long = explain(f"[ALERT]    (1) : {'x' * 5000}\n")
    assert len(long) == LONGEST
    assert long.endswith("...")


def test_secrets_of_the_configuration_are_not_told() -> None:
    configuration = (
        "userlist u\n    user admin insecure-password s3cret\n    stats auth me:hush 'x\n"
    )
    log = "[ALERT]    (1) : unknown word 's3cret' near 'me:hush'\n"
    assert explain(log, configuration) == "unknown word '***' near '***'"


def test_control_characters_are_not_passed_on() -> None:
    assert explain("[ALERT]    (1) : a\x1b[2Jb\n") == "a?[2Jb"
