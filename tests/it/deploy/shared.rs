//! `shared`: paths of a version that lead to data which outlives versions.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use crate::support::{Repo, Sandbox, tree};

/// A repository whose folder `public` goes to `www/site` with these shared paths.
fn site<'s>(sandbox: &'s Sandbox, shared: &str) -> Repo<'s> {
    let repo = sandbox.repo("project");
    repo.write("public/index.html", "one\n");
    declare(&repo, shared);
    repo
}

fn declare(repo: &Repo<'_>, more: &str) {
    repo.manifest(&format!(
        r#""site": {{ "source": "public", "destination": "{{DEPLOY_ROOT}}/www/site", {more} }}"#
    ));
}

fn data(sandbox: &Sandbox) -> std::path::PathBuf {
    sandbox.root().join("www/shared/site")
}

#[test]
fn folders_and_files_are_linked_and_begin_with_what_is_tracked() {
    let sandbox = Sandbox::new();
    let repo = site(&sandbox, r#""shared": ["uploads/", "./var//cache", "etc/site.ini", "notes"]"#);
    repo.write("public/uploads/welcome/hello.txt", "hello\n");
    repo.executable("public/uploads/welcome/run", "run\n");
    repo.symlink("public/uploads/welcome/link", "/etc");
    repo.write("public/etc/site.ini", "begin\n");
    repo.write("public/etc/other.ini", "other\n");
    repo.commit("first");
    repo.dist([]).success();
    insta::assert_snapshot!(tree(sandbox.root().join("www")), @r#"
    644 file .site.dist
    755 dir shared
    755 dir shared/site
    755 dir shared/site/etc
    644 file shared/site/etc/site.ini = "begin\n"
    755 dir shared/site/notes
    755 dir shared/site/uploads
    755 dir shared/site/uploads/welcome
    644 file shared/site/uploads/welcome/hello.txt = "hello\n"
    755 file shared/site/uploads/welcome/run = "run\n"
    755 dir shared/site/var
    755 dir shared/site/var/cache
    link site -> versions/site.1.1fdce18
    755 dir versions
    644 file versions/.site.1.1fdce18.files
    644 file versions/.site.1.1fdce18.json
    755 dir versions/site.1.1fdce18
    755 dir versions/site.1.1fdce18/etc
    444 file versions/site.1.1fdce18/etc/other.ini = "other\n"
    link versions/site.1.1fdce18/etc/site.ini -> ../../../shared/site/etc/site.ini
    444 file versions/site.1.1fdce18/index.html = "one\n"
    link versions/site.1.1fdce18/notes -> ../../shared/site/notes
    link versions/site.1.1fdce18/uploads -> ../../shared/site/uploads
    755 dir versions/site.1.1fdce18/var
    link versions/site.1.1fdce18/var/cache -> ../../../shared/site/var/cache
    "#);

    // Data is what the application makes of it, whatever is committed.
    fs::write(data(&sandbox).join("etc/site.ini"), "mine\n").unwrap();
    fs::remove_file(data(&sandbox).join("uploads/welcome/hello.txt")).unwrap();
    let before = tree(data(&sandbox));
    repo.write("public/etc/site.ini", "upstream\n");
    repo.write("public/uploads/welcome/hello.txt", "hello again\n");
    repo.write("public/index.html", "two\n");
    repo.commit("second");
    repo.dist([]).success();
    assert_eq!(tree(data(&sandbox)), before);
    assert_eq!(fs::read_to_string(sandbox.root().join("www/site/etc/site.ini")).unwrap(), "mine\n");
    repo.dist(["verify"]).success();
    repo.dist(["rollback"]).success();
    repo.dist(["delete", "-y", "site"]).success();
    assert_eq!(tree(data(&sandbox)), before, "data outlives the destination");
}

#[test]
fn what_somebody_put_there_is_left_alone() {
    let sandbox = Sandbox::new();
    let repo = site(&sandbox, r#""shared": ["key", "media", "gone"]"#);
    repo.write("public/key", "from git\n");
    repo.commit("first");
    fs::create_dir_all(data(&sandbox)).unwrap();
    fs::write(data(&sandbox).join("key"), "secret\n").unwrap();
    fs::set_permissions(data(&sandbox).join("key"), fs::Permissions::from_mode(0o600)).unwrap();
    fs::create_dir(sandbox.path().join("disk")).unwrap();
    std::os::unix::fs::symlink(sandbox.path().join("disk"), data(&sandbox).join("media")).unwrap();
    std::os::unix::fs::symlink("/nowhere/at/all", data(&sandbox).join("gone")).unwrap();
    let before = tree(data(&sandbox));
    repo.dist([]).success();
    assert_eq!(tree(data(&sandbox)), before);
    fs::write(sandbox.root().join("www/site/media/film"), "film\n").unwrap();
    assert!(sandbox.path().join("disk/film").exists());
}

#[test]
fn checks_find_the_data_in_what_is_staged() {
    let sandbox = Sandbox::new();
    let repo = site(
        &sandbox,
        r#""shared": ["uploads", "a/b"], "verify": ["touch {staged}/uploads/seen && test -d {staged}/a/b && ls -l"]"#,
    );
    repo.commit("first");
    repo.dist([]).success();
    assert!(data(&sandbox).join("uploads/seen").exists());
    assert!(sandbox.root().join("www/site/uploads/seen").exists());
}

#[test]
fn a_repair_links_the_data_again() {
    let sandbox = Sandbox::new();
    let repo = site(&sandbox, r#""shared": ["uploads"]"#);
    repo.commit("first");
    repo.dist([]).success();
    fs::write(data(&sandbox).join("uploads/film"), "film\n").unwrap();
    let version = sandbox.root().join("www").join(sandbox.active("www/site"));
    fs::remove_file(version.join("uploads")).unwrap();
    repo.dist(["verify"]).code(4).prints("uploads");
    repo.dist(["verify", "--repair"]).success();
    assert!(sandbox.root().join("www/site/uploads/film").exists());
    repo.dist(["verify"]).success();
}

#[test]
fn what_cannot_be_shared_is_refused() {
    for (shared, message) in [
        (r#""../x""#, "`shared` of target `site` must not contain `..`"),
        (r#""a/../../x""#, "`shared` of target `site` must not contain `..`"),
        (r#""/etc""#, "`shared` of target `site` must name paths inside the version, found `/etc`"),
        (r#""""#, "`shared` of target `site` is empty"),
        (r#"".""#, "`shared` of target `site` must name paths inside the version, found `.`"),
        (r#""a", "./a/""#, "`shared` of target `site` names `a` twice"),
        (r#""a/b", "a""#, "`shared` of target `site` names `a/b`, which lies inside `a`"),
        (
            r#""file/x""#,
            "target `site`: the shared path `file/x` lies below `file`, which is no folder in the source",
        ),
        (
            r#""link/x""#,
            "target `site`: the shared path `link/x` lies below `link`, which is no folder in the source",
        ),
        (r#""link""#, "target `site`: the shared path `link` is a symbolic link in the source"),
    ] {
        let sandbox = Sandbox::new();
        let repo = site(&sandbox, &format!(r#""shared": [{shared}]"#));
        repo.write("public/file", "x");
        repo.symlink("public/link", "file");
        repo.commit("first");
        repo.dist([]).code(1).says(message);
        let left = tree(sandbox.root()).without_empty_folders();
        let left = left.without(|path| path.starts_with(b".distman"));
        assert_eq!(left.to_string(), "", "{shared}");
        assert!(!sandbox.root().join("www/shared").exists(), "{shared}");
    }
    let sandbox = Sandbox::new();
    let repo = sandbox.repo("project");
    repo.write("tool", "x");
    repo.manifest(r#""tool": { "source": "tool", "destination": "{DEPLOY_ROOT}/tool", "shared": "x" }"#);
    repo.commit("first");
    let refused = repo.dist([]).code(1);
    refused.says("target `tool`: `shared` needs a folder, and what goes to `[SANDBOX]/root/tool` is none");
}

#[test]
fn destinations_keep_out_of_the_data() {
    for destination in ["www/shared", "www/shared/site", "www/shared/site/uploads"] {
        let sandbox = Sandbox::new();
        let repo = site(&sandbox, "");
        repo.manifest(&format!(
            r#""site": {{ "source": "public", "destination": "{{DEPLOY_ROOT}}/www/site", "shared": ["uploads"] }},
               "other": {{ "source": "public", "destination": "{{DEPLOY_ROOT}}/{destination}" }}"#
        ));
        repo.commit("first");
        for targets in ["*", "site", "other"] {
            let refused = repo.dist(["-t", targets]).code(1);
            refused.says("the shared data of target `site` in `[SANDBOX]/root/www/shared/site` are in each other's way");
        }
        assert!(!sandbox.root().exists());
    }
}

#[test]
fn links_on_the_way_to_the_data_are_not_followed() {
    for link in ["www/shared", "www/shared/site", "www/shared/site/a"] {
        let sandbox = Sandbox::new();
        let repo = site(&sandbox, r#""shared": ["a/b"]"#);
        repo.write("public/a/b/file", "x");
        repo.commit("first");
        let elsewhere = sandbox.path().join("elsewhere");
        fs::create_dir(&elsewhere).unwrap();
        let link = sandbox.root().join(link);
        fs::create_dir_all(link.parent().unwrap()).unwrap();
        std::os::unix::fs::symlink(&elsewhere, &link).unwrap();
        repo.dist([]).code(1);
        assert_eq!(fs::read_dir(&elsewhere).unwrap().count(), 0);
        assert!(!Path::new(&sandbox.root().join("www/site")).exists());
    }
}
