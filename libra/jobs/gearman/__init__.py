"""Job transport on Gearman servers, with gear; the only package, with `libra.jobs.embedded`, that uses gear.

JobClient   client      which server, which connection, and what to do when one fails
            exchange    one job on one connection
JobSource   source      one queue for all servers
            registration  one thread a server: connect, serve, connect again
            session     one connection and the jobs that came over it
both        wire        gear's connection with deadlines, TLS rules and socket options
            packets     gear's packets, whole and bounded
"""

from libra.jobs.gearman.client import GearmanJobClient
from libra.jobs.gearman.source import GearmanJobSource

__all__ = ["GearmanJobClient", "GearmanJobSource"]
