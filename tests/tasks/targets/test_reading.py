import json
from pathlib import Path

import pytest

from shards.errors import InputError
from shards.sample import ClassList
from tasks.targets.overlay import OverlayKind, OverlaySpec, TargetOverlay
from tasks.targets.reading import read_overlay

CLASSES = ClassList(
    names=("tench", "crane", "otter", "crane"), ids=("n01440764", "n02012849", "n02444819", "n03")
)
DIGITS = ClassList.of_names(("1", "0"))


def read(
    folder: Path,
    name: str,
    text: str,
    kind: OverlayKind | None = None,
    classes: ClassList = CLASSES,
) -> TargetOverlay:
    file = folder / name
    file.write_text(text, "utf-8")
    return read_overlay(OverlaySpec(file=file, kind=kind), classes)


def labels(overlay: TargetOverlay) -> dict[str, list[int]]:
    rows = overlay.rows.to_pylist()
    return {row["key"]: row["labels"] for row in rows}


def test_csv_takes_ids_unique_names_indices_and_no_label(tmp_path: Path) -> None:
    text = 'key,label\nb,n02444819\na,tench\n"c",1\nd,\n'
    overlay = read(tmp_path, "fixed.csv", text)
    assert overlay.kind == "corrected"
    assert labels(overlay) == {"a": [0], "b": [2], "c": [1], "d": []}
    assert (overlay.file, len(overlay)) == ("fixed.csv", 4)


def test_csv_of_a_spreadsheet_may_have_more_columns_and_a_byte_order_mark(tmp_path: Path) -> None:
    text = "\ufeffkey,who,label\r\na,me,otter\r\n"
    assert labels(read(tmp_path, "fixed.csv", text)) == {"a": [2]}


def test_json_with_one_label_each_is_corrected_and_with_lists_acceptable(tmp_path: Path) -> None:
    one = read(tmp_path, "one.json", '{"a": "otter", "b": 3, "c": null}')
    assert (one.kind, labels(one)) == ("corrected", {"a": [2], "b": [3], "c": []})
    many = read(tmp_path, "many.json", '{"a": ["otter", 0, "n02444819"], "b": [], "c": 1}')
    assert (many.kind, labels(many)) == ("acceptable", {"a": [0, 2], "b": [], "c": [1]})


def test_the_list_of_real_names_validation_images_from_one(tmp_path: Path) -> None:
    real = read(tmp_path, "real.json", "[[3, 1], [], [0]]")
    assert real.kind == "acceptable"
    assert labels(real) == {
        "ILSVRC2012_val_00000001": [1, 3],
        "ILSVRC2012_val_00000002": [],
        "ILSVRC2012_val_00000003": [0],
    }


def test_a_digit_of_a_dataset_of_digits_is_the_class_of_that_name(tmp_path: Path) -> None:
    text = "key,label\na,1\n"
    assert labels(read(tmp_path, "fixed.csv", text, classes=DIGITS)) == {"a": [0]}
    assert labels(read(tmp_path, "fixed.json", '{"a": 1}', classes=DIGITS)) == {"a": [1]}


def test_the_digest_is_of_kind_and_labels_not_of_form_and_order(tmp_path: Path) -> None:
    first = read(tmp_path, "a.csv", "key,label\na,otter\nb,0\n")
    second = read(tmp_path, "b.json", json.dumps({"b": "tench", "a": 2}))
    assert first.digest == second.digest
    assert first.file_sha256 != second.file_sha256
    other_kind = read(tmp_path, "c.json", json.dumps({"b": "tench", "a": 2}), "acceptable")
    other_label = read(tmp_path, "d.json", json.dumps({"b": "tench", "a": 1}))
    assert len({first.digest, other_kind.digest, other_label.digest}) == 3


@pytest.mark.parametrize(
    ("name", "text", "kind", "words"),
    [
        ("a.csv", "a,otter\n", None, "a.csv, line 1: the columns key and label are needed"),
        ("a.csv", "", None, "line 1: the columns key and label"),
        ("a.csv", "key,label\na,0\nb\n", None, "line 3: a key and a label are needed"),
        ("a.csv", "key,label\n,0\n", None, "line 2: a key and a label are needed"),
        ("a.csv", "key,label\na,0\na,1\n", None, "line 3: the key a stands also in line 2"),
        ("a.csv", "key,label\na,beaver\n", None, "line 2, key a: the label 'beaver' is none of"),
        ("a.csv", "key,label\na,crane\n", None, "'crane' names several classes; write a class id"),
        ("a.csv", "key,label\na,4\n", None, "'4' is none of the 4 classes.*from 0 to 3"),
        ("a.csv", "key,label\na,-1\n", None, "'-1' is none of the 4 classes"),
        ("a.csv", 'key,label\na,"ot\n', None, "after line 1: unexpected end of data"),
        ("a.json", '{"a": 0, "a": 1}', None, "the key a stands twice"),
        ("a.json", '{"a": 4}', None, "key a: the label 4 is none of the 4 classes"),
        ("a.json", '{"a": true}', None, "key a: the label True is none"),
        ("a.json", '{"a": 1.0}', None, "key a: the label 1.0 is none"),
        ("a.json", '{"a": [["otter"]]}', None, "key a: the label .* is none"),
        ("a.json", '{"a": {"b": 1}}', None, "key a: the label .* is none"),
        ("a.json", "[0, ", None, "is not readable as JSON"),
        ("a.json", "3", None, "neither keys nor a list"),
        ("a.json", '{"a": [0, 1]}', "corrected", "key a: 2 labels, where a corrected label is one"),
    ],
)
def test_what_cannot_be_used_names_the_place_and_the_way_out(
    tmp_path: Path, name: str, text: str, kind: OverlayKind | None, words: str
) -> None:
    with pytest.raises(InputError, match=words):
        read(tmp_path, name, text, kind)


def test_a_missing_file_and_bytes_that_are_no_text_are_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"gone\.csv: No such file"):
        read_overlay(OverlaySpec(file=tmp_path / "gone.csv"), CLASSES)
    (tmp_path / "odd.csv").write_bytes(b"key,label\n\xff,0\n")
    with pytest.raises(InputError, match=r"odd\.csv is no UTF-8 text"):
        read_overlay(OverlaySpec(file=tmp_path / "odd.csv"), CLASSES)
