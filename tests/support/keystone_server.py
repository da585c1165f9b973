"""Run by the interpreter of a virtual environment that has Keystone.

    python keystone_server.py lay-out DIRECTORY         makes one there, which takes a while
    python keystone_server.py serve DIRECTORY PORT      serves it; prints "ready" once it answers

Its administrator is admin, of the project admin; its password is PASSWORD.
"""

import os
import sqlite3
import sys
import warnings
from pathlib import Path
from socketserver import ThreadingMixIn
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

PASSWORD = "keystone-secret"
URL = "http://127.0.0.1:{}/v3"
CONFIG = """\
[DEFAULT]
log_file = {0}/keystone.log
use_stderr = false
[database]
connection = sqlite:///{0}/keystone.db
sqlite_synchronous = false
[identity]
password_hash_rounds = 4
[fernet_tokens]
key_repository = {0}/fernet
[fernet_receipts]
key_repository = {0}/fernet
[credential]
key_repository = {0}/credentials
[cache]
enabled = false
"""


class Threaded(ThreadingMixIn, WSGIServer):
    """A connection that says nothing keeps nobody waiting."""

    daemon_threads = True


class Quiet(WSGIRequestHandler):
    """It writes nothing."""

    def log_message(self, *_: object) -> None:
        """Nothing."""


def main() -> None:
    """One of both."""
    warnings.simplefilter("ignore")
    command, directory = sys.argv[1], Path(sys.argv[2]).absolute()
    config = directory / "keystone.conf"
    config.write_text(CONFIG.format(directory))
    if command == "lay-out":
        _lay_out(directory, config)
    else:
        _serve(directory, config, int(sys.argv[3]))


def _lay_out(directory: Path, config: Path) -> None:
    import keystone.cmd.manage  # noqa: F401 - once, for all that it is forked into

    with sqlite3.connect(directory / "keystone.db") as database:  # Keystone reads while it writes
        database.execute("PRAGMA journal_mode = WAL")
    _manage(config, "db_sync")
    account = ["--keystone-user", str(os.geteuid()), "--keystone-group", str(os.getegid())]
    _manage(config, "fernet_setup", *account)
    urls = ["--bootstrap-public-url", URL, "--bootstrap-internal-url", URL]
    _manage(config, "bootstrap", "--bootstrap-password", PASSWORD, *urls)


def _manage(config: Path, *command: str) -> None:
    arguments = ["keystone-manage", "--config-file", str(config), *command]
    if os.fork():
        assert os.wait()[1] == 0, command
        return
    from keystone.cmd import manage

    sys.argv = arguments
    manage.main()
    os._exit(0)


def _serve(directory: Path, config: Path, port: int) -> None:
    with sqlite3.connect(directory / "keystone.db") as database:
        database.execute("UPDATE endpoint SET url = ?", [URL.format(port)])
    os.environ["OS_KEYSTONE_CONFIG_FILES"] = str(config)
    from keystone.server.wsgi import initialize_public_application

    sys.argv = ["keystone"]
    application = initialize_public_application()
    with make_server("127.0.0.1", port, application, Threaded, Quiet) as server:
        print("ready", flush=True)  # noqa: T201 - the answer
        server.serve_forever()


main()
