"""Pythons on systems without Unix sockets, really run: Emscripten's on Node, and WASI's."""
