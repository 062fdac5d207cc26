"""Settings of a Django project with one application, whose outbox goes to RabbitMQ."""

SECRET_KEY = "not secret"
INSTALLED_APPS = ["outbox"]
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
USE_TZ = True
AMQP_URL = "amqp://localhost/"
