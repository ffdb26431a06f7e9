"""Golden values: what the package computes, stored, so that a change of it is noticed.

Moving, renaming and merging code must not change a number. Each `cases_<group>.py` names cases and
the function that computes each; `data/<group>.json` holds what they gave; `test_golden.py` computes
them again and compares.

When a test here fails, the code computes something else than before. If that was not meant, the
code is wrong. If it was, run

    python -m tests.golden.make [GROUP ...]

which says which keys changed, and give the reason in the message of the commit that changes
`data/`. Run it after adding a case, too. Never run it only to make a test pass.

Keys and the names of parts are stored: they are neutral words, not the names of classes, modules
or options, and stay when those are renamed. Digests hold values in order, never names.
"""
