"""The identity cases, on each kernel: what `tests/integration` says of one of them must be true of all.

That the cases catch servers with mistakes is shown there, and does not turn on the kernel.
"""

from __future__ import annotations

from tests.integration.identity import test_identity_cases, test_identity_of_servers, test_identity_unknown

steps = test_identity_of_servers.steps

for module in (test_identity_cases, test_identity_of_servers, test_identity_unknown):
    cases = {name: case for name, case in vars(module).items() if name.startswith("test_")}
    globals().update({name: case for name, case in cases.items() if not name.endswith("caught")})
