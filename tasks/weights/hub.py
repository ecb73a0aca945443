"""A model repository on the Hugging Face hub, at a branch, a tag or a commit."""

import re
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import unquote

from tasks.weights.remote import RemoteFile, Stamp, file_path, of_a_folder

PREFIX = "hf://"
ADDRESS = re.compile(
    r"hf://(?:models/)?(?P<repository>[\w-][\w.-]*/[\w-][\w.-]*)"
    r"(?:@(?P<revision>refs/pr/\d+|[^/@]+))?(?:/(?P<file>.*))?"
)
"""As huggingface_hub writes it; a slash in the name of a branch is ``%2F``."""
OTHER_KINDS = ("datasets", "spaces", "buckets", "kernels")
MAIN = "main"
PATIENCE_SECONDS = 20.0


@dataclass(frozen=True)
class Hub:
    """A file of a repository, or all in its top folder or one below it that ends in a slash."""

    repository: str
    revision: str
    file: str

    @classmethod
    def of(cls, text: str) -> "Hub":
        """Raises ValueError where it is no address of a model repository."""
        matched = ADDRESS.fullmatch(text)
        if matched is None or matched["repository"].startswith(tuple(f"{k}/" for k in OTHER_KINDS)):
            raise ValueError(f"{text}: write hf://ORG/NAME@REVISION/FILE, of a model repository")
        file = matched["file"] or ""
        file_path(file)
        return cls(matched["repository"], unquote(matched["revision"] or MAIN), file)

    @property
    def needs(self) -> tuple[str, str] | None:
        return "huggingface_hub", "huggingface"

    @property
    def setting(self) -> str:
        return "HF_ENDPOINT, HF_HUB_OFFLINE and, for a private repository, HF_TOKEN"

    @property
    def path(self) -> PurePosixPath | None:
        return file_path(self.file)

    def stamp(self) -> Stamp:
        """The commit that the revision is now, and what it says of the files; one request."""
        found = self._client().model_info(
            self.repository, revision=self.revision, files_metadata=True, timeout=PATIENCE_SECONDS
        )
        files = tuple(
            RemoteFile(
                name=PurePosixPath(each.rfilename).name, content=_content(each), size=each.size
            )
            for each in found.siblings or ()
            if self._is_meant(each.rfilename)
        )
        if not files:
            wanted = self.file if self.path is not None else f"safetensors in /{self.file}"
            raise FileNotFoundError(f"commit {found.sha} has no {wanted}")
        return Stamp(what="commit", revision=str(found.sha), files=files)

    def fetch(self, stamp: Stamp, file: RemoteFile, folder: Path) -> Path:
        inside = self.file if self.path is not None else f"{self.file}{file.name}"
        fetched = self._client().hf_hub_download(
            self.repository, inside, revision=stamp.revision, local_dir=folder
        )
        return Path(fetched)

    def _is_meant(self, name: str) -> bool:
        if self.path is not None:
            return name == self.file
        return name.startswith(self.file) and of_a_folder(name.removeprefix(self.file))

    def _client(self) -> Any:
        # Takes a second to import, and not every plan needs it.
        import huggingface_hub  # noqa: PLC0415

        return huggingface_hub.HfApi(library_name="nightmark")


def _content(sibling: Any) -> str:
    """The digest that the hub keeps of a file, large or small."""
    return str(sibling.lfs.sha256 if sibling.lfs is not None else sibling.blob_id)
