//! OpenPGP signatures: the keyring of whoever deploys, and how far it trusts a key.

use std::path::Path;
use std::process::Command;

use super::{Desk, head, is_there, make_head, with_header};
use crate::support::{Repo, skipped};

/// Two keyrings with an agent each: the signers', and that of whoever deploys.
struct Keyrings {
    desk: Desk,
    /// Agents listen on a socket in there, whose path must be short.
    homes: tempfile::TempDir,
}

impl Keyrings {
    fn new() -> Option<Self> {
        if !is_there("gpg") {
            skipped("there is no gpg; `apt-get install gnupg` lets this test run");
            return None;
        }
        let desk = Desk::new()?;
        let homes = tempfile::Builder::new().prefix("g").tempdir_in("/tmp").unwrap();
        for home in ["signers", "own"] {
            std::fs::create_dir(homes.path().join(home)).unwrap();
            let mut chmod = desk.sandbox.command("chmod", homes.path());
            desk.sandbox.run(chmod.args(["700", home])).success();
        }
        Some(Self { desk, homes })
    }

    fn home(&self, home: &str) -> String {
        self.homes.path().join(home).display().to_string()
    }

    fn gpg(&self, home: &str, arguments: &[&str]) -> Command {
        let mut gpg = self.desk.sandbox.command("gpg", self.desk.sandbox.path());
        gpg.env("GNUPGHOME", self.home(home));
        gpg.args(["--batch", "--quiet", "--no-tty", "--pinentry-mode", "loopback", "--passphrase", ""]);
        gpg.args(arguments);
        gpg
    }

    fn run(&self, home: &str, arguments: &[&str]) -> String {
        self.desk.sandbox.run(&mut self.gpg(home, arguments)).success().raw_stdout().to_owned()
    }

    /// Makes a key; its fingerprint.
    fn key(&self, name: &str, options: &[&str], expires: &str) -> String {
        let who = format!("{name} <{name}@example.org>");
        let quick = ["--quick-gen-key", &who, "ed25519", "sign", expires];
        self.run("signers", &[options, &quick].concat());
        let listed = self.run("signers", &["--with-colons", "--list-keys", &format!("={who}")]);
        let line = listed.lines().find(|line| line.starts_with("fpr:")).unwrap();
        line.split(':').nth(9).unwrap().to_owned()
    }

    /// Whoever deploys gets the key, with this trust: `6` is ultimate; none leaves it unknown.
    fn import(&self, key: &str, trust: Option<u8>) {
        let public = self.run("signers", &["--armor", "--export", key]);
        super::piped(&mut self.gpg("own", &["--import"]), public.as_bytes());
        if let Some(trust) = trust {
            let line = format!("{key}:{trust}:\n");
            super::piped(&mut self.gpg("own", &["--import-ownertrust"]), line.as_bytes());
        }
    }

    /// HEAD, signed with these arguments of gpg.
    fn sign_head(&self, repo: &Repo<'_>, arguments: &[&str]) {
        let commit = unsigned(&head(repo));
        let arguments = [arguments, &["--armor", "--detach-sign"]].concat();
        let signature = super::piped(&mut self.gpg("signers", &arguments), commit.as_bytes());
        make_head(&self.desk, repo, with_header(&commit, "gpgsig", &signature).as_bytes());
    }

    fn dist<const N: usize>(&self, repo: &Repo<'_>, arguments: [&str; N]) -> crate::support::Run {
        repo.dist_with([("GNUPGHOME", &*self.home("own"))], arguments)
    }
}

impl Drop for Keyrings {
    fn drop(&mut self) {
        for home in ["signers", "own"] {
            let mut kill = self.desk.sandbox.command("gpgconf", Path::new("/"));
            let _ = kill.env("GNUPGHOME", self.home(home)).args(["--kill", "all"]).status();
        }
    }
}

/// A commit without its signature.
fn unsigned(commit: &str) -> String {
    let Some((before, rest)) = commit.split_once("\ngpgsig ") else { return commit.to_owned() };
    format!("{before}{}", &rest[rest.find("\n\n").unwrap()..])
}

#[test]
fn a_key_must_be_trusted_or_named() {
    let Some(rings) = Keyrings::new() else { return };
    let repo = rings.desk.repo();
    let (tess, bob) = (rings.key("tess", &[], "never"), rings.key("bob", &[], "never"));
    rings.sign_head(&repo, &["-u", &tess]);
    rings
        .dist(&repo, [])
        .code(1)
        .says("is signed with the key ")
        .says("which is not in the keyring of `gpg`");
    rings.import(&tess, None);
    rings
        .dist(&repo, [])
        .code(1)
        .says(&format!("is signed with the key {tess}, of `tess <tess@example.org>`, whose trust is `undefined`, not `fully`"))
        .says(&format!("hint: `gpg --sign-key {tess}`, or `git config --add dist.allowedKey {tess}`"));
    // What the repository says of trust or programs does not count; what is said of this machine does.
    repo.git(["config", "gpg.minTrustLevel", "undefined"]);
    repo.git(["config", "gpg.program", "true"]);
    rings.dist(&repo, []).code(1).says("whose trust is `undefined`");
    rings.desk.global("gpg.minTrustLevel", "undefined");
    rings.dist(&repo, ["--dry-run"]).success();
    rings.desk.global("gpg.minTrustLevel", "ultimate");
    rings.import(&tess, Some(4));
    rings.dist(&repo, []).code(1).says("not `ultimate`");
    rings.desk.global("gpg.minTrustLevel", "much");
    rings.dist(&repo, []).code(1).says("`gpg.minTrustLevel` is `much` in the git configuration");
    let mut git = rings.desk.sandbox.command("git", repo.path());
    rings.desk.sandbox.run(git.args(["config", "--global", "--unset", "gpg.minTrustLevel"])).success();
    rings.import(&tess, Some(6));
    rings.dist(&repo, ["--dry-run"]).success();
    // Where keys are named, they alone count.
    repo.git(["config", "--add", "dist.allowedKey", &bob]);
    rings.dist(&repo, []).code(1).says("of `tess <tess@example.org>`, which no `dist.allowedKey` names");
    repo.git(["config", "--add", "dist.allowedKey", &tess[24..]]);
    rings.dist(&repo, []).code(1).says("expected a whole fingerprint");
    repo.git(["config", "--replace-all", "dist.allowedKey", &tess.to_lowercase()]);
    rings.dist(&repo, []).success();
    let signature = &rings.desk.sandbox.record("tool")["signature"];
    assert_eq!(signature["format"], "openpgp");
    assert_eq!(signature["signer"], "tess <tess@example.org>");
    assert_eq!(signature["key"], *tess);
}

#[test]
fn expired_and_revoked_keys_sign_nothing() {
    let Some(rings) = Keyrings::new() else { return };
    let repo = rings.desk.repo();
    // A key of 2020 that was good for a day, and a signature that was good then.
    let then = ["--faked-system-time", "20200101T000000!"];
    let old = rings.key("old", &then, "1d");
    rings.import(&old, Some(6));
    rings.sign_head(&repo, &[&then[..], &["-u", &old]].concat());
    rings
        .dist(&repo, [])
        .code(1)
        .says(&format!("is signed with the key {old}, which expired on 2020-01-02T00:00:00"));
    // A signature that was to be good for a day.
    let tess = rings.key("tess", &then, "never");
    rings.import(&tess, Some(6));
    rings.sign_head(&repo, &[&then[..], &["--default-sig-expire", "1d", "-u", &tess]].concat());
    rings.dist(&repo, []).code(1).says("which expired");
    rings.sign_head(&repo, &["-u", &tess]);
    rings.dist(&repo, ["--dry-run"]).success();
    let path = rings.homes.path().join(format!("signers/openpgp-revocs.d/{tess}.rev"));
    let revocation = std::fs::read_to_string(path).unwrap().replace("\n:-----BEGIN", "\n-----BEGIN");
    super::piped(&mut rings.gpg("own", &["--import"]), revocation.as_bytes());
    rings.dist(&repo, []).code(1).says(&format!("is signed with the key {tess}, which was revoked"));
    rings.desk.assert_nothing_deployed();
}

#[test]
fn one_signature_of_the_very_bytes() {
    let Some(rings) = Keyrings::new() else { return };
    let repo = rings.desk.repo();
    let (tess, eve) = (rings.key("tess", &[], "never"), rings.key("eve", &[], "never"));
    rings.import(&tess, Some(6));
    rings.sign_head(&repo, &["-u", &tess]);
    let good = head(&repo);
    let garbage = "-----BEGIN PGP SIGNATURE-----\n\niQ==\n-----END PGP SIGNATURE-----\n";
    make_head(&rings.desk, &repo, with_header(&unsigned(&good), "gpgsig", garbage).as_bytes());
    rings.dist(&repo, []).code(1).says("caused by: `gpg` does not tell whether the signature of commit ");
    make_head(&rings.desk, &repo, good.replacen("\n\none", "\n\ntwo", 1).as_bytes());
    rings.dist(&repo, []).code(1).says("does not fit its content");
    make_head(&rings.desk, &repo, good.as_bytes());
    for arguments in
        [&["-u", &tess, "-u", &eve][..], &["-u", &eve, "-u", &tess], &["--textmode", "-u", &tess]]
    {
        rings.sign_head(&repo, arguments);
        rings.dist(&repo, []).code(1).says("does not fit its content");
    }
    rings.desk.assert_nothing_deployed();
    // By a subkey: what counts and is written down is the primary key.
    rings.run("signers", &["--quick-add-key", &tess, "ed25519", "sign", "never"]);
    rings.import(&tess, None);
    rings.desk.global("dist.allowedKey", &tess);
    rings.sign_head(&repo, &["-u", &tess]);
    rings.dist(&repo, []).success();
    assert_eq!(rings.desk.sandbox.record("tool")["signature"]["key"], *tess);
}

#[test]
fn tags_are_signed_with_openpgp_too() {
    let Some(rings) = Keyrings::new() else { return };
    let repo = rings.desk.repo();
    let tess = rings.key("tess", &[], "never");
    rings.import(&tess, Some(6));
    let mut git = rings.desk.sandbox.command("git", repo.path());
    git.env("GNUPGHOME", rings.home("signers"));
    rings.desk.sandbox.run(git.args(["tag", "-s", "-u", &tess, "-m", "release", "v1.0"])).success();
    repo.git(["update-ref", "refs/tags/v2.0", "refs/tags/v1.0"]);
    rings.dist(&repo, ["--rev", "v2.0"]).code(1).says("was signed as `v1.0`");
    rings.dist(&repo, ["--rev", "v1.0"]).success();
}
