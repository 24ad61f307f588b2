"""Property tests have settings of their own."""

from tests.helpers.property_settings import load_profile

load_profile()
