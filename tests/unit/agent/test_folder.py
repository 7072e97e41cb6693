"""The private folder: who may use it, one agent at a time, a socket that is never half made."""

import os
import stat

import pytest

from fleetcc.agent.folder import Folder
from fleetcc.errors import UsageError


def test_a_missing_folder_is_made_for_us_alone(tmp_path):
    folder = Folder.open(str(tmp_path / "a" / "b"))

    assert stat.S_IMODE(os.stat(folder.path).st_mode) == 0o700


@pytest.mark.parametrize("mode", [0o710, 0o701, 0o770])
def test_a_folder_that_others_can_enter_is_refused(tmp_path, mode):
    tmp_path.chmod(mode)

    with pytest.raises(UsageError, match="mode 0700"):
        Folder.open(str(tmp_path))


def test_a_link_in_place_of_the_folder_is_refused(tmp_path):
    (tmp_path / "real").mkdir(mode=0o700)
    (tmp_path / "link").symlink_to("real")

    with pytest.raises(UsageError, match="FLEETCC_DIR"):
        Folder.open(str(tmp_path / "link"))


def test_one_agent_at_a_time_and_the_next_when_it_lets_go(tmp_path):
    first, second = Folder.open(str(tmp_path)), Folder.open(str(tmp_path))

    assert first.lock()
    assert not second.lock()
    first.unlock()
    assert second.lock()


def test_launchers_find_the_socket_and_after_its_removal_nothing(tmp_path):
    deep = tmp_path / ("d" * 100) / ("e" * 100)  # longer than a socket's name may be
    folder = Folder.open(str(deep))

    with folder.listen():
        connection = folder.connect()
        assert connection is not None
        connection.close()
        assert os.listdir(deep) == ["socket"]
        folder.remove_socket()
        folder.remove_socket()

    assert folder.connect() is None
