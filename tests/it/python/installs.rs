//! What is chosen, and what is installed.

use std::fs;

use git_dist::python::{Cause, Lock, PythonError};

use super::packages::{offer, source, wheel};
use super::{Machine, files, machines, sha256};
use crate::support::{HttpServer, Misbehaviour};

/// The value of `Authorization` for `user:s3cr3t`.
const AUTHORIZATION: &str = "Basic dXNlcjpzM2NyM3Q=";

/// An index with `hello` in three versions, and what it needs.
fn index(machine: &Machine) -> (HttpServer, String) {
    let packages = machine.packages();
    for version in ["1.2", "1.10", "2.0"] {
        wheel("hello", version).needs("dep>=1").write(&packages);
    }
    wheel("dep", "1.0").write(&packages);
    let server = HttpServer::start();
    offer(&server, &packages);
    let index = format!("pypi:{}/simple", server.url());
    (server, index)
}

#[test]
fn a_lock_says_what_was_chosen_and_is_installed_the_same_every_time() {
    for machine in machines() {
        let (server, _) = index(&machine);
        server.demand(AUTHORIZATION);
        let index = format!("pypi:{}/simple", server.url_with("user:s3cr3t"));
        let lock = machine.resolve("Hello >= 1.2, < 2", &index).unwrap();
        let text = lock.to_string();
        let digest = |file: &str| sha256(&fs::read(machine.packages().join(file)).unwrap());
        let dep = digest("dep-1.0-py3-none-any.whl");
        let hello = digest("hello-1.10-py3-none-any.whl");
        let mut lines = text.lines().filter(|line| !line.starts_with("# p") && !line.starts_with("# tool"));
        let shown: Vec<&str> = lines.by_ref().collect();
        assert_eq!(
            shown.join("\n"),
            format!(
                "# Python packages, locked by git dist\n# requirement: hello>=1.2,<2\n# index: pypi:{}/simple\n\
                 dep==1.0 \\\n    --hash=sha256:{dep}\nhello==1.10 \\\n    --hash=sha256:{hello}",
                server.url()
            )
        );
        assert!(lock.tool().starts_with(if machine.is_uv { "uv " } else { "pip " }), "{text}");
        assert!(!text.contains("s3cr3t"));

        let lock = Lock::parse(&text).unwrap();
        let installed = machine.install(&lock, &index, "one").unwrap();
        assert_eq!((installed.version.as_str(), installed.tool.as_str()), ("1.10", lock.tool()));
        fs::remove_dir_all(machine.folder("cache")).unwrap();
        machine.install(&lock, &index, "another/folder").unwrap();
        assert_eq!(machine.tree_id("one"), machine.tree_id("another/folder"));

        assert_eq!(
            files(&machine.folder("one")),
            [
                "bin/dep",
                "bin/hello",
                "dep-1.0.dist-info/METADATA",
                "dep-1.0.dist-info/RECORD",
                "dep-1.0.dist-info/WHEEL",
                "dep-1.0.dist-info/entry_points.txt",
                "dep/__init__.py",
                "hello-1.10.dist-info/METADATA",
                "hello-1.10.dist-info/RECORD",
                "hello-1.10.dist-info/WHEEL",
                "hello-1.10.dist-info/entry_points.txt",
                "hello/__init__.py",
            ]
        );
        let sandbox = machine.sandbox.path().to_str().unwrap();
        for file in files(&machine.folder("one")) {
            let text = fs::read_to_string(machine.folder("one").join(&file)).unwrap();
            assert!(!text.contains(sandbox) && !text.contains("s3cr3t"), "{file}: {text}");
        }
        let record = fs::read_to_string(machine.folder("one/hello-1.10.dist-info/RECORD")).unwrap();
        let listed: Vec<&str> = record.lines().filter_map(|line| line.split(',').next()).collect();
        assert_eq!(
            listed,
            [
                "bin/hello",
                "hello-1.10.dist-info/METADATA",
                "hello-1.10.dist-info/RECORD",
                "hello-1.10.dist-info/WHEEL",
                "hello-1.10.dist-info/entry_points.txt",
                "hello/__init__.py",
            ]
        );
        let bytes: u64 = files(&machine.folder("one"))
            .iter()
            .map(|file| fs::metadata(machine.folder("one").join(file)).unwrap().len())
            .sum();
        assert!(installed.bytes.abs_diff(bytes) < 1000, "{} and {bytes}", installed.bytes);
        let program = machine.folder("one/bin/hello");
        assert_eq!(machine.python("one", &[program.to_str().unwrap()]), "hello 1.10\n");
        let version = "import importlib.metadata as it; print(it.version('hello'), len(it.files('hello')))";
        assert_eq!(machine.python("one", &["-c", version]), "1.10 6\n");
    }
}

#[test]
fn what_is_newer_is_found_and_nothing_else() {
    for machine in machines() {
        let (server, index) = index(&machine);
        let lock = machine.resolve("hello<2", &index).unwrap();
        assert_eq!(machine.newer(&lock, &index).unwrap(), None);
        wheel("hello", "1.11").needs("dep>=1").write(&machine.packages());
        wheel("hello", "1.12rc1").needs("dep>=1").write(&machine.packages());
        offer(&server, &machine.packages());
        // uv believes a page for a while, as it is told; this one says nothing of it.
        let newer = machine.newer(&lock, &index).unwrap().unwrap();
        assert_eq!((lock.version().as_str(), newer.version().as_str()), ("1.10", "1.11"));
        // What it needs counts, too.
        wheel("dep", "1.1").write(&machine.packages());
        offer(&server, &machine.packages());
        assert_eq!(machine.newer(&newer, &index).unwrap().unwrap().version(), "1.11");
    }
}

#[test]
fn offline_nothing_is_asked() {
    for machine in machines() {
        let (server, index) = index(&machine);
        let lock = machine.resolve("hello", &index).unwrap();
        machine.install(&lock, &index, "one").unwrap();
        let other = machine.resolve("hello<2", &index).unwrap();
        server.requests();
        server.misbehave("/", Misbehaviour::Hang);
        machine.offline.set(true);
        machine.install(&lock, &index, "two").unwrap();
        assert_eq!(machine.tree_id("one"), machine.tree_id("two"));
        let error = machine.resolve("hello", &index).unwrap_err();
        assert!(matches!(error, PythonError::Offline { .. }) && error.is_unreachable(), "{error}");
        // pip fetches files to choose among them, but uv needs their names only.
        fs::remove_dir_all(machine.folder("cache")).unwrap();
        let error = machine.install(&other, &index, "three").unwrap_err();
        assert!(matches!(error, PythonError::Failed { .. }) && machine.is_empty("three"), "{error}");
        assert_eq!(server.requests().len(), 0);
    }
}

#[test]
fn what_the_host_says_does_not_decide() {
    for mut machine in machines() {
        let (server, index) = index(&machine);
        let other = HttpServer::start();
        let (url, home) = (format!("{}/simple", other.url()), machine.sandbox.home());
        for name in [
            "PIP_INDEX_URL",
            "PIP_EXTRA_INDEX_URL",
            "PIP_FIND_LINKS",
            "UV_INDEX",
            "UV_INDEX_URL",
            "UV_DEFAULT_INDEX",
            "UV_EXTRA_INDEX_URL",
            "UV_FIND_LINKS",
        ] {
            machine.set(name, &url);
        }
        machine.set("UV_NO_VERIFY_HASHES", "1");
        machine.set("UV_OFFLINE", "1");
        machine.set("PIP_NO_DEPS", "1");
        machine.set("PIP_TARGET", &home.join("target").display().to_string());
        machine.set("PYTHONHOME", "/nowhere");
        for (file, text) in [
            (".config/pip/pip.conf", format!("[global]\nindex-url = {url}\n")),
            (".pip/pip.conf", format!("[global]\nindex-url = {url}\n")),
            (".config/uv/uv.toml", format!("[[index]]\nurl = {url:?}\ndefault = true\n")),
        ] {
            fs::create_dir_all(home.join(file).parent().unwrap()).unwrap();
            fs::write(home.join(file), text).unwrap();
        }
        let lock = machine.resolve("hello", &index).unwrap();
        assert!(lock.to_string().contains("\ndep==1.0"), "{lock}");
        machine.install(&lock, &index, "one").unwrap();
        assert_eq!(machine.python("one", &["-c", "import hello; hello.main()"]), "hello 2.0\n");
        assert_eq!(other.requests().len(), 0);
        assert!(!server.requests().is_empty());
    }
}

#[test]
fn packages_lie_in_a_directory() {
    for machine in machines() {
        let (server, _) = index(&machine);
        let index = format!("packages:{}", machine.packages().display());
        let lock = machine.resolve("hello<2", &index).unwrap();
        machine.install(&lock, &index, "one").unwrap();
        assert_eq!(machine.python("one", &["-c", "import hello; hello.main()"]), "hello 1.10\n");
        assert_eq!(server.requests().len(), 0);

        // Once more without the directory.
        fs::rename(machine.packages(), machine.folder("away")).unwrap();
        machine.install(&lock, &index, "two").unwrap();
        assert_eq!(machine.tree_id("one"), machine.tree_id("two"));
        let error = machine.resolve("hello<2", &index).unwrap_err();
        assert!(!matches!(error, PythonError::NotFound { .. }), "{error}");
        fs::rename(machine.folder("away"), machine.packages()).unwrap();

        for requirement in ["hello>2", "missing"] {
            let error = machine.resolve(requirement, &index).unwrap_err();
            assert!(matches!(error, PythonError::NotFound { .. }), "{error}");
        }
    }
}

#[test]
fn packages_are_built_where_that_is_allowed() {
    for machine in machines() {
        let trace = machine.folder("trace");
        source(&machine.packages(), "built", "1.0", &trace);
        let index = format!("packages:{}", machine.packages().display());
        let error = machine.resolve("built", &index).unwrap_err();
        assert!(error.to_string().contains("has to be built"), "{error}");
        let server = HttpServer::start();
        offer(&server, &machine.packages());
        let error = machine.resolve("built", &format!("pypi:{}/simple", server.url())).unwrap_err();
        assert!(matches!(error, PythonError::Failed { cause: Cause::NotFound, .. }), "{error}");
        assert!(!trace.exists());

        machine.allow_build.set(true);
        let lock = machine.resolve("built", &index).unwrap();
        machine.install(&lock, &index, "one").unwrap();
        assert!(trace.exists());
        assert_eq!(machine.python("one", &["-c", "import built; print(built.built)"]), "True\n");
        machine.install(&lock, &index, "two").unwrap();
        assert_eq!(machine.tree_id("one"), machine.tree_id("two"));

        // What the lock says may be built is not built where it is not allowed.
        machine.allow_build.set(false);
        fs::remove_dir_all(machine.folder("cache")).unwrap();
        fs::remove_file(&trace).unwrap();
        machine.install(&lock, &index, "three").unwrap_err();
        assert!(!trace.exists() && machine.is_empty("three"));
    }
}

#[test]
fn a_lock_is_for_one_python() {
    for machine in machines() {
        let (_server, index) = index(&machine);
        let text = machine.resolve("hello", &index).unwrap().to_string();
        let line = text.lines().find(|line| line.starts_with("# python: ")).unwrap();
        let other = Lock::parse(&text.replace(line, "# python: cpython 2.7")).unwrap();
        let error = machine.install(&other, &index, "one").unwrap_err();
        assert!(matches!(error, PythonError::OtherPython { .. }), "{error}");
        assert!(machine.is_empty("one"));
    }
}
