from pathlib import Path

import pytest
from pydantic import BaseModel, ValidationError

from conf.locations import Located


class Place(BaseModel):
    at: Located


def located(value: object, folder: Path | None) -> Path:
    return Place.model_validate({"at": value}, context=folder).at


def test_a_relative_path_lies_beside_the_plan(tmp_path: Path) -> None:
    assert located("images/val", tmp_path) == tmp_path.resolve() / "images/val"
    assert located("../images", tmp_path / "plans") == tmp_path.resolve() / "images"


def test_an_absolute_path_stays(tmp_path: Path) -> None:
    assert located("/srv/images", tmp_path) == Path("/srv/images")


def test_the_home_folder_is_spelled_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert located("~/images", Path("/plans")) == tmp_path / "images"


def test_without_a_folder_and_as_a_path_it_stays() -> None:
    assert located("images", None) == Path("images")
    assert located(Path("images"), Path("/plans")) == Path("images")


def test_a_package_is_found_where_it_is_installed(tmp_path: Path) -> None:
    import PIL

    assert located("package:PIL/Image.py", tmp_path) == Path(PIL.__path__[0]) / "Image.py"


@pytest.mark.parametrize(
    "name", ["no_such_package_at_all", "typing", "", "not an identifier", "../secrets"]
)
def test_a_package_that_is_not_installed_is_named(name: str, tmp_path: Path) -> None:
    with pytest.raises(ValidationError, match="is not installed; for the demo: pip install"):
        located(f"package:{name}/file", tmp_path)


@pytest.mark.parametrize("value", ["", 3, None, ["a"]])
def test_what_is_no_path_is_refused(value: object, tmp_path: Path) -> None:
    with pytest.raises(ValidationError, match="a path is needed"):
        located(value, tmp_path)


def test_it_survives_json(tmp_path: Path) -> None:
    place = Place(at=tmp_path)
    assert Place.model_validate_json(place.model_dump_json()) == place
