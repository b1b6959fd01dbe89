//! Many machines follow one channel, through everything that happens to machines and networks: at the end all have the
//! newest good release, and none ever ran anything else than one good release as a whole.
//!
//! The ordinary run is small. `GIT_DIST_TEST_FLEET=all` is 200 machines through 50 releases, `GIT_DIST_TEST_FLEET=20x10`
//! as many as it says; both print what was asked of the server. `GIT_DIST_TEST_SEED` repeats a run: the seed is printed
//! where one fails.

mod attacks;
mod dice;
mod machine;
mod publisher;

use std::collections::BTreeMap;
use std::io::Write as _;
use std::process::Stdio;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use dice::Dice;
use machine::{Machine, Running};
use publisher::{Desk, commit, files_of, publish, publishing, said, taken_apart};

use crate::support::{HttpServer, Misbehaviour, Repo, Run};

const MANIFEST: &str = "/place/channels/stable";
/// What only updates that are not in trouble may take.
const PATIENT: [&str; 6] = ["update", "--now", "--probe", "60s", "--timeout", "5m"];
/// What the others may.
const HASTY: [&str; 6] = ["update", "--now", "--probe", "500ms", "--timeout", "3s"];

/// What a machine does in a round.
#[derive(Clone, Debug)]
enum Step {
    /// It is switched off.
    Off,
    /// What a timer does.
    Due,
    Update,
    Look,
    /// It is killed before this act.
    KilledAt(usize),
    /// It and what it started is killed after so many milliseconds.
    KilledAfter(u64),
    /// Two at once.
    Twice,
    /// With its clock so far off.
    Clock(&'static str),
}

/// What is wrong with its network meanwhile.
#[derive(Clone, Debug)]
enum Trouble {
    None,
    Fault(&'static str, Misbehaviour),
    /// It is shown this manifest.
    Shown(&'static str, Arc<Vec<u8>>),
    /// Every bundle is something else.
    Bundles,
}

/// Manifests that somebody may show to machines.
struct Stock {
    /// Not to be accepted by anybody.
    forged: Vec<(&'static str, Arc<Vec<u8>>)>,
    /// Those that were once right.
    earlier: Vec<Arc<Vec<u8>>>,
}

/// The whole of it.
struct Fleet<'d> {
    desk: &'d Desk,
    server: HttpServer,
    machines: Vec<Machine<'d>>,
    dice: Dice,
    stock: Stock,
    /// The labels of all releases that somebody tried to publish, and whether they are good.
    labels: BTreeMap<String, bool>,
    /// What each version number was, wherever it was seen.
    numbers: Mutex<BTreeMap<usize, Running>>,
    /// How often what happened.
    tally: Mutex<BTreeMap<&'static str, usize>>,
}

fn size() -> (usize, usize, bool) {
    match std::env::var("GIT_DIST_TEST_FLEET") {
        Ok(size) if size == "all" => (200, 50, true),
        Ok(size) => {
            let (machines, releases) = size.split_once('x').expect("`all`, or `20x10`");
            (machines.parse().unwrap(), releases.parse().unwrap(), true)
        }
        Err(_) => (8, 8, false),
    }
}

/// Says something where tests are watched.
fn tell(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}

#[test]
fn whatever_happens_all_end_with_the_newest_good_release() {
    let Some(desk) = Desk::new() else { return };
    let (machines, releases, is_loud) = size();
    let now = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap().as_secs();
    let seed = std::env::var("GIT_DIST_TEST_SEED").map_or(now, |seed| seed.parse().unwrap());
    println!("GIT_DIST_TEST_SEED={seed}");
    let started = Instant::now();
    let mut fleet = Fleet::new(&desk, machines, seed);
    let (repo, rival) = (desk.repo("project"), desk.repo("rival"));
    for round in 1..=releases {
        fleet.round(round, releases, &repo, &rival);
        if is_loud && round % 10 == 0 {
            tell(&format!("round {round} of {releases} after {} s", started.elapsed().as_secs()));
        }
    }
    let troubled = (fleet.server.requests().len(), fleet.server.bytes_sent());
    let label = fleet.settle();
    assert!(label.starts_with(&format!("{releases}-")), "{label}");
    fleet.server.requests();
    fleet.server.bytes_sent();
    // Without any trouble, once with something new and once without.
    publish(&desk, &repo, &fleet.place(), "publisher", "stable", "last-good", true);
    fleet.labels.insert("last-good".to_owned(), true);
    fleet.server.requests();
    fleet.server.bytes_sent();
    assert_eq!(fleet.settle(), "last-good");
    for machine in &fleet.machines {
        assert_eq!(machine.leftovers(), [""; 0], "{}", machine.prefix);
    }
    let new = (fleet.server.requests().len(), fleet.server.bytes_sent());
    assert_eq!(new.0, 2 * machines, "a manifest and a bundle for each");
    fleet.settle();
    let requests = fleet.server.requests();
    let nothing_new = (requests.len(), fleet.server.bytes_sent());
    assert_eq!(nothing_new, (machines, 0), "one conditional request for each");
    assert!(requests.iter().all(|request| request.header("if-none-match").is_some()));
    if is_loud {
        let manifest = fleet.server.object(MANIFEST).unwrap().len();
        let each = |(requests, bytes): (usize, u64), times: usize| {
            let of = u64::try_from(times).unwrap();
            format!("{}.{:02} requests, {} bytes", requests / times, requests * 100 / times % 100, bytes / of)
        };
        tell(&format!(
            "{machines} machines, {releases} releases, seed {seed}, {} s\n{:?}\n\
             in trouble, per machine and release: {}\nsomething new, per machine: {} (manifest {manifest})\n\
             nothing new, per machine: {}",
            started.elapsed().as_secs(),
            fleet.tally.lock().unwrap(),
            each(troubled, machines * releases),
            each(new, machines),
            each(nothing_new, machines),
        ));
    }
}

impl<'d> Fleet<'d> {
    fn new(desk: &'d Desk, machines: usize, seed: u64) -> Self {
        let server = HttpServer::start();
        let machines =
            (0..machines).map(|number| Machine::new(desk, &server, &format!("m{number}"))).collect();
        let mut fleet = Self {
            desk,
            server,
            machines,
            dice: Dice::new(seed),
            stock: Stock { forged: Vec::new(), earlier: Vec::new() },
            labels: BTreeMap::new(),
            numbers: Mutex::default(),
            tally: Mutex::default(),
        };
        fleet.forge();
        fleet
    }

    fn place(&self) -> String {
        format!("{}/place", self.server.url())
    }

    /// Makes what attackers show, who have everything but the key.
    fn forge(&mut self) {
        let (repo, beta) = (self.desk.repo("evil"), self.desk.repo("beta"));
        let address = format!("{}/evil", self.server.url());
        for label in ["evil-1", "evil-2"] {
            publish(self.desk, &repo, &address, "attacker", "stable", label, true);
        }
        publish(self.desk, &beta, &self.place(), "publisher", "beta", "beta-1", true);
        let evil = self.server.object("/evil/channels/stable").unwrap();
        let beta = self.server.object("/place/channels/beta").unwrap();
        for bundle in said(&evil)["bundles"].as_array().unwrap() {
            let name = format!("bundles/{}.bundle", bundle["sha256"].as_str().unwrap());
            let bytes = self.server.object(&format!("/evil/{name}")).unwrap();
            self.server.put(&format!("/place/{name}"), &bytes);
        }
        let (text, signature) = (taken_apart(&evil).0, taken_apart(&beta).1);
        let forged = [
            ("unsigned", text.clone().into_bytes()),
            ("wrong key", evil),
            ("another's signature", (text + &signature).into_bytes()),
            ("other channel", beta),
        ];
        self.stock.forged = forged.map(|(name, bytes)| (name, Arc::new(bytes))).to_vec();
    }

    /// Somebody publishes while every machine does something.
    fn round(&mut self, round: usize, last: usize, repo: &Repo<'_>, rival: &Repo<'_>) {
        let mut dice = self.dice.of(round);
        let is_good = round == last || round == 1 || !dice.is(20);
        let is_race = round > 1 && dice.is(25);
        let label = format!("{round}-{}", if is_good { "good" } else { "bad" });
        let other = format!("{round}-rival-good");
        self.labels.insert(label.clone(), is_good);
        if is_race {
            self.labels.insert(other.clone(), true);
        }
        let plans: Vec<(Step, Trouble)> =
            (0..self.machines.len()).map(|machine| self.plan(&mut dice.of(machine))).collect();
        let publisher_troubles = dice.is(20);
        let next = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            let fleet = &*self;
            scope.spawn(move || {
                if publisher_troubles {
                    // It is done, and nobody hears of it.
                    fleet.server.misbehave("/~office/place/channels", Misbehaviour::Deny(500, 1));
                }
                fleet.publish(repo, &label, is_good);
            });
            if is_race {
                scope.spawn(move || fleet.publish(rival, &other, true));
            }
            let (next, plans) = (&next, &plans);
            let workers: Vec<_> = (0..4)
                .map(|_| {
                    scope.spawn(move || {
                        while let Some(machine) = fleet.machines.get(next.fetch_add(1, Ordering::Relaxed)) {
                            let number = fleet.machines.iter().position(|it| it.prefix == machine.prefix);
                            let (step, trouble) = &plans[number.unwrap()];
                            fleet.step(machine, step, trouble);
                        }
                    })
                })
                .collect();
            for worker in workers {
                worker.join().unwrap();
            }
        });
        self.server.restore("/~office/");
        let manifest = Arc::new(self.server.object(MANIFEST).unwrap());
        self.stock.earlier.push(manifest);
    }

    /// Publishes until it is told that it did, or that there is nothing to publish.
    fn publish(&self, repo: &Repo<'_>, label: &str, is_good: bool) {
        commit(repo, label, is_good);
        let address = format!("{}/~office/place", self.server.url());
        for _ in 0..20 {
            let run =
                self.desk.sandbox.run(&mut publishing(self.desk, repo, &address, "publisher", "stable"));
            match run.code {
                Some(0) => return self.count("published"),
                _ if run.stderr().contains("meanwhile") => self.count("publishers raced"),
                _ => {
                    assert!(run.stderr().contains("500"), "{}", run.snapshot());
                    self.count("publishers in trouble");
                }
            }
        }
        panic!("{label} could not be published");
    }

    /// The label of the present release, and whether it is good.
    fn newest(&self) -> (String, bool) {
        let manifest = said(&self.server.object(MANIFEST).unwrap());
        let source = manifest["release"]["source"].as_str().unwrap();
        let folders = ["project", "rival"].map(|name| self.desk.sandbox.path().join(name));
        let mut labels = folders.iter().filter_map(|folder| {
            let mut git = self.desk.sandbox.command("git", folder);
            let run = self.desk.sandbox.run(git.args(["show", &format!("{source}:app/label")]));
            (run.code == Some(0)).then(|| run.raw_stdout().to_owned())
        });
        let label = labels.next().unwrap();
        let is_good = self.labels.get(&label).copied().unwrap_or(true);
        (label, is_good)
    }

    /// What a machine is to do, and what is to happen to it.
    fn plan(&self, dice: &mut Dice) -> (Step, Trouble) {
        let step = match dice.below(100) {
            0..8 => Step::Off,
            8..14 => Step::Due,
            14..60 => Step::Update,
            60..66 => Step::Look,
            66..78 => Step::KilledAt(1 + dice.below(130)),
            78..86 => Step::KilledAfter(dice.below(120) as u64),
            86..92 => Step::Twice,
            _ => Step::Clock(dice.one_of(&["+3d", "-3d", "+100d", "-100d", "+20y", "-20y"])),
        };
        let bytes = dice.below(1500);
        let path = dice.one_of(&["place/channels/", "place/bundles/", "place/"]);
        let trouble = match dice.below(100) {
            0..55 => Trouble::None,
            55..75 => Trouble::Fault(
                path,
                match dice.below(20) {
                    0..5 => Misbehaviour::Cut(bytes),
                    5..9 => Misbehaviour::Status(500, "no"),
                    9..11 => Misbehaviour::Status(404, "no"),
                    11 => Misbehaviour::Status(403, "no"),
                    12 => Misbehaviour::Hang,
                    13 => Misbehaviour::HangAfter(bytes),
                    14..16 => Misbehaviour::Drip(2000),
                    16 => Misbehaviour::AnnounceNothing,
                    17 => Misbehaviour::NoTag,
                    18 => Misbehaviour::IgnoreRange,
                    _ => Misbehaviour::Announce(bytes as u64),
                },
            ),
            75..83 if !self.stock.earlier.is_empty() => {
                Trouble::Shown("stale", dice.one_of(&self.stock.earlier))
            }
            83..96 => {
                let (name, manifest) = dice.one_of(&self.stock.forged);
                Trouble::Shown(name, manifest)
            }
            _ => Trouble::Bundles,
        };
        (step, trouble)
    }

    /// One machine's part of a round.
    fn step(&self, machine: &Machine<'_>, step: &Step, trouble: &Trouble) {
        let at = |path: &str| format!("{}{path}", machine.prefix);
        match trouble {
            Trouble::None => {}
            Trouble::Fault(path, how) => self.server.misbehave(&at(path), how.clone()),
            Trouble::Shown(_, manifest) => self.server.put(&at("place/channels/stable"), manifest),
            Trouble::Bundles => self.server.misbehave(&at("place/bundles"), Misbehaviour::Endless),
        }
        let run = self.go(machine, step, trouble);
        self.server.restore(&machine.prefix);
        let what = || {
            format!(
                "{} {step:?} {trouble:?}\n{}",
                machine.prefix,
                run.as_ref().map_or(String::new(), Run::snapshot)
            )
        };
        self.look(machine, &what);
        let is_forged = matches!(trouble, Trouble::Shown(name, _) if *name != "stale");
        let is_plain = matches!(step, Step::Update) && machine.follows();
        if is_forged
            && is_plain
            && let Some(run) = &run
        {
            assert_eq!(run.code, Some(1), "{}", what());
            self.count("forgeries refused");
        }
    }

    fn go(&self, machine: &Machine<'_>, step: &Step, trouble: &Trouble) -> Option<Run> {
        let run = |before: &[&str], arguments: &[&str]| {
            Some(self.desk.sandbox.run(&mut machine.command(before, arguments)))
        };
        if !machine.follows() {
            // It waits longer than one can in a test.
            let waits = matches!(
                trouble,
                Trouble::Fault(_, Misbehaviour::Hang | Misbehaviour::HangAfter(_) | Misbehaviour::Drip(_))
            );
            let is_to_be = !waits && !matches!(step, Step::Off | Step::Clock(_));
            let mut command = machine.installing();
            if let Step::KilledAt(act) = step {
                command.env("GIT_DIST_FAULT", format!("{act}:KILL"));
            }
            return is_to_be.then(|| self.desk.sandbox.run(&mut command));
        }
        self.count(match step {
            Step::Off => "off",
            Step::Due => "due",
            Step::Update => "update",
            Step::Look => "look",
            Step::KilledAt(_) | Step::KilledAfter(_) => "killed",
            Step::Twice => "twice",
            Step::Clock(_) => "clock",
        });
        match step {
            Step::Off => None,
            Step::Due => run(&[], &["update", "--probe", "500ms", "--timeout", "3s"]),
            Step::Update => run(&[], &HASTY),
            Step::Look => run(&[], &["update", "--check", "--probe", "500ms", "--timeout", "3s"]),
            Step::Clock(offset) => run(&["faketime", "-f", offset], &HASTY),
            Step::KilledAt(act) => {
                let mut command = machine.command(&[], &HASTY);
                Some(self.desk.sandbox.run(command.env("GIT_DIST_FAULT", format!("{act}:KILL"))))
            }
            Step::KilledAfter(wait) => {
                let mut command = machine.command(&[], &HASTY);
                let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
                std::thread::sleep(Duration::from_millis(*wait));
                let _ = child.kill();
                child.wait().unwrap();
                None
            }
            Step::Twice => std::thread::scope(|scope| {
                let first = scope.spawn(|| run(&[], &HASTY));
                run(&[], &HASTY);
                first.join().unwrap()
            }),
        }
    }

    /// What the machine runs is one whole good release, and none before the one that it ran.
    fn look(&self, machine: &Machine<'_>, what: &dyn Fn() -> String) {
        let Some(running) = machine.running() else {
            assert_eq!(machine.settled(), 0, "nothing is left: {}", what());
            return;
        };
        let label = running.label();
        assert_eq!(self.labels.get(label), Some(&true), "{label}: {}", what());
        assert_eq!(running.files, files_of(label, true), "a mix: {}", what());
        assert!(machine.settled() <= running.number, "back: {}", what());
        machine.note(&running);
        let mut numbers = self.numbers.lock().unwrap();
        let known = numbers.entry(running.number).or_insert_with(|| running.clone());
        assert_eq!(*known, running, "two releases with one number: {}", what());
    }

    /// All machines look for something new without trouble; the label that all of them then have.
    fn settle(&self) -> String {
        let newest = self.newest().0;
        let next = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    while let Some(machine) = self.machines.get(next.fetch_add(1, Ordering::Relaxed)) {
                        let run = if machine.follows() { machine.run(&PATIENT) } else { machine.install() };
                        assert_eq!(run.code, Some(0), "{}", run.snapshot());
                        self.look(machine, &|| run.snapshot());
                        assert_eq!(machine.running().unwrap().label(), newest, "{}", run.snapshot());
                    }
                });
            }
        });
        newest
    }

    fn count(&self, what: &'static str) {
        *self.tally.lock().unwrap().entry(what).or_default() += 1;
    }
}
