//! Indexes that are away, deny, or lie, and packages that do.

use std::fs;
use std::time::Duration;

use git_dist::python::{Cause, Index, PythonError};

use super::packages::{offer, wheel};
use super::{Machine, machines};
use crate::support::{HttpServer, Misbehaviour};

fn index(machine: &Machine) -> (HttpServer, String) {
    wheel("hello", "1.2").write(&machine.packages());
    let server = HttpServer::start();
    offer(&server, &machine.packages());
    let index = format!("pypi:{}/simple", server.url_with("user:s3cr3t"));
    (server, index)
}

#[track_caller]
fn assert_failed(machine: &Machine, error: &PythonError, expected: Cause) {
    let text = format!("{error} {error:?} {:?}", error.hint());
    assert!(!text.contains("s3cr3t"), "{text}");
    let PythonError::Failed { cause, tool, .. } = error else { panic!("{error:?}") };
    assert_eq!(*cause, expected, "{text}");
    assert_eq!(error.is_unreachable(), expected == Cause::Unreachable);
    assert!(tool.starts_with(if machine.is_uv { "uv " } else { "pip " }), "{text}");
}

#[test]
fn an_index_that_is_away_is_told_from_one_that_denies_and_one_that_has_nothing() {
    for machine in machines() {
        let (server, index) = index(&machine);
        let lock = machine.resolve("hello", &index).unwrap();
        for (status, cause) in
            [(404, Cause::NotFound), (401, Cause::Denied), (403, Cause::Denied), (500, Cause::Unreachable)]
        {
            server.misbehave("/", Misbehaviour::Status(status, ""));
            let _ = fs::remove_dir_all(machine.folder("cache"));
            assert_failed(&machine, &machine.resolve("hello", &index).unwrap_err(), cause);
            // One of each kind: every try takes its time.
            if matches!(status, 403 | 404 | 500) {
                assert_failed(&machine, &machine.install(&lock, &index, "one").unwrap_err(), cause);
                assert!(machine.is_empty("one"));
            }
            server.behave();
        }
        assert_failed(&machine, &machine.resolve("hello>2", &index).unwrap_err(), Cause::NotFound);
        assert_failed(&machine, &machine.resolve("missing", &index).unwrap_err(), Cause::NotFound);
        let nobody = "pypi:http://user:s3cr3t@127.0.0.1:9/simple";
        assert_failed(&machine, &machine.resolve("hello", nobody).unwrap_err(), Cause::Unreachable);
    }
}

#[test]
fn an_index_that_hangs_is_left_when_the_time_is_over() {
    for machine in machines() {
        let (server, index) = index(&machine);
        server.misbehave("/simple/", Misbehaviour::Hang);
        machine.time.set(Some(Duration::from_secs(6)));
        let error = machine.resolve("hello", &index).unwrap_err();
        assert_failed(&machine, &error, Cause::Unreachable);
        assert!(error.to_string().contains("did not end within 6s"), "{error}");
    }
}

#[test]
fn a_file_that_was_replaced_is_refused() {
    for machine in machines() {
        let (server, index) = index(&machine);
        let lock = machine.resolve("hello", &index).unwrap();
        fs::remove_dir_all(machine.folder("cache")).unwrap();
        let evil = wheel("hello", "1.2").with("evil.py", "").write(&machine.packages());
        server.put("/files/hello-1.2-py3-none-any.whl", &fs::read(&evil).unwrap());
        // With and without a page that admits it.
        for is_admitted in [false, true] {
            if is_admitted {
                offer(&server, &machine.packages());
            }
            let error = machine.install(&lock, &index, "one").unwrap_err();
            assert_failed(&machine, &error, Cause::Mismatch);
            assert!(machine.is_empty("one"));
        }
        let directory = format!("packages:{}", machine.packages().display());
        let error = machine.install(&lock, &directory, "one").unwrap_err();
        assert!(matches!(error, PythonError::Mismatch { .. }) && !error.is_unreachable(), "{error}");
        assert!(machine.is_empty("one"));
    }
}

#[test]
fn a_wheel_that_leads_elsewhere_puts_nothing_there() {
    for machine in machines() {
        let outside = machine.folder("outside.py");
        let absolute = outside.to_str().unwrap();
        for (version, path) in
            [("1.0", "../outside.py"), ("1.1", absolute), ("1.2", "hello/../../outside.py")]
        {
            wheel("hello", version).with(path, "evil = True\n").write(&machine.packages());
        }
        wheel("hello", "1.3").with("hello-1.3.data/scripts/../../outside.py", "").write(&machine.packages());
        wheel("hello", "1.4").with("hello-1.4.data/data/../../../outside.py", "").write(&machine.packages());
        let index = format!("packages:{}", machine.packages().display());
        for version in ["1.0", "1.1", "1.2", "1.3", "1.4"] {
            if let Ok(lock) = machine.resolve(&format!("hello=={version}"), &index) {
                // Refused, or without what leads elsewhere: as the program has it.
                let _ = machine.install(&lock, &index, "one");
            }
            assert!(!outside.exists(), "{version}");
            let _ = fs::remove_dir_all(machine.folder("one"));
        }
    }
}

#[test]
fn packages_are_no_larger_than_they_may_be() {
    for machine in machines() {
        let (server, index) = index(&machine);
        let text = "#".repeat(3_000_000);
        wheel("hello", "1.3").with("hello/large.py", &text).write(&machine.packages());
        offer(&server, &machine.packages());
        machine.most.set(2_000_000);
        let lock = machine.resolve("hello", &index).unwrap();
        let directory = format!("packages:{}", machine.packages().display());
        for index in [&index, &directory] {
            let error = machine.install(&lock, index, "one").unwrap_err();
            assert!(matches!(error, PythonError::TooLarge { .. }), "{error}");
            assert!(machine.is_empty("one"));
        }
    }
}

#[test]
fn a_package_that_needs_an_address_is_refused() {
    for machine in machines() {
        let (server, index) = index(&machine);
        let need = format!("dep @ {}/files/hello-1.2-py3-none-any.whl", server.url());
        wheel("hello", "1.3").needs(Box::leak(need.into_boxed_str())).write(&machine.packages());
        offer(&server, &machine.packages());
        let error = machine.resolve("hello", &index).unwrap_err();
        assert!(matches!(error, PythonError::Failed { .. }) && !error.is_unreachable(), "{error}");
    }
}

#[test]
fn without_a_program_or_a_python_that_is_said() {
    for mut machine in machines() {
        let (_server, index) = index(&machine);
        machine.sandbox.script("python3", "#!/bin/sh\necho 'Python 3'\n");
        let error = machine.resolve("hello", &index).unwrap_err();
        assert!(matches!(error, PythonError::NoPython { .. }), "{error}");
        let said = r#"{"executable": "/nowhere/python3", "version": "3.11", "implementation": "cpython", "platform": "x"}"#;
        machine.sandbox.script("python3", &format!("#!/bin/sh\necho '{said}'\n"));
        machine.sandbox.script("uv", "#!/bin/sh\necho 'uv 0.1.0'\n");
        let error = machine.resolve("hello", &index).unwrap_err();
        assert!(matches!(error, PythonError::NoTool { .. }), "{error}");
        machine.set("PATH", "/nowhere");
        let error = machine.resolve("hello", &index).unwrap_err();
        assert!(matches!(error, PythonError::NoPython { .. }), "{error}");
        assert!(Index::is_one(&index));
    }
}
