"""TLS with an authority of our own, made for the test."""

from __future__ import annotations

import datetime
import ipaddress
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Iterator, NamedTuple, Tuple

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.mqtt.brokers import Mosquitto, eventually, mosquitto
from tests.mqtt.homes import Home
from tuya.mqtt.broker import Broker, BrokerError, tls_context


class Authority(NamedTuple):
    """Its certificate, and one of the broker's and one of ours that it has signed."""

    ca: Path
    broker: Tuple[Path, Path]
    ours: Tuple[Path, Path]


def make_authority(folder: Path) -> Authority:
    """Make an authority and what it signs; valid for a day."""
    folder.mkdir()
    ca_key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, folder.name)])

    def certificate(who: str, key: ec.EllipticCurvePrivateKey, is_ca: bool) -> x509.Certificate:
        now = datetime.datetime.now(datetime.timezone.utc)
        subject = name if is_ca else x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, who)])
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(hours=1))
            .not_valid_after(now + datetime.timedelta(days=1))
            .add_extension(x509.BasicConstraints(ca=is_ca, path_length=None), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(ca_key.public_key()), critical=False)
        )
        if is_ca:
            usage = dict.fromkeys(
                (
                    *("digital_signature", "content_commitment", "key_encipherment", "data_encipherment"),
                    *("key_agreement", "encipher_only", "decipher_only"),
                ),
                False,
            )
            builder = builder.add_extension(x509.KeyUsage(**usage, key_cert_sign=True, crl_sign=True), critical=True)
        else:
            local = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
            builder = builder.add_extension(x509.SubjectAlternativeName([local]), critical=False)
        return builder.sign(ca_key, hashes.SHA256())

    def write(who: str, key: ec.EllipticCurvePrivateKey, is_ca: bool = False) -> Tuple[Path, Path]:
        cert_path, key_path = folder / f"{who}.pem", folder / f"{who}.key"
        cert_path.write_bytes(certificate(who, key, is_ca).public_bytes(serialization.Encoding.PEM))
        key_path.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
        return cert_path, key_path

    ca, _ = write("ca", ca_key, True)
    broker = write("broker", ec.generate_private_key(ec.SECP256R1()))
    ours = write("ours", ec.generate_private_key(ec.SECP256R1()))
    return Authority(ca, broker, ours)


@pytest.fixture(name="authority")
def _authority(tmp_path: Path) -> Authority:
    return make_authority(tmp_path / "authority")


@pytest.fixture(name="broker", params=["", "require_certificate true"])
def _broker(request: pytest.FixtureRequest, tmp_path: Path, authority: Authority) -> Iterator[Mosquitto]:
    cert, key = authority.broker
    lines = (f"cafile {authority.ca}", f"certfile {cert}", f"keyfile {key}", request.param)
    with mosquitto(tmp_path, *lines) as one:
        yield one


def test_own_authority_and_own_certificate(broker: Mosquitto, authority: Authority):
    cert, key = authority.ours
    with Home(broker.port, tls=True, ca=authority.ca, certificate=cert, key=key) as home:
        eventually(lambda: home.heard("connected"), what="the connection")
        eventually(lambda: home.source.states, what="devices")


def test_other_authority(broker: Mosquitto, tmp_path: Path):
    other = make_authority(tmp_path / "other")
    with Home(broker.port, tls=True, ca=other.ca) as home:
        eventually(lambda: home.heard("its certificate is not trusted"), what="a word about it")
        assert not home.service.was_up


def test_the_systems_authorities_do_not_know_it(broker: Mosquitto):
    with Home(broker.port, tls=True) as home:
        eventually(lambda: home.heard("its certificate is not trusted"), what="a word about it")


def test_name_of_another_machine(broker: Mosquitto, authority: Authority):
    with Home(broker.port, host="localhost", tls=True, ca=authority.ca) as home:
        eventually(lambda: home.heard("its certificate is not trusted"), what="a word about it")


def test_no_tls_where_the_broker_wants_it(broker: Mosquitto):
    with Home(broker.port) as home:
        eventually(lambda: home.heard("is this its port for TLS (mqtts://)?"), 30.0, "a word about it")
        assert not home.service.was_up


@pytest.mark.parametrize("content", [b"", b"no certificate", b"-----BEGIN CERTIFICATE-----\nxx\n"])
def test_what_is_no_certificate_is_said_at_once(tmp_path: Path, content: bytes):
    path = tmp_path / "ca.pem"
    path.write_bytes(content)
    with pytest.raises(BrokerError, match=r"ca\.pem"):
        tls_context(Broker("h", 1, True, ca=path))
    with pytest.raises(BrokerError, match=r"missing\.pem"):
        tls_context(Broker("h", 1, True, ca=tmp_path / "missing.pem"))


def test_amqtt_which_speaks_3_1_1_only(tmp_path: Path):
    amqtt = shutil.which("amqtt", path=str(Path(sys.executable).parent))
    if amqtt is None:
        pytest.skip("no amqtt in this environment (requirements-dev.txt, Python 3.10 or newer)")
    from tests.mqtt.brokers import free_port

    port = free_port()
    conf = tmp_path / "amqtt.yaml"
    conf.write_text(
        f"listeners:\n  default:\n    type: tcp\n    bind: 127.0.0.1:{port}\n"
        "plugins:\n  amqtt.plugins.authentication.AnonymousAuthPlugin:\n    allow_anonymous: true\n"
    )
    process = subprocess.Popen([amqtt, "-c", str(conf)], stderr=subprocess.DEVNULL)
    try:
        with Home(port) as home:
            eventually(lambda: home.heard("connected to the broker, MQTT 3.1.1"), 30.0, "the older version")
    finally:
        process.terminate()
        process.wait(10.0)
