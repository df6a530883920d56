"""Shares its port with any server that also wants to, and one of them starves."""

import socket

from contracts.broken.datagram import base


def create_socket(host: str, port: int) -> socket.socket:
    """Return a bound socket that tolerates others on its port."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    sock.bind((host, port))
    return sock


if __name__ == "__main__":
    base.main(create_socket=create_socket)
