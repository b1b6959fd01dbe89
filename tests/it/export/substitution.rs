//! `export-subst`.

use super::{DIR, FILE, assert_like_archive, commit, repository};
use crate::support::{Repo, Sandbox};

const ATTRIBUTES: (&str, &[u8], &[u8]) = (FILE, b".gitattributes", b"* export-subst\n*.not -export-subst\n");

#[test]
fn formats_as_git_log_prints_them() {
    let sandbox = Sandbox::new();
    let entries: &[(&str, &[u8], &[u8])] = &[
        ATTRIBUTES,
        (FILE, b".mailmap", b"Mapped Name <mapped@example.org> <tess@example.org>\n"),
        (FILE, b"dir/ids", b"$Format:%H %h %T %t %P %p$"),
        (FILE, b"dir/who", b"$Format:%an %ae %cn %ce %aN <%aE>$\n"),
        (FILE, b"dir/when", b"$Format:%ad|%aI|%at|%cd|%cI|%ct|%as$\n"),
        (FILE, b"dir/what", b"$Format:%s|%f|%b|%B$\n"),
        (FILE, b"dir/refs", b"$Format:%d|%D|%(decorate)$\n"),
        (FILE, b"dir/odd", b"$Format:%n%%%x41%Cred%C(auto)%Creset %w(20,1,2)%s%m%e %Z % $\n"),
        (FILE, b"dir/several", b"a $Format:%h$ b $Format:%H$ c $Format:%h$$Format:%an$\n"),
        (FILE, b"dir/empty", b"[$Format:$]\n"),
        (FILE, b"dir/open", b"$Format:%h$ $Format:%H without an end\n"),
        (FILE, b"dir/nearly", b"$Format$ $format:%h$ $Format %h$ Format:%h$\n"),
        (FILE, b"dir/lines", b"$Format:%h\n%an$\n"),
        (FILE, b"dir/binary", b"\0$Format:%h$\xff"),
        (FILE, b"dir/x.not", b"$Format:%h$\n"),
        (super::LINK, b"dir/link", b"$Format:%h$"),
    ];
    let repo = repository(&sandbox, DIR, entries);
    commit(&repo, DIR, entries);
    repo.git(["tag", "v1"]);
    repo.git(["tag", "--annotate", "--message", "annotated", "v1-annotated"]);
    repo.git(["branch", "side"]);
    repo.dist([]).success();
    assert_like_archive(&sandbox, &repo);
}

#[test]
fn a_commit_in_another_encoding() {
    let sandbox = Sandbox::new();
    let repo = sandbox.repo("project");
    repo.write("dist.json", DIR);
    repo.write(".gitattributes", "* export-subst\n");
    repo.write("dir/subject", "$Format:%s %e$\n");
    repo.git(["add", "--all"]);
    repo.write("message", b"gr\xfc\xdfe\n");
    repo.git(["-c", "i18n.commitEncoding=ISO-8859-1", "commit", "--quiet", "--file", "message"]);
    repo.dist([]).success();
    assert_like_archive(&sandbox, &repo);
    // As git archive: in the commit's own encoding.
    assert_eq!(std::fs::read(sandbox.root().join("dir/subject")).unwrap(), b"gr\xfc\xdfe ISO-8859-1\n");
}

#[test]
fn names_are_mapped_by_the_commit_and_not_by_the_working_tree() {
    let sandbox = Sandbox::new();
    let repo = sandbox.repo("project");
    repo.write("dist.json", DIR);
    repo.write(".gitattributes", "* export-subst\n");
    repo.write(".mailmap", "Mapped Name <tess@example.org>\n");
    repo.write("dir/author", "$Format:%aN$\n");
    repo.commit("first");
    repo.write(".mailmap", "Uncommitted Name <tess@example.org>\n");
    repo.git(["config", "mailmap.file", ".mailmap"]);
    repo.dist([]).success();
    assert_eq!(std::fs::read(sandbox.root().join("dir/author")).unwrap(), b"Mapped Name\n");
}

#[test]
fn another_commit_is_another_version_where_it_is_written_into_the_files() {
    let sandbox = Sandbox::new();
    let with: &[(&str, &[u8], &[u8])] =
        &[ATTRIBUTES, (FILE, b"dir/version", b"$Format:%H$\n"), (FILE, b"dir/other", b"same\n")];
    let repo = repository(&sandbox, DIR, with);
    repo.dist([]).success();
    let read = |repo: &Repo<'_>| {
        assert_like_archive(&sandbox, repo);
        std::fs::read_to_string(sandbox.root().join("dir/version")).unwrap()
    };
    let first = read(&repo);
    let second = commit(&repo, DIR, with);
    repo.dist([]).success();
    assert_ne!(read(&repo), first);
    assert_eq!(read(&repo).trim_end(), second);
}
