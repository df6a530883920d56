"""tls_ciphers_server: both contracts, and what set_ciphers does and does not do."""

import json
import ssl

import pytest

import tls_ciphers_server
from contracts import command_line, stream, tls
from support.server import Server, run
from support.tls import TLS, Tls, client_context, folder_of

ANOTHER = "ECDHE-ECDSA-CHACHA20-POLY1305"
DEADLINE = 10.0  # seconds for any one call

TestStream = stream.sequential("tls_ciphers_server", transport=TLS)
TestTls = tls.sequential("tls_ciphers_server", timeout=0.5)
TestCommandLine = command_line.server(tls_ciphers_server, TLS)


def agreed(server: Server, ciphers: str) -> str:
    """Return the suite that a client gets which offers *ciphers* up to TLS 1.2."""
    context = client_context()
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(ciphers)
    checks = tls.sequential("tls_ciphers_server")()
    suite = checks.shake_hands(server, context).cipher()
    assert suite is not None
    return suite[0]


@pytest.mark.parametrize("chosen", [tls_ciphers_server.CIPHERS, ANOTHER])
def test_the_chosen_suite_and_no_other_is_used(chosen: str) -> None:
    """A client gets the suite that was set, or is refused."""
    (other,) = {tls_ciphers_server.CIPHERS, ANOTHER} - {chosen}
    with Server(
        "tls_ciphers_server", "--ciphers", chosen, place=TLS.anywhere()
    ) as server:
        assert chosen == agreed(server, f"{other}:{chosen}")
        with pytest.raises(ssl.SSLError, match=r"(?i)handshake.failure"):
            agreed(server, other)
        assert chosen == agreed(server, chosen)


def test_what_is_printed_is_json() -> None:
    """It prints the suites as JSON, those of TLS 1.3 included, before it listens."""
    with Server("tls_ciphers_server", place=TLS.anywhere()) as server:
        printed, _, _ = server.stdout.partition("listening on ")
    suites = json.loads(printed)
    assert "TLSv1.2" == suites[tls_ciphers_server.CIPHERS]
    assert ["TLSv1.2"] == [v for v in suites.values() if v != "TLSv1.3"]


def test_suites_of_tls_1_3_are_not_touched() -> None:
    """set_ciphers takes none of TLS 1.3 away, and a client of TLS 1.3 gets one."""
    page = folder_of("page")
    cert, key = str(page / "cert.pem"), str(page / "key.pem")
    context = tls_ciphers_server.create_context(cert, key)
    untouched = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)

    def of_tls_1_3(context: ssl.SSLContext) -> set[str]:
        suites = tls_ciphers_server.describe_ciphers(context)
        return {suite for suite, version in suites.items() if version == "TLSv1.3"}

    assert of_tls_1_3(untouched) == of_tls_1_3(context)
    assert of_tls_1_3(context)
    checks = tls.sequential("tls_ciphers_server")()
    with Server("tls_ciphers_server", place=Tls().anywhere()) as server:
        suite = checks.shake_hands(server, client_context()).cipher()
    assert suite is not None
    assert suite[0] in of_tls_1_3(context)


@pytest.mark.parametrize("ciphers", ["ECDH-ECDSA-AES128-GCM-SHA256", "no such", ""])
def test_an_unknown_suite_is_one_line(ciphers: str) -> None:
    """A name that OpenSSL does not know is one line that says so, and exit status 1."""
    place = TLS.anywhere()
    ended = run("tls_ciphers_server", "--ciphers", ciphers, *place)
    expected = (
        f"cannot use --ciphers {ciphers}, choose among those that "
        "`openssl ciphers -v` lists: No cipher can be selected.\n"
    )
    assert (1, "", expected) == (ended.status, ended.stdout, ended.stderr)
