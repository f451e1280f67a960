"""Personal access tokens with scopes, in front of any WSGI application, without touching a view."""

from .errors import ConfigurationError as ConfigurationError
from .errors import ScopewareError as ScopewareError
from .gate import GuardError as GuardError
from .gate import Scopeware as Scopeware
from .gate import req_scopes as req_scopes
from .gate import req_token as req_token
from .policy import Group as Group
from .policy import Policy as Policy
from .policy import Route as Route
from .scopes import ScopeSet as ScopeSet
from .scopes import UnknownScope as UnknownScope
from .scopes import Vocabulary as Vocabulary
from .tokens import StoreUnavailable as StoreUnavailable
from .tokens import TokenStore as TokenStore
