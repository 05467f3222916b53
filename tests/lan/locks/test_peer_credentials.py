"""Who is at the other end of a Unix socket, with a real second user where the tests run as root."""

from __future__ import annotations

import os
import socket
import sys
import uuid

import pytest

from tests.lan.locks.other_user import NOBODY, OtherUser, as_root
from tuya.lan.locks import peer_credentials

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="SO_PEERCRED is Linux's")


def test_both_ends_of_a_connection_name_each_other():
    name = "\0tuya-test/" + uuid.uuid4().hex
    with socket.socket(socket.AF_UNIX) as listener, socket.socket(socket.AF_UNIX) as client:
        listener.bind(name)
        listener.listen(1)
        client.connect(name)
        # before anybody has accepted
        assert peer_credentials.peer_of(client) == (os.getpid(), os.geteuid(), os.getegid())
        accepted, _ = listener.accept()
        with accepted:
            assert peer_credentials.peer_of(accepted) == (os.getpid(), os.geteuid(), os.getegid())
            assert peer_credentials.is_trusted(accepted)
    assert peer_credentials.peer_of(client) is None
    assert not peer_credentials.is_trusted(client)


def test_trusted_are_root_we_and_the_owner_of_the_folder(monkeypatch, tmp_path):
    monkeypatch.setattr(peer_credentials, "PLUGIN_FOLDER", tmp_path)
    monkeypatch.setattr(peer_credentials.os, "geteuid", lambda: 4711)
    assert peer_credentials.trusted_users() == {0, 4711, tmp_path.stat().st_uid}
    monkeypatch.setattr(peer_credentials, "PLUGIN_FOLDER", tmp_path / "gone")
    assert peer_credentials.trusted_users() == {0, 4711}


def test_the_folder_that_counts_is_the_one_with_plugin_py():
    assert (peer_credentials.PLUGIN_FOLDER / "plugin.py").is_file()


@as_root
@pytest.mark.parametrize(("uid", "trusted"), [(NOBODY, False), (0, True)])
@pytest.mark.parametrize("accepted_as_owner", [False, True])
def test_another_user_is_told_apart_from_both_sides(monkeypatch, uid, trusted, accepted_as_owner):
    monkeypatch.setattr(peer_credentials, "_accepts_owner", None)
    if accepted_as_owner:
        peer_credentials.accept_owners(lambda user: user == uid)
    name = "\0tuya-test/" + uuid.uuid4().hex

    def listen_and_connect():
        mine, theirs = socket.socket(socket.AF_UNIX), socket.socket(socket.AF_UNIX)
        mine.bind(name)
        mine.listen(4)
        theirs.connect(name + "/2")
        return mine, theirs

    with socket.socket(socket.AF_UNIX) as client, socket.socket(socket.AF_UNIX) as listener:
        listener.bind(name + "/2")
        listener.listen(1)
        with OtherUser(uid, listen_and_connect):
            client.connect(name)
            assert peer_credentials.peer_of(client).uid == uid
            assert peer_credentials.is_trusted(client) is trusted
            assert peer_credentials.is_owner(client) is (trusted or accepted_as_owner)
            accepted, _ = listener.accept()
            with accepted:
                assert peer_credentials.peer_of(accepted).uid == uid
                assert peer_credentials.is_trusted(accepted) is trusted
