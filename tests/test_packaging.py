"""What a package index and its users get."""

from __future__ import annotations

import configparser
import runpy
import shutil
import tarfile
from pathlib import Path

import docutils.core
import pytest
from docutils import nodes

from tests.helpers.programs import ROOT, run_program

IN_SDIST = [
    *("LICENSE", "README.rst", "CHANGELOG.rst", "docs/cli.rst", "examples/seed.py", "setup.py"),
    *("tests/conftest.py", "tests/helpers/net.py", "scripts/test", ".ci/run", "ruff.toml"),
    *("actors/py.typed", "supervisor/py.typed", "benchmarks/__init__.py"),
]


def blocks_of(text: str) -> list[nodes.literal_block]:
    doctree = docutils.core.publish_doctree(text, settings_overrides={"syntax_highlight": "none"})
    return list(doctree.findall(nodes.literal_block))


def test_the_first_block_of_the_readme_runs_when_it_is_pasted(tmp_path: Path) -> None:
    program = tmp_path / "pasted.py"
    program.write_text(blocks_of((ROOT / "README.rst").read_text())[0].astext())
    done = run_program([str(program)])
    assert (done.code, done.stdout, done.stderr) == (0, "start\n", "")
    assert done.leftover_processes == []


def test_on_a_package_index_no_link_leads_to_a_file_beside_the_readme() -> None:
    to_index = runpy.run_path(str(ROOT / "setup.py"))["without_links_to_files"]
    text = to_index((ROOT / "README.rst").read_text())
    doctree = docutils.core.publish_doctree(text, settings_overrides={"syntax_highlight": "none"})
    links = [each["refuri"] for each in doctree.findall(nodes.reference)]
    assert links
    assert all(each.startswith("https://") for each in links)
    assert "``docs/usage.rst``" in text


def test_the_metadata_says_whose_it_is_and_for_which_pythons() -> None:
    parser = configparser.ConfigParser()
    parser.read(ROOT / "setup.cfg")
    metadata = parser["metadata"]
    assert metadata["author"] == "the extsys developers"
    assert metadata["license"] == "MIT"
    assert (ROOT / metadata["license_files"]).read_text().startswith("MIT License")
    for version in ("3.11", "3.12", "3.13"):
        assert f"Programming Language :: Python :: {version}" in metadata["classifiers"]


def test_a_source_distribution_holds_what_is_needed_to_test_it(tmp_path: Path) -> None:
    pytest.importorskip("setuptools")
    program = (
        "import os, sys; from setuptools import build_meta\n"
        f"os.chdir({str(tmp_path / 'copy')!r})\n"
        f"sys.argv[1:] = []; build_meta.build_sdist({str(tmp_path)!r})"
    )
    copy_tree(ROOT, tmp_path / "copy")
    done = run_program(["-c", program])
    assert done.code == 0, done.stderr
    [made] = tmp_path.glob("*.tar.gz")
    with tarfile.open(made) as opened:
        names = {name.partition("/")[2] for name in opened.getnames()}
    assert set(IN_SDIST) <= names
    assert not [name for name in names if name.endswith(".pyc") or ".venv" in name]


def copy_tree(source: Path, target: Path) -> None:
    """What is to be distributed: of a checkout without what was made in it."""
    made = (".git", ".venv*", "*.egg-info", "__pycache__", ".*_cache", ".hypothesis", "build")
    shutil.copytree(source, target, ignore=shutil.ignore_patterns(*made))
