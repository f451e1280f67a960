"""What a request needs: groups, requirements, the policy file, canonical paths."""

from .allowance import Allowance as Allowance
from .compiler import DESTINATION_METHODS as DESTINATION_METHODS
from .compiler import PolicyError as PolicyError
from .document import DocumentError as DocumentError
from .hooks import Hooks as Hooks
from .lifetimes import Lifetimes as Lifetimes
from .log_options import LogOptions as LogOptions
from .options import Options as Options
from .path import AmbiguousPath as AmbiguousPath
from .path import canonical as canonical
from .pattern import Pattern as Pattern
from .policy import Policy as Policy
from .preset import Preset as Preset
from .requirement import Requirement as Requirement
from .rules import Group as Group
from .rules import Own as Own
from .rules import PublicOnly as PublicOnly
from .rules import Route as Route
from .sample import deep_sample as deep_sample
from .sample import distinct as distinct
from .sample import meeting as meeting
from .sample import sample as sample
from .segment import PatternError as PatternError
