"""Zips of pictures: what folders mean, labels beside them, names in any code page, and what each format shows."""

from __future__ import annotations

import io
import unicodedata
import zipfile
from pathlib import PurePosixPath

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from influence_core.data import DataError, uploads
from influence_core.data.uploads.folders import layout_of, part_of
from tests.data.workbooks import named, xlsx

N = 12
PIXELS = np.random.default_rng(0).integers(0, 256, (N, 6, 7)).astype(np.uint8)
WORDS = ["dog", "cat"] * (N // 2)


def encoded(pixels, kind="PNG", **how):
    buffer = io.BytesIO()
    (pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)).save(buffer, kind, **how)
    return buffer.getvalue()


PNGS = [encoded(pixels) for pixels in PIXELS]


def as_zip(members):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def under(*paths):
    """A zip of the pictures 0, 1, … under these paths."""
    return as_zip(dict(zip(paths, PNGS, strict=False)))


def read(content):
    raw = uploads.read_upload("pets.zip", content)
    return raw, uploads.build(raw, uploads.guess_mapping(raw, uploads.describe_columns(raw)))


def classes(upload):
    data = upload.table.dataset
    return [data.class_names[k] for k in data.y]


def part(k):
    return "test" if k % 4 > 1 else "train"


LAYOUTS = {
    "classes": "{word}/{k}.png", "split above": "data/{part}/{word}/{k}.png", "split below": "{word}/{part}/{k}.png",
    "split twice": "seg_{part}/seg_{part}/{word}/{k}.png", "split in words": "{Part}_set/{word}/{k}.png",
    "below a root of two": "a/b/{word}/{k}.png", "sites above": "site{s}/{word}/{k}.png",
    "sites above, named": "{site}/{word}/{k}.png", "patients below": "{word}/patient_{k}/{k}.png",
    "breeds below": "{word}/{word}_{b}/{k}.png", "split, class, patient": "{part}/{word}/p{k}/{k}.png",
    "Windows": "{part}\\{word}\\{k}.png", "capitals": "{PART}/{word}/{k}.PNG",
}  # fmt: skip


@pytest.mark.parametrize("name", LAYOUTS)
def test_the_class_is_the_right_folder_and_the_split_is_used(name):
    paths = [
        LAYOUTS[name].format(
            word=word,
            k=k,
            part=part(k),
            Part={"train": "Training", "test": "Test"}[part(k)],
            PART=part(k).upper(),
            s=k % 3,
            site=["Ulm", "Bonn", "Kiel"][k // 2 % 3],
            b="xy"[k // 2 % 2],
        )
        for k, word in enumerate(WORDS)
    ]
    raw, upload = read(under(*paths))
    data, table = upload.table.dataset, upload.table
    assert classes(upload) == WORDS and upload.mapping.features == ("pixels",) and upload.mapping.id == "file"
    assert np.array_equal(data.images, PIXELS) and len({*data.ids.tolist()}) == N
    if "part" in LAYOUTS[name].lower():
        assert table.train.tolist() == [k for k in range(N) if part(k) == "train"]
        assert "Folders fix the split: 6 train, 6 test." in raw.notes
    else:
        assert table.train is None
    levels = [name for name in raw.frame if str(name).startswith("group")]
    assert bool(levels) == any(word in LAYOUTS[name] for word in ("site", "patient", "{b}", "p{k}"))
    assert not levels or "choose another target if that is wrong" in " ".join(raw.notes)


@pytest.mark.parametrize(("folder", "said"), [
    ("train", "train"), ("Training_set", "train"), ("TEST", "test"), ("test images", "test"), ("seg_pred", ""),
    ("validation", "validation"), ("valid-data", "validation"), ("trains", ""), ("train_station", ""),
    ("train_test", ""),
])  # fmt: skip
def test_words_for_parts(folder, said):
    assert part_of(folder) == said


def test_vehicles_called_train_are_a_class():
    paths = [PurePosixPath(f"{word}/{k}.png") for k in range(4) for word in ("train", "plane", "car")]
    layout = layout_of(paths)
    assert layout.classes == [path.parts[0] for path in paths] and not layout.parts


@pytest.mark.parametrize("stray", ["data/unlabelled/u.png", "data/u.png", "u.png", "data/test/u.png"])
def test_pictures_outside_of_the_class_folders_are_left_out_by_name(stray):
    paths = [f"data/{part(k)}/{w}/{k}.png" for k, w in enumerate(WORDS)]
    raw, upload = read(as_zip(dict(zip(paths, PNGS, strict=True)) | {stray: PNGS[0]}))
    assert classes(upload) == WORDS
    assert f"Pictures outside of the class folders were left out: 1, the first '{stray}'." in raw.notes


def test_pictures_of_one_name_in_several_folders_have_different_ids():
    data = read(under(*[f"{part(k)}/{w}/{k // 4}.png" for k, w in enumerate(WORDS)]))[1].table.dataset
    assert len({*data.ids.tolist()}) == N and data.feature_names[0] == "pixel 0,0" and data.x.shape[1] == 42


LABELS = pd.DataFrame({"file": [f"{k}.png" for k in range(N)], "label": WORDS, "age": range(30, 30 + N)})


HUGGING = LABELS.rename(columns={"file": "file_name"}).to_json(orient="records", lines=True)


@pytest.mark.parametrize(("name", "content"), [
    ("labels.csv", LABELS.to_csv(index=False)), ("images/metadata.jsonl", HUGGING),
    ("l.csv", LABELS.assign(file="images/" + LABELS["file"]).to_csv(index=False, sep=";")),
    ("l.csv", LABELS.assign(file="other/images/" + LABELS["file"]).to_csv(index=False)),
    ("l.csv", LABELS.assign(file=range(N)).sample(frac=1, random_state=0).to_csv(index=False)),
    ("l.csv", LABELS.assign(file=[f"{k:03d}" for k in range(N)]).to_csv(index=False)),
    ("l.tsv", LABELS.assign(file=[f"C:\\data\\{k}.PNG" for k in range(N)]).to_csv(index=False, sep="\t")),
    ("l.xlsx", xlsx({"S": [list(LABELS), *LABELS.values.tolist()]})),
], ids=named)  # fmt: skip
def test_a_table_beside_the_pictures_labels_them(name, content):
    raw, upload = read(as_zip({f"images/{k}.png": png for k, png in enumerate(PNGS)} | {name: content}))
    assert classes(upload) == WORDS and upload.mapping.features == ("pixels",) and upload.mapping.target == "label"
    assert np.array_equal(upload.table.dataset.images, PIXELS) and raw.frame["age"].tolist() == [*range(30, 30 + N)]
    assert f"{N} pictures were joined with the rows of '{name}'" in " ".join(raw.notes)


def test_rows_and_pictures_without_a_partner_are_named():
    table = pd.concat([LABELS.iloc[1:], pd.DataFrame({"file": ["x.png"], "label": ["cat"], "age": [1]})])
    raw, upload = read(as_zip({f"{k}.png": png for k, png in enumerate(PNGS)} | {"l.csv": table.to_csv(index=False)}))
    assert classes(upload) == WORDS[1:] and np.array_equal(upload.table.dataset.images, PIXELS[1:])
    assert "Pictures without a row were left out: 1, the first '0.png'." in raw.notes
    assert "Rows without a picture were left out: 1, the first 'x.png'." in raw.notes


def test_labels_of_a_table_go_before_folders_that_only_store():
    members = {f"part_{k % 2 + 1}/{k}.png": png for k, png in enumerate(PNGS)}
    table = LABELS.assign(label=["x", "x", "y"] * 4)
    raw, upload = read(as_zip(members | {"l.csv": table.to_csv(index=False)}))
    assert classes(upload) == ["x", "x", "y"] * 4 and "not the folder of a picture" in " ".join(raw.notes)
    other = table.drop(columns="label")  # without a column of labels folders tell the classes
    assert read(as_zip(members | {"l.csv": other.to_csv(index=False)}))[1].mapping.target == "class"


LOOSE = {f"{k}.png": PNGS[k] for k in range(N)}


@pytest.mark.parametrize(("members", "words"), [
    (LOOSE, "12 pictures in folders: 1, and no table that names them"),
    ({f"{part(k)}/{k}.png": PNGS[k] for k in range(N)}, "12 pictures in folders: 2, and no table"),
    ({f"all/{k}.png": PNGS[k] for k in range(N)} | {"l.csv": "a,b\n1,2\n"}, "no table that names them"),
    (LOOSE | {"l.csv": "no table"}, "a table that cannot be read"),
    (LOOSE | {"l.csv": pd.concat([LABELS, LABELS[:1]]).to_csv(index=False)}, "a second one for '0.png' in row 13"),
    ({"a/1.heic": b"x", "b/2.heic": b"x"}, "'b/2.heic': pack a CSV file, or the pictures of each class, as JPEG"),
    ({"a/1.jpg": b"\0\0\0\x18ftypheic" + bytes(99), "b/2.jpg": PNGS[0]}, "got HEIC or another in 'a/1.jpg'"),
])  # fmt: skip
def test_pictures_without_classes_say_what_was_found(members, words):
    with pytest.raises(DataError) as caught:
        read(as_zip(members))
    assert words in str(caught.value), str(caught.value)


def raw_names(names):
    """A zip whose names are these bytes, as other programs write them."""
    content = as_zip({chr(97 + k) * len(name): PNGS[k] for k, name in enumerate(names)})
    for k, name in enumerate(names):
        content = content.replace((chr(97 + k) * len(name)).encode(), name)
    return content


@pytest.mark.parametrize("page", ["cp437", "cp850", "cp1252", "utf-8"])
@pytest.mark.parametrize("folders", [("Käfer", "Hündin"), ("Müller", "café"), ("niño", "año"), ("Ärzte", "Öl")])
def test_names_of_other_code_pages_are_read(page, folders):
    if page == "cp437" and "Ä" in folders[0]:
        folders = ("Äpfel", "Öl")
    content = raw_names([f"{folders[k % 2]}/{k:06d}.png".encode(page) for k in range(N)])
    assert set(read(content)[1].table.dataset.class_names) == {*folders}


def test_accents_as_marks_of_their_own_make_no_further_class():
    words = ["Käfer", "Hund"]
    forms = ["NFC", "NFD"]
    content = under(*[f"{unicodedata.normalize(forms[k // 2 % 2], words[k % 2])}/{k}.png" for k in range(N)])
    assert read(content)[1].table.dataset.class_names == ("Hund", "Käfer")


def test_what_systems_leave_behind_is_no_file():
    members = {f"{w}/{k}.png": PNGS[k] for k, w in enumerate(WORDS)}
    left = {"__MACOSX/dog/._0.png": b"\0", "dog/.DS_Store": b"\0", "dog\\Thumbs.db": b"\0", "dog/desktop.ini": b"x"}
    folders = {"dog/": b"", "cat\\": b""}
    raw, upload = read(as_zip(members | left | folders))
    assert classes(upload) == WORDS and raw.notes == ("12 pictures, grey, as they are: 7 x 6 pixels.",)


GREY = np.arange(120, dtype=np.uint8).reshape(10, 12) * 2
COLOUR = np.stack([GREY, GREY[::-1], 255 - GREY], axis=-1)


def one(content, ending="png"):
    """The picture as it is read, twice in each of two classes."""
    raw, upload = read(as_zip({f"{'ab'[k % 2]}/{k}.{ending}": content for k in range(6)}))
    return upload.table.dataset.images[0], " ".join(raw.notes)


@pytest.mark.parametrize(("kind", "ending", "how"), [
    ("PNG", "png", {}), ("TIFF", "tif", {}), ("TIFF", "tiff", {"compression": "tiff_lzw"}), ("BMP", "bmp", {}),
    ("WEBP", "webp", {"lossless": True}), ("PPM", "ppm", {}), ("PNG", "jpg", {}), ("TIFF", "png", {}),
])  # fmt: skip
@pytest.mark.parametrize("pixels", [GREY, COLOUR], ids=["grey", "colour"])
def test_formats_without_loss_come_back_pixel_for_pixel(kind, ending, how, pixels):
    assert np.array_equal(one(encoded(pixels, kind, **how), ending)[0], pixels)


@pytest.mark.parametrize("ending", ["jpg", "jpeg", "jfif", "JPE"])
def test_jpeg_is_close(ending):
    found = one(encoded(COLOUR, "JPEG", quality=98, subsampling=0), ending)[0].astype(float)
    assert np.abs(found - COLOUR).mean() < 3


def white(rgba):
    alpha = rgba[..., 3:] / 255.0
    return np.round(rgba[..., :3] * alpha + 255 * (1 - alpha))


CYAN = np.zeros((10, 12, 4), np.uint8)
CYAN[..., 0], CYAN[:5, :, 3] = 255, 255
CLEAR = np.dstack([COLOUR, GREY])
PALETTE = Image.fromarray(COLOUR).quantize(16)


PAINTED = np.asarray(PALETTE.convert("RGB"))
DEEP = GREY.astype(np.uint16) * 257
INK = np.zeros((10, 12, 3)) + np.where(np.arange(10)[:, None, None] < 5, [0, 0, 0], [0, 255, 255])
KINDS = {
    "PNG of 16 bits": (encoded(DEEP), "png", GREY, 0),
    "TIFF of 16 bits": (encoded(DEEP, "TIFF"), "tif", GREY, 0),
    "TIFF of floats": (encoded((GREY / 255).astype(np.float32), "TIFF"), "tif", GREY, 1),
    "black and white": (encoded(GREY > 99), "png", (GREY > 99) * 255, 0),
    "CMYK in TIFF": (encoded(Image.fromarray(CYAN, "CMYK"), "TIFF"), "tif", INK, 0),
    "CMYK in JPEG": (encoded(Image.fromarray(CYAN, "CMYK"), "JPEG", quality=100), "jpg", INK, 9),
    "opacity": (encoded(CLEAR), "png", white(CLEAR), 1),
    "opacity in WebP": (encoded(CLEAR, "WEBP", lossless=True, exact=True), "webp", white(CLEAR), 1),
    "grey with opacity": (encoded(np.dstack([GREY, GREY])), "png", white(np.dstack([GREY] * 4))[..., 0], 1),
    "palette": (encoded(PALETTE), "png", PAINTED, 0),
    "palette in GIF": (encoded(PALETTE, "GIF"), "gif", PAINTED, 0),
    "palette with a clear colour": (
        encoded(PALETTE, transparency=0),
        "png",
        np.where(np.asarray(PALETTE)[..., None] == 0, 255, PAINTED),
        0,
    ),
}


@pytest.mark.parametrize(("content", "ending", "expected", "within"), KINDS.values(), ids=KINDS)
def test_every_kind_of_pixel_becomes_what_is_seen(content, ending, expected, within):
    found, _ = one(content, ending)
    assert found.shape == expected.shape and np.abs(found.astype(float) - expected).max() <= within


@pytest.mark.parametrize("turn", range(1, 9))
@pytest.mark.parametrize(("kind", "ending"), [("PNG", "png"), ("WEBP", "webp"), ("TIFF", "tif")])
def test_pictures_are_upright(turn, kind, ending):
    upright = [
        GREY,
        GREY[:, ::-1],
        GREY[::-1, ::-1],
        GREY[::-1],
        GREY.T,
        np.rot90(GREY, -1),
        GREY[::-1, ::-1].T,
        np.rot90(GREY),
    ][turn - 1]
    exif = Image.Exif()
    exif[0x0112] = turn
    found, notes = one(encoded(GREY, kind, exif=exif, **({"lossless": True} if kind == "WEBP" else {})), ending)
    assert np.array_equal(found, upright)
    assert kind == "TIFF" or ("turned upright" in notes) == (turn > 1)


def test_the_first_frame_or_page_stands_for_a_picture_and_that_is_said():
    frames = [Image.fromarray(GREY), Image.fromarray(255 - GREY)]
    for kind, ending in (("TIFF", "tif"), ("GIF", "gif")):
        found, notes = one(encoded(frames[0], kind, save_all=True, append_images=frames[1:]), ending)
        assert np.array_equal(found, GREY) and "are represented by their first: 6." in notes


def test_sizes_that_differ_are_said():
    members = {f"{'ab'[k % 2]}/{k}.png": encoded(np.full((40 + k, 50 - k), 9 * k, np.uint8)) for k in range(6)}
    raw, upload = read(as_zip(members))
    assert upload.table.dataset.images.shape == (6, 28, 28)
    assert raw.notes[0] == "6 pictures, grey, from 45 x 40 to 50 x 45, stretched to one size: 28 x 28 pixels."


def test_several_rows_for_a_picture_are_no_reason_to_refuse_class_folders():
    boxes = pd.DataFrame({"file": [f"{k % N}.png" for k in range(2 * N)], "width": range(2 * N)})
    members = {f"{w}/{k}.png": PNGS[k] for k, w in enumerate(WORDS)} | {"boxes.csv": boxes.to_csv(index=False)}
    raw, upload = read(as_zip(members))
    assert classes(upload) == WORDS and "was not used: expected one row for each picture" in " ".join(raw.notes)


@pytest.mark.parametrize(
    "name", ["{word}.{k}.png", "train/{word}_{k}.png", "{word} ({k}).png", "{part}/{word}-{k}.png", "{word}{k}.png"]
)
def test_names_of_files_tell_classes_where_folders_do_not(name):
    raw, upload = read(under(*[name.format(word=w, k=k, part=part(k)) for k, w in enumerate(WORDS)]))
    assert classes(upload) == WORDS and "the names of the files do, as 'dog'" in " ".join(raw.notes)
    assert (upload.table.train is None) == ("{part}" not in name)


def test_pictures_of_a_contest_use_the_labelled_part_and_name_the_rest():
    train = {f"train/{k}.png": png for k, png in enumerate(PNGS)}
    rest = {f"test/9{k}.png": png for k, png in enumerate(PNGS)} | {
        "sample_submission.csv": "id,breed\n90,dog\n91,dog\n"
    }
    table = "id,breed\n" + "".join(f"{k},{w}\n" for k, w in enumerate(WORDS))
    raw, upload = read(as_zip(train | rest | {"train.csv": table}))
    assert classes(upload) == WORDS and upload.table.train is None and upload.mapping.target == "breed"
    assert "Pictures without a row were left out: 12" in " ".join(raw.notes)


@pytest.mark.parametrize("columns", [{"age": np.arange(N) * 1.5}, {"weight": np.arange(N) / 7, "kind": WORDS}])
def test_a_target_of_the_table_is_guessed_as_in_any_table(columns):
    table = pd.DataFrame({"image": [f"{k}.png" for k in range(N)]} | columns)
    raw, upload = read(as_zip({f"{k}.png": png for k, png in enumerate(PNGS)} | {"t.csv": table.to_csv(index=False)}))
    assert upload.mapping.target == list(columns)[-1] and upload.mapping.features == ("pixels",)
    assert bool(upload.table.dataset.classes) == ("kind" in columns)
