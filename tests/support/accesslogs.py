"""Lines as HAProxy and rsyslog write them, with everything in them that a client may choose."""

from dataclasses import dataclass

from hypothesis import strategies as st

MINE = "fe-15"
OTHERS = ("fe-16", "fe-1", "fe-155", "fe-15.", "xfe-15", "FE-15")


@dataclass(frozen=True)
class Line:
    """One line, and whether it is the frontend's own."""

    text: bytes
    frontend: str

    @property
    def is_mine(self) -> bool:
        return self.frontend == MINE


CLIENTS = st.sampled_from(
    ["10.0.0.9:33320", "2001:db8::9:33320", "::1:1", "unix:1", "::ffff:10.0.0.9:80"]
)
DATES = st.sampled_from(["[21/Nov/2026:05:26:00.130]", "[01/Jan/2027:00:00:00.000]"])
PREFIXES = st.sampled_from(
    [
        "",
        "Nov 21 05:26:00 lb-7 haproxy[812]: ",
        "Nov  1 05:26:00 lb-7 haproxy[812]: ",
        "2026-11-21T05:26:00.123456+00:00 lb-7.example.com haproxy[9]: ",
        "2026-11-21T05:26:00Z lb7 libra-haproxy: ",
    ]
)
FRONTENDS = st.sampled_from([MINE, *OTHERS])
# What a client writes into its request line or a captured header, aimed at the filter.
BAIT = st.sampled_from(
    [
        f"] {MINE} ",
        f"1.2.3.4:5 [21/Nov/2026:05:26:00.130] {MINE} be/s1 0/0/0/0/0 200 1",
        f"Nov 21 05:26:00 h haproxy[1]: 1.2.3.4:5 [21/Nov/2026:05:26:00.130] {MINE}~ ",
        "/plain?a=1",
        "[",
        "]",
        "#0A",
        "\\n",
        "a b c",
        "\xff\x80",
    ]
)
TAILS = st.lists(BAIT, max_size=4).map(" ".join)


@st.composite
def http_lines(draw: st.DrawFn) -> Line:
    frontend, tls = draw(FRONTENDS), draw(st.sampled_from(["", "~"]))
    head = f"{draw(PREFIXES)}{draw(CLIENTS)} {draw(DATES)} {frontend}{tls} be-x/s1 0/0/0/2/2 200 99"
    text = f'{head} - - ---- 1/1/0/0/0 0/0 {{{draw(TAILS)}}} "GET {draw(TAILS)} HTTP/1.1"\n'
    return Line(text.encode("latin-1"), frontend)


@st.composite
def tcp_lines(draw: st.DrawFn) -> Line:
    frontend = draw(FRONTENDS)
    head = f"{draw(PREFIXES)}{draw(CLIENTS)} {draw(DATES)} {frontend} be-x/s1 1/0/12 345"
    return Line(f"{head} -- 1/1/0/0/0 0/0\n".encode(), frontend)


@st.composite
def error_lines(draw: st.DrawFn) -> Line:
    """What HAProxy logs of a connection that never became a request."""
    frontend = draw(FRONTENDS)
    head = f"{draw(PREFIXES)}{draw(CLIENTS)} {draw(DATES)} {frontend}/1: "
    return Line(f"{head}Connection error during SSL handshake\n".encode(), frontend)


@st.composite
def other_lines(draw: st.DrawFn) -> Line:
    """What else is in the file."""
    text = draw(
        st.sampled_from(
            [
                f"Server be-15/s1 is DOWN, reason: {MINE}.",
                f"Proxy {MINE} started.",
                f"[NOTICE] (1) : [{MINE}] {MINE} reload",
                "",
                f"] {MINE} ",
                f" [21/Nov/2026:05:26:00.130] {MINE} be/s1",
                f"a b [21/Nov/2026:05:26:00.130] {MINE} be/s1",
            ]
        )
    )
    return Line(f"{draw(PREFIXES)}{text}\n".encode(), "")


LINES = st.lists(st.one_of(http_lines(), tcp_lines(), error_lines(), other_lines()), max_size=30)


def build_line(frontend: str, number: int, *, syslog: bool = False, tail: str = "") -> bytes:
    """One plain httplog line, told apart by its number."""
    prefix = "Nov 21 05:26:00 lb-7 haproxy[812]: " if syslog else ""
    return (
        f"{prefix}10.0.0.9:{1024 + number % 60000} [21/Nov/2026:05:26:00.130] {frontend} be-x/s1 "
        f'0/0/0/2/2 200 99 - - ---- 1/1/0/0/0 0/0 "GET /{number}{tail} HTTP/1.1"\n'
    ).encode()
