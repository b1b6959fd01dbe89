//! What runs updates on a schedule, to be put where the system looks for it.

use std::path::{Path, PathBuf};

use crate::cli::args::{Unit, Update};
use crate::cli::context::Context;
use crate::cli::error::{CliError, DONE};

/// The time that a scheduled update has.
const TIMEOUT: &str = "30m";

pub(super) fn print(context: &Context<'_>, arguments: &Update, kind: Unit) -> Result<u8, CliError> {
    let project = context.project_if_any()?;
    let root = context.root(project.as_ref())?;
    let program = std::env::current_exe().unwrap_or_else(|_| PathBuf::from("git-dist"));
    let mut words: Vec<String> = vec![program.display().to_string()];
    if project.is_some() {
        let location =
            std::path::absolute(context.location()).unwrap_or_else(|_| context.location().to_owned());
        let location: PathBuf = location.components().collect();
        words.extend(["-C".to_owned(), location.display().to_string()]);
    }
    words.extend(["update", "--quiet", "--timeout", TIMEOUT].map(ToOwned::to_owned));
    if let Some(metrics) = &arguments.metrics {
        words.extend(["--metrics".to_owned(), metrics.display().to_string()]);
    }
    words.extend(arguments.targets.iter().cloned());
    let text = match kind {
        Unit::Systemd => systemd(&words, root.path()),
        Unit::Launchd => launchd(&words, root.path()),
        Unit::Cron => cron(&words, root.path()),
    };
    context.printer.line(text.trim_end())?;
    Ok(DONE)
}

fn systemd(words: &[String], root: &Path) -> String {
    // `%` and `$` mean something to systemd, and quotes hold words together (systemd.service(5)).
    let word = |word: &str| {
        let escaped = word.replace('\\', "\\\\").replace('"', "\\\"").replace('%', "%%");
        format!("\"{}\"", escaped.replace('$', "$$"))
    };
    let line: Vec<String> = words.iter().map(|it| word(it)).collect();
    let root = root.display().to_string().replace('\\', "\\\\").replace('"', "\\\"").replace('%', "%%");
    format!(
        "# ~/.config/systemd/user/git-dist-update.service\n[Unit]\nDescription=Update what git dist follows\n\
         After=network.target\n\n[Service]\nType=oneshot\nEnvironment=\"DEPLOY_ROOT={root}\"\nExecStart={}\n\n\
         # ~/.config/systemd/user/git-dist-update.timer\n\
         # systemctl --user daemon-reload && systemctl --user enable --now git-dist-update.timer\n\
         [Unit]\nDescription=Update what git dist follows, now and then\n\n[Timer]\nOnBootSec=2min\n\
         OnUnitActiveSec=15min\nRandomizedDelaySec=5min\n\n[Install]\nWantedBy=timers.target\n",
        line.join(" ")
    )
}

fn launchd(words: &[String], root: &Path) -> String {
    let escaped = |text: &str| text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    let string = |text: String, word: &String| text + "        <string>" + &escaped(word) + "</string>\n";
    let strings = words.iter().fold(String::new(), string);
    let root = escaped(&root.display().to_string());
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
         <!-- ~/Library/LaunchAgents/org.git-dist.update.plist, then: launchctl load that file -->\n\
         <plist version=\"1.0\">\n<dict>\n    <key>Label</key>\n    <string>org.git-dist.update</string>\n    \
         <key>ProgramArguments</key>\n    <array>\n{strings}    </array>\n    \
         <key>EnvironmentVariables</key>\n    <dict>\n        <key>DEPLOY_ROOT</key>\n        \
         <string>{root}</string>\n    </dict>\n    <key>StartInterval</key>\n    <integer>900</integer>\n    \
         <key>RunAtLoad</key>\n    <true/>\n</dict>\n</plist>\n"
    )
}

fn cron(words: &[String], root: &Path) -> String {
    // A bare `%` ends a command (crontab(5)).
    let line: Vec<String> = words.iter().map(|word| quoted(word)).collect();
    let root = quoted(&root.display().to_string());
    format!("*/15 * * * * DEPLOY_ROOT={root} {}\n", line.join(" ")).replace('%', "\\%")
}

/// A word as a shell reads it.
fn quoted(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "/._-+=:,@%".contains(c);
    if !word.is_empty() && word.chars().all(is_plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}
