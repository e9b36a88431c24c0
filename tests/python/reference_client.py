"""The reference TUF client (python-tuf's ngclient) reads a Patchward repository.

Usage: reference_client.py ROOT METADATA_URL TARGETS_URL TARGET FOLDER [BEARER]

ROOT is the trusted root.json. Downloads and verifies TARGET into FOLDER and prints its path.
Nothing of the verification is here: it is all python-tuf's. Only the bearer token is ours.
"""

import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

from tuf.api.exceptions import DownloadHTTPError
from tuf.ngclient import FetcherInterface, Updater

PIECE_BYTES = 64 * 1024


class BearerFetcher(FetcherInterface):
    """Fetches over plain HTTP with an authorization header."""

    def __init__(self, bearer: str | None) -> None:
        self.bearer = bearer

    def _fetch(self, url: str) -> Iterator[bytes]:
        request = urllib.request.Request(url)
        if self.bearer:
            request.add_header("authorization", f"Bearer {self.bearer}")
        try:
            answer = urllib.request.urlopen(request, timeout=30)
        except urllib.error.HTTPError as error:
            raise DownloadHTTPError(str(error), error.code) from error
        return iter(lambda: answer.read(PIECE_BYTES), b"")


def main() -> None:
    root, metadata_url, targets_url, target, folder = sys.argv[1:6]
    bearer = sys.argv[6] if len(sys.argv) > 6 else None
    place = Path(folder)
    (place / "metadata").mkdir(parents=True, exist_ok=True)
    (place / "targets").mkdir(exist_ok=True)
    updater = Updater(
        metadata_dir=str(place / "metadata"),
        metadata_base_url=metadata_url,
        target_dir=str(place / "targets"),
        target_base_url=targets_url,
        fetcher=BearerFetcher(bearer),
        bootstrap=Path(root).read_bytes(),
    )
    updater.refresh()
    info = updater.get_targetinfo(target)
    if info is None:
        sys.exit(f"{target} is not listed")
    print(updater.download_target(info))


if __name__ == "__main__":
    main()
