"""The identity cases, on each kernel: what `tests/integration` says of one of them must be true of all."""

from __future__ import annotations

from tests.integration.identity.test_identity_cases import *  # noqa: F403 - the same statements, of another place
from tests.integration.identity.test_identity_of_servers import *  # noqa: F403
from tests.integration.identity.test_identity_unknown import *  # noqa: F403
