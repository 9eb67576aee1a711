"""What must be equal stays equal: check.py SDK_FOLDER LANGUAGE...

`published` lists what is published, at least all of the last release; the README of each language prints its
example as it is. Ends with 1 and what is not so.
"""
import sys
from pathlib import Path

from google.protobuf.descriptor_pb2 import FileDescriptorSet

EXAMPLES = {
    "python": "examples/look_up.py",
    "go": "examples/look_up/main.go",
    "java": "examples/LookUp.java",
    "typescript": "examples/look_up.ts",
}


def main() -> None:
    sdk, languages = Path(sys.argv[1]), sys.argv[2:]
    published = (sdk / "published").read_text("utf-8").split()
    released = FileDescriptorSet.FromString((sdk.parent / "released.binpb").read_bytes())
    for name in (file.name for file in released.file if file.name.startswith("lienthong/")):
        if not any(name == line or line.endswith("/") and name.startswith(line) for line in published):
            sys.exit(f"{name} was released and is not in proto/sdk/published")
    for line in published:
        if not (sdk.parent / line).exists():
            sys.exit(f"{line} is in proto/sdk/published and not in proto/")
    for language in languages:
        example = (sdk / language / EXAMPLES[language]).read_text("utf-8")
        if f"```{language}\n{example}```\n" not in (sdk / language / "README.md").read_text("utf-8"):
            sys.exit(f"proto/sdk/{language}/README.md prints another example than {EXAMPLES[language]}")


if __name__ == "__main__":
    main()
