"""What a token may do: vocabularies, scope sets, roles."""

from .category import Category as Category
from .category import SingleScope as SingleScope
from .category import VocabularyError as VocabularyError
from .methods import READ_METHODS as READ_METHODS
from .resource import canonical_pattern as canonical_pattern
from .roles import ADMIN_ROLE as ADMIN_ROLE
from .roles import DEFAULT_ROLE as DEFAULT_ROLE
from .roles import Roles as Roles
from .scope_set import ScopeSet as ScopeSet
from .scope_set import UnknownScope as UnknownScope
from .scope_set import VocabularyMismatch as VocabularyMismatch
from .vocabulary import Vocabulary as Vocabulary
