"""Personal access tokens with scopes, in front of any WSGI application, without touching a view."""
