"""Old scopes become new ones: mappings, what that changes for whom, and how a table is converted and taken back."""

from .mapping import Mapping as Mapping
from .mapping import MappingError as MappingError
