"""What tokens are used for, and what was refused."""

from .entry import LogEntry as LogEntry
from .entry import Visit as Visit
from .log import AccessLog as AccessLog
from .reading import LogFilter as LogFilter
from .reading import LogReader as LogReader
from .reading import LogRecord as LogRecord
from .sinks import Sink as Sink
