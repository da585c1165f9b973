import logging
import select
import socket
import threading
from typing import Any

from gear import constants as constants

class InvalidDataError(Exception): ...
class RetryIOError(Exception): ...
class DisconnectError(Exception): ...

class AdminRequest:
    command: bytes
    response: bytes | None
    def __init__(self, *arguments: bytes) -> None: ...

class VersionAdminRequest(AdminRequest):
    def __init__(self) -> None: ...
    def getCommand(self) -> bytes: ...
    def isComplete(self, data: bytes) -> tuple[bool, bytes | None]: ...

class Packet:
    code: bytes
    ptype: int
    data: bytes
    connection: Any
    def __init__(
        self, code: bytes, ptype: int, data: bytes, connection: object = None
    ) -> None: ...
    def toBinary(self) -> bytes: ...
    def getArgument(self, index: int, last: bool = False) -> bytes: ...

class Connection:
    log: logging.Logger
    host: str
    port: int
    ssl_key: str | None
    ssl_cert: str | None
    ssl_ca: str | None
    use_ssl: bool
    keepalive: bool
    tcp_keepidle: int
    tcp_keepintvl: int
    tcp_keepcnt: int
    conn: socket.socket | None
    connected: bool
    state: str
    send_lock: threading.Lock
    input_buffer: bytes
    admin_requests: list[Any]
    related_jobs: dict[bytes, Any]
    def __init__(
        self,
        host: str,
        port: int,
        ssl_key: str | None = None,
        ssl_cert: str | None = None,
        ssl_ca: str | None = None,
        client_id: str = "unknown",
        keepalive: bool = False,
        tcp_keepidle: int = 7200,
        tcp_keepintvl: int = 75,
        tcp_keepcnt: int = 9,
    ) -> None: ...
    def connect(self) -> None: ...
    def changeState(self, state: str) -> None: ...
    def sendRaw(self, data: bytes) -> None: ...
    def sendPacket(self, packet: Packet) -> None: ...
    def readPacket(self) -> Packet | AdminRequest | None: ...
    def _readRawBytes(self, bytes_to_read: int) -> bytes: ...
    def _getAdminRequest(self) -> AdminRequest: ...

class NonBlockingConnection(Connection):
    send_queue: list[bytes]
    def sendQueuedData(self) -> None: ...

class ServerConnection(NonBlockingConnection):
    conn: socket.socket
    functions: set[bytes]
    client_id: bytes | None
    def __init__(
        self, addr: tuple[Any, ...], conn: socket.socket, use_ssl: bool, client_id: bytes | None
    ) -> None: ...

class ServerAdminRequest(AdminRequest):
    connection: ServerConnection

class ServerJob:
    handle: bytes
    binary_name: bytes
    arguments: bytes
    running: bool | None
    client_connection: ServerConnection | None
    worker_connection: ServerConnection | None

class Server:
    log: logging.Logger
    port: int
    socket: socket.socket
    running: bool
    client_id: bytes | None
    poll: select.epoll
    wake_read: int
    wake_write: int
    connect_wake_read: int
    connect_wake_write: int
    poll_thread: threading.Thread
    connect_thread: threading.Thread
    active_connections: list[ServerConnection]
    connections_condition: threading.Condition
    functions: set[bytes]
    jobs: dict[bytes, ServerJob]
    high_queue: list[ServerJob]
    normal_queue: list[ServerJob]
    low_queue: list[ServerJob]
    running_jobs: int
    waiting_jobs: int
    def __init__(self, port: int = 4730, *, host: str | None = None) -> None: ...
    readwrite_bitmask: int
    def readFromConnection(self, conn: ServerConnection) -> None: ...
    def _defaultPacketHandler(self, packet: Packet) -> None: ...
    def handleAllYours(self, packet: Packet) -> None: ...
    def _doConnectLoop(self) -> None: ...
    def _cleanup(self) -> None: ...
    def _lostConnection(self, conn: ServerConnection) -> None: ...
    def _registerConnection(self, conn: ServerConnection) -> None: ...
    def _handleSubmitJob(
        self, packet: Packet, precedence: int, background: bool = False
    ) -> None: ...
    def _removeJob(self, job: ServerJob, dequeue: object = True) -> None: ...
    def getJobForConnection(
        self, connection: ServerConnection, peek: bool = False
    ) -> ServerJob | None: ...
    def handlePacket(self, packet: Packet) -> None: ...
    def handleAdminRequest(self, request: ServerAdminRequest) -> None: ...
    def handleCanDo(self, packet: Packet) -> None: ...
    def handleCanDoTimeout(self, packet: Packet) -> None: ...
    def handleCantDo(self, packet: Packet) -> None: ...
    def handleSetClientID(self, packet: Packet) -> None: ...
    def handleGrabJob(self, packet: Packet) -> None: ...
    def handleEchoReq(self, packet: Packet) -> None: ...
    def handleOptionReq(self, packet: Packet) -> None: ...
    def sendError(self, connection: ServerConnection, code: object, text: str) -> None: ...
    def sendNoJob(self, connection: ServerConnection) -> None: ...
    def wakeConnections(self, job: ServerJob | None = None) -> None: ...
    def shutdown(self) -> None: ...
