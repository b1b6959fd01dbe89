//! A web application behind a real nginx: uploads that outlive versions, configurations that are checked before they
//! are live, and health checks that undo a rollout.

use std::fmt::Write as _;
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::support::{Repo, Run, Sandbox, skipped};

/// Uploads are shared, the staged configuration is tested, and the server is reloaded and asked how it is.
const SITE: &str = r#""site": {
    "source": "public", "destination": "{DEPLOY_ROOT}/www/site", "shared": ["uploads"],
    "verify": ["probe before", "nginx -t -c {staged}/nginx.conf"],
    "after": ["reload", "healthy"] }"#;

/// Starts the server, or has it read its configuration again.
const RELOAD: &str = r#"#!/bin/sh
conf=$DEPLOY_ROOT/www/site/nginx.conf
echo reload >>"$WEB/calls"
if [ -s "$WEB/pid" ]; then nginx -c "$conf" -s reload; else nginx -c "$conf"; fi
"#;

/// Asks for the health until it is that of the active release: a reload takes a moment.
const HEALTHY: &str = r#"#!/bin/bash
want="well $(cat "$DEPLOY_ROOT/www/site/release")"
for try in {1..40}; do
    exec 3<>"/dev/tcp/127.0.0.1/$PORT" && printf 'GET /health HTTP/1.0\r\n\r\n' >&3 && said=$(tail -n 1 <&3)
    [ "$said" = "$want" ] && exit 0
    sleep 0.05
done
echo "the server says: $said" >&2
exit 22
"#;

/// Writes down what visitors see at this moment.
const PROBE: &str = r#"#!/bin/bash
exec 3<>"/dev/tcp/127.0.0.1/$PORT" 2>/dev/null && printf 'GET / HTTP/1.0\r\n\r\n' >&3 && said=$(tail -n 1 <&3)
echo "$1: ${said:-nobody answers}" >>"$WEB/seen"
"#;

/// A project with a site, and the nginx that serves what is active of it. The server is stopped when this is dropped.
struct Web<'s> {
    sandbox: &'s Sandbox,
    repo: Repo<'s>,
    /// The server's own files.
    folder: PathBuf,
    port: u16,
}

/// The path of nginx; none, loudly, where there is none. On a machine for checks that is a failure.
fn nginx() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path)
        .chain([PathBuf::from("/usr/sbin")])
        .map(|folder| folder.join("nginx"))
        .find(|program| program.is_file());
    if found.is_none() {
        skipped(
            "nginx is neither on the PATH nor in /usr/sbin; `apt-get install nginx-light` lets this test run",
        );
    }
    found
}

impl<'s> Web<'s> {
    /// With nothing deployed yet and no server running; none where there is no nginx.
    fn new(sandbox: &'s Sandbox) -> Option<Self> {
        let nginx = nginx()?;
        let folder = sandbox.path().join("web");
        fs::create_dir(&folder).unwrap();
        let log = folder.join("log");
        sandbox.script(
            "nginx",
            &format!(
                "#!/bin/sh\nexec {} -p {} -e {} \"$@\"\n",
                nginx.display(),
                folder.display(),
                log.display()
            ),
        );
        for (name, text) in [("reload", RELOAD), ("healthy", HEALTHY), ("probe", PROBE)] {
            sandbox.script(name, text);
        }
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let repo = sandbox.repo("project");
        repo.manifest(SITE);
        repo.write("public/uploads/.gitkeep", "");
        Some(Self { sandbox, repo, folder, port })
    }

    /// Commits release `release`, with `more` in the configuration of its server.
    fn commit(&self, release: &str, more: &str) {
        self.repo.write("public/index.html", format!("page {release}\n"));
        self.repo.write("public/release", format!("{release}\n"));
        self.repo.write(
            "public/nginx.conf",
            self.configuration(&format!("location = /health {{ return 200 \"well {release}\"; }} {more}")),
        );
        self.repo.commit(release);
    }

    /// A server on the loopback that touches nothing outside the sandbox and runs as the current user.
    fn configuration(&self, locations: &str) -> String {
        let (folder, root) = (self.folder.display(), self.sandbox.root().display());
        let mut text = String::new();
        // As root nginx would switch to a user that may not enter the sandbox; others cannot switch at all.
        if rustix::process::geteuid().is_root() {
            text.push_str("user root;\n");
        }
        let _ = writeln!(text, "worker_processes 1;\npid {folder}/pid;\nevents {{ worker_connections 64; }}");
        let _ = writeln!(text, "http {{\naccess_log off;");
        for kind in ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"] {
            let _ = writeln!(text, "{kind}_temp_path {folder}/{kind};");
        }
        let _ = writeln!(text, "server {{\nlisten 127.0.0.1:{};\nroot {root}/www/site;", self.port);
        let _ = writeln!(text, "{locations}\n}}\n}}");
        text
    }

    /// `git dist` with what the scripts need.
    fn dist<const N: usize>(&self, arguments: [&str; N]) -> Run {
        let port = self.port.to_string();
        self.repo.dist_with([("WEB", self.folder.to_str().unwrap()), ("PORT", &port)], arguments)
    }

    /// Status and body of what the server answers.
    #[track_caller]
    fn get(&self, path: &str) -> (u16, String) {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        write!(stream, "GET {path} HTTP/1.0\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        (head.split(' ').nth(1).unwrap().parse().unwrap(), body.trim_end().to_owned())
    }

    #[track_caller]
    fn assert_serves(&self, release: &str) {
        assert_eq!(self.get("/"), (200, format!("page {release}")));
        self.assert_soon("/health", 200, &format!("well {release}"));
    }

    /// Asserts an answer that the configuration decides. For a moment after a reload the server's old processes may
    /// still answer.
    #[track_caller]
    fn assert_soon(&self, path: &str, status: u16, body: &str) {
        let end = Instant::now() + Duration::from_secs(3);
        let is_it = |(code, text): &(u16, String)| *code == status && text.contains(body);
        let mut answer = self.get(path);
        while !is_it(&answer) && Instant::now() < end {
            std::thread::sleep(Duration::from_millis(20));
            answer = self.get(path);
        }
        assert!(is_it(&answer), "{path}: {answer:?} instead of {status} {body:?}");
    }

    /// A visitor uploads a file: the application writes it where it always does.
    fn upload(&self, name: &str) {
        fs::write(self.sandbox.root().join("www/site/uploads").join(name), format!("upload {name}\n"))
            .unwrap();
    }

    /// The lines of one of the files that the scripts write.
    fn lines(&self, name: &str) -> Vec<String> {
        let text = fs::read_to_string(self.folder.join(name)).unwrap_or_default();
        text.lines().map(ToOwned::to_owned).collect()
    }

    fn versions(&self) -> Vec<String> {
        let names = fs::read_dir(self.sandbox.root().join("www/versions")).unwrap();
        let mut names: Vec<String> =
            names.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    /// The number of the server's first process. nginx empties or removes the file when it ends.
    fn pid(&self) -> Option<rustix::process::Pid> {
        let text = fs::read_to_string(self.folder.join("pid")).ok()?;
        rustix::process::Pid::from_raw(text.trim().parse().ok()?)
    }
}

impl Drop for Web<'_> {
    fn drop(&mut self) {
        let Some(pid) = self.pid() else { return };
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
        let end = Instant::now() + Duration::from_secs(5);
        while self.pid().is_some() && Instant::now() < end {
            std::thread::sleep(Duration::from_millis(20));
        }
        if self.pid().is_some() {
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
        }
    }
}

#[test]
fn uploads_survive_ten_deploys_and_visitors_see_one_release_or_the_next() {
    let sandbox = Sandbox::new();
    let Some(web) = Web::new(&sandbox) else { return };
    for release in 1..=10 {
        web.commit(&release.to_string(), "");
        web.dist([]).success();
        web.assert_serves(&release.to_string());
        web.upload(&format!("{release}.txt"));
        for earlier in 1..=release {
            let name = format!("{earlier}.txt");
            assert_eq!(web.get(&format!("/uploads/{name}")), (200, format!("upload {name}")), "{release}");
        }
    }
    // While a release was staged and checked, visitors saw the one before.
    let before = (1..10).map(|release| format!("before: page {release}"));
    let before: Vec<String> = ["before: nobody answers".to_owned()].into_iter().chain(before).collect();
    assert_eq!(web.lines("seen"), before);
    assert_eq!(web.lines("calls").len(), 10);
    let uploads = fs::read_dir(sandbox.root().join("www/shared/site/uploads")).unwrap();
    assert_eq!(uploads.count(), 11, "ten uploads and what the repository began with");
    web.dist(["verify"]).success();
    web.dist(["prune", "--keep", "1"]).success();
    assert_eq!(web.get("/uploads/1.txt").0, 200);
    assert_eq!(web.lines("calls").len(), 10, "nothing was switched");
}

#[test]
fn a_broken_configuration_never_becomes_live() {
    let sandbox = Sandbox::new();
    let Some(web) = Web::new(&sandbox) else { return };
    web.commit("1", "");
    web.dist([]).success();
    let (versions, history) = (web.versions(), sandbox.history());
    web.commit("2", "no_such_directive on;");
    let failed = web.dist([]).code(1);
    failed.says("target `site`").says(r#"unknown directive "no_such_directive""#);
    web.assert_serves("1");
    assert_eq!(web.versions(), versions, "nobody ever saw it");
    assert_eq!(sandbox.history(), history);
    assert_eq!(web.lines("calls"), ["reload"]);
    // Whoever reloads the server by hand finds the old configuration too.
    let mut reload = sandbox.command("reload", sandbox.root());
    sandbox.run(reload.env("WEB", &web.folder)).success();
    web.assert_serves("1");
    web.commit("3", "");
    web.dist([]).success();
    web.assert_serves("3");
}

#[test]
fn a_failing_health_check_undoes_the_rollout() {
    let sandbox = Sandbox::new();
    let Some(web) = Web::new(&sandbox) else { return };
    web.commit("1", "");
    web.dist([]).success();
    web.upload("a.txt");
    let active = sandbox.active("www/site");
    // nginx refuses two locations of one name, but a rewrite comes before them.
    web.commit("2", "rewrite ^/health$ /ill; location = /ill { return 500 \"ill 2\"; }");
    let failed = web.dist([]).code(3);
    insta::assert_snapshot!(failed.snapshot(), @"
    exit code: 3
    ----- stdout
    ----- stderr
    error: the rollout was undone, because an `after` command of target `site` failed
      caused by: `healthy` failed with exit status 22; it printed:
        the server says: ill 2
    ");
    assert_eq!(web.lines("calls"), ["reload"; 3], "what was reloaded is reloaded again");
    assert_eq!(sandbox.active("www/site"), active);
    web.assert_serves("1");
    assert_eq!(web.get("/uploads/a.txt").0, 200);
    web.assert_soon("/ill", 404, "");

    let bad = web.repo.version("site", "HEAD");
    let record = fs::read(sandbox.root().join(format!("www/versions/.{bad}.json"))).unwrap();
    let record: serde_json::Value = serde_json::from_slice(&record).unwrap();
    assert_eq!(record["state"], "bad");
    assert_eq!(record["reason"], "`after` of target `site`: `healthy` failed with exit status 22");
    let history = sandbox.history();
    assert_eq!(history.len(), 2);
    assert_eq!(history[1]["undone"], record["reason"]);
    web.dist(["log"]).success().prints("UNDONE: `after` of target `site`: `healthy` failed");
    web.dist([]).code(1).says("marked bad");
    web.commit("3", "");
    web.dist([]).success();
    web.assert_serves("3");
}

#[test]
fn a_rollback_reloads_the_server_too() {
    let sandbox = Sandbox::new();
    let Some(web) = Web::new(&sandbox) else { return };
    for release in ["1", "2", "3"] {
        web.commit(release, "");
        web.dist([]).success();
    }
    web.upload("a.txt");
    web.dist(["rollback"]).success();
    web.assert_serves("2");
    web.dist(["use", "site", "1"]).success();
    web.assert_serves("1");
    web.dist(["reset"]).success();
    web.assert_serves("2");
    assert_eq!(web.get("/uploads/a.txt").0, 200);
    assert_eq!(web.lines("calls").len(), 6);
}

#[test]
fn the_server_is_stopped_when_a_test_fails() {
    let sandbox = Sandbox::new();
    let Some(web) = Web::new(&sandbox) else { return };
    web.commit("1", "");
    web.dist([]).success();
    let pid = fs::read_to_string(sandbox.path().join("web/pid")).unwrap();
    let failed = std::panic::catch_unwind(std::panic::AssertUnwindSafe(move || {
        let _web = web;
        std::panic::resume_unwind(Box::new("an assertion"));
    }));
    assert!(failed.is_err());
    // Not by its port, which the server of another test may have got meanwhile.
    let asked = std::process::Command::new("ps").args(["-o", "stat=", "-p", pid.trim()]).output().unwrap();
    let state = String::from_utf8(asked.stdout).unwrap();
    // A process that nobody asked how it ended is listed, and is none any more.
    assert!(state.trim().is_empty() || state.starts_with('Z'), "{pid} {state}");
    assert!(!is_there(&sandbox.path().join("web/pid")));
}

fn is_there(path: &Path) -> bool {
    fs::read(path).is_ok_and(|bytes| !bytes.is_empty())
}
