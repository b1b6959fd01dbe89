//! The shapes that `--json` prints. Each document says its format and version; fields may be added, and do not
//! change their meaning within a version. docs/json.md describes them.

use std::path::PathBuf;

use serde_json::{Value, json};

use crate::events::Event;
use crate::history::Rollout;
use crate::plan::{Action, Item};
use crate::rollout::Report;
use crate::version::{Link, Stored, VersionName};

/// One item of a plan or report.
pub(super) fn item(item: &Item) -> Value {
    let mut value = json!({
        "target": item.target,
        "source": item.source,
        "destination": item.destination.as_str(),
        "action": item.action.word(),
        "from": item.from.as_ref().map(ToString::to_string),
        "warnings": item.warnings,
    });
    let more = match &item.action {
        Action::Create { name, adopt } => json!({ "to": name.to_string(), "adopt": adopt }),
        Action::Relink { to, adopt, mark_bad, .. } => {
            json!({ "to": to.to_string(), "adopt": adopt, "marks_bad": mark_bad })
        }
        Action::Unchanged { version } | Action::Repair { version } => json!({ "to": version.to_string() }),
        Action::Remove { versions, unlink } => {
            let removed: Vec<String> = versions.iter().map(ToString::to_string).collect();
            json!({ "removed": removed, "unlink": unlink })
        }
        Action::Skip { reason } => json!({ "reason": reason }),
        Action::Refuse(refusal) => json!({ "reason": refusal.message(), "hint": refusal.hint(&item.target) }),
    };
    merge(&mut value, more);
    value
}

/// A plan: what would be done.
pub(super) fn plan(kind: &str, revision: Option<(&str, &str)>, items: &[Item], commands: &[String]) -> Value {
    json!({
        "format": "git-dist/plan",
        "version": 1,
        "kind": kind,
        "revision": revision.map(|(asked, _)| asked),
        "commit": revision.map(|(_, commit)| commit),
        "items": items.iter().map(item).collect::<Vec<_>>(),
        "commands": commands,
    })
}

/// A report: what was done.
pub(super) fn report(report: &Report, revision: Option<(&str, &str)>) -> Value {
    let version = |(destination, version): &(PathBuf, VersionName)| json!({ "destination": destination, "version": version.to_string() });
    let pruned: Vec<Value> = report.pruned.iter().map(version).collect();
    let in_use: Vec<Value> = report.in_use.iter().map(version).collect();
    json!({
        "format": "git-dist/rollout",
        "version": 1,
        "kind": report.kind.word(),
        "number": report.number,
        "revision": revision.map(|(asked, _)| asked),
        "commit": revision.map(|(_, commit)| commit),
        "items": report.items.iter().map(item).collect::<Vec<_>>(),
        "pruned": pruned,
        "in_use": in_use,
        "warnings": report.warnings.iter().chain(&report.left_out).collect::<Vec<_>>(),
    })
}

/// A version on disk.
pub(super) fn stored(stored: &Stored, link: &Link, is_in_use: bool) -> Value {
    let record = stored.record.as_ref();
    json!({
        "version": stored.name.to_string(),
        "count": stored.name.count(),
        "active": link.version() == Some(&stored.name),
        "in_use": is_in_use,
        "state": match record {
            None => "unverified",
            Some(record) if record.is_bad() => "bad",
            Some(_) => "good",
        },
        "record": record,
    })
}

/// The history.
pub(super) fn log(rollouts: &[&Rollout], events: &[&Event]) -> Value {
    json!({ "format": "git-dist/log", "version": 1, "rollouts": rollouts, "events": events })
}

/// Adds the fields of `more`.
pub(super) fn merge(into: &mut Value, more: Value) {
    if let (Value::Object(into), Value::Object(more)) = (into, more) {
        into.extend(more);
    }
}
