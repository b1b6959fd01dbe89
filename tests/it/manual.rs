//! `git dist man`.

use std::fs;
use std::path::Path;

use crate::support::Sandbox;

#[test]
fn the_manual_is_installed_where_man_looks_for_it() {
    let sandbox = Sandbox::new();
    let prefix = sandbox.home().join(".cargo");
    fs::create_dir_all(prefix.join("bin")).unwrap();
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_git-dist"), prefix.join("bin/git-dist")).unwrap();
    let path = format!("{}:/usr/bin:/bin", prefix.join("bin").display());
    let run = sandbox.run(sandbox.dist_command(sandbox.path()).env("PATH", path).args(["man", "--install"]));
    run.success().says("[SANDBOX]/home/.cargo/share/man/man1; `git help dist` shows it");
    let page = fs::read_to_string(prefix.join("share/man/man1/git-dist.1")).unwrap();
    assert!(page.contains("git dist"), "{page}");
    assert!(prefix.join("share/man/man1/git-dist-rollback.1").exists());
}

#[test]
fn without_such_a_place_the_manual_goes_to_the_users_data() {
    let sandbox = Sandbox::new();
    for (data, folder) in [("", "home/.local/share"), ("data", "data")] {
        let mut command = sandbox.dist_command(sandbox.path());
        if !data.is_empty() {
            command.env("XDG_DATA_HOME", sandbox.path().join(data));
        }
        let run = sandbox.run(command.args(["man", "--install"])).success();
        run.says(&format!(
            "[SANDBOX]/{folder}/man/man1; `MANPATH=[SANDBOX]/{folder}/man: git help dist` shows it"
        ));
        assert!(sandbox.path().join(folder).join("man/man1/git-dist.1").exists());
    }
}

#[test]
fn the_manual_is_printed() {
    let sandbox = Sandbox::new();
    let run = sandbox.run(sandbox.dist_command(Path::new("/")).arg("man")).success();
    assert!(run.stdout().contains(".TH GIT-DIST 1"), "{}", run.snapshot());
}
