// Run Python on Emscripten as the command does: node python.mjs PYODIDE REPOSITORY PACKAGES (-c CODE | -m MODULE) ARGUMENT...
// The two folders are /repository and /packages inside, and on the module search path.
import { pathToFileURL } from "node:url";

const [pyodide, repository, packages, ...words] = process.argv.slice(2);
const { loadPyodide } = await import(pathToFileURL(`${pyodide}/pyodide.mjs`).href);
const python = await loadPyodide({
  env: { HOME: "/home", PYTHONDONTWRITEBYTECODE: "1" },
  stdout: (line) => process.stdout.write(`${line}\n`),
  stderr: (line) => process.stderr.write(`${line}\n`),
});
for (const [inside, folder] of [["/repository", repository], ["/packages", packages]]) {
  python.FS.mkdirTree(inside);
  python.FS.mount(python.FS.filesystems.NODEFS, { root: folder }, inside);
}
python.globals.set("words", python.toPy(words));
const run = `
import os, runpy, sys
sys.path[:0] = ["/repository", "/packages"]
sys.dont_write_bytecode = True
os.chdir("/repository")
try:
    sys.argv = [words[0], *words[2:]]
    if words[0] == "-c":
        exec(compile(words[1], "<string>", "exec"), {"__name__": "__main__"})
    else:
        runpy.run_module(words[1], run_name="__main__", alter_sys=True)
    status = 0
except SystemExit as end:
    status = end.code if isinstance(end.code, int) else 0 if end.code is None else 1
except BaseException:
    import traceback
    traceback.print_exc()
    status = 1
status
`;
process.exitCode = python.runPython(run);
