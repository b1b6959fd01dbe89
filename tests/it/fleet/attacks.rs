//! What somebody can do who has the store, or the network in between: each threat of docs/security.md to one machine. What
//! it runs does not change, the reason is told and logged, and the next honest answer counts.

use super::machine::{Machine, Running};
use super::publisher::{Desk, files_of, publish, said, taken_apart};
use crate::support::{HttpServer, Misbehaviour, Repo, Run, skipped};

const MANIFEST: &str = "/place/channels/stable";

/// A place with a release `one`, a machine that has it, and then a release `two`.
struct Stage<'d> {
    desk: &'d Desk,
    repo: Repo<'d>,
    server: HttpServer,
    machine: Machine<'d>,
    /// The manifest of `one`.
    first: Vec<u8>,
}

impl<'d> Stage<'d> {
    fn new(desk: &'d Desk) -> Self {
        let (server, repo) = (HttpServer::start(), desk.repo("project"));
        let machine = Machine::new(desk, &server, "one");
        let stage = Self { desk, repo, server, machine, first: Vec::new() };
        stage.publish("one");
        let first = stage.server.object(MANIFEST).unwrap();
        stage.machine.install().success();
        stage.publish("two");
        Self { first, ..stage }
    }

    fn publish(&self, label: &str) {
        let address = format!("{}/place", self.server.url());
        publish(self.desk, &self.repo, &address, "publisher", "stable", label, true);
    }

    fn manifest(&self) -> Vec<u8> {
        self.server.object(MANIFEST).unwrap()
    }

    /// The path of the bundle that leads to the present release, as the machine is shown it, and its bytes.
    fn bundle(&self) -> (String, Vec<u8>) {
        let manifest = said(&self.manifest());
        let name = manifest["bundles"].as_array().unwrap().last().unwrap()["sha256"].as_str().unwrap();
        let path = format!("/place/bundles/{name}.bundle");
        let bytes = self.server.object(&path).unwrap();
        (self.own(&path), bytes)
    }

    /// `path` as the machine is shown it.
    fn own(&self, path: &str) -> String {
        format!("{}{}", self.machine.prefix, &path[1..])
    }

    /// Serves the machine this manifest.
    fn serve(&self, manifest: &[u8]) {
        self.server.put(&self.own(MANIFEST), manifest);
    }

    /// What an attacker has published, who has everything but the key, with its bundles in the place.
    fn evil(&self) -> Vec<u8> {
        let address = format!("{}/evil", self.server.url());
        let repo = self.desk.repo("evil");
        for label in ["evil-1", "evil-2", "evil-3"] {
            publish(self.desk, &repo, &address, "attacker", "stable", label, true);
        }
        self.take_over("evil")
    }

    /// Copies the bundles of another place; returns its manifest.
    fn take_over(&self, place: &str) -> Vec<u8> {
        let manifest = self.server.object(&format!("/{place}/channels/stable")).unwrap();
        for bundle in said(&manifest)["bundles"].as_array().unwrap() {
            let name = format!("bundles/{}.bundle", bundle["sha256"].as_str().unwrap());
            self.server
                .put(&format!("/place/{name}"), &self.server.object(&format!("/{place}/{name}")).unwrap());
        }
        manifest
    }

    fn running(&self) -> Running {
        self.machine.running().unwrap()
    }

    /// An update fails with these words, which are logged as an event of this kind, and changes nothing.
    #[track_caller]
    fn assert_refused(&self, kind: &str, words: &str) {
        self.assert_fails(&self.machine.update(), kind, words);
    }

    #[track_caller]
    fn assert_fails(&self, run: &Run, kind: &str, words: &str) {
        assert_eq!(run.code, Some(1), "{}", run.snapshot());
        assert!(run.stderr().contains(words), "{}", run.snapshot());
        let (last, detail) = self.machine.events().pop().unwrap();
        assert!(last == kind && detail.contains(words), "{last}: {detail}");
        assert_eq!(self.running().files, files_of("one", true));
    }

    /// Once nobody attacks, the machine is brought to `two`.
    #[track_caller]
    fn assert_recovers(&self) {
        self.server.restore(&self.machine.prefix);
        self.machine.update().success();
        assert_eq!(self.running().files, files_of("two", true));
    }
}

#[test]
fn software_that_the_publisher_did_not_sign_is_not_installed() {
    let Some(desk) = Desk::new() else { return };
    let stage = Stage::new(&desk);
    let evil = stage.evil();
    let (text, signature) = taken_apart(&evil);
    let (own, own_signature) = taken_apart(&stage.manifest());
    stage.serve(text.as_bytes());
    stage.assert_refused("refused", "is not signed");
    stage.serve(&evil);
    stage.assert_refused("refused", "does not list");
    stage.serve(format!("{text}{own_signature}").as_bytes());
    stage.assert_refused("refused", "signature");
    stage.serve(format!("{text}{own}{own_signature}").as_bytes());
    stage.assert_refused("refused", "signature");
    stage.serve(format!("{own}{own_signature}{text}{signature}").as_bytes());
    stage.assert_refused("refused", "something else stands behind the text");
    stage.assert_recovers();
}

#[test]
fn an_older_release_than_was_seen_does_not_come_back() {
    let Some(desk) = Desk::new() else { return };
    let stage = Stage::new(&desk);
    // That there is a second one is known, though the machine could not have it.
    stage.server.misbehave(&stage.bundle().0, Misbehaviour::Status(404, "gone"));
    stage.assert_refused("failed", "there is no");
    stage.server.restore(&stage.machine.prefix);
    stage.serve(&stage.first);
    stage.assert_refused("refused", "older than release 2");
    stage.assert_recovers();
    stage.serve(&stage.first);
    let run = stage.machine.update().code(1).says("older than release 2");
    assert_eq!(stage.running().files, files_of("two", true), "{}", run.snapshot());
}

#[test]
fn a_channel_that_somebody_keeps_from_moving_is_told_once_it_expires() {
    let Some(desk) = Desk::new() else { return };
    let stage = Stage::new(&desk);
    // Whatever is asked, the first answer is given again.
    stage.serve(&stage.first);
    stage.machine.update().success();
    let mut later = stage.machine.command(&["faketime", "-f", "+91d"], &["update"]);
    if later.output().is_err() {
        return skipped("there is no faketime; `apt-get install faketime` lets this test run");
    }
    let run = desk.sandbox.run(&mut stage.machine.command(&["faketime", "-f", "+92d"], &["update"]));
    stage.assert_fails(&run, "refused", "expired");
    stage.assert_recovers();
}

#[test]
fn data_without_end_and_data_that_never_comes_are_cut_off() {
    let Some(desk) = Desk::new() else { return };
    let stage = Stage::new(&desk);
    let at = |path: &str, how| stage.server.misbehave(path, how);
    let manifest = stage.own(MANIFEST);
    let (bundle, bytes) = stage.bundle();
    for path in [&manifest, &bundle] {
        at(path, Misbehaviour::Endless);
        stage.server.bytes_sent();
        stage.assert_refused("refused", "larger than");
        // What was on its way when the machine had enough is counted, too.
        assert!(stage.server.bytes_sent() < 64 << 20);
        stage.server.restore(&stage.machine.prefix);
    }
    stage.server.put(&manifest, &stage.manifest().repeat(2000));
    stage.assert_refused("refused", "larger than");
    stage.server.restore(&stage.machine.prefix);
    for how in [
        Misbehaviour::Hang,
        // What came is kept: the next try goes on behind it.
        Misbehaviour::HangAfter(bytes.len() / 4),
        Misbehaviour::Cut(bytes.len() / 4),
        Misbehaviour::Drip(10),
        Misbehaviour::Status(500, "no"),
    ] {
        at(&bundle, how.clone());
        let run = stage.machine.run(&["update", "--now", "--probe", "500ms", "--timeout", "1s"]);
        stage.assert_fails(&run, "unreachable", "");
        stage.server.restore(&stage.machine.prefix);
    }
    stage.assert_recovers();
}

#[test]
fn parts_of_different_releases_are_never_mixed() {
    let Some(desk) = Desk::new() else { return };
    let stage = Stage::new(&desk);
    let (bundle, bytes) = stage.bundle();
    let first = said(&stage.first)["bundles"][0]["sha256"].as_str().unwrap().to_owned();
    let other = stage.server.object(&format!("/place/bundles/{first}.bundle")).unwrap();
    let mut same_size = other.clone();
    same_size.resize(bytes.len(), b'x');
    let mut one_bit = bytes.clone();
    *one_bit.last_mut().unwrap() ^= 1;
    for (wrong, words) in [(other, "bytes"), (same_size, "SHA-256"), (one_bit, "SHA-256")] {
        stage.server.put(&bundle, &wrong);
        let run = stage.machine.update().code(1);
        assert!(run.stderr().contains(words), "{}", run.snapshot());
        assert_eq!(stage.running().files, files_of("one", true));
    }
    stage.assert_recovers();
}

#[test]
fn what_is_signed_for_something_else_is_not_taken_for_this() {
    let Some(desk) = Desk::new() else { return };
    let stage = Stage::new(&desk);
    let address = format!("{}/place", stage.server.url());
    for label in ["beta-1", "beta-2", "beta-3"] {
        publish(&desk, &stage.repo, &address, "publisher", "beta", label, true);
    }
    stage.serve(&stage.server.object("/place/channels/beta").unwrap());
    stage.assert_refused("refused", "is that of channel `beta`");
    // Another project, by the same hand and in a channel of the same name.
    let (address, repo) = (format!("{}/other", stage.server.url()), desk.repo("other"));
    for label in ["other-1", "other-2", "other-3"] {
        publish(&desk, &repo, &address, "publisher", "stable", label, true);
    }
    stage.serve(&stage.take_over("other"));
    stage.assert_refused("refused", "another chain of releases");
    // A commit or tag that the same key signed is no manifest.
    let text = taken_apart(&stage.manifest()).0;
    let file = desk.sandbox.path().join("text");
    std::fs::write(&file, &text).unwrap();
    let mut keygen = desk.sandbox.command("ssh-keygen", desk.sandbox.path());
    keygen.args(["-q", "-Y", "sign", "-n", "git", "-f"]).arg(desk.key("publisher")).arg(&file);
    desk.sandbox.run(&mut keygen).success();
    let signature = std::fs::read_to_string(file.with_extension("sig")).unwrap();
    stage.serve(format!("{text}{signature}").as_bytes());
    stage.assert_refused("refused", "signature");
    stage.assert_recovers();
}

#[test]
fn a_mirror_can_only_withhold() {
    let Some(desk) = Desk::new() else { return };
    let stage = Stage::new(&desk);
    let mirror = Machine::new(&desk, &stage.server, "mirror");
    let honest = Machine::new(&desk, &stage.server, "honest");
    let key = desk.public("publisher");
    let (from, to) = (mirror.address(), honest.address());
    let install = |name: &str| {
        let mut command = honest.command(&[], &["install", &from, "--mirror", &to, "--allow-commands"]);
        command.args(["--name", name, "--key"]).arg(&key);
        desk.sandbox.run(&mut command)
    };
    // One that is away is passed over.
    stage.server.misbehave(&mirror.prefix, Misbehaviour::Status(503, "no"));
    install("app").success();
    assert_eq!(honest.running().unwrap().files, files_of("two", true));
    // So is one that is away when it comes to fetching.
    stage.publish("three");
    stage.server.restore(&mirror.prefix);
    stage.server.misbehave(&format!("{}place/bundles", mirror.prefix), Misbehaviour::Cut(10));
    honest.update().success();
    assert_eq!(honest.running().unwrap().files, files_of("three", true));
    // One that lies is not: somebody has to look at it.
    stage.publish("four");
    stage.server.restore(&mirror.prefix);
    stage.server.put(&format!("{}place/channels/stable", mirror.prefix), &stage.evil());
    honest.update().code(1).says("does not list");
    // One that lags behind keeps what is there.
    stage.server.put(&format!("{}place/channels/stable", mirror.prefix), &stage.first);
    honest.update().code(1).says("older than release 3");
    assert_eq!(honest.running().unwrap().files, files_of("three", true));
    stage.server.restore(&mirror.prefix);
    honest.update().success();
    assert_eq!(honest.running().unwrap().files, files_of("four", true));
}

#[test]
fn a_key_is_exchanged_while_both_sign() {
    let Some(desk) = Desk::new() else { return };
    let stage = Stage::new(&desk);
    let address = format!("{}/place", stage.server.url());
    let keys = [desk.key("publisher"), desk.key("successor")];
    let both = desk.sandbox.path().join("both");
    let lines = ["publisher", "successor"].map(|name| std::fs::read_to_string(desk.public(name)).unwrap());
    std::fs::write(&both, lines.concat()).unwrap();
    // For a while both sign; those who know either of them go on.
    let mut command = desk.sandbox.dist_command(stage.repo.path());
    command.args(["publish", &address, "--refresh", "--key"]).arg(&both);
    for key in &keys {
        command.arg("--sign-with").arg(key);
    }
    desk.sandbox.run(&mut command).success();
    stage.machine.update().success();
    assert_eq!(stage.running().files, files_of("two", true));
    let new = Machine::new(&desk, &stage.server, "new");
    let mut install = new.command(&[], &["install", &new.address(), "--allow-commands", "--name", "app"]);
    install.arg("--key").arg(desk.public("successor"));
    desk.sandbox.run(&mut install).success();
    assert_eq!(new.running().unwrap().files, files_of("two", true));
    // Then the old one is gone, for those who were told of the new one only.
    super::publisher::commit(&stage.repo, "three", true);
    let mut command = desk.sandbox.dist_command(stage.repo.path());
    command.args(["publish", &address, "--key"]).arg(&both).arg("--sign-with").arg(&keys[1]);
    desk.sandbox.run(&mut command).success();
    new.update().success();
    assert_eq!(new.running().unwrap().files, files_of("three", true));
    stage.machine.update().code(1).says("does not list");
    assert_eq!(stage.running().files, files_of("two", true));
    // Where the old machine is told of the new key, it goes on.
    let mut again = stage.machine.installing();
    again.arg("--replace").arg("--key").arg(desk.public("successor"));
    desk.sandbox.run(&mut again).success();
    assert_eq!(stage.running().files, files_of("three", true));
}

#[test]
fn who_publishes_reaches_no_further_than_was_allowed() {
    let Some(desk) = Desk::new() else { return };
    let (server, repo) = (HttpServer::start(), desk.repo("project"));
    let address = format!("{}/place", server.url());
    publish(&desk, &repo, &address, "publisher", "stable", "one", true);
    let machine = Machine::new(&desk, &server, "one");
    let mut install = machine.command(&[], &["install", &machine.address(), "--name", "app", "--key"]);
    desk.sandbox.run(install.arg(desk.public("publisher"))).code(1).says("`verify`");
    assert!(machine.running().is_none());
    machine.install().success();
    // Where things go is for the machine to say, as far as its root.
    let outside = desk.sandbox.path().join("outside");
    let destination = outside.to_str().unwrap();
    repo.manifest(&format!(r#""app": {{ "source": "app", "destination": "{destination}" }}"#));
    publish(&desk, &repo, &address, "publisher", "stable", "two", true);
    machine.update().code(1);
    assert!(!outside.exists());
    assert_eq!(machine.running().unwrap().files, files_of("one", true));
    assert_eq!(machine.events().pop().unwrap().0, "refused");
}
