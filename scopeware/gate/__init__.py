"""A request's way: credential, decision, answer."""

from .answers import Answer as Answer
from .context import Context as Context
from .decision import Allowed as Allowed
from .decision import Decision as Decision
from .decision import Denied as Denied
from .guards import GuardError as GuardError
from .guards import req_scopes as req_scopes
from .guards import req_token as req_token
from .middleware import Scopeware as Scopeware
