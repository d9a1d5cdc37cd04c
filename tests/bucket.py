"""A real server that speaks S3, in this process, for tests of what lies in a bucket."""

import itertools
import logging
import os
import urllib.request
from collections.abc import Iterator
from typing import Any, ClassVar

CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_EC2_METADATA_DISABLED": "true",
}


class Buckets:
    """Serves on loopback; what was stored outlives `stop`, as a disk does; all of one process share a disk."""

    _numbers: ClassVar[Iterator[int]] = itertools.count()

    def __init__(self) -> None:
        os.environ.update(CREDENTIALS)
        logging.getLogger("werkzeug").setLevel(logging.CRITICAL)
        self.port = 0
        self._server: Any = None
        self.start()

    def start(self) -> None:
        from moto.server import ThreadedMotoServer

        self._server = ThreadedMotoServer("127.0.0.1", self.port, verbose=False)
        self._server.start()
        _, self.port = self._server.get_host_and_port()

    def stop(self) -> None:
        self._server.stop()

    def new(self) -> str:
        """The URI of a folder in a new bucket."""
        bucket = f"bucket-{os.getpid()}-{next(self._numbers)}"
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}/{bucket}", method="PUT")
        with urllib.request.urlopen(request) as answer:
            assert answer.status == 200
        return self.uri(bucket)

    def uri(self, bucket: str) -> str:
        where = f"endpoint_override=127.0.0.1:{self.port}&scheme=http&region=us-east-1"
        return f"s3://{bucket}/a/prefix?{where}"
