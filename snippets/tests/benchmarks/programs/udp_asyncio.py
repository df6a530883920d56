"""Echo over UDP by asyncio, as its documentation shows it."""

import asyncio

Address = tuple[str, int]


class Echo(asyncio.DatagramProtocol):
    """Sends each datagram back."""

    def connection_made(self, transport: asyncio.DatagramTransport) -> None:  # type: ignore[override]
        """Keep what sends."""
        self.transport = transport

    def datagram_received(self, data: bytes, addr: Address) -> None:
        """Answer."""
        self.transport.sendto(data, addr)


async def main() -> None:
    """Serve until it is killed."""
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(
        Echo, local_addr=("127.0.0.1", 0)
    )
    address = transport.get_extra_info("sockname")
    print("listening on {}:{}".format(*address), flush=True)
    await loop.create_future()


if __name__ == "__main__":
    asyncio.run(main())
