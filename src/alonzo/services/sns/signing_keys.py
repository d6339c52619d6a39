"""Key and certificate of a platform: made, read, and what they do.

Apart from ``signing.py`` because what it imports takes longer than many a start should.
"""

from __future__ import annotations

import base64
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.x509.oid import NameOID

_NAME = "sns.amazonaws.com"
_BITS = 2048
_LIFE = timedelta(days=3650)
#: The certificate may be older than the clock of whoever verifies says.
_SLACK = timedelta(days=1)
_ID_BYTES = 16

_HASHES: dict[str, type[hashes.HashAlgorithm]] = {"1": hashes.SHA1, "2": hashes.SHA256}


class Material:
    """Key and certificate, read from what ``make`` made. ``certificate`` is PEM."""

    def __init__(self, pem: bytes) -> None:
        key = serialization.load_pem_private_key(pem, None)
        assert isinstance(key, rsa.RSAPrivateKey)
        self._key = key
        certificate = x509.load_pem_x509_certificate(pem)
        self.certificate = certificate.public_bytes(serialization.Encoding.PEM)
        self.id = certificate.fingerprint(hashes.SHA256()).hex()[: 2 * _ID_BYTES]

    def sign(self, text: str, version: str) -> str:
        """The signature of a text, in base64."""
        data = text.encode("utf-8", "surrogatepass")
        return base64.b64encode(
            self._key.sign(data, padding.PKCS1v15(), _HASHES[version]())
        ).decode()


def make(now: datetime) -> bytes:
    """A new key and its certificate, in PEM."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=_BITS)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, _NAME)])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _SLACK)
        .not_valid_after(now + _LIFE)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(_NAME)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    secret = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    return secret + certificate.public_bytes(serialization.Encoding.PEM)
