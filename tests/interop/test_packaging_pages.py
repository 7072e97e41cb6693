"""Manual pages in man and mandoc, and the documents as a site."""

import os
import re
import shutil
import subprocess
import sys

import pytest

from tests.support.checkout import DOCS, PACKAGING, ROOT

PAGES = sorted((PACKAGING / "man").glob("*/*"))
SECONDS = 60.0


@pytest.mark.skipif(shutil.which("man") is None, reason="man is not installed")
@pytest.mark.parametrize("width", ["60", "100"])
def test_man_shows_every_page_without_a_warning(width):
    for page in PAGES:
        done = subprocess.run(
            ["man", "--warnings", "-l", "-E", "UTF-8", page],
            env={**os.environ, "MANWIDTH": width, "MANROFFOPT": "", "LC_ALL": "C.UTF-8"},
            capture_output=True,
            text=True,
            check=True,
            timeout=SECONDS,
        )
        assert done.stderr == "", page.name
        text = done.stdout.replace("\b", "")
        assert f"{page.stem}" in text
        assert not re.search(r"^ *\.(It|Pp|Fl|Xr)\b", text, re.MULTILINE), page.name


@pytest.mark.skipif(shutil.which("mandoc") is None, reason="mandoc is not installed")
def test_mandoc_finds_no_fault():
    done = subprocess.run(
        ["mandoc", "-T", "lint", "-W", "warning", *PAGES],
        capture_output=True,
        text=True,
        check=False,
        timeout=SECONDS,
    )
    assert (done.returncode, done.stdout) == (0, "")


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    pytest.importorskip("mkdocs", reason="pip install mkdocs")
    folder = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "-d", folder],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=SECONDS,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


def test_the_site_is_built_strictly_and_has_every_document(site):
    for page in DOCS.glob("*.md"):
        place = site / "index.html" if page.stem == "index" else site / page.stem / "index.html"
        assert place.exists(), page.name


def test_whoever_reads_the_site_fetches_nothing_from_elsewhere(site):
    for page in site.rglob("*.html"):
        fetched = re.findall(
            r"<(?:script|img|link)\b[^>]*\b(?:src|href)=\"([^\"]+)\"", page.read_text("utf-8")
        )
        assert not [url for url in fetched if re.match(r"(https?:)?//", url)], page
