"""Whom a client of HTTP trusts."""

import ssl


def trust_for(url: str) -> ssl.SSLContext | bool:
    """For `verify=` of an httpx client that follows no redirection: True, the machine's own, unless all is plain HTTP.

    Then nobody, for nobody is asked: to read the machine's certificates takes 40 ms and more of a processor, each time.
    """
    plain = url.lower().startswith("http:")
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT) if plain else True
