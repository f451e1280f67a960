"""A small wagtail site: pages and documents, some of them private; its API, its admin interface.

Django can be set up once a process, so it has a process of its own.
"""

from __future__ import annotations

from http.cookies import SimpleCookie
from pathlib import Path
from typing import Any

APPS = [
    *("wagtail.users", "wagtail.snippets", "wagtail.documents", "wagtail.images", "wagtail.search", "wagtail.admin"),
    *("wagtail.sites", "wagtail.contrib.redirects", "wagtail.embeds", "wagtail.api.v2", "wagtail"),
    *("modelcluster", "taggit", "rest_framework"),
    *("django.contrib.auth", "django.contrib.contenttypes", "django.contrib.sessions"),
    *("django.contrib.messages", "django.contrib.staticfiles"),
]
PASSWORD = "correct horse battery staple"


def application(folder: Path) -> Any:
    """The site of this folder, made on first use."""
    import django
    from django.conf import settings

    settings.configure(
        SECRET_KEY="not a secret",
        DEBUG=False,
        ALLOWED_HOSTS=["127.0.0.1"],
        ROOT_URLCONF=__name__,
        INSTALLED_APPS=APPS,
        MIDDLEWARE=[
            "django.contrib.sessions.middleware.SessionMiddleware",
            "django.middleware.common.CommonMiddleware",
            "django.contrib.auth.middleware.AuthenticationMiddleware",
            # Takes the user from REMOTE_USER, for as long as it is there.
            "django.contrib.auth.middleware.RemoteUserMiddleware",
            "django.contrib.messages.middleware.MessageMiddleware",
        ],
        AUTHENTICATION_BACKENDS=[
            "django.contrib.auth.backends.RemoteUserBackend",
            "django.contrib.auth.backends.ModelBackend",
        ],
        TEMPLATES=[
            {
                "BACKEND": "django.template.backends.django.DjangoTemplates",
                "APP_DIRS": True,
                "OPTIONS": {
                    "context_processors": [
                        "django.template.context_processors.request",
                        "django.contrib.auth.context_processors.auth",
                        "django.contrib.messages.context_processors.messages",
                    ]
                },
            }
        ],
        DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": folder / "site.db"}},
        # The tables as they are now, without the way there.
        MIGRATION_MODULES=dict.fromkeys([app.rpartition("wagtail.")[2] for app in APPS], None)
        | dict.fromkeys(
            [
                *("wagtailusers", "wagtailsnippets", "wagtaildocs", "wagtailimages", "wagtailsearch", "wagtailadmin"),
                *("wagtailcore", "wagtailredirects", "wagtailembeds", "wagtailsites"),
                *("auth", "contenttypes", "sessions", "messages"),
            ]
        ),
        DEFAULT_AUTO_FIELD="django.db.models.AutoField",
        MEDIA_ROOT=str(folder / "media"),
        STATIC_URL="/static/",
        USE_TZ=True,
        WAGTAIL_SITE_NAME="a site",
        WAGTAILADMIN_BASE_URL="http://127.0.0.1",
        WAGTAILAPI_BASE_URL="http://127.0.0.1",
        STORAGES={
            "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
            "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
        },
    )
    django.setup()
    if not (folder / "site.db").exists():
        _fill()
    from django.core.wsgi import get_wsgi_application

    return get_wsgi_application()


def _fill() -> None:
    from django.contrib.auth import get_user_model
    from django.core.files.base import ContentFile
    from django.core.management import call_command
    from wagtail.documents.models import Document
    from wagtail.models import Collection, CollectionViewRestriction, Locale, Page, PageViewRestriction, Site

    call_command("migrate", run_syncdb=True, verbosity=0)
    Locale.objects.get_or_create(language_code="en")
    root = Page.get_first_root_node() or Page.add_root(title="Root", slug="root")
    home = root.add_child(title="Home", slug="home-page")
    home.add_child(title="News", slug="news")
    private = home.add_child(title="Plans", slug="plans")
    PageViewRestriction.objects.create(page=private, restriction_type="login")
    Site.objects.update_or_create(hostname="127.0.0.1", defaults={"root_page": home, "is_default_site": True})
    collection = Collection.get_first_root_node() or Collection.add_root(name="Root")
    inner = collection.add_child(name="Board")
    CollectionViewRestriction.objects.create(collection=inner, restriction_type="login")
    for title, where in (("leaflet", collection), ("minutes", inner)):
        Document.objects.create(
            title=title, file=ContentFile(f"the {title}".encode(), f"{title}.txt"), collection=where
        )
    get_user_model().objects.create_superuser("editor", "editor@example.org", PASSWORD)


def signed_in(environ: Any) -> str | None:
    """Who signed in with a password. A session that Django made of REMOTE_USER is the token's, and does not count."""
    from django.conf import settings
    from django.contrib.auth import BACKEND_SESSION_KEY, SESSION_KEY, get_user_model
    from django.contrib.sessions.backends.db import SessionStore

    cookie = SimpleCookie(environ.get("HTTP_COOKIE", "")).get(settings.SESSION_COOKIE_NAME)
    if cookie is None:
        return None
    session = SessionStore(cookie.value)
    if session.get(BACKEND_SESSION_KEY) != "django.contrib.auth.backends.ModelBackend":
        return None
    number = session.get(SESSION_KEY)
    user = get_user_model().objects.filter(pk=number, is_active=True).first() if number else None
    return user.get_username() if user else None


def visibility(environ: Any, resource: str | None) -> str | None:
    """What wagtail shows to everyone is public; what is not there is nothing."""
    from wagtail.documents.models import Document
    from wagtail.models import Page

    kind, _, number = (resource or "").partition("/")
    if kind == "page":
        page = Page.objects.live().filter(pk=number).first()
        restrictions = page.get_view_restrictions() if page else None
    elif kind == "document":
        document = Document.objects.filter(pk=number).first()
        restrictions = document.collection.get_view_restrictions() if document else None
    else:
        return None
    if restrictions is None:
        return None
    return "private" if restrictions.exists() else "public"


def whoami(request: Any) -> Any:
    from django.http import JsonResponse

    return JsonResponse({"user": request.user.get_username(), "authorization": request.headers.get("Authorization")})


def __getattr__(name: str) -> Any:
    if name != "urlpatterns":
        raise AttributeError(name)
    from django.urls import include, path
    from wagtail import urls as page_urls
    from wagtail.admin import urls as admin_urls
    from wagtail.api.v2.router import WagtailAPIRouter
    from wagtail.api.v2.views import PagesAPIViewSet
    from wagtail.documents import urls as document_urls
    from wagtail.documents.api.v2.views import DocumentsAPIViewSet

    api = WagtailAPIRouter("wagtailapi")
    api.register_endpoint("pages", PagesAPIViewSet)
    api.register_endpoint("documents", DocumentsAPIViewSet)
    patterns = [
        path("api/v2/", api.urls),
        path("api/documents/", include(document_urls)),
        path("api/whoami/", whoami),
        path("admin/", include(admin_urls)),
        path("", include(page_urls)),
    ]
    globals()["urlpatterns"] = patterns
    return patterns
