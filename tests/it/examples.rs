//! The applications in `docs/examples`, which update themselves when they start.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::publish::Market;
use crate::support::{HttpServer, Misbehaviour, Repo, Run};

/// A machine with the example that greets, from a web server that the publisher's place is copied to.
struct Shop {
    market: Market,
    server: HttpServer,
    example: String,
}

impl Shop {
    fn new(example: &str) -> Option<Self> {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/examples").join(example);
        let example = fs::read_to_string(path).unwrap();
        Some(Self { market: Market::new()?, server: HttpServer::start(), example })
    }

    /// Publishes the example with another greeting.
    fn release(&self, repo: &Repo<'_>, greeting: &str) {
        repo.executable("hello", self.example.replace("Hello,", greeting));
        repo.commit(greeting);
        self.market.publish(repo, &[]).success();
        self.serve(&self.market.at("place"), "");
    }

    fn serve(&self, folder: &Path, below: &str) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = format!("{below}/{}", path.file_name().unwrap().to_str().unwrap());
            if path.is_dir() {
                self.serve(&path, &name);
            } else {
                self.server.put(&name, &fs::read(&path).unwrap());
            }
        }
    }

    /// Lets the next check be due.
    fn let_time_pass(&self) {
        let folder = self.market.sandbox.root().join(".distman/updates/hello");
        fs::remove_file(folder.join("due")).unwrap();
        let state = fs::read_to_string(folder.join("state.json")).unwrap();
        let mut state: serde_json::Value = serde_json::from_str(&state).unwrap();
        state["next"] = serde_json::Value::Null;
        fs::write(folder.join("state.json"), state.to_string()).unwrap();
    }

    fn start(&self, fill: impl FnOnce(&mut Command)) -> Run {
        let program = self.market.sandbox.root().join("bin/hello");
        let mut command = self.market.sandbox.command(program.to_str().unwrap(), &self.market.at("machine"));
        fill(&mut command);
        self.market.sandbox.run(&mut command)
    }
}

/// What a user of the example sees.
fn updates_itself(example: &str) {
    let Some(shop) = Shop::new(example) else { return };
    let repo = shop.market.sandbox.repo("project");
    repo.manifest(
        r#""hello": { "source": "hello", "destination": "{DEPLOY_ROOT}/bin/hello",
            "verify": ["! grep -q Bad {staged}"] }"#,
    );
    shop.release(&repo, "Hello,");
    let allow = ["--allow-commands", "--name", "hello"];
    shop.market.install_from(&shop.server.url(), &allow).success();
    let starts_as = |greeting: &str| {
        let run = shop.start(|_| {}).success();
        assert_eq!(run.stdout().trim(), format!("{greeting} world"));
    };
    starts_as("Hello,");
    shop.release(&repo, "Good day,");
    // Not due, so not looked for.
    starts_as("Hello,");
    shop.let_time_pass();
    // One start is enough, and what it was started with is there.
    let run = shop.start(|command| _ = command.arg("dear reader")).success();
    assert_eq!(run.stdout().trim(), "Good day, dear reader");
    starts_as("Good day,");
    // So it is where `git dist run` starts it.
    shop.release(&repo, "Good evening,");
    shop.let_time_pass();
    shop.market.machine(&["run", "--update=never", "hello"]).success().prints("Good evening, world");
    // One that fails its checks is not started, nor does it keep the one before from starting.
    shop.release(&repo, "Bad day,");
    shop.let_time_pass();
    starts_as("Good evening,");
    // Nor does a network that is away, or a machine without git dist.
    shop.server.misbehave("/", Misbehaviour::Status(500, ""));
    shop.let_time_pass();
    starts_as("Good evening,");
    shop.let_time_pass();
    shop.start(|command| _ = command.env("GIT_DIST_OFFLINE", "1")).success().prints("Good evening, world");
    let few = shop.market.at("few");
    fs::create_dir(&few).unwrap();
    let python = Command::new("python3").args(["-c", "import sys; print(sys.executable)"]).output().unwrap();
    for (name, program) in [("sh", "/bin/sh"), ("python3", String::from_utf8(python.stdout).unwrap().trim())]
    {
        std::os::unix::fs::symlink(program, few.join(name)).unwrap();
    }
    shop.start(|command| _ = command.env("PATH", &few)).success().prints("Good evening, world");
    // What nobody follows is no reason not to start.
    shop.market.machine(&["update", "--wait", "other"]).success().says("nothing of that name");
}

#[test]
fn the_shell_tool_updates_itself() {
    updates_itself("hello.sh");
}

#[test]
fn the_python_tool_updates_itself() {
    updates_itself("hello.py");
}
