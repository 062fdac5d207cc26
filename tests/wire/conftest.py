"""How hard Hypothesis tries in this suite.

``--hypothesis-profile=thorough`` tries harder. A deadline for one example, or for drawing a few
of them, would measure the machine and not the code, so there is none.
"""

from hypothesis import HealthCheck, settings

settings.register_profile(
    "moderate",
    deadline=None,
    print_blob=True,
    max_examples=60,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.register_profile("thorough", settings.get_profile("moderate"), max_examples=2000)

if settings.get_current_profile_name() in ("default", "ci"):
    settings.load_profile("moderate")
