"""How hard Hypothesis tries in this suite."""

from hypothesis import settings

settings.register_profile("moderate", deadline=None, print_blob=True, max_examples=60)

if settings.get_current_profile_name() in ("default", "ci"):
    settings.load_profile("moderate")
