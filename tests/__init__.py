"""The test suite. This file must exist: without it pytest would put tests/ on
sys.path and tests/actors would hide the real package ``actors``."""
