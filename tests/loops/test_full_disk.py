"""A real loop on a disk that gets more and more room: a message each time, and in the end the unbroken manifest."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from loop_runs import RARE_EVENTS, changed, drive, facts_by_stage, finish, manifest_bytes, write_config
from random_kills import files_of, labels_of
from small_disk import small_disk

KB = 1 << 10


@pytest.mark.slow
def test_a_loop_goes_on_whenever_space_is_freed(tmp_path: Path) -> None:
    tables = changed(RARE_EVENTS, run={"min_free_disk": 0.0})
    write_config(tmp_path / "whole", tables)
    finish(tmp_path / "whole")
    with small_disk(tmp_path / "disk", 64) as disk:
        folder = disk.path / "broken"
        write_config(folder, tables)
        broken_off_in: list[str] = []
        for attempt in range(60):
            disk.leave(90 * KB + 120 * KB * attempt)
            code, out, err = drive(folder)
            assert "Traceback" not in err
            if code == 0:
                break
            assert code == 1, out + err
            assert re.search(r"no space left on its disk \(.*[\d,]+ bytes are free\); free some space there", err), err
            assert "resume with: nnpal run loop.toml" in err or "repeat the same command" in err
            broken_off_in += re.findall(r"iter-\d+/\w+", err)[:1]
        assert code == 0
        print(broken_off_in)
        assert len(set(broken_off_in)) >= 3
        assert manifest_bytes(folder) == manifest_bytes(tmp_path / "whole")
        assert labels_of(folder) == labels_of(tmp_path / "whole")
        assert files_of(folder) == files_of(tmp_path / "whole")
        assert all(facts["files"] for facts in facts_by_stage(folder).values() if "files" in facts)
