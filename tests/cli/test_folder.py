"""Which files of a folder are looked at."""

import os
from pathlib import Path

import pytest
from console import make_picture, make_text_named_jpeg
from yard_clips import make_clip, make_text_named_mp4

from vision.cli.batch.annotated_names import annotated_names
from vision.cli.batch.folder import look_into
from vision.errors import InvalidRequest

NOWHERE = Path("/nowhere")


def names(folder: Path, *, recursive: bool = False, leave_out: Path = NOWHERE) -> list[str]:
    content = look_into(folder, recursive=recursive, leave_out=leave_out)
    return [file.name for file in content.found]


def test_pictures_are_found_in_the_order_of_their_names(tmp_path: Path) -> None:
    for name in ("b.png", "a.JPG", "c.webp"):
        make_picture(tmp_path / name)

    assert names(tmp_path) == ["a.JPG", "b.png", "c.webp"]


def test_a_text_with_an_image_suffix_is_found_and_a_text_is_skipped(tmp_path: Path) -> None:
    make_text_named_jpeg(tmp_path / "diary.jpg")
    (tmp_path / "README.md").write_text("hello")
    (tmp_path / "LICENSE").write_text("hello")

    content = look_into(tmp_path, recursive=False, leave_out=NOWHERE)

    assert [file.name for file in content.found] == ["diary.jpg"]
    assert content.skipped == {".md": 1, "(none)": 1}


def test_a_photo_without_suffix_is_found_by_its_content(tmp_path: Path) -> None:
    make_picture(tmp_path / "photo.jpg").rename(tmp_path / "photo")

    assert names(tmp_path) == ["photo"]


def test_videos_are_found_by_name_or_by_content(tmp_path: Path) -> None:
    make_text_named_mp4(tmp_path / "diary.mp4")
    make_clip(tmp_path / "clip.mp4", frames=1).rename(tmp_path / "clip")
    (tmp_path / "module.ts").write_text("export const answer: number = 42;\n")

    content = look_into(tmp_path, recursive=False, leave_out=NOWHERE)

    assert [file.name for file in content.found] == ["clip", "diary.mp4"]
    assert content.skipped == {".ts": 1}


def test_hidden_files_are_skipped(tmp_path: Path) -> None:
    make_picture(tmp_path / "._photo.jpg")

    assert names(tmp_path) == []


def test_subfolders_are_looked_into_only_when_asked(tmp_path: Path) -> None:
    make_picture(tmp_path / "top.jpg")
    make_picture(tmp_path / "deep" / "er" / "low.jpg")

    assert names(tmp_path) == ["top.jpg"]
    assert names(tmp_path, recursive=True) == ["deep/er/low.jpg", "top.jpg"]


def test_the_output_folder_is_left_out(tmp_path: Path) -> None:
    make_picture(tmp_path / "photo.jpg")
    make_picture(tmp_path / "out" / "annotated" / "photo.jpg")

    assert names(tmp_path, recursive=True, leave_out=tmp_path / "out") == ["photo.jpg"]


def test_a_file_named_outright_is_found_whatever_it_is(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("hello")

    assert names(tmp_path / "notes.txt") == ["notes.txt"]


def test_a_name_that_is_no_utf8_is_shown_as_text(tmp_path: Path) -> None:
    made = make_picture(tmp_path / "x.jpg")
    os.rename(made, os.fsencode(tmp_path) + b"/caf\xe9.jpg")

    assert names(tmp_path) == ["caf\ufffd.jpg"]


def test_a_folder_that_is_not_there_is_a_wrong_request(tmp_path: Path) -> None:
    with pytest.raises(InvalidRequest, match="there is no folder"):
        look_into(tmp_path / "gone", recursive=False, leave_out=NOWHERE)


def test_annotated_pictures_keep_the_name_unless_two_meet() -> None:
    names = ["a/b.png", "a/c.jpg", "a/c.png", "B.tif", "b.gif", "plain"]

    chosen = annotated_names(names, ".jpg")

    assert chosen == {
        "a/b.png": "a/b.jpg",
        "a/c.jpg": "a/c.jpg.jpg",
        "a/c.png": "a/c.png.jpg",
        "B.tif": "B.tif.jpg",
        "b.gif": "b.gif.jpg",
        "plain": "plain.jpg",
    }


def test_no_two_annotated_pictures_have_one_name() -> None:
    chosen = annotated_names(["c.jpg", "c.png", "c.png.jpg", "C.PNG.gif"], ".jpg")

    assert len({name.casefold() for name in chosen.values()}) == 4
