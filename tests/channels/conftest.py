"""A scene with the twins, a shelf of media and a clock of its own, served on a free port."""

import ssl
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from channels.contract import Channel, Tools
from channels.facebook.adapter import Facebook
from channels.rehearsing import Scene, stage
from channels.twin import Place
from channels.wire import Wire
from channels.zalo.adapter import Zalo
from tests.channels.wordpress.site import Site, site

CHANNELS: dict[str, type[Channel]] = {"zalo": Zalo, "facebook": Facebook}


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    with stage(tmp_path, CHANNELS) as made:
        yield made


@pytest.fixture
def place(scene: Scene) -> Place:
    return scene.place


@pytest.fixture
async def wire(scene: Scene, anyio_backend: str) -> AsyncIterator[Wire]:
    made = scene.wire()
    yield made
    await made.close()


@pytest.fixture
def tools(scene: Scene, wire: Wire) -> Tools:
    return scene.tools(wire)


@pytest.fixture(scope="session")
def wordpress_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A real WordPress, installed once in a test run."""
    with site(tmp_path_factory.mktemp("wordpress")) as made:
        yield made


@pytest.fixture(scope="session")
def self_signed(self_signed_file: Path) -> ssl.SSLContext:
    """A server's TLS context with a certificate that nobody vouches for."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(self_signed_file)
    return context


@pytest.fixture(scope="session")
def self_signed_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Such a certificate and its key in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    file = tmp_path_factory.mktemp("tls") / "both.pem"
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    file.write_bytes(certificate.public_bytes(Encoding.PEM) + private)
    return file
