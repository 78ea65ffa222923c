"""A log that is read while it is written: lines that are whole, each once, whoever began it anew in the meantime."""

from __future__ import annotations

import pytest

from begun_training import begun_training, record, write_log
from nnpal.training.log import Line, Log, LogReader


@pytest.fixture
def path(tmp_path):
    return tmp_path / "log.csv"


def epochs(reader: LogReader) -> list[int]:
    reader.read()
    return [line.record.epoch for line in reader.lines]


def test_lines_come_back_as_they_were_written_each_once(path):
    reader = LogReader(path, 3)
    assert epochs(reader) == []
    assert not reader.has_changed
    log = Log(path, [record(0)], finished=False)
    assert epochs(reader) == [0]
    log.add(Line(record(1), 2.5))
    log.add(Line(record(2), 2.5, finished=True))
    assert epochs(reader) == epochs(reader) == [0, 1, 2]
    assert reader.lines == [Line(record(0)), Line(record(1), 2.5), Line(record(2), 2.5, finished=True)]
    assert reader.has_changed
    assert reader.written == path.stat().st_mtime


def test_a_line_that_is_not_whole_waits(path):
    Log(path, [record(0), record(1)], finished=False)
    content, reader = path.read_bytes(), LogReader(path, 3)
    for cut in (5, len(content) // 2, len(content) - 1):
        path.write_bytes(content[:cut])
        assert epochs(reader) == list(range(content[:cut].count(b"\n") - 1))
    path.write_bytes(content)
    assert epochs(reader) == [0, 1]


def test_a_log_that_another_worker_begins_anew_is_read_anew(path):
    log, reader = Log(path, [record(0)], finished=False), LogReader(path, 3)
    for epoch in range(1, 6):
        log.add(Line(record(epoch), 2.5))
    assert epochs(reader) == list(range(6))
    Log(path, [record(0), record(1)], finished=False)  # its checkpoint knows of two
    assert epochs(reader) == [0, 1]
    # in the same file, with more in it than was read before, which is none of this
    Log(path, [record(epoch) for epoch in range(40, 60)], finished=False)
    other = path.read_bytes()
    Log(path, [record(0)], finished=False)
    assert epochs(reader) == [0]
    path.write_bytes(other)
    assert epochs(reader) == list(range(40, 60))
    path.unlink()
    assert epochs(reader) == []


def test_a_spoiled_line_is_left_out(path):
    Log(path, [record(0), record(1), record(2)], finished=False)
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([*lines[:2], b"\0" * 30 + b"\n", *lines[3:]]))
    assert epochs(LogReader(path, 3)) == [0, 2]


def test_logs_of_earlier_versions_count_no_updates_and_have_no_times(path):
    path.write_text(
        "epoch,train_loss,validation_loss,train_energy_mae,validation_energy_mae,train_force_mae,validation_force_mae,"
        "learning_rate\n"
        "0,2.0,1.0,0.02,0.01,0.2,0.1,0.001\n"
    )
    reader = LogReader(path, 3)
    reader.read()
    assert reader.lines == [Line(record(0))]


def test_only_what_a_worker_does_itself_has_a_time(tmp_path):
    folder = begun_training(tmp_path / "train")
    write_log(folder, 0, range(2, 4))
    reader = LogReader(folder / "member-0/log.csv", 3)
    reader.read()
    assert [line.seconds for line in reader.lines] == [None, None, 6.0, 6.0]
