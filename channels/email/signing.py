"""DKIM (RFC 6376): the key, the record to be published for it, and the signature of one letter.

dkimpy signs (https://launchpad.net/dkimpy, zlib licence, 1.1.8 read on 22/11/2026). RFC 8058 section 4 asks that both
list headers are signed; naming From and Subject twice keeps a second one from being added on the way (RFC 6376, 8.15).
"""

import base64
import re
from functools import lru_cache

import dkim
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

BITS = 2048
SIGNED = (
    b"from", b"from", b"to", b"subject", b"subject", b"date", b"message-id", b"reply-to", b"mime-version", b"content-type",
    b"list-id", b"list-unsubscribe", b"list-unsubscribe-post", b"auto-submitted",
)  # fmt: skip


def new_key() -> str:
    """A new private key (RSA 2048, RFC 8301) as PEM."""
    made = rsa.generate_private_key(public_exponent=65537, key_size=BITS)
    return _pem(made)


def readable_key(pem: str) -> bool:
    """Whether this is an RSA private key of at least 1024 bits without a passphrase."""
    return _key(pem) is not None


def record(pem: str) -> str:
    """The value of the TXT record at ``<selector>._domainkey.<domain>``."""
    key = _key(pem)
    if key is None:
        return ""
    public = key.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return f"v=DKIM1; k=rsa; p={base64.b64encode(public).decode()}"


def signed(letter: bytes, selector: str, domain: str, pem: str) -> bytes:
    """The letter with its signature on top; raises ValueError for a key that cannot sign."""
    key = _key(pem)
    if key is None:
        raise ValueError("dkim_key")
    there = {name.lower() for name in re.findall(rb"^([A-Za-z-]+):", letter.partition(b"\r\n\r\n")[0], re.MULTILINE)}
    header = dkim.sign(
        letter, selector.encode(), domain.encode(), _pem(key).encode(), canonicalize=(b"relaxed", b"relaxed"),
        include_headers=[name for name in SIGNED if name in there],
    )  # fmt: skip
    return bytes(header) + letter


@lru_cache(maxsize=64)  # reading a key checks it, which takes longer than to sign a hundred letters
def _key(pem: str) -> rsa.RSAPrivateKey | None:
    try:
        key = serialization.load_pem_private_key(pem.strip().encode(), None)
    except (ValueError, TypeError):
        return None
    return key if isinstance(key, rsa.RSAPrivateKey) and key.key_size >= 1024 else None


def _pem(key: rsa.RSAPrivateKey) -> str:
    """PKCS#1, which is what dkimpy reads."""
    form = serialization.PrivateFormat.TraditionalOpenSSL
    return key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()).decode()
