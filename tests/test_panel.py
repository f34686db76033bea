from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seqkit.data.clock import Clock
from seqkit.data.frames import panel_from_arrays, panel_from_frame
from seqkit.data.futures import future_steps
from seqkit.data.panel import ColumnRoles
from seqkit.data.stamps import CALENDAR, calendar_features
from seqkit.errors import DataError
from seqkit.estimators.forecast_reading import read_series

FREQUENCIES = [
    "s", "min", "5min", "15min", "30min", "h", "2h", "6h", "D", "2D", "B", "W-SUN", "W-WED",
    "2W-MON", "MS", "ME", "2MS", "BME", "BMS", "QS-JAN", "QE-DEC", "QE-NOV", "BQE-DEC",
    "YS-JAN", "YE-DEC", "YE-JUN", "SMS-15", "SME-15", "100ms",
]  # fmt: skip


def frame_of(n=30, freq="h", start="2024-01-31", ids=("a",), tz=None):
    stamps = pd.date_range(start, periods=n, freq=freq, tz=tz)
    parts = [
        pd.DataFrame({"unique_id": name, "ds": stamps, "y": np.arange(n) + 100.0 * i})
        for i, name in enumerate(ids)
    ]
    return pd.concat(parts, ignore_index=True)


@given(
    freq=st.sampled_from(FREQUENCIES),
    start=st.datetimes(pd.Timestamp("1900-01-01"), pd.Timestamp("2090-01-01")),
    zone=st.sampled_from([None, "UTC", "Europe/Berlin", "America/New_York"]),
    n=st.integers(3, 40),
    horizon=st.integers(1, 15),
)
@settings(max_examples=150, deadline=None)
def test_stamps_after_the_end_are_those_pandas_gives(freq, start, zone, n, horizon):
    start = pd.Timestamp(start).floor("s")
    if zone is not None:
        start = start.floor("D") + pd.Timedelta(hours=12)  # noon exists on every day of a zone
        start = start.tz_localize(zone)
    stamps = pd.date_range(start, periods=n + horizon, freq=freq)
    frame = pd.DataFrame({"ds": stamps[:n], "y": np.arange(n, dtype=float)})
    panel = panel_from_frame(frame, frequency=freq)
    found = panel.shown(panel.future_times(horizon)[0])
    assert (found == stamps[n:]).all()
    assert found.tz == stamps.tz or str(found.tz) == str(stamps.tz)


@pytest.mark.parametrize("freq", FREQUENCIES)
def test_frequency_is_inferred(freq):
    stamps = pd.date_range("2020-03-02", periods=60, freq=freq)
    frame = pd.DataFrame({"ds": stamps[:50], "y": 1.0})
    panel = panel_from_frame(frame)
    assert (panel.shown(panel.future_times(10)[0]) == stamps[50:]).all()
    assert any("inferred" in note for note in panel.notes)


def test_clocks_that_change_keep_days_at_their_hour_and_hours_at_their_distance():
    days = pd.date_range("2024-03-20 08:00", periods=10, freq="D", tz="Europe/Berlin")
    panel = panel_from_frame(pd.DataFrame({"ds": days, "y": 1.0}))
    after = panel.shown(panel.future_times(5)[0])
    assert set(after.hour) == {8}
    hours = pd.date_range("2024-03-30", periods=24, freq="h", tz="Europe/Berlin")
    panel = panel_from_frame(pd.DataFrame({"ds": hours, "y": 1.0}))
    after = panel.shown(panel.future_times(24)[0])
    assert (np.diff(after.tz_convert("UTC").asi8) == np.diff(hours.asi8)[0]).all()
    assert 2 not in after.hour  # the hour that is skipped


@pytest.mark.parametrize(
    ("column", "expected"),
    [
        (["1949-01", "1949-02", "1949-03"], "MS"),
        ([19580329, 19580405, 19580412], "W-SAT"),
        (["2024-01-31", "2024-02-29", "2024-03-31"], "ME"),
        ([5, 10, 15], "5"),
        (pd.period_range("2024-01", periods=3, freq="M"), "MS"),
        (pd.period_range("2024Q1", periods=3, freq="Q"), "QS"),
        (["2024-01-01T00:00+01:00", "2024-01-01T01:00+01:00", "2024-01-01T02:00+01:00"], "h"),
    ],
)
def test_stamps_of_many_kinds_are_read(column, expected):
    panel = panel_from_frame(pd.DataFrame({"ds": column, "y": [1.0, 2.0, 3.0]}))
    assert panel.frequency.split("-")[0] == expected.split("-")[0]
    assert len(panel.future_times(2)[0]) == 2


def test_index_of_stamps_and_series_are_recognised():
    series = pd.Series([1.0, 2.0, 3.0], pd.date_range("2024", periods=3, freq="D"), name="load")
    panel = panel_from_frame(series)
    assert panel.columns.targets == ("load",)
    assert panel.frequency == "D"


def test_series_may_be_mixed_and_keep_their_order():
    frame = frame_of(5, ids=("b", "a")).sort_values("ds", kind="stable")
    panel = panel_from_frame(frame)
    assert panel.ids.tolist() == ["b", "a"]
    np.testing.assert_array_equal(panel.targets(1)[:, 0], np.arange(5) + 100)


def broken(change):
    frame = frame_of(12, ids=("a", "b"))
    return change(frame)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda f: pd.concat([f, f.iloc[[15]]]).sort_values(["unique_id", "ds"]),
         ["series b, step 4", "used once"]),
        (lambda f: f.iloc[[*range(12), 13, 12, *range(14, 24)]], ["series b, step 1", "Sort"]),
        (lambda f: f.drop(index=[17]), ["series b, step 4", "missing", "interpolate"]),
        (lambda f: f.assign(y=f.y.where(f.index != 14)), ["series b, step 2", "'y'", "nan"]),
        (lambda f: f.assign(y=f.y.where(f.index != 3, np.inf)), ["series a, step 3", "inf"]),
        (lambda f: f.assign(y=f.y.where(f.index != 3, 1e300)), ["series a, step 3", "finite"]),
        (lambda f: f.assign(y=f.y.astype(str).where(f.index != 5, "five").astype(object)),
         ["'y'", "numbers", "five"]),
        (lambda f: f.assign(ds=f.ds.astype(str).where(f.index != 7, "soon")),
         ["row 7", "'ds'", "soon"]),
        (lambda f: f.assign(ds=f.ds.where(f.index != 7, pd.Timestamp("2024-01-31 07:10"))),
         ["series a, step 7", "grid"]),
        (lambda f: f.rename(columns={"y": "load"}).assign(other=1.0), ["target", "load, other"]),
        (lambda f: f.iloc[:0], ["at least one row"]),
        (lambda f: f.assign(unique_id=f.unique_id.where(f.index != 2)), ["row 2", "unique_id"]),
    ],
)  # fmt: skip
def test_errors_name_series_and_step(change, words):
    with pytest.raises(DataError) as caught:
        panel_from_frame(broken(change))
    for word in words:
        assert word in str(caught.value)


def test_unknown_column_is_suggested():
    with pytest.raises(DataError, match="did you mean 'temperature'"):
        panel_from_frame(
            frame_of().assign(temperature=1.0), target="y", past_covariates=["temprature"]
        )


def test_static_covariates_are_one_value_a_series():
    frame = frame_of(4, ids=("a", "b", "c"))
    frame["region"] = frame.unique_id.map({"a": "north", "b": "south", "c": "north"})
    frame["size"] = frame.unique_id.map({"a": 1.0, "b": 2.0, "c": 3.0})
    panel = panel_from_frame(frame, target="y", static_covariates=["region", "size"])
    assert panel.static_codes.ravel().tolist() == [1, 2, 1]
    assert panel.static.ravel().tolist() == [1.0, 2.0, 3.0]
    other = frame[frame.unique_id == "a"].assign(region="west")
    again = panel_from_frame(other, like=panel.columns)
    assert again.static_codes.ravel().tolist() == [0]  # not seen
    frame.loc[2, "region"] = "south"
    with pytest.raises(DataError, match="series a"):
        panel_from_frame(frame, target="y", static_covariates=["region"])


@pytest.mark.parametrize("missing", ["interpolate", "indicator"])
def test_gaps_are_filled_and_remembered(missing):
    frame = frame_of(12, ids=("a", "b"))
    frame.loc[[3, 4, 20], "y"] = np.nan
    frame.loc[12, "y"] = np.nan  # before the first observation of b
    frame = frame.drop(index=[6, 23])
    panel = panel_from_frame(frame, missing=missing)
    assert panel.lengths.tolist() == [12, 10]
    held = panel.values[:12, 0].tolist()
    if missing == "interpolate":
        assert held == list(range(12))
        assert panel.values.shape[1] == 1
    else:
        assert held == [0, 1, 2, 2, 2, 5, 5, 7, 8, 9, 10, 11]
        assert panel.values[:12, 1].tolist() == [0, 0, 0, 1, 1, 0, 1, 0, 0, 0, 0, 0]
    assert panel.age[:12, 0].tolist() == [0, 0, 0, 1, 2, 0, 1, 0, 0, 0, 0, 0]
    assert np.isnan(panel.targets(0)[[3, 4, 6], 0]).all()
    assert len(panel.notes) >= 3
    with pytest.raises(DataError, match="observed at least once"):
        panel_from_frame(frame.assign(y=frame.y.where(frame.unique_id == "a")), missing=missing)


def test_calendar_is_on_the_clock_of_the_zone():
    stamps = pd.date_range("2024-06-01", periods=3, freq="h", tz="Asia/Tokyo")
    panel = panel_from_frame(pd.DataFrame({"ds": stamps, "y": 1.0}), calendar=["hour"])
    angle = 2 * np.pi * np.arange(3) / 24
    np.testing.assert_allclose(panel.values[:, 1], np.sin(angle), atol=1e-6)
    assert panel.columns.future_channels == ("hour_sin", "hour_cos")
    ahead = future_steps(panel, 2, None)
    np.testing.assert_allclose(ahead[0, :, 1], np.sin(2 * np.pi * np.array([3, 4]) / 24), atol=1e-6)


def test_calendar_features_lie_on_the_circle():
    stamps = pd.date_range("2023-01-01", periods=5000, freq="97min")
    waves = calendar_features(stamps, list(CALENDAR))
    sine, cosine = waves[:, ::2], waves[:, 1::2]
    np.testing.assert_allclose(sine**2 + cosine**2, 1, atol=1e-5)
    with pytest.raises(ValueError, match="did you mean 'hour'"):
        panel_from_frame(frame_of(), calendar=["hours"])


def test_parts_are_in_steps_of_each_series():
    panel = panel_from_frame(pd.concat([frame_of(20, ids=("a",)), frame_of(30, ids=("b",))]))
    end = panel.lengths - 6
    validation = panel.rows(end - 7, end)
    assert validation.lengths.tolist() == [7, 7]
    assert validation.targets(0)[:, 0].tolist() == [7, 8, 9, 10, 11, 12, 13]
    assert panel.rows(end, panel.lengths).targets(1)[-1, 0] == 29
    assert panel.tail(25).lengths.tolist() == [20, 25]
    assert panel.rows(np.zeros_like(end), panel.lengths - 5).lengths.tolist() == [15, 25]
    assert panel.select([1]).ids.tolist() == ["b"]
    with pytest.raises(DataError, match=r"a \(20 steps\)"):
        panel.longer_than(25, "X", "context")


def test_extension_appends_rows_with_their_stamps():
    panel = panel_from_frame(frame_of(5, ids=("a", "b")))
    longer = panel.extend(np.full((2, 2, 1), -1, np.float32))
    assert longer.lengths.tolist() == [7, 7]
    assert longer.targets(1)[:, 0].tolist() == [100, 101, 102, 103, 104, -1, -1]
    assert (longer.stamps(0)[-2:] == panel.shown(panel.future_times(2)[0])).all()


def test_missing_future_covariates_list_their_stamps():
    frame = frame_of(6, ids=("a", "b")).assign(holiday=0.0)
    panel = panel_from_frame(frame, target="y", future_covariates=["holiday"])
    with pytest.raises(DataError, match="a 2024-01-31 06:00"):
        future_steps(panel, 2, None)
    known = panel.future_frame(3).assign(holiday=np.arange(6.0))
    steps = future_steps(panel, 2, known.sample(frac=1, random_state=0))
    assert steps[:, :, 1].tolist() == [[0, 1], [3, 4]]
    with pytest.raises(DataError, match="b 2024-01-31 07:00"):
        future_steps(panel, 2, known.drop(index=[4]))


def test_columns_survive_being_saved():
    frame = frame_of(ids=("a", "b")).assign(region="x")
    panel = panel_from_frame(frame, target="y", static_covariates=["region"], calendar=["hour"])
    assert ColumnRoles.from_dict(panel.columns.to_dict()) == panel.columns


def test_arrays_in_many_shapes():
    assert panel_from_arrays(np.arange(5.0)).values.shape == (5, 1)
    panel = panel_from_arrays(np.arange(12.0).reshape(6, 2), targets=[1], future=[0])
    assert panel.columns.targets == ("x1",)
    assert panel.columns.future == ("x0",)
    assert panel_from_arrays(np.zeros((3, 4, 2))).lengths.tolist() == [4, 4, 4]
    assert panel_from_arrays([np.zeros(3), np.zeros(5)]).lengths.tolist() == [3, 5]
    with pytest.raises(DataError, match="numbers"):
        panel_from_arrays(["a", "b"])
    with pytest.raises(DataError, match="step 1"):
        panel_from_arrays([1.0, np.nan])


def test_polars_frames_are_read():
    import polars

    frame = polars.DataFrame({"unique_id": ["a", "a", "a"], "ds": [1, 2, 3], "y": [1.0, 2.0, 3.0]})
    assert panel_from_frame(frame).values.ravel().tolist() == [1, 2, 3]


def test_clock_refuses_unknown_frequencies():
    with pytest.raises(DataError, match="frequency"):
        panel_from_frame(frame_of(), frequency="hourly-ish")
    assert Clock("MS").fixed is None


@pytest.mark.slow
def test_a_hundred_thousand_series_are_read():
    n, n_steps = 100_000, 200
    frame = pd.DataFrame(
        {
            "unique_id": np.repeat(np.arange(n), n_steps),
            "ds": np.tile(pd.date_range("2020-01-31", periods=n_steps, freq="ME"), n),
            "y": np.ones(n * n_steps),
        }
    )
    panel = panel_from_frame(frame)
    assert panel.values.shape == (n * n_steps, 1)
    assert len(panel) == n
    assert (panel.lengths == n_steps).all()


@st.composite
def gappy(draw):
    """A frame of two or three series with gaps, absent stamps and a static text."""
    generator = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    share = draw(st.sampled_from([0.05, 0.3]))
    parts = []
    for name in "abc"[: draw(st.integers(2, 3))]:
        n = draw(st.integers(12, 25))
        part = pd.DataFrame(
            {
                "unique_id": name,
                "ds": pd.date_range("2024-01-01", periods=n, freq="h"),
                "y": generator.normal(size=n),
                "past": generator.normal(size=n),
                "known": generator.normal(size=n),
                "region": draw(st.sampled_from(["north", "south", "west"])),
            }
        )
        values = part[["y", "past", "known"]].to_numpy(copy=True)
        values[generator.random(values.shape) < share] = np.nan
        values[0] = 1.0  # observed, so that any later row can be the last one
        part[["y", "past", "known"]] = values
        keep = generator.random(n) >= share / 2
        keep[:3] = keep[-1] = True
        parts.append(part[keep])
    return pd.concat(parts, ignore_index=True), generator


@settings(max_examples=60, deadline=None)
@given(gappy(), st.sampled_from(["interpolate", "indicator"]))
def test_a_slice_of_a_panel_is_the_panel_of_a_slice(given_, missing):
    frame, generator = given_
    reading = read_series(
        frame, owner="test", target="y", past_covariates=["past"], future_covariates=["known"],
        missing=missing, series_id=None, time=None, static_covariates=["region"],
        frequency="h", calendar=["hour"],
    )  # fmt: skip
    rows = reading.rows
    stop = generator.integers(1, rows.lengths + 1)
    stop[generator.integers(len(stop))] = 0  # a series that has not begun yet
    cut, anew = reading.until(stop), rows.until(stop).panel()
    for name in ("values", "offsets", "ids", "times", "static"):
        np.testing.assert_array_equal(getattr(cut.panel, name), getattr(anew, name), err_msg=name)
    for name in ("age", "future_age", "absent"):  # all zero where nothing is missing any more
        one, other = getattr(cut.panel, name), getattr(anew, name)
        np.testing.assert_array_equal(0 if one is None else one, 0 if other is None else other)
    assert cut.panel.notes == anew.notes
    texts = dict(zip(frame.unique_id, frame.region, strict=True))
    known = dict(cut.panel.columns.categories)["region"]
    assert known == tuple(sorted({texts[name] for name in cut.panel.ids}))
    assert [known[code - 1] for code in cut.panel.static_codes[:, 0]] == [
        texts[name] for name in cut.panel.ids
    ]
    # and the same once more, as windows are cut: several a series, no longer than asked for
    which = np.repeat(np.flatnonzero(stop), 2)
    ends = reading.steps(which, stop[which] - 1) + 1
    windows = reading.panel.until(ends, which, 5)
    for i in range(0, len(which), 2):
        whole = anew.values[anew.offsets[i // 2] : anew.offsets[i // 2 + 1]]
        first, second = windows.select([i]), windows.select([i + 1])
        np.testing.assert_array_equal(first.values, second.values)
        np.testing.assert_array_equal(first.values[-1], whole[-1])
        if first.age is not None:
            assert (first.age <= np.arange(len(first.age))[:, None]).all()


def test_a_row_is_found_behind_absent_stamps_and_what_was_left_out():
    frame = frame_of(10, ids=("a", "b"))
    frame.loc[[0, 1], "y"] = np.nan
    frame = frame.drop(index=[4, 5, 13])
    reading = read_series(
        frame, owner="test", target="y", past_covariates=(), future_covariates=(),
        missing="interpolate", series_id=None, time=None, static_covariates=(), frequency=None,
        calendar=(),
    )  # fmt: skip
    # a: rows 2, 3, 6, 7, 8, 9 of the grid are steps 0, 1, 4, 5, 6, 7; b: nothing is left out
    assert reading.steps(np.zeros(6, int), np.arange(2, 8)).tolist() == [0, 1, 4, 5, 6, 7]
    assert reading.steps(np.ones(4, int), np.arange(1, 5)).tolist() == [1, 2, 4, 5]
    with pytest.raises(DataError, match="series a: targets and past covariates must be observed"):
        reading.steps(np.array([0]), np.array([1]))


def test_a_gap_longer_than_what_is_kept_reaches_into_no_other_series():
    frame = frame_of(20, ids=("a", "b"))
    frame.loc[frame.index[32:], "y"] = np.nan  # the last 8 steps of b; its last value is 111
    tail = panel_from_frame(frame, missing="interpolate").tail(5)
    assert tail.values[5:, 0].tolist() == [111.0] * 5
    assert tail.age[5:, 0].tolist() == [0, 1, 2, 3, 4]
    frame.loc[frame.index[39], "y"] = 119.0
    part = panel_from_frame(frame, missing="interpolate").rows(
        np.array([14, 14]), np.array([20, 20])
    )
    assert part.age[6:, 0].tolist() == [0, 1, 2, 3, 4, 0]


@pytest.mark.parametrize(
    ("frequency", "read"),
    [("QS", "QS"), ("QS-FEB", "QS-FEB"), ("QE", "QE"), ("YS", "YS"), ("YS-APR", "YS-APR"),
     ("YE-JUN", "YE-JUN"), ("MS", "MS"), ("ME", "ME"), ("B", "B")],
)  # fmt: skip
def test_a_gap_leaves_the_frequency_what_it_is(frequency, read):
    from seqkit.data.clock import Clock

    stamps = pd.date_range("2000-01-01", periods=60, freq=frequency).delete(30)
    times = stamps.to_numpy().astype("datetime64[us]")
    offsets = np.array([0, len(times)])
    clock = Clock.infer(times, offsets, None, None)
    assert clock.frequency == read
    steps = np.diff(clock.ordinals(times, offsets))
    assert sorted(set(steps.tolist())) == [1, 2]
    assert (steps == 2).sum() == 1
