"""TLS for connectors: options, the ``ssl.SSLContext`` they make, and errors in plain words.

Certificates are verified unless somebody asks, in so many words, that they be not.
"""

from __future__ import annotations

import logging
import ssl
from typing import Any, Final

import attrs

from actors import loggers
from actors.errors import (
    AuthenticationRefusedError,
    BadConfigurationError,
    CertificateInvalidError,
    ConnectorError,
)
from actors.settings import (
    Allowed,
    Mistake,
    MistakesError,
    flag,
    is_host_name,
    table_of,
    text,
)

logger = logging.getLogger(loggers.TLS)

_FILE: Final = text("the path of a PEM file", bool).or_none()


def _is_server_name(name: str) -> bool:
    return is_host_name(name) and not name.startswith(".")


@attrs.frozen(kw_only=True)
class TlsOptions:
    """How to speak TLS with a system.

    Attributes:
        verify: whether the system must prove who it is. False gives up what TLS is for,
            but the secrecy from who only listens.
        ca_file: PEM file of the authorities to trust; None trusts those of this machine.
        cert_file: PEM file of our own certificate, for a system that asks for one.
        key_file: PEM file of its private key; None takes it from ``cert_file``.
        key_password: what the private key is encrypted with.
        server_hostname: the name to find in the system's certificate; None takes the
            host connected to.
    """

    verify: bool = attrs.field(default=True, validator=flag())
    ca_file: str | None = attrs.field(default=None, validator=_FILE)
    cert_file: str | None = attrs.field(default=None, validator=_FILE)
    key_file: str | None = attrs.field(default=None, validator=_FILE)
    key_password: str | None = attrs.field(
        default=None,
        repr=False,
        validator=text(
            "a text of 1 to 1024 bytes",
            lambda value: 0 < len(value.encode(errors="replace")) <= 1024,
        ).or_none(),
    )
    server_hostname: str | None = attrs.field(
        default=None, validator=text("a host name or an address", _is_server_name).or_none()
    )

    def __attrs_post_init__(self) -> None:
        if self.cert_file is None:
            needy = [n for n in ("key_file", "key_password") if getattr(self, n) is not None]
            if needy:
                raise MistakesError(Mistake((name,), "needs cert_file too") for name in needy)


def tls_or_none() -> Allowed:
    """TLS options as a table, or true for the defaults; false for no TLS, which is None."""

    def switch(value: Any) -> Any:
        if isinstance(value, bool):
            return TlsOptions() if value else None
        return value

    return attrs.evolve(
        table_of(TlsOptions), text="true, false, or a table of TLS options", convert=switch
    ).or_none()


def make_context(options: TlsOptions, system: str) -> ssl.SSLContext:
    """The context for one connection as a client; reads the files, so runs in the process
    that connects.

    Args:
        options: what to build.
        system: how to name the system in a log line, such as ``host:port``.

    Raises:
        BadConfigurationError: a file is missing, unreadable or no good, with its option's name.
    """
    for option in ("ca_file", "cert_file", "key_file"):
        _check_readable(option, getattr(options, option))
    try:
        context = ssl.create_default_context(cafile=options.ca_file)
    except ssl.SSLError as error:
        raise BadConfigurationError(
            f"tls.ca_file {options.ca_file!r} holds no certificates in PEM format "
            f"({_reason(error)})"
        ) from None
    if options.cert_file is not None:
        _load_own_certificate(context, options)
    if not options.verify:
        logger.warning(
            "the certificate of %s is not verified (tls.verify is false): whoever is between "
            "can pose as the system, and read and change all data; set tls.ca_file instead",
            system,
        )
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def _check_readable(option: str, path: str | None) -> None:
    # ssl's own errors about files name no file.
    if path is None:
        return
    try:
        with open(path, "rb") as file:
            file.read(1)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        text = f"tls.{option} {path!r} cannot be read: {reason}"
        raise BadConfigurationError(text) from None


def _load_own_certificate(context: ssl.SSLContext, options: TlsOptions) -> None:
    assert options.cert_file is not None
    asked = False

    def password() -> str:
        # Without a callback OpenSSL asks at the terminal, and the actor would hang.
        nonlocal asked
        asked = True
        return options.key_password or ""

    try:
        context.load_cert_chain(options.cert_file, options.key_file, password)
    except (ssl.SSLError, ValueError) as error:
        key_option = "key_file" if options.key_file is not None else "cert_file"
        key_path = options.key_file or options.cert_file
        if asked:
            told = "is wrong" if options.key_password else "is not set"
            text = (
                f"tls.{key_option} {key_path!r} has an encrypted key, and tls.key_password {told}"
            )
        elif isinstance(error, ssl.SSLError) and error.reason == "KEY_VALUES_MISMATCH":
            text = (
                f"tls.cert_file {options.cert_file!r} and tls.{key_option} {key_path!r} "
                "do not belong together"
            )
        else:
            text = (
                f"tls.cert_file {options.cert_file!r} must hold a certificate, and "
                f"tls.{key_option} {key_path!r} its private key, in PEM format ({_reason(error)})"
            )
        raise BadConfigurationError(text) from None


_HOSTNAME_MISMATCH: Final = 62
_ADDRESS_MISMATCH: Final = 64
_UNKNOWN_AUTHORITY: Final = frozenset({2, 18, 19, 20, 21})
_NOT_YET_VALID: Final = 9
_OUT_OF_DATE: Final = frozenset({_NOT_YET_VALID, 10})

_REFUSES_US: Final = frozenset(
    {
        *("ACCESS_DENIED", "BAD_CERTIFICATE", "CERTIFICATE_EXPIRED", "CERTIFICATE_REQUIRED"),
        *("CERTIFICATE_REVOKED", "CERTIFICATE_UNKNOWN", "NO_CERTIFICATE", "UNKNOWN_CA"),
        "UNSUPPORTED_CERTIFICATE",
    }
)
"""Alerts by which the other end says that it does not take our certificate, or misses one."""
_NOTHING_IN_COMMON: Final = frozenset(
    {"HANDSHAKE_FAILURE", "INSUFFICIENT_SECURITY", "PROTOCOL_VERSION"}
)
"""Alerts for versions or ciphers of which both ends have none in common."""
_NOT_FOR_US: Final = frozenset(
    {"UNSUPPORTED_PROTOCOL", "DH_KEY_TOO_SMALL", "EE_KEY_TOO_SMALL", "CA_MD_TOO_WEAK"}
)
"""The same, said by our end."""


def class_for(error: ssl.SSLError) -> type[ConnectorError]:
    """Of which class, and so of which kind, what went wrong in a handshake or after is.

    What time can mend is tried again, such as a certificate that is not valid yet for a machine
    whose clock is still to be set, and so is an answer that is no TLS: it may be a proxy's.
    """
    reason = (error.reason or "").upper()
    if isinstance(error, ssl.SSLCertVerificationError):
        is_too_soon = error.verify_code == _NOT_YET_VALID
        return ConnectorError if is_too_soon else CertificateInvalidError
    alert = reason.partition("_ALERT_")[2]
    if alert in _REFUSES_US:
        return AuthenticationRefusedError
    is_hopeless = alert in _NOTHING_IN_COMMON or reason in _NOT_FOR_US
    return BadConfigurationError if is_hopeless else ConnectorError


def explain(error: ssl.SSLError) -> str:
    """What went wrong in a handshake or after, and which option helps."""
    reason = (error.reason or "").upper()
    if isinstance(error, ssl.SSLCertVerificationError):
        said = f"its certificate was refused: {error.verify_message.rstrip('.')}"
        if error.verify_code in (_HOSTNAME_MISMATCH, _ADDRESS_MISMATCH):
            return f"{said}; set tls.server_hostname to a name in the certificate"
        if error.verify_code in _UNKNOWN_AUTHORITY:
            return f"{said}; set tls.ca_file to the certificate of the authority that signed it"
        if error.verify_code in _OUT_OF_DATE:
            return f"{said}; it needs a new one, or this machine's clock is wrong"
        return said
    if reason in ("WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE", "HTTP_REQUEST"):
        return "what it answered is no TLS; set tls to false, or port to where it speaks TLS"
    if "ALERT" in reason:
        return (
            f"it refused our side of TLS ({_reason(error)}); if it asks for a certificate, "
            "set tls.cert_file and tls.key_file"
        )
    return f"TLS failed ({_reason(error)})"


def _reason(error: Exception) -> str:
    reason = getattr(error, "reason", None)
    return reason.replace("_", " ").lower() if isinstance(reason, str) else str(error)
