"""Settings that people write, read strictly; :mod:`actors.settings.reading` tells how."""

from actors.settings.allowed import (
    INFINITY,
    Allowed,
    flag,
    host_name,
    is_host_name,
    number,
    one_of,
    seconds,
    text,
    time_limit,
    whole_number,
)
from actors.settings.fields import setting
from actors.settings.mistakes import (
    Mistake,
    MistakesError,
    describe_value,
    did_you_mean,
    show_path,
    unknown_key,
)
from actors.settings.reading import mistakes_in, read_details, read_table, table_of, tables_of

__all__ = [
    "INFINITY",
    "Allowed",
    "Mistake",
    "MistakesError",
    "describe_value",
    "did_you_mean",
    "flag",
    "host_name",
    "is_host_name",
    "mistakes_in",
    "number",
    "one_of",
    "read_details",
    "read_table",
    "seconds",
    "setting",
    "show_path",
    "table_of",
    "tables_of",
    "text",
    "time_limit",
    "unknown_key",
    "whole_number",
]
