"""python-swiftclient, as far as libra uses it, without what it takes along where that is installed.

Beside keystoneclient, which the extra `keystone` brings, it would load that, too: 9 MB for logins that libra
makes itself. None makes its import fail, which swiftclient expects.
"""

import sys

_LEFT_OUT = "keystoneclient"
_IS_FREE = _LEFT_OUT not in sys.modules
if _IS_FREE:
    sys.modules[_LEFT_OUT] = None  # type: ignore[assignment]
try:
    from swiftclient import client
    from swiftclient.exceptions import ClientException
    from swiftclient.requests_compat import SwiftClientRequestsSession
finally:
    if _IS_FREE:
        del sys.modules[_LEFT_OUT]

__all__ = ["ClientException", "SwiftClientRequestsSession", "client"]
