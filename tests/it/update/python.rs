//! Targets that are made of Python packages.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::publish::Market;
use crate::python::packages::{egg, offer, source, wheel};
use crate::python::uv;
use crate::support::{HttpServer, Misbehaviour, Repo, Run};

/// A project whose target `hello` is made of packages, and an index of them.
struct Shop {
    market: Market,
    server: HttpServer,
}

impl Shop {
    fn new() -> Option<Self> {
        let shop = Self { market: Market::new()?, server: HttpServer::start() };
        fs::create_dir(shop.market.at("packages")).unwrap();
        Some(shop)
    }

    fn packages(&self) -> std::path::PathBuf {
        self.market.at("packages")
    }

    /// Puts a release of `hello` on the index.
    fn offer(&self, version: &'static str) {
        wheel("hello", version).write(&self.packages());
        offer(&self.server, &self.packages());
    }

    fn index(&self) -> String {
        format!("pypi:{}/simple", self.server.url())
    }

    fn project(&self, from: &str, more: &str) -> Repo<'_> {
        let repo = self.market.sandbox.repo("own");
        Self::write(&repo, from, "hello>=1", more);
        repo
    }

    fn write(repo: &Repo<'_>, from: &str, require: &str, more: &str) {
        repo.manifest(&format!(
            r#""hello": {{ "source": "vendor/hello", "destination": "{{DEPLOY_ROOT}}/lib/hello",
                "options": {{ "from": "{from}", "require": "{require}" }}{more} }}"#
        ));
        repo.commit("what is wanted");
    }

    /// `git dist` in the project, with uv where there is one.
    fn dist(&self, repo: &Repo<'_>, arguments: &[&str]) -> Run {
        let mut command = self.market.sandbox.dist_command(repo.path());
        with_uv(&mut command);
        self.market.sandbox.run(command.args(arguments))
    }

    /// What the program of the target says.
    fn hello(&self) -> String {
        self.market.machine(&["run", "--update=never", "hello"]).success().stdout().trim().to_owned()
    }

    fn kinds(&self) -> Vec<String> {
        self.market.events().into_iter().map(|(kind, _)| kind).collect()
    }
}

fn with_uv(command: &mut std::process::Command) {
    if let Some(uv) = uv() {
        let path = std::env::var("PATH").unwrap();
        command.env("PATH", format!("{}:{path}", uv.display()));
    }
}

/// Files below `folder` that a person would look for.
fn version_folder(folder: &Path) -> std::path::PathBuf {
    fs::canonicalize(folder).unwrap()
}

#[test]
fn packages_are_chosen_installed_started_and_taken_back() {
    let Some(shop) = Shop::new() else { return };
    shop.offer("1.2");
    let repo = shop.project(&shop.index(), "");
    shop.dist(&repo, &["update", "--offline"]);
    assert!(shop.server.requests().is_empty() && !shop.market.sandbox.root().join("lib/hello").exists());
    shop.dist(&repo, &["update", "--check"]).code(10).prints("hello 1.2");
    shop.dist(&repo, &["update", "--now"]).success().says("hello 1.2");
    assert_eq!(shop.hello(), "hello 1.2");
    // Its programs are found by their names, too.
    let mut named = shop.market.sandbox.dist_command(&shop.market.at("machine"));
    named.args(["run", "--update=never", "hello", "--command", "sh", "--", "-c", "hello"]);
    assert_eq!(shop.market.sandbox.run(&mut named).success().stdout().trim(), "hello 1.2");
    let lock = shop.market.sandbox.root().join(".distman/updates/hello/requirements.lock");
    let text = fs::read_to_string(&lock).unwrap();
    assert!(text.contains("hello==1.2 ") && text.contains("--hash=sha256:"), "{text}");
    shop.dist(&repo, &["update", "--now"]).success();
    assert_eq!(fs::read_to_string(&lock).unwrap(), text);
    let first = version_folder(&shop.market.sandbox.root().join("lib/hello"));
    shop.offer("1.10");
    shop.dist(&repo, &["update", "--check"]).code(10).prints("hello 1.10");
    assert_eq!(shop.hello(), "hello 1.2");
    shop.dist(&repo, &["update", "--now"]).success();
    assert_eq!(shop.hello(), "hello 1.10");
    // Numbered as commits are: the one before is its parent.
    let second = version_folder(&shop.market.sandbox.root().join("lib/hello"));
    let number =
        |path: &Path| path.file_name().unwrap().to_str().unwrap().split('.').nth(1).map(str::to_owned);
    assert_eq!((number(&first).as_deref(), number(&second).as_deref()), (Some("1"), Some("2")));
    shop.dist(&repo, &["rollback", "hello"]).success();
    assert_eq!(shop.hello(), "hello 1.2");
    // What somebody went back from is not brought back by the next check.
    shop.dist(&repo, &["update", "--now"]);
    assert_eq!(shop.hello(), "hello 1.2");
    shop.dist(&repo, &["verify"]).success();
}

#[test]
fn another_requirement_is_another_choice() {
    let Some(shop) = Shop::new() else { return };
    shop.offer("1.2");
    shop.offer("2.0");
    let repo = shop.project(&shop.index(), "");
    shop.dist(&repo, &["update", "--now"]).success();
    assert_eq!(shop.hello(), "hello 2.0");
    Shop::write(&repo, &shop.index(), "hello<2", "");
    shop.dist(&repo, &["update", "--now"]).success();
    assert_eq!(shop.hello(), "hello 1.2");
    Shop::write(&repo, &shop.index(), "hello>3", "");
    shop.dist(&repo, &["update", "--now"]).code(1);
    assert_eq!(shop.hello(), "hello 1.2");
    // What was had before is had again, and the lock says so.
    Shop::write(&repo, &shop.index(), "hello>=1", "");
    shop.dist(&repo, &["update", "--now"]).success();
    assert_eq!(shop.hello(), "hello 2.0");
    let lock = shop.market.sandbox.root().join(".distman/updates/hello/requirements.lock");
    let text = fs::read_to_string(lock).unwrap();
    assert!(text.contains("requirement: hello>=1\n") && text.contains("hello==2.0 "), "{text}");
}

#[test]
fn an_index_that_is_away_leaves_what_is_there_and_one_that_denies_is_an_error() {
    let Some(shop) = Shop::new() else { return };
    shop.offer("1.2");
    let repo = shop.project(&shop.index(), "");
    shop.dist(&repo, &["update", "--now"]).success();
    shop.server.misbehave("/", Misbehaviour::Status(500, ""));
    shop.dist(&repo, &["update", "--now"]);
    assert_eq!(shop.kinds().last().unwrap(), "unreachable", "{:?}", shop.market.events().last());
    assert_eq!(shop.market.state("hello")["failures"], 1);
    // Without a page for the package there is none, which refuses nobody.
    for (status, kind) in [(401, "refused"), (403, "refused"), (404, "failed")] {
        shop.server.behave();
        shop.server.misbehave("/", Misbehaviour::Status(status, ""));
        shop.dist(&repo, &["update", "--now"]).code(1);
        assert_eq!(shop.kinds().last().unwrap(), kind, "{status}: {:?}", shop.market.events().last());
    }
    assert_eq!(shop.hello(), "hello 1.2");
}

#[test]
fn a_file_that_was_replaced_is_refused() {
    let Some(shop) = Shop::new() else { return };
    shop.offer("1.2");
    let repo = shop.project(&shop.index(), "");
    // What the page says of the file is not what the file is.
    fs::create_dir(shop.market.at("other")).unwrap();
    let other = wheel("hello", "1.2").with("hello/more.py", "").write(&shop.market.at("other"));
    shop.server.put("/files/hello-1.2-py3-none-any.whl", &fs::read(other).unwrap());
    shop.dist(&repo, &["update", "--now"]).code(1);
    assert!(!shop.market.sandbox.root().join("lib/hello").exists());
    assert_eq!(shop.kinds().last().unwrap(), "refused", "{:?}", shop.market.events().last());
}

#[test]
fn what_its_checks_refuse_is_not_tried_again() {
    let Some(shop) = Shop::new() else { return };
    shop.offer("1.2");
    let verify = r#", "verify": ["grep -q 'hello 1' hello/__init__.py"]"#;
    let repo = shop.project(&shop.index(), verify);
    shop.dist(&repo, &["update", "--now"]).success();
    shop.offer("2.0");
    shop.dist(&repo, &["update", "--now"]).code(1).says("did not pass its checks");
    shop.dist(&repo, &["update", "--now"]).says("failed before");
    assert_eq!(shop.hello(), "hello 1.2");
    shop.offer("1.3");
    Shop::write(&repo, &shop.index(), "hello>=1,<2", verify);
    shop.dist(&repo, &["update", "--now"]).success();
    assert_eq!(shop.hello(), "hello 1.3");
}

#[test]
fn an_egg_is_found_by_python() {
    let Some(shop) = Shop::new() else { return };
    let run = std::process::Command::new("python3")
        .args(["-c", "import sys; print('%d.%d' % sys.version_info[:2])"])
        .output()
        .unwrap();
    let python = String::from_utf8(run.stdout).unwrap();
    egg(&shop.packages(), "hello", "1.2", python.trim());
    let from = format!("packages:{}", shop.packages().display());
    let repo = shop.project(&from, "");
    shop.dist(&repo, &["update", "--now"]).success();
    let say = |variable: &str| {
        let mut command = shop.market.sandbox.dist_command(&shop.market.at("machine"));
        command.args(["run", "--update=never", "hello", "--command", "python3", "--", "-c"]);
        command.arg("import hello; hello.main()").env("PYTHONPATH", variable);
        shop.market.sandbox.run(&mut command).success().stdout().trim().to_owned()
    };
    assert_eq!(say(""), "hello 1.2");
    egg(&shop.packages(), "hello", "1.10", python.trim());
    shop.dist(&repo, &["update", "--now"]).success();
    // Whatever else is on the way.
    fs::write(shop.market.at("hello.py"), "def main():\n    print('other')\n").unwrap();
    assert_eq!(say(shop.market.at("").to_str().unwrap()), "hello 1.10");
}

#[test]
fn what_has_to_be_built_is_built_for_an_own_manifest() {
    let Some(shop) = Shop::new() else { return };
    source(&shop.packages(), "hello", "1.4", &shop.market.at("trace"));
    let from = format!("packages:{}", shop.packages().display());
    let repo = shop.project(&from, "");
    shop.dist(&repo, &["update", "--now"]).success();
    let built = shop.market.sandbox.root().join("lib/hello/hello.py");
    assert_eq!(fs::read_to_string(built).unwrap(), "built = True\n");
}

#[test]
fn what_was_vendored_needs_neither_an_index_nor_a_tool() {
    let Some(shop) = Shop::new() else { return };
    shop.offer("1.2");
    let repo = shop.project(&shop.index(), "");
    let publish = |more: &[&str]| {
        let (place, key) = (shop.market.text("place"), shop.market.text("keys/publisher"));
        let arguments = ["publish", &place, "--sign-with", &key];
        shop.dist(&repo, &arguments.into_iter().chain(more.iter().copied()).collect::<Vec<_>>())
    };
    publish(&[]).code(1).says("--vendor-python");
    publish(&["--vendor-python"]).success();
    publish(&["--vendor-python"]).success().says("nothing to publish");
    shop.offer("1.3");
    shop.server.misbehave("/", Misbehaviour::Status(500, ""));
    publish(&["--vendor-python"]).code(1);
    let market = &shop.market;
    // Tools that would install packages say no on this machine.
    market.sandbox.script("uv", "#!/bin/sh\nexit 127\n");
    market.sandbox.script("pip", "#!/bin/sh\nexit 127\n");
    market.install(&[]).success();
    assert_eq!(shop.hello(), "hello 1.2");
    shop.server.behave();
    publish(&["--vendor-python"]).success();
    market.update().success();
    assert_eq!(shop.hello(), "hello 1.3");
    let held: Value = market.manifest("stable");
    assert_eq!(held["release"]["targets"], serde_json::json!(["hello"]));
}

#[test]
fn what_cannot_be_installed_is_said_with_the_way_on() {
    let Some(shop) = Shop::new() else { return };
    shop.market.machine(&["install", "pypi", "--name", "hello"]).code(1).says("dist.json");
    let repo = shop.market.sandbox.repo("own");
    let target = |source: &str, require: &str| {
        repo.manifest(&format!(
            r#""hello": {{ "source": "{source}", "destination": "{{DEPLOY_ROOT}}/hello{}",
                "options": {{ "from": "{}"{require} }} }}"#,
            if source.contains('*') { "-{1}" } else { "" },
            shop.index()
        ));
        repo.commit("next");
    };
    target(".", "");
    shop.dist(&repo, &["update", "--now"]).code(1).says("`require`");
    target(".", r#", "require": "hello; os_name == 'posix'""#);
    shop.dist(&repo, &["update", "--now"]).code(1).says("is no requirement");
    target(".", r#", "require": "hello""#);
    shop.offer("1.2");
    let key = shop.market.text("keys/publisher");
    shop.dist(&repo, &["publish", &shop.market.text("place"), "--sign-with", &key, "--vendor-python"])
        .code(1)
        .says("vendor/hello");
}
