//! Eggs in a directory and in a bucket.

use std::fs;

use git_dist::python::{Lock, PythonError};
use git_dist::remote::Content;

use super::packages::{egg, wheel};
use super::{Machine, files, machines};
use crate::remote::s3::Moto;

/// A machine, the version of its Python, and the address of a directory with eggs.
fn machine() -> (Machine, String, String) {
    // Neither uv nor pip is asked for eggs.
    let machine = Machine::new("/nowhere".as_ref(), false);
    let python = machine.python("", &["-c", "import sys; print('%d.%d' % sys.version_info[:2])"]);
    let python = python.trim().to_owned();
    for version in ["1.2", "1.9", "1.10"] {
        egg(&machine.packages(), "hello", version, &python);
    }
    egg(&machine.packages(), "hello", "3.0", "2.7");
    let index = format!("packages:{}", machine.packages().display());
    (machine, python, index)
}

#[test]
fn the_highest_egg_that_runs_is_copied_as_one_file() {
    let (machine, python, index) = machine();
    let lock = machine.resolve("Hello>=1.2", &index).unwrap();
    let lock = Lock::parse(&lock.to_string()).unwrap();
    let installed = machine.install(&lock, &index, "one").unwrap();
    let file = format!("hello-1.10-py{python}.egg");
    assert_eq!((installed.version.as_str(), installed.egg.as_ref()), ("1.10", Some(&file)));
    assert!(installed.tool.starts_with("git-dist "), "{}", installed.tool);
    assert_eq!(files(&machine.folder("one")), [file.as_str()]);
    let (there, here) = (machine.packages().join(&file), machine.folder("one").join(&file));
    assert_eq!(fs::read(there).unwrap(), fs::read(here).unwrap());
    let printed = machine.python(&format!("one/{file}"), &["-c", "import hello; hello.main()"]);
    assert_eq!(printed, "hello 1.10\n");

    assert_eq!(machine.newer(&lock, &index).unwrap(), None);
    egg(&machine.packages(), "hello", "1.11", &python);
    assert_eq!(machine.newer(&lock, &index).unwrap().unwrap().version(), "1.11");
    assert_eq!(machine.resolve("hello<1.10", &index).unwrap().version(), "1.9");
    let error = machine.resolve("hello>=2", &index).unwrap_err();
    assert!(matches!(error, PythonError::NotFound { .. }), "{error}");
}

/// As people make them: with a `setup.py`.
#[test]
fn an_egg_of_setuptools_is_one_like_others() {
    let machine = Machine::new("/nowhere".as_ref(), false);
    let project = machine.folder("project");
    fs::create_dir_all(project.join("hello")).unwrap();
    let setup = "from setuptools import setup\nsetup(name='hello', version='1.4', packages=['hello'])\n";
    fs::write(project.join("setup.py"), setup).unwrap();
    fs::write(project.join("hello/__init__.py"), "def main():\n    print('built')\n").unwrap();
    let dist = machine.packages();
    let mut python = machine.sandbox.command("python3", &project);
    python.args(["setup.py", "--quiet", "bdist_egg", "--dist-dir"]).arg(&dist);
    let built = python.output().unwrap();
    if !built.status.success() {
        let said = String::from_utf8_lossy(&built.stderr).into_owned();
        // Not `skipped`: a Python without setuptools, or with one that makes no eggs any more, is as good.
        eprintln!("SKIPPED: this Python makes no eggs: {}", said.lines().last().unwrap_or_default());
        return;
    }
    let index = format!("packages:{}", dist.display());
    let lock = machine.resolve("hello", &index).unwrap();
    let installed = machine.install(&lock, &index, "one").unwrap();
    let file = installed.egg.unwrap();
    assert_eq!(machine.python(&format!("one/{file}"), &["-c", "import hello; hello.main()"]), "built\n");
}

#[test]
fn an_egg_that_was_replaced_is_refused() {
    let (machine, python, index) = machine();
    let lock = machine.resolve("hello", &index).unwrap();
    let file = machine.packages().join(format!("hello-1.10-py{python}.egg"));
    let mut bytes = fs::read(&file).unwrap();
    bytes.push(0);
    fs::write(&file, bytes).unwrap();
    // The one that was chosen is here.
    machine.install(&lock, &index, "one").unwrap();
    fs::remove_dir_all(machine.folder("cache")).unwrap();
    let error = machine.install(&lock, &index, "two").unwrap_err();
    assert!(matches!(error, PythonError::Mismatch { .. }), "{error}");
    assert!(error.hint().is_some() && machine.is_empty("two"));
    machine.offline.set(true);
    let error = machine.install(&lock, &index, "two").unwrap_err();
    assert!(matches!(error, PythonError::Offline { .. }), "{error}");
}

#[test]
fn what_is_no_zip_file_is_no_egg() {
    let (machine, python, index) = machine();
    fs::write(machine.packages().join(format!("hello-2.0-py{python}.egg")), "404 not found").unwrap();
    let error = machine.resolve("hello", &index).unwrap_err();
    assert!(error.to_string().contains("is no zip file"), "{error}");
    machine.most.set(10);
    let error = machine.resolve("hello<2", &index).unwrap_err();
    assert!(error.to_string().contains("larger than 10 bytes"), "{error}");
}

#[test]
fn a_wheel_of_a_higher_version_is_preferred_to_an_egg() {
    let (machine, _, index) = machine();
    wheel("hello", "1.8").write(&machine.packages());
    assert_eq!(machine.resolve("hello", &index).unwrap().version(), "1.10");
    wheel("hello", "1.20").write(&machine.packages());
    let lock = machine.resolve("hello", &index).unwrap();
    assert_eq!(lock.version(), "1.20");
    assert_eq!(machine.install(&lock, &index, "one").unwrap().egg, None);
}

#[test]
fn eggs_and_wheels_lie_in_a_bucket() {
    let Some(moto) = Moto::start() else { return };
    let bucket = moto.open("s3://bucket/packages");
    for mut machine in machines() {
        for (name, value) in moto.settings() {
            machine.set(name, value);
        }
        egg(&machine.packages(), "eggs", "1.0", "3");
        let file = "eggs-1.0.egg";
        fs::rename(machine.packages().join("eggs-1.0-py3.egg"), machine.packages().join(file)).unwrap();
        wheel("hello", "1.0").needs("dep").write(&machine.packages());
        wheel("dep", "1.0").write(&machine.packages());
        for name in files(&machine.packages()) {
            let bytes = fs::read(machine.packages().join(&name)).unwrap();
            bucket.create(&name, &Content::Bytes(&bytes)).unwrap();
        }
        let index = "packages:s3://bucket/packages";
        let lock = machine.resolve("eggs", index).unwrap();
        assert_eq!(machine.install(&lock, index, "eggs").unwrap().egg.as_deref(), Some(file));
        assert_eq!(files(&machine.folder("eggs")), [file]);
        let lock = machine.resolve("hello", index).unwrap();
        machine.install(&lock, index, "hello").unwrap();
        assert_eq!(machine.python("hello", &["-c", "import hello, dep; dep.main()"]), "dep 1.0\n");
        machine.offline.set(true);
        machine.install(&lock, index, "again").unwrap();
        assert_eq!(machine.tree_id("hello"), machine.tree_id("again"));
        assert!(!lock.to_string().contains("AWS"), "{lock}");
    }
}
