import pytest
from hypothesis import given
from hypothesis import strategies as st
from tinytuya.core.crypto_helper import AESCipher

from tuya.simulator.ciphers import (
    ANNOUNCEMENT_KEY,
    Ecb,
    Undecipherable,
    gcm_open,
    gcm_seal,
    md5_middle,
    pad,
    session_key,
    sign,
    unpad,
)

KEY = b"0123456789abcdef"


@given(st.binary(max_size=70))
def test_padding_comes_off_again(plain):
    padded = pad(plain)
    assert len(padded) % 16 == 0
    assert len(padded) > len(plain)
    assert unpad(padded) == plain


@pytest.mark.parametrize("padded", [b"", bytes(16), b"a" * 15 + b"\x02", b"a" * 15 + b"\x11"])
def test_no_padding_is_noticed(padded):
    with pytest.raises(Undecipherable):
        unpad(padded)


@given(st.binary(min_size=1, max_size=100))
def test_ecb_is_what_another_implementation_does(plain):
    assert Ecb(KEY).encrypt(plain) == AESCipher(KEY).encrypt(plain, use_base64=False)
    assert Ecb(KEY).decrypt(AESCipher(KEY).encrypt(plain, use_base64=False)) == plain


@pytest.mark.parametrize("sealed", [b"", b"short", bytes(17)])
def test_ecb_takes_whole_blocks_only(sealed):
    with pytest.raises(Undecipherable):
        Ecb(KEY).decrypt(sealed)


def test_gcm_knows_a_wrong_tag_and_a_wrong_header():
    sealed, tag = gcm_seal(KEY, bytes(12), b"head", b"plain")
    assert gcm_open(KEY, bytes(12), b"head", sealed, tag) == b"plain"
    for key, header, wrong_tag in ((KEY, b"hEad", tag), (KEY[::-1], b"head", tag), (KEY, b"head", bytes(16))):
        with pytest.raises(Undecipherable):
            gcm_open(key, bytes(12), header, sealed, wrong_tag)


def test_known_answers():
    # FIPS-197 appendix B; RFC 4231 test case 2; the key of all announcements; a 3.1 signature
    key = bytes.fromhex("2b7e151628aed2a6abf7158809cf4f3c")
    plain = bytes.fromhex("3243f6a8885a308d313198a2e0370734")
    assert Ecb(key).encrypt_blocks(plain).hex() == "3925841d02dc09fbdc118597196a0b32"
    assert sign(b"Jefe", b"what do ya want for nothing?").hex()[:16] == "5bdcc146bf60754e"
    assert ANNOUNCEMENT_KEY.hex() == "6c1ec8e2bb9bb59ab50b0daf649b410a"
    assert md5_middle(KEY, b"c2VhbGVk") == b"6e3060f5788cc957"


def test_session_keys_are_ecb_in_3_4_and_gcm_in_3_5():
    ours, theirs = bytes(range(16)), bytes(range(100, 116))
    mixed = bytes(a ^ b for a, b in zip(ours, theirs))
    assert session_key("3.4", KEY, ours, theirs) == AESCipher(KEY).encrypt(mixed, use_base64=False, pad=False)
    gcm = AESCipher(KEY).encrypt(mixed, use_base64=False, pad=False, iv=ours[:12])
    assert session_key("3.5", KEY, ours, theirs) == gcm[12:28]
