"""Files that are whole, or as they were."""

from __future__ import annotations

import os
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TextIO

from ..errors import ConfigurationError


@contextmanager
def whole_file(path: str, where: str, *, private: bool = False) -> Iterator[TextIO]:
    """A file that is there when everything is in it; or a pipe or device that is there.

    :param where: the option or the file that an error names.
    :param private: whether nobody else may read it; else its mode stays, or is the usual one.
    :raises ConfigurationError: it cannot be written.
    """
    try:
        if os.path.exists(path) and not stat.S_ISREG(os.stat(path).st_mode):
            with open(path, "w", encoding="utf-8", newline="") as file:
                yield file
            return
        target = os.path.realpath(path)
        mode = os.stat(target).st_mode & 0o777 if os.path.exists(target) else 0o666 & ~_umask()
        descriptor, unfinished = tempfile.mkstemp(dir=os.path.dirname(target))
        try:
            with open(descriptor, "w", encoding="utf-8", newline="") as file:
                yield file
            if not private:
                os.chmod(unfinished, mode)
            os.replace(unfinished, target)
        finally:
            with suppress(FileNotFoundError):
                os.unlink(unfinished)
    except OSError as error:
        raise ConfigurationError(f"it cannot be written: {error.strerror}", where=where) from None


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
