"""A small wagtail site, made by the first import: its database is in ``$DATA``. Two pages, one of them private."""

import os
from pathlib import Path

os.environ["DJANGO_SETTINGS_MODULE"] = "wagtail_settings"
os.makedirs(os.environ["DATA"], exist_ok=True)

from django.core.management import call_command  # noqa: E402
from django.core.wsgi import get_wsgi_application  # noqa: E402

application = app = get_wsgi_application()


def fill() -> None:
    """Make the tables, and two pages."""
    from wagtail.models import Page, PageViewRestriction  # noqa: PLC0415

    call_command("migrate", verbosity=0)
    for slug in ("news", "plans"):
        page = Page.objects.get(depth=2).add_child(title=slug.title(), slug=slug)
        if slug == "plans":
            PageViewRestriction.objects.create(page=page, restriction_type="login")


if not (Path(os.environ["DATA"]) / "site.db").exists():
    fill()
