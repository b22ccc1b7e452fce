"""Files: written atomically, read without running or believing anything in them.

`files` has atomic writing and JSON, `arrays` .npz for what users keep and safetensors with a
checksum for what is internal, `weights` the weights of networks and the state of optimisers.
"""

from move37.novelty.storage.arrays import digest, part, read_npz, read_state, write_npz, write_state
from move37.novelty.storage.files import (
    StorageError,
    StrPath,
    check_utf8,
    one_line,
    parse_json,
    printable,
    read_json,
    write_atomically,
)
from move37.novelty.storage.weights import load_moments, load_weights, moments_of, save_weights

__all__ = [
    "StorageError",
    "StrPath",
    "check_utf8",
    "digest",
    "load_moments",
    "load_weights",
    "moments_of",
    "one_line",
    "parse_json",
    "part",
    "printable",
    "read_json",
    "read_npz",
    "read_state",
    "save_weights",
    "write_atomically",
    "write_npz",
    "write_state",
]
