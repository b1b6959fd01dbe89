//! Following what is published elsewhere: what is believed, what is not, and when anybody is asked.

mod failures;
mod python;
mod refusals;
mod schedule;
mod servers;
mod upstreams;
mod web;

use std::fs;

use serde_json::Value;

use crate::publish::Market;

/// Puts `manifest`, signed by `key` for `namespace`, in place of that of channel `stable`.
fn forge(market: &Market, manifest: &Value, key: &str, namespace: &str) {
    let text = market.at("manifest");
    fs::write(&text, serde_json::to_string_pretty(manifest).unwrap() + "\n").unwrap();
    let mut command = market.sandbox.command("ssh-keygen", market.sandbox.path());
    command.args(["-q", "-Y", "sign", "-n", namespace, "-f", key]).arg(&text);
    market.sandbox.run(&mut command).success();
    let signed = market.at("manifest.sig");
    let bytes = [fs::read(&text).unwrap(), fs::read(&signed).unwrap()].concat();
    fs::remove_file(signed).unwrap();
    fs::write(market.at("place/channels/stable"), bytes).unwrap();
}

/// The path of the bundle that leads to the present release.
fn last_bundle(market: &Market) -> std::path::PathBuf {
    let manifest = market.manifest("stable");
    let last = manifest["bundles"].as_array().unwrap().last().unwrap();
    market.at(&format!("place/bundles/{}.bundle", last["sha256"].as_str().unwrap()))
}
