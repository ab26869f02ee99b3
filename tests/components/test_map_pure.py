"""The parts of the browser components that need no browser."""

import base64
import io
import json
import struct
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pages.components.browser.bridge import FOLDER, LIBRARY, MODULES, ensure_static, pack, starter
from pages.components.browser.gallery import Gallery, sprite
from pages.components.browser.map import Cells, MapView, Scene, clicked_point, lassoed_points, map_message
from pages.components.charts.field import Field, level_lines, pen_up
from pages.components.charts.scale import LARGEST_MARKER, SMALLEST_MARKER, colour_limit, marker_sizes, plain
from pages.components.session.words import signed


def unpack(message: bytes) -> tuple[dict, dict[str, np.ndarray]]:
    length = struct.unpack_from("<I", message)[0]
    header = json.loads(message[4 : 4 + length])
    offset, arrays = 4 + length, {}
    for name, kind, size in header["arrays"]:
        arrays[name] = np.frombuffer(message, "<f4" if kind == "f" else "<i4", size, offset)
        offset += 4 * size
    assert offset == len(message) and offset % 4 == 0
    return header, arrays


@pytest.fixture
def scene() -> Scene:
    rng = np.random.default_rng(0)
    return Scene(
        fingerprint="f",
        train_xy=rng.normal(size=(5, 2)),
        test_xy=rng.normal(size=(3, 2)),
        train_class=np.array([0, 1, 0, 1, 0]),
        test_class=np.array([0, 1, 1]),
        class_names=("a<b", "c&d"),
        train_labels=[f"train-{i}" for i in range(5)],
        test_labels=[f"test-{i}" for i in range(3)],
        flipped=np.array([False, True, False, False, True]),
        axis_titles=("x", "<y>"),
    )


def test_values_of_rows_travel_once_and_a_click_names_columns(scene):
    columns = (("age", ()), ("sex", ("f", "m")))
    values = np.arange(10.0).reshape(5, 2), -np.ones((3, 2))
    header, arrays = unpack(replace(scene, cells=Cells(columns, *values)).message)
    assert header["columns"] == [["age", []], ["sex", ["f", "m"]]]
    np.testing.assert_array_equal(arrays["train_cells"].reshape(5, 2), values[0])
    np.testing.assert_array_equal(arrays["test_cells"].reshape(3, 2), values[1])
    told, _ = unpack(map_message(scene, None, MapView(told=[1, 0], beside=("test", 2)), lasso=False))
    assert told["told"] == [1, 0]
    assert told["beside"] == ["test", 2]
    silent, _ = unpack(map_message(scene, None, MapView(beside=("test", 2)), lasso=False))
    assert not {"told", "beside"} & {*silent}  # a click on pictures is not made longer


def test_area_is_proportional_to_the_score():
    sizes = marker_sizes(np.array([0.5, -1.0, 1.0]), 1.0)
    assert sizes.dtype == np.float32
    np.testing.assert_allclose(sizes[1:] ** 2, 2 * sizes[0] ** 2, rtol=1e-6)


def test_sizes_have_a_floor_and_stop_at_the_limit():
    np.testing.assert_allclose(marker_sizes(np.array([0.0, 1.0, 1e9]), 1.0), [SMALLEST_MARKER] + [LARGEST_MARKER] * 2)


def test_a_crowd_gets_smaller_markers():
    assert marker_sizes(np.ones(20_000), 1.0).max() < marker_sizes(np.ones(500), 1.0).max()


@pytest.mark.parametrize("limit", [0.0, -1.0, np.nan])
def test_sizes_refuse_a_limit_that_is_not_positive(limit):
    with pytest.raises(ValueError, match="positive"):
        marker_sizes(np.ones(3), limit)


def test_colour_limit_is_the_99th_percentile_and_never_zero():
    scores = np.append(np.linspace(-1, 1, 1001), 50.0)
    assert colour_limit(scores) == pytest.approx(np.percentile(np.abs(scores), 99))
    assert colour_limit(np.append(np.zeros(999), -3.0)) == 3.0
    assert colour_limit(np.zeros(4)) == colour_limit(np.zeros(0)) == 1.0


def test_plain_leaves_plotly_nothing_to_interpret():
    assert plain("<b>1 & 2</b>") == "&lt;b&gt;1 &amp; 2&lt;/b&gt;"


@pytest.mark.parametrize(("middle", "joined"), [(0.3, True), (-0.3, False)])
def test_level_lines_on_a_saddle_keep_the_corners_of_the_middle_together(middle, joined):
    axis = np.array([0.0, 1.0])
    lines = level_lines(Field(axis, axis, np.array([[0.5 + middle, -0.5], [-0.5, 0.5 + middle]])), 0.0)
    assert len(lines) == 2
    # Joined high corners (0,0) and (1,1): each line cuts off one of the low corners, (1,0) or (0,1).
    nearest = {int(np.argmin([np.hypot(*(s.mean(0) - c)) for c in ((1, 0), (0, 1), (0, 0), (1, 1))])) for s in lines}
    assert nearest == ({0, 1} if joined else {2, 3})


def test_a_circle_is_one_closed_line_and_a_straight_boundary_one_open_one():
    grid = np.linspace(-2, 2, 41)
    x, y = np.meshgrid(grid, grid)
    (circle,) = level_lines(Field(grid, grid, x**2 + y**2), 1.01)
    np.testing.assert_allclose(circle[0], circle[-1], atol=1e-12)
    np.testing.assert_allclose(np.linalg.norm(circle, axis=1), np.sqrt(1.01), atol=3e-3)
    length = np.linalg.norm(np.diff(circle, axis=0), axis=1).sum()
    assert abs(length - 2 * np.pi * np.sqrt(1.01)) < 0.02
    (line,) = level_lines(Field(grid, grid, x + 0.3 * y), 0.1137)
    np.testing.assert_allclose(np.sort(line[[0, -1], 1]), [-2, 2])
    assert (np.diff(line[:, 1]) * (line[-1, 1] - line[0, 1]) > 0).all()


def test_two_curves_stay_two_lines_with_a_gap_after_each():
    grid = np.linspace(-2, 2, 41)
    x, _ = np.meshgrid(grid, grid)
    lines = level_lines(Field(grid, grid, np.abs(x)), 1.03)
    assert [len(line) for line in lines] == [41, 41]
    across, up = pen_up(lines)
    assert np.flatnonzero(np.isnan(across)).tolist() == np.flatnonzero(np.isnan(up)).tolist() == [41, 83]
    assert {round(float(np.abs(v)), 9) for v in across[~np.isnan(across)]} == {1.03}


def test_level_lines_without_a_crossing_are_empty():
    axis = np.linspace(0, 1, 4)
    assert level_lines(Field(axis, axis, np.ones((4, 4))), 0.5) == [] and pen_up([])[0].shape == (0,)


def test_scene_travels_whole(scene):
    header, arrays = unpack(scene.message)
    assert header["class_names"] == ["a&lt;b", "c&amp;d"] and header["axis_titles"][1] == "&lt;y&gt;"
    assert header["train_labels"][4] == "train-4" and header["sprite"] is None
    np.testing.assert_array_equal(arrays["flipped"], [1, 4])
    np.testing.assert_allclose(arrays["test_y"], scene.test_xy[:, 1], rtol=1e-6)
    assert scene.message is scene.message


def test_scene_sends_field_and_boundary(scene):
    grid = np.linspace(-1, 1, 11)
    field = Field(grid, grid, np.tile(0.5 + grid / 2 + 0.01, (11, 1)))
    _, arrays = unpack(replace(scene, field=field, optimal=np.array([[0, -1], [0, 1.0]])).message)
    assert arrays["field_p"].size == 121 and arrays["optimal_y"].tolist() == [-1, 1]
    x = arrays["boundary_x"]
    assert len(x) == 12 and np.isnan(x[-1])  # one line over ten rows, not ten pieces
    np.testing.assert_allclose(x[:-1], -0.02, atol=1e-6)


@pytest.mark.parametrize(
    "event",
    [
        None,
        "x",
        {},
        {"fingerprint": "other", "side": "test", "index": 0},
        {"fingerprint": "f", "side": "test", "index": 3},
        {"fingerprint": "f", "side": "train", "index": -1},
        {"fingerprint": "f", "side": "both", "index": 0},
        {"fingerprint": "f", "side": [], "index": 0},
        {"fingerprint": "f", "side": "test", "index": 1.5},
        {"fingerprint": "f", "side": "test", "index": True},
    ],
)
def test_clicks_on_nothing_known_are_ignored(scene, event):
    assert clicked_point(scene, event) is None


def test_click_names_side_and_index(scene):
    assert clicked_point(scene, {"fingerprint": "f", "side": "train", "index": 4}) == ("train", 4)


def test_pack_refuses_numbers_json_has_not():
    with pytest.raises(ValueError, match="JSON"):
        pack({"limit": float("nan")})


@pytest.mark.parametrize("shape", [(7, 4, 5), (7, 4, 5, 3)])
def test_sprite_keeps_every_pixel(shape):
    images = np.random.default_rng(0).integers(0, 256, shape).astype(np.uint8)
    made = sprite(images, columns=3)
    sheet = np.asarray(Image.open(io.BytesIO(base64.b64decode(made.data_uri.split(",")[1]))))
    assert (made.columns, made.tile_h, made.tile_w, made.count) == (3, 4, 5, 7) and sheet.shape[:2] == (12, 15)
    for i, image in enumerate(images):
        top, left = 4 * (i // 3), 5 * (i % 3)
        np.testing.assert_array_equal(sheet[top : top + 4, left : left + 5], image)


def test_sprite_refuses_to_rescale():
    with pytest.raises(ValueError, match="uint8"):
        sprite(np.zeros((2, 3, 3)))


def test_gallery_says_the_mark_in_words():
    tiles = Gallery("f", sprite(np.zeros((2, 3, 3), np.uint8)), ["a", "b"], np.array([False, True]))
    header, arrays = unpack(tiles.message)
    assert header["labels"] == ["a", "b, misclassified"] and arrays["marked"].tolist() == [1]


@pytest.mark.parametrize(
    ("score", "words"),
    [(0.01234, "+0.0123"), (-4.1e-6, "−0.00000410"), (0.0, "0"), (-0.0, "0"), (-12, "−12.0"), (np.nan, "–")],
)
def test_signed(score, words):
    assert signed(score) == words


@pytest.mark.parametrize("name", [LIBRARY, f"{FOLDER}/shared/picture_files.js", f"{FOLDER}/shared/colours.js"])
def test_ensure_static_copies_once_and_repairs(tmp_path: Path, name: str):
    file = tmp_path / "static" / name
    ensure_static(tmp_path / "static")
    before, content = file.stat().st_ino, file.read_bytes()
    everything = sorted(tmp_path.rglob("*"))
    ensure_static(tmp_path / "static")
    assert file.stat().st_ino == before and len(content) > 500
    file.write_text("cut short")
    ensure_static(tmp_path / "static")
    assert file.read_bytes() == content and sorted(tmp_path.rglob("*")) == everything


def test_servers_that_start_together_see_whole_files_only(tmp_path: Path):
    torn: list[str] = []
    done = threading.Event()

    def browse() -> None:
        while not done.is_set():
            for name, content in MODULES.items():
                file = tmp_path / FOLDER / name
                if file.exists() and file.read_bytes() != content:
                    torn.append(name)

    with ThreadPoolExecutor(9) as pool:
        reader = pool.submit(browse)
        list(pool.map(lambda _: ensure_static(tmp_path), range(8)))
        done.set()
        reader.result()
    assert not torn
    assert not list(tmp_path.rglob("*.part"))
    assert {file.relative_to(tmp_path / FOLDER).as_posix() for file in (tmp_path / FOLDER).rglob("*.js")} == set(
        MODULES
    )


def test_every_component_sends_a_script_that_names_its_module_and_no_program():
    for file in (name for name in MODULES if name.endswith("/component.js")):
        assert f"./app/static/{FOLDER}/{file}" in starter(file) and len(starter(file)) < 700


@pytest.mark.parametrize(
    ("train", "test"), [([0, 4], []), ([], [2, 0]), ([3, 1, 1], [0]), (list(range(5)), list(range(3)))]
)
def test_a_lasso_names_the_points_of_both_sides(scene, train, test):
    found = lassoed_points(scene, {"fingerprint": "f", "train": train, "test": test, "nonce": 1})
    assert [side.tolist() for side in found] == [sorted(set(train)), sorted(set(test))]
    assert all(side.dtype == np.int64 for side in found)


HOSTILE = [None, "01", 3, {"0": 1}, [True], [5], [-1], [1.0], ["1"], [None], [[0]], [2**70], [0] * 100_000]


@pytest.mark.parametrize("indices", HOSTILE, ids=lambda value: str(value)[:12])
@pytest.mark.parametrize("side", ["train", "test"])
def test_a_hostile_lasso_is_ignored(scene, indices, side):
    event = {"fingerprint": "f", "train": [0], "test": [0]} | {side: indices}
    assert lassoed_points(scene, event) is None


@pytest.mark.parametrize(
    "event",
    [None, [], "f", {}, {"fingerprint": "g", "train": [0], "test": [0]}, {"fingerprint": "f", "train": [], "test": []}],
)
def test_a_lasso_of_another_scene_or_of_nothing_is_ignored(scene, event):
    assert lassoed_points(scene, event) is None


def test_a_click_sends_scores_and_marked_points_only(scene):
    scores = np.array([0.5, -1, 0, 0.25, 1])
    after = np.array([[[0.0, 1.0], [2.0, 3.0]], [[4.0, 5.0], [6.0, 7.0]]])
    view = MapView(selected_test=1, group=(4, 2), tests=np.array([0, 2]), after=after, magnitude_only=True)
    header, arrays = unpack(map_message(scene, scores, view, lasso=True))
    assert set(arrays) == {"scores", "group", "tests", "after_x", "after_y"}
    np.testing.assert_array_equal(arrays["scores"], scores)
    assert arrays["group"].tolist() == [4, 2] and arrays["tests"].tolist() == [0, 2]
    np.testing.assert_array_equal(arrays["after_x"], [0, 2, np.nan, 4, 6, np.nan])
    np.testing.assert_array_equal(arrays["after_y"], [1, 3, np.nan, 5, 7, np.nan])
    assert header["fingerprint"] == "f" and header["lasso"] and header["magnitude_only"]
    assert not {"group", "tests", "after"} & {name for name in header if name != "arrays"}


def test_a_click_costs_four_bytes_a_point(scene):
    sizes = [len(map_message(scene, np.ones(n), MapView(), lasso=True)) for n in (1_000, 8_000)]
    assert sizes[1] - sizes[0] == pytest.approx(4 * 7_000, abs=8)


def test_before_anything_is_selected_only_the_view_travels(scene):
    _, arrays = unpack(map_message(scene, None, MapView(), lasso=False))
    assert {name: array.size for name, array in arrays.items()} == {"group": 0, "tests": 0}
