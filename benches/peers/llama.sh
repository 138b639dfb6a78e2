#!/usr/bin/env bash
# Builds llama.cpp's own benchmarks and its server for this machine's processor, once, from the source distribution of the
# PyPI package llama-cpp-python, and prints the folder they are in. Needs python3 with venv, and g++; about ten minutes on
# two cores.
set -euo pipefail
version=0.3.36
folder="${1:?usage: llama.sh FOLDER}"
mkdir -p "$folder"
folder=$(cd "$folder" && pwd)
if [ ! -x "$folder/build-$version/bin/llama-server" ]; then
    exec 3>&1 1>&2
    cd "$folder"
    [ -x venv/bin/cmake ] || { python3 -m venv venv && venv/bin/pip install --quiet cmake scikit-build-core; }
    venv/bin/pip download --quiet --no-deps --no-binary :all: --no-build-isolation "llama-cpp-python==$version"
    tar xzf "llama_cpp_python-$version.tar.gz"
    venv/bin/cmake -S "llama_cpp_python-$version/vendor/llama.cpp" -B "build-$version" -G "Unix Makefiles" \
        -DCMAKE_BUILD_TYPE=Release -DGGML_NATIVE=ON -DBUILD_SHARED_LIBS=OFF -DLLAMA_CURL=OFF -DLLAMA_BUILD_TESTS=OFF \
        -DLLAMA_BUILD_EXAMPLES=OFF -DLLAMA_BUILD_UI=OFF -DLLAMA_USE_PREBUILT_UI=OFF -DLLAMA_OPENSSL=OFF
    venv/bin/cmake --build "build-$version" -j"$(nproc)" \
        --target llama-bench llama-batched-bench llama-server
    exec 1>&3
fi
echo "$folder/build-$version/bin"
