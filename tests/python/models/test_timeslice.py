"""Which slice an instant falls into."""

import datetime as dt
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from live_crew import Event, slice_index
from live_crew.errors import ModelError

UTC = dt.timezone.utc
EPOCH = dt.datetime(2026, 5, 1, tzinfo=UTC)
AWARE = st.datetimes(timezones=st.just(UTC))


@given(AWARE, AWARE, st.integers(1, 10_000))
def test_it_is_the_exact_floor_of_the_difference(
    ts: dt.datetime, epoch0: dt.datetime, slice_ms: int
) -> None:
    micros = (ts - epoch0) // dt.timedelta(microseconds=1)
    assert slice_index(ts, epoch0, slice_ms) == micros // (slice_ms * 1_000)


def test_slices_are_half_open_and_negative_before_the_epoch() -> None:
    micro = dt.timedelta(microseconds=1)
    assert slice_index(EPOCH, EPOCH) == 0
    assert slice_index(EPOCH + 500_000 * micro, EPOCH) == 1
    assert slice_index(EPOCH + 499_999 * micro, EPOCH) == 0
    assert slice_index(EPOCH - micro, EPOCH) == -1
    assert slice_index(EPOCH - 500_001 * micro, EPOCH, slice_ms=500) == -2


def test_instants_are_datetimes_texts_and_events() -> None:
    event = Event("2026-05-01T00:00:01Z", "k", "s")
    assert slice_index(event, EPOCH) == 2
    assert slice_index(event, event) == 0
    assert slice_index("2026-05-01T02:00:01+02:00", EPOCH.replace(tzinfo=None)) == 2


@pytest.mark.parametrize("slice_ms", [0, 10_001, -1, 500.0, "500", True])
def test_a_slice_is_1_to_10_000_ms_long(slice_ms: Any) -> None:
    with pytest.raises(ModelError, match="write an int from 1 to 10000"):
        slice_index(EPOCH, EPOCH, slice_ms)


def test_what_is_no_instant_is_named() -> None:
    with pytest.raises(ModelError, match="field `epoch0` is `3`, of type int"):
        slice_index(EPOCH, 3)
    with pytest.raises(ModelError, match="field `ts` is `None`"):
        slice_index(None, EPOCH)
