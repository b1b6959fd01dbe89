//! The run of steps: what they see, what they leave, how they end.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::time::{Duration, Instant};

use git_dist::transform;
use serde_json::json;

use super::{Bench, mode, names, set_mode, steps_of, told};

#[test]
fn steps_follow_one_another() {
    let bench = Bench::new();
    bench.write("source/tool", "version __V__\n");
    bench.write(
        "checkout/scripts/shout.sh",
        "tr a-z A-Z <\"$1\" >\"$2\"; echo \"$GIT_DIST_TARGET $WORD\" >>\"$2\"\n",
    );
    let output = bench.run(
        "tool",
        &json!({
            "stamp": {"func": "distman.transform.replace_tokens", "options": {"tokens": {"__V__": "{GIT_DIST_VERSION}"}}},
            "shout": {"script": "sh scripts/shout.sh {input} {output}", "env": {"WORD": "in {DEPLOY_ROOT}"}},
            "sign": {"script": ["echo one >>{output}", "echo {WORD} \"{DEPLOY_ROOT}\" >>{output}"], "env": {"WORD": "a  b"}},
        }),
    );
    let output = output.unwrap();
    assert_eq!(output.file_name(), Some(OsStr::new("tool")));
    let text = fs::read_to_string(output).unwrap();
    assert_eq!(text, "VERSION TOOL.7.ABCDEF0\nbin in /srv/it's $(here)\none\na  b /srv/it's $(here)\n");
    assert_eq!(fs::read_to_string(bench.path("source/tool")).unwrap(), "version __V__\n");
}

#[test]
fn without_steps_the_source_is_the_result() {
    let bench = Bench::new();
    bench.write("source/tool", "");
    assert_eq!(bench.run("tool", &json!({})).unwrap(), bench.path("source/tool"));
}

#[test]
fn a_script_finds_a_copy_of_the_input_in_its_output() {
    let bench = Bench::new();
    bench.write("source/site/a.txt", "a").write("source/site/sub/.hidden", "h");
    symlink("a.txt", bench.path("source/site/link")).unwrap();
    symlink("/etc/hostname", bench.path("source/site/away")).unwrap();
    symlink("../../up", bench.path("source/site/sub/up")).unwrap();
    set_mode(bench.path("source/site/a.txt"), 0o444);
    let step = json!({"s": {"script": "echo b >{output}/sub/b.txt; echo more >>{output}/a.txt; rm {output}/sub/.hidden"}});
    let output = bench.run("site", &step).unwrap();
    assert_eq!(names(&output), ["a.txt", "away", "link", "sub"]);
    assert_eq!(names(&output.join("sub")), ["b.txt", "up"]);
    assert_eq!(fs::read_to_string(output.join("a.txt")).unwrap(), "amore\n");
    assert_eq!(fs::read_link(output.join("away")).unwrap(), Path::new("/etc/hostname"));
    assert_eq!(fs::read_to_string(bench.path("source/site/a.txt")).unwrap(), "a");

    // Nothing of that run is there in the next.
    let output = bench.run("site", &json!({"s": {"script": "true"}})).unwrap();
    assert_eq!(names(&output.join("sub")), [".hidden", "up"]);
}

#[test]
fn hostile_names_and_values_are_not_run() {
    let bench = Bench::new();
    for name in ["x; touch PWNED", "$(touch PWNED)", "a'b\"c", "-rf", "line\nbreak"] {
        bench.write(&format!("source/{name}"), "content");
        let steps = json!({"s": {"script": ["cat {input} >{output}", "cp -- '{input}' \"{output}\"", "echo \"{X}\" >>{output}"],
            "env": {"X": "'; touch PWNED; $(touch PWNED)"}}});
        let output = bench.run(name, &steps).unwrap();
        let text = fs::read_to_string(output).unwrap();
        assert_eq!(text, "content'; touch PWNED; $(touch PWNED)\n");
    }
    assert!(names(&bench.path("checkout")).is_empty());

    let name = OsStr::from_bytes(b"caf\xe9");
    fs::write(bench.path("source").join(name), "x").unwrap();
    let output = bench.run(name, &json!({"s": {"script": "cat {input} {input} >{output}"}})).unwrap();
    assert_eq!((output.file_name(), fs::read(&output).unwrap()), (Some(name), b"xx".to_vec()));
}

#[test]
fn a_failing_script_is_told_with_step_target_and_output() {
    let bench = Bench::new();
    bench.write("source/tool", "");
    let error = bench
        .run("tool", &json!({"lint": {"script": ["true", "echo oh; echo no >&2; exit 4", "touch after"]}}));
    assert_eq!(
        told(&error.unwrap_err()),
        "step `lint` of target `bin` failed\n\
         caused by: `echo oh; echo no >&2; exit 4` failed with exit status 4; it printed:\n    oh\n    no"
    );
    assert!(names(&bench.path("checkout")).is_empty());
}

#[test]
fn a_timeout_is_for_the_whole_step() {
    let bench = Bench::new();
    bench.write("source/tool", "");
    let started = Instant::now();
    let error = bench
        .run("tool", &json!({"slow": {"script": ["sleep 0.2", "sleep 30"], "timeout": 0.4}}))
        .unwrap_err();
    assert_eq!(
        told(&error),
        "step `slow` of target `bin` failed\ncaused by: `sleep 30` did not end within 400ms; it printed nothing"
    );
    assert!(started.elapsed() < Duration::from_secs(10));
    assert!(error.hint().is_some());
}

#[test]
fn an_interruption_is_no_failure() {
    let bench = Bench::new();
    bench.write("source/site/a.txt", "");
    for step in [json!({"script": "sleep 30"}), json!({"func": "minify"})] {
        let error = bench.run_while("site".as_ref(), &json!({"s": step}), &|| true).unwrap_err();
        assert!(error.is_interrupted(), "{error}");
    }
}

#[test]
fn outputs_that_cannot_be_deployed_are_refused() {
    let bench = Bench::new();
    bench.write("source/tool", "").write("source/site/a/b.txt", "");
    for (input, script, message) in [
        ("tool", "rm {output}", "it left no output at"),
        ("tool", "ln -sf /etc/passwd {output}", "is a link to `/etc/passwd`, which leads outside"),
        ("tool", "rm {output}; mkfifo {output}", "is neither a file nor a directory"),
        ("site", "mkfifo {output}/a/pipe", "a/pipe` is neither a file nor a directory"),
        ("site", "ln -s ../../x {output}/a/up", "a/up` is a link to `../../x`, which leads outside"),
        ("site", "ln -s {input}/a {output}/in", "in` is a link to"),
        ("site", "ln -s \"$PWD\" {output}/in", "in` is a link to"),
        ("site", "rm -r {output}", "it left no output at"),
    ] {
        let error = bench.run(input, &json!({"s": {"script": script}})).expect_err(script);
        let told = told(&error);
        assert!(told.starts_with("step `s` of target `bin` failed\n"), "{told}");
        assert!(told.contains(message), "{script}: {told}");
    }
    // What means the same everywhere, or stays inside, is content; so is a file that became a directory.
    let good = "ln -s /usr/bin/env {output}/env; ln -s ../a {output}/a/self; ln -s a/b.txt {output}/b";
    bench.run("site", &json!({"s": {"script": good}})).unwrap();
    // A version without write bits in its directories could not be removed.
    let output = bench.run("site", &json!({"s": {"script": "chmod -R a-w {output}"}})).unwrap();
    assert_eq!([mode(&output), mode(output.join("a"))].map(|mode| mode & 0o700), [0o700; 2]);
    let output = bench
        .run("tool", &json!({"s": {"script": "rm {output}; mkdir {output}; echo x >{output}/x"}}))
        .unwrap();
    assert_eq!(names(&output), ["x"]);
}

#[test]
fn a_link_as_the_source_stays_a_link() {
    let bench = Bench::new();
    symlink("/etc/hostname", bench.path("source/link")).unwrap();
    let output =
        bench.run("link", &json!({"a": {"func": "minify"}, "b": {"script": "echo x >{output}"}})).unwrap();
    assert_eq!(fs::read_link(output).unwrap(), Path::new("/etc/hostname"));
    let error = bench.run("missing", &json!({"a": {"func": "minify"}})).unwrap_err();
    assert!(told(&error).contains("there is nothing to transform at"));
}

#[test]
fn what_decides_the_bytes_is_known_before() {
    let bench = Bench::new();
    let steps = json!({
        "stamp": {"func": "distman.transform.replace_tokens", "options": {"tokens": {"v": "{GIT_DIST_VERSION}"}}, "timeout": 5},
        "s": {"script": ["cp {input} {output}", "echo $GIT_DIST_TARGET ${HOME} $UNKNOWN"], "env": {"X": "{DEPLOY_ROOT}", "Y": "{no}"}},
        "p": {"func": "a.b", "options": {"x": [1]}},
    });
    let expected = json!([
        {"function": "replace_tokens", "options": {"tokens": {"v": "tool.7.abcdef0"}}, "env": {}},
        {"script": ["cp {input} {output}", "echo $GIT_DIST_TARGET ${HOME} $UNKNOWN"],
         "env": {"X": "/srv/it's $(here)", "Y": "{no}"},
         "variables": {"GIT_DIST_TARGET": "bin", "HOME": "/home/tester"}},
        {"function": "a.b", "options": {"x": [1]}, "env": {}},
    ]);
    assert_eq!(bench.ingredients(&steps).unwrap(), expected);

    for (step, message) in [
        (json!({"func": "minfy"}), "unknown function `minfy`"),
        (
            json!({"func": "replace_tokens", "options": {"tokens": {"a": "{NOPE}"}}}),
            "unknown variable `NOPE` in `{NOPE}`",
        ),
        (
            json!({"func": "replace_tokens", "options": {"tokens": {"": "a"}}}),
            "a token of `replace_tokens` is empty",
        ),
        (json!({"script": "cp {imput} {output}"}), "unknown placeholder `{imput}` in `cp {imput} {output}`"),
    ] {
        let error = bench.ingredients(&json!({"s": step})).unwrap_err();
        assert!(told(&error).ends_with(message), "{}", told(&error));
    }
}

#[test]
fn a_dry_run_says_what_would_run() {
    let steps = steps_of(&json!({
        "a": {"func": "distman.transform.chmod", "options": {"mode": "755"}},
        "b": {"script": ["make {input}", "echo \"\u{1b}[2J\""]},
        "c": {"func": "tools.build.run"},
    }));
    let steps: Vec<_> = steps.iter().map(|(name, step)| (name.as_str(), step)).collect();
    assert_eq!(
        transform::describe(&steps),
        [
            "step `a`: distman.transform.chmod",
            "step `b`: run `make {input}`",
            "step `b`: run `echo \"\\u{1b}[2J\"`",
            "step `c`: call `tools.build.run` through python3",
        ]
    );
    assert!(transform::needs_checkout(&steps));
    assert!(!transform::needs_checkout(&steps[..1]));
}

#[test]
fn a_built_in_function_has_a_time_limit_too() {
    let bench = Bench::new();
    bench.write("source/site/a.txt", "");
    let error = bench.run("site", &json!({"m": {"func": "minify", "timeout": 1e-9}})).unwrap_err();
    assert_eq!(told(&error), "step `m` of target `bin` failed\ncaused by: it did not end within 1ns");
}
