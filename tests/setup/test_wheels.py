"""Wheels without pip: which fits, from where, and what is refused."""

from __future__ import annotations

import http.server
import json
import threading
import zipfile
from functools import partial

import pytest

from tests.setup.conftest import make_wheel, sha256
from tuya.setup.errors import SetupError
from tuya.setup.pins import Pin
from tuya.setup.wheels import Source, fits, settings_of_pip, source_from_settings, unpack


@pytest.mark.parametrize(
    ("filename", "machine", "libc", "version", "fit"),
    [
        ("a-1-py3-none-any.whl", "riscv64", "musl", (1, 2), True),
        ("a-1-py2.py3-none-any.whl", "x86_64", "glibc", (2, 31), True),
        ("a-1-py2-none-any.whl", "x86_64", "glibc", (2, 31), False),
        ("a-1-cp39-abi3-manylinux2014_x86_64.manylinux_2_17_x86_64.whl", "x86_64", "glibc", (2, 31), True),
        ("a-1-cp39-abi3-manylinux2014_x86_64.manylinux_2_17_x86_64.whl", "x86_64", "glibc", (2, 12), False),
        ("a-1-cp39-abi3-manylinux2014_x86_64.manylinux_2_17_x86_64.whl", "x86_64", "musl", (1, 2), False),
        ("a-1-cp39-abi3-musllinux_1_2_aarch64.whl", "aarch64", "musl", (1, 2), True),
        ("a-1-cp39-abi3-manylinux2014_aarch64.whl", "armv7l", "glibc", (2, 36), False),
        ("a-1-cp37-abi3-manylinux_2_5_i686.manylinux1_i686.whl", "i686", "glibc", (2, 36), True),
        ("a-1-cp399-abi3-manylinux2014_x86_64.whl", "x86_64", "glibc", (2, 36), False),
        ("a-1-cp39-cp39-manylinux2014_x86_64.whl", "x86_64", "glibc", (2, 36), False),
        ("a-1-pp39-pypy39_pp73-manylinux2014_x86_64.whl", "x86_64", "glibc", (2, 36), False),
        ("a-1-cp39-abi3-win_amd64.whl", "x86_64", "glibc", (2, 36), False),
        ("a-1.tar.gz", "x86_64", "glibc", (2, 36), False),
        ("nonsense.whl", "x86_64", "glibc", (2, 36), False),
    ],
)
def test_which_wheel_fits(filename, machine, libc, version, fit):
    assert fits(filename, machine, libc, version) is fit


@pytest.fixture
def wheel(tmp_path):
    return make_wheel(tmp_path, "some_thing", "1.5", "py3-none-any", {"some_thing/__init__.py": b"VALUE = 7\n"})


@pytest.fixture
def pin(wheel):
    return Pin("some-thing", "1.5", frozenset({sha256(wheel)}))


@pytest.fixture
def index(tmp_path, wheel):
    """A package index on loopback. `index.pages` maps a path to (content type, body)."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            kind, body = server.pages.get(self.path, (None, b""))
            self.send_response(200 if kind else 404)
            self.send_header("Content-Type", kind or "text/plain")
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.url = f"http://127.0.0.1:{server.server_address[1]}/simple"
    server.pages = {f"/files/{wheel.name}": ("application/zip", wheel.read_bytes())}
    thread = threading.Thread(target=partial(server.serve_forever, poll_interval=0.02))
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_json_index_is_understood(index, wheel, pin):
    files = [
        {"filename": "some_thing-1.5.tar.gz", "url": "/files/x.tar.gz", "hashes": {"sha256": "0" * 64}},
        {"filename": wheel.name, "url": f"../../files/{wheel.name}", "hashes": {"sha256": sha256(wheel)}},
    ]
    body = json.dumps({"files": files}).encode()
    index.pages["/simple/some-thing/"] = ("application/vnd.pypi.simple.v1+json", body)
    assert Source([], [index.url]).wheel(pin, "x86_64") == (wheel.name, wheel.read_bytes())


def test_an_html_index_is_understood(index, wheel, pin):
    page = f'<!DOCTYPE html><a href="/files/{wheel.name}#sha256={sha256(wheel)}" data-x>{wheel.name}</a>'
    index.pages["/simple/some-thing/"] = ("text/html", page.encode())
    assert Source([], [index.url + "/"]).wheel(pin, "x86_64")[1] == wheel.read_bytes()


def test_a_second_index_is_asked_when_the_first_does_not_have_it(index, wheel, pin):
    page = f'<a href="/files/{wheel.name}#sha256={sha256(wheel)}">x</a>'
    index.pages["/other/some-thing/"] = ("text/html", page.encode())
    other = index.url.replace("/simple", "/other")
    assert Source([], [index.url, other]).wheel(pin, "x86_64")[0] == wheel.name


def test_a_wheel_with_other_content_than_promised_is_refused(index, wheel, pin):
    page = f'<a href="/files/{wheel.name}#sha256={sha256(wheel)}">x</a>'
    index.pages["/simple/some-thing/"] = ("text/html", page.encode())
    index.pages[f"/files/{wheel.name}"] = ("application/zip", wheel.read_bytes() + b"!")
    with pytest.raises(SetupError, match="another hash"):
        Source([], [index.url]).wheel(pin, "x86_64")


def test_a_wheel_that_is_not_pinned_is_never_fetched(index, wheel, pin):
    page = f'<a href="/files/{wheel.name}#sha256={"1" * 64}">x</a>'
    index.pages["/simple/some-thing/"] = ("text/html", page.encode())
    with pytest.raises(SetupError, match=r"no wheel of some-thing 1\.5 for Python"):
        Source([], [index.url]).wheel(pin, "x86_64")


def test_no_network_is_said_in_words_without_the_password(pin):
    with pytest.raises(SetupError) as caught:
        Source([], ["http://user:secret@127.0.0.1:1/simple"]).wheel(pin, "x86_64")
    assert "cannot be reached" in str(caught.value)
    assert "secret" not in str(caught.value)


def test_only_web_and_file_addresses_are_taken(pin):
    with pytest.raises(SetupError, match="not a place"):
        Source([], ["ftp://127.0.0.1/simple"]).wheel(pin, "x86_64")


def test_a_folder_serves_offline_and_ignores_what_has_another_hash(tmp_path, wheel, pin):
    assert Source([tmp_path], []).wheel(pin, "x86_64")[0] == wheel.name
    wheel.write_bytes(wheel.read_bytes() + b"!")
    with pytest.raises(SetupError, match="no wheel"):
        Source([tmp_path], []).wheel(pin, "x86_64")


def test_pips_files_and_variables_are_honoured(tmp_path):
    (tmp_path / ".config/pip").mkdir(parents=True)
    (tmp_path / ".config/pip/pip.conf").write_text("[global]\nindex-url = http://one/simple\ncert = /c.pem\n")
    settings = settings_of_pip({"HOME": str(tmp_path)})
    assert (settings["index-url"], settings["cert"]) == ("http://one/simple", "/c.pem")
    settings = settings_of_pip({"HOME": str(tmp_path), "PIP_INDEX_URL": "http://two/simple"})
    assert settings["index-url"] == "http://two/simple"


def test_a_folder_given_by_the_user_excludes_every_index(tmp_path):
    source = source_from_settings({"HOME": str(tmp_path), "PIP_INDEX_URL": "http://two/simple"}, tmp_path)
    assert (source._folders, source._indexes) == ([tmp_path], [])


def test_unpacking(tmp_path, wheel):
    unpack(wheel.name, wheel.read_bytes(), tmp_path / "lib")
    assert (tmp_path / "lib/some_thing/__init__.py").read_bytes() == b"VALUE = 7\n"
    assert (tmp_path / "lib/some_thing-1.5.dist-info/METADATA").exists()


@pytest.mark.parametrize("member", ["../evil.py", "/evil.py", "a/../../evil.py", "..\\evil.py"])
def test_a_wheel_cannot_write_outside(tmp_path, member):
    path = tmp_path / "a-1-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(member, b"x")
    with pytest.raises(SetupError, match="outside"):
        unpack(path.name, path.read_bytes(), tmp_path / "lib")
    assert not (tmp_path / "evil.py").exists()
