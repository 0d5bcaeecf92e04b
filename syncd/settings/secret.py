"""Resolves references to secrets: `credential:name`, `file:/path`, `env:NAME`. No message holds a secret."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Callable
from pathlib import Path

from syncd.settings.values import Wrong

_REFERENCES = 'Write a reference instead: "credential:NAME", "file:/PATH" or "env:NAME".'
_LONGEST = 64 * 1024


def resolve(reference: object, credentials: str, variable: Callable[[str], str | None]) -> str:
    """The secret that a reference names; `credentials` is systemd's credentials directory, "" where there is none.

    Raises `Wrong`, whose text holds neither a literal secret nor the content of a file.
    """
    kind, colon, name = reference.partition(":") if isinstance(reference, str) else ("", "", "")
    if not colon or kind not in {"env", "file", "credential"}:
        raise Wrong("must not hold the secret itself.", _REFERENCES)
    if kind == "env":
        text = _from_environment(name, variable)
    elif kind == "file":
        text = _from_file(name)
    else:
        text = _from_credentials(name, credentials)
    return _checked(text)


def _from_environment(name: str, variable: Callable[[str], str | None]) -> str:
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name):
        raise Wrong("does not name an environment variable.", 'Write "env:NAME".')
    text = variable(name)
    if text is None:
        raise Wrong(f"the environment variable {name} is not set.", f"Set {name}, or use credential: or file: instead.")
    return text


def _from_file(name: str) -> str:
    path = Path(name)
    if not path.is_absolute():
        raise Wrong("names a file without its full path.", 'Write "file:/full/path".')
    for place in path.parents:
        _judge_place(path, place)
    return _read(path, strict=True)


def _judge_place(path: Path, place: Path) -> None:
    """Judge a directory on the way to a secret: an account that may write there, or owns it, may put another file in
    the secret's place. In a directory with the sticky bit (/tmp) an account can move only its own files."""
    try:
        status = place.stat()
    except OSError as error:
        raise Wrong(
            f"the directory of {path} cannot be read ({type(error).__name__}).", "Check its owner and mode."
        ) from None
    if stat.S_IMODE(status.st_mode) & 0o022 and (place == path.parent or not status.st_mode & stat.S_ISVTX):
        raise Wrong(f"others may replace files in {place}.", f"Run: chmod go-w {place}")
    if status.st_uid not in {0, os.geteuid()}:
        raise Wrong(f"{place} belongs to somebody else, who may replace what is in it.", f"Run: chown root {place}")


def _from_credentials(name: str, directory: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.@-]*", name):
        raise Wrong("does not name a credential.", 'Write "credential:NAME".')
    if not directory:
        raise Wrong(
            f"there is no credentials directory to take {name} from.",
            f"Start syncd through systemd with LoadCredential={name}:/PATH, or use file: instead.",
        )
    path = Path(directory) / name
    loaded = path.with_name(f"syncd_{name}")  # LoadCredential=syncd:DIRECTORY names its files so
    # systemd shows credentials to a service's user through an ACL, so their mode says nothing here
    return _read(loaded if loaded.exists() and not path.exists() else path, strict=False)


def _read(path: Path, *, strict: bool) -> str:
    """The text of a regular file. The open file is judged, not its name: nobody can exchange it in between."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            _judge(path, os.fstat(descriptor), strict=strict)
            content = os.read(descriptor, _LONGEST + 1)
        finally:
            os.close(descriptor)
    except FileNotFoundError:
        raise Wrong(f"{path} does not exist.", "Write the secret there, with mode 0600.") from None
    except OSError as error:
        if path.is_symlink():
            raise Wrong(f"{path} is a symbolic link.", "Name the file itself.") from None
        raise Wrong(f"{path} cannot be read ({type(error).__name__}).", "Check its owner and mode.") from None
    if len(content) > _LONGEST:
        raise Wrong(f"{path} is too long for a secret.", "Name a file with the secret alone.")
    # bytes that are no ASCII become a mark that the check of the characters refuses
    return content.decode("ascii", errors="replace")


def _judge(path: Path, status: os.stat_result, *, strict: bool) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise Wrong(f"{path} is not a regular file.", "Name a file with the secret alone.")
    if not strict:
        return
    if status.st_uid not in {0, os.geteuid()}:
        raise Wrong(f"{path} belongs to somebody else.", f"Run: chown root {path}")
    if stat.S_IMODE(status.st_mode) & 0o177:
        raise Wrong(f"{path} is readable or writable by others.", f"Run: chmod 0600 {path}")


def _checked(text: str) -> str:
    """The secret without one newline at the end. It must be printable ASCII: HTTP headers and drivers refuse other
    characters, with error messages that show them."""
    text = text.removesuffix("\n").removesuffix("\r")
    if not text:
        raise Wrong("the secret is empty.", "Write the secret there.")
    if not re.fullmatch(r"[\x20-\x7e]+", text):
        raise Wrong("the secret holds characters that are not printable ASCII.", "Look for line breaks and umlauts.")
    if text != text.strip():
        raise Wrong("the secret begins or ends with a blank.", "Take the blank away.")
    return text
