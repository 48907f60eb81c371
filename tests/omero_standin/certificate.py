"""A certificate of its own, as servers in hospitals often have one."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    pkcs12,
)
from cryptography.x509.oid import NameOID

PASSWORD = "stand-in"


def write_certificate(path: Path) -> None:
    """Write a self-signed certificate and its key as PKCS 12, unless it is there already."""
    if path.exists():
        return
    key, certificate = _made("localhost")
    path.write_bytes(
        pkcs12.serialize_key_and_certificates(
            b"stand-in", key, certificate, None, BestAvailableEncryption(PASSWORD.encode())
        )
    )


def write_authority(path: Path) -> None:
    """Write the certificate of an authority, as PEM, that no server's comes from."""
    _, certificate = _made("somebody else")
    path.write_bytes(certificate.public_bytes(Encoding.PEM))


def _made(common_name: str) -> tuple[rsa.RSAPrivateKey, x509.Certificate]:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=2))
        .sign(key, hashes.SHA256())
    )
    return key, certificate
