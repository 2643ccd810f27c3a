"""``${NAME}`` in connection details."""

from supervisor.config.variables import expand_variables


def test_what_cannot_be_replaced_is_left_as_it_is():
    details = {"a": ["${HOST}:${PORT}", "${", "$${HOST}"], "b": {"c": 3}}
    expanded, mistakes = expand_variables(details, {"HOST": "h"})
    assert expanded == {"a": ["h:${PORT}", "${", "${HOST}"], "b": {"c": 3}}
    assert [str(each).split(":")[0] for each in mistakes] == ["a[1]", "a[2]"]
