"""gear's server, made fit to be relied on."""

import os
import select
import time

import gear
import structlog
from gear import constants

from libra import __version__
from libra.jobs.gearman.packets import MOST_NAME_BYTES, Packet, quiet_gear
from libra.jobs.gearman.peer import Peer
from libra.jobs.gearman.sockets import tune

log = structlog.get_logger(__name__)

BACKLOG = 512
ACCEPT_PAUSE_SECONDS = 1.0
JOIN_SECONDS = 2.0
MOST_DELIVERIES = 3
PACKETS_A_TURN = 100
GRAB_JOB_ALL = 39
JOB_ASSIGN_ALL = 40


class Server(gear.Server):
    """gear's server with these faults mended:

    - a worker's death loses its job: here it goes back to the front of its queue, until three workers have died of it
    - a worker that unregisters a function keeps the jobs of it that it has fetched
    - a lost client can take its worker's connection along: see `Peer`
    - an accept that blocks, a frame of negative length or one busy client stop it for everybody
    - names that are not UTF-8 break `status` and `workers`
    - GRAB_JOB and GRAB_JOB_ALL (libgearman's workers), CAN_DO_TIMEOUT, ECHO_REQ, OPTION_REQ and `version` go unanswered
    - a backlog of 1 makes bursts of connections wait for seconds, and without TCP_NODELAY a job takes 44 ms
    """

    def __init__(self, host: str, port: int) -> None:
        quiet_gear()
        self._queue_of: dict[bytes, list[gear.ServerJob]] = {}
        self._deliveries: dict[bytes, int] = {}
        self.statsd = None  # gear sets it after its threads have begun to read it
        super().__init__(port, host=host)  # its threads run from here on
        self.socket.setblocking(False)
        self.socket.listen(BACKLOG)

    # --- connections

    def _doConnectLoop(self) -> None:  # noqa: N802 - gear's name
        poll = select.poll()
        poll.register(self.connect_wake_read, select.POLLIN)
        poll.register(self.socket, select.POLLIN)
        while self.running:
            poll.poll()
            if self.running:
                self._accept()

    def _accept(self) -> None:
        try:
            sock, address = self.socket.accept()
        except (BlockingIOError, ConnectionError):
            return  # it went away before it was accepted
        except OSError as error:
            log.warning("cannot accept a connection", action="serve", error=error.strerror)
            time.sleep(
                ACCEPT_PAUSE_SECONDS
            )  # no file is free, and the poll would tell of it again at once
            return
        try:
            tune(sock)
        except OSError:
            sock.close()
        else:
            self._welcome(Peer(address, sock))

    def _welcome(self, peer: Peer) -> None:
        with self.connections_condition:
            self.active_connections.append(peer)
            self._registerConnection(peer)
            self.connections_condition.notify_all()

    def readFromConnection(self, conn: gear.ServerConnection) -> None:  # noqa: N802 - gear's name
        """Some packets of one connection. Raises DisconnectError where it ended, or talks nonsense."""
        for _ in range(PACKETS_A_TURN):
            try:
                packet = conn.readPacket()
            except gear.RetryIOError:
                return
            if packet is None:
                raise gear.DisconnectError
            self._obey(packet)
        # Others shall have a turn, too; this makes the poll tell of it again.
        self.poll.modify(conn.conn, self.readwrite_bitmask)

    def _obey(self, packet: gear.Packet | gear.AdminRequest) -> None:
        try:
            if isinstance(packet, gear.Packet):
                self.handlePacket(packet)
            elif isinstance(packet, gear.ServerAdminRequest):
                self.handleAdminRequest(packet)
        except (LookupError, ValueError) as error:
            log.info("dropping a connection", action="serve", reason=str(error))
            raise gear.DisconnectError from error

    def _cleanup(self) -> None:
        """As gear's, but it neither waits for ever nor closes files under a thread that still runs."""
        threads = (self.poll_thread, self.connect_thread)
        for thread in threads:
            thread.join(JOIN_SECONDS)
        for peer in self.active_connections:
            peer.conn.close()
        self.socket.close()
        if any(thread.is_alive() for thread in threads):
            log.error("cannot stop the job server's threads", action="stop")
            return
        self.poll.close()
        for number in (
            *(self.wake_read, self.wake_write),
            *(self.connect_wake_read, self.connect_wake_write),
        ):
            os.close(number)

    # --- jobs

    def getJobForConnection(  # noqa: N802 - gear's name
        self, connection: gear.ServerConnection, peek: bool = False
    ) -> gear.ServerJob | None:
        """As gear's; remembers where the job came from."""
        job = super().getJobForConnection(connection, peek=True)
        if job is not None and not peek:
            queues = (self.high_queue, self.normal_queue, self.low_queue)
            self._queue_of[job.handle] = next(queue for queue in queues if job in queue)
            self._deliveries[job.handle] = self._deliveries.get(job.handle, 0) + 1
            super().getJobForConnection(connection)
        return job

    def _lostConnection(self, conn: gear.ServerConnection) -> None:  # noqa: N802 - gear's name
        """As gear's, but what the worker had not finished is given to another."""
        held = [job for job in conn.related_jobs.values() if job.worker_connection is conn]
        returned = [job for job in held if self._may_run_again(job)]
        for job in reversed(returned):
            self._put_back(job, conn)
        for job in held:
            if job not in returned:
                self._fail(job)
        super()._lostConnection(conn)
        for job in returned:
            self.wakeConnections(job)

    def _take_back(self, conn: gear.ServerConnection, function: bytes) -> None:
        """What the worker has of it goes to another; none died of that."""
        jobs = [
            job
            for job in conn.related_jobs.values()
            if job.worker_connection is conn and job.binary_name == function
        ]
        for job in reversed(jobs):
            self._deliveries[job.handle] -= 1
            self._put_back(job, conn)
        for job in jobs:
            self.wakeConnections(job)

    def _may_run_again(self, job: gear.ServerJob) -> bool:
        return self._deliveries.get(job.handle, 0) < MOST_DELIVERIES

    def _put_back(self, job: gear.ServerJob, conn: gear.ServerConnection) -> None:
        del conn.related_jobs[job.handle]
        job.worker_connection = None
        job.running = False
        self.running_jobs -= 1
        self.waiting_jobs += 1
        self._queue_of[job.handle].insert(0, job)

    def _fail(self, job: gear.ServerJob) -> None:
        log.warning(
            "giving up a job that ended its workers", action="serve", deliveries=MOST_DELIVERIES
        )
        if job.client_connection is not None:
            _respond(job.client_connection, constants.WORK_FAIL, job.handle)
        self._removeJob(job)

    def _removeJob(self, job: gear.ServerJob, dequeue: object = True) -> None:  # noqa: N802 - gear's name
        self._queue_of.pop(job.handle, None)
        self._deliveries.pop(job.handle, None)
        super()._removeJob(job, dequeue)

    # --- requests

    def handlePacket(self, packet: gear.Packet) -> None:  # noqa: N802 - gear's name
        """Every request has an answer, if only an error."""
        if packet.ptype == GRAB_JOB_ALL:
            self._assign(packet.connection, JOB_ASSIGN_ALL, b"", b"")
        elif packet.ptype in constants.types:
            super().handlePacket(packet)
        else:
            self._defaultPacketHandler(packet)

    def _defaultPacketHandler(self, packet: gear.Packet) -> None:  # noqa: N802 - gear's name
        self.sendError(packet.connection, "INVALID_COMMAND", "not supported")

    def handleGrabJob(self, packet: gear.Packet) -> None:  # noqa: N802 - gear's name
        """The oldest form, without a unique id."""
        self._assign(packet.connection, constants.JOB_ASSIGN)

    def _assign(self, peer: Peer, kind: int, *between: bytes) -> None:
        """`between`: what that kind of packet has between the function and the payload."""
        job = self.getJobForConnection(peer)
        if job is None:
            self.sendNoJob(peer)
        else:
            _respond(peer, kind, job.handle, job.binary_name, *between, job.arguments)

    def _handleSubmitJob(  # noqa: N802 - gear's name
        self, packet: gear.Packet, precedence: int, background: bool = False
    ) -> None:
        if _is_name(packet.getArgument(0)):
            super()._handleSubmitJob(packet, precedence, background)
        else:
            self.sendError(packet.connection, "INVALID_FUNCTION_NAME", "not a function's name")

    def handleCanDo(self, packet: gear.Packet) -> None:  # noqa: N802 - gear's name
        """Register; with or without a time-out, of which nothing is kept."""
        if _is_name(packet.getArgument(0)):
            super().handleCanDo(packet)

    handleCanDoTimeout = handleCanDo  # noqa: N815 - gear's name

    def handleCantDo(self, packet: gear.Packet) -> None:  # noqa: N802 - gear's name
        """Unregister, also what is not registered; jobs of it that run there are given out again, as by gearmand."""
        function = packet.getArgument(0)
        packet.connection.functions.discard(function)
        self._take_back(packet.connection, function)

    def handleSetClientID(self, packet: gear.Packet) -> None:  # noqa: N802 - gear's name
        """The name that `workers` shows."""
        name = packet.getArgument(0)
        packet.connection.client_id = name if _is_name(name) else None

    def handleEchoReq(self, packet: gear.Packet) -> None:  # noqa: N802 - gear's name
        """The same back."""
        _respond(packet.connection, constants.ECHO_RES, packet.data)

    def handleOptionReq(self, packet: gear.Packet) -> None:  # noqa: N802 - gear's name
        """Exceptions are always passed on."""
        if packet.data == b"exceptions":
            _respond(packet.connection, constants.OPTION_RES, packet.data)
        else:
            self.sendError(packet.connection, "UNKNOWN_OPTION", "not supported")

    def handleAllYours(self, packet: gear.Packet) -> None:  # noqa: N802 - gear's name
        """A hint, which needs no answer."""

    def handleAdminRequest(self, request: gear.ServerAdminRequest) -> None:  # noqa: N802 - gear's name
        """The text protocol of gearadmin: status, workers, version, cancel job."""
        command = request.command.strip()
        if command == b"version":
            request.connection.sendRaw(f"OK libra {__version__}\n".encode())
        elif command in (b"status", b"workers") or command.startswith(b"cancel job "):
            super().handleAdminRequest(request)
        else:
            request.connection.sendRaw(b"ERR UNKNOWN_COMMAND Unknown+server+command\r\n")


def _respond(peer: gear.ServerConnection, kind: int, *arguments: bytes) -> None:
    peer.sendPacket(Packet(constants.RES, kind, b"\0".join(arguments)))


def _is_name(name: bytes) -> bool:
    """Whether lists of functions and workers can show it, one a line."""
    try:
        text = name.decode()
    except UnicodeDecodeError:
        return False
    return 0 < len(name) <= MOST_NAME_BYTES and text.isprintable() and " " not in text
