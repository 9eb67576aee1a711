"""Puts the generated code of the published contract and its service config into what is built."""
from __future__ import annotations

import shutil
from pathlib import Path

import grpc_tools
from grpc_tools import protoc
from setuptools import setup
from setuptools.command.build_py import build_py

PROTO = Path(__file__).resolve().parent.parent.parent


def published() -> list[str]:
    """The published files, of folders and files that `sdk/published` lists."""
    found = []
    for line in (PROTO / "sdk/published").read_text("utf-8").split():
        path = PROTO / line
        files = sorted(path.rglob("*.proto")) if path.is_dir() else [path]
        found += [str(file.relative_to(PROTO)) for file in files]
    return found


class Build(build_py):
    def run(self) -> None:
        super().run()
        out = Path(self.build_lib)
        shutil.copy(PROTO / "service_config.json", out / "lienthong_sdk")
        includes = (PROTO, Path(grpc_tools.__file__).parent / "_proto")
        outputs = [f"--{kind}_out={out}" for kind in ("python", "pyi", "grpc_python")]
        if protoc.main(["protoc", *(f"-I{folder}" for folder in includes), *outputs, *published()]):
            raise SystemExit("the contract does not compile")


setup(cmdclass={"build_py": Build})
