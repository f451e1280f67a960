"""Who holds what: secrets, tokens, owners and the store they are in."""

from .database import StoreUnavailable as StoreUnavailable
from .records import Issued as Issued
from .records import LiveToken as LiveToken
from .records import NameTaken as NameTaken
from .records import NoSuchOwner as NoSuchOwner
from .records import NoSuchToken as NoSuchToken
from .records import OwnerExists as OwnerExists
from .records import OwnerInfo as OwnerInfo
from .records import Refusal as Refusal
from .records import TokenInfo as TokenInfo
from .records import TokenRefused as TokenRefused
from .records import wsgi_text as wsgi_text
from .schema import SchemaError as SchemaError
from .secret import SecretFormat as SecretFormat
from .store import TokenStore as TokenStore
