"""Webhook signatures by the Standard Webhooks specification (https://www.standardwebhooks.com),
as ``client.webhooks.unwrap`` of the official client verifies them.
"""

import base64
import hashlib
import hmac

SECRET_PREFIX = "whsec_"


def decode_signing_key(secret: str) -> bytes:
    """Decode ``whsec_`` and base64, or use any other text as it is."""
    if secret.startswith(SECRET_PREFIX):
        return base64.b64decode(secret.removeprefix(SECRET_PREFIX))
    return secret.encode()


def build_signed_headers(
    secret: str, notice_id: str, timestamp: int, body: bytes
) -> dict[str, str]:
    """Build the three headers. ``timestamp`` is in unix seconds; receivers refuse one that is
    minutes old.
    """
    signed = b".".join([notice_id.encode(), str(timestamp).encode(), body])
    signature = hmac.new(decode_signing_key(secret), signed, hashlib.sha256).digest()
    return {
        "webhook-id": notice_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": f"v1,{base64.b64encode(signature).decode()}",
    }
