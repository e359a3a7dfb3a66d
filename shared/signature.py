"""Signatures of model files: Ed25519 over the manifest, which names the digest of the model itself."""

import hashlib
from collections.abc import Mapping, Sequence

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from shared.errors import ArtifactInvalid

FINGERPRINT_DIGITS = 16


class NotSigned(ArtifactInvalid):
    """A model file that no trusted key has signed."""


def sign(body: bytes, signing_key: str) -> bytes:
    """Give the signature of a manifest."""
    return _private(signing_key).sign(body)


def fingerprint(public_key: str) -> str:
    """Give what people compare keys by."""
    return hashlib.sha256(bytes.fromhex(public_key)).hexdigest()[:FINGERPRINT_DIGITS]


def fingerprint_of_signer(signing_key: str) -> str:
    """Give the fingerprint of the public key that belongs to a private one."""
    return fingerprint(_private(signing_key).public_key().public_bytes_raw().hex())


def check_signature(parts: Mapping[str, bytes], public_keys: Sequence[str]) -> str:
    """Give the fingerprint of the key that signed a model file; NotSigned when it was none of these."""
    if "signature" not in parts:
        raise NotSigned("the model file is not signed, and ARTIFACT_PUBLIC_KEY asks for it")
    for public_key in public_keys:
        try:
            key = Ed25519PublicKey.from_public_bytes(bytes.fromhex(public_key))
            key.verify(parts["signature"], parts["manifest.json"])
        except (InvalidSignature, ValueError):
            continue
        return fingerprint(public_key)
    raise NotSigned("the model file is not signed with a key of ARTIFACT_PUBLIC_KEY")


def _private(signing_key: str) -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(bytes.fromhex(signing_key))
