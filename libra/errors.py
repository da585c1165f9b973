"""Every error that libra raises on purpose.

    LibraError
    ├── Invalid                 the message, the settings or the request is at fault
    │   └── InvalidConfiguration    of a web cluster: it could not be run
    ├── NotFound
    ├── AlreadyExists           it would be there twice
    ├── Conflict                cannot be done in the present state
    │   ├── CannotStart         a web cluster, whatever its state is
    │   ├── CannotStop
    │   ├── NotStopped
    │   └── LastTaker           a pool would be left without a member that takes traffic
    ├── Forbidden               a policy of this host, or the caller's role, says no
    │   └── QuotaExceeded
    ├── NotImplementedHere      it is a good request for something that is not done here
    ├── PoolExhausted           no device or no address is left
    ├── JobError
    │   ├── JobServerUnavailable
    │   ├── JobDeadlinePassed
    │   └── JobFailed           the worker gave the job back without a reply
    ├── DriverError
    │   ├── ConfigurationRejected   with HAProxy's own words
    │   ├── ReloadFailed
    │   ├── RuntimeRefused
    │   ├── AddressRefused      this host may not take the address
    │   └── ProxyNotRunning
    ├── ServingError            what answers web services cannot be run here
    ├── ObjectStoreError        with the store's status and words
    ├── StateError              what the worker keeps on disk cannot be read or written
    └── StorageUnavailable      the controller's database does not answer, or has another release's schema

Texts start with "cannot ..." and hold the values, for they are what a person reads in `hpcs_error`.
"""


class LibraError(Exception):
    """Something libra can explain in a sentence; the text is safe to show and holds no secret."""


class Invalid(LibraError):
    """What came in is not what the contract says."""


class InvalidConfiguration(Invalid):
    """What a web cluster shall be could not be run."""


class NotFound(LibraError):
    """The named thing does not exist."""


class AlreadyExists(LibraError):
    """The thing, or another with the same unique value, is there already."""


class Conflict(LibraError):
    """The thing exists, but not in a state that allows this."""


class CannotStart(Conflict):
    """A web cluster cannot be started, resumed or restarted now."""


class CannotStop(Conflict):
    """A web cluster cannot be stopped or paused now."""


class NotStopped(Conflict):
    """A web cluster must be stopped for that."""


class LastTaker(Conflict):
    """A node cannot be taken out now: in some pool no other member takes traffic."""


class Forbidden(LibraError):
    """The settings of this host, or the role of the caller, do not allow it."""


class QuotaExceeded(Forbidden):
    """The project has as many of these as it may."""


class NotImplementedHere(LibraError):
    """A good request for something that libra does not do."""


class PoolExhausted(LibraError):
    """No device is ready to take it, or no address is left."""


class JobError(LibraError):
    """A job could not be delivered or got no reply."""


class JobServerUnavailable(JobError):
    """No job server could be reached."""


class JobDeadlinePassed(JobError):
    """No reply came in time."""


class JobServerSilent(JobDeadlinePassed):
    """The same, where the job server does not even say whether anybody has begun with it."""


class JobFailed(JobError):
    """The job server reports that the worker failed the job."""


class DriverError(LibraError):
    """The proxy on this host could not be made to do what the job says."""


class ConfigurationRejected(DriverError):
    """The proxy's own check refuses the configuration."""


class ReloadFailed(DriverError):
    """The proxy did not take over the new configuration."""


class RuntimeRefused(DriverError):
    """A command on the proxy's admin socket was refused."""


class AddressRefused(DriverError):
    """The settings of this host do not let it take the address."""


class ProxyNotRunning(DriverError):
    """The proxy's socket does not answer."""


class ServingError(LibraError):
    """The server of web services cannot be run, or not as it should be."""


class ObjectStoreError(LibraError):
    """The object store refused or did not answer.

    `status` is the HTTP status where there was one.
    """

    def __init__(self, text: str, status: int | None = None) -> None:
        super().__init__(text)
        self.status = status


class StateError(LibraError):
    """The worker's own files cannot be read or written."""


class StorageUnavailable(LibraError):
    """The database does not answer, or its schema is not this release's."""


class ProviderError(LibraError):
    """A device cannot be booted or shut down."""


class LeaseLost(StorageUnavailable):
    """A write of a controller that does not manage any more."""
