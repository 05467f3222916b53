"""Another user of the machine takes names first: he hears nothing and keeps nobody from a breaker."""

from __future__ import annotations

import os
import socket
import sys
import time
import uuid

import pytest

from tests.lan.lan_helpers import Running, device_of
from tests.lan.locks.other_user import NOBODY, OtherUser, as_root, open_folder
from tuya.lan.client import Device
from tuya.lan.errors import OwnedElsewhere
from tuya.lan.locks import address_locks, bound_names, device_lock, last_closed, peer_credentials
from tuya.lan.locks.address_locks import AddressLocks
from tuya.lan.locks.last_closed import Closings
from tuya.simulator import Fleet

__all__ = ["open_folder"]  # a fixture
pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="abstract sockets are Linux's")
PLACE = ("127.88.0.1", 6668)


@pytest.fixture
def device_id():
    return "bf" + uuid.uuid4().hex[:18]


def squat(name, how="listens", kind=socket.SOCK_STREAM):
    def begin():
        sock = socket.socket(socket.AF_UNIX, kind)
        sock.bind(name)
        kept = [sock]
        if how != "bound":
            sock.listen(0 if how == "full" else 16)
        if how == "full":
            for _ in range(4):
                client = socket.socket(socket.AF_UNIX, kind)
                client.setblocking(False)
                client.connect_ex(name)
                kept.append(client)
        return kept

    return begin


@pytest.fixture(params=["kernel's list", "/proc only"])
def source(request, monkeypatch):
    """With and without sock_diag, which old kernels do not have."""
    if request.param == "/proc only":

        def none(_wanted, _kind):
            raise OSError

        monkeypatch.setattr(bound_names, "_by_sock_diag", none)
    return request.param


@as_root
@pytest.mark.parametrize("how", ["listens", "bound", "full"])
def test_a_name_that_somebody_else_has_taken_keeps_nobody_away(device_id, how, source):
    if source == "/proc only" and how != "listens":
        pytest.skip("without users in the kernel's list only who listens can be told apart")
    with OtherUser(NOBODY, squat(device_lock.socket_name(device_id), how)):
        assert device_lock.ask(device_id) is None
        lock = device_lock.take(device_id, "hardware Breakers")
        assert lock is not None
        assert lock.squatter == "user nobody"
        # and it is a lock: for the next one of ours, and it is found where somebody asks
        assert device_lock.take(device_id, "another") is None
        name = device_lock.holder_name(device_id)
        assert name.startswith(device_lock.socket_name(device_id) + "/")
        lock.release()
        again = device_lock.take(device_id, "another")
        assert again is not None
        assert device_lock.holder_name(device_id) != name  # nobody can take it in advance
        again.release()


@as_root
def test_a_lock_beside_a_squatter_holds_also_when_he_has_gone(device_id):
    with OtherUser(NOBODY, squat(device_lock.socket_name(device_id))):
        lock = device_lock.take(device_id, "hardware Breakers")
    assert device_lock.take(device_id, "another") is None  # although the first name is free
    lock.release()
    again = device_lock.take(device_id, "another")
    assert again.squatter == ""
    again.release()


@as_root
def test_a_trusted_holder_of_another_user_is_respected(device_id, monkeypatch):
    # as root's command line finds the plugin of Domoticz's user, who owns the plugin's folder
    monkeypatch.setattr(peer_credentials, "trusted_users", lambda: frozenset({0, NOBODY}))
    with OtherUser(NOBODY, squat(device_lock.socket_name(device_id))):
        assert device_lock.take(device_id, "another") is None


@as_root
def test_a_user_whose_word_a_program_takes_holds_a_device(device_id, monkeypatch):
    monkeypatch.setattr(peer_credentials, "_accepts_owner", None)
    address = "\0tuya-breakers/address/{}:{}".format(*PLACE)

    def begin():
        return squat(device_lock.socket_name(device_id))(), squat(address, "bound", socket.SOCK_DGRAM)()

    asked = []
    with OtherUser(NOBODY, begin):
        assert device_lock.holder_name(device_id) == ""
        assert device_lock.foreign_name(device_id) == device_lock.socket_name(device_id)
        peer_credentials.accept_owners(lambda user: bool(asked.append(user)) or user == NOBODY)
        assert device_lock.take(device_id, "another") is None
        assert device_lock.holder_name(device_id) == device_lock.socket_name(device_id)
        assert device_lock.foreign_name(device_id) == ""
        assert device_lock.ask(device_id, 0.2).owner == "another program"  # it is there, and says nothing
        locks = AddressLocks()
        assert not locks.claim(PLACE)
        locks.close()
    assert set(asked) == {NOBODY}  # of trusted users nobody is asked


@as_root
def test_another_user_hears_nothing(device_id, open_folder):
    heard = open_folder / "heard"
    heard.touch()
    heard.chmod(0o666)

    def ask():
        with socket.socket(socket.AF_UNIX) as sock:
            sock.settimeout(5.0)
            sock.connect(device_lock.socket_name(device_id))
            heard.write_bytes(b"connected " + sock.recv(4096))
        return heard

    with Running([Device(device_id, b"0123456789abcdef", address="127.0.0.1", port=1)]) as run:
        run.seen.wait_failed(device_id)
        assert device_lock.ask(device_id).owner == "test"
        with OtherUser(NOBODY, ask):
            pass
    assert heard.read_bytes() == b"connected "


@as_root
def test_a_breaker_is_served_whatever_names_another_user_has_taken():
    with Fleet(version="3.4", noise=0.0) as fleet:
        breaker = fleet.breakers[0]
        first = device_lock.socket_name(breaker.device_id)
        names = [first, *(f"{first}/{number}" for number in range(20))]
        address = f"\0tuya-breakers/address/{breaker.host}:{breaker.port}"

        def begin():
            return [squat(name)() for name in names] + [squat(address, "bound", socket.SOCK_DGRAM)()]

        with OtherUser(NOBODY, begin), Running([device_of(breaker)]) as run:
            run.seen.wait_status(breaker.device_id, full=True)
            assert any("user nobody" in problem and breaker.name in problem for problem in run.client.problems)
            with Running([device_of(breaker)]) as other:
                failed = other.seen.wait_failed(breaker.device_id, 2.0)
                assert isinstance(failed.error, OwnedElsewhere)
                assert "served by test" in str(failed.error)
            assert breaker.most_at_once == 1


@as_root
def test_an_address_is_locked_against_ours_only():
    name = "\0tuya-breakers/address/{}:{}".format(*PLACE)
    with OtherUser(NOBODY, squat(name, "bound", socket.SOCK_DGRAM)):
        assert AddressLocks().claim(PLACE)
    locks = AddressLocks()
    assert locks.claim(PLACE)
    assert not AddressLocks().claim(PLACE)
    locks.close()


def test_where_the_user_is_unknown_an_address_counts_as_taken(monkeypatch):
    monkeypatch.setattr(address_locks, "users_of", lambda _name, _kind: {})
    locks = AddressLocks()
    assert locks.claim(PLACE)
    assert not AddressLocks().claim(PLACE)
    locks.close()


def test_names_are_listed_with_their_users(source):
    name = "\0tuya-test/" + uuid.uuid4().hex
    assert bound_names.users_of(name, socket.SOCK_STREAM) == {}
    with (
        socket.socket(socket.AF_UNIX) as one,
        socket.socket(socket.AF_UNIX) as two,
        socket.socket(socket.AF_UNIX) as not_bound,
    ):
        one.bind(name)
        one.listen(1)
        two.bind(name + "/é")
        two.listen(1)
        not_bound.connect(name)
        mine = os.geteuid()
        assert bound_names.users_of(name, socket.SOCK_STREAM) == {name: mine, name + "/é": mine}
        assert bound_names.users_of(name, socket.SOCK_DGRAM) == {}


def test_listing_costs_little():
    held = [socket.socket(socket.AF_UNIX) for _ in range(300)]
    try:
        for number, sock in enumerate(held):
            sock.bind(f"\0tuya-test/{os.getpid()}/{number}")
        started_s = time.process_time()
        for _ in range(20):
            bound_names.users_of("\0tuya-breakers/none", socket.SOCK_STREAM)
        assert (time.process_time() - started_s) / 20 < 0.01
    finally:
        for sock in held:
            sock.close()


# -- what remembers pauses


@as_root
@pytest.mark.parametrize("how", ["folder", "open folder", "file", "pipe", "link", "link to nothing"])
def test_a_folder_that_somebody_else_has_made_is_passed_over(tmp_path, monkeypatch, how):
    monkeypatch.setattr(last_closed.tempfile, "gettempdir", lambda: str(tmp_path))
    tmp_path.chmod(0o1777)
    for parent in list(tmp_path.parents)[:3]:
        parent.chmod(0o755)
    path = tmp_path / f"tuya-breakers-{os.getuid()}"

    def begin():
        if how.endswith("folder"):
            path.mkdir(0o700 if how == "folder" else 0o777)
        elif how == "file":
            path.write_text("")
        elif how == "pipe":
            os.mkfifo(path)
        else:
            path.symlink_to("/" if how == "link" else "/nowhere")
        (tmp_path / f"{path.name}-evil").mkdir(0o777)
        os.mkfifo(tmp_path / f"{path.name}-pipe")
        return path

    with OtherUser(NOBODY, begin):
        one = Closings(lambda: 100.0)
        one.remember("device", 0.25)
        assert Closings(lambda: 100.5).recall("device") == 0.75  # another process finds the same folder
        ours = [each for each in tmp_path.iterdir() if each.lstat().st_uid == os.getuid()]
        assert len(ours) == 1
        assert ours[0].stat().st_mode & 0o777 == 0o700
        one.close()
