"""How the other side's certificate is verified."""

from __future__ import annotations

import ssl

from observatory.errors import ObservatoryError


def tls_context(ca: str | None) -> ssl.SSLContext:
    """How the other side's certificate is verified: by this file, or by what the system trusts.

    Raises ObservatoryError.
    """
    try:
        return ssl.create_default_context(cafile=ca)
    except ssl.SSLError as error:
        raise ObservatoryError(f"{ca} has no certificates in it (PEM)") from error
    except OSError as error:
        raise ObservatoryError(f"can't read {ca}: {error.strerror}") from error
