"""For all tests: no example of hypothesis is judged by how long it takes, since the machine may be busy."""

from hypothesis import HealthCheck, settings

settings.register_profile("millrace", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("millrace")
