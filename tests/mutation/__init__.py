"""Do the tests bite? Changes one small thing of a module at a time, and sees whether a test fails.

``scripts/mutate supervisor/tree supervisor/core/orders.py`` tries all mutants of the modules in
these rooms, and says for each module how many there were and how many no test has noticed, with
line and change. It ends with 1 if there are any. Only pure tests are run, with few examples of
hypothesis: what only a long look would find should have a plain test of its own.

Some hundred a minute are tried, but of those that are run on import only some ten; so
``--functions`` leaves these out, ``--share 0.1`` tries every tenth (the same ones each time),
``--tests tests/supervisor/tree`` runs the tests of one room, and ``--again FILE`` tries what has
survived the last time, which it keeps there.

A mutant is a comparison turned, ``and`` for ``or``, a ``not`` left out, a number one higher,
``True`` for ``False``, ``None`` for what is assigned or returned, a call left out, an ``if`` taken
always or never, ``-`` for ``+``. Texts, assertions and annotations stay as they are.

A survivor wants a test: a sentence about what the changed line is there for. If nobody can
see the change (a limit that is the same from both sides, a shortcut that only saves time), it is
listed in ``equivalent.toml`` with its reason. What is listed there and dies, or is in the module
no more, is reported too.

How: all tests are run once, and which lines each of them runs is kept. Then, for each mutant, a
forked process puts the changed functions in the place of those that are imported, and runs the
tests that run the line, the quick ones first, until one fails (:mod:`.trials`). What is run on
import is tried anew, by a process that imports the changed module. A test that takes too long has
failed.
"""
