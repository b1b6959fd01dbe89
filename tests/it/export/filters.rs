//! Smudge filters, process filters and git-lfs.

use super::{DIR, FILE, assert_like_archive, commit, repository};
use crate::support::{Repo, Run, Sandbox, tree};

const ATTRIBUTES: (&str, &[u8], &[u8]) =
    (FILE, b".gitattributes", b"*.up filter=up\n*.unknown filter=unknown\n*.big filter=lfs -text\n");

/// A long-running filter (gitattributes(5), "Long Running Filter Process") that reverses the lines of a file and
/// says which path it was asked for.
const PROCESS: &str = r#"#!/usr/bin/env perl
use strict; use warnings; binmode STDIN; binmode STDOUT; $| = 1;
sub get { read(STDIN, my $size, 4) or exit; my $n = hex $size; return undef unless $n;
          read(STDIN, my $text, $n - 4); return $text }
sub get_all { my $all = ''; while (defined(my $text = get())) { $all .= $text } return $all }
sub put { print map { sprintf('%04x', length($_) + 4) . $_ } @_ }
sub flush { print '0000' }
get_all(); put("git-filter-server\n", "version=2\n"); flush();
get_all(); put("capability=smudge\n"); flush();
while (1) {
    my %said; while (defined(my $text = get())) { chomp $text; my ($key, $value) = split /=/, $text, 2; $said{$key} = $value }
    my $content = get_all();
    put("status=success\n"); flush();
    my $answer = "$said{pathname}\n" . join("\n", reverse split /\n/, $content, -1);
    put(substr($answer, 0, 60000, '')) while length $answer;
    flush(); flush();
}
"#;

#[test]
fn a_filter_that_is_configured_later_makes_a_new_version() {
    let sandbox = Sandbox::new();
    let repo = sandbox.repo("project");
    repo.write(".gitattributes", "x filter=up\n");
    repo.write("x", "abc\n");
    repo.manifest(r#""x": { "source": "x", "destination": "{DEPLOY_ROOT}/x" }"#);
    repo.commit("first");
    repo.dist([]).success();
    repo.dist([]).success().says("nothing to do");
    repo.git(["config", "filter.up.smudge", "tr a-z A-Z"]);
    repo.dist([]).success();
    assert_eq!(std::fs::read_to_string(sandbox.root().join("x")).unwrap(), "ABC\n");
}

#[test]
fn filters_that_cannot_be_read_are_not_taken_for_none() {
    let sandbox = Sandbox::new();
    let repo = sandbox.repo("project");
    repo.write(".gitattributes", "x filter=up\n");
    repo.write("x", "abc\n");
    repo.write("y", "abc\n");
    let target = |name: &str| {
        format!(r#""{name}": {{ "source": "{name}", "destination": "{{DEPLOY_ROOT}}/{name}" }}"#)
    };
    repo.manifest(&format!("{}, {}", target("x"), target("y")));
    repo.commit("first");
    repo.git(["config", "filter.up.smudge", "tr a-z A-Z"]);
    repo.git(["config", "core.eol", "nonsense"]);
    let refused = repo.dist([]).code(1);
    refused.says("cannot read the configuration of filters").says("core.eol");
    assert!(!sandbox.root().join("x").exists());
    repo.dist(["-t", "y"]).success();
}

#[test]
fn a_smudge_filter_runs_and_an_unknown_one_leaves_the_content() {
    let sandbox = Sandbox::new();
    let entries: &[(&str, &[u8], &[u8])] = &[
        ATTRIBUTES,
        (FILE, b"dir/a.up", b"one\n"),
        (FILE, b"dir/with space & $HOME.up", b"two\n"),
        (FILE, b"dir/empty.up", b""),
        (FILE, b"dir/b.unknown", b"as stored\n"),
        (super::EXECUTABLE, b"dir/run.up", b"run\n"),
        (super::LINK, b"dir/link.up", b"a.up"),
    ];
    let repo = repository(&sandbox, DIR, entries);
    sandbox.script("shout", "#!/bin/sh\necho \"for $1\"; tr a-z A-Z\n");
    repo.git(["config", "filter.up.smudge", "shout %f"]);
    repo.dist([]).success();
    assert_like_archive(&sandbox, &repo);
    // Another command may write other bytes: a new version, though the commit is the same.
    let before = sandbox.active("dir");
    repo.git(["config", "filter.up.smudge", "cat"]);
    repo.dist([]).success();
    assert_ne!(sandbox.active("dir"), before);
    assert_like_archive(&sandbox, &repo);
}

#[test]
fn a_process_filter_serves_many_files() {
    let sandbox = Sandbox::new();
    let large = "line\n".repeat(40_000) + "last\n";
    let paths: Vec<String> = (0..200).map(|n| format!("dir/{}/{n}.up", n % 5)).collect();
    let mut entries = vec![ATTRIBUTES, (FILE, &b"dir/large.up"[..], large.as_bytes())];
    entries.extend(paths.iter().map(|path| (FILE, path.as_bytes(), path.as_bytes())));
    let repo = repository(&sandbox, DIR, &entries);
    let script = sandbox.script("reverse", PROCESS);
    repo.git(["config", "filter.up.process", script.to_str().unwrap()]);
    repo.dist([]).success();
    assert_like_archive(&sandbox, &repo);
}

/// Deploys, which must fail and leave what was deployed before.
#[track_caller]
fn fails(sandbox: &Sandbox, repo: &Repo<'_>) -> Run {
    // A first run leaves the folders that it staged in.
    let is_folder = |path: &[u8]| path.starts_with(b".distman") || path == b"versions";
    let before = tree(sandbox.root()).without(is_folder);
    let run = repo.dist([]).code(1);
    assert_eq!(tree(sandbox.root()).without(is_folder), before);
    run
}

#[test]
fn a_failing_filter_stops_the_run() {
    // git archive leaves the content as stored unless the filter is `required`.
    let sandbox = Sandbox::new();
    let repo = repository(&sandbox, DIR, &[(FILE, b"dir/a", b"a\n")]);
    repo.dist([]).success();
    commit(&repo, DIR, &[ATTRIBUTES, (FILE, b"dir/a.up", b"a\n")]);
    for command in ["false", "cat; exit 3", "/nowhere/at/all", "echo half; kill -9 $$"] {
        repo.git(["config", "filter.up.smudge", command]);
        fails(&sandbox, &repo).says("cannot apply `filter=up` to `dir/a.up`");
    }
    repo.git(["config", "--unset", "filter.up.smudge"]);
    repo.git(["config", "filter.up.required", "true"]);
    fails(&sandbox, &repo).says("cannot apply `filter=up` to `dir/a.up`");
}

#[test]
fn a_git_lfs_pointer_is_never_content() {
    let sandbox = Sandbox::new();
    let pointer = b"version https://git-lfs.github.com/spec/v1\n\
        oid sha256:4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393\nsize 12345\n";
    let entries: &[(&str, &[u8], &[u8])] = &[
        ATTRIBUTES,
        (FILE, b"dir/a.big", pointer),
        (FILE, b"dir/b.big", b"stored before lfs came\n"),
        (FILE, b"dir/about-lfs.txt", pointer),
    ];
    let repo = repository(&sandbox, DIR, entries);
    insta::assert_snapshot!(fails(&sandbox, &repo).snapshot(), @"
    exit code: 1
    ----- stdout
    ----- stderr
    error: `dir/a.big` is a git-lfs pointer, and no configured filter fetched its content
    hint: `git lfs install`, then `git lfs fetch`
    ");
    repo.git(["config", "filter.lfs.smudge", "cat"]);
    fails(&sandbox, &repo).says("is a git-lfs pointer");
    sandbox.script(
        "fetch",
        "#!/bin/sh\nread first && case $first in version*) echo fetched;; *) echo \"$first\";; esac\n",
    );
    repo.git(["config", "filter.lfs.smudge", "fetch"]);
    repo.dist([]).success();
    assert_like_archive(&sandbox, &repo);
    assert_eq!(std::fs::read_to_string(sandbox.root().join("dir/a.big")).unwrap(), "fetched\n");
}
