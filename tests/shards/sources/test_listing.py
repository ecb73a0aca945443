import io
import os
import pickle
import subprocess
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shards.errors import SourceError
from shards.sources.listing import LARGEST_IMAGE, Entries, Found, list_folder, scan_tar

FORMATS = [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT]
Edit = Callable[[tarfile.TarInfo], None]


def made_tar(
    path: Path, *members: tuple[str, bytes] | tarfile.TarInfo, form: int = tarfile.PAX_FORMAT
) -> Path:
    with tarfile.open(path, "w", format=form, errors="surrogateescape") as tar:
        for member in members:
            info = member if isinstance(member, tarfile.TarInfo) else tarfile.TarInfo(member[0])
            content = b"" if isinstance(member, tarfile.TarInfo) else member[1]
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return path


def scanned(path: Path, **options: int) -> list[Found]:
    with path.open("rb") as file:
        return list(scan_tar(file.fileno(), path.name, **options))


def entry(kind: bytes, name: str = "x", **facts: object) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type = kind
    for fact, value in facts.items():
        setattr(info, fact, value)
    return info


@pytest.mark.parametrize("form", FORMATS)
def test_members_are_where_tarfile_finds_them(tmp_path: Path, form: int) -> None:
    long = "/".join(["folder" * 5] * (6 if form == tarfile.USTAR_FORMAT else 20))
    members = [("a", b""), ("b.x", b"1"), (f"{long}/c.jpg", b"2" * 512), ("d", b"3" * 513)]
    if form != tarfile.USTAR_FORMAT:
        members += [("Käfer/蟻.jpg", b"4"), ("n" * 101, b"5" * 4000)]
    path = made_tar(tmp_path / "x.tar", entry(tarfile.DIRTYPE, "folder"), *members, form=form)
    with tarfile.open(path) as tar:
        theirs = [(m.name, m.offset_data, m.size) for m in tar if not m.isdir()]
    assert [(f.name, f.place, f.size) for f in scanned(path)] == theirs
    assert all(f.refusal is None for f in scanned(path))
    heads = [f.head for f in scanned(path, head=512)]
    assert heads == [content if len(content) <= 512 else b"" for _, content in members]


@settings(max_examples=30, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.text(st.characters(exclude_characters="\0/\n", codec="utf-8"), min_size=1).filter(
                lambda name: name not in (".", "..")
            ),
            st.binary(max_size=1100),
        ),
        max_size=5,
    ),
    st.sampled_from(FORMATS[1:]),
)
def test_any_names_and_contents(
    tmp_path_factory: pytest.TempPathFactory, members: list[tuple[str, bytes]], form: int
) -> None:
    path = made_tar(tmp_path_factory.mktemp("t") / "x.tar", *members, form=form)
    raw = path.read_bytes()
    assert [(f.name, raw[f.place : f.place + f.size]) for f in scanned(path)] == members


@pytest.mark.parametrize(
    "kind",
    [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE],
)
def test_links_and_devices_are_no_files(tmp_path: Path, kind: bytes) -> None:
    path = made_tar(tmp_path / "x.tar", entry(kind, linkname="a"), ("a", b"1"))
    assert [(f.name, f.refusal) for f in scanned(path)] == [
        ("x", "not a regular file"),
        ("a", None),
    ]


def test_gnu_tars_sparse_member_is_no_file(tmp_path: Path) -> None:
    with (tmp_path / "holes").open("wb") as file:
        for place in range(0, 60 << 16, 1 << 17):  # more holes than one header lists
            file.seek(place)
            file.write(b"x" * 4096)
        file.truncate(1 << 23)
    (tmp_path / "b").write_bytes(b"after")
    for form in ("gnu", "posix"):
        command = ["tar", f"--format={form}", "-S", "-C", tmp_path, "-cf", tmp_path / "x.tar"]
        subprocess.run([*command, "holes", "b"], check=True)
        sparse, after = scanned(tmp_path / "x.tar", head=512)
        assert sparse.refusal == "not a regular file"
        assert (after.name, after.head) == ("b", b"after")


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("../../x.jpg", "x.jpg"),
        ("/etc/x.jpg", "x.jpg"),
        ("a/../../b.jpg", "b.jpg"),
        ("./a/b.jpg", "a/b.jpg"),
        ("a..b/c.jpg", "a..b/c.jpg"),
    ],
)
def test_a_name_that_leads_elsewhere(tmp_path: Path, name: str, kept: str) -> None:
    assert [f.name for f in scanned(made_tar(tmp_path / "x.tar", (name, b"1")))] == [kept]


@pytest.mark.parametrize("claimed", [1 << 20, 1 << 33, (1 << 62)])
@pytest.mark.parametrize("kind", [b"0", b"L", b"x"])
def test_a_size_that_the_tar_has_not(tmp_path: Path, claimed: int, kind: bytes) -> None:
    info = tarfile.TarInfo("bomb.jpg")
    info.type, info.size = kind, claimed
    header = info.tobuf(tarfile.GNU_FORMAT)
    (tmp_path / "x.tar").write_bytes(header + bytes(4096))
    with pytest.raises(SourceError, match=r"x\.tar: cut short"):
        scanned(tmp_path / "x.tar")


def test_a_tar_cut_or_damaged_anywhere(tmp_path: Path) -> None:
    path = made_tar(tmp_path / "x.tar", ("a", b"1" * 700), ("b" * 120, b"2" * 700))
    raw = path.read_bytes()
    end = len(raw.rstrip(b"\0")) // 512 * 512 + 512
    for kept in [*range(0, end, 97), end - 1, end]:
        path.write_bytes(raw[:kept])
        with pytest.raises(SourceError, match=r"x\.tar: cut short"):
            scanned(path)
    for at in (0, 130, 150, 512 + 1024 + 5):
        path.write_bytes(raw[:at] + b"\x07" + raw[at + 1 :])
        with pytest.raises(SourceError, match=r"x\.tar: cut short or damaged after [01] files"):
            scanned(path)
    path.write_bytes(raw[:1536] + bytes(512) + raw[2048:])
    with pytest.raises(SourceError, match=r"end mark stands after 1 files, and more behind"):
        scanned(path)


@pytest.mark.parametrize(
    "record", [b"5 x", b"junk", b"0 path=a\n", b"-3 path=a\n", b"12 size=-12\n"]
)
def test_an_extended_header_that_is_none(tmp_path: Path, record: bytes) -> None:
    info = tarfile.TarInfo("h")
    info.type, info.size = b"x", len(record)
    raw = info.tobuf() + record.ljust(512, b"\0") + tarfile.TarInfo("a").tobuf() + bytes(1024)
    (tmp_path / "x.tar").write_bytes(raw)
    with pytest.raises(SourceError, match="damaged"):
        scanned(tmp_path / "x.tar")


def test_joined_tars_are_not_read_by_half(tmp_path: Path) -> None:
    one = made_tar(tmp_path / "x.tar", ("a", b"1"))
    one.write_bytes(one.read_bytes() * 2)
    with pytest.raises(SourceError, match="join tars with `tar --concatenate`"):
        scanned(one)


def found(*names: str, **facts: int) -> list[Found]:
    return [Found(name, facts.get("place", 0), facts.get("size", 1), None) for name in names]


def entries_of(*names: str) -> Entries:
    return Entries.of((file, 0) for file in found(*names))


def test_keys_are_unique_and_as_short_as_can_be() -> None:
    names = ("a/1.png", "b/1.png", "b/1.jpg", "b/2.png", "z/b_1.png", "x.y.png", "蟻.png", "蜂.png")
    keys = [row.key for row in entries_of(*names).rows(0, 99)]
    assert keys == ["a_1", "b_1-2", "b_1-3", "2", "b_1", "x_y", "_", "_-2"]


def test_what_is_refused_takes_no_key() -> None:
    entries = Entries.of(
        zip(found("a/1.png", "a/1.txt", "a/1.png"), [0, "no", "twice"], strict=True)
    )
    assert [(row.key, row.refusal) for row in entries.rows(0, 3)] == [
        ("1", None),
        ("1", "no"),
        ("1", "twice"),
    ]


def test_a_range_digest_moves_with_its_entries_alone() -> None:
    files = found(*(f"{i}.png" for i in range(10)))
    labels: list[int | str | None] = [0] * 10
    before = Entries.of(zip(files, labels, strict=True))
    for change in (
        {"size": 2},
        {"place": 9},
        {"name": "other.png"},
        {"refusal": "not a regular file"},
    ):
        changed = [*files[:5], files[5]._replace(**change), *files[6:]]
        after = Entries.of(zip(changed, labels, strict=True))
        assert after.range_digest(0, 5) == before.range_digest(0, 5)
        assert after.range_digest(6, 10) == before.range_digest(6, 10)
        assert after.range_digest(3, 6) != before.range_digest(3, 6)
        assert after.digest() != before.digest()
    relabelled = Entries.of(zip(files, [0] * 9 + [1], strict=True))
    assert relabelled.range_digest(0, 9) == before.range_digest(0, 9)
    assert relabelled.range_digest(9, 10) != before.range_digest(9, 10)


def test_entries_travel_small() -> None:
    entries = entries_of(*(f"n01440764/n01440764_{i}.JPEG" for i in range(20_000)))
    raw = pickle.dumps(entries)
    assert len(raw) < 80 * 20_000
    assert list(pickle.loads(raw).rows(4095, 4100)) == list(entries.rows(4095, 4100))
    assert len(list(entries.rows(19_999, 30_000))) == 1
    assert list(entries.rows(30_000, 30_001)) == []


def test_what_is_too_large_is_never_read() -> None:
    [row] = Entries.of([(found("a.png", size=LARGEST_IMAGE + 1)[0], 0)]).rows(0, 1)
    assert (row.refusal, row.label) == ("larger than 256 MiB", None)


def test_links_in_folders(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere/n1"
    elsewhere.mkdir(parents=True)
    (elsewhere / "a.png").write_bytes(b"1")
    (elsewhere / "back").symlink_to(tmp_path)
    root = tmp_path / "root"
    root.mkdir()
    (root / "file.png").symlink_to(elsewhere / "a.png")
    (root / "folder").symlink_to(elsewhere)
    (root / "nowhere.png").symlink_to(tmp_path / "nowhere")
    (root / "self").symlink_to(root)
    os.mkfifo(root / "pipe.png")
    assert {file.name: file.refusal for file in list_folder(root)} == {
        "file.png": None,
        "folder/a.png": None,
        "folder/back": "a link into the same dataset",
        "nowhere.png": "No such file or directory",
        "pipe.png": "not a regular file",
        "self": "a link into the same dataset",
    }


def test_the_order_is_that_of_path_parts(tmp_path: Path) -> None:
    for name in ("a-1/x.png", "a/x.png", "a.png", "a/b/c.png", "a/B.png"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"1")
    listed = [file.name for file in list_folder(tmp_path)]
    assert listed == ["a/B.png", "a/b/c.png", "a/x.png", "a-1/x.png", "a.png"]
    assert listed == [file.name for file in list_folder(tmp_path, "**/*.png")]
