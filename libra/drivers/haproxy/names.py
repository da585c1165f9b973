"""The names that HAProxy knows listeners, pools and members by.

Ids are a customer's free text; HAProxy takes letters, digits and -_.: only, and names end up in its access log,
its statistics and its sockets' commands. The encoding is one-to-one and keeps ordinary ids readable.
"""

import hashlib
import re

LONGEST = 120  # characters of an encoded id; longer ones end in a digest of the whole
_ESCAPED = re.compile(rb"[^A-Za-z0-9_.:-]|_(?=[0-9A-F]{2})")
_RESERVED = ("FRONTEND", "BACKEND")  # what `show stat` calls the proxies themselves


def encode_name(identity: str, longest: int = LONGEST) -> str:
    """An id as a HAProxy name: other characters become _XX of their UTF-8 bytes."""
    encoded = _ESCAPED.sub(lambda m: b"_%02X" % m[0][0], identity.encode()).decode()
    if encoded in _RESERVED:
        encoded = f"_{ord(encoded[0]):02X}{encoded[1:]}"
    if len(encoded) > longest:
        digest = hashlib.sha256(identity.encode()).hexdigest()[:32]
        encoded = f"{encoded[: longest - 33]}_{digest}"
    return encoded


def frontend_name(listener_id: str) -> str:
    """The frontend of a listener: also the field by which its access log is found."""
    return f"fe-{encode_name(listener_id)}"


def backend_name(pool_id: str) -> str:
    """The backend of a pool."""
    return f"be-{encode_name(pool_id)}"


def server_name(member_id: str) -> str:
    """The server of a member, unique in its backend."""
    return encode_name(member_id)
