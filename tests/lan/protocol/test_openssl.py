"""What devices send is decrypted by OpenSSL as pycryptodome does it, in one interpreter after the other."""

from __future__ import annotations

import hashlib
import hmac
import random
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuya.lan.protocol import openssl, tinytuya_codec
from tuya.lan.protocol.ciphers import Ecb, GcmOpener, Hmac
from tuya.lan.protocol.wire import GOOD, UNREADABLE, Wire
from tuya.simulator.frames import Wire as DeviceWire

KEY = b"0123456789abcdef"
needs_openssl = pytest.mark.skipif(openssl.load() is None, reason="this Python's OpenSSL cannot be reached")


def _sealed(key: bytes, nonce: bytes, header: bytes, plain: bytes):
    aes = tinytuya_codec.load().aes
    cipher = aes.new(key, aes.MODE_GCM, nonce=nonce)
    cipher.update(header)
    return cipher.encrypt_and_digest(plain)


@needs_openssl
def test_openssl_agrees_with_pycryptodome():
    rng = random.Random(3)
    opener = GcmOpener(tinytuya_codec.load().aes, KEY)
    for size in [*range(70), 160, 1000, 16000, 65000]:
        nonce, header, plain = rng.randbytes(12), rng.randbytes(rng.randrange(20)), rng.randbytes(size)
        sealed, tag = _sealed(KEY, nonce, header, plain)
        for opened in (opener.open, opener._open_by_pycryptodome):
            assert opened(nonce, header, sealed, tag) == plain
            assert opened(nonce, header, sealed, bytes((tag[0] ^ 1,)) + tag[1:]) is None
            assert opened(nonce, header, sealed, tag[:-1] + bytes((tag[-1] ^ 1,))) is None
            assert opened(nonce, header + b"x", sealed, tag) is None
            assert opened(nonce[:-1] + bytes((nonce[-1] ^ 1,)), header, sealed, tag) is None
            if size:
                assert opened(nonce, header, bytes((sealed[0] ^ 1,)) + sealed[1:], tag) is None
        assert opener.open(nonce, header, sealed, tag[:4]) is None  # a short tag is none


def test_pycryptodome_opens_them_where_openssl_is_not_to_be_had(monkeypatch):
    monkeypatch.setattr(openssl, "load", lambda: None)
    opener = GcmOpener(tinytuya_codec.load().aes, KEY)
    sealed, tag = _sealed(KEY, bytes(12), b"head", b"plain")
    assert opener.open(bytes(12), b"head", sealed, tag) == b"plain"
    assert opener.open(bytes(12), b"head", sealed, bytes(16)) is None


@pytest.mark.parametrize("missing", ["_hashlib", "ctypes"])
def test_what_is_missing_leaves_it_to_pycryptodome(monkeypatch, missing):
    monkeypatch.setattr(openssl, "_is_loaded", False)
    monkeypatch.setattr(openssl, "_functions", None)
    monkeypatch.setitem(sys.modules, missing, None)
    assert openssl.load() is None


@needs_openssl
def test_a_library_that_gives_wrong_answers_is_not_used():
    evp = openssl.load()
    assert openssl.works(evp)
    assert not openssl.works(evp._replace(finish=lambda *_: 1))  # one that would take any tag
    assert not openssl.works(evp._replace(pad=lambda *_: 1))  # one that would hold the last block back
    assert not openssl.works(evp._replace(update=lambda *_: 1))  # one that decrypts nothing


@needs_openssl
def test_contexts_are_freed():
    evp = openssl.load()
    freed = []
    for _ in range(50):
        for kept in (openssl.Opener, openssl.Decryptor):
            kept(evp._replace(free=lambda context: (freed.append(context), evp.free(context))), KEY)
    assert len(freed) == 100


@needs_openssl
def test_threads_with_an_opener_each():
    failures = []

    def work(number: int) -> None:
        rng = random.Random(number)
        key = rng.randbytes(16)
        opener = openssl.Opener(openssl.load(), key)
        blocks = Ecb(tinytuya_codec.load().aes, key)
        for _ in range(300):
            plain = rng.randbytes(rng.randrange(300))
            nonce = rng.randbytes(12)
            sealed, tag = _sealed(key, nonce, b"head", plain)
            if opener.open(nonce, b"head", sealed, tag) != plain or blocks.decrypt(blocks.encrypt(plain)) != plain:
                failures.append(number)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


INTERPRETERS = """
import sys, threading
try:
    import _xxsubinterpreters as interpreters
except ImportError:
    import _interpreters as interpreters
work = '''
import sys, threading
sys.path.insert(0, {root!r})
from tuya.lan.protocol import openssl
evp = openssl.load()
openers = [openssl.Opener(evp, openssl._KEY) for _ in range(3)] if evp else []
decryptors = [openssl.Decryptor(evp, openssl._ECB_KEY) for _ in range(3)] if evp else []
def opens():
    for decryptor in decryptors:
        assert decryptor.decrypt(openssl._ECB_SEALED) == openssl._ECB_PLAIN
    for opener in openers:
        assert opener.open(openssl._NONCE, openssl._HEADER, openssl._SEALED, openssl._TAG) == openssl._PLAIN
        assert opener.open(openssl._NONCE, openssl._HEADER, openssl._SEALED, bytes(16)) is None
opens()
thread = threading.Thread(target=opens)
thread.start()
thread.join()
'''
{before}
def create():
    if sys.version_info >= (3, 13):
        return interpreters.create("legacy")
    return interpreters.create(isolated=False)
def run(made):
    error = interpreters.run_string(made, work)
    assert not error, error
exec(work)
alive = [create() for _ in range(3)]
for number in range({rounds}):
    for other in alive:
        run(other)
    made = create()
    run(made)
    interpreters.destroy(made)
for other in alive:
    run(other)
    interpreters.destroy(other)
exec(work)
print("done")
"""


@needs_openssl
@pytest.mark.parametrize("before", ["", "import ssl; ssl.create_default_context()", "import cryptography.fernet"])
def test_interpreters_come_and_go(before):
    """As Domoticz makes them: several at a time, one GIL, a thread in each; beside who works with OpenSSL already."""
    if "cryptography" in before:
        pytest.importorskip("cryptography", reason="cryptography is not installed here")
    code = INTERPRETERS.format(root=str(Path(__file__).parents[3]), rounds=12, before=before)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=120)
    assert (done.returncode, done.stdout.strip()) == (0, "done"), done.stderr[-2000:]


# -- ECB


@pytest.fixture(params=["openssl", "pycryptodome"])
def library(request, monkeypatch):
    """Both ways to decrypt."""
    if request.param == "pycryptodome":
        monkeypatch.setattr(openssl, "load", lambda: None)
    elif openssl.load() is None:
        pytest.skip("this Python's OpenSSL cannot be reached")
    return request.param


def _ecb(key: bytes = KEY) -> Ecb:
    return Ecb(tinytuya_codec.load().aes, key)


def test_ecb_agrees_with_tinytuya(library):
    rng = random.Random(5)
    for size in [*range(70), 1000, 1007, 1008, 1009, 1023, 1024, 1025, 16000, 65000]:
        key, plain = rng.randbytes(16), rng.randbytes(size)
        theirs = tinytuya_codec.load().cipher(key).encrypt(plain, use_base64=False)
        ours = _ecb(key)
        for _ in range(2):  # nothing of one message is left for the next
            assert ours.encrypt(plain) == theirs
            assert ours.decrypt(theirs) == plain


_both = None if openssl.load() is None else (openssl.Decryptor(openssl.load(), KEY), _ecb())


@needs_openssl
@given(st.lists(st.binary(max_size=2100), max_size=6))
def test_one_kept_key_takes_any_bytes_in_any_order(messages):
    """Of what a peer sends, tinytuya's library and OpenSSL make the same, also after what was refused."""
    decryptor, ecb = _both
    aes = tinytuya_codec.load().aes
    for sealed in messages:
        if len(sealed) % 16:
            with pytest.raises(ValueError, match="block size"):
                decryptor.decrypt(sealed)
            with pytest.raises(ValueError, match="block size"):
                ecb.decrypt(sealed)
        else:
            assert decryptor.decrypt(sealed) == aes.new(KEY, aes.MODE_ECB).decrypt(sealed)
        assert ecb.decrypt(ecb.encrypt(sealed)) == sealed


def test_what_has_no_padding_is_refused(library):
    aes = tinytuya_codec.load().aes
    ecb = _ecb()
    for last in (0, 17, 32, 255):
        with pytest.raises(ValueError, match="no padding"):
            ecb.decrypt(aes.new(KEY, aes.MODE_ECB).encrypt(bytes(31) + bytes((last,))))
    for wrong in (b"", bytes(15), bytes(17)):
        with pytest.raises(ValueError, match="block size"):
            ecb.decrypt(wrong)
    assert ecb.decrypt(ecb.encrypt(b"after them")) == b"after them"


@pytest.mark.parametrize("version", ["3.1", "3.2", "3.3", "3.4"])
def test_frames_are_read_alike(library, version):
    device, wire, stranger = DeviceWire(version, KEY), Wire(version, KEY), DeviceWire(version, KEY[::-1])
    plain = b'{"dps":{"1":true,"19":%d}}'
    faults = []
    for number in range(40):
        (message,) = wire.receive(device.answer(8, number, plain % number, pushed=True))
        assert (message.fault, message.payload) == (GOOD, plain % number)
        faults += [each.fault for each in wire.receive(stranger.answer(8, number, plain % number, pushed=True))]
    if version in ("3.2", "3.3"):  # a checksum that anybody can make, and a payload of another key
        assert faults == [UNREADABLE] * 40
    for shown in (repr(wire), repr(wire._ecb), repr(vars(wire)["_ecb"])):
        assert KEY.decode() not in shown


@given(st.binary(max_size=64), st.lists(st.binary(max_size=300), min_size=1, max_size=4))
def test_hmac_is_the_one_of_the_standard_library(key, messages):
    ours = Hmac(key)
    for message in messages:
        assert ours.digest(message) == hmac.new(key, message, hashlib.sha256).digest()
