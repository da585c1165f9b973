"""An access log as a busy device writes it, made quickly: a block of lines, again and again."""

import random
from pathlib import Path

BLOCK_LINES = 200_000
CLIENTS = 20_000
PATHS = 300
START_SECONDS = 5 * 3600


def write_log(path: Path, size: int) -> None:
    """Seven lines of ten are the HTTP load balancer's, three the TCP one's."""
    block = build_block(random.Random(15))
    with path.open("wb") as file:
        while file.tell() < size:
            file.write(block[: size - file.tell()])


def build_block(chance: random.Random) -> bytes:
    """The lines of some minutes."""
    clients = [
        f"10.{chance.randrange(64)}.{chance.randrange(256)}.{chance.randrange(1, 255)}"
        for _ in range(CLIENTS)
    ]
    paths = [build_path(chance) for _ in range(PATHS)]
    lines = []
    milliseconds = START_SECONDS * 1000
    for _ in range(BLOCK_LINES):
        milliseconds += chance.randrange(3)
        client = clients[int(CLIENTS * chance.random() ** 3)]  # some come often, most seldom
        path = build_url(chance, paths[int(PATHS * chance.random() ** 2)])
        head = build_head(chance, milliseconds, client)
        is_http = chance.random() < 0.7
        lines.append(build_http(chance, head, path) if is_http else build_tcp(chance, head))
    return "".join(lines).encode()


def build_head(chance: random.Random, milliseconds: int, client: str) -> str:
    """rsyslog's part, the client and the date."""
    seconds, rest = divmod(milliseconds, 1000)
    clock = f"{seconds // 3600 % 24:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"
    port = chance.randrange(1024, 65536)
    return f"Nov 21 {clock} lb-7 haproxy[812]: {client}:{port} [21/Nov/2026:{clock}.{rest:03d}]"


def build_http(chance: random.Random, head: str, path: str) -> str:
    """option httplog."""
    server, wait = chance.randrange(1, 5), int(chance.paretovariate(1.2))
    status = chance.choices((200, 304, 404, 302, 500), (80, 10, 5, 4, 1))[0]
    size = 0 if status == 304 else int(chance.lognormvariate(8, 1.3))
    busy = chance.randrange(40, 60)
    return (
        f"{head} fe-15 be-15/10.1.0.{server}:8080 0/0/{chance.randrange(2)}/{wait}/{wait + chance.randrange(3)} "
        f'{status} {size} - - ---- {busy + 9}/{busy}/{busy // 3}/{busy // 9}/0 0/0 "GET {path} HTTP/1.1"\n'
    )


def build_tcp(chance: random.Random, head: str) -> str:
    """option tcplog."""
    server, time = chance.randrange(1, 4), int(chance.paretovariate(0.6)) % 100_000
    size = int(chance.lognormvariate(9, 1.5))
    busy = chance.randrange(5, 15)
    return (
        f"{head} fe-16 be-16/10.1.1.{server}:5432 1/0/{time} {size} -- "
        f"{busy + 50}/{busy}/{busy}/{busy // 3}/0 0/0\n"
    )


def build_path(chance: random.Random) -> str:
    """What the application knows."""
    words = ("api", "v2", "static", "img", "users", "orders", "search", "assets", "js", "cart")
    return "/" + "/".join(chance.choices(words, k=chance.randrange(1, 4)))


def build_url(chance: random.Random, path: str) -> str:
    """What a client asks for: half of them name a thing, a fifth carry a session."""
    if chance.random() < 0.5:
        path += f"/{chance.randrange(10**7)}"
    if chance.random() < 0.2:
        path += f"?page={chance.randrange(100)}&session={chance.randbytes(8).hex()}"
    return path
