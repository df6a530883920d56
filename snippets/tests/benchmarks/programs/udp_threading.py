"""Echo over UDP by ``socketserver.ThreadingUDPServer``: a thread for each datagram."""

import socketserver


class Echo(socketserver.BaseRequestHandler):
    """Sends one datagram back."""

    def handle(self) -> None:
        """Answer."""
        payload, sock = self.request
        sock.sendto(payload, self.client_address)


def main() -> None:
    """Serve until it is killed."""
    with socketserver.ThreadingUDPServer(("127.0.0.1", 0), Echo) as server:
        print("listening on {}:{}".format(*server.server_address), flush=True)
        server.serve_forever()


if __name__ == "__main__":
    main()
