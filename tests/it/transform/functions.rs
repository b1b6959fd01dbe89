//! Built-in functions, and those of Python modules.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use serde_json::json;

use super::{Bench, mode, names, set_mode, told};

#[test]
fn tokens_are_replaced_in_text_only() {
    let bench = Bench::new();
    bench
        .write("source/site/a.txt", "@V@ @W@ @V@")
        .write("source/site/latin", b"caf\xe9 @V@")
        .write("source/site/sub/binary", b"@V@\0")
        .write("source/site/late", [vec![b'x'; 100_000], b"\0@V@".to_vec()].concat())
        .write("source/site/empty", "")
        .write("source/secret", "@V@");
    symlink("../secret", bench.path("source/site/link")).unwrap();
    set_mode(bench.path("source/site/a.txt"), 0o755);
    let tokens = json!({"@V@": "{GIT_DIST_VERSION}@W@", "@W@": "{\"json\": 1}"});
    let steps = json!({"s": {"func": "replace_tokens", "options": {"tokens": tokens}}});
    let output = bench.run("site", &steps).unwrap();
    let read = |name: &str| fs::read(output.join(name)).unwrap();
    assert_eq!(read("a.txt"), b"tool.7.abcdef0@W@ {\"json\": 1} tool.7.abcdef0@W@");
    assert_eq!(read("latin"), b"caf\xe9 tool.7.abcdef0@W@");
    assert_eq!(read("sub/binary"), b"@V@\0");
    assert!(read("late").ends_with(b"\0@V@"));
    assert_eq!(read("empty"), b"");
    assert_eq!(fs::read_link(output.join("link")).unwrap(), Path::new("../secret"));
    assert_eq!(fs::read(bench.path("source/secret")).unwrap(), b"@V@");
    assert_eq!(mode(output.join("a.txt")), 0o755);
}

#[test]
fn modes_change_in_files_and_trees() {
    let bench = Bench::new();
    bench.write("source/tool", "x").write("source/lib/sub/a.py", "");
    symlink("a.py", bench.path("source/lib/sub/link")).unwrap();
    let chmod = |mode: &str| json!({"c": {"func": "chmod", "options": {"mode": mode}}});
    assert_eq!(mode(bench.run("tool", &chmod("755")).unwrap()), 0o755);
    assert_eq!(mode(bench.run("tool", &chmod("u=rx,go=")).unwrap()), 0o500);
    let output = bench.run("lib", &chmod("640")).unwrap();
    assert_eq!(
        [mode(&output), mode(output.join("sub")), mode(output.join("sub/a.py"))],
        [0o750, 0o750, 0o640]
    );
    // A step behind it keeps the mode, but for what it needs to write.
    let steps =
        json!({"c": {"func": "chmod", "options": {"mode": "555"}}, "s": {"script": "echo y >>{output}"}});
    assert_eq!(mode(bench.run("tool", &steps).unwrap()), 0o755);
    let error = bench.run("tool", &chmod("abc")).unwrap_err();
    assert_eq!(told(&error), "step `c` of target `bin` failed\ncaused by: `abc` is no file mode");
}

#[test]
fn python_sources_are_compiled_reproducibly() {
    let bench = Bench::new();
    bench
        .write("source/lib/__init__.py", "")
        .write(
            "source/lib/mod.py",
            "NAMES = {'a', 'b', 'c', 'd'}\ndef answer(x=frozenset({'x', 'y', 'z'})):\n    return 42\n",
        )
        .write("source/lib/mod.pyc", "old")
        .write("source/lib/data.json", "{}")
        .write("source/tool", "#!/usr/bin/env python3\nprint('hello')\n")
        .write("source/notes.txt", "no python\n");
    symlink("mod.py", bench.path("source/lib/alias.py")).unwrap();
    let name = OsStr::from_bytes(b"caf\xe9.py");
    fs::write(bench.path("source/lib").join(name), "x = 1\n").unwrap();
    set_mode(bench.path("source/lib/mod.py"), 0o755);
    let steps = json!({"c": {"func": "distman.transform.byte_compile"}});
    let output = bench.run("lib", &steps).unwrap();
    assert_eq!(names(&output), ["__init__.pyc", "alias.pyc", "caf\u{fffd}.pyc", "data.json", "mod.pyc"]);
    assert_eq!(mode(output.join("mod.pyc")), 0o755);

    let again = bench.run("lib", &steps).unwrap();
    assert_eq!(fs::read(output.join("mod.pyc")).unwrap(), fs::read(again.join("mod.pyc")).unwrap());

    let ran = Command::new("python3")
        .args(["-c", "import lib.mod, lib.alias; print(lib.mod.answer(), lib.alias.answer(), lib.mod.answer.__code__.co_filename)"])
        .current_dir(output.parent().unwrap())
        .output()
        .unwrap();
    assert_eq!(String::from_utf8_lossy(&ran.stdout), "42 42 mod.py\n", "{ran:?}");

    let tool = bench.run("tool", &steps).unwrap();
    let ran = Command::new("python3").arg(tool).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&ran.stdout), "hello\n");
    let notes = bench.run("notes.txt", &steps).unwrap();
    assert_eq!(fs::read_to_string(notes).unwrap(), "no python\n");
}

#[test]
fn a_source_that_does_not_compile_is_named() {
    let bench = Bench::new();
    bench.write("source/lib/good.py", "x = 1\n").write("source/lib/sub/bad.py", "def (:\n");
    let error = bench.run("lib", &json!({"c": {"func": "byte_compile"}})).unwrap_err();
    let told = told(&error);
    assert!(told.contains("sub/bad.py") && told.contains("SyntaxError"), "{told}");
}

#[test]
fn pages_scripts_and_styles_get_smaller() {
    let bench = Bench::new();
    bench
        .write("source/site/a.js", "// c\nlet a = 1\nlet b = 2\n")
        .write("source/site/css/a.css", "a { b : c }\n")
        .write("source/site/LICENSE", "keep\n\nthis\n")
        .write("source/site/logo.svg", "<svg>\n</svg>\n")
        .write("source/site/data.bin", "  ");
    let output = bench.run("site", &json!({"m": {"func": "minify"}})).unwrap();
    let read = |name: &str| fs::read_to_string(output.join(name)).unwrap();
    assert_eq!(read("a.js"), "let a=1\nlet b=2");
    assert_eq!(read("css/a.css"), "a{b :c}");
    assert_eq!(read("LICENSE"), "keep\n\nthis\n");
    assert_eq!(read("logo.svg"), "<svg>\n</svg>\n");
    let error =
        bench.run("site", &json!({"m": {"func": "minify", "options": {"strict": true}}})).unwrap_err();
    assert_eq!(
        told(&error),
        "step `m` of target `bin` failed\ncaused by: `LICENSE` is no file that `minify` knows"
    );
}

#[test]
fn functions_of_the_repository_are_called() {
    let bench = Bench::new();
    bench.write("source/tool", "hello").write(
        "checkout/tools/build.py",
        "import os\ndef shout(input, output, times, mark='.', **more):\n    text = open(input).read().upper() * times\n    \
         open(output, 'w').write(text + mark + os.environ['GIT_DIST_VERSION'] + os.environ['X'] + str(more))\n\
         def fail(**options):\n    raise ValueError('no way')\n",
    );
    let call =
        |name: &str| json!({"p": {"func": name, "options": {"times": 2, "flag": null}, "env": {"X": "!"}}});
    let output = bench.run("tool", &call("tools.build.shout")).unwrap();
    assert_eq!(fs::read_to_string(output).unwrap(), "HELLOHELLO.tool.7.abcdef0!{'flag': None}");
    assert_eq!(names(&bench.path("checkout/tools")), ["build.py"], "nothing is left in the checkout");

    let failure = told(&bench.run("tool", &call("tools.build.fail")).unwrap_err());
    assert!(
        failure.contains("`python3` failed with exit status 1") && failure.contains("ValueError: no way"),
        "{failure}"
    );
    for (name, reason) in [
        ("tools.nowhere.shout", "ModuleNotFoundError: No module named 'tools.nowhere'"),
        ("tools.build.nothing", "AttributeError: module 'tools.build' has no attribute 'nothing'"),
    ] {
        let error = bench.run("tool", &call(name)).unwrap_err();
        let told = told(&error);
        assert!(told.contains(&format!("Python does not find the function `{name}`")), "{told}");
        assert!(told.contains(reason), "{told}");
        assert!(error.hint().is_some());
    }
}

#[test]
fn a_missing_python_is_said() {
    let bench = Bench::new();
    bench.write("source/a.py", "x = 1\n");
    let empty = bench.path("empty");
    fs::create_dir(&empty).unwrap();
    for function in ["byte_compile", "tools.build.shout"] {
        let error = bench.run("a.py", &json!({"p": {"func": function, "env": {"PATH": empty}}})).unwrap_err();
        assert!(
            told(&error).contains(&format!("`{function}` needs Python, and there is no `python3`")),
            "{}",
            told(&error)
        );
    }
}
