//! `git dist doctor`: what is wrong, and what to do.

use std::path::Path;

use serde_json::json;

use super::context::Context;
use super::error::{CliError, DONE, FAILED};
use super::printer::Tone;
use crate::doctor::{Finding, Verdict, examine};

pub(super) fn run(context: &Context<'_>) -> Result<u8, CliError> {
    let printer = context.printer;
    let findings = examine(Path::new("."), &context.process);
    let failed = findings.iter().any(|finding| finding.verdict == Verdict::Bad);
    if printer.is_json() {
        let items: Vec<_> = findings
            .iter()
            .map(|finding| {
                json!({
                    "about": finding.about,
                    "verdict": word(finding),
                    "message": finding.message,
                    "hint": finding.hint,
                })
            })
            .collect();
        printer.json(&json!({ "format": "git-dist/doctor", "version": 1, "findings": items }))?;
    } else {
        for finding in &findings {
            let tone = match finding.verdict {
                Verdict::Good => Tone::Good,
                Verdict::Doubtful => Tone::Changed,
                Verdict::Bad => Tone::Bad,
            };
            printer.line(format!(
                "{} {}: {}",
                printer.paint(format!("{:<4}", word(finding)), tone),
                printer.paint(finding.about, Tone::Strong),
                printer.paint(&finding.message, Tone::Plain)
            ))?;
            if let Some(hint) = &finding.hint {
                printer.line(format!("     {}", printer.paint(format!("hint: {hint}"), Tone::Dim)))?;
            }
        }
    }
    Ok(if failed { FAILED } else { DONE })
}

fn word(finding: &Finding) -> &'static str {
    match finding.verdict {
        Verdict::Good => "ok",
        Verdict::Doubtful => "warn",
        Verdict::Bad => "bad",
    }
}
