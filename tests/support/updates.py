"""Hypothesis strategies for UPDATE messages: every field, every spelling, all of them good."""

from typing import Any

from hypothesis import strategies as st

LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
free_texts = st.text(
    st.characters(exclude_categories=["Cc", "Cs", "Cf", "Zl", "Zp"]), min_size=1, max_size=30
).filter(str.strip)


def numbers(least: int, most: int) -> st.SearchStrategy[Any]:
    """A whole number as JSON's number, as a text, or with a zero fraction."""
    whole = st.integers(least, most)
    return whole | whole.map(str) | whole.map(float)


def words(*choices: str) -> st.SearchStrategy[str]:
    """One of them, in any case."""
    return st.sampled_from(choices).flatmap(spelt)


def spelt(text: str) -> st.SearchStrategy[str]:
    """A text in any case."""
    return st.sampled_from([text, text.upper(), text.lower(), text.title(), text.swapcase()])


flags = (
    st.booleans()
    | words("true", "false", "yes", "no", "on", "off", "0", "1")
    | st.sampled_from([0, 1])
)
labels = st.text(LETTERS + "_", min_size=1, max_size=10)
host_names = st.builds("{}.example{}".format, labels, st.sampled_from(["", "."]))
addresses = st.one_of(
    st.ip_addresses(v=4, network="10.0.0.0/8").map(str),
    st.ip_addresses(v=6, network="2001:db8::/32").flatmap(
        lambda ip: st.sampled_from([str(ip), ip.exploded, f"[{ip}]", str(ip).upper()])
    ),
    host_names,
)
codes = st.sampled_from([200, "200", "200-204,302", ["404", "500-503", 200], "599,100-199"])


@st.composite
def nodes(draw: st.DrawFn, number: int) -> dict[str, Any]:
    """A good node, with a port that no other one of the list has."""
    return draw(
        st.fixed_dictionaries(
            {"address": addresses, "port": st.sampled_from([number + 1, str(number + 1)])},
            optional={
                "id": st.sampled_from([number, f"node-{number}", f" {number} "]) | st.just(""),
                "weight": numbers(0, 256),
                "condition": words("ENABLED", "DISABLED", "DRAINING"),
                "backup": flags,
            },
        )
    )


monitors = st.fixed_dictionaries(
    {"type": words("CONNECT", "HTTP")},
    optional={
        "delay": numbers(1, 3600),
        "timeout": numbers(1, 3600),
        "attempts": numbers(1, 100),
        "path": st.text(LETTERS + "._~!$&()*+,;=:@%/?-", max_size=30).map("/{}".format),
        "expected_codes": codes,
    },
)
options = st.fixed_dictionaries(
    {},
    optional={
        "client_timeout": numbers(1, 86_400_000),
        "server_timeout": numbers(1, 86_400_000),
        "connect_timeout": numbers(1, 86_400_000),
        "connect_retries": numbers(0, 100),
    },
)
cookies = st.fixed_dictionaries(
    {"type": words("HTTP_COOKIE")}, optional={"cookie_name": st.text(LETTERS, min_size=1)}
)
source_ip = words("SOURCE_IP") | st.fixed_dictionaries({"type": words("SOURCE_IP")})


@st.composite
def loadbalancers(draw: st.DrawFn, protocol: str, port: int) -> dict[str, Any]:
    """A good load balancer."""
    http = protocol == "HTTP"
    required: dict[str, Any] = {
        "protocol": words(protocol),
        "nodes": st.integers(1, 4).flatmap(lambda n: st.tuples(*map(nodes, range(n))).map(list)),
    }
    optional: dict[str, Any] = {
        "id": free_texts.map(lambda text: f"{protocol}-{text}"),
        "name": free_texts | st.just(""),
        "bind_address": st.sampled_from(["192.0.2.1", "[2001:db8::1]", "::", "0.0.0.0"]),
        "algorithm": words("ROUND_ROBIN", "LEAST_CONNECTIONS", "SOURCE_IP"),
        "connection_limit": numbers(1, 10_000_000),
        "x_forwarded_for": flags if http else st.sampled_from([False, "no", 0]),
        "options": options,
        "monitor": monitors,
        "session_persistence": cookies | source_ip if http else source_ip,
    }
    (optional if http and port == 80 else required)["port"] = st.sampled_from([port, str(port)])
    return draw(st.fixed_dictionaries(required, optional=optional))


@st.composite
def respelt(draw: st.DrawFn, value: Any) -> Any:
    """The value with its names in any case."""
    if isinstance(value, list):
        return [draw(respelt(item)) for item in value]
    if not isinstance(value, dict):
        return value
    return {draw(spelt(name)): draw(respelt(item)) for name, item in value.items()}


@st.composite
def updates(draw: st.DrawFn) -> dict[str, Any]:
    """Any good UPDATE message."""
    both = [draw(loadbalancers("HTTP", 80)), draw(loadbalancers("TCP", 2525))]
    chosen = draw(st.sampled_from([both[:1], both[1:], both, both[::-1]]))
    message = {"hpcs_action": draw(words("UPDATE")), "loadbalancers": chosen}
    return draw(respelt(message))  # type: ignore[no-any-return]
