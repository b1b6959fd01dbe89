//! `.gitattributes`: which files apply, what their patterns match, what is left out.

use super::{
    DIR, FILE, archived, assert_like_archive, assert_recorded, commit, deployed, is_gits_own, repository,
};
use crate::support::{Sandbox, tree};

#[test]
fn patterns_macros_nesting_and_negation() {
    let sandbox = Sandbox::new();
    let root = b"\xef\xbb\xbf# a byte order mark, a comment, a line end of another system\r\n\
        [attr]hidden export-ignore\r\n\
        [attr]dos text eol=crlf\n\
        *.txt dos\n\
        secret export-ignore\n\
        \"with space\" export-ignore\n\
        \"quoted\\tname\" hidden\n\
        /dir/rooted export-ignore\n\
        rooted-elsewhere/x export-ignore\n\
        dir/only-this/*.o hidden\n\
        **/any-depth export-ignore\n\
        dir/**/below export-ignore\n\
        folder/ export-ignore\n\
        !negated export-ignore\n\
        \\!bang export-ignore\n\
        [ab]?.glob export-ignore\n\
        build export-ignore\n\
        value export-ignore=yes\n\
        twice export-ignore\n\
        twice -export-ignore\n";
    let nested = b"secret -export-ignore\n\
        kept !export-ignore\n\
        [attr]mine export-ignore\n\
        marked mine\n\
        *.txt -text\n\
        local export-ignore\n";
    let mut entries: Vec<(&str, &[u8], &[u8])> =
        vec![(FILE, b".gitattributes", root), (FILE, b"dir/nested/.gitattributes", nested)];
    let names = [
        "secret",
        "with space",
        "quoted\tname",
        "rooted",
        "deep/rooted",
        "rooted-elsewhere/x",
        "only-this/a.o",
        "only-this/deep/a.o",
        "any-depth",
        "x/y/any-depth",
        "below",
        "x/below",
        "x/y/below",
        "folder/inside",
        "folder-file",
        "x/folder",
        "!negated",
        "negated",
        "!bang",
        "bang",
        "a1.glob",
        "c1.glob",
        "build/inside",
        "x/build/inside",
        "value",
        "twice",
        "a.txt",
        "nested/secret",
        "nested/kept",
        "nested/marked",
        "nested/a.txt",
        "nested/local",
        "nested/deep/local",
        "nested/deep/secret",
        "local",
        "all-ignored/secret",
        "all-ignored/deep/secret",
        ".hidden",
        ".gitignore",
        "deep/.gitignore",
        ".gitmodules-not",
    ];
    let paths: Vec<String> = names.iter().map(|name| format!("dir/{name}")).collect();
    entries.extend(paths.iter().map(|path| (FILE, path.as_bytes(), &b"one\ntwo\n"[..])));
    let repo = repository(&sandbox, DIR, &entries);
    repo.dist([]).success();
    assert_like_archive(&sandbox, &repo);
    // With `--all` git's own files come too, and nothing differs any more.
    repo.dist(["--all"]).success();
    assert_eq!(deployed(&sandbox, "dir"), archived(&sandbox, &repo, "dir").without_empty_folders());
}

#[test]
fn a_subdirectory_and_a_single_file_see_the_attributes_above() {
    let sandbox = Sandbox::new();
    let manifest = r#"{ "version": 1, "targets": {
        "inner": { "source": "a/b/inner", "destination": "{DEPLOY_ROOT}/inner" },
        "file": { "source": "a/b/inner/x.txt", "destination": "{DEPLOY_ROOT}/x.txt" },
        "each": { "source": "a/b/*/*.txt", "destination": "{DEPLOY_ROOT}/each/%1-%2" } } }"#;
    let entries: &[(&str, &[u8], &[u8])] = &[
        (FILE, b".gitattributes", b"/a/b/inner/*.txt text eol=crlf\n*.tmp export-ignore\n"),
        (FILE, b"a/.gitattributes", b"/b/inner/lf.txt -text\n/b/other/ignored.txt export-ignore\n"),
        (FILE, b"a/b/inner/x.txt", b"x\n"),
        (FILE, b"a/b/inner/lf.txt", b"x\n"),
        (FILE, b"a/b/inner/x.tmp", b"x\n"),
        (FILE, b"a/b/inner/deep/x.txt", b"x\n"),
        (FILE, b"a/b/other/ignored.txt", b"x\n"),
        (FILE, b"a/b/other/kept.txt", b"x\n"),
    ];
    let repo = repository(&sandbox, manifest, entries);
    repo.dist([]).success();
    assert_eq!(deployed(&sandbox, "inner"), archived(&sandbox, &repo, "a/b/inner"));
    assert_recorded(&sandbox, &repo, "inner");
    assert_eq!(std::fs::read(sandbox.root().join("x.txt")).unwrap(), b"x\r\n");
    assert_eq!(std::fs::read(sandbox.root().join("each/inner-x")).unwrap(), b"x\r\n");
    assert_eq!(std::fs::read(sandbox.root().join("each/inner-lf")).unwrap(), b"x\n");
    assert!(sandbox.root().join("each/other-kept").exists());
    assert!(!sandbox.root().join("each/other-ignored").exists());
}

#[test]
fn a_change_of_attributes_above_makes_a_new_version() {
    let sandbox = Sandbox::new();
    let repo = repository(&sandbox, DIR, &[(FILE, b"dir/x.txt", b"x\n"), (FILE, b"dir/y.txt", b"y\n")]);
    repo.dist([]).success();
    let before = sandbox.active("dir");
    let attributes = b"dir/x.txt text eol=crlf\n";
    commit(
        &repo,
        DIR,
        &[(FILE, b".gitattributes", attributes), (FILE, b"dir/x.txt", b"x\n"), (FILE, b"dir/y.txt", b"y\n")],
    );
    repo.dist([]).success();
    assert_ne!(sandbox.active("dir"), before);
    assert_like_archive(&sandbox, &repo);
}

#[test]
fn the_host_has_no_say() {
    let entries: &[(&str, &[u8], &[u8])] = &[
        (FILE, b".gitattributes", b"*.txt text\n*.auto text=auto\n*.subst export-subst\n"),
        (FILE, b"dir/a.txt", b"a\n"),
        (FILE, b"dir/b.auto", b"b\n"),
        (FILE, b"dir/plain", b"plain\n"),
        (FILE, b"dir/x.subst", b"$Format:%h %ad %an %d$\n"),
        (FILE, b"dir/UPPER.TXT", b"upper\n"),
    ];
    let untouched = Sandbox::new();
    let repo = repository(&untouched, DIR, entries);
    repo.dist([]).success();
    assert_like_archive(&untouched, &repo);

    let sandbox = Sandbox::new();
    let repo = repository(&sandbox, DIR, entries);
    std::fs::write(sandbox.home().join("attributes"), "* export-ignore\n").unwrap();
    std::fs::write(repo.path().join("info/attributes"), "*.txt export-ignore\nplain text eol=crlf\n")
        .unwrap();
    for scope in ["--global", "--local"] {
        for (key, value) in [
            ("core.autocrlf", "true"),
            ("core.eol", "crlf"),
            ("core.attributesFile", "~/attributes"),
            ("core.abbrev", "20"),
            ("core.ignoreCase", "true"),
            ("core.fileMode", "false"),
            ("core.symlinks", "false"),
            ("log.date", "iso"),
            ("log.decorate", "full"),
            ("log.showSignature", "true"),
            ("log.follow", "true"),
            ("color.ui", "always"),
            ("format.pretty", "raw"),
            ("i18n.logOutputEncoding", "ISO-8859-1"),
        ] {
            repo.git(["config", scope, key, value]);
        }
    }
    repo.dist([]).success();
    assert_eq!(tree(sandbox.root().join("dir")), tree(untouched.root().join("dir")));
    // git archive listens to the host.
    assert_ne!(archived(&sandbox, &repo, "dir").without(is_gits_own), deployed(&sandbox, "dir"));
}

#[test]
fn nothing_left_and_ignored_sources_are_errors() {
    let sandbox = Sandbox::new();
    let repo = repository(
        &sandbox,
        DIR,
        &[(FILE, b".gitattributes", b"*.o export-ignore\n"), (FILE, b"dir/a.o", b"")],
    );
    insta::assert_snapshot!(repo.dist([]).snapshot(), @"
    exit code: 1
    ----- stdout
    ----- stderr
    error: nothing of `dir` is left to deploy: all of it is ignored or `export-ignore`
    ");
    commit(&repo, DIR, &[(FILE, b".gitattributes", b"/dir export-ignore\n"), (FILE, b"dir/a", b"")]);
    insta::assert_snapshot!(repo.dist([]).snapshot(), @"
    exit code: 1
    ----- stdout
    ----- stderr
    error: target `dir`: source `dir` is `export-ignore` in .gitattributes
    ");
    assert!(!sandbox.root().join("dir").exists());
}

#[test]
fn the_option_ignore_leaves_out_more() {
    let sandbox = Sandbox::new();
    let manifest =
        DIR.replace(r#""targets""#, r#""options": { "ignore": ["*.pyc", "/top", "tests/"] }, "targets""#);
    let names = ["a.py", "a.pyc", "deep/b.pyc", "top", "deep/top", "tests/x", "deep/tests/y", "tests-not"];
    let paths: Vec<String> = names.iter().map(|name| format!("dir/{name}")).collect();
    let entries: Vec<_> = paths.iter().map(|path| (FILE, path.as_bytes(), &b""[..])).collect();
    let repo = repository(&sandbox, &manifest, &entries);
    repo.dist([]).success();
    insta::assert_snapshot!(tree(sandbox.root().join("dir")), @r#"
    444 file a.py = ""
    755 dir deep
    444 file deep/top = ""
    444 file tests-not = ""
    "#);
    assert_recorded(&sandbox, &repo, "dir");
}
