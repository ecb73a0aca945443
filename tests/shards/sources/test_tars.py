import io
import subprocess
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shards.errors import SourceError
from shards.sources.listing import Found
from shards.sources.tars import scan_tar

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
