"""What fails: one exception class for each pleat_code."""

from __future__ import annotations


class Error(Exception):
    """Why a call failed: str() is a sentence for people, `rule` a stable word for programs, and
    `code` the exit code of the `pleat` command where it has one."""
    code: int = 70

    def __init__(self, message: str, rule: str = "") -> None:
        super().__init__(message)
        self.rule = rule

    def __str__(self) -> str:
        return self.args[0] if self.args else ""


class InvalidArgumentError(Error, ValueError):
    """The call is wrong: a name, a shape, a type."""
    code = 2


class InvalidModelError(Error, ValueError):
    """Not a network, or a damaged one."""
    code = 3


class UnsupportedError(Error, NotImplementedError):
    """Valid, but not something this version does; every such node is listed."""
    code = 4


class IoError(Error, OSError):
    """A file cannot be read or written."""
    code = 5


class LimitExceededError(Error):
    """Larger than Pleat takes."""
    code = 6


class VerificationFailedError(Error):
    """The converted network departs from the original."""
    code = 7


class OutOfMemoryError(Error, MemoryError):
    """The system gave no memory."""
    code = 8


class BusyError(Error):
    """Another call is using the session."""
    code = 9


class CancelledError(Error):
    """The run was ended."""
    code = 10


class DeadlineExceededError(Error, TimeoutError):
    """The run took longer than its timeout."""
    code = 11


class InternalError(Error):
    """A bug in Pleat."""
    code = 70


_BY_CODE = {cls.code: cls for cls in (
    InvalidArgumentError, InvalidModelError, UnsupportedError, IoError, LimitExceededError,
    VerificationFailedError, OutOfMemoryError, BusyError, CancelledError, DeadlineExceededError)}


def _make(code: int, rule: str, message: str) -> Error:
    """Called by the native module."""
    return _BY_CODE.get(code, InternalError)(message, rule)
