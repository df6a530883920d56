"""Echo servers that a reader would otherwise take, to be measured beside the snippets.

    python echo_server.py asyncio-streams|asyncio-protocol|uvloop-protocol
    python echo_server.py socketserver|bare-epoll

Each prints the address that it listens on, on 127.0.0.1, and serves until it is ended.
"""

import asyncio
import select
import socket
import socketserver
import sys
from typing import cast

CHUNK = 65_536  # bytes, as in the snippets
BACKLOG = 4096


def say(address: tuple[str, int]) -> None:
    """Print where the server listens."""
    print("listening on {}:{}".format(*address[:2]), flush=True)


class Echo(asyncio.Protocol):
    """Writes back what comes; reads no more while the peer does not take it."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the connection."""
        self.transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        """Echo *data*."""
        self.transport.write(data)

    def pause_writing(self) -> None:
        """Stop to read: much is owed."""
        self.transport.pause_reading()

    def resume_writing(self) -> None:
        """Read again."""
        self.transport.resume_reading()


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Echo to one client."""
    while data := await reader.read(CHUNK):
        writer.write(data)
        await writer.drain()
    writer.close()


async def serve_protocol() -> None:
    """Serve by ``Echo``."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Echo, "127.0.0.1", 0, backlog=BACKLOG)
    say(server.sockets[0].getsockname())
    await server.serve_forever()


async def serve_streams() -> None:
    """Serve by ``echo``."""
    server = await asyncio.start_server(echo, "127.0.0.1", 0, backlog=BACKLOG)
    say(server.sockets[0].getsockname())
    await server.serve_forever()


class Handler(socketserver.BaseRequestHandler):
    """Echoes to one client, in its thread."""

    def handle(self) -> None:
        """Echo until the client has sent everything."""
        while data := self.request.recv(CHUNK):
            self.request.sendall(data)


class ThreadingServer(socketserver.ThreadingTCPServer):
    """With room for all who come at once, and threads that end with the program."""

    request_queue_size = BACKLOG
    daemon_threads = True


def serve_bare() -> None:
    """Serve by ``epoll`` with nothing but the calls: what no listing can do without.

    It ends with the first client that is reset, loses what a client does not take at
    once, and spins where there is no free descriptor.
    """
    with socket.create_server(("127.0.0.1", 0), backlog=BACKLOG) as listener:
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        say(listener.getsockname())
        epoll = select.epoll()
        epoll.register(listener, select.EPOLLIN)
        clients: dict[int, socket.socket] = {}
        while True:
            for fd, _ in epoll.poll():
                if fd == listener.fileno():
                    conn, _ = listener.accept()
                    conn.setblocking(False)
                    epoll.register(conn, select.EPOLLIN)
                    clients[conn.fileno()] = conn
                elif data := clients[fd].recv(CHUNK):
                    clients[fd].send(data)
                else:
                    clients.pop(fd).close()


def main(name: str) -> None:
    """Run the server called *name*."""
    if name == "socketserver":
        with ThreadingServer(("127.0.0.1", 0), Handler) as server:
            say(cast(tuple[str, int], server.server_address))
            server.serve_forever()
    elif name == "bare-epoll":
        serve_bare()
    elif name == "uvloop-protocol":
        import uvloop  # only this server needs it

        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(serve_protocol())
    else:
        coroutine = {
            "asyncio-protocol": serve_protocol,
            "asyncio-streams": serve_streams,
        }[name]
        asyncio.run(coroutine())


if __name__ == "__main__":
    main(sys.argv[1])
