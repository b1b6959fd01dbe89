//! Names, modes, links and shapes of trees.

use super::{DIR, EXECUTABLE, FILE, LINK, assert_like_archive, repository};
use crate::support::Sandbox;

#[test]
fn hostile_but_honest_names() {
    let sandbox = Sandbox::new();
    let long = [b"dir/".as_slice(), &[b'n'; 255]].concat();
    let deep = format!("dir/{}leaf", "d/".repeat(120));
    let names: &[&[u8]] = &[
        b"dir/with space",
        b"dir/ leading and trailing ",
        b"dir/new\nline",
        b"dir/tab\tand\rreturn",
        b"dir/q\"uo'te\\back",
        b"dir/\xff\xfe not utf-8",
        "dir/ä ö 日本".as_bytes(),
        b"dir/-rf",
        b"dir/--help",
        b"dir/~",
        b"dir/$HOME",
        b"dir/%1{HOME}",
        b"dir/*",
        b"dir/[a]",
        b"dir/...",
        b"dir/.hidden/.file",
        b"dir/con.txt",
        b"dir/a:b",
        b"dir/\x1b[31m",
        b"dir/\x7f",
        b"dir/versions/.x.json",
        b"dir/.staging-1/x",
        b"dir/.distman/epoch",
        &long,
        deep.as_bytes(),
    ];
    let entries: Vec<_> = names.iter().map(|name| (FILE, *name, *name)).collect();
    let repo = repository(&sandbox, DIR, &entries);
    repo.dist([]).success();
    assert_like_archive(&sandbox, &repo);
}

#[test]
fn modes_links_and_empty_files() {
    let sandbox = Sandbox::new();
    let entries: &[(&str, &[u8], &[u8])] = &[
        (FILE, b"dir/empty", b""),
        (EXECUTABLE, b"dir/empty-run", b""),
        (EXECUTABLE, b"dir/run", b"#!/bin/sh\n"),
        (FILE, b"dir/no-newline", b"x"),
        (FILE, b"dir/nul", b"\0\0\0"),
        (LINK, b"dir/to-file", b"run"),
        (LINK, b"dir/to-dir", b"sub/"),
        (LINK, b"dir/dangling", b"nowhere"),
        (LINK, b"dir/upwards", b"../../../outside"),
        (LINK, b"dir/absolute", b"/etc/passwd"),
        (LINK, b"dir/not utf-8", b"\xff\xfe"),
        (LINK, b"dir/itself", b"itself"),
        (FILE, b"dir/sub/file", b"sub\n"),
    ];
    let repo = repository(&sandbox, DIR, entries);
    repo.dist([]).success();
    assert_like_archive(&sandbox, &repo);
}

#[test]
fn names_that_sort_differently_as_files_and_as_folders() {
    let sandbox = Sandbox::new();
    let names: &[&[u8]] = &[
        b"dir/a-b",
        b"dir/a.b",
        b"dir/a/x",
        b"dir/a/x.y",
        b"dir/a/x/..z",
        b"dir/a0",
        b"dir/a=",
        b"dir/A",
        b"dir/a\x01",
        b"dir/b.c/d",
        b"dir/b/d",
        b"dir/b0/d",
        b"dir/b-/d",
    ];
    let names = names.iter().filter(|name| !name.starts_with(b"dir/a/x/"));
    let entries: Vec<_> = names.map(|name| (FILE, *name, *name)).collect();
    let repo = repository(&sandbox, DIR, &entries);
    repo.dist([]).success();
    assert_like_archive(&sandbox, &repo);
    // The next version shares files; what it holds is the same.
    let mut entries = entries;
    entries.push((FILE, b"dir/a.c", b"new"));
    super::commit(&repo, DIR, &entries);
    repo.dist([]).success();
    assert_like_archive(&sandbox, &repo);
}

#[test]
fn many_files_in_many_folders() {
    let sandbox = Sandbox::new();
    let names: Vec<String> = (0..1_000).map(|n| format!("dir/{}/{}/{n}", n % 7, n % 31)).collect();
    let entries: Vec<_> = names.iter().map(|name| (FILE, name.as_bytes(), name.as_bytes())).collect();
    let repo = repository(&sandbox, DIR, &entries);
    repo.dist([]).success();
    assert_like_archive(&sandbox, &repo);
}

#[test]
fn a_sha256_repository_has_sha256_contents() {
    let sandbox = Sandbox::new();
    let repo = sandbox.repo_with("project.git", ["--bare", "--object-format=sha256"]);
    let attributes: &[u8] = b"*.id ident\n*.dos text eol=crlf\n";
    super::commit(
        &repo,
        DIR,
        &[
            (FILE, b".gitattributes", attributes),
            (FILE, b"dir/a.id", b"$Id$\n"),
            (FILE, b"dir/b.dos", b"x\n"),
        ],
    );
    repo.dist([]).success();
    assert_like_archive(&sandbox, &repo);
}
