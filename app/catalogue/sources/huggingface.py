"""A model in a repository of the Hugging Face hub, or of a mirror that answers like it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

from pydantic import ConfigDict

from app.catalogue.client import open_client, split_credentials
from app.catalogue.download import Remote, download
from app.catalogue.file import ModelFile
from app.catalogue.partial import Partial
from app.catalogue.source import Bench

DEFAULT_ENDPOINT = "https://huggingface.co"


@dataclass(frozen=True, slots=True)
class HuggingFaceSource:
    """`HF_ENDPOINT` names a mirror and `HF_TOKEN` opens what is gated, as for the hub's own tools."""

    __pydantic_config__ = ConfigDict(extra="forbid")

    repository: str
    revision: str = "main"
    files: Mapping[str, str] = field(default_factory=dict)

    def describe(self) -> str:
        return f"the Hugging Face repository {self.repository} at {self.revision}"

    def gives(self, name: str) -> bool:
        return not self.files or name in self.files

    def deliver(self, file: ModelFile, bench: Bench) -> Path:
        part = Partial(bench.part(file.name))
        with open_client() as client:
            download(client, self._remote(file, bench.machine.environ), part, bench)
        return part.path

    def _remote(self, file: ModelFile, environ: Mapping[str, str]) -> Remote:
        endpoint, credentials = split_credentials(environ.get("HF_ENDPOINT") or DEFAULT_ENDPOINT)
        where = f"{self.repository}/resolve/{quote(self.revision, safe='')}"
        token = environ.get("HF_TOKEN")
        return Remote(
            url=f"{endpoint.rstrip('/')}/{where}/{quote(self.files.get(file.name, file.name))}",
            label=file.name,
            expected_bytes=file.bytes,
            credentials=credentials,
            headers={"Authorization": f"Bearer {token}"} if token and not credentials else {},
        )
