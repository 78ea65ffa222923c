"""A toy loop on a disk that gets more and more room: it stops by a message each time, and ends as if unbroken."""

from __future__ import annotations

import re
from pathlib import Path

from small_disk import small_disk
from toy_runs import config_file, drive, entries, finish, manifest

KB = 1 << 10


def test_a_run_goes_on_whenever_space_is_freed(tmp_path: Path) -> None:
    whole = tmp_path / "whole"
    whole.mkdir()
    config_file(whole, run={"iterations": 1})
    finish(whole)
    with small_disk(tmp_path / "disk", 4) as disk:
        folder = disk.path / "broken"
        folder.mkdir()
        config_file(folder, run={"iterations": 1})
        n_full, told = 0, ""
        for room in (0, 40 * KB, 100 * KB, 116 * KB, 140 * KB, 3000 * KB):
            disk.leave(room)
            before = entries(folder)
            code, out, err = drive(folder)
            assert entries(folder)[: len(before)] == before
            assert "Traceback" not in err
            if code == 0:
                break
            assert code == 1, out + err
            assert re.search(r"no space left on its disk \(.*[\d,]+ bytes are free\); free some space there", err), err
            n_full, told = n_full + 1, told + err
        assert code == 0
        assert n_full >= 3
        assert manifest(folder) == manifest(whole)
        assert not [name for name in disk.names() if re.search(r"/\.\d+\.", name)]
